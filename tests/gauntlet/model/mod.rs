//! Random calls of the whole surface, and the contract as plain data that says what they answer.

pub mod call;
pub mod choice;
pub mod contract;
pub mod faulty;
mod number;
pub mod player;
