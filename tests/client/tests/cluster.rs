//! What only a cluster of Citus can show: each statement goes to one shard, shards move under load and no
//! value gets into another row, a user's logins meet over all nodes, and what concerns every node reaches it.
//!
//! `scripts/test cluster` runs this on the cluster that SSO_TEST_DSN names: its coordinator, as a superuser.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier, Mutex};

use postgres::{Client, Config, NoTls};
use serde_json::{Value, json};
use sso_attr_client_tests::{Result, SOON, open_session, wait_until};

/// How the shards are moved: `auto`, `block_writes` or `force_logical`.
const MODE: &str = "SSO_TEST_MOVE";

/// Calls that act on one session, whose token is `$1`.
const CALLS: &[&str] = &[
    "sso_session_get($1)",
    "sso_session_load($1)",
    "sso_session_verify($1)",
    "sso_session_save($1, '{\"a\": 1, \"b\": 2, \"c\": 3}', '{d,e,f}')",
    "sso_session_save($1, '{\"a\": 1, \"b\": 2, \"c\": 3}', replace => true)",
    "sso_session_renew($1, 7200)",
    "sso_session_rotate($1, 'one-task')",
    "sso_attr_create($1, 'new', 1, encrypt => true)",
    "sso_attr_update($1, 'a', 'x')",
    "sso_attr_update($1, 'sealed', 'x')",
    "sso_attr_set($1, 'b', 'x', 60)",
    "sso_attr_set_json($1, 'b', '1')",
    "sso_attr_compare_and_set($1, 'a', '1', '2')",
    "sso_attr_increment($1, 'n')",
    "sso_attr_get($1, 'a')",
    "sso_attr_get($1, 'sealed')",
    "sso_attr_exists($1, 'a')",
    "sso_attr_names($1)",
    "sso_attr_list($1)",
    "sso_attr_get_all($1)",
    "sso_attr_get_many($1, '{a,b,sealed}')",
    "sso_attr_exists_many($1, '{a,b,none}')",
    "sso_attr_set_expiry($1, 'a', 60)",
    r#"sso_attr_create_many($1, '[{"name":"p","value":1},{"name":"q","value":2},{"name":"r","value":3}]')"#,
    r#"sso_attr_update_many($1, '[{"name":"a","value":1},{"name":"b","value":2},{"name":"sealed","value":3}]')"#,
    r#"sso_attr_update_many($1, '[{"name":"a","value":1,"encrypt":true},{"name":"b","value":2},{"name":"sealed","value":3,"encrypt":false}]', 60)"#,
    r#"sso_attr_set_many($1, '[{"name":"a","value":1},{"name":"z","value":2},{"name":"sealed","value":3}]')"#,
    r#"sso_attr_set_many($1, '[{"name":"a","value":1},{"name":"z","value":2},{"name":"sealed","value":3}]', 60)"#,
    r#"sso_attr_set_expiry_many($1, '[{"name":"a"},{"name":"b"},{"name":"sealed"}]', 60)"#,
    "sso_attr_delete_many($1, '{a,b,none}')",
    "sso_attr_take($1, 'a')",
    "sso_attr_delete($1, 'a')",
];

struct Node {
    config: Config,
    host: String,
    port: i32,
}

impl Node {
    fn connect(&self) -> Result<Client> {
        Ok(self.config.connect(NoTls)?)
    }
}

