//! What concerns every node of a cluster, and what SQL has to know of it.

use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use sso_attr_core::{Error, Result};

use crate::pg::report::{Answer, report};
use crate::pg::script;
use crate::pg::spi::{Access, as_owner};
use crate::pg::tables::Tables;
use crate::pg::text::Text;
use crate::store::cluster;

/// How many rows a call may change at most; NULL is all.
pub fn everything_or(what: &str, most: Option<i64>) -> Result<i64> {
    match most {
        None => Ok(i64::MAX),
        Some(most @ 0..) => Ok(most),
        Some(_) => Err(Error::argument(format!("{what} must not be negative"))),
    }
}

/// Has the function sso_attr.`function` work on each other node in turn, then `here` on this one, as far as
/// rows are left to be changed, and counts the rows. The other nodes come first, so that they never wait for
/// what this transaction holds. One that fails is left out, with a WARNING, as what others have locked is.
pub fn on_every_node(function: &str, most: i64, here: impl FnOnce(i64) -> Result<i64>) -> Result<i64> {
    let done = as_owner(Access::Write, |db| {
        let nodes = if cluster::is_distributed(db) { cluster::other_nodes(db) } else { Vec::new() };
        nodes.iter().fold(0, |done, node| {
            let left = most - done;
            match node.run(db, &format!("SELECT sso_attr.{function}({left})")) {
                Ok(rows) => done + rows.parse().unwrap_or(0).min(left),
                Err(error) => {
                    pgrx::warning!("{error}: {}", error.detail().unwrap_or_default());
                    done
                }
            }
        })
    });
    Ok(done + here(most - done)?)
}

/// Has every other node run a command. While a script of an extension runs, which Citus has each node do, there
/// is nothing to tell them. sql/distribute.sql creates the function.
#[pg_extern(sql = false)]
fn run_on_other_nodes(command: Text<'_>) -> Answer<()> {
    if script::is_running() {
        return Ok(());
    }
    let told = as_owner(Access::Write, |db| {
        cluster::other_nodes(db).iter().try_for_each(|node| node.run(db, &command).map(drop))
    });
    told.map_err(report)
}

/// Whether the tables are distributed. sql/distribute.sql creates the function.
#[pg_extern(sql = false)]
fn is_distributed() -> Answer<bool> {
    Ok(as_owner(Access::Read, cluster::is_distributed))
}

/// The pairs of tables that hold this node's sessions and attributes. sql/distribute.sql creates the function.
#[pg_extern(sql = false)]
fn node_tables() -> std::result::Result<
    TableIterator<'static, (name!(session, String), name!(attribute, String))>,
    ErrorReport,
> {
    let tables = as_owner(Access::Read, cluster::tables);
    Ok(TableIterator::new(tables.into_iter().map(|tables: Tables| (tables.session(), tables.attribute()))))
}
