//! Keys are changed under running servers, so what counts is what open connections make of it.

use std::fs::{File, hard_link, rename};
use std::sync::atomic::{AtomicBool, Ordering};

use postgres::Client;
use sso_attr_client_tests::{KEY, Result, SOON, Server, open_session, refusal, wait_until};

/// What the server logs when it goes on with the keyring it has.
const KEPT: &str = "the last good one stays in use";

fn line(id: u32, key: &[u8]) -> String {
    format!("{id}:{}\n", hex::encode(key))
}

/// Seals a value and returns the id of the key that did it, which stands behind two header bytes.
fn sealing_key(client: &mut Client, ust: &str) -> std::result::Result<i64, postgres::Error> {
    client.execute("SELECT sso_attr_set($1, 'fresh', 'a secret'::text, encrypt => true)", &[&ust])?;
    let id = "SELECT ('x' || encode(substr(sealed, 3, 4), 'hex'))::bit(32)::bigint
              FROM sso_attr.attribute WHERE name = 'fresh'";
    Ok(client.query_one(id, &[])?.get(0))
}

fn old_value(client: &mut Client, ust: &str) -> std::result::Result<String, postgres::Error> {
    Ok(client.query_one("SELECT sso_attr_get_text($1, 'old')", &[&ust])?.get(0))
}

#[test]
fn open_connections_pick_up_new_keys_by_themselves() -> Result {
    let server = Server::with_extension("")?;
    let mut client = server.connect("postgres")?;
    let ust = open_session(&mut client, "keys")?;
    client.execute("SELECT sso_attr_create($1, 'old', 'of key 1'::text, encrypt => true)", &[&ust])?;
    assert_eq!(sealing_key(&mut client, &ust)?, 1);

    server.set_keyring(&(line(1, &KEY) + &line(2, &[2; 32])))?;
    assert_eq!(sealing_key(&mut client, &ust)?, 1);

    server.set_keyring(&(line(2, &[2; 32]) + &line(1, &KEY)))?;
    assert_eq!(sealing_key(&mut client, &ust)?, 2);
    assert_eq!(old_value(&mut client, &ust)?, "of key 1");

    server.set_keyring(&line(2, &[2; 32]))?;
    let error = refusal(old_value(&mut client, &ust))?;
    assert_eq!(error.code().code(), "55000");
    assert_eq!(error.message(), "encryption key 1 is not in the keyring");
    Ok(())
}

#[test]
fn an_unusable_keyring_leaves_the_last_good_one_in_use_and_warns_once() -> Result {
    let server = Server::with_extension("")?;
    let mut clients = [server.connect("postgres")?, server.connect("postgres")?];
    let ust = open_session(&mut clients[0], "keys")?;
    clients[0].execute("SELECT sso_attr_create($1, 'old', 'of key 1'::text, encrypt => true)", &[&ust])?;
    for client in &mut clients {
        old_value(client, &ust)?;
    }

    let keyring = server.keyring();
    let keyring = keyring.to_str().ok_or("a path that is no text")?;
    let spoil: [(&str, &dyn Fn() -> Result); 3] = [
        ("Line 2 is not", &|| server.set_keyring(&(line(2, &[2; 32]) + "1:spoiled"))),
        ("cannot be read", &|| server.run(&["rm", keyring]).map(drop)),
        ("accessible to group or others", &|| {
            server.set_keyring(&line(2, &[2; 32]))?;
            server.run(&["chmod", "640", keyring]).map(drop)
        }),
    ];
    for (times, (reason, spoil)) in (1..).zip(spoil) {
        spoil()?;
        for client in &mut clients {
            for _ in 0..5 {
                assert_eq!(sealing_key(client, &ust)?, 1, "{reason}");
                assert_eq!(old_value(client, &ust)?, "of key 1", "{reason}");
            }
        }
        let log = server.log()?;
        assert_eq!(log.matches(KEPT).count(), times * clients.len(), "{log}");
        assert_eq!(log.matches(reason).count(), clients.len(), "{log}");

        // A connection that has no last good keyring has none.
        let mut late = server.connect("postgres")?;
        let error = refusal(old_value(&mut late, &ust))?;
        assert_eq!(error.code().code(), "55000");
        assert!(error.detail().is_some_and(|detail| detail.contains(reason)), "{error:?}");
        assert_eq!(refusal(sealing_key(&mut late, &ust))?.code().code(), "55000");
    }

    server.set_keyring(&(line(2, &[2; 32]) + &line(1, &KEY)))?;
    for client in &mut clients {
        assert_eq!(sealing_key(client, &ust)?, 2);
        assert_eq!(old_value(client, &ust)?, "of key 1");
    }
    Ok(())
}

/// A file that turns into a pipe between two looks at it would be waited for without end.
#[test]
fn a_pipe_in_the_place_of_the_file_is_never_waited_for() -> Result {
    let server = Server::with_extension("client_min_messages = error\nlog_min_messages = error")?;
    let mut clients = Vec::new();
    for number in 0..4 {
        let mut client = server.connect("postgres")?;
        let ust = open_session(&mut client, "keys")?;
        let seal = format!("SELECT sso_attr_set('{ust}', 'n', {number}, encrypt => true)");
        client.simple_query(&seal)?;
        clients.push((client, seal));
    }
    let keyring = server.keyring();
    let beside = |suffix: &str| keyring.with_extension(suffix);
    let (file, pipe, next) = (beside("file"), beside("pipe"), beside("next"));
    hard_link(&keyring, &file)?;
    server.run(&["mkfifo".as_ref(), pipe.as_os_str()])?;

    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| -> Result {
        let swapping = scope.spawn(|| -> std::io::Result<()> {
            while !stop.load(Ordering::Relaxed) {
                for kind in [&pipe, &file] {
                    hard_link(kind, &next)?;
                    rename(&next, &keyring)?;
                }
            }
            Ok(())
        });
        let calling: Vec<_> = clients
            .into_iter()
            .map(|(mut client, seal)| {
                scope.spawn(move || (0..2000).all(|_| client.simple_query(&seal).is_ok()))
            })
            .collect();
        let in_time =
            wait_until("the calls are done", SOON, || Ok(calling.iter().all(|call| call.is_finished())));
        stop.store(true, Ordering::Relaxed);
        swapping.join().map_err(|_| "the swapping panicked")??;
        if in_time.is_err() {
            // Whoever waits for a writer gets one.
            while !calling.iter().all(|call| call.is_finished()) {
                drop(File::options().read(true).write(true).open(&pipe));
            }
        }
        for call in calling {
            assert!(call.join().map_err(|_| "a caller panicked")?);
        }
        in_time
    })
}
