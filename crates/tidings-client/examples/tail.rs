//! Follows an event stream: `cargo run -p tidings-client --example tail -- URL [LAST-EVENT-ID]`.
//!
//! Prints events as they come and tells on stderr what happens to the connection.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "an example for the terminal")]

use std::process::ExitCode;
use std::time::Duration;

use futures_util::StreamExt;
use tidings_client::{EventSource, Frame, Raw};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let Some(url) = arguments.next() else {
        eprintln!("usage: tail URL [LAST-EVENT-ID]");
        return ExitCode::from(2);
    };
    match tail(&url, &arguments.next().unwrap_or_default()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn tail(url: &str, last_event_id: &str) -> Result<(), Box<dyn std::error::Error>> {
    let source = EventSource::get(url)
        .last_event_id(last_event_id)
        .idle_timeout(Duration::from_mins(1)) // four heartbeats of a server that follows the standard's advice
        .retry_refusals(true)
        .build()?;
    let mut stream = source.raw();
    while let Some(raw) = stream.next().await {
        match raw? {
            Raw::Event(event) => match event.frame() {
                Frame::Reset(reset) => eprintln!("-- events may be missing: {}", reset.reason),
                Frame::Open => eprintln!("-- from {} on", event.last_event_id),
                _ => println!("{}\t{}\t{}", event.last_event_id, event.event_type, event.data),
            },
            Raw::Open { url } => eprintln!("-- connected to {url}"),
            Raw::Lost { cause, wait } => eprintln!("-- {cause}; again in {wait:.1?}"),
            _ => {}
        }
    }
    eprintln!("-- the server has no more");
    Ok(())
}
