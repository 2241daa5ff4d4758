//! `make bench`: sso_attr against what a user would write or run instead.

mod cases;
mod instructions;
mod server;

use cases::{ATTRIBUTES_LARGE, ATTRIBUTES_SMALL, LARGE_SESSIONS, SMALL_SESSIONS};
use server::Server;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

struct Options {
    server: Server,
    short: bool,
    only: Vec<String>,
}

fn options() -> Result<Options> {
    let mut parser = lexopt::Parser::from_env();
    let (mut cluster, mut dir, mut short, mut only) = (None, None, false, Vec::new());
    while let Some(argument) = parser.next()? {
        match argument {
            lexopt::Arg::Long("cluster") => cluster = Some(parser.value()?.into()),
            lexopt::Arg::Long("dir") => dir = Some(parser.value()?.into()),
            lexopt::Arg::Long("short") => short = true,
            lexopt::Arg::Value(name) => only.push(name.to_string_lossy().into_owned()),
            other => return Err(other.unexpected().into()),
        }
    }
    let server =
        Server { cluster: cluster.ok_or("--cluster is missing")?, dir: dir.ok_or("--dir is missing")? };
    Ok(Options { server, short, only })
}

fn main() -> Result<()> {
    let options = options()?;
    let server = &options.server;
    fixture(server)?;
    server.stop()?;
    let wanted =
        |case: &cases::Case| options.only.is_empty() || options.only.iter().any(|only| only == case.name);
    for row in instructions::count(server, &wanted)? {
        println!("{:24} {:48} {:12.0}", row.case, row.variant, row.instructions);
    }
    server.start()?;
    let _ = options.short;
    Ok(())
}

fn fixture(server: &Server) -> Result<()> {
    let mut db = server.connect()?;
    db.batch_execute(include_str!("../sql/fixture.sql"))?;
    let large = SMALL_SESSIONS + LARGE_SESSIONS;
    db.batch_execute(&format!(
        "CALL bench.add_sessions(1, {SMALL_SESSIONS}, {ATTRIBUTES_SMALL});
         CALL bench.add_sessions({SMALL_SESSIONS} + 1, {large}, {ATTRIBUTES_LARGE});
         CALL bench.add_secrets(1, {SMALL_SESSIONS});
         CALL bench.add_blobs(1, {SMALL_SESSIONS});"
    ))?;
    // A session's attributes lie together, as they do when it was opened and filled.
    for table in ["sso_attr.attribute", "bench.attribute"] {
        db.batch_execute(&format!(
            "CLUSTER {table} USING {}_pkey",
            table.replace("bench.", "").replace("sso_attr.", "")
        ))?;
    }
    db.batch_execute("VACUUM ANALYZE")?;
    Ok(())
}
