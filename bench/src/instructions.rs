//! Instructions a call: callgrind on a single-user backend, which repeats to the fraction of a percent.
//!
//! Callgrind writes and zeroes its counters whenever the backend reads a statement. Every variant
//! runs warm, with n calls and with 2n: the difference, without that of an empty loop, is its cost.

use crate::Result;
use crate::cases::{CASES, Case, EMPTY, Variant, wanted};
use crate::report::{Findings, Table, Target};
use crate::server::Server;

/// What one call of a way took.
pub struct Counted {
    pub case: &'static str,
    pub variant: &'static str,
    pub instructions: f64,
    /// How many times as dear as the extension.
    pub times: f64,
}

/// The counts as a table, and what was wanted of them.
pub fn findings(counted: &[Counted]) -> Findings {
    let row = |counted: &Counted| {
        let against = format!("{:.3}", 1.0 / counted.times);
        vec![counted.case.into(), counted.variant.into(), format!("{:.0}", counted.instructions), against]
    };
    let table = Table {
        title: "Instructions a call",
        about: "Callgrind on a single-user backend, the loop taken off. SHA-256 runs without the processor's own \
                instructions there."
            .into(),
        header: vec!["case", "way", "instructions", "sso_attr against it"],
        rows: counted.iter().map(row).collect(),
    };
    let targets = counted.iter().filter_map(|counted| {
        let bound = wanted(counted.case, counted.variant)?.instructions?;
        let what = format!("instructions of {} against {}", counted.case, counted.variant);
        Some(Target::at_most(what, bound, 1.0 / counted.times))
    });
    Findings { targets: targets.collect(), tables: vec![table] }
}

const VACUUM: &str = "VACUUM sso_attr.session, sso_attr.attribute, bench.attribute, bench.blob";

/// What the backend calls for every statement it reads.
const STATEMENT_STARTS: &str = "SetCurrentStatementStartTimestamp";

pub fn count(server: &Server, share: u32, chosen: &dyn Fn(&Case) -> bool) -> Result<Vec<Counted>> {
    let plan: Vec<(&Case, &Variant, u32)> = CASES
        .iter()
        .filter(|case| chosen(case))
        .flat_map(|case| {
            let calls = |variant: &Variant| (case.calls / variant.weight / share).max(8);
            std::iter::once(&EMPTY).chain(case.variants).map(move |v| (case, v, calls(v)))
        })
        .collect();
    let mut script = String::new();
    for (case, variant, calls) in &plan {
        for calls in [8, *calls, 2 * calls] {
            let before = if case.writes { VACUUM } else { "SELECT" };
            script.push_str(&format!("{before};\n\n{};\n\n", case.block(variant, calls)));
        }
    }
    let profiles = server.dir.join("profiles");
    let profiles = profiles.to_string_lossy();
    let data = server.dir.join("data");
    server.program(&["mkdir", "-p", &profiles], "")?;
    let said = server.program(
        &[
            "valgrind",
            "--quiet",
            "--tool=callgrind",
            &format!("--callgrind-out-file={profiles}/part"),
            &format!("--dump-before={STATEMENT_STARTS}"),
            "postgres",
            "--single",
            "-j",
            "-D",
            &data.to_string_lossy(),
            "bench",
        ],
        &(script + "SELECT;\n\n"),
    )?;
    if let Some(error) = said.lines().find(|line| line.contains("ERROR:")) {
        return Err(format!("in the single-user backend: {error}").into());
    }
    let parts = parts(&profiles)?;
    // The last part is the closing SELECT with the backend's end, before it come vacuum and block
    // in turn; what is before those is the backend's start.
    let blocks = 3 * plan.len();
    let first = (parts.len() - 1).checked_sub(2 * blocks).ok_or("callgrind wrote too few parts")?;
    let cost = |block: usize| parts[first + 2 * block + 1];
    let mut counted: Vec<Counted> = Vec::new();
    let mut empty = 0.0;
    for (index, (case, variant, calls)) in plan.iter().enumerate() {
        let (short, long) = (cost(3 * index + 1), cost(3 * index + 2));
        let each = (long - short) / f64::from(*calls);
        if std::ptr::eq(*variant, &EMPTY) {
            empty = each;
            continue;
        }
        let instructions = each - empty;
        let ours = counted.iter().find(|counted| counted.case == case.name);
        let times = ours.map_or(1.0, |ours| instructions / ours.instructions);
        counted.push(Counted { case: case.name, variant: variant.name, instructions, times });
    }
    Ok(counted)
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
