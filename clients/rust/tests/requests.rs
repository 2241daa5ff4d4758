//! Requests of one session that run at the same time, and a request that saves more than once.

mod server;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Path;
use axum::response::Response;
use axum::routing::get;
use deadpool_postgres::{Object, Transaction};
use http::{Request, StatusCode, header};
use serde_json::{Value, json};
use server::{Result, store, superuser};
use tokio::sync::Barrier;
use tokio::time::timeout;
use tower::ServiceExt;
use tower_sessions::session::{Error, Id};
use tower_sessions::{Session, SessionManagerLayer, SessionStore};
use tower_sessions_sso_attr::SsoAttrLayer;

const SOON: Duration = Duration::from_secs(60);

fn failed(_: Error) -> StatusCode {
    StatusCode::INTERNAL_SERVER_ERROR
}

/// What a handler waits for: another request, or the test.
type Meeting = Arc<Barrier>;

async fn read_and_meet(session: &Session, two: Meeting) -> std::result::Result<(), StatusCode> {
    session.get_value("any").await.map_err(failed)?;
    two.wait().await;
    two.wait().await;
    Ok(())
}

async fn there_and_back(session: &Session) -> std::result::Result<(), Error> {
    session.insert("changed", 2).await?;
    session.insert("new", 1).await?;
    session.save().await?;
    session.insert("changed", 1).await?;
    session.remove_value("new").await?;
    Ok(())
}

/// Cancels a save when somebody meets it, and takes back what that was to write when met again.
async fn cancelled(session: &Session, two: Meeting) -> std::result::Result<(), Error> {
    session.insert("changed", 2).await?;
    tokio::select! {
        saved = session.save() => return saved,
        _ = two.wait() => {}
    }
    two.wait().await;
    session.insert("changed", 1).await?;
    Ok(())
}

fn routes(two: &Meeting) -> Router {
    let (cancel, read, set, remove) = (two.clone(), two.clone(), two.clone(), two.clone());
    Router::new()
        .route(
            "/set/{names}/{value}",
            get(async |session: Session, Path((names, value)): Path<(String, i32)>| {
                for name in names.split(',') {
                    session.insert(name, value).await.map_err(failed)?;
                }
                Ok::<_, StatusCode>(())
            }),
        )
        .route("/logout", get(async |session: Session| session.flush().await.map_err(failed)))
        .route(
            "/there-and-back",
            get(async |session: Session| there_and_back(&session).await.map_err(failed)),
        )
        .route(
            "/cancelled",
            get(async move |session: Session| cancelled(&session, cancel.clone()).await.map_err(failed)),
        )
        .route("/slow/read", get(async move |session: Session| read_and_meet(&session, read.clone()).await))
        .route(
            "/slow/set/{name}",
            get(async move |session: Session, Path(name): Path<String>| {
                read_and_meet(&session, set.clone()).await?;
                session.insert(&name, 1).await.map_err(failed)
            }),
        )
        .route(
            "/slow/remove/{name}",
            get(async move |session: Session, Path(name): Path<String>| {
                read_and_meet(&session, remove.clone()).await?;
                session.remove_value(&name).await.map(drop).map_err(failed)
            }),
        )
}

/// A browser in front of a server that has opened a session for it.
struct Browser {
    app: Router,
    two: Meeting,
    cookie: String,
    id: Id,
}

impl Browser {
    async fn open(layer: impl FnOnce(Router) -> Result<Router>) -> Result<Self> {
        let two = Arc::new(Barrier::new(2));
        let app = layer(routes(&two))?;
        let mut browser = Self { app, two, cookie: String::new(), id: Id::default() };
        let response = browser.get("/set/changed,kept/1").await?;
        let cookie = response.headers().get(header::SET_COOKIE).ok_or("no cookie")?.to_str()?;
        browser.cookie = cookie.split(';').next().unwrap_or_default().to_owned();
        browser.id = browser.cookie.trim_start_matches("id=").parse()?;
        Ok(browser)
    }

    async fn get(&self, path: &str) -> Result<Response> {
        let request = Request::get(path).header(header::COOKIE, &self.cookie).body(Body::empty())?;
        Ok(self.app.clone().oneshot(request).await?)
    }

    async fn status(&self, path: &str) -> Result<StatusCode> {
        Ok(self.get(path).await?.status())
    }

    async fn data(&self) -> Result<Value> {
        let record = store()?.load(&self.id).await?;
        Ok(serde_json::to_value(record.map(|record| record.data))?)
    }

    /// Logs out while a slow request is under way; the answer to that one.
    async fn logout_during(&self, path: &str) -> Result<StatusCode> {
        let logout = async {
            self.two.wait().await;
            let status = self.status("/logout").await;
            self.two.wait().await;
            status
        };
        let (slow, logout) = tokio::join!(self.status(path), logout);
        assert_eq!(logout?, StatusCode::OK);
        slow
    }
}

fn by_request(routes: Router) -> Result<Router> {
    Ok(routes
        .layer(SsoAttrLayer::new(store()?, |store| SessionManagerLayer::new(store).with_always_save(true))))
}

fn replacing(routes: Router) -> Result<Router> {
    Ok(routes.layer(SessionManagerLayer::new(store()?)))
}

