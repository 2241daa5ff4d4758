//! `make bench`: sso_attr against what a user would write or run instead.

mod cases;
mod clients;
mod growth;
mod instructions;
mod memory;
mod plot;
mod report;
mod rounds;
mod server;
mod storage;
mod valkey;

use std::path::PathBuf;

use lexopt::ValueExt as _;

use cases::{ATTRIBUTES_LARGE, ATTRIBUTES_SMALL, LARGE_SESSIONS, SMALL_SESSIONS};
use report::Findings;
use server::Server;
use valkey::Valkey;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

struct Options {
    server: Server,
    valkey: PathBuf,
    results: PathBuf,
    short: bool,
    /// Parts to run and cases to measure; none are all.
    parts: Vec<String>,
    cases: Vec<String>,
}

/// How much of everything.
struct Scale {
    /// Calls are divided by this where instructions are counted.
    count_share: u32,
    rounds: u32,
    client_rounds: u32,
    /// How long each way has its turn in a round.
    seconds: u32,
    growth_rounds: u32,
    calls_in_transaction: u32,
    sessions: u32,
}

const FULL: Scale = Scale {
    count_share: 1,
    rounds: 31,
    client_rounds: 8,
    seconds: 2,
    growth_rounds: 3,
    calls_in_transaction: 1_000_000,
    sessions: 1_000_000,
};
const SHORT: Scale = Scale {
    count_share: 4,
    rounds: 5,
    client_rounds: 1,
    seconds: 1,
    growth_rounds: 1,
    calls_in_transaction: 50_000,
    sessions: 50_000,
};

fn options() -> Result<Options> {
    let mut parser = lexopt::Parser::from_env();
    let (mut cluster, mut dir, mut valkey, mut results) = (None, None, None, None);
    let (mut short, mut parts, mut cases) = (false, Vec::new(), Vec::new());
    while let Some(argument) = parser.next()? {
        match argument {
            lexopt::Arg::Long("cluster") => cluster = Some(parser.value()?.into()),
            lexopt::Arg::Long("dir") => dir = Some(parser.value()?.into()),
            lexopt::Arg::Long("valkey") => valkey = Some(parser.value()?.into()),
            lexopt::Arg::Long("results") => results = Some(parser.value()?.into()),
            lexopt::Arg::Long("short") => short = true,
            lexopt::Arg::Long("case") => cases.push(parser.value()?.string()?),
            lexopt::Arg::Value(part) => parts.push(part.string()?),
            other => return Err(other.unexpected().into()),
        }
    }
    let missing = "--cluster, --dir, --valkey and --results are needed";
    let server = Server { cluster: cluster.ok_or(missing)?, dir: dir.ok_or(missing)? };
    Ok(Options {
        server,
        valkey: valkey.ok_or(missing)?,
        results: results.ok_or(missing)?,
        short,
        parts,
        cases,
    })
}

fn main() -> Result<()> {
    let options = options()?;
    let server = &options.server;
    let scale = if options.short { SHORT } else { FULL };
    let wanted =
        |case: &cases::Case| options.cases.is_empty() || options.cases.iter().any(|only| only == case.name);
    let part = |name: &str| {
        let run = options.parts.is_empty() || options.parts.iter().any(|only| only == name);
        if run {
            eprintln!("measuring {name}");
        }
        run
    };

    fixture(server)?;
    let mut findings = Findings::default();
    let mut counted = Vec::new();
    if part("instructions") {
        server.stop()?;
        counted = instructions::count(server, scale.count_share, &wanted)?;
        findings.merge(instructions::findings(&counted));
        server.start()?;
    }
    let mut db = server.connect()?;
    if part("time") {
        findings.merge(rounds::measure(&mut db, scale.rounds, &wanted)?);
    }
    if part("storage") {
        findings.merge(storage::measure(&mut db)?);
    }
    if part("clients") {
        let valkey = |name, dir, fsync| Valkey::start(&options.valkey, &server.dir.join(dir), name, fsync);
        let valkey = [
            valkey("Valkey, fsync on every write", "valkey-fsync", Some("always"))?,
            valkey("Valkey, nothing on disk", "valkey", None)?,
        ];
        findings.merge(clients::measure(server, &valkey, scale.client_rounds, scale.seconds)?);
    }
    if part("memory") {
        findings.merge(memory::measure(&mut db, scale.calls_in_transaction)?);
    }
    if part("growth") {
        findings.merge(growth::measure(&mut db, scale.sessions, scale.growth_rounds)?);
    }

    let version: String = db.query_one("SELECT version()", &[])?.get(0);
    let run = if options.short { "A short run" } else { "A full run" };
    let text = findings.markdown(&format!("{run} of `make bench` on {version}."));
    print!("{text}");
    if options.parts.is_empty() && options.cases.is_empty() {
        let name = if options.short { "short" } else { "full" };
        std::fs::create_dir_all(&options.results)?;
        std::fs::write(options.results.join(format!("{name}.md")), text)?;
        let bars: Vec<_> = counted
            .iter()
            .filter(|counted| counted.times != 1.0)
            .map(|counted| (format!("{}: {}", counted.case, counted.variant), counted.times))
            .collect();
        plot::draw(
            &options.results.join(format!("{name}.svg")),
            "Instructions a call, against sso_attr",
            &bars,
        )?;
    }
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
    // A session's attributes lie together, as they do where it was opened and filled.
    db.batch_execute(
        "CLUSTER sso_attr.attribute USING attribute_pkey; CLUSTER bench.attribute USING attribute_pkey",
    )?;
    // Outside a transaction, which a batch of several statements is.
    db.batch_execute("VACUUM ANALYZE")?;
    Ok(())
}
