//! What is exact with many clients at once: sums, and how many sessions a user keeps.

use std::thread;

use postgres::Client;
use sso_attr_client_tests::{Result, Server, open_session};

const CLIENTS: usize = 8;

/// Runs `work` on so many connections at once.
fn at_once(server: &Server, work: impl Fn(usize, &mut Client) -> Result + Sync) -> Result {
    thread::scope(|scope| {
        let workers: Vec<_> = (0..CLIENTS)
            .map(|number| {
                let work = &work;
                scope.spawn(move || {
                    let run = || work(number, &mut server.connect("postgres")?);
                    run().map_err(|error| error.to_string())
                })
            })
            .collect();
        for worker in workers {
            worker.join().expect("a connection panicked")?;
        }
        Ok(())
    })
}

#[test]
fn increments_add_up() -> Result {
    let server = Server::with_extension("")?;
    let mut client = server.connect("postgres")?;
    let ust = open_session(&mut client, "many")?;
    client.execute("SELECT sso_attr_create($1, 'sealed', 0, encrypt => true)", &[&ust])?;

    // What is not there is created by all of them at once.
    at_once(&server, |_, client| {
        for _ in 0..100 {
            client.execute(
                "SELECT sso_attr_increment($1, 'clear'), sso_attr_increment($1, 'sealed', 3)",
                &[&ust],
            )?;
        }
        Ok(())
    })?;

    let sums = client
        .query_one("SELECT sso_attr_get_text($1, 'clear'), sso_attr_get_text($1, 'sealed')", &[&ust])?;
    assert_eq!((sums.get(0), sums.get(1)), ("800", "2400"));
    Ok(())
}

#[test]
fn of_many_that_compare_one_wins_each_round() -> Result {
    let server = Server::with_extension("")?;
    let mut client = server.connect("postgres")?;
    let ust = open_session(&mut client, "many")?;
    client.execute("SELECT sso_attr_create($1, 'round', 0)", &[&ust])?;

    at_once(&server, |_, client| {
        for _ in 0..20 {
            // Each takes what it sees one step further, until it was the one that did.
            let step = "SELECT sso_attr_compare_and_set($1, 'round', seen, to_jsonb(seen::integer + 1))
                        FROM (SELECT sso_attr_get($1, 'round')) AS s (seen)";
            while !client.query_one(step, &[&ust])?.get::<_, bool>(0) {}
        }
        Ok(())
    })?;

    let round = client.query_one("SELECT sso_attr_get_text($1, 'round')", &[&ust])?;
    assert_eq!(round.get::<_, &str>(0), "160");
    Ok(())
}

#[test]
fn logins_keep_exactly_as_many_as_they_say() -> Result {
    let server = Server::with_extension("")?;

    at_once(&server, |number, client| {
        let mut watch = server.connect("postgres")?;
        for round in 0..50 {
            let user = format!("user {}", (number + round) % 2);
            client.execute("SELECT sso_session_create($1, keep_newest => 3)", &[&user])?;
            let live: i64 = watch.query_one("SELECT count(*) FROM sso_session_list($1)", &[&user])?.get(0);
            if live > 3 {
                return Err(format!("{live} sessions are live").into());
            }
        }
        Ok(())
    })?;

    let mut client = server.connect("postgres")?;
    for user in ["user 0", "user 1"] {
        let live = client.query_one("SELECT count(*) FROM sso_session_list($1)", &[&user])?;
        assert_eq!(live.get::<_, i64>(0), 3);
    }
    Ok(())
}
