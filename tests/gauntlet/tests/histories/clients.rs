//! Clients at work on the same sessions, each at one isolation level, and what they record.

use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use postgres::types::ToSql;
use postgres::{Client, Row};
use sso_attr_client_tests::{KEY, Random, Result, Server};

use crate::history::{Act, Record};

pub const ISOLATION: [&str; 3] = ["read committed", "repeatable read", "serializable"];
/// Names of each kind: few, so that clients meet.
const NAMES: usize = 3;
const BATCH: usize = 8;
const USERS: usize = 3;
pub const KEEP: i64 = 2;

/// What all clients know.
pub struct Stage<'a> {
    server: &'a Server,
    begun: Instant,
    ust: String,
    /// Tokens that clients have been given.
    tokens: Mutex<Vec<(String, String)>>,
    /// Held by whoever replaces the keyring.
    keyring: Mutex<()>,
    round: u64,
}

struct Actor<'a> {
    stage: &'a Stage<'a>,
    client: Client,
    random: Random,
    level: usize,
    /// Values that no other client writes.
    next: i64,
    history: Vec<Record>,
}

type Sql<T> = std::result::Result<T, postgres::Error>;

/// Lets so many clients make so many calls each; returns all that was recorded, the end included.
pub fn play(server: &Server, seed: u64, clients: usize, calls: usize) -> Result<Vec<Record>> {
    let mut client = server.connect("postgres")?;
    let ust = client.query_one("SELECT sso_session_create(expiration => 86400)", &[])?.get(0);
    let stage = Stage {
        server,
        begun: Instant::now(),
        ust,
        tokens: Mutex::default(),
        keyring: Mutex::default(),
        round: seed,
    };
    for name in 0..NAMES {
        let names = [format!("w{name}"), format!("r{name}")];
        let sealed = name == 0;
        for name in &names {
            client
                .execute("SELECT sso_attr_create($1, $2, 0, encrypt => $3)", &[&stage.ust, name, &sealed])?;
        }
    }
    let batch = format!(
        "SELECT sso_attr_create_many($1, (SELECT jsonb_agg(jsonb_build_object('name', 'b' || i, 'value', 0, 'encrypt', i % 2 = 0))
         FROM generate_series(0, {BATCH} - 1) AS i))"
    );
    client.execute(&batch, &[&stage.ust])?;

    let mut history: Vec<Record> = (0..NAMES)
        .map(|name| Record {
            from: 0,
            to: 0,
            act: Act::Write { name: format!("w{name}"), value: 0 },
            error: None,
        })
        .collect();
    std::thread::scope(|scope| {
        let actors: Vec<_> = (0..clients)
            .map(|number| {
                let stage = &stage;
                scope.spawn(move || {
                    let work = || -> Result<Vec<Record>> {
                        let mut actor = Actor::new(stage, number)?;
                        (0..calls).try_for_each(|_| actor.step())?;
                        Ok(actor.history)
                    };
                    work().map_err(|error| error.to_string())
                })
            })
            .collect();
        for actor in actors {
            history.extend(actor.join().map_err(|_| "a client panicked")??);
        }
        Result::Ok(())
    })?;
    let mut last = Actor::new(&stage, 0)?;
    last.finish()?;
    history.extend(last.history);
    Ok(history)
}

