//! Secrets must be nowhere on disk, in logs or in statistics: looked for in every byte of them.

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD as BASE64URL};
use memchr::memmem;
use postgres::Client;
use serde_json::json;
use sso_attr_client_tests::{KEY, Result, SOON, Server, backend_pid, open_session, refusal, wait_until};

const SECRET: &str = "Zq8-secret-plaintext-Zq8";
/// The positive control: the very same search must find this, stored in clear.
const CLEAR: &str = "Zq8-clear-plaintext-Zq8";
const NAME: &str = "Zq8-name-of-an-attribute-Zq8";
/// A token issued elsewhere; its text is its secret.
const ADOPTED: &str = "Zq8-adopted-token-of-another-issuer-Zq8";
/// One that a rotation adopts.
const ROTATED: &str = "Zq8-rotated-token-of-another-issuer-Zq8";

/// What must be found nowhere, each with a name for it.
struct Needles(Vec<(String, Vec<u8>)>);

impl Needles {
    fn new() -> Needles {
        let mut needles = Needles(Vec::new());
        needles.add("the encrypted plaintext", SECRET.as_bytes());
        needles.add("the adopted token", ADOPTED.as_bytes());
        needles.add("the token of a rotation", ROTATED.as_bytes());
        needles.add_secret_bytes("the key", &KEY);
        needles
    }

    fn add(&mut self, what: &str, bytes: &[u8]) {
        self.0.push((what.to_owned(), bytes.to_owned()));
    }

    fn add_secret_bytes(&mut self, what: &str, bytes: &[u8]) {
        self.add(what, bytes);
        self.add(&format!("{what} in hex"), hex::encode(bytes).as_bytes());
        self.add(&format!("{what} in upper-case hex"), hex::encode_upper(bytes).as_bytes());
    }

    /// A token as it is, and the 32 secret bytes in it, which follow a prefix and 16 bytes of id.
    fn add_token(&mut self, what: &str, token: &str) -> Result {
        self.add(what, token.as_bytes());
        let bytes = BASE64URL.decode(token.strip_prefix("sso_").ok_or("a token without its prefix")?)?;
        self.add_secret_bytes(&format!("the secret of {what}"), &bytes[16..48]);
        // The last 42 characters hold nothing but bits of the secret.
        self.add(&format!("the secret of {what} in base64"), &token.as_bytes()[token.len() - 42..]);
        Ok(())
    }

    fn found_in(&self, haystack: &[u8]) -> Vec<&str> {
        self.0
            .iter()
            .filter(|(_, needle)| memmem::find(haystack, needle).is_some())
            .map(|(what, _)| what.as_str())
            .collect()
    }

    fn assert_not_in(&self, place: &str, haystack: &[u8]) {
        let found = self.found_in(haystack);
        assert!(found.is_empty(), "{place} contains {found:?}");
    }
}

