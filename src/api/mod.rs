//! Every SQL function: decode the arguments, call, encode the result.
//!
//! No function is STRICT: what a NULL means is part of each one's contract.

mod attributes;
mod batches;
mod call;
mod keys;
mod operator;
mod sessions;
mod value;
