//! The only place that touches PostgreSQL's C interface: everything `unsafe` is below here.

pub mod any;
pub mod clock;
pub mod datum;
pub mod jsonb;
mod owner;
pub mod param;
pub mod row;
pub mod settings;
pub mod spi;
pub mod worker;
