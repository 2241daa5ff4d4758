//! PgBouncer in transaction mode between clients and server: each statement of a client may run on
//! another connection to the server, between statements of other clients.

use postgres::Client;
use postgres::error::SqlState;
use postgres::types::{ToSql, Type};
use serde_json::{Value, json};
use sso_attr_client_tests::*;

/// More clients than connections to the server, so that they take turns on each.
const CLIENTS: usize = 20;
const CONNECTIONS: usize = 3;
const ROUNDS: usize = 25;

/// A parameter and its type, which spares the driver a named statement to ask the server for it.
type Typed<'a> = (&'a (dyn ToSql + Sync), Type);

fn text<'a>(value: &'a (dyn ToSql + Sync)) -> Typed<'a> {
    (value, Type::TEXT)
}

fn jsonb(value: &Value) -> Typed<'_> {
    (value, Type::JSONB)
}

/// What one client does with a session of its own; every answer must be about that session.
fn use_a_session(client: &mut Client, user: &str) -> Result {
    let create = "SELECT sso_session_create($1, 'pooler')";
    let ust: String = client.query_typed_one(create, &[text(&user)])?.get(0);
    for round in 0..ROUNDS {
        let value = json!({"user": user, "round": round});
        let set = "SELECT sso_attr_set_json($1, 'mine', $2)";
        let created: bool = client.query_typed_one(set, &[text(&ust), jsonb(&value)])?.get(0);
        assert_eq!(created, round == 0);
        let get = "SELECT sso_attr_get($1, 'mine')";
        let found: Value = client.query_typed_one(get, &[text(&ust)])?.get(0);
        assert_eq!(found, value);

        let missing =
            client.query_typed("SELECT sso_attr_update_json($1, $2, 'null')", &[text(&ust), text(&user)]);
        let missing = refusal(missing)?;
        assert_eq!(*missing.code(), SqlState::NO_DATA_FOUND);
        assert_eq!(missing.detail(), Some(format!("Missing: \"{user}\".").as_str()));

        let save = "SELECT sso_session_save($1, $2, '{}', 600, encrypt => '{secret}')";
        client.query_typed(save, &[text(&ust), jsonb(&json!({"secret": user, "round": round}))])?;
        let load = "SELECT user_id, attributes FROM sso_session_load($1)";
        let session = client.query_typed_one(load, &[text(&ust)])?;
        assert_eq!(session.get::<_, &str>(0), user);
        assert_eq!(session.get::<_, Value>(1), json!({"mine": value, "secret": user, "round": round}));

        // A transaction keeps its connection until it ends.
        let mut transaction = client.transaction()?;
        transaction.query_typed(set, &[text(&ust), jsonb(&json!("undone"))])?;
        let found: Value = transaction.query_typed(get, &[text(&ust)])?[0].get(0);
        assert_eq!(found, json!("undone"));
        transaction.rollback()?;
    }
    assert!(client.query_typed_one("SELECT sso_session_end($1)", &[text(&ust)])?.get::<_, bool>(0));
    let ended = client.query_typed("SELECT sso_attr_get_all($1)", &[text(&ust)]);
    assert_eq!(*refusal(ended)?.code(), SqlState::INVALID_AUTHORIZATION_SPECIFICATION);
    assert!(client.query_typed("SELECT FROM sso_session_load($1)", &[text(&ust)])?.is_empty());
    Ok(())
}

#[test]
fn clients_that_share_connections_get_their_own_sessions() -> Result {
    let server = Server::with_extension("")?;
    let pooler = Pooler::start(&server, "postgres", CONNECTIONS)?;
    std::thread::scope(|scope| -> Result {
        let mut clients = Vec::new();
        for number in 0..CLIENTS {
            let mut client = pooler.connect()?;
            // As a text, because an error need not be one that can go to another thread.
            let run = move || {
                use_a_session(&mut client, &format!("user {number}")).map_err(|error| error.to_string())
            };
            clients.push(scope.spawn(run));
        }
        for client in clients {
            client.join().map_err(|_| "a client panicked")??;
        }
        Ok(())
    })?;

    let pooled = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()";
    let connections: i64 = server.connect("postgres")?.query_one(pooled, &[])?.get(0);
    assert!(connections <= CONNECTIONS as i64, "{connections} connections");
    Ok(())
}
