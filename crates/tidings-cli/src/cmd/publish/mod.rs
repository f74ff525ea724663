//! `tidings publish`: one event, or one for each line of stdin.
//!
//! Here is one event. Many lines are in `batch`: `input` is where they come from, `line` how they are written, `queue` which
//! of them are not answered yet, `keys` which of them may be sent twice, `outage` how long a hub may be gone, `bar` what is
//! shown meanwhile.

mod bar;
mod batch;
mod input;
mod keys;
mod line;
mod outage;
mod queue;

use std::io::{self, IsTerminal, Read};
use std::time::Duration;

use bytes::Bytes;
use clap::Args;
use http::{HeaderValue, Method, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use serde::Deserialize;
use tidings::{EventId, EventType, Topic};

use super::remote::{RemoteFlags, with_advice};
use crate::config::parse_duration;
use crate::exit::Failure;
use crate::http_client::{self, Problem, encode};
use crate::say;

/// Publish an event, or one for each line of stdin
///
/// It prints the id of each event once the hub has stored it.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Publish {
    /// The topic, such as chat/42
    #[arg(value_parser = Topic::parse)]
    topic: Topic,

    /// The event's data; without it all of stdin is the data, as it is, its last line end included
    #[arg(allow_negative_numbers = true)]
    data: Option<String>,

    /// Publish each line of stdin as an event, over one connection, as the lines come
    #[arg(long, conflicts_with_all = ["data", "id"])]
    lines: bool,

    #[command(flatten)]
    remote: RemoteFlags,

    #[command(flatten)]
    event: EventFlags,
}

#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Event")]
struct EventFlags {
    /// The event's type; `message` without it
    #[arg(long = "type", value_name = "TYPE", value_parser = EventType::parse)]
    event_type: Option<EventType>,

    /// An id of your own; without it the hub makes one
    #[arg(long, value_name = "ID", value_parser = EventId::parse)]
    id: Option<EventId>,

    /// How long readers wait before they come back, from this event on
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    retry: Option<Duration>,

    /// How long the event is replayed; as long as the history keeps it without it
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    ttl: Option<Duration>,

    /// Only for readers who are authorised for it
    #[arg(long)]
    private: bool,

    /// Close the topic after this event, or after the last line. Without DATA and --lines it closes it and reads no stdin
    #[arg(long)]
    end: bool,

    /// With the same key again the hub publishes nothing and answers the first id. With --lines each line has the key
    /// KEY-1, KEY-2, and so on; without it they have keys of this run's own
    #[arg(long, value_name = "KEY", value_parser = parse_key)]
    idempotency_key: Option<String>,
}

impl Publish {
    /// Publishes, and prints the ids.
    ///
    /// # Errors
    /// A [`Failure`] when the hub cannot be reached or refuses, or stdin cannot be read.
    pub(crate) async fn run(self) -> Result<(), Failure> {
        if self.lines {
            return batch::publish(&self.topic, &self.event, &self.remote).await;
        }
        let data = match self.data {
            Some(data) => data.into_bytes(),
            None if self.event.end => Vec::new(),
            None => read_stdin()?,
        };
        let id = publish_one(&self.topic, data, &self.event, &self.remote).await?;
        say::result(id);
        Ok(())
    }
}

async fn publish_one(
    topic: &Topic,
    data: Vec<u8>,
    event: &EventFlags,
    remote: &RemoteFlags,
) -> Result<String, Failure> {
    let target = remote.hub.below(&target(topic, event));
    let mut request = http_client::request(Method::POST, &remote.hub, &target, remote.token.as_ref());
    if let Some(key) = &event.idempotency_key {
        let key = HeaderValue::try_from(key).expect("visible ASCII characters are a header value");
        request = request.header("idempotency-key", key);
    }
    let request =
        request.body(Full::new(Bytes::from(data))).expect("the target is encoded and the headers are checked");

    let answer = http_client::send(&remote.hub, request).await;
    let answer = answer.map_err(|error| Failure::running(with_advice(&error)))?;
    if answer.status() != StatusCode::OK {
        let problem = Problem::read(answer).await;
        return Err(Failure::running(format!("the hub refused: {problem}")));
    }
    let body = Limited::new(answer.into_body(), ANSWER_BYTES_MAX).collect().await;
    let answer: Option<Accepted> = body.ok().and_then(|body| serde_json::from_slice(&body.to_bytes()).ok());
    match answer {
        Some(accepted) => Ok(accepted.id),
        None => {
            Err(Failure::running("the hub's answer has no id; is there a hub at this address? Name another with --hub"))
        }
    }
}

/// What a hub answers when it has stored an event.
#[derive(Debug, Deserialize)]
struct Accepted {
    id: String,
}

