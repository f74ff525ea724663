//! `[[history]]` tables: how much of some topics is kept.

use std::fmt::Display;
use std::ops::Range;
use std::time::Duration;

use tidings::Selector;
use tidings_core::TopicBounds;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::fault::{Fault, line_of};
use super::nearest::nearest;
use super::value::plain;
use crate::config::count::parse_number;
use crate::config::duration::parse_duration;
use crate::config::size::parse_size;

/// A key of a table.
pub(crate) struct BoundsKey {
    pub(crate) name: &'static str,
    /// A good value, as it is written.
    pub(crate) example: &'static str,
    pub(crate) meaning: &'static str,
}

/// All keys of a table.
pub(crate) const BOUNDS_KEYS: [BoundsKey; 4] = [
    BoundsKey {
        name: "topics",
        example: "\"chat/**\"",
        meaning: "A topic or a pattern. The bounds hold for each topic that it covers by itself.",
    },
    BoundsKey { name: "events", example: "100", meaning: "Most events that are kept of each such topic." },
    BoundsKey { name: "bytes", example: "\"1MiB\"", meaning: "Most bytes that are kept of each such topic." },
    BoundsKey { name: "age", example: "\"1h\"", meaning: "How long an event of such a topic is kept." },
];

/// Reads the tables of one file.
pub(super) struct BoundsReader<'a> {
    text: &'a str,
    bounds: Vec<TopicBounds>,
    /// For each of the bounds, the line of its table.
    lines: Vec<usize>,
    faults: Vec<Fault>,
}

#[derive(Default)]
struct Draft {
    topics: Option<Selector>,
    events_max: Option<u64>,
    bytes_max: Option<usize>,
    age_max: Option<Duration>,
}

impl<'a> BoundsReader<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, bounds: Vec::new(), lines: Vec::new(), faults: Vec::new() }
    }

    /// The bounds in the order of the file, and what is wrong with it.
    pub(super) fn finish(self) -> (Vec<TopicBounds>, Vec<Fault>) {
        (self.bounds, self.faults)
    }

    /// Takes the next table.
    pub(super) fn read(&mut self, span: Range<usize>, table: &DeTable<'_>) {
        let faults_before = self.faults.len();
        let mut draft = Draft::default();
        for (key, value) in table {
            match &**key.get_ref() {
                "topics" => draft.topics = self.value("topics", value, Selector::parse),
                "events" => draft.events_max = self.value("events", value, parse_number),
                "bytes" => draft.bytes_max = self.value("bytes", value, parse_size),
                "age" => draft.age_max = self.value("age", value, parse_duration),
                unknown => self.unknown(key.span(), unknown),
            }
        }
        if self.faults.len() > faults_before {
            return;
        }
        match self.judge(draft) {
            Ok(bounds) => {
                self.bounds.push(bounds);
                self.lines.push(line_of(self.text, span.start));
            }
            Err(message) => self.faults.push(Fault::new(self.text, span, message)),
        }
    }

    fn judge(&self, draft: Draft) -> Result<TopicBounds, String> {
        let Draft { topics, events_max, bytes_max, age_max } = draft;
        let topics = topics
            .ok_or("[[history]] has no topics; expected a topic or a pattern, as in topics = \"chat/**\"".to_owned())?;
        if events_max.is_none() && bytes_max.is_none() && age_max.is_none() {
            return Err(format!(
                "[[history]] of topics = \"{topics}\" has no bound; expected at least one of events, bytes, age"
            ));
        }
        if let Some(first) = self.bounds.iter().position(|bounds| bounds.topics == topics) {
            return Err(format!(
                "[[history]] of topics = \"{topics}\" never counts, for line {line} bounds the same topics; \
                 expected one table for them",
                line = self.lines[first]
            ));
        }
        Ok(TopicBounds { topics, events_max, bytes_max, age_max })
    }

    fn value<T, E: Display>(
        &mut self,
        key: &str,
        value: &Spanned<DeValue<'_>>,
        parse: impl Fn(&str) -> Result<T, E>,
    ) -> Option<T> {
        let parsed = match plain(value.get_ref()) {
            Some(text) => parse(&text).map_err(|error| error.to_string()),
            None => Err(format!("expected a value such as {}", example_of(key))),
        };
        parsed.map_err(|reason| self.faults.push(Fault::of_value(self.text, value.span(), key, &reason))).ok()
    }

    fn unknown(&mut self, span: Range<usize>, key: &str) {
        let known = BOUNDS_KEYS.map(|known| known.name);
        let advice = match nearest(key, known) {
            Some(meant) => format!("did you mean {meant}?"),
            // The keys of the whole hub's history are of the same form, with `history-` before them.
            None => match known.iter().find(|known| key.ends_with(**known)) {
                Some(meant) => format!("did you mean {meant}?"),
                None => format!("expected {}", known.join(", ")),
            },
        };
        self.faults.push(Fault::new(self.text, span, format!("there is no key {key} in [[history]]; {advice}")));
    }
}

fn example_of(key: &str) -> &'static str {
    BOUNDS_KEYS.iter().find(|known| known.name == key).map_or("", |known| known.example)
}
