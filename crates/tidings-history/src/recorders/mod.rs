//! Clients for tests that write down what they do: publishers that find out what became of what they sent, and readers
//! that come back as an `EventSource` does. Over plain HTTP/1.1, blocking, a thread for each reader.
//!
//! They judge nothing: what they wrote is judged by [`check`](crate::check) when all is over.
//!
//! ```no_run
//! use std::time::{Duration, Instant};
//! use tidings_history::recorders::{Base, Listener, Publisher, Reader, Recorder, Wish};
//! use tidings_history::{Interest, StartFrom, check};
//!
//! let (recorder, base) = (Recorder::new(), Base::parse("http://127.0.0.1:3000").expect("a URL of a hub"));
//! let listener = Listener::new(Interest::in_topics(["chat/*"]), StartFrom::Earliest);
//! let reader = Reader::start(&recorder, &base, listener);
//! let mut publisher = Publisher::new(&recorder, &base);
//! let last = publisher.publish(&Wish::new("chat/42", "hello")).expect("nobody has stopped the recorder");
//! reader.wait_for(&[last.name], Instant::now() + Duration::from_secs(10));
//! reader.finish();
//! println!("{}", check(&recorder.history()).expect("the hub keeps its promises"));
//! ```

mod base;
mod batch;
mod http;
mod listener;
mod publisher;
mod reader;
mod recorder;

pub use base::{Base, BaseError};
pub use listener::{Cuts, Listener, Pace};
pub use publisher::{Published, Publisher, Wish};
pub use reader::Reader;
pub use recorder::{Recorder, Tally};
