//! Background workers.
//!
//! | where | what |
//! | --- | --- |
//! | [`process`] | starting a worker; what a worker does as a process: connect, reload, wait |
//! | [`visit`] | what launcher and visitor tell each other, in shared memory |
//! | [`transaction`] | a transaction whose ERROR does not end the worker |
//! | [`extension`] | keeping the extension from being dropped meanwhile |
//! | [`database`] | the databases that can be visited |

mod database;
mod extension;
mod process;
mod transaction;
mod visit;

pub use database::{Database, databases};
pub use extension::lock_extension;
pub use process::{
    connect, connect_without_database, decode_argument, is_preloading, register, reload_if_pending,
    report_idle, report_running, run_and_wait, wait,
};
pub use transaction::in_transaction;
pub use visit::{RekeyCursor, Visit, current_visit, publish_visit, update_visit};
