//! Dumps must carry ciphertext as it is: encrypting again on restore has cost others their data.

use sso_attr_client_tests::document::operations;
use sso_attr_client_tests::{KEY, Result, Server, contents, open_session, refusal};

#[test]
fn a_dump_opens_elsewhere_with_the_same_keyring_only() -> Result {
    let source = Server::with_extension("")?;
    let mut client = source.connect("postgres")?;
    client.batch_execute("CREATE ROLE app LOGIN; SELECT sso_attr_grant('app')")?;
    let ust = open_session(&mut client, "dumped")?;
    client.execute("SELECT sso_attr_create($1, 'clear', 'in clear'::text, 3600)", &[&ust])?;
    client.execute("SELECT sso_attr_create($1, 'sealed', 'a secret'::text, encrypt => true)", &[&ust])?;
    client
        .execute("SELECT sso_attr_create($1, 'large', repeat('secret', 9000), encrypt => true)", &[&ust])?;
    // A token that was adopted leads to its session there too.
    let rotate = "SELECT sso_session_rotate($1, new_ust => 'token-that-a-framework-chose')";
    let ust: String = client.query_one(rotate, &[&ust])?.get(0);
    let before = contents(&mut client)?;
    assert_eq!(before.len(), 5);
    let plain = source.directory().join("plain").display().to_string();
    let custom = source.directory().join("custom").display().to_string();
    source.run(&["pg_dump", "--format=plain", "--file", &plain, "postgres"])?;
    source.run(&["pg_dump", "--format=custom", "--file", &custom, "postgres"])?;

    let target = Server::create("")?;
    target.start()?;
    target.connect("postgres")?.batch_execute("CREATE ROLE app LOGIN; CREATE ROLE other LOGIN")?;
    target.run(&["createdb", "plain"])?;
    target.run(&["psql", "--quiet", "--no-psqlrc", "--set=ON_ERROR_STOP=1", "--file", &plain, "plain"])?;
    target.run(&["createdb", "custom"])?;
    target.run(&["pg_restore", "--exit-on-error", "--dbname=custom", &custom])?;

    let get = "SELECT sso_attr_get_text($1, $2)";
    for database in ["plain", "custom"] {
        assert_eq!(contents(&mut target.connect(database)?)?, before, "{database}");
        let read = |name: &str| -> std::result::Result<String, postgres::Error> {
            // A new connection each time: one that has read a keyring would keep it in use.
            Ok(target.connect_as("app", database)?.query_one(get, &[&ust, &name])?.get(0))
        };
        assert_eq!(read("sealed")?, "a secret");
        assert_eq!(read("large")?, "secret".repeat(9000));

        let ungranted = target.connect_as("other", database)?.query_one(get, &[&ust, &"clear"]);
        assert_eq!(refusal(ungranted)?.code().code(), "42501");

        target.run(&["rm".as_ref(), target.keyring().as_os_str()])?;
        assert_eq!(read("clear")?, "in clear");
        assert_eq!(refusal(read("sealed"))?.code().code(), "55000");

        target.set_keyring(&format!("1:{}\n", "5a".repeat(32)))?;
        assert_eq!(read("clear")?, "in clear");
        assert_eq!(refusal(read("sealed"))?.code().code(), "XX001");

        target.set_keyring(&format!("1:{}\n", hex::encode(KEY)))?;
        assert_eq!(read("sealed")?, "a secret");
    }
    Ok(())
}

/// Every way of docs/operations.md, as it is written there.
#[test]
fn the_ways_to_dump_and_restore_keep_everything() -> Result {
    let server = Server::create("")?;
    server.start()?;
    server.run(&["createdb", "app"])?;
    let mut client = server.connect("app")?;
    client.batch_execute(
        "CREATE TABLE visit (visitor text PRIMARY KEY); INSERT INTO visit VALUES ('ann');
         CREATE SCHEMA sso; CREATE EXTENSION sso_attr SCHEMA sso;
         CREATE ROLE web LOGIN; ALTER ROLE web IN DATABASE app SET search_path = sso; SELECT sso.sso_attr_grant('web')",
    )?;
    client.batch_execute("SET search_path = sso")?;
    client.execute("SELECT sso_user_create('ann', 'a long password')", &[])?;
    let ust = open_session(&mut client, "ann")?;
    // More sessions than attributes: a restore that loads both at the same time is done with these first.
    client.execute("SELECT count(sso_session_create('bob')) FROM generate_series(1, 3000)", &[])?;
    let fill = "SELECT sso_attr_set($1, 'attribute ' || i, repeat('value', 100), encrypt => i % 2 = 0)
                FROM generate_series(1, 20) AS i";
    client.execute(fill, &[&ust])?;
    let before = contents(&mut client)?;

    let ways = operations("Dump and restore", "sh")?;
    for way in &ways {
        let folder = server.directory().join("dumps").display().to_string();
        let run = format!("mkdir '{folder}' && cd '{folder}' && set -e\n{way}");
        server.run(&["sh", "-c", &run])?;
        let mut restored = server.connect("restored")?;
        let found = contents(&mut restored)?;
        if way.contains("--exclude-table-data") {
            assert!(found.is_empty(), "{way}");
        } else {
            assert!(found == before, "{way}");
            let mut web = server.connect_as("web", "restored")?;
            let value = web.query_one("SELECT sso.sso_attr_get_text($1, 'attribute 20')", &[&ust])?;
            assert_eq!(value.get::<_, &str>(0), "value".repeat(100), "{way}");
        }
        let rest = "SELECT (SELECT count(*) FROM visit) + (SELECT count(*) FROM sso_attr.user)
                         + (SELECT count(*) FROM sso_attr.key_check)";
        assert_eq!(restored.query_one(rest, &[])?.get::<_, i64>(0), 3, "{way}");
        drop(restored);
        server.run(&["sh", "-c", &format!("dropdb --force restored && rm -rf '{folder}'")])?;
    }
    assert_eq!(ways.len(), 4);

    let set_for_role = "ALTER ROLE web IN DATABASE app SET search_path TO 'sso'";
    assert!(server.run(&["pg_dump", "--create", "--schema-only", "app"])?.contains(set_for_role));
    assert!(!server.run(&["pg_dump", "--schema-only", "app"])?.contains(set_for_role));
    let of_a_schema = server.run(&["pg_dump", "--schema=public", "app"])?;
    assert!(of_a_schema.contains("visit") && !of_a_schema.contains("sso"));
    Ok(())
}
