//! Calls a second over a socket, of sessions chosen at random, and the same of Valkey.

use std::time::{Duration, Instant};

use crate::Result;
use crate::cases::{
    CASES, Case, LARGE, Leaves, Plans, Runs, SIMPLE, SIMPLE_CLEAR, SMALL, Store, VALUES, Variant, wanted,
};
use crate::report::{Findings, Spread, Table, Target};
use crate::server::Server;
use crate::valkey::Valkey;
use crate::wire::Wire;

/// Those of the cases that can be called again and again in the same sessions.
const OVER_A_SOCKET: &[&str] = &[
    "update",
    "update_sealed",
    "get",
    "get_sealed",
    "get_all",
    "update_many_2",
    "update_many_10",
    "update_many_10_sealed",
    "update_many_1000",
    "session_create_5",
];

/// What a call hands over: the values of a session, in the order of [`VALUES`].
type Values = Vec<String>;

/// A statement to prepare, and which values it takes.
struct Statement {
    sql: String,
    values: Vec<usize>,
    /// The rows that it must answer or change, if that is known.
    rows: Option<u64>,
}

/// One way, in a database of its own, and what it came to in each round.
struct Way {
    name: &'static str,
    database: String,
    statements: Vec<Statement>,
    leaves: Leaves,
    tables: &'static str,
    plans: Plans,
    rates: Vec<f64>,
}

/// How long and how often everything is measured.
#[derive(Clone, Copy)]
pub struct Turns {
    pub rounds: u32,
    pub seconds: f64,
}

