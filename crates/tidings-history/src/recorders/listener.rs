//! What a reader is like: what it asks for, and how it behaves.

use std::time::Duration;

use super::base::{Base, percent_encode};
use crate::entry::StartFrom;
use crate::interest::Interest;

/// What a reader is like.
#[derive(Clone, Debug)]
pub struct Listener {
    /// What it listens to.
    pub interest: Interest,
    /// Where it starts, until it has an id of its own.
    pub start: StartFrom,
    /// It asks for the opening frame, as browsers do.
    pub wants_opening: bool,
    /// How long it waits before it comes back.
    pub delay: Duration,
    /// It waits as long as the last `retry:` says instead, once it was told one. Most tests have no time for that.
    pub keeps_retry: bool,
    /// It cuts its own connections.
    pub cuts: Option<Cuts>,
    /// It reads slowly.
    pub pace: Option<Pace>,
    /// It asks by HTTP/1.0, as old libraries do: its answer has no chunks, and a hub may write it another way.
    pub is_http_1_0: bool,
}

/// How fast a reader reads that is slow on purpose: so many bytes at a time, and a rest after each.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// Most bytes at a time.
    pub bytes: usize,
    /// The rest.
    pub every: Duration,
}

/// How a reader cuts its connections: each after some bytes, anywhere in a frame.
#[derive(Clone, Copy, Debug)]
pub struct Cuts {
    /// The same seed cuts after the same numbers of bytes.
    pub seed: u64,
    /// About so many bytes between two cuts. Half of them come much earlier.
    pub bytes_between: usize,
    /// A connection on which no byte comes for so long is cut too: at the very edge of what was published.
    pub idle: Option<Duration>,
    /// So many cuts, then none.
    pub count: usize,
}

impl Listener {
    /// A reader that asks for no opening frame, comes back after 10 ms and is not cut.
    pub fn new(interest: Interest, start: StartFrom) -> Self {
        Self {
            interest,
            start,
            wants_opening: false,
            delay: Duration::from_millis(10),
            keeps_retry: false,
            cuts: None,
            pace: None,
            is_http_1_0: false,
        }
    }

    /// It asks for the opening frame.
    pub fn with_opening(self) -> Self {
        Self { wants_opening: true, ..self }
    }

    /// It cuts its own connections.
    pub fn with_cuts(self, cuts: Cuts) -> Self {
        Self { cuts: Some(cuts), ..self }
    }

    /// It comes back when the hub says.
    pub fn with_retry_kept(self) -> Self {
        Self { keeps_retry: true, ..self }
    }

    /// The path and query of its stream.
    pub(super) fn target(&self, base: &Base) -> String {
        let mut query = Vec::new();
        let path = match &*self.interest.selectors {
            [topic] if !topic.contains('*') => base.channel(topic),
            selectors => {
                query.extend(selectors.iter().map(|selector| format!("topic={}", percent_encode(selector))));
                base.channels()
            }
        };
        if !self.interest.types.is_empty() {
            let types: Vec<_> = self.interest.types.iter().map(|event_type| percent_encode(event_type)).collect();
            query.push(format!("types={}", types.join(",")));
        }
        match &self.start {
            StartFrom::Earliest => query.push("since=earliest".to_owned()),
            StartFrom::Since(since) => query.push(format!("since={}", percent_encode(since))),
            StartFrom::Last(count) => query.push(format!("last={count}")),
            StartFrom::After(_) | StartFrom::Live => {}
        }
        query.push(format!("prime={}", u8::from(self.wants_opening)));
        format!("{path}?{}", query.join("&"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(listener: &Listener, want: &str) {
        let base = Base::parse("http://127.0.0.1:3000").expect("a URL");
        assert_eq!(listener.target(&base), want, "{listener:?}");
    }

    #[test]
    fn a_reader_asks_for_what_it_listens_to() {
        let listener = |selectors: &[&str], start| Listener::new(Interest::in_topics(selectors.iter().copied()), start);
        check(&listener(&["chat/é"], StartFrom::Live), "/events/chat/%C3%A9?prime=0");
        check(&listener(&["chat/*"], StartFrom::Earliest), "/events?topic=chat%2F%2A&since=earliest&prime=0");
        check(&listener(&["a", "b"], StartFrom::Last(3)).with_opening(), "/events?topic=a&topic=b&last=3&prime=1");
        let mut typed = listener(&["a"], StartFrom::Since("10m".to_owned()));
        typed.interest.types = vec!["x".to_owned(), "y z".to_owned()];
        check(&typed, "/events/a?types=x,y%20z&since=10m&prime=0");
    }
}