#[tokio::test]
async fn two_requests_keep_what_each_has_changed() -> Result {
    let browser = Browser::open(by_request).await?;
    let (one, other) = tokio::join!(browser.status("/slow/set/new"), browser.status("/slow/remove/changed"));
    assert_eq!((one?, other?), (StatusCode::OK, StatusCode::OK));
    assert_eq!(browser.data().await?, json!({"kept": 1, "new": 1}));
    Ok(())
}

#[tokio::test]
async fn without_the_layer_the_later_save_is_the_session() -> Result {
    let browser = Browser::open(replacing).await?;
    let (one, other) = tokio::join!(browser.status("/slow/set/one"), browser.status("/slow/set/other"));
    assert_eq!((one?, other?), (StatusCode::OK, StatusCode::OK));
    let saved = ["one", "other"].map(|name| json!({"changed": 1, "kept": 1, name: 1}));
    let data = browser.data().await?;
    assert!(saved.contains(&data), "{data}");
    Ok(())
}

#[tokio::test]
async fn a_logout_stays_one_whatever_is_saved_later() -> Result {
    for layer in [by_request, replacing] {
        let browser = Browser::open(layer).await?;
        let answer = browser.logout_during("/slow/set/new").await?;
        assert_eq!(answer, StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(browser.data().await?, Value::Null);
    }
    Ok(())
}

#[tokio::test]
async fn a_logout_does_not_disturb_a_request_that_only_reads() -> Result {
    let browser = Browser::open(by_request).await?;
    assert_eq!(browser.logout_during("/slow/read").await?, StatusCode::OK);
    assert_eq!(browser.data().await?, Value::Null);
    Ok(())
}

#[tokio::test]
async fn what_a_second_save_takes_back_is_taken_back() -> Result {
    for layer in [by_request, replacing] {
        let browser = Browser::open(layer).await?;
        assert_eq!(browser.status("/there-and-back").await?, StatusCode::OK);
        assert_eq!(browser.data().await?, json!({"changed": 1, "kept": 1}));
    }
    Ok(())
}

#[tokio::test]
async fn what_has_not_changed_is_not_written() -> Result {
    let browser = Browser::open(by_request).await?;
    let server = superuser().await?;
    let token = browser.id.to_string();
    let written = async || -> Result<Vec<(String, String)>> {
        let rows = server.query("SELECT name, updated_at::text FROM sso_attr_list($1)", &[&token]).await?;
        Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
    };
    let before = written().await?;
    assert_eq!(browser.status("/set/new/1").await?, StatusCode::OK);
    let after = written().await?;
    assert_eq!((before.len(), after.len()), (2, 3));
    assert_eq!(after[..2], before);
    Ok(())
}

/// Holds on to an attribute, as another transaction that writes it does.
async fn lock<'a>(server: &'a mut Object, browser: &Browser, name: &str) -> Result<Transaction<'a>> {
    let lock = server.transaction().await?;
    let locked = lock
        .execute(
            "SELECT FROM sso_attr.attribute WHERE name = $2
             AND session_id = (SELECT session_id FROM sso_session_get($1)) FOR UPDATE",
            &[&browser.id.to_string(), &name],
        )
        .await?;
    assert_eq!(locked, 1);
    Ok(lock)
}

/// Waits until a backend waits for this lock.
async fn blocked(lock: &Transaction<'_>) -> Result<i32> {
    let blocked =
        "SELECT pid FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY (pg_blocking_pids(pid))";
    let found = async {
        loop {
            if let Some(row) = lock.query_opt(blocked, &[]).await? {
                return Ok(row.get(0));
            }
        }
    };
    timeout(SOON, found).await?
}

#[tokio::test]
async fn a_server_that_goes_away_during_a_save_has_written_nothing_and_the_next_request_works() -> Result {
    let browser = Browser::open(by_request).await?;
    assert_eq!(browser.status("/set/z/1").await?, StatusCode::OK);
    let mut server = superuser().await?;
    let lock = lock(&mut server, &browser, "z").await?;
    let terminate = async {
        let pid = blocked(&lock).await?;
        lock.execute("SELECT pg_terminate_backend($1)", &[&pid]).await?;
        lock.rollback().await?;
        Result::Ok(())
    };
    let (answer, terminated) = tokio::join!(browser.status("/set/a,z/2"), terminate);
    terminated?;
    assert_eq!(answer?, StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(browser.data().await?, json!({"changed": 1, "kept": 1, "z": 1}));
    assert_eq!(browser.status("/set/new/1").await?, StatusCode::OK);
    Ok(())
}

#[tokio::test]
async fn a_save_after_one_that_was_cancelled_takes_back_what_that_has_written() -> Result {
    let browser = Browser::open(by_request).await?;
    let mut server = superuser().await?;
    let lock = lock(&mut server, &browser, "changed").await?;
    let let_it_write = async {
        blocked(&lock).await?;
        browser.two.wait().await;
        lock.rollback().await?;
        let written = async {
            while browser.data().await? != json!({"changed": 2, "kept": 1}) {}
            Result::Ok(())
        };
        timeout(SOON, written).await??;
        browser.two.wait().await;
        Result::Ok(())
    };
    let (answer, written) = tokio::join!(browser.status("/cancelled"), let_it_write);
    written?;
    assert_eq!(answer?, StatusCode::OK);
    assert_eq!(browser.data().await?, json!({"changed": 1, "kept": 1}));
    Ok(())
}