/// Every file below a directory with its contents.
fn visit(directory: &Path, look: &mut dyn FnMut(&Path, &[u8])) -> Result {
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() {
            visit(&path, look)?;
            continue;
        }
        match std::fs::read(&path) {
            Ok(contents) => look(&path, &contents),
            // A running server renames and removes files.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Looks into every file of the data directory; returns in which the controls were found.
fn search(server: &Server, needles: &Needles, controls: &[&str]) -> Result<Vec<String>> {
    let mut found = Vec::new();
    visit(&server.data(), &mut |path, contents| {
        needles.assert_not_in(&path.display().to_string(), contents);
        for control in controls {
            if memmem::find(contents, control.as_bytes()).is_some() {
                found.push(format!("{control} in {}", path.display()));
            }
        }
    })?;
    Ok(found)
}

/// The file of a relation, relative to the data directory.
fn file_of(client: &mut Client, relation: &str) -> Result<String> {
    Ok(client.query_one("SELECT pg_relation_filepath($1::text::regclass)", &[&relation])?.get(0))
}

/// A value of more than 2 kB that does not compress, so that it is toasted as it is.
fn large(marker: &str) -> String {
    let mut noise = 0x2545_f491_4f6c_dd1d_u64;
    let mut text = marker.to_owned();
    while text.len() < 6000 {
        noise ^= noise << 13;
        noise ^= noise >> 7;
        noise ^= noise << 17;
        text.push_str(&hex::encode(noise.to_be_bytes()));
    }
    text + marker
}

/// Stores the secret and the control in every way there is, and fails in every way there is with
/// the secret at hand. Returns the tokens of the session and all that the errors said.
fn exercise(client: &mut Client) -> Result<(Vec<String>, String)> {
    let first = open_session(client, "secrets")?;
    let ust: String = client.query_one("SELECT sso_session_rotate($1)", &[&first])?.get(0);
    let adopt = "SELECT sso_session_create('secrets', ust => $1)";
    client.execute(adopt, &[&ADOPTED])?;

    client.execute("SELECT sso_attr_create($1, 'clear', $2::text)", &[&ust, &CLEAR])?;
    client.execute("SELECT sso_attr_create($1, 'large clear', $2::text)", &[&ust, &large(CLEAR)])?;
    client.execute("SELECT sso_attr_create($1, $2, 1)", &[&ust, &NAME])?;
    let create = "SELECT sso_attr_create($1, 'sealed', $2::text, encrypt => true)";
    client.execute(create, &[&ust, &SECRET])?;
    client.execute("SELECT sso_attr_set($1, 'large', $2::text, encrypt => true)", &[&ust, &large(SECRET)])?;
    let update = "SELECT sso_attr_update($1, $3, $2::text)";
    client.execute(update, &[&ust, &SECRET, &"sealed"])?;
    let items = json!([{"name": "sealed", "value": SECRET}, {"name": "large", "value": large(SECRET)},
                       {"name": "many", "value": [SECRET], "encrypt": true}]);
    client.execute("SELECT sso_attr_set_many($1, $2)", &[&ust, &items])?;
    client.execute("SELECT sso_attr_update_many($1, $2)", &[&ust, &items])?;
    let save = "SELECT sso_session_save($1, $2, encrypt => '{saved}')";
    client.execute(save, &[&ust, &json!({"saved": "to be replaced", "large": large(SECRET)})])?;
    let compare = "SELECT sso_attr_compare_and_set($1, 'saved', $2, $3)";
    client.execute(compare, &[&ust, &json!("to be replaced"), &json!(SECRET)])?;
    client.execute(compare, &[&ust, &json!(SECRET), &json!(["no", SECRET])])?;
    client.execute(compare, &[&ust, &json!(SECRET), &json!("never")])?;
    client.execute("SELECT sso_attr_set_json($1, 'saved', $2)", &[&ust, &json!({"a": SECRET})])?;
    client.execute("SELECT * FROM sso_session_load($1)", &[&ust])?;
    let all: String = client.query_one("SELECT sso_attr_get_all($1)::text", &[&ust])?.get(0);
    assert_eq!(all.matches(SECRET).count(), 5, "the secret is stored");

    let wrong = ust.clone() + "A";
    client
        .execute("SELECT sso_session_end(sso_session_create('ended', ust => $1 || 'ended'))", &[&ADOPTED])?;
    let mut errors = String::new();
    let mut refuse = |result| -> Result {
        errors += &format!("{:?}\n", refusal(result)?);
        Ok(())
    };
    refuse(client.execute(create, &[&ust, &SECRET]))?;
    refuse(client.execute(update, &[&ust, &SECRET, &"absent"]))?;
    refuse(client.execute(update, &[&first, &SECRET, &"sealed"]))?;
    refuse(client.execute(update, &[&wrong, &SECRET, &"sealed"]))?;
    refuse(client.execute(update, &[&format!("{ADOPTED}ended"), &SECRET, &"sealed"]))?;
    refuse(client.execute("SELECT sso_attr_set($1, 'a', $2::text, expiration => -1)", &[&ust, &SECRET]))?;
    refuse(client.execute("SELECT sso_attr_set($1, repeat('a', 256), $2::text)", &[&ust, &SECRET]))?;
    refuse(client.execute("SELECT sso_session_end_all('secrets', $1)", &[&wrong]))?;
    refuse(client.execute(adopt, &[&ADOPTED]))?;
    refuse(client.execute(adopt, &[&ust]))?;
    let rotate = "SELECT sso_session_rotate($1, 'secrets', $2)";
    refuse(client.execute(rotate, &[&ust, &ADOPTED]))?;
    refuse(client.execute(rotate, &[&ust, &ust]))?;
    refuse(client.execute(rotate, &[&wrong, &ROTATED]))?;
    client.execute(rotate, &[&ADOPTED, &ROTATED])?;
    refuse(client.execute(rotate, &[&ROTATED, &ADOPTED]))?;
    refuse(client.execute("SELECT sso_session_rotate($1, 'other')", &[&ROTATED]))?;
    refuse(client.execute(save, &[&wrong, &json!({"a": SECRET})]))?;
    refuse(client.execute(save, &[&ust, &json!([SECRET])]))?;
    refuse(
        client.execute("SELECT sso_session_save($1, $2, expiration => -1)", &[&ust, &json!({"a": SECRET})]),
    )?;
    refuse(client.execute("SELECT sso_attr_increment($1, 'sealed')", &[&ust]))?;
    refuse(client.execute("SELECT sso_attr_compare_and_set($1, 'absent', $2, $2)", &[&ust, &json!(SECRET)]))?;
    refuse(client.execute("SELECT sso_session_create('secrets', 'app', $1::text)", &[&ROTATED]))?;
    for data in [
        json!(SECRET),
        json!({"name": "a", "value": SECRET}),
        json!([SECRET]),
        json!([[SECRET]]),
        json!([{"name": {"a": SECRET}, "value": 1}]),
        json!([{"name": "a", "value": SECRET, "expiration": SECRET}]),
        json!([{"name": "a", "value": SECRET, "expiration": -1}]),
        json!([{"name": "a", "value": SECRET, "encrypt": SECRET}]),
        json!([{"name": "a", "value": SECRET, "key": SECRET}]),
        json!([{"name": "absent", "value": SECRET}]),
    ] {
        refuse(client.execute("SELECT sso_attr_update_many($1, $2)", &[&ust, &data]))?;
    }
    client.batch_execute("SET sso_attr.max_value_size = 8")?;
    refuse(client.execute(update, &[&ust, &SECRET, &"sealed"]))?;
    refuse(client.execute("SELECT sso_attr_update_many($1, $2)", &[&ust, &items]))?;
    client.batch_execute("RESET sso_attr.max_value_size")?;
    // A value that fails authentication, last: the session can no longer be read as a whole.
    client.execute(
        "UPDATE sso_attr.attribute SET sealed = set_byte(sealed, 50, 255 - get_byte(sealed, 50))
                    WHERE name = 'sealed'",
        &[],
    )?;
    refuse(client.execute("SELECT sso_attr_get($1, 'sealed')", &[&ust]))?;
    client.execute("SELECT sso_session_end($1)", &[&ROTATED])?;
    Ok((vec![first, ust], errors))
}

#[test]
fn secrets_are_nowhere_on_disk_nor_in_logs_errors_and_statistics() -> Result {
    // What the server logs of a call's own parameters is its administrator's to switch off.
    let server = Server::with_extension(
        "shared_preload_libraries = 'sso_attr, pg_stat_statements'
         pg_stat_statements.track = all
         log_min_messages = debug2
         log_min_error_statement = debug1
         log_error_verbosity = verbose
         log_parameter_max_length = 0
         log_parameter_max_length_on_error = 0",
    )?;
    let mut client = server.connect("postgres")?;
    client.batch_execute("CREATE EXTENSION pg_stat_statements")?;
    let mut needles = Needles::new();
    let mut errors = String::new();
    for log_statement in ["none", "all"] {
        client.batch_execute(&format!("SET log_statement = '{log_statement}'"))?;
        let (tokens, said) = exercise(&mut client)?;
        for token in tokens {
            needles.add_token(&format!("a token at log_statement = {log_statement}"), &token)?;
        }
        errors += &said;
    }
    needles.assert_not_in("an error", errors.as_bytes());
    client.batch_execute("CHECKPOINT")?;

    let found = search(&server, &needles, &[CLEAR, NAME])?;
    let toast = "(SELECT reltoastrelid FROM pg_class WHERE oid = 'sso_attr.attribute'::regclass)";
    let toast: String = client.query_one(&format!("SELECT {toast}::regclass::text"), &[])?.get(0);
    for (control, relation) in
        [(CLEAR, "sso_attr.attribute"), (NAME, "sso_attr.attribute_pkey"), (CLEAR, toast.as_str())]
    {
        let file = file_of(&mut client, relation)?;
        assert!(
            found.iter().any(|place| place.starts_with(control) && place.ends_with(&file)),
            "{relation}: {found:?}"
        );
    }
    assert!(found.iter().any(|place| place.starts_with(CLEAR) && place.contains("/pg_wal/")), "{found:?}");

    let log = server.log()?;
    assert!(log.contains("sso_attr_update_many"), "the log has the statements");
    needles.assert_not_in("the log", log.as_bytes());
    let statistics: String = client
        .query_one(
            "SELECT string_agg(s::text, ' ') || (SELECT string_agg(a::text, ' ') FROM pg_stat_activity AS a)
             FROM pg_stat_statements AS s",
            &[],
        )?
        .get(0);
    assert!(statistics.contains("sso_attr_update_many") && statistics.contains("sso_attr.attribute"));
    needles.assert_not_in("the statistics", statistics.as_bytes());
    Ok(())
}

#[test]
fn what_a_batch_spills_to_a_temporary_file_is_sealed() -> Result {
    let server = Server::with_extension("")?;
    let mut client = server.connect("postgres")?;
    let ust = open_session(&mut client, "secrets")?;
    client.batch_execute("BEGIN")?;
    client.execute("SELECT sso_attr_create($1, 'zzz', 1)", &[&ust])?;

    // The batch is sorted in a temporary file, and its last item waits for the other connection's.
    let mut batch = server.connect("postgres")?;
    let pid = backend_pid(&mut batch)?;
    std::thread::scope(|scope| {
        // A failure here must drop this connection, or the batch would wait for it forever.
        let mut client = client;
        let work = scope.spawn(|| {
            let item = |number| json!({"name": format!("{NAME}{number}"), "value": SECRET, "encrypt": true});
            let mut items: Vec<_> = (0..5000).map(item).collect();
            items.push(json!({"name": "zzz", "value": SECRET, "encrypt": true}));
            batch.batch_execute("SET work_mem = '64kB'")?;
            batch.execute("SELECT sso_attr_set_many($1, $2)", &[&ust, &json!(items)])
        });
        let looked = (|| {
            let waiting = "SELECT wait_event_type = 'Lock' FROM pg_stat_activity WHERE pid = $1";
            wait_until("the batch waits", SOON, || {
                Ok(client.query_one(waiting, &[&pid])?.get::<_, Option<bool>>(0) == Some(true))
            })?;
            search(&server, &Needles::new(), &[NAME])
        })();
        client.batch_execute("COMMIT")?;
        work.join().expect("the batch panicked")?;
        let found = looked?;
        assert!(found.iter().any(|place| place.contains("/pgsql_tmp/")), "{found:?}");
        Ok(())
    })
}

/// The key's own bytes, once in the keyring, are the positive control. Nothing is left of the file's
/// text, of what ciphers copied, or of a key that is no longer in the file.
#[test]
fn a_backend_holds_each_key_once_and_none_that_is_gone() -> Result {
    let server = Server::with_extension("")?;
    let mut client = server.connect("postgres")?;
    let ust = open_session(&mut client, "memory")?;
    let work = |client: &mut Client| -> Result {
        for round in 0..20 {
            client.execute("SELECT sso_attr_set($1, 'n', $2::int, NULL, true)", &[&ust, &round])?;
            let read: String = client.query_one("SELECT sso_attr_get_text($1, 'n')", &[&ust])?.get(0);
            assert_eq!(read, round.to_string());
        }
        Ok(())
    };
    let other: [u8; 32] = std::array::from_fn(|index| 0x80 | index as u8);
    // The second halves: an allocator writes over the beginning of what it is given back.
    let (key, other_key) = (&KEY[16..], &other[16..]);
    let (old, new) = (format!("1:{}\n", hex::encode(KEY)), format!("2:{}\n", hex::encode(other)));
    work(&mut client)?;
    let pid = backend_pid(&mut client)?;
    assert_eq!(count_in_memory(pid, &[key, hex::encode(key).as_bytes(), other_key])?, [1, 0, 0]);

    server.set_keyring(&(new.clone() + &old))?;
    work(&mut client)?;
    assert_eq!(count_in_memory(pid, &[key, other_key, hex::encode(other_key).as_bytes()])?, [1, 1, 0]);

    server.set_keyring(&new)?;
    work(&mut client)?;
    assert_eq!(count_in_memory(pid, &[key, other_key])?, [0, 1]);
    Ok(())
}

/// How often each needle is in a process's memory, which only root may read.
fn count_in_memory(pid: i32, needles: &[&[u8]]) -> Result<Vec<usize>> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tools/count_in_memory.py");
    let is_root = std::fs::metadata("/proc/self")?.uid() == 0;
    let mut command = if is_root { Command::new("python3") } else { Command::new("sudo") };
    if !is_root {
        command.arg("python3");
    }
    let output = command.arg(script).arg(pid.to_string()).args(needles.iter().map(hex::encode)).output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into());
    }
    Ok(String::from_utf8(output.stdout)?
        .split_whitespace()
        .map(str::parse)
        .collect::<std::result::Result<_, _>>()?)
}
