//! Text in a UTF8 database need not be UTF-8: any role can load other bytes by a COPY that claims
//! SQL_ASCII. None of ours takes them for characters, and none stores them.

use std::io::Write;

use postgres::Client;
use sso_attr_client_tests::{Result, Server, open_session, refusal};

/// What a strict decoder refuses, each for a reason of its own.
const INVALID: [(&str, &[u8]); 6] = [
    ("a first byte alone", b"\xF0"),
    ("a character cut short", b"caf\xC3"),
    ("a byte that only continues", b"\x80x"),
    ("an overlong form", b"\xC0\xAF"),
    ("a surrogate", b"\xED\xA0\x80"),
    ("beyond Unicode", b"\xF4\x90\x80\x80"),
];

/// Every way in for the text `t` and the jsonb `j` that holds it; `$1` is the token of a live session
/// that has the attributes n and sealed.
const CALLS: &[&str] = &[
    "sso_session_create(t)",
    "sso_session_create('u', t)",
    "sso_session_create('u', user_agent => t)",
    "sso_session_create('u', user_agent => repeat('x', 1024) || t)",
    "sso_session_create('u', ust => 'a-token-to-be-adopted-' || t)",
    "sso_session_create('u', 'app', t)",
    "sso_session_create('u', 'app', '192.0.2.1' || t)",
    "sso_session_get(t)",
    "sso_session_load(t)",
    "sso_session_load('sso_' || repeat('A', 63) || t)",
    "sso_session_id(t)",
    "sso_session_id('sso_' || repeat('A', 63) || t)",
    "sso_session_verify(t)",
    "sso_session_verify('sso_' || repeat('A', 63) || t)",
    "sso_session_renew(t)",
    "sso_session_rotate(t)",
    "sso_session_rotate($1, t)",
    "sso_session_rotate($1, 'u', 'a-token-to-be-adopted-' || t)",
    "sso_session_save(t, '{}')",
    "sso_session_save($1, j)",
    "sso_session_save($1, jsonb_build_object(t, 1))",
    "sso_session_save($1, jsonb_build_object('n', t))",
    "sso_session_save($1, jsonb_build_object('n', jsonb_build_array(1, t)), encrypt => '{n}')",
    "sso_session_save($1, '{}', ARRAY['n', t])",
    "sso_session_save($1, '{}', encrypt => ARRAY[t])",
    "sso_session_end(t)",
    "sso_session_end_one(t, '00000000-0000-0000-0000-000000000000')",
    "sso_session_end_all(t)",
    "sso_session_end_all('u', t)",
    "sso_session_list(t)",
    "sso_attr_get(t, 'n')",
    "sso_attr_get($1, t)",
    "sso_attr_get_text($1, t)",
    "sso_attr_exists($1, t)",
    "sso_attr_take($1, t)",
    "sso_attr_delete($1, t)",
    "sso_attr_names(t)",
    "sso_attr_list(t)",
    "sso_attr_get_all(t)",
    "sso_attr_set(t, 'n', 1)",
    "sso_attr_create($1, t, 1)",
    "sso_attr_create($1, 'new', t)",
    "sso_attr_create($1, 'new', j)",
    "sso_attr_create($1, 'new', t, encrypt => true)",
    "sso_attr_update($1, t, 1)",
    "sso_attr_update($1, 'n', t)",
    "sso_attr_update($1, 'n', j)",
    "sso_attr_update($1, 'sealed', t)",
    "sso_attr_set($1, t, 1)",
    "sso_attr_set($1, 'n', t)",
    "sso_attr_set($1, 'n', t::varchar)",
    "sso_attr_set($1, 'n', t::bpchar)",
    "sso_attr_set($1, 'n', j)",
    "sso_attr_set($1, 'n', jsonb_build_object(t, 1))",
    "sso_attr_set($1, 'n', jsonb_build_array(1, jsonb_build_object('a', t)))",
    "sso_attr_set($1, 'n', ARRAY['x', t])",
    "sso_attr_set($1, 'n', ROW(1, t))",
    "sso_attr_set($1, 'n', ROW(1, t, NULL)::loaded)",
    "sso_attr_set($1, 'n', to_json(t))",
    "sso_attr_set($1, 'n', 'any'::with_cast)",
    "sso_attr_set($1, 'n', ARRAY['x', t], encrypt => true)",
    "sso_attr_set($1, 'sealed', j)",
    "sso_attr_create_json($1, t, '1')",
    "sso_attr_create_json($1, 'new', j)",
    "sso_attr_update_json($1, 'n', j)",
    "sso_attr_set_json($1, 'n', j)",
    "sso_attr_set_json($1, 'n', to_jsonb(t), encrypt => true)",
    "sso_attr_compare_and_set($1, t, '1', '2')",
    "sso_attr_compare_and_set($1, 'n', '1', j)",
    "sso_attr_compare_and_set($1, 'n', '1', to_jsonb(t))",
    "sso_attr_compare_and_set($1, 'n', to_jsonb(t), '2')",
    "sso_attr_increment(t, 'n')",
    "sso_attr_increment($1, t)",
    "sso_attr_set_expiry($1, t, 60)",
    "sso_attr_get_many($1, ARRAY['n', t])",
    "sso_attr_get_many(t, ARRAY['n'])",
    "sso_attr_exists_many($1, ARRAY['n', t])",
    "sso_attr_delete_many($1, ARRAY['n', t])",
    "sso_attr_create_many($1, jsonb_build_array(jsonb_build_object('name', t, 'value', 1)))",
    "sso_attr_create_many($1, jsonb_build_array(jsonb_build_object('name', 'new', 'value', t)))",
    "sso_attr_update_many($1, jsonb_build_array(jsonb_build_object('name', t, 'value', 1)))",
    "sso_attr_update_many($1, jsonb_build_array(jsonb_build_object('name', 'n', 'value', t)))",
    "sso_attr_update_many($1, jsonb_build_array(jsonb_build_object('name', 'sealed', 'value', jsonb_build_object('a', t))))",
    "sso_attr_set_many($1, jsonb_build_array(jsonb_build_object('name', t, 'value', 1)))",
    "sso_attr_set_many($1, jsonb_build_array(jsonb_build_object('name', 'n', 'value', t)))",
    "sso_attr_set_many($1, jsonb_build_array(jsonb_build_object('name', 'n', 'value', jsonb_build_array(1, t))))",
    "sso_attr_set_many($1, jsonb_build_array(jsonb_build_object('name', 'n', 'value', jsonb_build_object(t, 1))))",
    "sso_attr_set_many($1, jsonb_build_array(jsonb_build_object('name', 'n', 'value', j)), encrypt => true)",
    "sso_attr_set_many($1, jsonb_build_array(jsonb_build_object('name', 'n', 'value', 1, t, 1)))",
    "sso_attr_set_expiry_many($1, jsonb_build_array(jsonb_build_object('name', t)))",
];

