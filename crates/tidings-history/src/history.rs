//! All entries of a run, and their form in a file: a JSON object on each line.
//!
//! Long data that came as it was published stands there once: where it was asked for.

use std::collections::HashMap;
use std::io::{self, Write};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::entry::{Entry, Saw};
use crate::name::{Place, PublicationName};

/// What happened in a run, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History {
    entries: Vec<Entry>,
}

/// Why a text is no history.
#[derive(Debug, Error)]
#[error("line {line} is no entry of a history")]
pub struct ReadHistoryError {
    /// Counted from 1.
    pub line: usize,
    /// What is wrong with it.
    pub source: serde_json::Error,
}

impl History {
    /// One in which nothing happened yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds what happened last.
    pub fn push(&mut self, entry: Entry) {
        self.entries.push(entry);
    }

    /// All that happened, in order.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Writes it down, so that a run that failed can be looked at.
    ///
    /// # Errors
    /// Those of `to`.
    pub fn write(&self, mut to: impl Write) -> io::Result<()> {
        let mut published = Published::default();
        for entry in &self.entries {
            match published.shorten(entry) {
                Some(short) => serde_json::to_writer(&mut to, &short)?,
                None => serde_json::to_writer(&mut to, entry)?,
            }
            published.keep(entry);
            to.write_all(b"\n")?;
        }
        to.flush()
    }

    /// Reads what [`write`](Self::write) wrote. Blank lines and outer spaces do not count.
    ///
    /// # Errors
    /// [`ReadHistoryError`] names the first line that is no entry.
    pub fn parse(text: &[u8]) -> Result<Self, ReadHistoryError> {
        let mut entries = Vec::new();
        let mut published = Published::default();
        for (index, line) in text.split(|&byte| byte == b'\n').enumerate() {
            let line = line.trim_ascii();
            if line.is_empty() {
                continue;
            }
            let short = serde_json::from_slice(line).ok().and_then(|short| published.lengthen(short));
            let entry = short.map_or_else(|| serde_json::from_slice(line), Ok);
            let entry = entry.map_err(|source| ReadHistoryError { line: index + 1, source })?;
            published.keep(&entry);
            entries.push(entry);
        }
        Ok(Self { entries })
    }
}

/// An event that came as it was published.
#[derive(Debug, Serialize, Deserialize)]
struct ShortSaw {
    saw_as_published: PublicationName,
    place: Place,
    id: String,
    event_type: String,
}

/// What long data looks like at a reader.
#[derive(Debug, Default)]
struct Published(HashMap<PublicationName, Arc<str>>);

/// Shorter data is read more easily where it came. Unit: bytes.
const LONG_BYTES: usize = 200;

impl Published {
    fn keep(&mut self, entry: &Entry) {
        if let Entry::Asked(asked) = entry
            && asked.data.len() >= LONG_BYTES
        {
            self.0.insert(asked.publication, asked.data_seen());
        }
    }

    fn shorten(&self, entry: &Entry) -> Option<ShortSaw> {
        let Entry::Saw(Saw { place, id, event_type, data }) = entry else { return None };
        let saw_as_published = PublicationName::of_data(data)?;
        let is_same = self.0.get(&saw_as_published)? == data;
        is_same.then(|| ShortSaw { saw_as_published, place: *place, id: id.clone(), event_type: event_type.clone() })
    }

    fn lengthen(&self, short: ShortSaw) -> Option<Entry> {
        let data = Arc::clone(self.0.get(&short.saw_as_published)?);
        let ShortSaw { place, id, event_type, .. } = short;
        Some(Entry::Saw(Saw { place, id, event_type, data }))
    }
}

impl From<Vec<Entry>> for History {
    fn from(entries: Vec<Entry>) -> Self {
        Self { entries }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::{Asked, End, Outcome, Saw, StartFrom};
    use crate::interest::Interest;
    use crate::name::{Place, PublicationName, ReaderName};

    #[test]
    fn a_history_reads_back_as_it_was_written() {
        let (reader, publication) = (ReaderName(4), PublicationName { publisher: 3, number: 17 });
        let place = Place { reader, connection: 2 };
        let asked = Asked {
            publication,
            topic: "chat/42".to_owned(),
            id: Some("own é".to_owned()),
            event_type: None,
            data: "p3/17 one\r\ntwo \"quoted\" \u{1f980}".into(),
            key: Some("k".to_owned()),
        };
        let saw = Saw { place, id: "own é".to_owned(), event_type: "message".to_owned(), data: asked.data_seen() };
        assert_eq!(&*saw.data, "p3/17 one\ntwo \"quoted\" \u{1f980}");
        let answered = |outcome| Entry::Answered { publication, outcome };
        let connecting = |from| Entry::Connecting { place, from };
        let mut history = History::from(vec![Entry::Asked(asked.clone()), Entry::Saw(saw), Entry::Done { reader }]);
        history.push(Entry::Listens { reader, interest: Interest::in_topics(["chat/*"]) });
        history.push(answered(Outcome::Accepted("3vq8k0aa-1".to_owned())));
        history.push(answered(Outcome::Refused(503)));
        history.push(answered(Outcome::Unknown));
        history.push(connecting(StartFrom::After("x".to_owned())));
        history.push(connecting(StartFrom::Earliest));
        history.push(connecting(StartFrom::Since("10m".to_owned())));
        history.push(connecting(StartFrom::Last(3)));
        history.push(connecting(StartFrom::Live));
        history.push(Entry::Opened { place, status: 200 });
        history.push(Entry::Ended { place, end: End::Whole });
        history.push(Entry::Note { text: "killed".to_owned() });
        // Long data stands there once, unless it came as something else.
        let long = Asked { publication: PublicationName { publisher: 3, number: 18 }, ..asked };
        let long = Asked { data: long.publication.data(&"long\r\n".repeat(100)).into(), ..long };
        let see = |data| Entry::Saw(Saw { place, id: "x".to_owned(), event_type: "y".to_owned(), data });
        history.push(Entry::Asked(long.clone()));
        history.push(see(long.data_seen()));
        history.push(see(format!("{}!", long.data_seen()).into()));

        let mut text = Vec::new();
        history.write(&mut text).expect("a Vec takes all");
        let line_bytes: Vec<_> = text.split(|&byte| byte == b'\n').map(<[u8]>::len).collect();
        assert!(line_bytes[line_bytes.len() - 3] < 100, "{line_bytes:?}");
        let read = History::parse(&text).expect("it was written just now");
        assert_eq!(read, history);
        let error = History::parse(b"\n  \n{\"entry\":\"note\"}\n").expect_err("a note has a text");
        assert_eq!(error.line, 3);
    }
}
