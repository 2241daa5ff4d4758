#![doc = include_str!("../README.md")]

mod layer;
mod request;
mod store;

pub use layer::{SsoAttrLayer, SsoAttrService};
pub use request::RequestStore;
pub use store::SsoAttrStore;
