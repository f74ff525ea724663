//! The first bytes of a stream: how to come back, the verdict or the opening frame, and the demo's greeting.

use std::sync::LazyLock;
use std::time::Duration;

use bytes::Bytes;
use serde::Serialize;
use tidings_core::{Position, Reset};
use tidings_wire::{COMMENT, EventFields, EventId, EventType, encode_event, encode_retry};

/// What goes first.
pub(super) struct Opening<'a> {
    /// How long to wait before coming back. Unit: milliseconds.
    pub(super) retry_ms: u64,
    /// The first frame, if there is one.
    pub(super) frame: Option<FirstFrame<'a>>,
    /// The demo's greeting.
    pub(super) greeting: Option<Greeting<'a>>,
}

/// A frame that tells a reader its place.
pub(super) struct FirstFrame<'a> {
    /// The stream goes on after it.
    pub(super) position: Position,
    /// What could not be kept; nothing for a plain `tidings.open`.
    pub(super) reset: Option<&'a Reset>,
}

/// An ordinary event of the demo.
pub(super) struct Greeting<'a> {
    pub(super) data: &'a str,
    /// A reader that had nothing before gets an id to come back with.
    pub(super) id: Option<EventId>,
}

impl Opening<'_> {
    /// The bytes, unframed.
    pub(super) fn encode(&self) -> Bytes {
        let mut out = Vec::with_capacity(128); // the usual: retry, comment and an opening frame
        encode_retry(self.retry_ms, &mut out);
        // Not a blank line after it: that would set a reader's last event id to nothing. (WHATWG HTML 9.2.6)
        out.extend_from_slice(COMMENT);
        if let Some(frame) = &self.frame {
            frame.encode(&mut out);
        }
        if let Some(Greeting { data, id }) = &self.greeting {
            encode_event(&EventFields { id: id.as_ref(), data, ..EventFields::default() }, &mut out);
        }
        out.into()
    }
}

impl FirstFrame<'_> {
    /// The bytes of this frame, with nothing before or after it.
    pub(super) fn encode_alone(&self) -> Bytes {
        let mut out = Vec::new();
        self.encode(&mut out);
        out.into()
    }

    fn encode(&self, out: &mut Vec<u8>) {
        static OPEN: LazyLock<EventType> = LazyLock::new(|| EventType::parse("tidings.open").expect("a plain word"));
        static RESET: LazyLock<EventType> = LazyLock::new(|| EventType::parse("tidings.reset").expect("a plain word"));
        let id = self.position.to_event_id();
        let (event_type, data) = match self.reset {
            Some(reset) => (&*RESET, verdict_json(reset)),
            None => (&*OPEN, String::new()),
        };
        encode_event(&EventFields { event_type: Some(event_type), id: Some(&id), data: &data, retry_ms: None }, out);
    }
}

/// `duration` and up to a quarter more or less, so that readers who left together do not come back together.
/// Unit of the answer: milliseconds.
pub(super) fn jittered_ms(duration: Duration) -> u64 {
    let ms = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX / 2).min(u64::MAX / 2);
    let quarter = ms / 4;
    ms - quarter + fastrand::u64(0..=2 * quarter)
}

fn verdict_json(reset: &Reset) -> String {
    #[derive(Serialize)]
    struct Verdict<'a> {
        requested: &'a str,
        reason: &'a str,
        oldest: Option<String>,
        latest: Option<String>,
    }
    let text = |position: Option<Position>| position.map(|position| position.to_string());
    let verdict = Verdict {
        requested: &reset.requested,
        reason: reset.reason.label(),
        oldest: text(reset.oldest),
        latest: text(reset.latest),
    };
    serde_json::to_string(&verdict).expect("texts are always JSON")
}

#[cfg(test)]
mod tests {
    use tidings_core::{Epoch, ResetReason, Sequence};

    use super::*;

    fn position(sequence: u64) -> Position {
        Position { epoch: Epoch::from_unix_micros(0), sequence: Sequence(sequence) }
    }

    fn check(frame: Option<FirstFrame<'_>>, greeting: Option<Greeting<'_>>, want: &str) {
        let opening = Opening { retry_ms: 2000, frame, greeting };
        let want = want.replace("EPOCH", position(0).epoch.as_str());
        assert_eq!(String::from_utf8_lossy(&opening.encode()), format!("retry: 2000\n:\n{want}"));
    }

    #[test]
    fn a_stream_begins_without_a_blank_line() {
        check(None, None, "");
    }

    #[test]
    fn the_opening_frame_carries_the_cursor() {
        check(
            Some(FirstFrame { position: position(41), reset: None }),
            None,
            "event: tidings.open\nid: EPOCH-41\ndata: \n\n",
        );
    }

    #[test]
    fn a_verdict_takes_the_place_of_the_opening_frame() {
        let reset = Reset {
            requested: "or\"der\u{1}".into(),
            reason: ResetReason::Expired,
            oldest: Some(position(7)),
            latest: None,
        };
        check(
            Some(FirstFrame { position: position(6), reset: Some(&reset) }),
            Some(Greeting { data: "Hello", id: None }),
            concat!(
                "event: tidings.reset\nid: EPOCH-6\n",
                r#"data: {"requested":"or\"der\u0001","reason":"expired","oldest":"EPOCH-7","latest":null}"#,
                "\n\ndata: Hello\n\n"
            ),
        );
    }

    #[test]
    fn a_fresh_reader_is_greeted_with_an_id() {
        let id = EventId::parse("1795464000000").ok();
        check(None, Some(Greeting { data: "Hello, World!", id }), "id: 1795464000000\ndata: Hello, World!\n\n");
    }

    #[test]
    fn jitter_stays_within_a_quarter() {
        let drawn: Vec<u64> = (0..1000).map(|_| jittered_ms(Duration::from_secs(2))).collect();
        assert!(drawn.iter().all(|ms| (1500..=2500).contains(ms)), "{drawn:?}");
        assert!(drawn.iter().any(|ms| *ms < 1750) && drawn.iter().any(|ms| *ms > 2250), "{drawn:?}");
        assert_eq!(jittered_ms(Duration::ZERO), 0);
        assert!(jittered_ms(Duration::MAX) > 0);
    }
}
