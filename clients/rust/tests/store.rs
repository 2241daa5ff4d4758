//! What the store promises of a record.

mod server;

use std::str::FromStr;

use serde_json::{Value, json};
use server::{Result, store, superuser};
use time::{Duration, OffsetDateTime};
use tower_sessions::session::{Id, Record};
use tower_sessions::{ExpiredDeletion, SessionStore};
use tower_sessions_sso_attr::SsoAttrStore;

fn record(data: Value) -> Result<Record> {
    Ok(Record {
        id: Id::default(),
        data: serde_json::from_value(data)?,
        expiry_date: OffsetDateTime::now_utc() + Duration::hours(1),
    })
}

async fn created(store: &SsoAttrStore, data: Value) -> Result<Record> {
    let mut record = record(data)?;
    store.create(&mut record).await?;
    Ok(record)
}

async fn data(store: &SsoAttrStore, id: Id) -> Result<Option<Value>> {
    let record = store.load(&id).await?;
    Ok(record.map(|record| serde_json::to_value(record.data)).transpose()?)
}

#[tokio::test]
async fn values_and_the_end_come_back_as_they_went() -> Result {
    let store = store()?;
    let values = json!({
        "floats": [0.1, 51.24817837550540_4_f64, -93.3113703768803_3_f64, 1e300, 5e-324],
        "integers": [u64::MAX, i64::MIN, 0],
        "nested": {"ключ": [null, true, "\n \u{1f980}"]},
        "ключ": "",
    });
    let record = created(&store, values.clone()).await?;
    let loaded = store.load(&record.id).await?.ok_or("no session")?;
    assert_eq!(serde_json::to_value(&loaded.data)?, values);
    assert!((loaded.expiry_date - record.expiry_date).abs() < Duration::milliseconds(1));
    Ok(())
}

#[tokio::test]
async fn a_save_replaces_the_record_and_moves_its_end() -> Result {
    let store = store()?;
    let mut record = created(&store, json!({"stays": 1, "changes": 1, "goes": 1})).await?;
    record.data = serde_json::from_value(json!({"stays": 1, "changes": 2, "comes": 1}))?;
    record.expiry_date += Duration::days(1);
    store.save(&record).await?;
    let loaded = store.load(&record.id).await?.ok_or("no session")?;
    assert_eq!(loaded.data, record.data);
    assert!((loaded.expiry_date - record.expiry_date).abs() < Duration::milliseconds(1));
    Ok(())
}

#[tokio::test]
async fn a_late_save_does_not_bring_a_deleted_session_back() -> Result {
    let store = store()?;
    let record = created(&store, json!({"user": "ann"})).await?;
    store.delete(&record.id).await?;
    let error = store.save(&record).await.err().ok_or("it was saved")?;
    assert!(error.to_string().contains("28000"), "{error}");
    assert_eq!(store.load(&record.id).await?, None);

    // What asks for no data gets what it asks for.
    store.save(&Record { data: Default::default(), ..record.clone() }).await?;
    store.delete(&record.id).await?;
    assert_eq!(store.load(&record.id).await?, None);
    Ok(())
}

#[tokio::test]
async fn an_id_in_use_and_one_that_is_no_token_are_replaced() -> Result {
    let store = store()?;
    let first = created(&store, json!({"of": "the first"})).await?;
    let mut second = record(json!({"of": "the second"}))?;
    second.id = first.id;
    store.create(&mut second).await?;
    assert_ne!(second.id, first.id);
    assert_eq!(data(&store, first.id).await?, Some(json!({"of": "the first"})));
    assert_eq!(data(&store, second.id).await?, Some(json!({"of": "the second"})));

    let mut third = record(json!({"of": "the third"}))?;
    third.id = Id::from_str("sso_AAAAAAAAAAAAAAAAAA")?;
    assert_eq!(store.load(&third.id).await?, None);
    store.create(&mut third).await?;
    assert_eq!(data(&store, third.id).await?, Some(json!({"of": "the third"})));
    Ok(())
}

#[tokio::test]
async fn an_end_that_has_passed_ends_the_session() -> Result {
    let store = store()?;
    let past = OffsetDateTime::now_utc() - Duration::minutes(1);
    let mut stillborn = record(json!({"a": 1}))?;
    stillborn.expiry_date = past;
    store.create(&mut stillborn).await?;
    assert_eq!(store.load(&stillborn.id).await?, None);

    let mut record = created(&store, json!({"a": 1})).await?;
    record.expiry_date = past;
    store.save(&record).await?;
    assert_eq!(store.load(&record.id).await?, None);
    Ok(())
}

#[tokio::test]
async fn deleting_what_has_expired_leaves_what_has_not() -> Result {
    let store = store()?;
    let record = created(&store, json!({"a": 1})).await?;
    store.delete_expired().await?;
    assert_eq!(data(&store, record.id).await?, Some(json!({"a": 1})));
    Ok(())
}

#[tokio::test]
async fn what_is_to_be_encrypted_is_sealed_in_the_table() -> Result {
    let store = store()?.with_encryption(|name| name.starts_with("card"));
    let mut record = created(&store, json!({"card": "4000-0001", "theme": "dark"})).await?;
    record.data.insert("card_2".to_owned(), json!("4000-0002"));
    store.save(&record).await?;
    assert_eq!(store.load(&record.id).await?.map(|record| record.data), Some(record.data.clone()));

    let rows = superuser()
        .await?
        .query(
            "SELECT name, value FROM sso_attr.attribute
             WHERE session_id = (SELECT session_id FROM sso_session_get($1)) ORDER BY name",
            &[&record.id.to_string()],
        )
        .await?;
    let stored: Vec<_> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    assert_eq!(stored, [("card", None), ("card_2", None), ("theme", Some(json!("dark")))]);
    Ok(())
}

#[tokio::test]
async fn a_session_is_of_its_user_and_application() -> Result {
    let store = store()?.with_app("shop").with_user(|record| record.data.get("user")?.as_str());
    let user = Id::default().to_string();
    let of_user = created(&store, json!({"user": user})).await?;
    let of_nobody = created(&store, json!({"user": null})).await?;
    let server = superuser().await?;
    let listed = server.query_one("SELECT current_app FROM sso_session_list($1)", &[&user]).await?;
    assert_eq!(listed.get::<_, &str>(0), "shop");
    server.execute("SELECT sso_session_end_all($1)", &[&user]).await?;
    assert_eq!(store.load(&of_user.id).await?, None);
    assert!(store.load(&of_nobody.id).await?.is_some());
    Ok(())
}

#[tokio::test]
async fn an_error_shows_neither_value_nor_token() -> Result {
    let store = store()?;
    let mut record = created(&store, json!({"a": 1})).await?;
    let token = record.id.to_string();
    for (name, value) in [("nul", "secret \0"), ("", "secret")] {
        record.data = [(name.to_owned(), json!(value))].into();
        let error = store.save(&record).await.err().ok_or("it was saved")?;
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains("secret") && !shown.contains(&token), "{shown}");
    }
    assert_eq!(data(&store, record.id).await?, Some(json!({"a": 1})));
    Ok(())
}
