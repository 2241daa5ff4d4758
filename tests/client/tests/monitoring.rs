//! What monitoring/ holds: an exporter's role may run every query of it, each query gives what its
//! metrics name, the figures show what the alerts ask for, and no alert or panel asks for a metric
//! that is not exported.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use postgres::Client;
use postgres::types::Type;
use serde_json::{Map, Value};
use sso_attr_client_tests::{KEY, Result, SOON, Server, open_session, refusal, wait_until};

/// A query and what the exporter makes of its columns.
struct Query {
    predicate: Option<String>,
    sql: String,
    labels: BTreeSet<String>,
    /// Names of metrics, and the columns that hold their values.
    metrics: BTreeMap<String, String>,
}

impl Query {
    /// Does what the page says for an extension in a schema of its own.
    fn in_schema(&mut self, schema: &str) {
        for sql in [Some(&mut self.sql), self.predicate.as_mut()].into_iter().flatten() {
            *sql = sql.replace("FROM sso_attr_", &format!("FROM {schema}.sso_attr_"));
        }
    }
}

fn file(name: &str) -> Result<String> {
    let path = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../monitoring")).join(name);
    std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()).into())
}

fn yaml(text: &str) -> Result<Value> {
    Ok(serde_saphyr::from_str(text)?)
}

fn text(value: &Value) -> Result<String> {
    Ok(value.as_str().ok_or_else(|| format!("not a text: {value}"))?.to_owned())
}

fn list(value: &Value) -> Result<&Vec<Value>> {
    value.as_array().ok_or_else(|| format!("not a list: {value}").into())
}

fn object(value: &Value) -> Result<&Map<String, Value>> {
    value.as_object().ok_or_else(|| format!("not an object: {value}").into())
}

/// The queries of a collector of sql_exporter.
fn collector(name: &str) -> Result<Vec<Query>> {
    let collector = yaml(&file(name)?)?;
    let mut queries = BTreeMap::new();
    for query in list(&collector["queries"])? {
        let of_none = Query {
            predicate: None,
            sql: text(&query["query"])?,
            labels: BTreeSet::new(),
            metrics: BTreeMap::new(),
        };
        queries.insert(text(&query["query_name"])?, of_none);
    }
    for metric in list(&collector["metrics"])? {
        assert_eq!(metric["type"], "gauge", "{metric}");
        let query = queries.get_mut(&text(&metric["query_ref"])?).ok_or("a metric without a query")?;
        for label in list(&metric["key_labels"])? {
            query.labels.insert(text(label)?);
        }
        let [value] = &list(&metric["values"])?[..] else { return Err(format!("{metric}").into()) };
        query.metrics.insert(text(&metric["metric_name"])?, text(value)?);
    }
    Ok(queries.into_values().collect())
}

/// The queries of CloudNativePG's exporter; names of metrics are without its prefix.
fn cloudnative_pg() -> Result<Vec<Query>> {
    let map = yaml(&file("cloudnative-pg.yml")?)?;
    assert_eq!(map["kind"], "ConfigMap");
    let mut queries = Vec::new();
    for (prefix, query) in object(&yaml(&text(&map["data"]["custom-queries"])?)?)? {
        let mut labels = BTreeSet::new();
        let mut metrics = BTreeMap::new();
        for column in list(&query["metrics"])? {
            for (name, column) in object(column)? {
                match column["usage"].as_str() {
                    Some("LABEL") => drop(labels.insert(name.clone())),
                    Some("GAUGE") => drop(metrics.insert(format!("{prefix}_{name}"), name.clone())),
                    _ => return Err(format!("{name}: {column}").into()),
                }
            }
        }
        let predicate = query.get("predicate_query").map(text).transpose()?;
        queries.push(Query { predicate, sql: text(&query["query"])?, labels, metrics });
    }
    Ok(queries)
}

fn sql_exporter() -> Result<Vec<Query>> {
    let mut queries = collector("sso_attr.collector.yml")?;
    queries.extend(collector("sso_attr_keys.collector.yml")?);
    Ok(queries)
}

fn names(queries: &[Query]) -> BTreeSet<String> {
    queries.iter().flat_map(|query| query.metrics.keys().cloned()).collect()
}

