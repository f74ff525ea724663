//! The two lists: busy topics, and slow sessions. What may be long stands last in a row, where it can be cut.

use tidings::picture::{Picture, SessionPicture, TopicPicture};

use super::line::{Line, Style};
use super::numbers::{bytes_rate, rate, time};
use super::view::List;
use crate::units::{bytes, count};

/// The head of a list.
pub(super) fn head(list: List) -> Line {
    let line = Line::new();
    match list {
        List::Topics => columns(line, Style::Plain, &["EVENTS/S", "BYTES/S", "READERS"])
            .add(Style::Plain, "  BUSIEST TOPICS, OF THE LAST 10 S"),
        List::Sessions => columns(line, Style::Plain, &["BEHIND", "HELD", "STALLED"])
            .add(Style::Plain, "  ")
            .left(Style::Plain, "STATE", STATE)
            .left(Style::Plain, "NAME", NAME)
            .left(Style::Plain, "FROM", FROM)
            .add(Style::Plain, "SLOWEST SESSIONS, BY WHAT THEY LISTEN TO"),
    }
}

/// The rows of a list, or nothing.
pub(super) fn rows(list: List, picture: &Picture) -> Vec<Line> {
    match list {
        List::Topics => picture.topics.iter().map(topic).collect(),
        List::Sessions => picture.sessions.iter().map(session).collect(),
    }
}

/// What is said in place of rows.
pub(super) fn nothing(list: List) -> &'static str {
    match list {
        List::Topics => "nothing was published in the last 10 s",
        List::Sessions => "nobody listens",
    }
}

/// Columns of the numbers; each has a space before it.
const NUMBERS: [usize; 3] = [9, 11, 8];
const STATE: usize = 8;
const NAME: usize = 10;
/// A long IPv6 address is cut where it stands among others; the name alone is what a session is ended by.
const FROM: usize = 16;

fn columns(line: Line, style: Style, texts: &[&str; 3]) -> Line {
    let texts = texts.iter().zip(NUMBERS);
    texts.fold(line, |line, (text, column)| line.add(style, " ").right(style, text, column))
}

fn topic(row: &TopicPicture) -> Line {
    let numbers = [&*rate(row.events), &*bytes_rate(row.bytes), &*count(row.readers)];
    columns(Line::new(), Style::Plain, &numbers).add(Style::Plain, "  ").add(Style::Plain, &row.topic)
}

fn session(row: &SessionPicture) -> Line {
    let stalled = if row.stalled > 0.0 { time(row.stalled) } else { "–".to_owned() };
    let numbers = [&*count(row.behind_events), &*bytes(row.held_bytes), &*stalled];
    let style = match &*row.state {
        "blocked" => Style::Bad,
        "behind" | "reading" => Style::Warn,
        "live" => Style::Good,
        _ => Style::Plain,
    };
    let mut topics = row.selectors.join(", ");
    if row.selectors_more > 0 {
        topics = format!("{topics} and {} more", count(row.selectors_more));
    }
    columns(Line::new(), Style::Plain, &numbers)
        .add(Style::Plain, "  ")
        .left(style, &row.state, STATE)
        .left(Style::Plain, &row.name, NAME)
        .left(Style::Plain, row.address.as_deref().unwrap_or("within"), FROM)
        .add(Style::Plain, topics)
}
