//! A long transaction must not grow with its calls: what leaks a little per call leaks gigabytes.

use sso_attr_client_tests::{Result, Server, open_session};

/// Calls before the first measurement, which fill caches, and between any two.
const STEP: i32 = 10_000;
/// 10 MB in 200,000 calls: the least allocation that is not given back is twice as much.
const BYTES_PER_CALL: i64 = 50;

/// By how much the backend's own memory grows while one statement makes these calls for each number
/// `i` in turn. There is an attribute n1, n2 and so on for each number: PostgreSQL itself remembers
/// every further change of a row in one transaction.
fn growth_kb(numbers: i32, first: &str, second: &str) -> Result<i64> {
    let server = Server::with_extension("")?;
    // By another connection: memory that this one had freed would take up what leaks.
    let mut setup = server.connect("postgres")?;
    let ust = open_session(&mut setup, "memory")?;
    setup.execute(
        "SELECT sso_attr_create_many($1, jsonb_agg(jsonb_build_object('name', 'n' || i, 'value', i)))
         FROM generate_series(1, $2::int) AS i GROUP BY i / $3::int",
        &[&ust, &numbers, &STEP],
    )?;
    setup.execute("SELECT sso_attr_create($1, 'sealed', 'a secret'::text, encrypt => true)", &[&ust])?;
    let mut client = server.connect("postgres")?;
    client.batch_execute(
        r"CREATE FUNCTION pg_temp.own_memory_kb() RETURNS bigint VOLATILE LANGUAGE sql AS $$
              SELECT (regexp_match(pg_read_file('/proc/self/status'), 'RssAnon:\s+(\d+)'))[1]::bigint
          $$",
    )?;
    let row = client.query_one(
        &format!(
            "SELECT max(kb) - min(kb), count(first), count(second) FROM (
                 SELECT {first} AS first, {second} AS second,
                        CASE WHEN i % {STEP} = 0 THEN pg_temp.own_memory_kb() END AS kb
                 FROM generate_series(1, {numbers}) AS i, (SELECT $1::text AS ust) AS session
             ) AS calls"
        ),
        &[&ust],
    )?;
    let calls: (i64, i64) = (row.get(1), row.get(2));
    assert_eq!(calls, (numbers.into(), numbers.into()));
    Ok(row.get(0))
}

fn assert_nothing_is_left(numbers: i32, first: &str, second: &str) -> Result {
    let growth = growth_kb(numbers, first, second)?;
    let allowed = i64::from(2 * numbers) * BYTES_PER_CALL / 1024;
    assert!(growth < allowed, "{growth} kB more after {} calls", 2 * numbers);
    Ok(())
}

#[test]
fn clear_values_leave_nothing_behind() -> Result {
    assert_nothing_is_left(100_000, "sso_attr_update(ust, 'n' || i, i)", "sso_attr_get(ust, 'n' || i)")
}

#[test]
fn sealed_values_leave_nothing_behind() -> Result {
    assert_nothing_is_left(
        25_000,
        "sso_attr_update(ust, 'n' || i, 'a secret'::text, encrypt => true)",
        "sso_attr_get_text(ust, 'sealed')",
    )
}
