//! Valkey with a time to live for each field, over its own socket.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::Result;
use crate::cases::SMALL;

pub struct Valkey {
    pub name: &'static str,
    socket: PathBuf,
    process: Child,
}

impl Valkey {
    /// Starts a server in a directory of its own and fills it; `fsync` is its `appendfsync`, or none to keep no log.
    pub fn start(program: &Path, dir: &Path, name: &'static str, fsync: Option<&str>) -> Result<Valkey> {
        std::fs::create_dir_all(dir)?;
        let socket = dir.join("socket");
        let mut command = Command::new(program);
        command.args(["--port", "0", "--save", "", "--unixsocket"]).arg(&socket).arg("--dir").arg(dir);
        if let Some(fsync) = fsync {
            command.args(["--appendonly", "yes", "--appendfsync", fsync]);
        }
        let process = command.stdout(Stdio::null()).spawn()?;
        let valkey = Valkey { name, socket, process };
        let deadline = Instant::now() + Duration::from_secs(10);
        while UnixStream::connect(&valkey.socket).is_err() {
            if Instant::now() > deadline {
                return Err(format!("{name} did not start").into());
            }
            std::thread::yield_now();
        }
        let mut wire = Wire::connect(&valkey.socket)?;
        let content = "0123456789".repeat(10);
        let fields: Vec<String> = (1..=SMALL.clear).map(|n| format!("a{n:04}")).collect();
        for session in 0..SMALL.sessions {
            let key = format!("session:{session}");
            let mut words = vec!["HSET", &key];
            words.extend(fields.iter().flat_map(|field| [field.as_str(), content.as_str()]));
            wire.call(&words)?;
        }
        Ok(valkey)
    }

    /// What `HSETEX key FXX EX` does for a field that is there, one call at a time for each client.
    pub fn updates_a_second(&self, clients: u32, seconds: f64) -> Result<f64> {
        let deadline = Instant::now() + Duration::from_secs_f64(seconds);
        let workers: Vec<_> = (0..clients)
            .map(|client| {
                let socket = self.socket.clone();
                std::thread::spawn(move || work(&socket, client, deadline).map_err(|error| error.to_string()))
            })
            .collect();
        let mut done = 0;
        for worker in workers {
            done += worker.join().map_err(|_| "a client panicked")??;
        }
        Ok(f64::from(done) / seconds)
    }
}

impl Drop for Valkey {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// One client's calls until the time is over.
fn work(socket: &Path, client: u32, deadline: Instant) -> Result<u32> {
    let mut wire = Wire::connect(socket)?;
    let content = "0123456789".repeat(10);
    let mut done = 0;
    while Instant::now() < deadline {
        // Far from each other, and every client in a different place.
        let session = (client * 7 + done).wrapping_mul(7919) % SMALL.sessions;
        let (key, field) = (format!("session:{session}"), "a0007");
        let reply = wire.call(&["HSETEX", &key, "FXX", "EX", "3600", "FIELDS", "1", field, &content])?;
        if reply != ":1\r\n" {
            return Err(format!("HSETEX answered {reply}").into());
        }
        done += 1;
    }
    Ok(done)
}

struct Wire {
    stream: UnixStream,
    replies: BufReader<UnixStream>,
}

impl Wire {
    fn connect(socket: &Path) -> Result<Wire> {
        let stream = UnixStream::connect(socket)?;
        let replies = BufReader::new(stream.try_clone()?);
        Ok(Wire { stream, replies })
    }

    fn call(&mut self, words: &[&str]) -> Result<String> {
        let mut request = format!("*{}\r\n", words.len());
        for word in words {
            request.push_str(&format!("${}\r\n{word}\r\n", word.len()));
        }
        self.stream.write_all(request.as_bytes())?;
        let mut reply = String::new();
        self.replies.read_line(&mut reply)?;
        Ok(reply)
    }
}