/// Runs a query as an exporter does; every row has the columns that the exporter takes and no other.
fn run(client: &mut Client, query: &Query) -> Result {
    let mut transaction = client.build_transaction().read_only(true).start()?;
    if let Some(predicate) = &query.predicate {
        assert!(transaction.query_one(predicate, &[])?.get::<_, bool>(0), "{predicate}");
    }
    let rows = transaction.query(&query.sql, &[]).map_err(|error| format!("{}: {error}", query.sql))?;
    assert!(!rows.is_empty(), "{}", query.sql);
    let (mut labels, mut values) = (BTreeSet::new(), BTreeSet::new());
    for column in rows[0].columns() {
        let numbers = [Type::INT4, Type::INT8, Type::FLOAT8];
        match column.type_() {
            &Type::TEXT => labels.insert(column.name().to_owned()),
            other if numbers.contains(other) => values.insert(column.name().to_owned()),
            other => return Err(format!("{}: {other}", column.name()).into()),
        };
    }
    let expected: BTreeSet<_> = query.metrics.values().cloned().collect();
    assert_eq!((&labels, &values), (&query.labels, &expected), "{}", query.sql);
    Ok(())
}

/// The names of metrics that a file asks for.
fn asked_for(text: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for part in text.split("(cnpg_)?").skip(1) {
        names.insert(part.chars().take_while(|c| c.is_ascii_lowercase() || *c == '_').collect());
    }
    names
}

/// A server, an exporter's role on it that has been granted what it needs, and a session's token.
fn watched() -> Result<(Server, Client, Client, String)> {
    let server = Server::with_extension("sso_attr.purge_interval = 0\nautovacuum = off")?;
    let mut admin = server.connect("postgres")?;
    admin.batch_execute("CREATE ROLE exporter LOGIN IN ROLE pg_monitor")?;
    let mut exporter = server.connect_as("exporter", "postgres")?;
    let refused = refusal(exporter.query("SELECT * FROM sso_attr_stats()", &[]))?;
    assert_eq!(refused.code().code(), "42501");
    admin.batch_execute("SELECT sso_attr_grant('exporter', 'monitor')")?;
    let ust = open_session(&mut admin, "watched")?;
    admin.execute("SELECT sso_attr_set($1, 'sealed', 's'::text, NULL, true)", &[&ust])?;
    Ok((server, admin, exporter, ust))
}

#[test]
fn an_exporter_may_run_every_query_and_finds_what_its_metrics_name() -> Result {
    let (server, mut admin, mut exporter, _) = watched()?;
    let mut queries = sql_exporter()?;
    queries.extend(cloudnative_pg()?);
    assert_eq!(queries.len(), 6);
    for query in &queries {
        run(&mut exporter, query)?;
    }
    // In a schema of its own, and asked by pg_monitor itself, as earlier versions of CloudNativePG do.
    admin.batch_execute("CREATE DATABASE own")?;
    let mut admin = server.connect("own")?;
    admin.batch_execute(
        "CREATE SCHEMA sso;
         CREATE EXTENSION sso_attr SCHEMA sso;
         SELECT sso.sso_attr_grant('pg_monitor', 'monitor')",
    )?;
    let ust: String = admin.query_one("SELECT sso.sso_session_create()", &[])?.get(0);
    admin.execute("SELECT sso.sso_attr_set($1, 'sealed', 's'::text, NULL, true)", &[&ust])?;
    admin.batch_execute("SET ROLE pg_monitor")?;
    for query in &mut queries {
        query.in_schema("sso");
        run(&mut admin, query)?;
    }
    Ok(())
}

#[test]
fn alerts_and_panels_ask_for_nothing_that_is_not_exported() -> Result {
    let exported = names(&sql_exporter()?);
    assert_eq!(exported, names(&cloudnative_pg()?));
    let alerts = file("alerts.yml")?;
    for group in list(&yaml(&alerts)?["groups"])? {
        for rule in list(&group["rules"])? {
            assert!(!asked_for(&text(&rule["expr"])?).is_empty(), "{rule}");
            for field in [&rule["alert"], &rule["labels"]["severity"], &rule["annotations"]["summary"]] {
                text(field)?;
            }
        }
    }
    let dashboard = file("grafana.json")?;
    for panel in list(&serde_json::from_str::<Value>(&dashboard)?["panels"])? {
        for target in list(&panel["targets"])? {
            assert!(!asked_for(&text(&target["expr"])?).is_empty(), "{target}");
        }
    }
    for text in [alerts, dashboard] {
        let unknown: Vec<_> = asked_for(&text).difference(&exported).cloned().collect();
        assert_eq!(unknown, Vec::<String>::new());
    }
    Ok(())
}

