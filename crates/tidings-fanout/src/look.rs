//! What an operator sees of the sessions that are open, and how some of them are ended.
//!
//! Asks the shards by their inboxes: each answers between two turns of its work. A shard that has ended has no sessions.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use tidings_topic::Topic;
use tokio::sync::oneshot;

use crate::fanout::FanoutHandle;
use crate::inbox::{Message, SessionKey};

/// What is asked of the shards.
#[derive(Clone, Debug)]
pub struct LookRequest {
    /// So many of the sessions that are furthest behind.
    pub sessions_max: usize,
    /// How many sessions each of these topics has.
    pub topics: Arc<[Topic]>,
}

/// What the shards answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Look {
    /// The sessions that are furthest behind, those first who take nothing. Others fill the list.
    pub sessions: Vec<SessionLook>,
    /// For each topic that was asked for, how many sessions listen to it.
    pub readers: Vec<usize>,
}

/// One session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionLook {
    /// Its name, for as long as it is open.
    pub name: SessionName,
    /// From where it came; `None`: from within the program.
    pub address: Option<IpAddr>,
    /// How it is doing.
    pub state: SessionState,
    /// Its first topics and patterns.
    pub selectors: Vec<String>,
    /// How many it has in all.
    pub selector_count: usize,
    /// Events of the hub, of whatever topic, that were committed since its place.
    pub behind_events: u64,
    /// Bytes of half-written frames that are held for it.
    pub held_bytes: usize,
    /// For how long it has taken nothing though there was something for it.
    pub stalled: Duration,
}

/// How a session is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionState {
    /// It has all there is.
    Live,
    /// It is being given what it has not.
    Behind,
    /// It waits for the store to read its history.
    Reading,
    /// It takes no byte now.
    Blocked,
    /// It gets its end.
    Ending,
}

impl SessionState {
    /// The word for it.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Behind => "behind",
            Self::Reading => "reading",
            Self::Blocked => "blocked",
            Self::Ending => "ending",
        }
    }
}

/// The name of a session: its shard, its place there, and which use of the place it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionName {
    shard: u32,
    key: SessionKey,
}

impl fmt::Display for SessionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}-{}", self.shard, self.key.index, self.key.generation)
    }
}

impl FromStr for SessionName {
    type Err = NotASessionName;

    fn from_str(text: &str) -> Result<Self, NotASessionName> {
        let mut numbers = text.splitn(3, '-').map(|number| number.parse().map_err(|_| NotASessionName));
        let mut next = || numbers.next().unwrap_or(Err(NotASessionName));
        let (shard, index, generation) = (next()?, next()?, next()?);
        Ok(Self { shard, key: SessionKey { index, generation } })
    }
}

/// A text is no [`SessionName`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotASessionName;

/// Which sessions of a shard are to be ended.
#[derive(Clone, Debug)]
pub(crate) enum Ending {
    One(SessionKey),
    Of(Topic),
}

impl SessionName {
    pub(crate) fn new(shard: u32, key: SessionKey) -> Self {
        Self { shard, key }
    }
}

impl FanoutHandle {
    /// Asks all shards. Cost: a look at every session, some 20 ns each, between two turns of its shard.
    pub async fn look(&self, request: &LookRequest) -> Look {
        let asked = self.ask_all(|shard, answer| Message::Look(shard, request.clone(), answer));
        let mut look = Look { sessions: Vec::new(), readers: vec![0; request.topics.len()] };
        for answer in asked {
            let Ok(part) = answer.await else { continue };
            look.sessions.extend(part.sessions);
            for (readers, more) in look.readers.iter_mut().zip(part.readers) {
                *readers += more;
            }
        }
        // Among equals by name: rows that change places for nothing cannot be read.
        look.sessions.sort_by_key(|session| (std::cmp::Reverse(session.slowness()), session.name));
        look.sessions.truncate(request.sessions_max);
        look
    }

    /// Ends a session with [`CloseReason::Operator`](tidings_core::CloseReason::Operator). Answers whether it was there.
    pub async fn end_session(&self, name: SessionName) -> bool {
        let (answer, answered) = oneshot::channel();
        let Some(inbox) = self.inbox(name.shard) else { return false };
        inbox.send(Message::End(Ending::One(name.key), answer));
        answered.await.is_ok_and(|ended| ended > 0)
    }

    /// Ends all sessions that listen to `topic`, by its name or by a pattern. Answers how many.
    pub async fn end_topic(&self, topic: &Topic) -> usize {
        let mut ended = 0;
        for answer in self.ask_all(|_, answer| Message::End(Ending::Of(topic.clone()), answer)) {
            ended += answer.await.unwrap_or(0);
        }
        ended
    }

    /// Asks all before the first answer is waited for.
    fn ask_all<T>(&self, ask: impl Fn(u32, oneshot::Sender<T>) -> Message) -> Vec<oneshot::Receiver<T>> {
        let ask_one = |shard| {
            let (answer, answered) = oneshot::channel();
            self.inbox(shard)?.send(ask(shard, answer));
            Some(answered)
        };
        (0..).map_while(ask_one).collect()
    }
}

impl SessionLook {
    /// What makes one session slower than another.
    pub(crate) fn slowness(&self) -> (Duration, u64, usize) {
        (self.stalled, self.behind_events, self.held_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_reads_back_as_it_was_written() {
        let name = SessionName { shard: 2, key: SessionKey { index: 17, generation: u32::MAX } };
        assert_eq!((name.to_string(), name.to_string().parse()), ("2-17-4294967295".to_owned(), Ok(name)));
        for wrong in ["", "2", "2-17", "2-17-", "2-17-x", "2-17-3-4", "-1-2-3", "4294967296-0-0"] {
            assert_eq!(wrong.parse::<SessionName>(), Err(NotASessionName), "{wrong}");
        }
    }
}
