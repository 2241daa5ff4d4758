//! Every SQL function: decode the arguments, call, encode the result.
//!
//! No function is STRICT: what a NULL means is part of each one's contract.

mod attributes;
mod batches;
mod call;
mod cluster;
mod current;
mod expiry;
mod keys;
mod names;
mod operator;
mod purge_bin;
mod requests;
mod rights;
mod sessions;
mod users;
mod value;
mod version;
