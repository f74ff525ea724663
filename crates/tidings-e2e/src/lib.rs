//! Tests of the `tidings` program from outside, and the helpers they share.
//!
//! Here are the program as a child process, the clients that people use (a browser, curl, npm and
//! PyPI packages, a bare socket) and nothing of the hub's insides: a test sees what a user sees.
//!
//! Every wait is for an event and has the [`DEADLINE`]. A helper that cannot go on panics with
//! what it waited for and what the program had printed until then, for it only ever runs in tests.

mod browser;
mod clients;
mod crash;
mod data;
mod flood;
mod freezing_disk;
mod full_disk;
mod http;
mod hub;
mod memory;
mod mercure_publishers;
mod never_reads;
mod place;
mod port;
mod program;
mod proxy;
mod quiet;
mod raw;
mod soak;
mod terminal;
mod wait;

use std::time::Duration;

pub use browser::Browser;
pub use clients::{Follower, Seen, curl};
pub use crash::{CrashFault, CrashPlan, CrashReport, Durability, Retention, survive_crashes};
pub use data::{find_in_logs, logs, newest_log};
pub use flood::{Attack, AttackError, Flood, Kind, Newcomers, run as run_attack};
pub use freezing_disk::FreezingDisk;
pub use full_disk::SmallDisk;
pub use http::{Response, request};
pub use hub::{Hub, Metrics, tidings};
pub use memory::Memory;
pub use mercure_publishers::{publish_by_mercure_publisher, publish_by_symfony};
pub use never_reads::{NeverReads, connect_with_little_room};
pub use place::{artifact, of_the_project, promtool, shipped};
pub use program::{Finished, Program};
pub use proxy::Proxy;
pub use quiet::{QuietAtEnd, join_publishers};
pub use raw::RawStream;
pub use soak::{SoakFault, SoakPlan, SoakReport, soak};
pub use terminal::Terminal;
pub use wait::eventually;

/// How long any one wait may take. A good run uses a hundredth of it; a bad one ends here.
pub const DEADLINE: Duration = Duration::from_mins(1);
