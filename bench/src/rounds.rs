//! Time a call, in-process: rounds in which every way has its turn, and medians of their ratios.

use crate::Result;
use crate::cases::{Case, Leaves, Plans, Variant, wanted};
use crate::report::{Findings, Spread, Table, Target};
use crate::server::Server;

/// One way with one kind of plans, and its microseconds in each round.
struct Way {
    variant: &'static Variant,
    plans: Plans,
    micros: Vec<f64>,
}

pub fn measure(server: &Server, cases: &[&'static Case], rounds: u32) -> Result<Findings> {
    let mut table = Table {
        title: "Time a call, in-process",
        about: format!(
            "A loop in PL/pgSQL, {rounds} rounds whose order turns round each time, vacuumed in between. \
             Microseconds and ratios are medians with quartiles; a ratio below 1 means that sso_attr is faster. \
             Of a peer, the cheaper `plan_cache_mode`."
        ),
        header: vec!["case", "way", "µs", "plans", "sso_attr against it"],
        rows: Vec::new(),
    };
    let mut targets = Vec::new();
    for case in cases {
        server.copy(case.store.database, case.name)?;
        let mut db = server.connect(case.name)?;
        let mut ways: Vec<Way> = case
            .variants
            .iter()
            .flat_map(|variant| {
                variant.plans().iter().map(move |plans| Way { variant, plans: *plans, micros: Vec::new() })
            })
            .collect();
        for round in 0..rounds {
            // Whoever comes first in a round comes last in the next one.
            let mut turn: Vec<&mut Way> = ways.iter_mut().collect();
            if round % 2 == 1 {
                turn.reverse();
            }
            for way in turn {
                if case.leaves == Leaves::Rows {
                    db.batch_execute("CALL bench.remove_new()")?;
                }
                if case.leaves != Leaves::Nothing {
                    db.batch_execute(&format!("VACUUM {}", way.variant.tables()))?;
                }
                let most = 10_000 / case.items.max(1);
                // One third of the sessions at a time, no two of them neighbours.
                let third = case.store.sessions / 3;
                let (skip, calls) = (round % 3 * third, (third.min(most) / way.variant.weight).max(5));
                for _ in 0..1 + u32::from(way.variant.is_second) {
                    db.batch_execute(&case.block(way.variant, way.plans, skip, calls))?;
                }
                let row = db.query_one("SELECT current_setting('bench.micros')::float8", &[])?;
                way.micros.push(row.get::<_, f64>(0) / f64::from(calls));
            }
        }
        server.drop(case.name)?;
        let ours = ways.first().ok_or("a case without variants")?.micros.clone();
        for variant in case.variants {
            let median = |way: &&Way| Spread::of(way.micros.clone()).median;
            let way = ways
                .iter()
                .filter(|way| std::ptr::eq(way.variant, variant))
                .min_by(|one, other| median(one).total_cmp(&median(other)))
                .ok_or("a way without plans")?;
            let ratios = ours.iter().zip(&way.micros).map(|(ours, theirs)| ours / theirs);
            let ratio = Spread::of(ratios.collect());
            let is_ours = std::ptr::eq(variant, &case.variants[0]);
            table.rows.push(vec![
                case.name.into(),
                variant.name.into(),
                Spread::of(way.micros.clone()).to_string(),
                way.plans.setting().into(),
                if is_ours { String::new() } else { ratio.to_string() },
            ]);
            if let Some(bound) = wanted(case.name, variant.name).and_then(|wanted| wanted.time) {
                let what = format!("time of {} against {}", case.name, variant.name);
                targets.push(Target::at_most(what, bound, ratio.median));
            }
        }
    }
    Ok(Findings { tables: vec![table], targets })
}