/// The coordinator, and the nodes that can hold shards.
fn cluster() -> Result<(Config, Vec<Node>)> {
    let dsn = std::env::var("SSO_TEST_DSN").map_err(|_| "SSO_TEST_DSN must name a cluster's coordinator")?;
    let config: Config = dsn.parse()?;
    let mut client = config.connect(NoTls)?;
    client.batch_execute("CREATE EXTENSION IF NOT EXISTS sso_attr")?;
    if !client.query_one("SELECT sso_attr.is_distributed()", &[])?.get::<_, bool>(0) {
        client.execute("SELECT sso_attr_distribute()", &[])?;
    }
    let nodes = client.query(
        "SELECT nodename, nodeport FROM pg_dist_node
          WHERE isactive AND noderole = 'primary' AND shouldhaveshards ORDER BY nodeid",
        &[],
    )?;
    let node = |row: &postgres::Row| {
        let (host, port): (String, i32) = (row.get(0), row.get(1));
        let mut config = Config::new();
        config.host(&host).port(u16::try_from(port)?);
        config.user(&config_user(&dsn)?).dbname(&config_database(&dsn)?);
        Ok(Node { config, host, port })
    };
    let nodes: Vec<Node> = nodes.iter().map(node).collect::<Result<_>>()?;
    assert!(nodes.len() > 1, "the cluster has one node only");
    Ok((config, nodes))
}

fn config_user(dsn: &str) -> Result<String> {
    Ok(dsn.parse::<Config>()?.get_user().ok_or("SSO_TEST_DSN names no user")?.to_owned())
}

fn config_database(dsn: &str) -> Result<String> {
    Ok(dsn.parse::<Config>()?.get_dbname().ok_or("SSO_TEST_DSN names no database")?.to_owned())
}

/// The numbers of tasks of all distributed statements that `call` runs, as EXPLAIN tells them.
fn tasks(
    client: &mut Client,
    notices: &Mutex<Vec<String>>,
    call: &str,
    ust: &str,
) -> Result<Vec<(String, u32)>> {
    lock(notices).clear();
    client.query(&format!("SELECT * FROM {call}"), &[&ust]).map_err(|error| format!("{call}: {error:?}"))?;
    let plans = std::mem::take(&mut *lock(notices));
    let tasks = |plan: String| {
        let (_, count) = plan.split_once("Task Count: ")?;
        let count = count.lines().next()?.trim().parse().ok()?;
        Some((plan, count))
    };
    Ok(plans.into_iter().filter_map(tasks).collect())
}

fn lock<T>(of: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    of.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// A session with attributes of every kind.
fn session(client: &mut Client, user: &str) -> Result<String> {
    let ust = open_session(client, user)?;
    client.execute(
        r#"SELECT sso_attr_set_many($1, '[{"name":"a","value":1},{"name":"b","value":2,"expiration":60},
            {"name":"sealed","value":3,"encrypt":true},{"name":"n","value":4},{"name":"d","value":5}]')"#,
        &[&ust],
    )?;
    Ok(ust)
}

#[test]
#[ignore = "needs a cluster"]
fn each_statement_about_a_session_is_one_task() -> Result {
    let (coordinator, nodes) = cluster()?;
    for mut config in [coordinator].into_iter().chain(nodes.into_iter().map(|node| node.config)) {
        let notices = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&notices);
        config.notice_callback(move |notice| lock(&heard).push(notice.message().to_owned()));
        let mut client = config.connect(NoTls)?;
        let mut silent = config.connect(NoTls)?;
        client.batch_execute(
            "LOAD 'auto_explain';
             SET auto_explain.log_min_duration = 0;
             SET auto_explain.log_nested_statements = on;
             SET auto_explain.log_level = notice",
        )?;
        let mut seen = 0;
        for call in CALLS {
            // More often than PostgreSQL plans anew before it may keep a plan for any values.
            for _ in 0..7 {
                let ust = session(&mut silent, "one-task")?;
                seen += check(&tasks(&mut client, &notices, call, &ust)?, call);
            }
        }
        assert!(seen > CALLS.len() * 7, "{seen} plans");
        silent.execute("SELECT sso_session_end_all('one-task')", &[])?;
    }
    Ok(())
}

fn check(tasks: &[(String, u32)], call: &str) -> usize {
    for (plan, count) in tasks {
        assert_eq!(*count, 1, "{call}:\n{plan}");
    }
    assert!(!tasks.is_empty(), "{call} runs no distributed statement");
    tasks.len()
}

