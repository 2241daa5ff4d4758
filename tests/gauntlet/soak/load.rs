//! Sessions coming and going: opened, written, read, and ended or left to expire.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use postgres::Client;
use sso_attr_client_tests::{Random, Result, Server, backend_pid};

/// Between two visits of a client: the machine is not to be busy with nothing else.
const PAUSE: Duration = Duration::from_millis(20);
/// How long a session lives at most.
const SECONDS: usize = 60;
/// How long every call took since the last look, and beside them every statement that does nothing, in
/// microseconds.
pub type Latencies = Mutex<(Vec<u64>, Vec<u64>)>;

pub struct Visitor {
    client: Client,
    random: Random,
    /// Sessions that are visited again, the oldest first.
    tokens: Vec<String>,
    pub pid: i32,
}

impl Visitor {
    pub fn new(server: &Server, seed: u64) -> Result<Visitor> {
        let mut client = server.connect("postgres")?;
        let pid = backend_pid(&mut client)?;
        Ok(Visitor { client, random: Random::new(seed), tokens: Vec::new(), pid })
    }

    pub fn visit_until(&mut self, stop: &AtomicBool, latencies: &Latencies) -> Result {
        while !stop.load(Ordering::Relaxed) {
            let taken = self.visit()?;
            let begun = Instant::now();
            self.client.query_one("SELECT $1::text", &[&"nothing"])?;
            let nothing = begun.elapsed().as_micros() as u64;
            let mut latencies = latencies.lock().map_err(|_| "another client panicked")?;
            latencies.0.extend(taken);
            latencies.1.push(nothing);
            drop(latencies);
            std::thread::sleep(PAUSE);
        }
        Ok(())
    }

    fn visit(&mut self) -> Result<Vec<u64>> {
        let random = &mut self.random;
        let mut taken = Vec::new();
        let client = &mut self.client;
        let mut call = |sql: &str, ust: &str| -> Result<Option<String>> {
            let begun = Instant::now();
            let row = client.query_opt(sql, &[&ust])?;
            taken.push(begun.elapsed().as_micros() as u64);
            Ok(row.and_then(|row| row.get(0)))
        };
        if self.tokens.len() < 100 || random.one_in(4) {
            let seconds = 1 + random.below(SECONDS);
            let user = format!("user {}", random.below(50));
            let open = format!("SELECT sso_session_create($1, expiration => {seconds}, keep_newest => 20)");
            let token = call(&open, &user)?.ok_or("no token")?;
            call(
                "SELECT sso_session_save($1, '{\"a\": 1, \"b\": \"two\", \"secret\": \"s\"}', encrypt => '{secret}')::text",
                &token,
            )?;
            self.tokens.push(token);
        }
        let place = random.below(self.tokens.len());
        let token = self.tokens[place].clone();
        if call("SELECT attributes::text FROM sso_session_load($1)", &token)?.is_none() || random.one_in(8) {
            call("SELECT sso_session_end($1)::text", &token)?;
            self.tokens.remove(place);
            return Ok(taken);
        }
        // The session may end at any moment, which is no failure.
        let each = format!(
            "SELECT CASE WHEN sso_session_verify($1) THEN
                 (SELECT sso_attr_set($1, 'n{}', repeat('x', {}), {}, {}))::text END",
            random.below(10),
            1 + random.below(2000),
            1 + random.below(SECONDS),
            random.one_in(2)
        );
        match call(&each, &token).and_then(|_| call("SELECT sso_attr_increment($1, 'a')::text", &token)) {
            Err(error) if is_over(&*error) => {}
            other => {
                other?;
            }
        }
        Ok(taken)
    }
}

fn is_over(error: &(dyn std::error::Error + 'static)) -> bool {
    let error = error.downcast_ref::<postgres::Error>();
    error.and_then(|error| error.code()).is_some_and(|state| state.code() == "28000")
}
