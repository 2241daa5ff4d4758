//! Where memory cannot be had PostgreSQL fails the statement (53200) and goes on. A caller must not
//! be able to turn that into the end of the server by how much it hands over.

use postgres::Client;
use sso_attr_client_tests::{Result, SOON, Server, backend_pid, open_session, refusal, wait_until};

/// Names in a batch, and bytes of a value: each makes vectors of megabytes.
const NAMES: usize = 20_000;
const BYTES: usize = 3_000_000;
/// The memory that a call may take beyond what its backend has, in steps until the call succeeds.
const STEP: u64 = 768 << 10;
const MOST_STEPS: u64 = 200;

/// A figure of a process's memory in bytes.
fn memory(pid: i32, figure: &str) -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let kb = status.lines().find_map(|line| line.strip_prefix(figure)?.strip_prefix(':')?.strip_suffix("kB"));
    Ok(kb.ok_or("no such figure")?.trim().parse::<u64>()? * 1024)
}

/// What the backend may have in all; its address space counts.
fn limit(server: &Server, pid: i32, beyond: Option<u64>) -> Result {
    let limit = match beyond {
        None => "unlimited".to_owned(),
        Some(bytes) => (memory(pid, "VmSize")? + bytes).to_string(),
    };
    server.run(&["prlimit", &format!("--pid={pid}"), &format!("--as={limit}:unlimited")])?;
    Ok(())
}

/// Calls with ever more memory until it is enough; each time before it is refused, and the backend
/// goes on.
fn refused_until_it_succeeds(server: &Server, client: &mut Client, call: &str, ust: &str) -> Result {
    let pid = backend_pid(client)?;
    let statement = client.prepare(&format!("SELECT count({call}) FROM data WHERE $1::text IS NOT NULL"))?;
    let mut refused = 0;
    for step in 0..MOST_STEPS {
        let mut transaction = client.transaction()?;
        limit(server, pid, Some(step * STEP))?;
        let result = transaction.query_one(&statement, &[&ust]);
        if result.is_ok() {
            assert!(refused > 0, "{call} was never short of memory");
            return Ok(());
        }
        let error =
            refusal(result).map_err(|error| format!("{call}, {} kB more: {error}", step * STEP / 1024))?;
        limit(server, pid, None)?;
        assert_eq!(error.code().code(), "53200", "{call}: {error}");
        refused += 1;
        transaction.rollback()?;
    }
    Err(format!("{call} needs more than {} MB", MOST_STEPS * STEP >> 20).into())
}

/// A server with a session of large values and many names, and what to hand over in a table.
fn filled() -> Result<(Server, String)> {
    let server =
        Server::with_extension("shared_buffers = 16MB\nsso_attr.max_value_size = 64MB\nautovacuum = off")?;
    let mut client = server.connect("postgres")?;
    let ust = open_session(&mut client, "limit")?;
    client.batch_execute(&format!(
        "CREATE TABLE data AS SELECT
             (SELECT jsonb_agg(jsonb_build_object('name', 'n' || i, 'value', i)) FROM generate_series(1, {NAMES}) AS i) AS items,
             (SELECT jsonb_agg(jsonb_build_object('name', 'n' || i)) FROM generate_series(1, {NAMES}) AS i) AS ends,
             (SELECT array_agg('n' || i) FROM generate_series(1, {NAMES}) AS i) AS names,
             repeat('x', {BYTES}) AS value"
    ))?;
    client.execute("SELECT sso_attr_create_many($1, items) FROM data", &[&ust])?;
    client.execute("SELECT sso_attr_create($1, 'large', value, NULL, true) FROM data", &[&ust])?;
    Ok((server, ust))
}

fn all_refused_until_they_succeed(calls: &[&str]) -> Result {
    let (server, ust) = filled()?;
    let mut wrong = Vec::new();
    for call in calls {
        // A backend of its own for each: what one had taken would serve the next.
        let mut client = server.connect("postgres")?;
        if let Err(error) = refused_until_it_succeeds(&server, &mut client, call, &ust) {
            wrong.push(error.to_string());
            wait_until("the server is there", SOON, || Ok(server.connect("postgres").is_ok()))?;
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

#[test]
fn a_large_value_without_memory_is_refused() -> Result {
    all_refused_until_they_succeed(&[
        "sso_attr_set($1, 'new', value)",
        "sso_attr_set($1, 'new', value, NULL, true)",
        "sso_attr_update($1, 'large', value)",
        "sso_attr_get($1, 'large')",
        "sso_attr_get_text($1, 'large')",
        "sso_attr_take($1, 'large')",
    ])
}

#[test]
fn a_large_batch_without_memory_is_refused() -> Result {
    all_refused_until_they_succeed(&[
        "sso_attr_set_many($1, items)",
        "sso_attr_update_many($1, items)",
        "sso_attr_set_expiry_many($1, ends)",
        "sso_attr_get_many($1, names)",
        "sso_attr_exists_many($1, names)",
        "sso_attr_delete_many($1, names)",
        "sso_attr_get_all($1)",
    ])
}

#[test]
fn a_large_sealed_value_is_not_copied_over_and_over() -> Result {
    const VALUE: u64 = 8_000_000;
    // Pages of the shared memory count as the backend's once it has touched them.
    let server = Server::with_extension("shared_buffers = 1MB\nsso_attr.max_value_size = 64MB")?;
    let mut client = server.connect("postgres")?;
    let ust = open_session(&mut client, "peak")?;
    client.execute("SELECT sso_attr_set($1, 'warm', 'x'::text, NULL, true)", &[&ust])?;
    let pid = backend_pid(&mut client)?;
    let before = memory(pid, "VmHWM")?;

    let set = format!("SELECT sso_attr_set($1, 'large', repeat('x', {VALUE}), NULL, true)");
    client.execute(&set, &[&ust])?;

    let times = (memory(pid, "VmHWM")? - before) as f64 / VALUE as f64;
    assert!(times < 6.5, "{times:.1} times the value");
    Ok(())
}
