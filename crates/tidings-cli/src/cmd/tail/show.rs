//! What an event looks like: a pleasant line for people, an object for programs.

use std::fmt::Write as _;
use std::io::{self, IsTerminal};

use jiff::ZonedDateTime;
use serde::Serialize;
use tidings_wire::Event;

use crate::exit::Failure;
use crate::say::{Reader, Results};

/// Prints events, and knows when it has printed enough.
#[derive(Debug)]
pub(super) struct Shower {
    form: Form,
    /// Events that may still be printed; `None`: any number.
    left: Option<usize>,
    results: Results,
}

/// How an event is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// One object a line.
    Json {
        /// Where the stream comes from.
        origin: String,
    },
    /// Time, id, type and data.
    People {
        /// On a terminal.
        has_colours: bool,
    },
}

/// Whether more events are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    More,
    /// There are as many as were asked for, or nobody reads them.
    Enough,
}

impl Form {
    /// With colours, if they would be seen and nobody forbids them.
    pub(super) fn for_people() -> Self {
        // https://no-color.org: set and not empty
        let is_forbidden = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self::People { has_colours: io::stdout().is_terminal() && !is_forbidden }
    }
}

impl Shower {
    pub(super) fn new(form: Form, count: Option<usize>) -> Self {
        Self { form, left: count, results: Results::new() }
    }

    /// Prints an event. It is seen after [`flush`](Self::flush).
    pub(super) fn show(&mut self, event: &Event) -> Wish {
        let line = match &self.form {
            Form::Json { origin } => as_json(event, origin),
            Form::People { has_colours } => for_people(event, &ZonedDateTime::now(), *has_colours),
        };
        self.results.add(&line);
        self.left = self.left.map(|left| left.saturating_sub(1));
        if self.left == Some(0) { Wish::Enough } else { Wish::More }
    }

    /// Lets all that was printed be seen.
    ///
    /// # Errors
    /// A [`Failure`] when it cannot be written.
    pub(super) async fn flush(&mut self) -> Result<Wish, Failure> {
        match self.results.flush().await? {
            Reader::There => Ok(Wish::More),
            Reader::Gone => Ok(Wish::Enough),
        }
    }
}

/// What a browser's `MessageEvent` has, by the same names.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct MessageEvent<'a> {
    r#type: &'a str,
    data: &'a str,
    last_event_id: &'a str,
    origin: &'a str,
}

fn as_json(event: &Event, origin: &str) -> String {
    let event =
        MessageEvent { r#type: &event.event_type, data: &event.data, last_event_id: &event.last_event_id, origin };
    serde_json::to_string(&event).expect("texts are always JSON")
}

/// `20:15:00  0mh3k2p9-17  typing  data`; further lines of the data are set in.
fn for_people(event: &Event, now: &ZonedDateTime, has_colours: bool) -> String {
    let paint = |line: &mut String, colour: &str, text: &str| {
        if has_colours {
            line.push_str(colour);
        }
        push_visible(line, text);
        if has_colours {
            line.push_str(PLAIN);
        }
        line.push_str("  ");
    };
    let mut line = String::new();
    paint(&mut line, DIM, &now.strftime("%H:%M:%S").to_string());
    if !event.last_event_id.is_empty() {
        paint(&mut line, CYAN, &event.last_event_id);
    }
    if event.event_type != "message" {
        paint(&mut line, YELLOW, &event.event_type);
    }
    let mut rows = event.data.split('\n');
    push_visible(&mut line, rows.next().unwrap_or_default());
    for row in rows {
        line.push_str("\n          ");
        push_visible(&mut line, row);
    }
    line
}

const DIM: &str = "\x1b[2m";
const CYAN: &str = "\x1b[36m";
const YELLOW: &str = "\x1b[33m";
const PLAIN: &str = "\x1b[0m";

/// A publisher has no say over the reader's terminal: control characters are written out.
pub(super) fn push_visible(line: &mut String, text: &str) {
    for character in text.chars() {
        if character.is_control() && character != '\t' {
            let _ = write!(line, "{}", character.escape_default());
        } else {
            line.push(character);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(event_type: &str, data: &str, id: &str) -> Event {
        Event { event_type: event_type.into(), data: data.into(), last_event_id: id.into() }
    }

    #[test]
    fn json_has_exactly_the_names_of_a_browsers_event() {
        let got = as_json(&event("a", "one\n\"two\"", "7"), "http://h:3000");
        assert_eq!(got, r#"{"type":"a","data":"one\n\"two\"","lastEventId":"7","origin":"http://h:3000"}"#);
    }

    fn check(event: &Event, has_colours: bool, want: &str) {
        let now: ZonedDateTime = "2026-11-23T20:15:00+00:00[UTC]".parse().expect("a time");
        assert_eq!(for_people(event, &now, has_colours), want);
    }

    #[test]
    fn people_see_time_id_type_and_data() {
        check(&event("message", "Good news", "e-1"), false, "20:15:00  e-1  Good news");
        check(&event("typing", "{}", "e-1"), false, "20:15:00  e-1  typing  {}");
        check(&event("message", "x", ""), false, "20:15:00  x");
        check(&event("message", "", "e-1"), false, "20:15:00  e-1  ");
        check(&event("message", "one\ntwo", ""), false, "20:15:00  one\n          two");
        check(
            &event("typing", "x", "e-1"),
            true,
            "\x1b[2m20:15:00\x1b[0m  \x1b[36me-1\x1b[0m  \x1b[33mtyping\x1b[0m  x",
        );
    }

    #[test]
    fn a_publisher_cannot_write_to_the_terminal() {
        check(
            &event("a\x1b[31m", "b\x1b]0;title\x07\t\u{9b}c", "d\r"),
            false,
            "20:15:00  d\\r  a\\u{1b}[31m  b\\u{1b}]0;title\\u{7}\t\\u{9b}c",
        );
    }
}
