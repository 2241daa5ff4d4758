//! Throwaway PostgreSQL servers for tests that need more than one server, a restart, a crash or
//! files to look into.
//!
//! Every [`Server`] is a cluster of its own, made by `scripts/cluster`, that is stopped and removed
//! when the value is dropped. It listens on a Unix socket in its directory only, so any number of
//! them run side by side.

pub mod document;
pub mod node_tree;
mod pooler;
mod random;

use std::ffi::OsStr;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use postgres::error::DbError;
use postgres::{Client, Config, NoTls};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

pub use pooler::Pooler;
pub use random::Random;

/// What tests return: `?` works on anything, and a failure prints what went wrong.
pub type Result<T = ()> = std::result::Result<T, Box<dyn std::error::Error>>;

/// The bound of every wait that should take no time at all on an idle machine.
pub const SOON: Duration = Duration::from_secs(30);

/// The key of [`Server::create`]'s keyring, whose id is 1.
pub const KEY: [u8; 32] = *b"\xa7sso_attr test key, not a secret";

/// How a server is asked to stop.
#[derive(Debug, Clone, Copy)]
pub enum Stop {
    /// Disconnects everybody, writes a checkpoint.
    Fast,
    /// Aborts: the next start recovers from WAL.
    Immediate,
}

/// A cluster in a directory of its own.
pub struct Server {
    directory: TempDir,
}

impl Server {
    /// Makes a cluster, not yet started, with sso_attr preloaded and a keyring that holds [`KEY`].
    /// `configuration` is added to postgresql.conf and wins over what stands there.
    pub fn create(configuration: &str) -> Result<Server> {
        let server = Server { directory: tempfile::Builder::new().prefix("sso_attr.").tempdir()? };
        cluster("create", server.directory())?;
        server.set_keyring(&format!("1:{}\n", hex::encode(KEY)))?;
        // Nothing here outlives a crash of the machine; a crash of the server needs no fsync.
        server.configure(&format!(
            "fsync = off\nshared_preload_libraries = 'sso_attr'\nsso_attr.keyring_file = '{}'\n{configuration}\n",
            server.keyring().display()
        ))?;
        Ok(server)
    }

    /// Makes and starts a cluster whose database postgres has the extension.
    pub fn with_extension(configuration: &str) -> Result<Server> {
        let server = Server::create(configuration)?;
        server.start()?;
        server.connect("postgres")?.batch_execute("CREATE EXTENSION sso_attr")?;
        Ok(server)
    }

    /// Makes, but does not start, a streaming standby of a running server.
    pub fn standby_of(primary: &Server) -> Result<Server> {
        Server::backup_of(primary, "--write-recovery-conf")
    }

    /// Makes, but does not start, a server from a base backup of a running one; `options` are those of
    /// pg_basebackup.
    pub fn backup_of(source: &Server, options: &str) -> Result<Server> {
        let copy = Server::create("")?;
        let data = copy.data();
        let backup =
            format!("rm -rf '{0}' && pg_basebackup -D '{0}' --checkpoint=fast {options}", data.display());
        source.run(&["sh", "-c", &backup])?;
        copy.configure(&format!(
            "unix_socket_directories = '{}'\nsso_attr.keyring_file = '{}'\n",
            copy.directory().display(),
            copy.keyring().display()
        ))?;
        Ok(copy)
    }

    /// Starts the server and waits until it accepts connections.
    pub fn start(&self) -> Result {
        cluster("start", self.directory())
            .map_err(|error| format!("{error}{}", self.log().unwrap_or_default()))?;
        Ok(())
    }

    /// Stops the server and waits for its end.
    pub fn stop(&self, mode: Stop) -> Result {
        let mode = match mode {
            Stop::Fast => "fast",
            Stop::Immediate => "immediate",
        };
        output(scripts_cluster("stop", self.directory()).arg(mode), "")?;
        Ok(())
    }

    /// Kills every process of the server at once, as a loss of power would.
    pub fn kill(&self) -> Result {
        let postmaster = self.postmaster()?;
        // Held still, it starts no more children while they are counted.
        signal(postmaster, Signal::STOP)?;
        let children = children(postmaster);
        let killed = children.as_ref().map_or(Ok(()), |pids| pids.iter().try_for_each(|pid| kill(*pid)));
        // Whatever became of them, it must not stay behind held still.
        kill(postmaster)?;
        killed?;
        self.bury(postmaster, children?)
    }

    /// Kills the postmaster alone; all other processes notice, and end.
    pub fn kill_postmaster(&self) -> Result {
        let postmaster = self.postmaster()?;
        let children = children(postmaster)?;
        kill(postmaster)?;
        self.bury(postmaster, children)
    }

    fn postmaster(&self) -> Result<i32> {
        let pid_file = std::fs::read_to_string(self.data().join("postmaster.pid"))?;
        Ok(pid_file.lines().next().ok_or("postmaster.pid is empty")?.parse()?)
    }

    /// Waits for the end of all processes and removes what would keep a new server from starting.
    fn bury(&self, postmaster: i32, children: Vec<i32>) -> Result {
        wait_until("all processes of the server are dead", SOON, || {
            Ok(!is_running(postmaster) && !children.iter().any(|pid| is_running(*pid)))
        })?;
        // The dead that init has yet to reap would pass for a running server.
        for lock in ["data/postmaster.pid", ".s.PGSQL.5432.lock"] {
            std::fs::remove_file(self.directory().join(lock))?;
        }
        Ok(())
    }

    /// Kills one backend, which makes the postmaster restart all others, and waits until the
    /// server accepts connections again.
    pub fn crash(&self) -> Result {
        let mut victim = self.connect("postgres")?;
        self.crash_by(backend_pid(&mut victim)?)
    }