/// Loads texts into a table of their own, each as text and within jsonb.
fn load(client: &mut Client, texts: &[&[u8]]) -> Result {
    client.batch_execute("CREATE TEMPORARY TABLE loaded (position integer, t text, j jsonb)")?;
    let mut copy = client.copy_in("COPY loaded FROM STDIN (ENCODING 'SQL_ASCII')")?;
    for (position, text) in texts.iter().enumerate() {
        copy.write_all(
            &[format!("{position}\t").as_bytes(), text, b"\t{\"a\": [\"", text, b"\"]}\n"].concat(),
        )?;
    }
    copy.finish()?;
    Ok(())
}

/// All that is stored, in a form that every client can read.
fn stored(client: &mut Client) -> Result<String> {
    let rows = "SELECT md5(string_agg(line, ',' ORDER BY line)) FROM (
                    SELECT md5(textsend(s::text)) FROM sso_attr.session AS s
                    UNION ALL SELECT md5(textsend(a::text)) FROM sso_attr.attribute AS a) AS row (line)";
    Ok(client.query_one(rows, &[])?.get(0))
}

#[test]
fn every_function_refuses_text_that_is_not_utf8() -> Result {
    let server = Server::with_extension("")?;
    let mut client = server.connect("postgres")?;
    load(&mut client, &INVALID.map(|(_, bytes)| bytes))?;
    client.batch_execute(
        "CREATE TYPE pg_temp.with_cast AS ENUM ('any');
         CREATE FUNCTION pg_temp.to_json(pg_temp.with_cast) RETURNS json LANGUAGE sql AS
             'SELECT to_json(t) FROM pg_temp.loaded WHERE position = 0';
         CREATE CAST (pg_temp.with_cast AS json) WITH FUNCTION pg_temp.to_json(pg_temp.with_cast)",
    )?;
    let ust = open_session(&mut client, "u")?;
    client.execute(
        "SELECT sso_attr_create($1, 'n', 1), sso_attr_create($1, 'sealed', 1, NULL, true)",
        &[&ust],
    )?;
    let before = stored(&mut client)?;

    let mut wrong = Vec::new();
    for call in CALLS {
        let statement = client
            .prepare(&format!("SELECT {call} FROM loaded WHERE position = $2 AND $1::text IS NOT NULL"))?;
        for (position, (what, _)) in (0i32..).zip(INVALID) {
            match refusal(client.query(&statement, &[&ust, &position])) {
                Ok(error) if error.code().code() == "22021" => {}
                Ok(error) => wrong.push(format!("{call}, {what}: {error}")),
                Err(error) => wrong.push(format!("{call}, {what}: {error}")),
            }
            if client.is_closed() {
                return Err(wrong.join("\n").into());
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(stored(&mut client)?, before);
    Ok(())
}

/// Whoever owns the server can put anything into the tables; reading it is an error, not a crash.
#[test]
fn stored_text_that_is_not_utf8_is_corrupted_data() -> Result {
    let server = Server::with_extension("")?;
    let mut client = server.connect("postgres")?;
    load(&mut client, &[b"caf\xF0"])?;
    let ust = open_session(&mut client, "u")?;
    client.execute("SELECT sso_attr_create($1, 'n', 'x'::text)", &[&ust])?;
    for (tampered, calls) in [
        (
            "attribute SET name = t",
            &["sso_attr_names($1)", "sso_attr_list($1)", "sso_attr_get_all($1)", "sso_session_load($1)"][..],
        ),
        ("attribute SET value = to_jsonb(t)", &["sso_attr_get_text($1, 'n')"]),
        ("attribute SET value = j", &["sso_attr_get_text($1, 'n')"]),
        (
            "session SET user_agent = t",
            &["sso_session_get($1)", "sso_session_list('u')", "sso_session_load($1)"],
        ),
        ("session SET current_app = t", &["sso_session_get($1)", "sso_session_list('u')"]),
        ("session SET user_id = t", &["sso_session_get($1)"]),
    ] {
        let mut transaction = client.transaction()?;
        transaction.execute(&format!("UPDATE sso_attr.{tampered} FROM loaded"), &[])?;
        for call in calls {
            let mut attempt = transaction.transaction()?;
            let error = refusal(attempt.query(&format!("SELECT {call} WHERE $1::text IS NOT NULL"), &[&ust]))
                .map_err(|error| format!("{tampered}: {call}: {error}"))?;
            assert_eq!(error.code().code(), "XX001", "{tampered}: {call}: {error}");
            attempt.rollback()?;
        }
        transaction.rollback()?;
    }
    Ok(())
}
