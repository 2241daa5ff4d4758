//! Whom the functions act for: the owner of the schema sso_attr.

use std::cell::Cell;

use pgrx::{pg_guard, pg_sys};

thread_local! {
    /// The schema sso_attr and its owner, until PostgreSQL reports that some schema has changed.
    static SCHEMA: Cell<Option<(pg_sys::Oid, pg_sys::Oid)>> = const { Cell::new(None) };
    /// Whether it has been asked to report that.
    static IS_WATCHED: Cell<bool> = const { Cell::new(false) };
}

#[pg_guard]
unsafe extern "C-unwind" fn forget_schema(_argument: pg_sys::Datum, _cache: i32, _hash: u32) {
    SCHEMA.set(None);
}

/// # Safety
/// Inside a transaction.
pub(super) unsafe fn schema_and_owner() -> (pg_sys::Oid, pg_sys::Oid) {
    if let Some(known) = SCHEMA.get() {
        return known;
    }
    // SAFETY: the callback stays registered for the life of the backend, so it is registered once.
    unsafe {
        if !IS_WATCHED.replace(true) {
            pg_sys::CacheRegisterSyscacheCallback(
                pg_sys::SysCacheIdentifier::NAMESPACEOID as _,
                Some(forget_schema),
                pg_sys::Datum::null(),
            );
        }
        let found = look_up_schema_and_owner();
        SCHEMA.set(Some(found));
        found
    }
}

/// # Safety
/// Inside a transaction.
unsafe fn look_up_schema_and_owner() -> (pg_sys::Oid, pg_sys::Oid) {
    // SAFETY: the cache entry is read before it is released; NAMESPACENAME entries are
    // pg_namespace rows, whose fixed part FormData_pg_namespace describes.
    unsafe {
        let entry = pg_sys::SearchSysCache1(
            pg_sys::SysCacheIdentifier::NAMESPACENAME as _,
            c"sso_attr".as_ptr().into(),
        );
        if entry.is_null() {
            pgrx::ereport!(
                ERROR,
                pgrx::PgSqlErrorCode::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
                "schema \"sso_attr\" does not exist",
                "Create the extension sso_attr in this database."
            );
        }
        let row = pg_sys::GETSTRUCT(entry).cast::<pg_sys::FormData_pg_namespace>();
        let found = ((*row).oid, (*row).nspowner);
        pg_sys::ReleaseSysCache(entry);
        found
    }
}
