//! The throwaway server that scripts/bench made.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use postgres::{Client, NoTls};

use crate::Result;

pub struct Server {
    /// scripts/cluster, which knows how to be the server's user.
    pub cluster: PathBuf,
    pub dir: PathBuf,
}

impl Server {
    pub fn start(&self) -> Result<()> {
        self.run(self.cluster("start", &[]), None).map(drop)
    }

    pub fn stop(&self) -> Result<()> {
        self.run(self.cluster("stop", &[]), None).map(drop)
    }

    /// Runs a program as the server's user, `input` on its standard input.
    pub fn program(&self, command: &[&str], input: &str) -> Result<String> {
        self.run(self.cluster("run", command), Some(input))
    }

    pub fn connect(&self, database: &str) -> Result<Client> {
        let mut config = postgres::Config::new();
        Ok(config.host_path(&self.dir).user("postgres").dbname(database).connect(NoTls)?)
    }

    /// Makes a copy of a database as it is now; nobody may be connected to the original.
    pub fn copy(&self, database: &str, copy: &str) -> Result<()> {
        self.drop(copy)?;
        let create = format!("CREATE DATABASE \"{copy}\" TEMPLATE {database} STRATEGY file_copy");
        Ok(self.connect("postgres")?.batch_execute(&create)?)
    }

    pub fn drop(&self, database: &str) -> Result<()> {
        Ok(self
            .connect("postgres")?
            .batch_execute(&format!("DROP DATABASE IF EXISTS \"{database}\" WITH (FORCE)"))?)
    }

    fn cluster(&self, verb: &str, rest: &[&str]) -> Command {
        let mut command = Command::new(&self.cluster);
        command.arg(verb).arg(&self.dir).args(rest);
        command
    }

    fn run(&self, mut command: Command, input: Option<&str>) -> Result<String> {
        let output = self.dir.join("output");
        let piped = if input.is_some() { Stdio::piped() } else { Stdio::null() };
        // Into a file: a started server keeps its descriptors, so a pipe would never end.
        let file = std::fs::File::create(&output)?;
        let mut child = command.stdin(piped).stdout(file.try_clone()?).stderr(file).spawn()?;
        if let (Some(mut pipe), Some(input)) = (child.stdin.take(), input) {
            pipe.write_all(input.as_bytes())?;
        }
        let status = child.wait()?;
        let text = std::fs::read_to_string(&output)?;
        if status.success() { Ok(text) } else { Err(format!("{command:?}: {status}\n{text}").into()) }
    }
}
