//! What an event looks like: a pleasant line for people, an object for programs.

use std::io::{self, IsTerminal};

use jiff::ZonedDateTime;
use serde::Serialize;
use tidings_client::{Event, Raw};

use super::pretty::{Ink, pretty};
use crate::exit::Failure;
use crate::say::{Reader, Results};
use crate::visible::push_visible;

/// Prints what a stream says.
#[derive(Debug)]
pub(super) struct Shower {
    form: Form,
    /// Whether more than the events is printed.
    is_raw: bool,
    /// Bytes that were added since the last flush.
    held_bytes: usize,
    results: Results,
}

/// How an event is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// One object a line.
    Json,
    /// Time, id, type and data.
    People {
        /// For eyes: JSON is set anew.
        is_terminal: bool,
        has_colours: bool,
    },
    /// Not at all.
    Nothing,
}

impl Form {
    /// With colours, if they would be seen and nobody forbids them.
    pub(super) fn for_people() -> Self {
        // https://no-color.org: set and not empty
        let is_forbidden = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let is_terminal = io::stdout().is_terminal();
        Self::People { is_terminal, has_colours: is_terminal && !is_forbidden }
    }
}

impl Shower {
    pub(super) fn new(form: Form, is_raw: bool) -> Self {
        Self { form, is_raw, held_bytes: 0, results: Results::new() }
    }

    /// Prints an event. It is seen after [`flush`](Self::flush).
    pub(super) fn show(&mut self, event: &Event) {
        match self.form {
            Form::Json => self.add(&event_as_json(event)),
            Form::People { is_terminal, has_colours } => {
                self.add(&for_people(event, &ZonedDateTime::now(), is_terminal, has_colours));
            }
            Form::Nothing => {}
        }
    }

    /// Prints a frame of the hub's own, for those who want all.
    pub(super) fn show_frame(&mut self, event: &Event) {
        if self.is_raw {
            self.show(event);
        }
    }

    /// Prints what is no event, for those who want all.
    pub(super) fn show_other(&mut self, raw: &Raw) {
        let Some(other) = Other::of(raw).filter(|_| self.is_raw) else { return };
        match self.form {
            Form::Json => self.add(&as_json(&other)),
            Form::People { has_colours, .. } => {
                self.add(&other_for_people(&other, &ZonedDateTime::now(), has_colours));
            }
            Form::Nothing => {}
        }
    }

    /// Whether there is something that [`flush`](Self::flush) would write.
    pub(super) fn holds_anything(&self) -> bool {
        self.held_bytes > 0
    }

    /// Whether it is time to write, even if more is at hand.
    pub(super) fn holds_much(&self) -> bool {
        self.held_bytes >= HELD_BYTES_MAX
    }

    /// Lets all that was printed be seen.
    ///
    /// # Errors
    /// A [`Failure`] when it cannot be written.
    pub(super) async fn flush(&mut self) -> Result<Reader, Failure> {
        if self.held_bytes == 0 {
            return Ok(Reader::There);
        }
        self.held_bytes = 0;
        self.results.flush().await
    }

    fn add(&mut self, line: &str) {
        self.held_bytes += line.len() + 1;
        self.results.add(line);
    }
}

/// What a pipe takes at once.
const HELD_BYTES_MAX: usize = 64 * 1024;

/// What a browser's `MessageEvent` has, by the same names.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct MessageEvent<'a> {
    r#type: &'a str,
    data: &'a str,
    last_event_id: &'a str,
    origin: &'a str,
}

/// What a stream says beside its events, each an object with one key.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
enum Other<'a> {
    /// Unit: milliseconds.
    Retry(u128),
    Comment(&'a str),
    LastEventId(&'a str),
}

impl<'a> Other<'a> {
    fn of(raw: &'a Raw) -> Option<Self> {
        match raw {
            Raw::Retry(wait) => Some(Self::Retry(wait.as_millis())),
            Raw::Comment(text) => Some(Self::Comment(text)),
            Raw::Id(id) => Some(Self::LastEventId(id)),
            _ => None,
        }
    }
}

fn event_as_json(event: &Event) -> String {
    as_json(&MessageEvent {
        r#type: &event.event_type,
        data: &event.data,
        last_event_id: &event.last_event_id,
        origin: &event.origin,
    })
}

fn as_json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("texts and numbers are always JSON")
}

/// `20:15:00  0mh3k2p9-17  typing  data`; further lines of the data are set in.
fn for_people(event: &Event, now: &ZonedDateTime, is_terminal: bool, has_colours: bool) -> String {
    let mut line = String::new();
    let mut add = |colour: &str, text: &str| {
        paint(&mut line, if has_colours { colour } else { "" }, text);
        line.push_str("  ");
    };
    add(DIM, &now.strftime("%H:%M:%S").to_string());
    if !event.last_event_id.is_empty() {
        add(CYAN, &event.last_event_id);
    }
    if event.event_type != "message" {
        add(YELLOW, &event.event_type);
    }
    let key = if has_colours { Ink { before: BLUE, after: PLAIN } } else { Ink::default() };
    match if is_terminal { pretty(&event.data, key) } else { None } {
        Some(json) => {
            let is_long = json.contains('\n');
            let rows = json.split('\n').enumerate();
            rows.for_each(|(at, row)| {
                if at > 0 || is_long {
                    line.push_str(NEW_ROW);
                }
                line.push_str(row); // made visible where it was set
            });
        }
        None => {
            for (at, row) in event.data.split('\n').enumerate() {
                if at > 0 {
                    line.push_str(NEW_ROW);
                }
                push_visible(&mut line, row);
            }
        }
    }
    line
}

