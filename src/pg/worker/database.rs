//! The databases of the server, and whether anything is written in them.

use std::ffi::CStr;

use pgrx::pg_sys;

use crate::pg::version;

/// A database that can be visited.
pub struct Database {
    pub oid: pg_sys::Oid,
    pub name: String,
    /// Rows written in it, as PostgreSQL counts them: where the number has not changed, nothing was
    /// written that a transaction has shown to others for a while. `None` if it does not count.
    pub writes: Option<i64>,
}

/// The databases that allow connections. Templates are left out: they hold nobody's sessions, and a
/// visitor would be in the way of CREATE DATABASE.
pub fn databases() -> Vec<Database> {
    let mut databases = Vec::new();
    // SAFETY: pg_database is a shared catalog, which can be read without a database; the fixed part of
    // its rows is FormData_pg_database. The scan ends before the transaction does.
    unsafe {
        pg_sys::StartTransactionCommand();
        let relation = pg_sys::table_open(pg_sys::DatabaseRelationId, pg_sys::AccessShareLock as _);
        let scan = pg_sys::systable_beginscan(
            relation,
            pg_sys::InvalidOid,
            false,
            std::ptr::null_mut(),
            0,
            std::ptr::null_mut(),
        );
        loop {
            let tuple = pg_sys::systable_getnext(scan);
            if tuple.is_null() {
                break;
            }
            let row = &*pg_sys::GETSTRUCT(tuple).cast::<pg_sys::FormData_pg_database>();
            // A DROP DATABASE that was interrupted leaves a limit of -2.
            if row.datallowconn && !row.datistemplate && row.datconnlimit != -2 {
                let name = CStr::from_ptr(row.datname.data.as_ptr()).to_string_lossy().into_owned();
                databases.push(Database { oid: row.oid, name, writes: writes(row.oid) });
            }
        }
        pg_sys::systable_endscan(scan);
        pg_sys::table_close(relation, pg_sys::AccessShareLock as _);
        pg_sys::CommitTransactionCommand();
    }
    databases
}

fn writes(database: pg_sys::Oid) -> Option<i64> {
    // SAFETY: a setting, and a copy of counters that lasts until the end of the transaction, if there is
    // one for this database.
    unsafe {
        pg_sys::pgstat_track_counts
            .then(|| pg_sys::pgstat_fetch_stat_dbentry(database).as_ref().map_or(0, version::rows_written))
    }
}
