//! Instructions a call: callgrind on a single-user backend, which repeats to the fraction of a percent.
//!
//! Callgrind writes and zeroes its counters whenever the backend reads a statement. Every variant
//! runs warm, with n calls and with 2n: the difference, without that of an empty loop, is its cost.
//! Every call finds a session that nobody has written to since it was filled.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use crate::Result;
use crate::cases::{Case, EMPTY, Plans, Variant, wanted};
use crate::report::{Findings, Table, Target};
use crate::server::Server;

/// What one call of a way took.
pub struct Counted {
    pub case: &'static str,
    pub variant: &'static str,
    pub instructions: f64,
    plans: Plans,
    /// How many times as dear as the extension.
    pub times: f64,
}

/// The counts as a table, and what was wanted of them.
pub fn findings(counted: &[Counted]) -> Findings {
    let row = |counted: &Counted| {
        vec![
            counted.case.into(),
            counted.variant.into(),
            format!("{:.0}", counted.instructions),
            counted.plans.setting().into(),
            format!("{:.3}", 1.0 / counted.times),
        ]
    };
    let table = Table {
        title: "Instructions a call",
        about: "Callgrind on a single-user backend, the loop taken off. SHA-256 runs without the processor's own \
                instructions there. Of a peer, the cheaper `plan_cache_mode`."
            .into(),
        header: vec!["case", "way", "instructions", "plans", "sso_attr against it"],
        rows: counted.iter().map(row).collect(),
    };
    let targets = counted.iter().filter_map(|counted| {
        let bound = wanted(counted.case, counted.variant)?.instructions?;
        let what = format!("instructions of {} against {}", counted.case, counted.variant);
        Some(Target::at_most(what, bound, 1.0 / counted.times))
    });
    Findings { targets: targets.collect(), tables: vec![table] }
}

/// What the backend calls for every statement it reads.
const STATEMENT_STARTS: &str = "SetCurrentStatementStartTimestamp";

/// Reads a store into shared memory.
const IN_MEMORY: &str = "SELECT pg_prewarm(oid) FROM pg_class
    WHERE relnamespace::regnamespace::text IN ('sso_attr', 'simple', 'bench') AND relkind IN ('r', 'i')";

/// Calls that make the backend warm: after more than five, plans are kept.
const WARM: u32 = 6;