fn other_for_people(other: &Other<'_>, now: &ZonedDateTime, has_colours: bool) -> String {
    let time = now.strftime("%H:%M:%S");
    let text = match other {
        Other::Retry(ms) => format!("{time}  retry: {ms}"),
        Other::Comment(text) => format!("{time}  :{text}"),
        Other::LastEventId(id) => format!("{time}  id: {id}"),
    };
    let mut line = String::new();
    paint(&mut line, if has_colours { DIM } else { "" }, &text);
    line
}

/// An empty colour is none.
fn paint(line: &mut String, colour: &str, text: &str) {
    line.push_str(colour);
    push_visible(line, text);
    if !colour.is_empty() {
        line.push_str(PLAIN);
    }
}

const NEW_ROW: &str = "\n          ";
const DIM: &str = "\x1b[2m";
const BLUE: &str = "\x1b[34m";
const CYAN: &str = "\x1b[36m";
const YELLOW: &str = "\x1b[33m";
const PLAIN: &str = "\x1b[0m";

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn event(event_type: &str, data: &str, id: &str) -> Event {
        Event {
            event_type: event_type.into(),
            data: data.into(),
            last_event_id: id.into(),
            origin: "http://h:3000".into(),
        }
    }

    fn now() -> ZonedDateTime {
        "2026-11-23T20:15:00+00:00[UTC]".parse().expect("a time")
    }

    #[test]
    fn json_has_exactly_the_names_of_a_browsers_event() {
        let got = event_as_json(&event("a", "one\n\"two\"", "7"));
        assert_eq!(got, r#"{"type":"a","data":"one\n\"two\"","lastEventId":"7","origin":"http://h:3000"}"#);
    }

    #[test]
    fn what_is_no_event_is_an_object_with_one_key() {
        for (raw, json, text) in [
            (Raw::Retry(Duration::from_millis(2_500)), r#"{"retry":2500}"#, "20:15:00  retry: 2500"),
            (Raw::Comment(" a\u{1b}".into()), r#"{"comment":" a\u001b"}"#, "20:15:00  : a\\u{1b}"),
            (Raw::Id("7".into()), r#"{"lastEventId":"7"}"#, "20:15:00  id: 7"),
        ] {
            let other = Other::of(&raw).expect("it is shown");
            assert_eq!((&*as_json(&other), &*other_for_people(&other, &now(), false)), (json, text));
        }
    }

    fn check(event: &Event, is_terminal: bool, has_colours: bool, want: &str) {
        assert_eq!(for_people(event, &now(), is_terminal, has_colours), want);
    }

    #[test]
    fn people_see_time_id_type_and_data() {
        check(&event("message", "Good news", "e-1"), false, false, "20:15:00  e-1  Good news");
        check(&event("typing", "{}", "e-1"), false, false, "20:15:00  e-1  typing  {}");
        check(&event("message", "x", ""), false, false, "20:15:00  x");
        check(&event("message", "", "e-1"), false, false, "20:15:00  e-1  ");
        check(&event("message", "one\ntwo", ""), true, false, "20:15:00  one\n          two");
        check(
            &event("typing", "x", "e-1"),
            true,
            true,
            "\x1b[2m20:15:00\x1b[0m  \x1b[36me-1\x1b[0m  \x1b[33mtyping\x1b[0m  x",
        );
    }

    #[test]
    fn json_is_set_anew_on_a_terminal_alone() {
        let short = event("message", r#"{"a":1}"#, "");
        check(&short, false, false, r#"20:15:00  {"a":1}"#);
        check(&short, true, false, r#"20:15:00  {"a": 1}"#);
        check(&short, true, true, "\x1b[2m20:15:00\x1b[0m  {\x1b[34m\"a\"\x1b[0m: 1}");
        let long = event("message", &format!("[\"{}\"]", "x".repeat(90)), "");
        let want = format!("20:15:00  {NEW_ROW}[{NEW_ROW}  \"{}\"{NEW_ROW}]", "x".repeat(90));
        check(&long, true, false, &want);
    }

    #[test]
    fn a_publisher_cannot_write_to_the_terminal() {
        check(
            &event("a\x1b[31m", "b\x1b]0;title\x07\t\u{9b}c", "d\r"),
            true,
            false,
            "20:15:00  d\\r  a\\u{1b}[31m  b\\u{1b}]0;title\\u{7}\t\\u{9b}c",
        );
    }
}
