//! What a stream gives: events, and for tools all else that it says and that happens to it.

use std::sync::Arc;
use std::time::Duration;

use url::Url;

use crate::error::Lost;
use crate::frame::Frame;

/// An event as the standard gives it to a listener.
///
/// Source: WHATWG HTML 9.2.6, "dispatch the event".
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Event {
    /// Which listeners it is for; `message` where the stream named none.
    pub event_type: String,
    /// The `data` lines, joined by LF.
    pub data: String,
    /// The id in force: that of this event, or of the last one before it that had an `id`; empty when
    /// there is none.
    pub last_event_id: String,
    /// Scheme, host and port of the URL that answered, after redirects: `https://example.com`.
    pub origin: Arc<str>,
}

impl Event {
    /// What this event is to a reader of a Tidings hub: an ordinary event, or one of the hub's own frames.
    ///
    /// Cost: a comparison of the type; the data is read for the frames that have some.
    ///
    /// ```
    /// # use tidings_client::{Event, Frame};
    /// # let event = Event { event_type: "tidings.reset".into(), last_event_id: "e-7".into(), origin: "".into(),
    /// #     data: r#"{"requested":"e-2","reason":"expired","oldest":"e-8","latest":"e-9"}"#.into() };
    /// match event.frame() {
    ///     Frame::Message => println!("{}", event.data),
    ///     Frame::Reset(reset) => eprintln!("a gap: {} after {}", reset.reason, reset.requested),
    ///     Frame::Open | Frame::End | Frame::Expiring(_) => {}
    ///     _ => {} // a frame of a later hub
    /// }
    /// ```
    pub fn frame(&self) -> Frame {
        Frame::of(self)
    }
}

/// Something a stream says or that happens to it: what [`EventSource::raw`](crate::EventSource::raw) gives.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Raw {
    /// A server has answered with a stream (the `open` event of a browser).
    Open {
        /// Who answered, after redirects.
        url: Url,
    },
    /// An event.
    Event(Event),
    /// A comment: all that follows its colon. Often a heartbeat, and then empty.
    Comment(String),
    /// The server set the reconnection time, to this.
    Retry(Duration),
    /// A block without data changed the last event id, to this.
    Id(String),
    /// The connection is no more, or there was none; the client comes back (the `error` event of a browser).
    Lost {
        /// What happened.
        cause: Lost,
        /// How long the client waits before it asks again.
        wait: Duration,
    },
}

/// Where a stream is in its life, by the numbers of the standard.
///
/// Source: WHATWG HTML 9.2.2, `readyState`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ReadyState {
    /// Not connected: asking, or waiting to ask again.
    Connecting = 0,
    /// Connected: events are given out as they come.
    Open = 1,
    /// Over for good.
    Closed = 2,
}
