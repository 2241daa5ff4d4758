//! The only place that touches PostgreSQL's C interface: everything `unsafe` is below here.

pub mod any;
pub mod clock;
pub mod datum;
pub mod jsonb;
pub mod settings;
pub mod spi;
pub mod worker;
