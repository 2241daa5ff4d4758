//! docs/operations.md says how many bytes a session and an attribute take.

use sso_attr_client_tests::document::ROOT;
use sso_attr_client_tests::{Result, Server};

/// How far a figure may be from what is measured.
const TOLERANCE: f64 = 0.05;

const FILL: &str = "
    DO $$ DECLARE
        ust text;
        data jsonb := (SELECT jsonb_agg(jsonb_build_object('name', 'attribute_' || i, 'value', repeat('v', 98)))
                       FROM generate_series(1, 20) AS i);
    BEGIN
        FOR i IN 1..1000 LOOP
            ust := sso_session_create('user' || i, 'shop', '192.0.2.1',
                'Mozilla/5.0 (X11; Linux x86_64; rv:139.0) Gecko/20100101 Firefox/139.0');
            PERFORM sso_attr_create_many(ust, data, encrypt => current_setting('my.encrypt')::boolean);
        END LOOP;
    END $$";

fn is_on_page(page: &str, row: &str, measured: [f64; 2]) -> Result<bool> {
    let line = page.lines().find_map(|line| line.strip_prefix(&format!("| {row} | "))).ok_or(row)?;
    let figures: Vec<f64> = line.split('|').filter_map(|figure| figure.trim().parse().ok()).collect();
    let is_near = |(figure, measured): (&f64, f64)| (figure / measured - 1.0).abs() < TOLERANCE;
    Ok(figures.len() == 2 && figures.iter().zip(measured).all(is_near))
}

#[test]
fn rows_are_as_large_as_the_page_says() -> Result {
    let server = Server::with_extension("autovacuum = off")?;
    let mut client = server.connect("postgres")?;
    let page = std::fs::read_to_string(format!("{ROOT}/docs/operations.md"))?;
    for (encrypt, attribute) in [("false", "an attribute in clear"), ("true", "an attribute that is sealed")]
    {
        client.batch_execute(&format!("TRUNCATE sso_attr.session CASCADE; SET my.encrypt = {encrypt}"))?;
        client.batch_execute(FILL)?;
        client.batch_execute("VACUUM sso_attr.session, sso_attr.attribute")?;
        for (row, table, rows) in [("a session", "session", 1000.0), (attribute, "attribute", 20_000.0)] {
            let size = format!(
                "SELECT pg_table_size('sso_attr.{table}')::float8, pg_indexes_size('sso_attr.{table}')::float8"
            );
            let size = client.query_one(&size, &[])?;
            let measured = [0, 1].map(|column| size.get::<_, f64>(column) / rows);
            assert!(is_on_page(&page, row, measured)?, "{row}: {measured:?} bytes");
        }
    }
    Ok(())
}
