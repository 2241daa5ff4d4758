//! A PgBouncer in transaction mode in front of a server.

use postgres::{Client, Config, NoTls};
use rustix::process::{Pid, Signal, kill_process};

use crate::{Result, SOON, Server, wait_until};

/// A running PgBouncer whose files are in the server's directory; it is stopped when the value is dropped.
pub struct Pooler<'a> {
    server: &'a Server,
    role: &'a str,
}

impl<'a> Pooler<'a> {
    /// Starts one through which `role` connects, with at most `connections` to the server.
    pub fn start(server: &'a Server, role: &'a str, connections: usize) -> Result<Pooler<'a>> {
        let directory = server.directory().display();
        let configuration = format!(
            "[databases]\n* = host={directory} port=5432 user={role}\n\
             [pgbouncer]\npool_mode = transaction\ndefault_pool_size = {connections}\nauth_type = any\n\
             listen_port = 6432\nunix_socket_dir = {directory}\n\
             logfile = {directory}/pooler.log\npidfile = {directory}/pooler.pid\n"
        );
        let file = format!("{directory}/pooler.ini");
        server.run_with_input(&["tee", &file], &configuration)?;
        server.run(&["/usr/sbin/pgbouncer", "--daemon", &file])?;
        let pooler = Pooler { server, role };
        wait_until("the pooler accepts connections", SOON, || Ok(pooler.connect().is_ok()))?;
        Ok(pooler)
    }

    /// Connects a client to the pooler.
    pub fn connect(&self) -> Result<Client> {
        let mut config = Config::new();
        config.host_path(self.server.directory()).port(6432).user(self.role).dbname("postgres");
        Ok(config.connect(NoTls)?)
    }

    fn process(&self) -> Result<Pid> {
        let file = std::fs::read_to_string(self.server.directory().join("pooler.pid"))?;
        Ok(Pid::from_raw(file.trim().parse()?).ok_or("no process has the id 0")?)
    }
}

impl Drop for Pooler<'_> {
    fn drop(&mut self) {
        let stopped = self.process().and_then(|pid| Ok(kill_process(pid, Signal::TERM)?));
        if let Err(error) = stopped {
            eprintln!("a pooler is left behind: {error}");
        }
    }
}
