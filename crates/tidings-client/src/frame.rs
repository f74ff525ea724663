//! The hub's own events, read: `tidings.open`, `tidings.reset`, `tidings.end` and `tidings.expiring`.
//!
//! Any other server's stream has none of them, and all its events are [`Frame::Message`].

use std::time::Duration;

use serde_json::Value;

use crate::event::Event;

/// What an event is to a reader of a Tidings hub. See [`Event::frame`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Frame {
    /// An ordinary event: something was published.
    Message,
    /// The stream begins; the event's id is the place from which it goes on.
    Open,
    /// The resume that was asked for could not be kept: events may be missing before this place.
    Reset(Reset),
    /// The topic has ended: no more will come, and the hub answers 204 to whoever asks again.
    End,
    /// The token ends soon, and with it the stream.
    Expiring(Expiring),
}

/// Why and where a resume failed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Reset {
    /// The id or time that was asked for.
    pub requested: String,
    /// `expired` (it was trimmed), `unknown` (the hub never saw that id) or `lost` (it died with a crash).
    pub reason: String,
    /// The oldest event that can still be read, if there is one.
    pub oldest: Option<String>,
    /// The newest event, if there is one.
    pub latest: Option<String>,
}

/// When a token ends, and how to prolong the stream.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Expiring {
    /// How long the stream goes on.
    pub expires_in: Duration,
    /// Where a fresh token of the same subject prolongs the stream, by POST; relative to the stream's URL.
    pub renew_url: String,
}

impl Frame {
    /// A frame whose data is not as expected is an ordinary event: what it says is then for a later client.
    pub(crate) fn of(event: &Event) -> Self {
        let read = match event.event_type.as_str() {
            "tidings.open" => Some(Self::Open),
            "tidings.end" => Some(Self::End),
            "tidings.reset" => read_reset(&event.data).map(Self::Reset),
            "tidings.expiring" => read_expiring(&event.data).map(Self::Expiring),
            _ => None,
        };
        read.unwrap_or(Self::Message)
    }
}

fn read_reset(data: &str) -> Option<Reset> {
    let value: Value = serde_json::from_str(data).ok()?;
    let text = |name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
    Some(Reset {
        requested: text("requested").unwrap_or_default(),
        reason: text("reason")?,
        oldest: text("oldest"),
        latest: text("latest"),
    })
}

fn read_expiring(data: &str) -> Option<Expiring> {
    let value: Value = serde_json::from_str(data).ok()?;
    Some(Expiring {
        expires_in: Duration::from_millis(value.get("expires_in_ms")?.as_u64()?),
        renew_url: value.get("renew_url").and_then(Value::as_str).unwrap_or_default().to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(event_type: &str, data: &str, want: &Frame) {
        let event =
            Event { event_type: event_type.into(), data: data.into(), last_event_id: "7".into(), origin: "o".into() };
        assert_eq!(&event.frame(), want, "{event_type} {data:?}");
    }

    #[test]
    fn the_hubs_own_frames_are_read() {
        check("tidings.open", "", &Frame::Open);
        check("tidings.end", "", &Frame::End);
        check("tidings.end", "with data", &Frame::End);
        check(
            "tidings.reset",
            r#"{"requested":"a\"b","reason":"expired","oldest":"e-3","latest":null}"#,
            &Frame::Reset(Reset {
                requested: "a\"b".into(),
                reason: "expired".into(),
                oldest: Some("e-3".into()),
                latest: None,
            }),
        );
        check(
            "tidings.expiring",
            r#"{"expires_in_ms":1500,"renew_url":"/renew/x"}"#,
            &Frame::Expiring(Expiring { expires_in: Duration::from_millis(1500), renew_url: "/renew/x".into() }),
        );
    }

    #[test]
    fn all_else_is_a_message() {
        check("message", "tidings.open", &Frame::Message);
        check("tidings.opened", "", &Frame::Message);
        check("tidings.reset", "not json", &Frame::Message);
        check("tidings.reset", "[]", &Frame::Message);
        check("tidings.expiring", r#"{"expires_in_ms":-1}"#, &Frame::Message);
    }
}
