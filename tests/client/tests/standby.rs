//! Reads are promised to work on a hot standby, which no single server can show.

use sso_attr_client_tests::{Result, SOON, Server, open_session, refusal, wait_until};

/// Every function that only reads, `$1` being the token, `clear` and `sealed` being there.
const READS: [&str; 23] = [
    "SELECT sso_attr_get($1, 'clear')::text",
    "SELECT sso_attr_get($1, 'sealed')::text",
    "SELECT sso_attr_get_text($1, 'clear')",
    "SELECT sso_attr_get_text($1, 'sealed')",
    "SELECT sso_attr_exists($1, 'sealed')::text",
    "SELECT sso_attr_exists($1, 'absent')::text",
    "SELECT string_agg(name, ',') FROM sso_attr_names($1) AS name",
    "SELECT string_agg(a::text, ',') FROM sso_attr_list($1) AS a",
    "SELECT sso_attr_get_many($1, '{clear,sealed,absent}')::text",
    "SELECT sso_attr_get_all($1)::text",
    "SELECT sso_attr_exists_many($1, '{clear,absent}')::text",
    "SELECT s::text FROM sso_session_get($1) AS s",
    "SELECT l::text FROM sso_session_load($1) AS l",
    "SELECT count(*)::text FROM sso_session_load($1 || 'x')",
    "SELECT count(*)::text FROM sso_attr_check() WHERE $1::text <> ''",
    "SELECT sso_session_id($1)::text",
    "SELECT sso_session_verify($1)::text",
    "SELECT sso_session_verify($1 || 'x')::text",
    "SELECT string_agg(l::text, ',') FROM sso_session_get($1) AS s, sso_session_list(s.user_id) AS l",
    "SELECT k::text FROM sso_attr_keys() AS k WHERE $1::text <> ''",
    "SELECT (keys_used, purge_backlog)::text FROM sso_attr_stats() WHERE $1::text <> ''",
    "SELECT p::text FROM sso_attr_purge_status() AS p WHERE $1::text <> ''",
    "SELECT v::text FROM sso_attr_version() AS v WHERE $1::text <> ''",
];

/// Every function that writes.
const WRITES: [&str; 29] = [
    "SELECT sso_session_create($1)",
    "SELECT sso_session_create($1, 'app', '192.0.2.1'::text, keep_newest => 1)",
    "SELECT sso_session_renew($1, 7200)",
    "SELECT sso_session_save($1, '{\"clear\": 1}')",
    "SELECT sso_session_save($1, '{}', '{clear}')",
    "SELECT sso_session_save($1, '{}', replace => true)",
    "SELECT sso_session_rotate($1)",
    "SELECT sso_session_rotate($1, 'reader', 'token-that-a-framework-chose')",
    "SELECT sso_session_end($1)",
    "SELECT sso_session_end_one(user_id, session_id) FROM sso_session_get($1)",
    "SELECT sso_session_end_all((SELECT user_id FROM sso_session_get($1)))",
    "SELECT sso_attr_create($1, 'absent', 1)",
    "SELECT sso_attr_update($1, 'clear', 1)",
    "SELECT sso_attr_update($1, 'sealed', 1)",
    "SELECT sso_attr_set($1, 'clear', 1)",
    "SELECT sso_attr_set_json($1, 'clear', '1')",
    "SELECT sso_attr_compare_and_set($1, 'clear', '\"in clear\"', '1')",
    "SELECT sso_attr_increment($1, 'absent')",
    "SELECT sso_attr_increment($1, 'streamed')",
    "SELECT sso_attr_take($1, 'clear')",
    "SELECT sso_attr_delete($1, 'clear')",
    "SELECT sso_attr_set_expiry($1, 'clear', 60)",
    r#"SELECT sso_attr_create_many($1, '[{"name":"absent","value":1}]')"#,
    r#"SELECT sso_attr_update_many($1, '[{"name":"clear","value":1}]')"#,
    r#"SELECT sso_attr_set_many($1, '[{"name":"clear","value":1}]')"#,
    r#"SELECT sso_attr_set_expiry_many($1, '[{"name":"clear"}]')"#,
    "SELECT sso_attr_delete_many($1, '{clear}')",
    "SELECT sso_attr_purge() WHERE $1::text <> ''",
    "SELECT sso_attr_rekey() WHERE $1::text <> ''",
];

#[test]
fn a_standby_answers_every_read_and_refuses_every_write() -> Result {
    let primary = Server::with_extension("")?;
    let mut client = primary.connect("postgres")?;
    let ust = open_session(&mut client, "reader")?;
    client.execute("SELECT sso_attr_create($1, 'clear', 'in clear'::text)", &[&ust])?;
    client.execute("SELECT sso_attr_create($1, 'sealed', 'sealed'::text, encrypt => true)", &[&ust])?;

    let standby = Server::standby_of(&primary)?;
    standby.start()?;
    let mut replica = standby.connect("postgres")?;
    client.execute("SELECT sso_attr_set($1, 'streamed', 1)", &[&ust])?;
    let written: String = client.query_one("SELECT pg_current_wal_lsn()::text", &[])?.get(0);
    wait_until("the standby has caught up", SOON, || {
        let caught_up = "SELECT pg_last_wal_replay_lsn() >= $1::text::pg_lsn";
        Ok(replica.query_one(caught_up, &[&written])?.get(0))
    })?;

    for read in READS {
        let expected: Option<String> = client.query_one(read, &[&ust])?.get(0);
        assert!(expected.is_some(), "{read}");
        let answer: Option<String> = replica.query_one(read, &[&ust])?.get(0);
        assert_eq!(answer, expected, "{read}");
    }
    let unknown = open_session(&mut client, "other")?.replace("sso_", "sso_x");
    assert_eq!(refusal(replica.query_one(READS[0], &[&unknown]))?.code().code(), "28000");
    for write in WRITES {
        let error =
            refusal(replica.query_one(write, &[&ust])).map_err(|error| format!("{write}: {error}"))?;
        assert_eq!(error.code().code(), "25006", "{write}: {error}");
    }
    Ok(())
}

#[test]
fn no_read_assigns_a_transaction_id() -> Result {
    let server = Server::with_extension("")?;
    let mut client = server.connect("postgres")?;
    let ust = open_session(&mut client, "reader")?;
    client.execute("SELECT sso_attr_create($1, 'clear', 'in clear'::text)", &[&ust])?;
    client.execute("SELECT sso_attr_create($1, 'sealed', 'sealed'::text, encrypt => true)", &[&ust])?;
    let assigned = "SELECT pg_current_xact_id_if_assigned()::text";
    for read in READS {
        let mut transaction = client.transaction()?;
        transaction.query_one(read, &[&ust])?;
        assert_eq!(transaction.query_one(assigned, &[])?.get::<_, Option<String>>(0), None, "{read}");
    }
    let mut transaction = client.transaction()?;
    transaction.query_one("SELECT sso_attr_set($1, 'clear', 1)", &[&ust])?;
    assert!(transaction.query_one(assigned, &[])?.get::<_, Option<String>>(0).is_some());
    Ok(())
}
