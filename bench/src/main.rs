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
mod wire;

use std::path::PathBuf;

use lexopt::ValueExt as _;

use cases::{CASES, Case, SEALED, SIMPLE, SIMPLE_CLEAR, SMALL, STORES, Store, Variant};
use clients::Turns;
use report::Findings;
use server::Server;
use valkey::Valkey;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// What is measured, as one asks for it on the command line.
const PARTS: &[&str] = &["instructions", "time", "storage", "clients", "durability", "memory", "growth"];

struct Options {
    server: Server,
    valkey: Option<PathBuf>,
    results: PathBuf,
    profiles: Option<PathBuf>,
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
    turns: Turns,
    growth_rounds: u32,
    calls_in_transaction: u32,
    sessions: u32,
}

const FULL: Scale = Scale {
    count_share: 1,
    rounds: 31,
    turns: Turns { rounds: 8, seconds: 1.0 },
    growth_rounds: 3,
    calls_in_transaction: 1_000_000,
    sessions: 1_000_000,
};
const SHORT: Scale = Scale {
    count_share: 2,
    rounds: 5,
    turns: Turns { rounds: 1, seconds: 0.2 },
    growth_rounds: 1,
    calls_in_transaction: 50_000,
    sessions: 50_000,
};

fn options() -> Result<Options> {
    let mut parser = lexopt::Parser::from_env();
    let (mut cluster, mut dir, mut valkey, mut results) = (None, None, None, None);
    let (mut short, mut profiles, mut parts, mut cases) = (false, None, Vec::new(), Vec::new());
    while let Some(argument) = parser.next()? {
        match argument {
            lexopt::Arg::Long("cluster") => cluster = Some(parser.value()?.into()),
            lexopt::Arg::Long("dir") => dir = Some(parser.value()?.into()),
            lexopt::Arg::Long("valkey") => valkey = Some(parser.value()?.into()),
            lexopt::Arg::Long("results") => results = Some(parser.value()?.into()),
            lexopt::Arg::Long("profiles") => profiles = Some(parser.value()?.into()),
            lexopt::Arg::Long("short") => short = true,
            lexopt::Arg::Value(name) => {
                let name = name.string()?;
                if PARTS.contains(&name.as_str()) {
                    parts.push(name);
                } else if CASES.iter().any(|case| case.name == name) {
                    cases.push(name);
                } else {
                    let known: Vec<_> = CASES.iter().map(|case| case.name).collect();
                    let (parts, cases) = (PARTS.join(", "), known.join(", "));
                    return Err(format!("{name} is no part ({parts}) and no case ({cases})").into());
                }
            }
            other => return Err(other.unexpected().into()),
        }
    }
    let missing = "--cluster, --dir and --results are needed";
    let server = Server { cluster: cluster.ok_or(missing)?, dir: dir.ok_or(missing)? };
    Ok(Options { server, valkey, results: results.ok_or(missing)?, profiles, short, parts, cases })
}

fn main() -> Result<()> {
    let options = options()?;
    let server = &options.server;
    let scale = if options.short { SHORT } else { FULL };
    let cases: Vec<&Case> = CASES.iter().filter(|case| case.is_named(&options.cases)).collect();
    let is_asked = |name: &str| options.parts.is_empty() || options.parts.iter().any(|only| only == name);
    let part = |name: &str| {
        let run = is_asked(name);
        if run {
            eprintln!("measuring {name}");
        }
        run
    };

    let everything = options.cases.is_empty()
        || ["storage", "durability", "memory", "growth"].iter().any(|part| is_asked(part));
    for store in STORES {
        if everything || cases.iter().any(|case| case.store.database == store.database) {
            fixture(server, store)?;
        }
    }
    let mut findings = Findings::default();
    let mut counted = Vec::new();
    if part("instructions") {
        // A developer who names cases waits for the figures: of the peers, then, the one that counts.
        let brief = !options.cases.is_empty();
        let chosen = |way: &Variant| !brief || !way.is_peer || way.name == SIMPLE || way.name == SIMPLE_CLEAR;
        let profiles = options.profiles.as_deref();
        counted = instructions::count(server, &cases, scale.count_share, &chosen, profiles)?;
        findings.merge(instructions::findings(&counted));
    }
    if part("time") {
        findings.merge(rounds::measure(server, &cases, scale.rounds)?);
    }
    if part("storage") {
        server.copy(SMALL.database, "storage")?;
        findings.merge(storage::measure(&mut server.connect("storage")?)?);
        server.drop("storage")?;
    }
    if part("clients") {
        findings.merge(clients::against_sql(server, &cases, scale.turns)?);
    }
    if options.cases.is_empty() && part("durability") {
        let program = options.valkey.as_deref().ok_or("--valkey is needed to measure durability")?;
        let valkey = |name, dir, fsync| Valkey::start(program, &server.dir.join(dir), name, fsync);
        let valkey = [
            valkey("Valkey, fsync on every write", "valkey-fsync", Some("always"))?,
            valkey("Valkey, fsync once a second", "valkey-everysec", Some("everysec"))?,
            valkey("Valkey, nothing on disk", "valkey", None)?,
        ];
        findings.merge(clients::ladder(server, &valkey, scale.turns)?);
    }
    if options.cases.is_empty() && is_asked("clients") {
        findings.merge(clients::batches(server, scale.turns)?);
    }
    if part("memory") {
        findings.merge(memory::measure(&mut server.connect(SEALED.database)?, scale.calls_in_transaction)?);
    }
    if part("growth") {
        findings.merge(growth::measure(
            &mut server.connect(SMALL.database)?,
            scale.sessions,
            scale.growth_rounds,
        )?);
    }

    let version: String = server.connect("postgres")?.query_one("SELECT version()", &[])?.get(0);
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

fn fixture(server: &Server, store: &Store) -> Result<()> {
    server.connect("postgres")?.batch_execute(&format!("CREATE DATABASE {}", store.database))?;
    let mut db = server.connect(store.database)?;
    db.batch_execute(include_str!("../sql/fixture.sql"))?;
    let Store { sessions, clear, sealed, .. } = store;
    db.batch_execute(&format!(
        "CALL bench.add_sessions(1, {sessions}, {clear}, {sealed}); CALL bench.add_peers();"
    ))?;
    if *sealed > 0 {
        db.batch_execute("CALL bench.add_secrets()")?;
    }
    // A session's attributes lie together, as they do where it was opened and filled.
    db.batch_execute(
        "CLUSTER sso_attr.attribute USING attribute_pkey; CLUSTER bench.attribute USING attribute_pkey;
         CLUSTER simple.attribute USING attribute_pkey",
    )?;
    // Each outside a transaction, which a batch of several statements would be.
    db.batch_execute("CALL bench.settle()")?;
    db.batch_execute("VACUUM ANALYZE")?;
    Ok(())
}
