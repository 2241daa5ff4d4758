//! Transactions a second over a socket, by pgbench, and the same by Valkey's own clients.

use crate::Result;
use crate::report::{Findings, Spread, Table, Target};
use crate::server::Server;
use crate::valkey::Valkey;

/// Every client has a session of its own, asked for once, and changes one of its attributes at a time.
const SESSION: &str = r"\if :fresh
SELECT ust AS token, id, digest FROM bench.token WHERE i = 1 + :client_id \gset
\set fresh 0
\endif
\set n random(10, 20)
";

const CONTENT: &str =
    "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789";

const SQL: &str = "UPDATE bench.attribute AS a SET value = to_jsonb($content::text), sealed = NULL, updated_at = now()
    FROM bench.session AS s
    WHERE s.id = :id::uuid AND s.secret_digest = :digest::bytea AND s.expires_at > now()
      AND a.session_id = :id::uuid AND a.session_id = s.id AND a.name = 'a00' || :n AND a.expires_at > now();";

/// One way to change an attribute, and what it came to in each round.
struct Way<'a> {
    name: &'static str,
    runs: Runs<'a>,
    tps: Vec<f64>,
}

#[derive(Clone, Copy)]
enum Runs<'a> {
    /// A script of pgbench.
    Pgbench(&'a str),
    Valkey(&'a Valkey),
}

pub fn measure(server: &Server, valkey: &[Valkey], rounds: u32, seconds: u32) -> Result<Findings> {
    let ours = script(
        server,
        "sso_attr_update",
        &format!("SELECT sso_attr_update(:token, 'a00' || :n, '{CONTENT}');"),
    )?;
    let sql = script(server, "statement", &SQL.replace("$content", &format!("'{CONTENT}'")))?;
    let mut table = Table {
        title: "Updates a second over a socket",
        about: format!(
            "{rounds} interleaved rounds of {seconds} s, commits durable; 100-byte values. Valkey is another system \
             with other promises: it is here as what one might run instead."
        ),
        header: vec!["clients", "way", "updates/s", "sso_attr against it"],
        rows: Vec::new(),
    };
    let mut targets = Vec::new();
    for clients in [1, 8, 32] {
        let mut ways: Vec<Way> =
            [("sso_attr_update", Runs::Pgbench(&ours)), ("SQL statement", Runs::Pgbench(&sql))]
                .into_iter()
                .chain(valkey.iter().map(|valkey| (valkey.name, Runs::Valkey(valkey))))
                .map(|(name, runs)| Way { name, runs, tps: Vec::new() })
                .collect();
        for round in 0..rounds {
            // Whoever comes first in a round comes last in the next one: what the machine does
            // besides, and what the one before left to write, falls on all of them.
            let mut turn: Vec<&mut Way> = ways.iter_mut().collect();
            if round % 2 == 1 {
                turn.reverse();
            }
            for way in turn {
                way.tps.push(match way.runs {
                    Runs::Pgbench(script) => pgbench(server, script, clients, seconds)?,
                    Runs::Valkey(valkey) => valkey.updates_a_second(clients, seconds)?,
                });
            }
        }
        for way in &ways {
            let ratios = ways[0].tps.iter().zip(&way.tps).map(|(ours, theirs)| ours / theirs);
            let ratio = Spread::of(ratios.collect());
            let is_ours = way.name == ways[0].name;
            table.rows.push(vec![
                clients.to_string(),
                way.name.into(),
                Spread::of(way.tps.clone()).to_string(),
                if is_ours { String::new() } else { ratio.to_string() },
            ]);
            if way.name == "SQL statement" && clients == 8 {
                let what = "updates a second at 8 clients, durable, against SQL statement";
                targets.push(Target::at_least(what, 0.97, ratio.median));
            }
        }
    }
    let mut findings = Findings { tables: vec![table], targets };
    findings.merge(batches(server, rounds, seconds)?);
    Ok(findings)
}

/// One call for many attributes against as many calls.
fn batches(server: &Server, rounds: u32, seconds: u32) -> Result<Findings> {
    let mut table = Table {
        title: "One call for many over a socket",
        about: format!(
            "One client, {rounds} interleaved rounds of {seconds} s, every call its own durable transaction."
        ),
        header: vec!["attributes", "by one update_many, times/s", "by as many calls, times/s", "ratio"],
        rows: Vec::new(),
    };
    let mut targets = Vec::new();
    for (items, bound) in [(2u32, 1.0), (100, 15.0)] {
        let names = (1..=items).map(|n| format!("a{n:04}"));
        let data: Vec<_> =
            names.clone().map(|name| format!(r#"{{"name":"{name}","value":"{CONTENT}"}}"#)).collect();
        let calls: Vec<_> =
            names.map(|name| format!("SELECT sso_attr_update(:token, '{name}', '{CONTENT}');\n")).collect();
        let session = SESSION.replace("1 + :client_id", &format!("1 + {}", crate::cases::SMALL_SESSIONS));
        let one = write(
            server,
            "one",
            &format!("{session}SELECT sso_attr_update_many(:token, '[{}]');\n", data.join(",")),
        )?;
        let many = write(server, "many", &format!("{session}{}", calls.concat()))?;
        let (mut once, mut each) = (Vec::new(), Vec::new());
        for _ in 0..rounds {
            once.push(pgbench(server, &one, 1, seconds)?);
            each.push(pgbench(server, &many, 1, seconds)?);
        }
        let ratio = Spread::of(once.iter().zip(&each).map(|(once, each)| once / each).collect());
        table.rows.push(vec![
            items.to_string(),
            Spread::of(once).to_string(),
            Spread::of(each).to_string(),
            ratio.to_string(),
        ]);
        let what = format!("times faster: update_many of {items} than {items} calls over a socket");
        targets.push(Target::at_least(what, bound, ratio.median));
    }
    Ok(Findings { tables: vec![table], targets })
}

fn script(server: &Server, name: &str, statement: &str) -> Result<String> {
    write(server, name, &format!("{SESSION}{statement}\n"))
}

fn write(server: &Server, name: &str, text: &str) -> Result<String> {
    let path = server.dir.join(format!("{name}.pgbench"));
    std::fs::write(&path, text)?;
    Ok(path.to_string_lossy().into_owned())
}

fn pgbench(server: &Server, script: &str, clients: u32, seconds: u32) -> Result<f64> {
    let said = server.program(
        &[
            "pgbench",
            "--no-vacuum",
            "--protocol=prepared",
            &format!("--client={clients}"),
            "--jobs=2",
            "--define=fresh=1",
            &format!("--time={seconds}"),
            &format!("--file={script}"),
            &format!("--host={}", server.dir.display()),
            "--username=postgres",
            "bench",
        ],
        "",
    )?;
    let tps = said.lines().find_map(|line| line.strip_prefix("tps = ")).ok_or_else(|| said.clone())?;
    Ok(tps.split(' ').next().unwrap_or_default().parse()?)
}
