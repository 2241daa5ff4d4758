//! Dumps must carry ciphertext as it is: encrypting again on restore has cost others their data.

use postgres::Client;
use sso_attr_client_tests::{KEY, Result, Server, open_session, refusal};

/// Sessions and attributes byte for byte.
fn contents(client: &mut Client) -> Result<Vec<String>> {
    let rows = client.query(
        "SELECT s::text FROM sso_attr.session AS s
         UNION ALL SELECT a::text FROM sso_attr.attribute AS a ORDER BY 1",
        &[],
    )?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

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
