//! Keeping the extension from being dropped while a worker uses it.

use pgrx::pg_sys;

/// Locks the extension until the end of the transaction, if this database has it. DROP EXTENSION waits
/// for this lock before it locks any table, so the two cannot deadlock.
pub fn lock_extension() -> bool {
    let extension = find();
    if extension == pg_sys::InvalidOid {
        return false;
    }
    // SAFETY: any object's identity can be locked; the look-up afterwards tells whether it still exists.
    unsafe {
        pg_sys::LockDatabaseObject(
            pg_sys::ExtensionRelationId,
            extension,
            0,
            pg_sys::AccessShareLock as pg_sys::LOCKMODE,
        );
    }
    find() == extension
}

fn find() -> pg_sys::Oid {
    // SAFETY: a catalog look-up by a static name within a transaction.
    unsafe { pg_sys::get_extension_oid(c"sso_attr".as_ptr(), true) }
}
