//! The crate as others use it: real keys of every kind, forged tokens, key sets of real servers.

mod checks;
mod claims;
mod forged;
mod fuzz;
mod jwks;
mod keys;
mod mint;
mod places;
mod standing;
