//! Where memory cannot be had PostgreSQL fails the statement (53200) and goes on. A caller must not
//! be able to turn that into the end of the server by how much it hands over.

use postgres::Client;
use sso_attr_client_tests::{Result, SOON, Server, backend_pid, open_session, refusal, wait_until};

/// Names in a batch, and bytes of a value: each makes vectors of megabytes.
const NAMES: usize = 20_000;
const BYTES: usize = 1_000_000;
/// Sessions of one user.
const SESSIONS: usize = 5_000;
/// The steps in which a call gets more memory than its backend has, small ones first.
const MOST_STEPS: u64 = 30;

fn memory_at(step: u64) -> u64 {
    step * step * (128 << 10)
}

/// A figure of a process's memory in bytes.
fn memory(pid: i32, figure: &str) -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let kb = status.lines().find_map(|line| line.strip_prefix(figure)?.strip_prefix(':')?.strip_suffix("kB"));
    Ok(kb.ok_or("no such figure")?.trim().parse::<u64>()? * 1024)
}

/// Limits a backend's address space to what it has and `beyond` more. Another backend sets the limit,
/// being of the same operating system user.
fn limit(other: &mut Client, pid: i32, beyond: u64) -> Result {
    let limit = memory(pid, "VmSize")? + beyond;
    let command = format!("prlimit --pid={pid} --as={limit}:unlimited");
    Ok(other.batch_execute(&format!("COPY output FROM PROGRAM '{command}'"))?)
}

/// Calls with ever more memory until it is enough; every earlier call is refused, and the backend
/// goes on.
fn refused_until_it_succeeds(server: &Server, client: &mut Client, call: &str, argument: &str) -> Result {
    let pid = backend_pid(client)?;
    let mut other = server.connect("postgres")?;
    let statement = client.prepare(&format!("SELECT count({call}) FROM data WHERE $1::text IS NOT NULL"))?;
    for step in 0..MOST_STEPS {
        let mut transaction = client.transaction()?;
        let memory = memory_at(step);
        limit(&mut other, pid, memory)?;
        let result = transaction.query_one(&statement, &[&argument]);
        if result.is_ok() {
            assert!(step > 0, "{call} was never short of memory");
            return Ok(());
        }
        let error = refusal(result).map_err(|error| format!("{call}, {} kB more: {error}", memory >> 10))?;
        if error.code().code() != "53200" {
            return Err(format!("{call}, {} kB more: {error}", memory >> 10).into());
        }
        transaction.rollback()?;
    }
    Err(format!("{call} needs more than {} MB", memory_at(MOST_STEPS) >> 20).into())
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
             (SELECT jsonb_object_agg('n' || i, i) FROM generate_series(1, {NAMES}) AS i) AS changed,
             repeat('x', {BYTES}) AS value"
    ))?;
    client.batch_execute("CREATE TABLE output (line text)")?;
    client.execute("SELECT sso_attr_create_many($1, items) FROM data", &[&ust])?;
    client.execute("SELECT sso_attr_create($1, 'large', value, NULL, true) FROM data", &[&ust])?;
    client.batch_execute(&format!(
        "SELECT count(sso_session_create('many', 'app', user_agent => 'agent')) FROM generate_series(1, {SESSIONS})"
    ))?;
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
        "sso_session_save($1, changed)",
    ])
}

#[test]
fn a_long_result_without_memory_is_refused() -> Result {
    all_refused_until_they_succeed(&[
        "sso_attr_get_all($1)",
        "(SELECT count(*) FROM sso_attr_names($1))",
        "(SELECT count(*) FROM sso_attr_list($1))",
        "(SELECT count(*) FROM sso_session_load($1))",
        "(SELECT count(*) FROM sso_session_list('many'))",
        "sso_session_end_all('many')",
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
