//! A batch is one step: that it never deadlocks with another shows only between two connections.

use serde_json::{Value, json};
use sso_attr_client_tests::{Result, Server, open_session, refusal};

const ROUNDS: usize = 200;
const NAMES: usize = 50;

/// Batches in the order of `numbers`, every verb taking the same items.
fn items(numbers: impl Iterator<Item = usize>) -> Value {
    numbers.map(|number| json!({"name": format!("n{number:04}"), "value": number})).collect()
}

const UPDATE: &str = "SELECT sso_attr_update_many($1, $2)";
const EVERY_VERB: [&str; 9] = [
    UPDATE,
    "SELECT sso_attr_set_many($1, $2)",
    "SELECT sso_attr_create_many($1, $2)",
    "SELECT sso_attr_set_expiry_many($1, (SELECT jsonb_agg(item - 'value') FROM jsonb_array_elements($2) AS item))",
    "SELECT sso_attr_delete_many($1, ARRAY(SELECT item->>'name' FROM jsonb_array_elements($2) AS item))",
    // Every call renews the session too.
    "SELECT sso_session_save($1, (SELECT jsonb_object_agg(item->>'name', item->'value') FROM jsonb_array_elements($2) AS item), expiration => 3600 + 36000 * random())",
    "SELECT sso_session_save($1, '{}', ARRAY(SELECT item->>'name' FROM jsonb_array_elements($2) AS item), 3600 + 36000 * random())",
    "SELECT sso_session_save($1, '{\"n0007\": 1, \"n0040\": 2}', expiration => 3600 + 36000 * random(), replace => ($2)::jsonb IS NOT NULL)",
    "SELECT sso_attr_increment($1, item->>'name') FROM jsonb_array_elements($2) AS item LIMIT 1",
];

#[test]
fn one_missing_of_a_thousand_is_named_and_changes_nothing() -> Result {
    let server = Server::with_extension("")?;
    let mut client = server.connect("postgres")?;
    let ust = open_session(&mut client, "batch")?;
    client.execute("SELECT sso_attr_create_many($1, $2)", &[&ust, &items(0..1000)])?;
    client.execute("SELECT sso_attr_delete($1, 'n0567')", &[&ust])?;
    let state = "SELECT md5(string_agg(concat(xmin, a), ',' ORDER BY name)) FROM sso_attr.attribute AS a";
    let before: String = client.query_one(state, &[])?.get(0);

    let error = refusal(client.execute(UPDATE, &[&ust, &items((0..1000).rev())]))?;

    assert_eq!(error.code().code(), "P0002");
    assert_eq!(error.detail(), Some("Missing: \"n0567\"."));
    assert_eq!(client.query_one(state, &[])?.get::<_, String>(0), before);
    Ok(())
}

#[test]
fn updates_in_opposite_orders_never_deadlock() -> Result {
    never_deadlock(&[UPDATE], &[])
}

#[test]
fn no_mix_of_verbs_ever_deadlocks() -> Result {
    // What one connection creates is there, or not, when the other one comes.
    never_deadlock(&EVERY_VERB, &["23505", "P0002"])
}

/// Two connections go through `verbs` over the same names, one backwards, and meet in every pairing
/// of verbs; only errors in `expected` may come back.
fn never_deadlock(verbs: &'static [&str], expected: &'static [&str]) -> Result {
    let server = Server::with_extension("deadlock_timeout = 50ms")?;
    let mut client = server.connect("postgres")?;
    let ust = open_session(&mut client, "batch")?;
    client.execute("SELECT sso_attr_create_many($1, $2)", &[&ust, &items(0..NAMES)])?;

    let work = |stride: usize, items: Value| {
        let mut client = server.connect("postgres")?;
        let statements =
            verbs.iter().map(|verb| client.prepare(verb)).collect::<std::result::Result<Vec<_>, _>>()?;
        for round in 0..ROUNDS {
            let statement = &statements[round * stride % statements.len()];
            let Err(error) = client.execute(statement, &[&ust, &items]) else { continue };
            if !error.code().is_some_and(|code| expected.contains(&code.code())) {
                return Err(error);
            }
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let forwards = scope.spawn(|| work(1, items(0..NAMES)));
        let backwards = work(2, items((0..NAMES).rev()));
        backwards.and(forwards.join().expect("the other connection panicked"))
    })?;

    let deadlocks = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()";
    assert_eq!(client.query_one(deadlocks, &[])?.get::<_, i64>(0), 0);
    Ok(())
}