/// Writes batches into a session through each connection in turn, until it is told to stop; every value says
/// which attribute it is of, and how often that was written.
fn write(mut clients: Vec<Client>, stop: &AtomicBool) -> Result<u64> {
    const NAMES: usize = 12;
    let ust = open_session(&mut clients[0], "moves")?;
    let names: Vec<String> = (0..NAMES).map(|number| format!("name-{number:02}")).collect();
    let data = |round: u64| {
        let item = |name: &String| json!({"name": name, "value": {"of": name, "round": round}});
        Value::Array(names.iter().map(item).collect())
    };
    clients[0].execute("SELECT sso_attr_create_many($1, $2)", &[&ust, &data(0)])?;
    let mut round = 0;
    while !stop.load(Ordering::Relaxed) {
        round += 1;
        let at = round as usize % clients.len();
        let verb = ["sso_attr_update_many", "sso_attr_set_many", "sso_attr_update_many"][round as usize % 3];
        clients[at].execute(&format!("SELECT {verb}($1, $2)"), &[&ust, &data(round)])?;
        let single = &names[round as usize % NAMES];
        let value = json!({"of": single, "round": round});
        clients[at].execute("SELECT sso_attr_update_json($1, $2, $3)", &[&ust, single, &value])?;
    }
    for client in &mut clients {
        let all: Value = client.query_one("SELECT sso_attr_get_all($1)", &[&ust])?.get(0);
        for name in &names {
            assert_eq!(all[name], json!({"of": name, "round": round}));
        }
    }
    Ok(round)
}

#[test]
#[ignore = "needs a cluster"]
fn shards_that_move_under_load_lose_and_mix_up_nothing() -> Result {
    let (coordinator, nodes) = cluster()?;
    let mode = std::env::var(MODE).unwrap_or_else(|_| "auto".into());
    let mut client = coordinator.connect(NoTls)?;
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let writers: Vec<_> = (0..4)
            .map(|_| {
                let mut clients = vec![coordinator.connect(NoTls)?];
                for node in &nodes {
                    clients.push(node.connect()?);
                }
                let stop = &stop;
                Ok(scope.spawn(move || write(clients, stop).map_err(|error| error.to_string())))
            })
            .collect::<Result<_>>()?;
        let moved = moves(&mut client, &nodes, &mode);
        stop.store(true, Ordering::Relaxed);
        let mut rounds = 0;
        for writer in writers {
            rounds += writer.join().map_err(|_| "a writer found a wrong value")??;
        }
        println!("{} shards moved ({mode}), {rounds} rounds of writes", moved?);
        Ok(())
    })
}

/// Moves every shard of the sessions to another node and back.
fn moves(client: &mut Client, nodes: &[Node], mode: &str) -> Result<usize> {
    let shards = client.query(
        "SELECT s.shardid, p.nodename, p.nodeport FROM pg_dist_shard AS s JOIN pg_dist_shard_placement AS p USING (shardid)
          WHERE s.logicalrelid = 'sso_attr.session'::regclass ORDER BY s.shardid",
        &[],
    )?;
    let mut moved = 0;
    for shard in &shards {
        let (id, host, port): (i64, String, i32) = (shard.get(0), shard.get(1), shard.get(2));
        let other = nodes
            .iter()
            .find(|node| (node.host.as_str(), node.port) != (host.as_str(), port))
            .ok_or("there is no other node")?;
        let here = (&host, port);
        let there = (&other.host, other.port);
        for ((from, from_port), (to, to_port)) in [(here, there), (there, here)] {
            client.execute(
                "SELECT citus_move_shard_placement($1, $2, $3, $4, $5, $6::text::citus.shard_transfer_mode)",
                &[&id, from, &from_port, to, &to_port, &mode],
            )?;
            moved += 1;
            // What has moved away has to be gone before it can come back.
            wait_until("what was left behind is removed", SOON, || {
                client.batch_execute("CALL citus_cleanup_orphaned_resources()")?;
                Ok(client.query_one("SELECT count(*) FROM pg_dist_cleanup", &[])?.get::<_, i64>(0) == 0)
            })?;
        }
    }
    Ok(moved)
}

