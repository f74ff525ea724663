//! A reader that comes back: one stream after another, each from where the last one broke.

use std::time::Duration;

use hyper::body::Incoming;
use serde::Deserialize;
use tidings_wire::{Decoder, Event, Item};
use tokio::time::sleep;

use super::backoff::Backoff;
use super::show::{Shower, Wish, push_visible};
use super::source::Source;
use super::stream::{self, Opened};
use crate::exit::Failure;
use crate::say;

/// Follows one source.
#[derive(Debug)]
pub(super) struct Follower {
    source: Source,
    shower: Shower,
    backoff: Backoff,
    /// Knows the last event ID, which outlives each stream.
    decoder: Decoder,
}

/// How a stream ended.
enum Ended {
    /// Nothing more is wanted, or will come.
    ForGood,
    /// It may go on.
    Broken {
        /// What happened, for a person.
        why: String,
    },
}

impl Follower {
    /// A reader that begins after the event with this id, or now.
    pub(super) fn new(source: Source, last_event_id: Option<String>, shower: Shower) -> Self {
        let mut decoder = Decoder::new();
        if let Some(id) = last_event_id {
            // What a stream before this one would have left.
            decoder.push(format!("id: {id}\n\n").as_bytes());
            while decoder.poll().is_some() {}
            decoder.restart();
        }
        Self { source, shower, backoff: Backoff::default(), decoder }
    }

    /// Follows until nothing more is wanted or will come.
    ///
    /// # Errors
    /// A [`Failure`] when the server refuses for good, or its stream cannot be read or printed.
    pub(super) async fn follow(mut self) -> Result<(), Failure> {
        loop {
            let (why, after) = match stream::open(&self.source, self.decoder.last_event_id()).await? {
                Opened::Nothing => return Ok(()),
                Opened::Later { why, after } => {
                    self.backoff.failed();
                    (why, after)
                }
                Opened::Stream(stream) => {
                    self.backoff.succeeded();
                    match self.read(stream).await? {
                        Ended::ForGood => return Ok(()),
                        Ended::Broken { why } => (why, None),
                    }
                }
            };
            let delay = self.backoff.delay(fastrand::f64()).max(after.unwrap_or_default());
            say::note(format_args!("{why}; trying again in {:.1} s", delay.as_secs_f64()));
            sleep(delay).await;
        }
    }

    async fn read(&mut self, mut stream: Incoming) -> Result<Ended, Failure> {
        self.decoder.restart();
        loop {
            let bytes = match stream::next_bytes(&mut stream).await {
                Ok(Some(bytes)) => bytes,
                Ok(None) => return Ok(Ended::Broken { why: "the stream ended".to_owned() }),
                Err(why) => return Ok(Ended::Broken { why: format!("the connection broke: {why}") }),
            };
            self.decoder.push(&bytes);
            let taken = self.take_items();
            // Before a failure too: what came before it is good.
            let seen = self.shower.flush().await?;
            if taken? == Wish::Enough || seen == Wish::Enough {
                return Ok(Ended::ForGood);
            }
        }
    }

    fn take_items(&mut self) -> Result<Wish, Failure> {
        while let Some(item) = self.decoder.poll() {
            // An event that is too large would come again with the next connection.
            let item = item.map_err(|error| Failure::running(format!("the stream cannot be read: {error}")))?;
            if self.take(item) == Wish::Enough {
                return Ok(Wish::Enough);
            }
        }
        Ok(Wish::More)
    }

    fn take(&mut self, item: Item) -> Wish {
        let event = match item {
            Item::Event(event) => event,
            Item::Retry(ms) => {
                self.backoff.retry = Duration::from_millis(ms);
                return Wish::More;
            }
            Item::Id(_) | Item::Comment(_) => return Wish::More,
        };
        match &*event.event_type {
            "tidings.open" => Wish::More,
            "tidings.reset" => {
                say::note(reset_note(&event));
                Wish::More
            }
            "tidings.end" => Wish::Enough, // the hub would answer 204 from now on
            _ => self.shower.show(&event),
        }
    }
}

/// What a hub says when a resume cannot be kept. (CONTRACT.md, section 2)
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Verdict {
    requested: String,
    reason: String,
}

/// The verdict in words: it stands on stderr, so that nobody takes the events after it for all there were.
fn reset_note(event: &Event) -> String {
    let verdict: Verdict = serde_json::from_str(&event.data).unwrap_or_default();
    let mut note = String::from("gap: what came after ");
    push_visible(&mut note, &verdict.requested);
    note.push_str(" is not all there any more (");
    push_visible(&mut note, if verdict.reason.is_empty() { "no reason is given" } else { &verdict.reason });
    note.push_str("); going on with the oldest event that is kept");
    note
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verdict_names_the_id_and_the_reason() {
        let note = |data: &str| {
            reset_note(&Event { event_type: "tidings.reset".into(), data: data.into(), last_event_id: "e-9".into() })
        };
        let got = note(r#"{"requested":"e-1","reason":"expired","oldest":null,"latest":"e-9"}"#);
        assert_eq!(
            got,
            "gap: what came after e-1 is not all there any more (expired); going on with the oldest event that is kept"
        );
        assert!(note("?").contains("no reason is given"));
    }
}