/// Every case against SQL on the simplest tables.
pub fn against_sql(server: &Server, cases: &[&'static Case], turns: Turns) -> Result<Findings> {
    let mut table = Table {
        title: "Time a call, over a socket",
        about: format!(
            "Prepared statements, sessions chosen at random, {} rounds of {} s whose order turns round each time. \
             The ratio is of times: below 1, sso_attr is faster. Of a peer, the cheaper `plan_cache_mode`.",
            turns.rounds, turns.seconds
        ),
        header: vec![
            "case",
            "clients",
            "synchronous_commit",
            "way",
            "calls/s",
            "plans",
            "sso_attr against it",
        ],
        rows: Vec::new(),
    };
    let mut targets = Vec::new();
    for case in cases.iter().filter(|case| OVER_A_SOCKET.contains(&case.name)) {
        let values = values(server, case.store, case.items)?;
        let mut ways = ways(server, case)?;
        for way in ways.iter_mut().filter(|way| way.tables.contains("simple.")) {
            let mut trial = |plans| {
                way.plans = plans;
                Ok::<_, Box<dyn std::error::Error>>((
                    plans,
                    rate(server, way, &values, 1, "off", turns.seconds / 2.0)?,
                ))
            };
            let (chosen, generic) = (trial(Plans::Chosen)?, trial(Plans::Generic)?);
            way.plans = if chosen.1 > generic.1 { chosen.0 } else { generic.0 };
        }
        let commits: &[&str] = if case.leaves == Leaves::Nothing { &["on"] } else { &["on", "off"] };
        for (clients, commit) in
            [1, 8].iter().flat_map(|clients| commits.iter().map(move |commit| (*clients, *commit)))
        {
            for round in 0..turns.rounds {
                // Whoever comes first in a round comes last in the next one: what else the machine
                // does, and what the one before left to be written, falls on all of them.
                let mut turn: Vec<&mut Way> = ways.iter_mut().collect();
                if round % 2 == 1 {
                    turn.reverse();
                }
                for way in turn {
                    let rate = rate(server, way, &values, clients, commit, turns.seconds)?;
                    way.rates.push(rate);
                }
            }
            for (index, way) in ways.iter().enumerate() {
                let ratio = Spread::of(
                    way.rates.iter().zip(&ways[0].rates).map(|(theirs, ours)| theirs / ours).collect(),
                );
                table.rows.push(vec![
                    case.name.into(),
                    clients.to_string(),
                    commit.into(),
                    way.name.into(),
                    Spread::of(way.rates.clone()).to_string(),
                    way.plans.setting().into(),
                    if index == 0 { String::new() } else { ratio.to_string() },
                ]);
                let is_wanted =
                    clients == 1 && (commit == "off" || commits.len() == 1) || case.name == "update";
                let bound = wanted(case.name, way.name).and_then(|wanted| wanted.time);
                if let Some(bound) = bound.filter(|_| is_wanted) {
                    let what = format!(
                        "time over a socket of {} against {}, {clients} clients, synchronous_commit = {commit}",
                        case.name, way.name
                    );
                    targets.push(Target::at_most(what, bound, ratio.median));
                }
            }
            ways.iter_mut().for_each(|way| way.rates.clear());
        }
        for way in &ways {
            server.drop(&way.database)?;
        }
    }
    Ok(Findings { tables: vec![table], targets })
}

/// How durable updates are, from a commit that waits for the disk to tables that a crash empties, beside
/// the same on the simplest tables, and Valkey.
pub fn ladder(server: &Server, valkey: &[Valkey], turns: Turns) -> Result<Findings> {
    let mut table = Table {
        title: "Durability: updates a second over a socket",
        about: format!(
            "{} interleaved rounds of {} s, sessions chosen at random; 100-byte values. Valkey is another system \
             with other promises: it is here as what one might run instead.",
            turns.rounds, turns.seconds
        ),
        header: vec!["clients", "way", "updates/s", "of the first way"],
        rows: Vec::new(),
    };
    let case = CASES.iter().find(|case| case.name == "update").ok_or("no such case")?;
    let variant = |name| case.variants.iter().find(|way| way.name == name).ok_or("no such way");
    let values = values(server, &SMALL, 0)?;
    let mut steps = Vec::new();
    for (name, of, commit, unlog) in [
        ("sso_attr, durable", case.variants[0].name, "on", ""),
        ("the simplest tables, durable", SIMPLE, "on", ""),
        ("sso_attr, synchronous_commit = off", case.variants[0].name, "off", ""),
        ("the simplest tables, synchronous_commit = off", SIMPLE, "off", ""),
        ("sso_attr, unlogged", case.variants[0].name, "off", "SELECT sso_attr_set_logged(false)"),
        (
            "the simplest tables, unlogged",
            SIMPLE,
            "off",
            "ALTER TABLE simple.attribute SET UNLOGGED; ALTER TABLE simple.session SET UNLOGGED",
        ),
    ] {
        let variant = variant(of)?;
        let way = way(server, case, variant, format!("step_{}", steps.len()), name)?;
        server.connect(&way.database)?.batch_execute(unlog)?;
        steps.push((way, commit));
    }
    for clients in [1, 8, 32] {
        let mut rates: Vec<(&str, Vec<f64>)> = steps.iter().map(|(way, _)| (way.name, Vec::new())).collect();
        rates.extend(valkey.iter().map(|valkey| (valkey.name, Vec::new())));
        for round in 0..turns.rounds {
            let mut turn: Vec<_> = rates.iter_mut().enumerate().collect();
            if round % 2 == 1 {
                turn.reverse();
            }
            for (index, (_, rates)) in turn {
                rates.push(match steps.get(index) {
                    Some((way, commit)) => rate(server, way, &values, clients, commit, turns.seconds)?,
                    None => valkey[index - steps.len()].updates_a_second(clients, turns.seconds)?,
                });
            }
        }
        for (index, (name, theirs)) in rates.iter().enumerate() {
            let ratio =
                Spread::of(rates[0].1.iter().zip(theirs).map(|(first, theirs)| theirs / first).collect());
            table.rows.push(vec![
                clients.to_string(),
                (*name).into(),
                Spread::of(theirs.clone()).to_string(),
                if index == 0 { String::new() } else { ratio.to_string() },
            ]);
        }
    }
    for (way, _) in &steps {
        server.drop(&way.database)?;
    }
    Ok(Findings { tables: vec![table], targets: Vec::new() })
}

/// One call for many attributes against as many calls.
pub fn batches(server: &Server, turns: Turns) -> Result<Findings> {
    let mut table = Table {
        title: "One call for many over a socket",
        about: format!(
            "One client, {} interleaved rounds of {} s, every call its own durable transaction.",
            turns.rounds, turns.seconds
        ),
        header: vec!["attributes", "by one update_many, times/s", "by as many calls, times/s", "ratio"],
        rows: Vec::new(),
    };
    let mut targets = Vec::new();
    for (store, items, bound) in [(&SMALL, 2, 1.0), (&LARGE, 100, 15.0)] {
        let values = values(server, store, items)?;
        let call = |sql: &str| statement(&format!("SELECT {sql}"), Some(1));
        let way = |name, statements| Way {
            name,
            database: name.to_owned(),
            statements,
            leaves: Leaves::Versions,
            tables: "sso_attr.attribute",
            plans: Plans::Chosen,
            rates: Vec::new(),
        };
        let each = (1..=items).map(|n| call(&format!("sso_attr_update($token, 'a{n:04}', $content)")));
        let mut ways = [
            way("one_call", vec![call("sso_attr_update_many($token, $batch)")]),
            way("many_calls", each.collect()),
        ];
        for way in &ways {
            server.copy(store.database, &way.database)?;
        }
        for _ in 0..turns.rounds {
            for way in &mut ways {
                let rate = rate(server, way, &values, 1, "on", turns.seconds)?;
                way.rates.push(rate);
            }
        }
        let [once, each] = &ways;
        let ratio = Spread::of(once.rates.iter().zip(&each.rates).map(|(once, each)| once / each).collect());
        table.rows.push(vec![
            items.to_string(),
            Spread::of(once.rates.clone()).to_string(),
            Spread::of(each.rates.clone()).to_string(),
            ratio.to_string(),
        ]);
        let what = format!("times faster: update_many of {items} than {items} calls over a socket");
        targets.push(Target::at_least(what, bound, ratio.median));
        for way in &ways {
            server.drop(&way.database)?;
        }
    }
    Ok(Findings { tables: vec![table], targets })
}

/// The extension's ways of a case and those on the simplest tables, each in its copy of the store.
fn ways(server: &Server, case: &Case) -> Result<Vec<Way>> {
    let mut ways: Vec<Way> = Vec::new();
    for variant in
        case.variants.iter().filter(|way| !way.is_peer || [SIMPLE, SIMPLE_CLEAR].contains(&way.name))
    {
        let statements = statements(case, variant);
        // What differs only in what went before is the same here.
        let is_there =
            |way: &Way| way.statements.iter().map(|s| &s.sql).eq(statements.iter().map(|s| &s.sql));
        if ways.iter().any(is_there) {
            continue;
        }
        ways.push(way(server, case, variant, format!("way_{}", ways.len()), variant.name)?);
    }
    Ok(ways)
}

/// One way of a case in a copy of the store.
fn way(server: &Server, case: &Case, variant: &Variant, database: String, name: &'static str) -> Result<Way> {
    server.copy(case.store.database, &database)?;
    Ok(Way {
        name,
        database,
        statements: statements(case, variant),
        leaves: case.leaves,
        tables: variant.tables(),
        plans: Plans::Chosen,
        rates: Vec::new(),
    })
}

fn statements(case: &Case, variant: &Variant) -> Vec<Statement> {
    match variant.runs {
        Runs::Call | Runs::Value => vec![statement(&format!("SELECT {}", variant.sql), Some(1))],
        Runs::Changes => vec![statement(variant.sql, Some(case.items.into()))],
        Runs::Transaction => std::iter::once("BEGIN")
            .chain(variant.sql.split(';'))
            .chain(std::iter::once("COMMIT"))
            .map(|sql| statement(sql, None))
            .collect(),
        Runs::Select | Runs::Change | Runs::Open | Runs::Block => vec![statement(variant.sql, Some(1))],
    }
}

/// SQL with numbered parameters in the place of named values.
fn statement(sql: &str, rows: Option<u64>) -> Statement {
    let mut sql = sql.to_owned();
    let mut values = Vec::new();
    for (index, (name, kind)) in VALUES.iter().enumerate() {
        let named = format!("${name}");
        if sql.contains(&named) {
            values.push(index);
            sql = sql.replace(&named, &format!("${}::{kind}", values.len()));
        }
    }
    Statement { sql, values, rows }
}

/// What every session of a store hands over.
fn values(server: &Server, store: &Store, items: u32) -> Result<Vec<Values>> {
    let content = "0123456789".repeat(10);
    let batch = |prefix: &str| {
        let item = |n| format!(r#"{{"name": "{prefix}{n:04}", "value": "{content}"}}"#);
        format!("[{}]", (1..=items).map(item).collect::<Vec<_>>().join(", "))
    };
    let mut db = server.connect(store.database)?;
    let rows =
        db.query("SELECT ust, id::text, digest::text, presented::text FROM bench.token ORDER BY i", &[])?;
    let session = |row: &postgres::Row| {
        let of_session = ["token", "session", "secret", "presented"];
        let value = |(name, _): &(&str, &str)| match of_session.iter().position(|known| known == name) {
            Some(column) => row.get(column),
            None if *name == "content" => content.clone(),
            None if *name == "batch" => batch("a"),
            None if *name == "sealed_batch" => batch("s"),
            // A new session's id is made up for every call.
            None => String::new(),
        };
        VALUES.iter().map(value).collect()
    };
    Ok(rows.iter().map(session).collect())
}

/// Calls a second of a way, by clients that each have a connection and wait for every answer.
fn rate(
    server: &Server,
    way: &Way,
    values: &[Values],
    clients: u32,
    commit: &str,
    seconds: f64,
) -> Result<f64> {
    if way.leaves != Leaves::Nothing {
        let mut db = server.connect(&way.database)?;
        if way.leaves == Leaves::Rows {
            db.batch_execute("CALL bench.remove_new()")?;
        }
        db.batch_execute(&format!("VACUUM {}", way.tables))?;
    }
    let mut wires = Vec::new();
    for client in 0..clients {
        let mut wire = Wire::connect(&server.dir, &way.database)?;
        wire.run(&format!("SET plan_cache_mode = {}", way.plans.setting()))?;
        wire.run(&format!("SET synchronous_commit = {commit}"))?;
        for (index, statement) in way.statements.iter().enumerate() {
            wire.prepare(&index.to_string(), &statement.sql)?;
        }
        let mut chance = Chance::of(client);
        // After more than five calls plans are kept.
        for _ in 0..6 {
            call(&mut wire, way, values, &mut chance)?;
        }
        wires.push((wire, chance));
    }
    let start = Instant::now();
    let deadline = start + Duration::from_secs_f64(seconds);
    let done = std::thread::scope(|scope| {
        let workers: Vec<_> = wires
            .into_iter()
            .map(|(mut wire, mut chance)| {
                scope.spawn(move || {
                    let mut done = 0;
                    while Instant::now() < deadline {
                        call(&mut wire, way, values, &mut chance).map_err(|error| error.to_string())?;
                        done += 1;
                    }
                    Ok::<u32, String>(done)
                })
            })
            .collect();
        workers.into_iter().try_fold(0, |sum, worker| {
            Ok::<_, String>(sum + worker.join().map_err(|_| "a client panicked")??)
        })
    })?;
    Ok(f64::from(done) / start.elapsed().as_secs_f64())
}

/// Makes one call in a session chosen at random.
fn call(wire: &mut Wire, way: &Way, values: &[Values], chance: &mut Chance) -> Result<()> {
    let session = &values[usize::try_from(chance.next() % values.len() as u64)?];
    let new = format!("{:016x}{:016x}", chance.next(), chance.next());
    for (index, statement) in way.statements.iter().enumerate() {
        let value = |index: &usize| if VALUES[*index].0 == "new_session" { &new } else { &session[*index] };
        let parameters: Vec<&str> = statement.values.iter().map(|index| value(index).as_str()).collect();
        let rows = wire.call(&index.to_string(), &parameters)?;
        if statement.rows.is_some_and(|wanted| wanted != rows) {
            return Err(format!("{}: {rows} rows", statement.sql).into());
        }
    }
    Ok(())
}

/// Numbers without a pattern (xorshift), of which no two clients and no two runs have the same.
struct Chance(u64);

impl Chance {
    fn of(client: u32) -> Chance {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Chance((now.as_nanos() as u64 ^ u64::from(client) << 32) | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}
