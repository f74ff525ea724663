//! A load generator for servers of server-sent events: any server that is subscribed to with a GET and published to with a
//! request.
//!
//! It opens raw sockets for the subscribers on a few threads, publishes over keep-alive connections, and counts every
//! delivery: what was lost, came twice or came out of order. It knows the wire and nothing of Tidings, so that other
//! servers are measured with the same eyes.
//!
//! ```no_run
//! use tidings_bench::{Plan, Server, run};
//!
//! let server = Server::parse("http://127.0.0.1:3000")?;
//! let plan = Plan { subscribers: 1_000, ..Plan::new(server) };
//! let report = run(&plan, |_progress| {})?;
//! println!("{report:#?}");
//! # Ok::<(), tidings_bench::BenchError>(())
//! ```
//!
//! # How it measures
//!
//! - **A stamp in each payload** names the run, the publishing connection, the topic, a sequence number and the time at which
//!   the event was *due*. Deliveries are counted by stamps, so servers that join many messages into one event are counted
//!   right too. Order is checked for each publishing connection and topic: between two connections there is none.
//! - **Coordinated omission**: with a rate, latency counts from the time at which the event should have been published.
//!   If a slow server holds the publisher up, the events that wait meanwhile are late, and count as late. At full speed there
//!   is no such time, and latency counts from the moment the request is written.
//! - **CPU** is what `/proc/PID/task/*/schedstat` says of the server and its children; **memory** is the growth of their PSS.
//!   Both need the server's process ids and Linux.
//!
//! Not here: printing, and a command line; see `tidings bench`.

mod connection;
mod crew;
mod descriptors;
mod error;
mod http;
mod latency;
mod layout;
mod ledger;
mod mode;
mod plan;
mod process;
mod progress;
mod publisher;
mod reader;
mod report;
mod server;
mod stamp;
mod tally;
mod template;
mod tracker;
mod verify;

pub use error::{BenchError, PlanError};
pub use mode::run;
pub use plan::{Amount, FanoutPlan, IdlePlan, Mode, Pace, Plan, PublishPlan, StormPlan, SubscribePlan};
pub use progress::{Phase, Progress};
pub use report::{
    ConnectReport, DeliveryReport, IdleReport, LatencyMs, PublishReport, Report, ServerReport, StormReport,
    VerifyReport,
};
pub use server::Server;
pub use stamp::PAYLOAD_BYTES_MIN;
pub use template::{Template, TemplateError};
