//! ALTER EXTENSION UPDATE from every released version leads to what a new installation is, keeps data and
//! rights, and disturbs nobody who is connected.

use postgres::Client;
use sso_attr_client_tests::{Result, Server, open_session};

/// What roles can be granted, as sso_attr.kind() of the first release had it.
const KINDS: [&str; 5] = ["holder", "app", "login", "monitor", "operator"];

/// Where the extension's functions can be: where everybody looks, and in a schema of their own.
const SCHEMAS: [&str; 2] = ["public", "a Schema"];

/// The versions that were released before the one that is being tested.
fn released(server: &Server) -> Result<Vec<String>> {
    let versions = server.connect("postgres")?.query(
        "SELECT v.version FROM pg_available_extension_versions AS v JOIN pg_available_extensions AS e USING (name)
          WHERE v.name = 'sso_attr' AND v.version <> e.default_version ORDER BY 1",
        &[],
    )?;
    Ok(versions.iter().map(|row| row.get(0)).collect())
}

/// Makes a database with the extension, of a released version or, without one, of this one.
fn install(server: &Server, database: &str, schema: &str, version: Option<&str>) -> Result<Client> {
    server.run(&["createdb", database])?;
    let mut client = server.connect(database)?;
    let version = version.map_or_else(String::new, |version| format!("VERSION '{version}'"));
    client.batch_execute(&format!(
        "CREATE SCHEMA IF NOT EXISTS \"{schema}\";
         CREATE EXTENSION sso_attr SCHEMA \"{schema}\" {version};
         SET search_path = \"{schema}\""
    ))?;
    Ok(client)
}

fn update(client: &mut Client) -> Result {
    Ok(client.batch_execute("ALTER EXTENSION sso_attr UPDATE")?)
}

/// The versions of the extension's SQL and of the library, as the extension says.
fn versions(client: &mut Client) -> Result<(String, String)> {
    let row = client.query_one("SELECT extension, library FROM sso_attr_version()", &[])?;
    Ok((row.get(0), row.get(1)))
}

/// All that the catalogs say of the extension and of each of its parts, which only pg_upgrade's kind of
/// dump has one by one: definition, owner, rights, those that a dump leaves out, comment, settings.
fn catalog(server: &Server, database: &str) -> Result<Vec<String>> {
    let dump = server.run(&["pg_dump", "--schema-only", "--binary-upgrade", database])?;
    let (dump, _) =
        dump.split_once("\n--\n-- PostgreSQL database dump complete").ok_or("a dump has no end")?;
    let mut parts: Vec<String> = dump.split("\n--\n-- Name: ").skip(1).map(without_numbers).collect();
    assert!(parts.len() > 100, "{dump}");
    // Parts are in the order in which they were made.
    parts.sort_unstable();
    let extension = server.connect(database)?.query_one(
        "SELECT concat_ws('|', extversion, extowner::regrole, extnamespace::regnamespace,
                          (SELECT string_agg(concat(config::regclass, condition), ',' ORDER BY config::regclass::text)
                           FROM unnest(extconfig, extcondition) AS c (config, condition)))
           FROM pg_extension WHERE extname = 'sso_attr'",
        &[],
    )?;
    parts.push(extension.get(0));
    Ok(parts)
}

/// The parts that are in one catalog only.
fn difference(found: &[String], expected: &[String]) -> String {
    let only = |these: &[String], those: &[String], sign| -> String {
        these.iter().filter(|part| !those.contains(part)).map(|part| format!("{sign} {part}\n")).collect()
    };
    only(found, expected, '+') + &only(expected, found, '-')
}

/// Without the lines that keep the numbers of objects and transactions; one is of the extension itself.
fn without_numbers(part: &str) -> String {
    const NUMBERED: [&str; 4] = [
        "binary_upgrade_set_next",
        "binary_upgrade_create_empty_extension",
        "SET relfrozenxid",
        "WHERE oid = '",
    ];
    let kept = |line: &&str| !NUMBERED.iter().any(|numbered| line.contains(numbered));
    part.lines().filter(kept).collect::<Vec<_>>().join("\n")
}

/// Grants each kind to a role of its name, and nothing to a further one.
fn grant(client: &mut Client) -> Result {
    for kind in KINDS {
        client.execute("SELECT sso_attr_grant($1::text::regrole, $1)", &[&kind])?;
    }
    Ok(())
}

fn create_roles(server: &Server) -> Result {
    let mut client = server.connect("postgres")?;
    for role in KINDS.iter().chain(&["nobody"]) {
        client.batch_execute(&format!("CREATE ROLE {role} LOGIN"))?;
    }
    Ok(())
}

