//! The stream format from outside: named cases, properties, a slow reference and a fuzz target.
//!
//! What a single file promises is tested beside it, in `src`.

mod cases;
mod chunk;
mod fuzz_decode;
mod naive;
mod outcome;
mod properties;
mod scale;