impl<'a> Actor<'a> {
    fn new(stage: &'a Stage<'a>, number: usize) -> Result<Actor<'a>> {
        let mut client = stage.server.connect("postgres")?;
        let level = number % ISOLATION.len();
        client.batch_execute(&format!("SET default_transaction_isolation = '{}'", ISOLATION[level]))?;
        Ok(Actor {
            stage,
            client,
            random: Random::new(stage.round.wrapping_mul(1000).wrapping_add(number as u64)),
            level,
            next: number as i64 * 1_000_000_000,
            history: Vec::new(),
        })
    }

    fn now(&self) -> u64 {
        self.stage.begun.elapsed().as_nanos() as u64
    }

    /// Makes a call and records what `act` makes of its answer; an error that is not the server's ends all.
    fn record<T>(
        &mut self,
        call: impl FnOnce(&mut Client) -> Sql<T>,
        act: impl FnOnce(Option<T>) -> Act,
    ) -> Result<bool> {
        let from = self.now();
        let outcome = call(&mut self.client);
        let to = self.now();
        let (answer, error) = match outcome {
            Ok(answer) => (Some(answer), None),
            Err(error) => {
                let state = error.code().ok_or_else(|| error.to_string())?.code().to_owned();
                (None, Some(state))
            }
        };
        let is_done = error.is_none();
        self.history.push(Record { from, to, act: act(answer), error });
        Ok(is_done)
    }

    fn call(&mut self, sql: &str, params: &[&(dyn ToSql + Sync)], act: Act) -> Result<bool> {
        self.record(|client| client.execute(sql, params), |_| act)
    }

    fn ask(
        &mut self,
        sql: &str,
        params: &[&(dyn ToSql + Sync)],
        act: impl FnOnce(Row) -> Act,
    ) -> Result<bool> {
        self.record(|client| client.query_one(sql, params), |row| row.map_or(Act::Other, act))
    }

    fn value(&mut self) -> i64 {
        self.next += 1;
        self.next
    }

    fn step(&mut self) -> Result {
        let ust = self.stage.ust.clone();
        let number = self.random.below(NAMES);
        match self.random.below(20) {
            0..=2 => {
                let (name, value) = (format!("w{number}"), self.value());
                let act = Act::Write { name: name.clone(), value };
                self.call("SELECT sso_attr_update($1, $2, $3::bigint)", &[&ust, &name, &value], act)?;
            }
            3..=4 => self.read(number)?,
            5..=6 => {
                let (name, by) = (format!("n{number}"), 1 + self.random.below(5) as i64);
                let sql = "SELECT sso_attr_increment($1, $2, $3::bigint)";
                let act = Act::Add { name: name.clone(), by };
                self.call(sql, &[&ust, &name, &by], act)?;
            }
            7..=8 => self.read_and_write(number)?,
            9 => {
                let (name, value) = (format!("t{number}"), self.value());
                let sql = "SELECT sso_attr_create($1, $2, $3::bigint, encrypt => $4)";
                let sealed = self.random.one_in(2);
                self.call(sql, &[&ust, &name, &value, &sealed], Act::Put { value })?;
            }
            10 => {
                let sql = "SELECT sso_attr_take($1, $2)::bigint";
                self.ask(sql, &[&ust, &format!("t{number}")], |row| Act::Take { value: row.get(0) })?;
            }
            11 => self.write_batch()?,
            12..=13 => self.see_batch()?,
            14..=17 => self.session()?,
            18 if self.level == 0 => self.keep()?,
            _ => self.operate()?,
        }
        Ok(())
    }

    fn read(&mut self, number: usize) -> Result {
        let (ust, name) = (self.stage.ust.clone(), format!("w{number}"));
        let sql = "SELECT sso_attr_get($1, $2)::bigint";
        self.ask(sql, &[&ust, &name.clone()], |row| Act::Read { name, value: row.get(0) })?;
        Ok(())
    }

    /// One more, by reading and writing: in a transaction where that is safe, else by comparing.
    fn read_and_write(&mut self, number: usize) -> Result {
        let (ust, name) = (self.stage.ust.clone(), format!("r{number}"));
        let is_compared = self.level == 0;
        let by_one = |client: &mut Client| -> Sql<bool> {
            let mut transaction = client.transaction()?;
            let seen = transaction.query_one("SELECT sso_attr_get($1, $2)::bigint", &[&ust, &name])?;
            let next = seen.get::<_, i64>(0) + 1;
            let is_changed = if is_compared {
                let sql =
                    "SELECT sso_attr_compare_and_set($1, $2, to_jsonb($3::bigint - 1), to_jsonb($3::bigint))";
                transaction.query_one(sql, &[&ust, &name, &next])?.get(0)
            } else {
                transaction.execute("SELECT sso_attr_update($1, $2, $3::bigint)", &[&ust, &name, &next])?;
                true
            };
            transaction.commit()?;
            Ok(is_changed)
        };
        self.record(by_one, |changed| match changed {
            Some(true) => Act::Add { name: name.clone(), by: 1 },
            _ => Act::Other,
        })?;
        Ok(())
    }

    fn write_batch(&mut self) -> Result {
        let (ust, value) = (self.stage.ust.clone(), self.value());
        let items = format!(
            "(SELECT jsonb_agg(jsonb_build_object('name', 'b' || i, 'value', $2::bigint) ORDER BY i * $3::integer)
              FROM generate_series(0, {BATCH} - 1) AS i)"
        );
        let object = format!(
            "(SELECT jsonb_object_agg('b' || i, $2::bigint + 0 * $3::integer) FROM generate_series(0, {BATCH} - 1) AS i)"
        );
        let sql = match self.random.below(4) {
            0 => format!("SELECT sso_session_save($1, {object}, expiration => 86400)"),
            1 => format!("SELECT sso_attr_set_many($1, {items}, encrypt => $2::bigint % 2 = 0)"),
            _ => format!("SELECT sso_attr_update_many($1, {items})"),
        };
        let order = if self.random.one_in(2) { 1 } else { -1 };
        self.call(&sql, &[&ust, &value, &order], Act::Other)?;
        Ok(())
    }

    fn see_batch(&mut self) -> Result {
        let ust = self.stage.ust.clone();
        let seen = match self.random.below(3) {
            0 => format!(
                "sso_attr_get_many($1, ARRAY(SELECT 'b' || i FROM generate_series(0, {BATCH} - 1) AS i))"
            ),
            1 => "(SELECT attributes FROM sso_session_load($1))".into(),
            _ => "sso_attr_get_all($1)".into(),
        };
        let sql = format!(
            "SELECT array_agg(value::bigint) FROM (SELECT {seen}) AS s (seen), jsonb_each(seen) WHERE key LIKE 'b%'"
        );
        self.ask(&sql, &[&ust], |row| Act::Seen { values: row.get(0) })?;
        Ok(())
    }

    fn any_token(&mut self) -> (String, String) {
        let tokens = self.stage.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        // The last ones: others are dead, which is worth a look now and then.
        let among = if self.random.one_in(4) { tokens.len() } else { tokens.len().min(8) };
        match among {
            0 => (self.stage.ust.clone(), String::new()),
            among => tokens[tokens.len() - 1 - self.random.below(among)].clone(),
        }
    }

    fn opened(&mut self, user: String, call: impl FnOnce(&mut Client, &str) -> Sql<String>) -> Result<bool> {
        let mut given = None;
        let of = user.clone();
        let is_done = self.record(
            |client| call(client, &of),
            |token| match token {
                Some(token) => {
                    given = Some(token.clone());
                    Act::Open { token, user: of.clone() }
                }
                None => Act::Other,
            },
        )?;
        if let Some(token) = given {
            let mut tokens = self.stage.tokens.lock().unwrap_or_else(PoisonError::into_inner);
            tokens.push((token, user));
        }
        Ok(is_done)
    }

    fn session(&mut self) -> Result {
        let (token, user) = self.any_token();
        let is_shared = token == self.stage.ust;
        match self.random.below(10) {
            0..=1 => {
                let user = format!("u{}-{}", self.random.below(USERS), self.stage.round);
                self.opened(user, |client, user| {
                    Ok(client.query_one("SELECT sso_session_create($1)", &[&user])?.get(0))
                })?;
            }
            2 if !is_shared => {
                self.ask("SELECT sso_session_end($1)", &[&token.clone()], |_| Act::End { token })?;
            }
            3 if !is_shared => {
                let (old, from) = (token.clone(), self.now());
                let is_done = self.opened(user, move |client, _| {
                    Ok(client.query_one("SELECT sso_session_rotate($1)", &[&old])?.get(0))
                })?;
                if is_done {
                    let to = self.now();
                    self.history.push(Record { from, to, act: Act::End { token }, error: None });
                }
            }
            4 if self.random.one_in(4) => {
                let user = format!("u{}-{}", self.random.below(USERS), self.stage.round);
                let act = Act::EndAll { user: user.clone() };
                self.call("SELECT sso_session_end_all($1)", &[&user], act)?;
            }
            _ => self.use_token(token)?,
        }
        Ok(())
    }

    /// Something that only a live session allows.
    fn use_token(&mut self, token: String) -> Result {
        let sql = *self.random.pick(&[
            "SELECT sso_session_verify($1)",
            "SELECT EXISTS (SELECT FROM sso_session_load($1))",
            "SELECT EXISTS (SELECT FROM sso_session_get($1))",
            "SELECT sso_attr_set($1, 'x', 1) IS NOT NULL",
            "SELECT sso_session_save($1, '{\"x\": 2, \"y\": 3}') IS NOT NULL",
            "SELECT sso_session_renew($1, 3600 + 36000 * random()) IS NOT NULL",
            "SELECT sso_attr_set_many($1, '[{\"name\": \"y\", \"value\": 1}, {\"name\": \"x\", \"value\": 1}]') > 0",
            "SELECT sso_attr_get_all($1) IS NOT NULL",
            "SELECT sso_attr_delete($1, 'x') IS NOT NULL",
        ]);
        self.ask(sql, &[&token.clone()], |row| Act::Used { token, is_alive: row.get(0) })?;
        Ok(())
    }

    fn keep(&mut self) -> Result {
        let user = format!("k{}-{}", self.random.below(USERS), self.stage.round);
        self.call("SELECT sso_session_create($1, keep_newest => 2)", &[&user], Act::Other)?;
        self.count_kept(&user, false)
    }

    fn count_kept(&mut self, user: &str, is_last: bool) -> Result {
        let sql = "SELECT count(*) FROM sso_session_list($1)";
        self.ask(sql, &[&user], |row| Act::Kept { live: row.get(0), keep: KEEP, is_last })?;
        Ok(())
    }

    fn operate(&mut self) -> Result {
        match self.random.below(12) {
            0 => {
                self.call("SELECT sso_attr_purge(10)", &[], Act::Other)?;
            }
            1 => {
                self.call("SELECT sso_attr_rekey(3)", &[], Act::Other)?;
            }
            2 if self.random.one_in(8) => {
                let (one, other) = (format!("1:{}\n", hex::encode(KEY)), format!("2:{}\n", "5a".repeat(32)));
                let ring = if self.random.one_in(2) { one.clone() + &other } else { other + &one };
                let _turn = self.stage.keyring.lock().unwrap_or_else(PoisonError::into_inner);
                self.stage.server.set_keyring(&ring)?;
            }
            _ => self.read(0)?,
        }
        Ok(())
    }

    /// What is there when all others are done.
    fn finish(&mut self) -> Result {
        let ust = self.stage.ust.clone();
        for number in 0..NAMES {
            self.read(number)?;
            for name in [format!("n{number}"), format!("r{number}")] {
                let sql = "SELECT coalesce(sso_attr_get($1, $2)::bigint, 0)";
                self.ask(sql, &[&ust, &name.clone()], |row| Act::Sum { name, value: row.get(0) })?;
            }
        }
        let sql = "SELECT array_remove(array_agg(sso_attr_get($1, 't' || i)::bigint), NULL)
                   FROM generate_series(0, 2) AS i";
        self.ask(sql, &[&ust], |row| Act::Left { values: row.get(0) })?;
        self.see_batch()?;
        let tokens = self.stage.tokens.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for (token, _) in tokens {
            let sql = "SELECT sso_session_verify($1)";
            self.ask(sql, &[&token.clone()], |row| Act::Used { token, is_alive: row.get(0) })?;
        }
        for user in 0..USERS {
            let user = format!("k{user}-{}", self.stage.round);
            // Whoever has come only once keeps one.
            for _ in 0..KEEP {
                self.call("SELECT sso_session_create($1, keep_newest => 2)", &[&user], Act::Other)?;
            }
            self.count_kept(&user, true)?;
        }
        Ok(())
    }
}
