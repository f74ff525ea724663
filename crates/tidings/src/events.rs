//! Listening within the program: a reader's stream, decoded. Its way is that of every other reader.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use futures_core::Stream;
use tidings_core::{OnReset, Rarely, ResumeFrom, TypeFilter};
use tidings_fanout::EventStream;
use tidings_topic::{Selector, SelectorSet, Topic};
use tidings_wire::{Decoder, Event, Item};

use crate::hub::Hub;

/// What a reader within the program wants.
#[derive(Clone, Debug)]
pub struct SubscribeOptions {
    /// Its topics.
    pub selectors: SelectorSet,
    /// The event types it wants; `None`: all.
    pub types: Option<TypeFilter>,
    /// Where it goes on from. Default: from now.
    pub from: ResumeFrom,
    /// What it wants when that cannot be kept. Default: all that is retained.
    pub on_reset: OnReset,
    /// Does it get private events too? Default: yes, for it is the program's own.
    pub includes_private: bool,
}

impl SubscribeOptions {
    /// All events of one topic from now on.
    pub fn topic(topic: Topic) -> Self {
        Self::selectors(SelectorSet::one(topic))
    }

    /// All events of the topics that one of `selectors` matches from now on; `None` when there is none.
    pub fn matching(selectors: impl IntoIterator<Item = Selector>) -> Option<Self> {
        SelectorSet::new(selectors).map(Self::selectors)
    }

    /// Goes on after the event with this id, or from another place.
    pub fn from(mut self, from: ResumeFrom) -> Self {
        self.from = from;
        self
    }

    fn selectors(selectors: SelectorSet) -> Self {
        Self { selectors, types: None, from: ResumeFrom::Live, on_reset: OnReset::default(), includes_private: true }
    }
}

/// The events of a reader within the program. It ends when its topics end or the hub drains.
///
/// A reader that is slow costs nothing: it goes on from its place in history. One whose place is no longer kept ends.
pub struct Events {
    stream: EventStream,
    decoder: Decoder,
    /// The hub lives as long as one of its readers.
    _hub: Hub,
}

impl Events {
    pub(crate) fn new(hub: Hub, stream: EventStream) -> Self {
        Self { stream, decoder: Decoder::new(), _hub: hub }
    }

    /// The id of the last event, with which a later reader goes on after it.
    pub fn last_event_id(&self) -> &str {
        self.decoder.last_event_id()
    }
}

impl Stream for Events {
    type Item = Event;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        loop {
            while let Some(item) = self.decoder.poll() {
                match item {
                    Ok(Item::Event(event)) => return Poll::Ready(Some(event)),
                    Ok(_) => {}
                    Err(error) => {
                        static SAID: Rarely = Rarely::new();
                        if let Some(unsaid_before) = SAID.admit(Instant::now()) {
                            tracing::error!(%error, unsaid_before, "an event of this hub is too large for its reader within the program");
                        }
                        return Poll::Ready(None);
                    }
                }
            }
            match self.stream.poll_next(cx) {
                Poll::Ready(Some(bytes)) => self.decoder.push(&bytes),
                Poll::Ready(None) => return Poll::Ready(None),
                Poll::Pending => return Poll::Pending,
            }
        }
    }
}
