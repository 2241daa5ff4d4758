//! An error is made outside of what catches errors: a text that does not fit into memory there ends
//! the server, not the call. So each is short, however much the caller hands over.

use postgres::Client;
use postgres::error::DbError;
use sso_attr_client_tests::{Result, Server, open_session, refusal};

/// More than an error's DETAIL may have, in bytes.
const TOO_LONG: usize = 128 * 1024;
/// A control character becomes six characters in quotes, so that this many are more than 1 GB.
const CONTROLS: usize = 180_000_000;

fn refused(client: &mut Client, call: &str) -> Result<DbError> {
    let ust = open_session(client, "error")?;
    // Plenty where the text is not quoted to its end: that takes no time.
    client.batch_execute("SET statement_timeout = '60s'")?;
    let error = refusal(client.query(&format!("SELECT {call}"), &[&ust]))?;
    let length =
        error.message().len() + error.detail().map_or(0, str::len) + error.hint().map_or(0, str::len);
    assert!(length < TOO_LONG, "{length} bytes");
    Ok(error)
}

#[test]
fn an_unknown_key_of_any_length_is_an_ordinary_error() -> Result {
    let server = Server::with_extension("")?;
    let mut client = server.connect("postgres")?;
    let data = format!("jsonb_build_array(jsonb_build_object('name', 'n', repeat(chr(1), {CONTROLS}), 1))");

    let error = refused(&mut client, &format!("sso_attr_set_many($1, {data})"))?;

    assert_eq!(error.code().code(), "22023");
    assert!(client.query_one("SELECT 1", &[]).is_ok());
    Ok(())
}

#[test]
fn any_number_of_missing_names_is_an_ordinary_error() -> Result {
    const NAMES: usize = 720_000;
    let server = Server::with_extension("")?;
    let mut client = server.connect("postgres")?;
    let data = format!(
        "(SELECT jsonb_agg(jsonb_build_object('name', i || repeat(chr(1), 248)))
          FROM generate_series(1000001, 1000000 + {NAMES}) AS i)"
    );

    let error = refused(&mut client, &format!("sso_attr_set_expiry_many($1, {data})"))?;

    assert_eq!(error.code().code(), "P0002");
    assert!(error.message().contains("720000"), "{}", error.message());
    let detail = error.detail().unwrap_or_default();
    let listed = detail.matches("\"1000").count();
    let rest = format!("and {} more.", NAMES - listed);
    assert!(
        (1..=100).contains(&listed) && detail.ends_with(&rest),
        "{listed}: {}",
        &detail[detail.len() - 40..]
    );
    assert!(client.query_one("SELECT 1", &[]).is_ok());
    Ok(())
}