/// A metric of one relation or key, or of the whole database, as both exporters have it.
fn figure(client: &mut Client, metric: &str, of: Option<(&str, &str)>) -> Result<f64> {
    let mut found = Vec::new();
    for queries in [sql_exporter()?, cloudnative_pg()?] {
        let (query, column) = queries
            .iter()
            .find_map(|query| Some((query, query.metrics.get(metric)?)))
            .ok_or_else(|| format!("nobody exports {metric}"))?;
        let condition = of.map_or("true".to_owned(), |(label, value)| format!("{label} = '{value}'"));
        let sql = format!("SELECT {column}::float8 FROM ({}) AS q WHERE {condition}", query.sql);
        found.push(client.query_one(&sql, &[])?.get::<_, f64>(0));
    }
    let [one, other] = found[..] else { return Err("not two exporters".into()) };
    assert!((one - other).abs() < 60.0, "{metric}: {found:?}");
    Ok(one)
}

#[test]
fn figures_show_what_alerts_ask_for() -> Result {
    let (server, mut admin, mut exporter, ust) = watched()?;
    let key = Some(("key_id", "1"));
    assert_eq!(figure(&mut exporter, "sso_attr_key_available", key)?, 1.0);
    assert_eq!(figure(&mut exporter, "sso_attr_key_matches", key)?, 1.0);
    assert_eq!(figure(&mut exporter, "sso_attr_key_attributes", key)?, 1.0);
    assert_eq!(figure(&mut exporter, "sso_attr_keys_used", None)?, 1.0);

    // Other bytes under the id, then the id is gone.
    server.set_keyring(&format!("1:{}\n", hex::encode([2; 32])))?;
    assert_eq!(figure(&mut exporter, "sso_attr_key_matches", key)?, 0.0);
    server.set_keyring(&format!("2:{}\n", hex::encode([2; 32])))?;
    assert_eq!(figure(&mut exporter, "sso_attr_key_available", key)?, 0.0);
    assert_eq!(figure(&mut exporter, "sso_attr_key_attributes", key)?, 1.0);
    server.set_keyring(&format!("1:{}\n", hex::encode(KEY)))?;

    assert_eq!(figure(&mut exporter, "sso_attr_purge_backlog_seconds", None)?, 0.0);
    admin.execute("SELECT sso_attr_set($1, 'over', 1, 60)", &[&ust])?;
    admin.batch_execute(
        "UPDATE sso_attr.attribute SET expires_at = now() - interval '1 hour' WHERE name = 'over'",
    )?;
    let behind = figure(&mut exporter, "sso_attr_purge_backlog_seconds", None)?;
    assert!((3600.0..3900.0).contains(&behind), "{behind}");
    assert_eq!(figure(&mut exporter, "sso_attr_purge_backlog", None)?, 1.0);
    let relation = Some(("relation", "attribute"));
    assert_eq!(figure(&mut exporter, "sso_attr_table_expired_rows", relation)?, 1.0);
    admin.batch_execute("SELECT sso_attr_purge()")?;
    assert_eq!(figure(&mut exporter, "sso_attr_purge_backlog", None)?, 0.0);
    assert_eq!(figure(&mut exporter, "sso_attr_last_sweep_failed", None)?, 0.0);

    // A backend hands on its statistics now and then; before PostgreSQL 15 only with its next statement.
    wait_until("the dead rows are counted", SOON, || {
        admin.batch_execute("SELECT 1")?;
        Ok(figure(&mut exporter, "sso_attr_table_dead_rows", relation)? > 0.0)
    })?;
    admin.batch_execute("VACUUM ANALYZE sso_attr.session, sso_attr.attribute")?;
    wait_until("there are none left", SOON, || {
        admin.batch_execute("SELECT 1")?;
        Ok(figure(&mut exporter, "sso_attr_table_dead_rows", relation)? == 0.0)
    })?;
    assert_eq!(figure(&mut exporter, "sso_attr_table_live_rows", relation)?, 1.0);
    assert_eq!(figure(&mut exporter, "sso_attr_sealed_share", None)?, 1.0);

    // A failed sweep, as the worker records it.
    admin.batch_execute("UPDATE sso_attr.purge_run SET error = 'failed'")?;
    assert_eq!(figure(&mut exporter, "sso_attr_last_sweep_failed", None)?, 1.0);
    Ok(())
}
