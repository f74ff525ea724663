//! One line of a history: what a publisher or a reader did or saw. In the order in which it happened.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::interest::Interest;
use crate::name::{Place, PublicationName, ReaderName};

/// What happened. The place of an entry in its history is its time: it is written down *before* a publisher sends or a
/// reader connects, and *after* an answer or an event has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "entry", rename_all = "kebab-case")]
pub enum Entry {
    /// A publisher asks for a publication; again, when it repeats the same under its idempotency key.
    Asked(Asked),
    /// That is what became of it.
    Answered {
        /// Of which publication.
        publication: PublicationName,
        /// How it ended.
        outcome: Outcome,
    },
    /// There is a reader, which listens to this.
    Listens {
        /// The reader.
        reader: ReaderName,
        /// Its topics and types, of all its connections.
        interest: Interest,
    },
    /// A reader is about to connect.
    Connecting {
        /// Which connection.
        place: Place,
        /// Where it wants to start.
        from: StartFrom,
    },
    /// The head of the answer has come.
    Opened {
        /// Of which connection.
        place: Place,
        /// The status. Only 200 is a stream.
        status: u16,
    },
    /// An event has come, or a frame of the hub's own (`tidings.…`).
    Saw(Saw),
    /// A connection is over.
    Ended {
        /// Which connection.
        place: Place,
        /// How it ended.
        end: End,
    },
    /// A reader has read on until it must have everything that was acknowledged before. To be written only after that
    /// was waited for: what it lacks now is lost.
    Done {
        /// The reader.
        reader: ReaderName,
    },
    /// Something for whoever reads the history, such as a kill. The check does not look at it.
    Note {
        /// In words.
        text: String,
    },
}

/// A publication as it was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// Its name, with which its data begins.
    pub publication: PublicationName,
    /// The topic.
    pub topic: String,
    /// The publisher's own id; nothing where the hub makes one. Not used for two publications.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The type; nothing is `message`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_type: Option<String>,
    /// The data.
    pub data: Arc<str>,
    /// The idempotency key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

/// What became of a publication.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// It was acknowledged with this id.
    Accepted(String),
    /// It was refused with this status, so it is not stored.
    Refused(u16),
    /// It was sent, but no answer came: it may be stored or not.
    Unknown,
}

/// Where a reader wants to start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StartFrom {
    /// After the event with this id: its `Last-Event-ID`.
    After(String),
    /// With all that is retained.
    Earliest,
    /// With what was published since then, as it put it.
    Since(String),
    /// With the last so many events.
    Last(u64),
    /// Now.
    Live,
}

/// Something that came to a reader.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Saw {
    /// On which connection.
    pub place: Place,
    /// The id in force, empty when there is none.
    pub id: String,
    /// The type; `message` where none was named.
    pub event_type: String,
    /// The data, its lines joined by LF.
    pub data: Arc<str>,
}

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum End {
    /// The reader ended it.
    Cut,
    /// The other side was gone in the middle, or never there.
    Broken,
    /// The body came to its end.
    Whole,
}

impl Asked {
    /// The type that a reader sees.
    pub fn type_seen(&self) -> &str {
        self.event_type.as_deref().unwrap_or("message")
    }

    /// The data that a reader sees: CR, LF and CRLF each end a line, and lines are joined by LF.
    pub fn data_seen(&self) -> Arc<str> {
        if self.data.contains('\r') {
            self.data.replace("\r\n", "\n").replace('\r', "\n").into()
        } else {
            Arc::clone(&self.data)
        }
    }
}