/// Which role may call what.
fn rights(client: &mut Client) -> Result<Vec<String>> {
    let rows = client.query(
        "SELECT concat_ws(' ', r.rolname, p.oid::regprocedure)
           FROM pg_roles AS r CROSS JOIN pg_proc AS p
           JOIN pg_depend AS d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
           JOIN pg_extension AS e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid
          WHERE e.extname = 'sso_attr' AND NOT r.rolsuper AND has_schema_privilege(r.oid, e.extnamespace, 'USAGE')
            AND has_function_privilege(r.oid, p.oid, 'EXECUTE')
          ORDER BY 1",
        &[],
    )?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

#[test]
fn an_update_leads_to_the_catalog_of_a_new_installation() -> Result {
    let server = Server::create("")?;
    server.start()?;
    let versions = released(&server)?;
    assert_eq!(versions.first().map(String::as_str), Some("0.1.0"));
    for (number, schema) in SCHEMAS.into_iter().enumerate() {
        let fresh = format!("fresh{number}");
        install(&server, &fresh, schema, None)?;
        let expected = catalog(&server, &fresh)?;
        for version in &versions {
            let database = format!("from {version} {number}");
            let mut client = install(&server, &database, schema, Some(version))?;
            assert_ne!(difference(&catalog(&server, &database)?, &expected), "");

            update(&mut client)?;
            let wrong = difference(&catalog(&server, &database)?, &expected);
            assert!(wrong.is_empty(), "from {version} in {schema}:\n{wrong}");

            // An update that is run over its own result changes nothing.
            let again = "UPDATE pg_extension SET extversion = $1 WHERE extname = 'sso_attr'";
            client.execute(again, &[version])?;
            update(&mut client)?;
            let wrong = difference(&catalog(&server, &database)?, &expected);
            assert!(wrong.is_empty(), "twice from {version} in {schema}:\n{wrong}");
        }
    }
    Ok(())
}

#[test]
fn roles_granted_before_reach_what_an_update_adds_and_so_they_do_in_a_dump_of_it() -> Result {
    let server = Server::create("")?;
    server.start()?;
    create_roles(&server)?;
    for (number, schema) in SCHEMAS.into_iter().enumerate() {
        let mut fresh = install(&server, &format!("fresh{number}"), schema, None)?;
        grant(&mut fresh)?;
        let expected = rights(&mut fresh)?;
        assert!(!expected.iter().any(|right| right.starts_with("nobody")), "{expected:?}");
        for version in released(&server)? {
            let database = format!("from {version} {number}");
            let mut client = install(&server, &database, schema, Some(&version))?;
            grant(&mut client)?;
            assert_ne!(rights(&mut client)?, expected);

            update(&mut client)?;
            assert_eq!(rights(&mut client)?, expected, "from {version} in {schema}");

            let dump = server.run(&["pg_dump", &database])?;
            let restored = format!("restored {version} {number}");
            server.run(&["createdb", &restored])?;
            server.run_with_input(
                &["psql", "--quiet", "--no-psqlrc", "--set=ON_ERROR_STOP=1", &restored],
                &dump,
            )?;
            let mut client = server.connect(&restored)?;
            client.batch_execute(&format!("SET search_path = \"{schema}\""))?;
            assert_eq!(rights(&mut client)?, expected, "restored from {version} in {schema}");
        }
    }
    Ok(())
}

/// The library is the new one from the start: between a restart and ALTER EXTENSION it works with the SQL
/// of the version before.
#[test]
fn whoever_is_connected_goes_on_over_an_update() -> Result {
    let server = Server::create("")?;
    server.start()?;
    for version in released(&server)? {
        let mut owner = install(&server, &format!("from {version}"), "public", Some(&version))?;
        let before = versions(&mut owner)?;
        assert_eq!(before.0, version);
        assert_eq!(before.1, env!("CARGO_PKG_VERSION"));
        let mut client = server.connect(&format!("from {version}"))?;
        let ust = open_session(&mut client, "ann")?;
        client.execute("SELECT sso_attr_create($1, 'n', 0)", &[&ust])?;
        client.execute("SELECT sso_attr_create($1, 'sealed', 'a secret'::text, encrypt => true)", &[&ust])?;
        let add = client.prepare("SELECT sso_attr_increment($1, 'n')::integer")?;
        let get = client.prepare("SELECT sso_attr_get_text($1, 'sealed')")?;
        let list = client.prepare("SELECT count(*) FROM sso_attr_list($1)")?;
        let mut go_on = |sums: std::ops::RangeInclusive<i32>| -> Result {
            // More often than PostgreSQL plans anew before it keeps a plan.
            for sum in sums {
                assert_eq!(client.query_one(&add, &[&ust])?.get::<_, i32>(0), sum);
                assert_eq!(client.query_one(&get, &[&ust])?.get::<_, &str>(0), "a secret");
                assert_eq!(client.query_one(&list, &[&ust])?.get::<_, i64>(0), 2);
            }
            Ok(())
        };
        go_on(1..=10)?;

        update(&mut owner)?;
        assert_eq!(versions(&mut owner)?, (before.1.clone(), before.1.clone()));
        go_on(11..=20)?;
        let named = "SELECT sso_session_id($1) = session_id FROM sso_session_get($1)";
        assert!(client.query_one(named, &[&ust])?.get::<_, bool>(0));

        // In the middle of somebody's transaction too.
        owner.batch_execute("DROP EXTENSION sso_attr")?;
        owner.batch_execute(&format!("CREATE EXTENSION sso_attr VERSION '{version}'"))?;
        let mut transaction = client.transaction()?;
        let ust: String = transaction.query_one("SELECT sso_session_create('bob')", &[])?.get(0);
        transaction.execute("SELECT sso_attr_create($1, 'n', 0)", &[&ust])?;
        update(&mut owner)?;
        assert_eq!(transaction.query_one(&add, &[&ust])?.get::<_, i32>(0), 1);
        transaction.commit()?;
        assert_eq!(versions(&mut owner)?, (before.1.clone(), before.1));
    }
    Ok(())
}