#[test]
#[ignore = "needs a cluster"]
fn a_user_has_no_more_sessions_than_wanted_whichever_nodes_they_are_opened_through() -> Result {
    const ROUNDS: usize = 30;
    let (coordinator, nodes) = cluster()?;
    let mut clients = vec![coordinator.connect(NoTls)?];
    for node in &nodes {
        clients.push(node.connect()?);
    }
    let mut witness = coordinator.connect(NoTls)?;
    for round in 0..ROUNDS {
        let start = Barrier::new(clients.len());
        std::thread::scope(|scope| {
            let login = |client: &mut Client| {
                start.wait();
                client.query_one("SELECT sso_session_create('crowd', keep_newest => 1)", &[]).map(drop)
            };
            let logins: Vec<_> =
                clients.iter_mut().map(|client| scope.spawn(move || login(client))).collect();
            logins
                .into_iter()
                .try_for_each(|login| login.join().map_err(|_| "a login panicked")?.map_err(Box::from))
        })
        .map_err(|error: Box<dyn std::error::Error>| error)?;
        let live: i64 = witness.query_one("SELECT count(*) FROM sso_session_list('crowd')", &[])?.get(0);
        assert_eq!(live, 1, "after round {round}");
    }
    witness.execute("SELECT sso_session_end_all('crowd')", &[])?;
    Ok(())
}

#[test]
#[ignore = "needs a cluster"]
fn purge_keys_and_figures_are_of_all_nodes() -> Result {
    let (coordinator, nodes) = cluster()?;
    let mut client = coordinator.connect(NoTls)?;
    for _ in 0..50 {
        let ust = session(&mut client, "purged")?;
        // A second id, most often on another node.
        let adopted = format!("adopted-on-rotation-{}", &ust[20..60]);
        client.execute("SELECT sso_session_rotate($1, new_ust => $2)", &[&ust, &adopted])?;
    }
    let sealed = |client: &mut Client| -> Result<i64> {
        Ok(client.query_one("SELECT sum(attributes)::int8 FROM sso_attr_keys()", &[])?.get(0))
    };
    let before = sealed(&mut client)?;
    assert!(before >= 50, "{before}");
    for node in &nodes {
        assert_eq!(sealed(&mut node.connect()?)?, before);
    }
    client.execute(
        "UPDATE sso_attr.session SET expires_at = '-infinity', purge_bin = '-infinity' WHERE user_id = 'purged'",
        &[],
    )?;
    client.execute("SELECT sso_attr_purge()", &[])?;
    let left =
        "SELECT (SELECT count(*) FROM sso_attr.session WHERE user_id = 'purged' OR alias_of IS NOT NULL)";
    assert_eq!(client.query_one(left, &[])?.get::<_, i64>(0), 0);
    assert_eq!(sealed(&mut client)?, before - 50);
    for node in &nodes {
        let figures = "SELECT purge_backlog = 0 AND (attribute_table_bytes > 0) = EXISTS (SELECT FROM sso_attr.node_tables())
                         FROM sso_attr_stats()";
        assert!(node.connect()?.query_one(figures, &[])?.get::<_, bool>(0));
    }
    Ok(())
}

#[test]
#[ignore = "needs a cluster"]
fn a_grant_reaches_every_node_and_is_taken_back_there() -> Result {
    let (coordinator, nodes) = cluster()?;
    let mut client = coordinator.connect(NoTls)?;
    let may = "SELECT has_function_privilege('sso_test_of_grants', 'sso_attr_get(text, text)', 'EXECUTE')";
    client.batch_execute("DROP ROLE IF EXISTS sso_test_of_grants; CREATE ROLE sso_test_of_grants")?;
    for (change, expected) in [("sso_attr_grant", true), ("sso_attr_revoke", false)] {
        client.execute(&format!("SELECT {change}('sso_test_of_grants')"), &[])?;
        for node in &nodes {
            assert_eq!(node.connect()?.query_one(may, &[])?.get::<_, bool>(0), expected, "{change}");
        }
    }
    client.batch_execute("DROP ROLE sso_test_of_grants")?;
    Ok(())
}
