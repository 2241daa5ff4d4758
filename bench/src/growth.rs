//! The same calls in a small store and in a large one, both cached.

use postgres::Client;

use crate::Result;
use crate::report::{Findings, Spread, Table, Target};

const FEW: u32 = 10_000;

pub fn measure(db: &mut Client, many: u32, rounds: u32) -> Result<Findings> {
    let calls = [
        ("sso_attr_get", "answer := sso_attr_get(token, 'a0003')"),
        ("sso_attr_update", "IF sso_attr_update(token, 'a0003', 'new'::text) IS NULL THEN END IF"),
    ];
    db.batch_execute(
        "TRUNCATE sso_attr.session, sso_attr.attribute, bench.token, bench.session, bench.attribute",
    )?;
    let mut micros = Vec::new();
    for sessions in [FEW, many] {
        let first: i32 = db.query_one("SELECT count(*)::integer FROM bench.token", &[])?.get(0);
        db.batch_execute(&format!(
            "SET session_replication_role = replica;
             CALL bench.add_plain_sessions({first} + 1, {sessions}, 5);
             RESET session_replication_role"
        ))?;
        db.batch_execute("VACUUM ANALYZE sso_attr.session, sso_attr.attribute")?;
        for (_, call) in calls {
            let mut spent = Vec::new();
            // The first pass reads what the others find in memory.
            for round in 0..=rounds {
                db.batch_execute(&format!(
                    "DO $$ DECLARE tokens text[]; token text; started timestamptz; answer jsonb;
                     BEGIN
                         SELECT array_agg(t.ust) INTO tokens FROM bench.token AS t
                         WHERE t.i IN (SELECT 1 + n::bigint * 7919 % {sessions} FROM generate_series(1, 5000) AS n);
                         started := clock_timestamp();
                         FOREACH token IN ARRAY tokens LOOP {call}; END LOOP;
                         PERFORM set_config('bench.micros', (extract(epoch FROM clock_timestamp() - started)
                             * 1000000 / array_length(tokens, 1))::text, false);
                     END $$"
                ))?;
                let each: f64 = db.query_one("SELECT current_setting('bench.micros')::float8", &[])?.get(0);
                if round > 0 {
                    spent.push(each);
                }
            }
            micros.push(Spread::of(spent));
        }
    }
    let mut table = Table {
        title: "Growth",
        about: "Calls on 5000 sessions spread over the store, each with five attributes; microseconds."
            .into(),
        header: vec!["sessions", "sso_attr_get", "sso_attr_update"],
        rows: Vec::new(),
    };
    for (sessions, spent) in [FEW, many].iter().zip(micros.chunks(2)) {
        table.rows.push(vec![sessions.to_string(), spent[0].to_string(), spent[1].to_string()]);
    }
    let target = |index: usize| {
        let what = format!("{} at {many} sessions against {FEW}", calls[index].0);
        Target::at_most(what, 1.3, micros[2 + index].median / micros[index].median)
    };
    Ok(Findings { tables: vec![table], targets: vec![target(0), target(1)] })
}
