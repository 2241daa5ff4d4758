//! Random calls of the whole surface, and the contract as plain data that says what they answer.

mod answer;
mod arguments;
pub mod call;
pub mod choice;
pub mod contract;
pub mod faulty;
mod json;
mod number;
pub mod player;
mod rights;
mod session;
mod time;
