//! What an update leaves behind: WAL, dirty pages, index entries.

use postgres::Client;

use crate::Result;
use crate::cases::{CASES, LIKE_OURS, Plans, SIMPLE, SMALL};
use crate::report::{Findings, Table, Target};

struct Left {
    wal: f64,
    pages: f64,
    hot: f64,
}

pub fn measure(db: &mut Client) -> Result<Findings> {
    db.batch_execute("CREATE EXTENSION IF NOT EXISTS pg_buffercache")?;
    let block = |name: &str, way: &str| {
        let case = CASES.iter().find(|case| case.name == name).ok_or("no such case")?;
        let variant = case.variants.iter().find(|variant| variant.name == way).ok_or("no such way")?;
        Ok::<_, Box<dyn std::error::Error>>(case.block(variant, Plans::Chosen, 0, SMALL.sessions))
    };
    let ours = left_by(db, &block("update", "sso_attr_update")?, "sso_attr.attribute")?;
    let simple = left_by(db, &block("update", SIMPLE)?, "simple.attribute")?;
    let theirs = left_by(db, &block("update", LIKE_OURS)?, "bench.attribute")?;
    let document = left_by(db, &block("document", "one document rewritten")?, "bench.blob")?;
    let row = |way: &str, left: &Left| {
        vec![
            way.to_owned(),
            format!("{:.0}", left.wal),
            format!("{:.2}", left.pages),
            format!("{:.1} %", left.hot * 100.0),
        ]
    };
    let table = Table {
        title: "What an update leaves behind",
        about: format!(
            "{} sessions of 20 attributes, one updated in each. WAL from a second pass over the same \
             pages, so without full-page images; pages of the table and its indexes that were dirty after a \
             checkpoint and one pass.",
            SMALL.sessions
        ),
        header: vec!["way", "WAL bytes an update", "pages dirtied an update", "HOT"],
        rows: vec![
            row("sso_attr_update", &ours),
            row(SIMPLE, &simple),
            row(LIKE_OURS, &theirs),
            row("one document rewritten", &document),
        ],
    };
    let targets = vec![
        Target::at_least("WAL of a document against one of its 20 attributes", 4.0, document.wal / ours.wal),
        Target::at_least("share of HOT updates that keep the expiry", 0.99, ours.hot),
        Target::at_least("share of HOT renewals, 1-hour session, one a second", 0.95, hot_renewals(db)?),
    ];
    Ok(Findings { tables: vec![table], targets })
}

fn left_by(db: &mut Client, block: &str, table: &str) -> Result<Left> {
    db.batch_execute(&format!("VACUUM {table}"))?;
    db.batch_execute("CHECKPOINT")?;
    let before = hot(db, table)?;
    db.batch_execute(block)?;
    let dirty: i64 = db
        .query_one(
            "SELECT count(*) FROM pg_buffercache AS b
             WHERE b.isdirty AND b.relfilenode IN (
                 SELECT pg_relation_filenode(oid) FROM pg_class WHERE oid = $1::text::regclass
                 UNION SELECT pg_relation_filenode(indexrelid) FROM pg_index WHERE indrelid = $1::text::regclass
                 UNION SELECT pg_relation_filenode(reltoastrelid) FROM pg_class
                 WHERE oid = $1::text::regclass AND reltoastrelid <> 0)",
            &[&table],
        )?
        .get(0);
    db.batch_execute(&format!("VACUUM {table}"))?;
    let start: String = db.query_one("SELECT pg_current_wal_insert_lsn()::text", &[])?.get(0);
    db.batch_execute(block)?;
    let wal: f64 =
        db.query_one("SELECT (pg_current_wal_insert_lsn() - $1::text::pg_lsn)::float8", &[&start])?.get(0);
    let after = hot(db, table)?;
    let each = f64::from(SMALL.sessions);
    Ok(Left {
        wal: wal / each,
        pages: dirty as f64 / each,
        hot: (after.1 - before.1) as f64 / (after.0 - before.0) as f64,
    })
}

/// Updates of a table so far, and those of them that were HOT.
fn hot(db: &mut Client, table: &str) -> Result<(i64, i64)> {
    db.batch_execute("SELECT pg_stat_force_next_flush()")?;
    let row = db.query_one(
        "SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_all_tables WHERE relid = $1::text::regclass",
        &[&table],
    )?;
    Ok((row.get(0), row.get(1)))
}

/// A one-hour session that is renewed every second is written every tenth time. Ten minutes of
/// that, without waiting for them: sixty rounds that move every end by ten seconds, one session at
/// a time.
fn hot_renewals(db: &mut Client) -> Result<f64> {
    let before = hot(db, "sso_attr.session")?;
    db.batch_execute("SET synchronous_commit = off")?;
    db.batch_execute(&format!(
        "DO $$
         DECLARE
             one uuid;
             every uuid[] := (SELECT array_agg(id) FROM bench.token WHERE i <= {sessions});
         BEGIN
             FOR round IN 1..60 LOOP
                 FOREACH one IN ARRAY every LOOP
                     UPDATE sso_attr.session SET expires_at = expires_at + interval '10 seconds' WHERE id = one;
                     COMMIT;
                 END LOOP;
             END LOOP;
         END $$",
        sessions = SMALL.sessions
    ))?;
    db.batch_execute("RESET synchronous_commit")?;
    let after = hot(db, "sso_attr.session")?;
    Ok((after.1 - before.1) as f64 / (after.0 - before.0) as f64)
}
