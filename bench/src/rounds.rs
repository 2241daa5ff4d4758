//! Time a call, in-process: rounds in which every way has its turn, and medians of their ratios.

use postgres::Client;

use crate::Result;
use crate::cases::{CASES, Case, LARGE_SESSIONS, SMALL_SESSIONS, Sessions, wanted};
use crate::report::{Findings, Spread, Table, Target};

pub fn measure(db: &mut Client, rounds: u32, chosen: &dyn Fn(&Case) -> bool) -> Result<Findings> {
    let mut table = Table {
        title: "Time a call, in-process",
        about: format!(
            "A loop in PL/pgSQL, {rounds} rounds whose order turns round each time, vacuumed in between. \
             Microseconds and ratios are medians with quartiles; a ratio below 1 means that sso_attr is faster."
        ),
        header: vec!["case", "way", "µs", "sso_attr against it"],
        rows: Vec::new(),
    };
    let mut targets = Vec::new();
    for case in CASES.iter().filter(|case| chosen(case)) {
        let mut micros = vec![Vec::new(); case.variants.len()];
        for round in 0..rounds {
            // Whoever comes first in a round comes last in the next one.
            let mut turn: Vec<_> = case.variants.iter().zip(&mut micros).collect();
            if round % 2 == 1 {
                turn.reverse();
            }
            for (variant, micros) in turn {
                if case.writes {
                    db.batch_execute("VACUUM sso_attr.attribute, bench.attribute, bench.blob")?;
                }
                let sessions = match case.sessions {
                    Sessions::Small => SMALL_SESSIONS,
                    Sessions::Large => LARGE_SESSIONS.min(10_000 / case.items),
                };
                let calls = (sessions / variant.weight).max(5);
                db.batch_execute(&case.block(variant, calls))?;
                let row = db.query_one("SELECT current_setting('bench.micros')::float8", &[])?;
                micros.push(row.get::<_, f64>(0) / f64::from(calls));
            }
        }
        let (ours, _) = micros.split_first().ok_or("a case without variants")?;
        for (variant, theirs) in case.variants.iter().zip(&micros) {
            let ratio = Spread::of(ours.iter().zip(theirs).map(|(ours, theirs)| ours / theirs).collect());
            let against = if std::ptr::eq(ours, theirs) { String::new() } else { ratio.to_string() };
            table.rows.push(vec![
                case.name.into(),
                variant.name.into(),
                Spread::of(theirs.clone()).to_string(),
                against,
            ]);
            if let Some(bound) = wanted(case.name, variant.name).and_then(|wanted| wanted.time) {
                let what = format!("time of {} against {}", case.name, variant.name);
                targets.push(Target::at_most(what, bound, ratio.median));
            }
        }
    }
    Ok(Findings { tables: vec![table], targets })
}
