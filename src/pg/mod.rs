//! The only place that touches PostgreSQL's C interface: everything `unsafe` is below here.
//!
//! Values that are handed out ([`datum`], [`envelope`], [`sql::Name`]) lie in the memory of the SQL
//! call that asked for them and are gone when it returns: nobody keeps them.

pub mod any;
pub mod citus;
pub mod clock;
pub mod datum;
#[cfg(feature = "delays")]
mod delay;
pub mod envelope;
pub mod hashing;
pub mod interrupt;
pub mod jsonb;
pub mod lock;
pub mod log;
pub mod numeric;
mod owner;
pub mod pages;
pub mod planner;
pub mod process;
pub mod report;
pub mod reserve;
pub mod role;
pub mod script;
pub mod settings;
pub mod spi;
pub mod sql;
pub mod statement;
pub mod tables;
pub mod text;
pub mod transaction;
pub(crate) mod version;
pub mod wait;
pub mod worker;