    /// As `crash`, by the death of the process that is named.
    pub fn crash_by(&self, pid: i32) -> Result {
        let mut witness = self.connect("postgres")?;
        kill(pid)?;
        // Until the postmaster has noticed, new connections are accepted and then lost.
        wait_until("the other backends are stopped", SOON, || Ok(witness.simple_query("").is_err()))?;
        wait_until("the server has recovered", SOON, || Ok(self.connect("postgres").is_ok()))
    }

    /// Connects as the superuser.
    pub fn connect(&self, database: &str) -> std::result::Result<Client, postgres::Error> {
        self.connect_as("postgres", database)
    }

    /// Connects as any role.
    pub fn connect_as(&self, role: &str, database: &str) -> std::result::Result<Client, postgres::Error> {
        Config::new()
            .host_path(self.directory())
            .user(role)
            .dbname(database)
            // A statement that would wait for ever fails its test instead.
            .options("-c statement_timeout=5min")
            .connect(NoTls)
    }

    /// All that the server has logged.
    pub fn log(&self) -> Result<String> {
        Ok(std::fs::read_to_string(self.directory().join("log"))?)
    }

    /// Runs a program as the server's user, PostgreSQL's own programs on PATH and connecting to
    /// this server; returns what it printed.
    pub fn run<S: AsRef<OsStr>>(&self, command: &[S]) -> Result<String> {
        self.run_with_input(command, "")
    }

    /// As [`Server::run`], with a text for the program to read.
    pub fn run_with_input<S: AsRef<OsStr>>(&self, command: &[S], input: &str) -> Result<String> {
        let mut run = scripts_cluster("run", self.directory());
        run.args(command).env("PGHOST", self.directory()).env("PGPORT", "5432").env("PGUSER", "postgres");
        output(&mut run, input)
    }

    /// Adds lines to postgresql.conf; they count from the next start or reload on.
    pub fn configure(&self, lines: &str) -> Result {
        let file = self.data().join("postgresql.conf");
        self.run_with_input(&[OsStr::new("tee"), OsStr::new("-a"), file.as_os_str()], &format!("{lines}\n"))?;
        Ok(())
    }

    /// Replaces the keyring file by another one, in one step.
    pub fn set_keyring(&self, text: &str) -> Result {
        let replace = format!("umask 077 && cat > '{0}.new' && mv '{0}.new' '{0}'", self.keyring().display());
        self.run_with_input(&["sh", "-c", &replace], text)?;
        Ok(())
    }

    /// Where the cluster, its log and its socket are.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// The data directory.
    pub fn data(&self) -> PathBuf {
        self.directory().join("data")
    }

    /// The keyring file.
    pub fn keyring(&self) -> PathBuf {
        self.directory().join("keyring")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Err(error) = cluster("remove", self.directory()) {
            eprintln!("{} is left behind: {error}", self.directory().display());
        }
    }
}

/// Polls until the condition holds; fails if it does not within the bound.
pub fn wait_until(what: &str, bound: Duration, mut condition: impl FnMut() -> Result<bool>) -> Result {
    let start = Instant::now();
    while !condition()? {
        if start.elapsed() > bound {
            return Err(format!("waited {bound:?} in vain until {what}").into());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

/// What the server said when it refused; a success is an error, and so is a lost connection.
pub fn refusal<T>(result: std::result::Result<T, postgres::Error>) -> Result<DbError> {
    match result {
        Ok(_) => Err("the server did not refuse".into()),
        Err(error) => Ok(error.as_db_error().ok_or_else(|| error.to_string())?.clone()),
    }
}

/// The process that serves a connection.
pub fn backend_pid(client: &mut Client) -> Result<i32> {
    Ok(client.query_one("SELECT pg_backend_pid()", &[])?.get(0))
}

/// Kills a process at once.
pub fn kill(pid: i32) -> Result {
    signal(pid, Signal::KILL)
}

/// Opens a session and returns its token.
pub fn open_session(client: &mut Client, user: &str) -> Result<String> {
    Ok(client.query_one("SELECT sso_session_create($1)", &[&user])?.get(0))
}

/// Sessions and attributes byte for byte.
pub fn contents(client: &mut Client) -> Result<Vec<String>> {
    let rows = client.query(
        "SELECT s::text FROM sso_attr.session AS s
         UNION ALL SELECT a::text FROM sso_attr.attribute AS a ORDER BY 1",
        &[],
    )?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

fn scripts_cluster(verb: &str, directory: &Path) -> Command {
    let mut command = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../scripts/cluster"));
    command.arg(verb).arg(directory);
    command
}

fn cluster(verb: &str, directory: &Path) -> Result<String> {
    output(&mut scripts_cluster(verb, directory), "")
}

fn output(command: &mut Command, input: &str) -> Result<String> {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    child.stdin.take().ok_or("no pipe")?.write_all(input.as_bytes())?;
    let output = child.wait_with_output()?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(format!("{command:?}: {}\n{said}", output.status).into());
    }
    Ok(String::from_utf8(output.stdout)?)
}

fn signal(pid: i32, signal: Signal) -> Result {
    Ok(kill_process(Pid::from_raw(pid).ok_or("no process has the id 0")?, signal)?)
}

fn children(pid: i32) -> Result<Vec<i32>> {
    let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"))?;
    Ok(children.split_whitespace().map(str::parse).collect::<std::result::Result<_, _>>()?)
}

/// Whether a process is there and not a zombie.
fn is_running(pid: i32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/status")).is_ok_and(|status| !status.contains("\nState:\tZ"))
}
