//! The three things that can be done, and what they have in common: connecting and counting.

mod fanout;
mod idle;
mod run;
mod storm;

pub use run::run;