/// An id and a topic, each byte an escape of six.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// The path of the topic, with all that is not data as its query.
fn target(topic: &Topic, event: &EventFlags) -> String {
    let mut target = format!("/events/{}", encode(topic.as_str()));
    let mut separator = '?';
    let mut add = |text: String| {
        target.push(separator);
        target.push_str(&text);
        separator = '&';
    };
    if let Some(event_type) = &event.event_type {
        add(format!("type={}", encode(event_type.as_str())));
    }
    if let Some(id) = &event.id {
        add(format!("id={}", encode(id.as_str())));
    }
    if let Some(retry) = event.retry {
        add(format!("retry={}", retry.as_millis()));
    }
    if let Some(ttl) = event.ttl {
        add(format!("ttl={}ms", ttl.as_millis()));
    }
    if event.private {
        add("private".to_owned());
    }
    if event.end {
        add("end".to_owned());
    }
    target
}

/// All of stdin, for one event.
fn read_stdin() -> Result<Vec<u8>, Failure> {
    let stdin = io::stdin();
    if stdin.is_terminal() {
        say::note("Write the event's data and end it with Ctrl-D:");
    }
    let mut data = Vec::new();
    stdin
        .lock()
        .take(DATA_BYTES_MAX + 1)
        .read_to_end(&mut data)
        .map_err(|error| Failure::running(format!("stdin cannot be read: {error}")))?;
    if data.len() as u64 > DATA_BYTES_MAX {
        return Err(Failure::running(format!(
            "stdin has more than the {DATA_BYTES_MAX} bytes that one event may have; --lines publishes each line by itself"
        )));
    }
    Ok(data)
}

/// Most bytes of one event's data. Readers that follow the defaults of `tidings-wire` take no larger ones.
const DATA_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// As the hub takes it, less what the number of a line needs.
fn parse_key(raw: &str) -> Result<String, String> {
    if (1..=KEY_BYTES_MAX).contains(&raw.len()) && raw.bytes().all(|byte| byte.is_ascii_graphic()) {
        Ok(raw.to_owned())
    } else {
        Err(format!("expected 1 to {KEY_BYTES_MAX} visible ASCII characters"))
    }
}

const KEY_BYTES_MAX: usize = 234;

const EXAMPLES: &str = "\
Examples:
  tidings publish default 'Good news'
  tidings publish chat/42 '{\"who\":\"Ada\"}' --type typing
  date | tidings publish default            all of stdin is one event
  ping localhost | tidings publish ping --lines
  cargo build 2>&1 | tidings publish builds/7 --lines --end
  tidings publish builds/7 --end            closes the topic
  tidings publish invoices paid --idempotency-key invoice-2041-paid

With --lines a connection that is lost is made again, and nothing is published twice. An id is printed for each line, in order, and one for --end; a line that the hub refuses is told on stderr \
with its number, and the exit code is then 1.
TIDINGS_HUB and TIDINGS_TOKEN stand for --hub and --token.";

#[cfg(test)]
mod tests {
    use super::*;

    fn check(topic: &str, event: &EventFlags, want: &str) {
        let topic = Topic::parse(topic).expect("a topic");
        assert_eq!(target(&topic, event), want);
    }

    #[test]
    fn the_target_says_all_but_the_data() {
        check("default", &EventFlags::default(), "/events/default");
        check("chat/a b+c", &EventFlags::default(), "/events/chat/a%20b%2Bc");
        check("/?#", &EventFlags::default(), "/events//%3F%23");
        let all = EventFlags {
            event_type: EventType::parse("a&b").ok(),
            id: EventId::parse("order 42").ok(),
            retry: Some(Duration::from_secs(3)),
            ttl: Some(Duration::from_mins(10)),
            private: true,
            end: true,
            idempotency_key: Some("k".to_owned()),
        };
        check("t", &all, "/events/t?type=a%26b&id=order%2042&retry=3000&ttl=600000ms&private&end");
        check("t", &EventFlags { end: true, ..EventFlags::default() }, "/events/t?end");
    }

    #[test]
    fn a_key_is_visible_ascii_with_room_for_a_number() {
        for (raw, want) in [("k", true), ("", false), ("a b", false), ("é", false)] {
            assert_eq!(parse_key(raw).is_ok(), want, "{raw:?}");
        }
        assert!(parse_key(&"k".repeat(KEY_BYTES_MAX)).is_ok());
        assert!(parse_key(&"k".repeat(KEY_BYTES_MAX + 1)).is_err());
        assert!(KEY_BYTES_MAX + format!("-{}", u64::MAX).len() <= 255, "what the hub takes");
    }
}
