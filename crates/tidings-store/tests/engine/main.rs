//! The engine on disk as every engine is tested, and what it is after restarts.
//!
//! | file | what is tested |
//! |---|---|
//! | `suite.rs` | it passes the suite of every engine |
//! | `restart.rs` | it goes on after any restarts as if there had been none |
//! | `reopened.rs` | the engine of both: a store in a directory of its own |

mod reopened;
mod restart;
mod suite;