/// Counts the variants chosen of the cases given, each case in a fresh copy of its store, so that no
/// page is any fuller than for the case before. `share` shortens the runs, and a profile of each of the
/// extension's ways goes to the directory `keep`, if named.
pub fn count(
    server: &Server,
    cases: &[&'static Case],
    share: u32,
    chosen: &dyn Fn(&Variant) -> bool,
    keep: Option<&Path>,
) -> Result<Vec<Counted>> {
    for case in cases {
        server.copy(case.store.database, case.name)?;
    }
    server.stop()?;
    let mut counted = Vec::new();
    for case in cases {
        let of_case = count_one(server, case, share, chosen, keep)?;
        for one in &of_case {
            eprintln!("{}, {}: {:.0}", one.case, one.variant, one.instructions);
        }
        counted.extend(of_case);
    }
    server.start()?;
    for case in cases {
        server.drop(case.name)?;
    }
    Ok(counted)
}

fn count_one(
    server: &Server,
    case: &'static Case,
    share: u32,
    chosen: &dyn Fn(&Variant) -> bool,
    keep: Option<&Path>,
) -> Result<Vec<Counted>> {
    let variants = case.variants.iter().filter(|variant| chosen(variant));
    let plan: Vec<(&'static Variant, Plans, u32)> = std::iter::once(&EMPTY)
        .chain(variants)
        .flat_map(|variant| {
            let calls = (case.calls / variant.weight / share).max(2);
            variant.plans().iter().map(move |plans| (variant, *plans, calls))
        })
        .collect();
    // Sessions that a run has touched, by its tables: none is touched twice.
    let mut touched: BTreeMap<&str, u32> = BTreeMap::new();
    let mut script = format!("{IN_MEMORY};\n\n");
    // Where the runs stand among the statements, three to a variant.
    let (mut statements, mut places) = (0, Vec::new());
    for (variant, plans, calls) in &plan {
        for calls in [WARM, *calls, 2 * calls] {
            let skip = touched.entry(variant.tables()).or_default();
            if *skip + calls > case.store.sessions {
                return Err(format!("{} has too few sessions for {}", case.store.database, case.name).into());
            }
            for _ in 0..1 + u32::from(variant.is_second) {
                script.push_str(&format!("{};\n\n", case.block(variant, *plans, *skip, calls)));
                statements += 1;
            }
            places.push(statements - 1);
            if !std::ptr::eq(*variant, &EMPTY) {
                *skip += calls;
            }
        }
    }
    let profiles = server.dir.join(format!("profiles-{}", case.name));
    let profiles = profiles.to_string_lossy();
    let data = server.dir.join("data");
    server.program(&["mkdir", "-p", &profiles], "")?;
    let said = server.program(
        &[
            "env",
            // Valgrind's own files: with the rest of this run.
            &format!("TMPDIR={profiles}"),
            "valgrind",
            "--quiet",
            "--tool=callgrind",
            &format!("--callgrind-out-file={profiles}/part"),
            &format!("--dump-before={STATEMENT_STARTS}"),
            "postgres",
            "--single",
            "-j",
            // Every page is touched for the first time since it was copied.
            "-c",
            "full_page_writes=off",
            // Large enough for a store, and quickly set up.
            "-c",
            "shared_buffers=256MB",
            "-D",
            &data.to_string_lossy(),
            case.name,
        ],
        &(script + "SELECT;\n\n"),
    )?;
    if let Some(error) = said.lines().find(|line| line.contains("ERROR:")) {
        return Err(format!("in the single-user backend: {error}").into());
    }
    let parts = parts(&profiles)?;
    // The last part is the closing SELECT with the backend's end, before it come the runs; what is
    // before those is the backend's start.
    let first = (parts.len() - 1).checked_sub(statements).ok_or("callgrind wrote too few parts")?;
    let mut counted: Vec<Counted> = Vec::new();
    let mut empty = 0.0;
    for (index, (variant, plans, calls)) in plan.iter().enumerate() {
        let (short, long) = (first + places[3 * index + 1], first + places[3 * index + 2]);
        let each = (parts[long] - parts[short]) / f64::from(*calls);
        if std::ptr::eq(*variant, &EMPTY) {
            empty = each;
            continue;
        }
        if let Some(keep) = keep.filter(|_| !variant.is_peer) {
            let file = |part: usize| format!("{profiles}/part.{}", part + 1);
            let (short, long) = (inclusive(&file(short))?, inclusive(&file(long))?);
            let name = format!("{}, {}.txt", case.name, variant.name);
            std::fs::create_dir_all(keep)?;
            std::fs::write(keep.join(name), profile(&short, &long, *calls))?;
        }
        let instructions = each - empty;
        let times = counted.first().map_or(1.0, |ours| instructions / ours.instructions);
        let found = Counted { case: case.name, variant: variant.name, instructions, plans: *plans, times };
        match counted.last_mut() {
            Some(last) if last.variant == found.variant => {
                if found.instructions < last.instructions {
                    *last = found;
                }
            }
            _ => counted.push(found),
        }
    }
    Ok(counted)
}

/// Instructions in every function and what it calls, by its name.
fn inclusive(part: &str) -> Result<BTreeMap<String, f64>> {
    let said =
        Command::new("callgrind_annotate").args(["--inclusive=yes", "--threshold=100", part]).output()?;
    let mut functions = BTreeMap::new();
    for line in String::from_utf8_lossy(&said.stdout).lines() {
        // "21,642,514 (99.76%)  file:function [object]"
        let Some((count, function)) = line.trim_start().split_once(" (").and_then(|(count, rest)| {
            Some((count.replace(',', "").parse::<f64>().ok()?, rest.split_once(")  ")?.1))
        }) else {
            continue;
        };
        let function = function.split(" [").next().unwrap_or(function);
        functions.insert(function.rsplit_once('/').map_or(function, |(_, name)| name).to_owned(), count);
    }
    Ok(functions)
}

/// What of a call each function took, with what it calls, the dearest first. The loop is in it.
fn profile(short: &BTreeMap<String, f64>, long: &BTreeMap<String, f64>, calls: u32) -> String {
    let each = |(name, long): (&String, &f64)| {
        ((long - short.get(name).copied().unwrap_or_default()) / f64::from(calls), name.clone())
    };
    let mut functions: Vec<_> = long.iter().map(each).filter(|(cost, _)| *cost >= 100.0).collect();
    functions.sort_by(|one, other| other.0.total_cmp(&one.0));
    functions.iter().map(|(cost, name)| format!("{cost:>10.0}  {name}\n")).collect()
}

/// The instructions in every part, in order.
fn parts(profiles: &str) -> Result<Vec<f64>> {
    let mut parts = Vec::new();
    for number in 1.. {
        let path = format!("{profiles}/part.{number}");
        let Ok(text) = std::fs::read_to_string(&path) else { break };
        let totals = text.lines().find_map(|line| line.strip_prefix("totals: "));
        parts.push(totals.ok_or_else(|| format!("no totals in {path}"))?.trim().parse()?);
    }
    // What the program had left at its end stands in the file without a number.
    parts.push(0.0);
    Ok(parts)
}
