//! Where the tables belong to a role that is not a superuser, what that role attaches to them runs
//! neither with the rights of those who call nor with those of the worker.

use postgres::Client;
use sso_attr_client_tests::{Result, SOON, Server, open_session, refusal, wait_until};

/// The owner's function, which notes the role that it runs as.
const TRAP: &str = "
    CREATE ROLE lesser;
    CREATE SCHEMA lesser AUTHORIZATION lesser;
    ALTER SCHEMA sso_attr OWNER TO lesser;
    DO $$
    DECLARE
        change text;
    BEGIN
        FOR change IN
            SELECT format('ALTER TABLE %s OWNER TO lesser', oid::regclass)
            FROM pg_class WHERE relnamespace = 'sso_attr'::regnamespace AND relkind = 'r'
            UNION ALL
            SELECT format('ALTER FUNCTION %s OWNER TO lesser', oid::regprocedure)
            FROM pg_proc WHERE pronamespace = 'sso_attr'::regnamespace
        LOOP
            EXECUTE change;
        END LOOP;
    END $$;
    SET ROLE lesser;
    CREATE TABLE lesser.witness (who name);
    GRANT USAGE ON SCHEMA lesser TO PUBLIC;
    GRANT INSERT ON lesser.witness TO PUBLIC;
    CREATE FUNCTION lesser.trap() RETURNS trigger LANGUAGE plpgsql AS
        'BEGIN INSERT INTO lesser.witness VALUES (current_user); RETURN NULL; END';
    RESET ROLE";

fn hang(client: &mut Client, event: &str, table: &str, timing: &str) -> Result {
    Ok(client.batch_execute(&format!(
        "SET ROLE lesser;
         CREATE CONSTRAINT TRIGGER trap AFTER {event} ON sso_attr.{table}
             DEFERRABLE {timing} FOR EACH ROW EXECUTE FUNCTION lesser.trap();
         RESET ROLE"
    ))?)
}

fn unhang(client: &mut Client, table: &str) -> Result {
    Ok(client.batch_execute(&format!("DROP TRIGGER trap ON sso_attr.{table}"))?)
}

/// The roles that the owner's function has run as, other than its owner.
fn others(client: &mut Client) -> Result<Vec<String>> {
    let others = "SELECT DISTINCT who::text FROM lesser.witness WHERE who <> 'lesser' ORDER BY 1";
    Ok(client.query(others, &[])?.iter().map(|row| row.get(0)).collect())
}

fn rows(client: &mut Client, user: &str) -> Result<i64> {
    let rows = "SELECT count(*) FROM sso_attr.session LEFT JOIN sso_attr.attribute ON session_id = id WHERE user_id = $1";
    Ok(client.query_one(rows, &[&user])?.get(0))
}

#[test]
fn a_deferred_trigger_is_refused_whoever_calls() -> Result {
    let server = Server::with_extension("")?;
    let mut superuser = server.connect("postgres")?;
    superuser.batch_execute(TRAP)?;
    superuser.batch_execute("CREATE ROLE app LOGIN")?;
    superuser.batch_execute("SELECT sso_attr_grant('app')")?;
    let mut app = server.connect_as("app", "postgres")?;
    let mut witness = server.connect("postgres")?;
    let ust = open_session(&mut superuser, "ann")?;

    hang(&mut superuser, "INSERT OR UPDATE OR DELETE", "attribute", "INITIALLY DEFERRED")?;
    for client in [&mut superuser, &mut app] {
        for call in [
            "sso_attr_create($1, 'a', 1)",
            "sso_attr_set($1, 'a', 1)",
            "sso_attr_create_many($1, '[{\"name\": \"b\", \"value\": 1}]')",
        ] {
            let refused = refusal(client.execute(&format!("SELECT {call}"), &[&ust]));
            assert_eq!(others(&mut witness)?, Vec::<String>::new(), "{call}");
            let error = refused.map_err(|error| format!("{call}: {error}"))?;
            assert_eq!(error.code().code(), "42501", "{call}: {error}");
        }
    }
    unhang(&mut superuser, "attribute")?;

    // One that only the caller defers.
    hang(&mut superuser, "INSERT OR UPDATE OR DELETE", "attribute", "INITIALLY IMMEDIATE")?;
    let mut transaction = superuser.transaction()?;
    transaction.batch_execute("SET CONSTRAINTS ALL DEFERRED")?;
    let error = refusal(transaction.execute("SELECT sso_attr_set($1, 'a', 1)", &[&ust]))?;
    assert_eq!(error.code().code(), "42501", "{error}");
    transaction.rollback()?;
    // At once it runs, as the owner of the tables.
    superuser.execute("SELECT sso_attr_set($1, 'a', 1)", &[&ust])?;
    assert_eq!(others(&mut superuser)?, Vec::<String>::new());
    Ok(())
}

#[test]
fn attributes_go_with_their_session_whoever_owns_the_tables() -> Result {
    let server = Server::with_extension("")?;
    let mut superuser = server.connect("postgres")?;
    superuser.batch_execute(TRAP)?;
    superuser.batch_execute("CREATE ROLE app LOGIN")?;
    superuser.batch_execute("SELECT sso_attr_grant('app')")?;
    let mut app = server.connect_as("app", "postgres")?;
    for client in [&mut superuser, &mut app] {
        let ust = open_session(client, "ann")?;
        client.execute(
            "SELECT sso_attr_create($1, 'a', 1), sso_attr_create($1, 'b', 1, NULL, true)",
            &[&ust],
        )?;
        assert!(client.query_one("SELECT sso_session_end($1)", &[&ust])?.get::<_, bool>(0));
    }
    superuser.batch_execute("SELECT sso_attr_purge()")?;
    assert_eq!(rows(&mut superuser, "ann")?, 0);
    // The keys of the other table are looked at.
    let error = refusal(superuser.execute(
        "INSERT INTO sso_attr.attribute (session_id, name, value, created_at, updated_at)
         VALUES (gen_random_uuid(), 'a', '1', now(), now())",
        &[],
    ))?;
    assert_eq!(error.code().code(), "23503");
    Ok(())
}

#[test]
fn the_worker_reports_a_deferred_trigger_and_does_not_run_it() -> Result {
    let server = Server::with_extension("sso_attr.purge_interval = 1s")?;
    let mut superuser = server.connect("postgres")?;
    superuser.batch_execute(TRAP)?;
    hang(&mut superuser, "DELETE", "session", "INITIALLY DEFERRED")?;
    let ust = open_session(&mut superuser, "gone")?;
    superuser.execute("SELECT sso_attr_create($1, 'a', 1)", &[&ust])?;
    superuser.execute("UPDATE sso_attr.session SET expires_at = now() WHERE user_id = 'gone'", &[])?;

    wait_until("the worker has met the trigger", SOON, || {
        Ok(server.log()?.contains("deferred trigger") || rows(&mut superuser, "gone")? == 0)
    })?;
    assert_eq!(others(&mut superuser)?, Vec::<String>::new());
    assert_eq!(rows(&mut superuser, "gone")?, 1);

    unhang(&mut superuser, "session")?;
    wait_until("the worker goes on without the trigger", SOON, || Ok(rows(&mut superuser, "gone")? == 0))
}
