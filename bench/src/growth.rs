//! The same calls in a small store and in a large one, both in memory.

use postgres::Client;

use crate::Result;
use crate::report::{Findings, Spread, Table, Target};

const FEW: u32 = 10_000;

/// Who calls: in how many sessions, spread over the store, and how often each.
const ACTIVE: &[(&str, u32, u32)] = &[("500, again and again", 500, 10), ("5000, each once", 5000, 1)];

/// Bodies of a loop over sessions, the extension's before the hand-written one.
const WAYS: &[(&str, &str)] = &[
    ("sso_attr_get", "answer := sso_attr_get(session.ust, 'a0003');"),
    (
        "SELECT",
        "SELECT a.value INTO answer FROM simple.session AS s JOIN simple.attribute AS a ON a.session_id = s.id
         WHERE s.id = session.id AND s.digest = session.digest AND s.expires_at > now()
           AND a.session_id = session.id AND a.name = 'a0003' AND a.expires_at > now();",
    ),
    ("sso_attr_update", "IF sso_attr_update(session.ust, 'a0003', 'new'::text) IS NULL THEN END IF;"),
    (
        "UPDATE",
        "UPDATE simple.attribute AS a SET value = to_jsonb('new'::text), updated_at = now()
         FROM simple.session AS s
         WHERE s.id = session.id AND s.digest = session.digest AND s.expires_at > now()
           AND a.session_id = session.id AND a.name = 'a0003' AND a.expires_at > now();",
    ),
];

pub fn measure(db: &mut Client, many: u32, rounds: u32) -> Result<Findings> {
    db.batch_execute(
        "TRUNCATE sso_attr.session, sso_attr.attribute, bench.token, bench.session, bench.attribute, bench.blob, 
         simple.session, simple.attribute",
    )?;
    let mut stores = Vec::new();
    for sessions in [FEW, many] {
        let first: i32 = db.query_one("SELECT count(*)::integer FROM bench.token", &[])?.get(0);
        db.batch_execute(&format!(
            "SET session_replication_role = replica;
             CALL bench.add_sessions({first} + 1, {sessions}, 5, 0);
             RESET session_replication_role"
        ))?;
        db.batch_execute(
            "VACUUM ANALYZE sso_attr.session, sso_attr.attribute, simple.session, simple.attribute, bench.token",
        )?;
        stores.push(calls(db, sessions, rounds)?);
    }
    let mut table = Table {
        title: "Growth",
        about: format!(
            "Calls in sessions spread over stores of {FEW} and of {many}, each with five attributes; medians in \
             microseconds. All is in shared memory; what is called again and again is in the processor's caches as \
             far as it fits."
        ),
        header: vec!["sessions that call", "way", "few", "many", "ratio"],
        rows: Vec::new(),
    };
    let mut targets = Vec::new();
    for (index, (before, after)) in stores[0].iter().zip(&stores[1]).enumerate() {
        let (active, (way, _)) = (ACTIVE[index / WAYS.len()].0, WAYS[index % WAYS.len()]);
        let ratio = after.median / before.median;
        table.rows.push(vec![
            active.into(),
            way.into(),
            before.to_string(),
            after.to_string(),
            format!("{ratio:.2}"),
        ]);
        if way.starts_with("sso_attr") {
            let what = format!("{way} at {many} sessions against {FEW}, {active}");
            targets.push(Target::at_most(what, 1.3, ratio));
        }
    }
    Ok(Findings { tables: vec![table], targets })
}

/// Microseconds of every way for every group of callers.
fn calls(db: &mut Client, sessions: u32, rounds: u32) -> Result<Vec<Spread>> {
    let mut spreads = Vec::new();
    for (_, active, times) in ACTIVE {
        let mut micros = vec![Vec::new(); WAYS.len()];
        // The first round reads what the others find in memory.
        for round in 0..=rounds {
            for ((_, body), micros) in WAYS.iter().zip(&mut micros) {
                db.batch_execute(&format!(
                    "DO $$ DECLARE chosen bench.token[]; session bench.token; started timestamptz; answer jsonb;
                     BEGIN
                         SELECT array_agg(t) INTO chosen FROM bench.token AS t
                         WHERE t.i IN (SELECT 1 + n::bigint * 7919 % {sessions} FROM generate_series(1, {active}) AS n);
                         started := clock_timestamp();
                         FOR n IN 1..{times} LOOP
                             FOREACH session IN ARRAY chosen LOOP {body} END LOOP;
                         END LOOP;
                         PERFORM set_config('bench.micros', (extract(epoch FROM clock_timestamp() - started)
                             * 1000000 / array_length(chosen, 1) / {times})::text, false);
                     END $$"
                ))?;
                let each: f64 = db.query_one("SELECT current_setting('bench.micros')::float8", &[])?.get(0);
                if round > 0 {
                    micros.push(each);
                }
            }
        }
        spreads.extend(micros.into_iter().map(Spread::of));
    }
    Ok(spreads)
}
