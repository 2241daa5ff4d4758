//! A client of the server's: statements prepared once, one call at a time, and as little else as can be.

use std::io::{BufReader, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;

use crate::Result;

pub struct Wire {
    stream: UnixStream,
    replies: BufReader<UnixStream>,
    request: Vec<u8>,
}

impl Wire {
    pub fn connect(dir: &Path, database: &str) -> Result<Wire> {
        let stream = UnixStream::connect(dir.join(".s.PGSQL.5432"))?;
        let replies = BufReader::new(stream.try_clone()?);
        let mut wire = Wire { stream, replies, request: Vec::new() };
        let start = format!("user\0postgres\0database\0{database}\0\0");
        wire.request.extend(u32::try_from(start.len() + 8)?.to_be_bytes());
        // Version 3.0 of the protocol.
        wire.request.extend(0x0003_0000_u32.to_be_bytes());
        wire.request.extend(start.as_bytes());
        wire.answer()?;
        Ok(wire)
    }

    /// Runs a statement without parameters.
    pub fn run(&mut self, sql: &str) -> Result<()> {
        self.message(b'Q', &[sql.as_bytes(), b"\0"])?;
        self.answer().map(drop)
    }

    pub fn prepare(&mut self, name: &str, sql: &str) -> Result<()> {
        self.message(b'P', &[name.as_bytes(), b"\0", sql.as_bytes(), b"\0\0\0"])?;
        self.message(b'S', &[])?;
        self.answer().map(drop)
    }

    /// Calls what was prepared, with parameters as text, and returns the number of rows.
    pub fn call(&mut self, name: &str, parameters: &[&str]) -> Result<u64> {
        let mut bound = Vec::new();
        bound.extend(u16::try_from(parameters.len())?.to_be_bytes());
        for parameter in parameters {
            bound.extend(u32::try_from(parameter.len())?.to_be_bytes());
            bound.extend(parameter.as_bytes());
        }
        // An unnamed portal, every parameter and every result as text.
        self.message(b'B', &[b"\0", name.as_bytes(), b"\0\0\0", &bound, b"\0\0"])?;
        self.message(b'E', &[b"\0\0\0\0\0"])?;
        self.message(b'S', &[])?;
        self.answer()
    }

    fn message(&mut self, kind: u8, parts: &[&[u8]]) -> Result<()> {
        let length: usize = parts.iter().map(|part| part.len()).sum();
        self.request.push(kind);
        self.request.extend(u32::try_from(length + 4)?.to_be_bytes());
        parts.iter().for_each(|part| self.request.extend(*part));
        Ok(())
    }

    /// Sends what has been asked and reads until the server is ready for more.
    fn answer(&mut self) -> Result<u64> {
        self.stream.write_all(&self.request)?;
        self.request.clear();
        let (mut rows, mut error) = (0, None);
        loop {
            let mut header = [0; 5];
            self.replies.read_exact(&mut header)?;
            let [kind, length @ ..] = header;
            let mut body = vec![0; usize::try_from(u32::from_be_bytes(length))?.saturating_sub(4)];
            self.replies.read_exact(&mut body)?;
            match kind {
                b'Z' => return error.map_or(Ok(rows), |error: String| Err(error.into())),
                b'E' => error = Some(String::from_utf8_lossy(&body).replace('\0', " ")),
                // "UPDATE 3", "SELECT 1", "INSERT 0 5"
                b'C' => {
                    let tag = String::from_utf8_lossy(&body);
                    let count = tag.trim_end_matches('\0').rsplit(' ').next().unwrap_or_default();
                    rows = count.parse().unwrap_or(0);
                }
                _ => {}
            }
        }
    }
}
