//! The server that PGHOST, PGPORT and PGDATABASE lead to.

#![allow(dead_code, reason = "each file of tests uses its part")]

use std::error::Error;

use deadpool_postgres::{Manager, Object, Pool};
use tokio_postgres::{Config, NoTls};
use tower_sessions_sso_attr::SsoAttrStore;

pub type Result<T = ()> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

fn config(user: &str) -> Result<Config> {
    let mut config = Config::new();
    config.host(std::env::var("PGHOST")?).port(std::env::var("PGPORT")?.parse()?);
    config.dbname(std::env::var("PGDATABASE")?).user(user);
    Ok(config)
}

/// As the role of an application, which may call what `sso_attr_grant(role, 'app')` opens, nothing else.
pub fn store() -> Result<SsoAttrStore> {
    let manager = Manager::new(config("tower_app")?, NoTls);
    Ok(SsoAttrStore::new(Pool::builder(manager).max_size(4).build()?))
}

pub async fn superuser() -> Result<Object> {
    Ok(Pool::builder(Manager::new(config("postgres")?, NoTls)).build()?.get().await?)
}
