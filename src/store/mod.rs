//! Every statement the extension runs, one typed function each.
//!
//! Each statement is fully qualified, operators included, binds all its values, and has the
//! session id as a bare parameter on the table it touches, so that the tables can be distributed
//! by it. Times are parameters: one call has one now.
//!
//! Lock order, the same for every verb: the session's row (FOR KEY SHARE) where rows are
//! inserted, then attributes by name in byte order, inserts included, in one pass.

pub mod attribute;
pub mod batch;
pub mod cluster;
pub mod key;
pub mod purge;
pub mod session;
pub mod turn;
pub mod user;

#[cfg(feature = "compile_fail")]
mod compile_fail {
    include!(env!("SSO_ATTR_COMPILE_FAIL"));
}
