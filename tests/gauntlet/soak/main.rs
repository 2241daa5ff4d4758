//! Sessions coming and going for a long time: memory of backends and launcher, tables, indexes and
//! latency have to stay where they are. Writes soak.csv and soak.svg into the folder that is given.
//!
//!     sso_attr_soak SECONDS FOLDER

mod load;
mod plot;
mod series;

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use postgres::Client;
use sso_attr_client_tests::{Result, Server};
use sso_attr_gauntlet::seed;

use load::{Latencies, Visitor};
use series::{COLUMNS, Row, growing, write_csv};

const CLIENTS: u64 = 4;
const BETWEEN_LOOKS: Duration = Duration::from_secs(5);

fn main() -> Result {
    let arguments: Vec<_> = std::env::args().collect();
    let [_, seconds, folder] = &*arguments else { return Err("arguments: SECONDS FOLDER".into()) };
    let rows = soak(Duration::from_secs(seconds.parse()?))?;
    let folder = Path::new(folder);
    std::fs::create_dir_all(folder)?;
    write_csv(&folder.join("soak.csv"), &rows)?;
    plot::draw(&folder.join("soak.svg"), &rows)?;
    let calls: f64 = rows.iter().map(|(_, values)| values[COLUMNS.len() - 1]).sum();
    println!("soak: {calls} calls in {seconds} s");
    let growing = growing(&rows);
    if growing.is_empty() { Ok(()) } else { Err(growing.join("; ").into()) }
}

fn soak(length: Duration) -> Result<Vec<Row>> {
    let seed = seed("soak")?;
    let server = Server::with_extension(
        "sso_attr.purge_interval = 5
         autovacuum_naptime = 5
         log_min_error_statement = panic",
    )?;
    let mut visitors = (0..CLIENTS)
        .map(|number| Visitor::new(&server, seed.wrapping_add(number)))
        .collect::<Result<Vec<_>>>()?;
    let pids: Vec<_> = visitors.iter().map(|visitor| visitor.pid).collect();
    let mut client = server.connect("postgres")?;
    let (stop, latencies) = (AtomicBool::new(false), Latencies::default());
    std::thread::scope(|scope| {
        let threads: Vec<_> = visitors
            .iter_mut()
            .map(|visitor| {
                let (stop, latencies) = (&stop, &latencies);
                scope.spawn(move || visitor.visit_until(stop, latencies).map_err(|error| error.to_string()))
            })
            .collect();
        let begun = Instant::now();
        let mut watch = || -> Result<Vec<Row>> {
            let mut rows = Vec::new();
            while begun.elapsed() < length && !threads.iter().any(|thread| thread.is_finished()) {
                std::thread::sleep(BETWEEN_LOOKS);
                rows.push((begun.elapsed().as_secs_f64(), look(&mut client, &pids, &latencies)?));
            }
            Ok(rows)
        };
        let rows = watch();
        stop.store(true, Ordering::Relaxed);
        for thread in threads {
            thread.join().map_err(|_| "a client panicked")??;
        }
        rows
    })
}

fn look(client: &mut Client, pids: &[i32], latencies: &Latencies) -> Result<[f64; COLUMNS.len()]> {
    let row = client.query_one(
        "SELECT (SELECT count(*) FROM sso_attr.session)::float8,
                (SELECT count(*) FROM (SELECT expires_at FROM sso_attr.session
                                       UNION ALL SELECT expires_at FROM sso_attr.attribute) AS r
                 WHERE expires_at < clock_timestamp() - interval '30 s')::float8,
                pg_table_size('sso_attr.session')::float8 / 1024,
                pg_table_size('sso_attr.attribute')::float8 / 1024,
                (pg_indexes_size('sso_attr.session') + pg_indexes_size('sso_attr.attribute'))::float8 / 1024,
                (SELECT pid FROM pg_stat_activity WHERE backend_type = 'sso_attr launcher') AS launcher",
        &[],
    )?;
    let backends = pids.iter().map(|pid| own_memory_kb(*pid)).sum::<Result<f64>>()?;
    let (mut taken, mut nothing) = std::mem::take(&mut *latencies.lock().map_err(|_| "a client panicked")?);
    let calls = taken.len() as f64;
    let (median, nothing) = (median(&mut taken), median(&mut nothing));
    let launcher = own_memory_kb(row.get("launcher"))?;
    let ratio = median / nothing.max(1.0);
    let [rows, overdue, session, attribute, indexes] = [0, 1, 2, 3, 4].map(|column| row.get(column));
    Ok([backends, launcher, rows, overdue, session, attribute, indexes, median, ratio, calls])
}

fn median(values: &mut [u64]) -> f64 {
    values.sort_unstable();
    values.get(values.len() / 2).copied().unwrap_or_default() as f64
}

/// Memory that a process shares with nobody.
fn own_memory_kb(pid: i32) -> Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).ok_or("no RssAnon")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}
