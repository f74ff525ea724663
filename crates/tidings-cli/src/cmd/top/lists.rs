//! The two lists: busy topics, and slow sessions. What may be long stands last in a row, where it can be cut.

use tidings::picture::{Picture, SessionPicture, TopicPicture};

use super::line::{Line, Style};
use super::numbers::{bytes_rate, rate, time};
use super::view::List;
use crate::units::{bytes, count};

/// How wide the columns of texts are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Widths {
    /// Whole, for by it a session is ended.
    name: usize,
    from: usize,
}

impl Widths {
    /// As wide as the texts of `picture`; an address no wider than `from_max`, for an IPv6 one is long.
    pub(super) fn of(picture: &Picture, from_max: usize) -> Self {
        let longest = |texts: &mut dyn Iterator<Item = usize>| texts.max().unwrap_or_default();
        Self {
            name: longest(&mut picture.sessions.iter().map(|row| row.name.len())).max("NAME".len()),
            from: longest(&mut picture.sessions.iter().map(|row| from(row).len())).max("FROM".len()).min(from_max),
        }
    }
}

/// The head of a list.
pub(super) fn head(list: List, widths: Widths) -> Line {
    let line = Line::new();
    match list {
        List::Topics => columns(line, Style::Plain, &["EVENTS/S", "BYTES/S", "READERS"])
            .add(Style::Plain, "  BUSIEST TOPICS, OF THE LAST 10 S"),
        List::Sessions => {
            let names = [(Style::Plain, "STATE"), (Style::Plain, "NAME"), (Style::Plain, "FROM")];
            texts(columns(line, Style::Plain, &["BEHIND", "HELD", "STALLED"]), names, widths)
                .add(Style::Plain, "SLOWEST SESSIONS, BY WHAT THEY LISTEN TO")
        }
    }
}

/// The rows of a list, or nothing.
pub(super) fn rows(list: List, picture: &Picture, widths: Widths) -> Vec<Line> {
    match list {
        List::Topics => picture.topics.iter().map(topic).collect(),
        List::Sessions => picture.sessions.iter().map(|row| session(row, widths)).collect(),
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
const STATE: usize = "blocked".len();

fn columns(line: Line, style: Style, texts: &[&str; 3]) -> Line {
    let texts = texts.iter().zip(NUMBERS);
    texts.fold(line, |line, (text, column)| line.add(style, " ").right(style, text, column))
}

/// State, name and address, each with two spaces before it, and two more before what follows.
fn texts(line: Line, texts: [(Style, &str); 3], widths: Widths) -> Line {
    let texts = texts.into_iter().zip([STATE, widths.name, widths.from]);
    texts
        .fold(line, |line, ((style, text), column)| line.add(Style::Plain, "  ").left(style, text, column))
        .add(Style::Plain, "  ")
}

fn from(row: &SessionPicture) -> &str {
    row.address.as_deref().unwrap_or("within")
}

fn topic(row: &TopicPicture) -> Line {
    let numbers = [&*rate(row.events), &*bytes_rate(row.bytes), &*count(row.readers)];
    columns(Line::new(), Style::Plain, &numbers).add(Style::Plain, "  ").add(Style::Plain, &row.topic)
}

fn session(row: &SessionPicture, widths: Widths) -> Line {
    let stalled = if row.stalled > 0.0 { time(row.stalled) } else { "–".to_owned() };
    let numbers = [&*count(row.behind_events), &*bytes(row.held_bytes), &*stalled];
    let style = match &*row.state {
        "blocked" => Style::Bad,
        "behind" | "reading" => Style::Warn,
        "live" => Style::Good,
        _ => Style::Plain,
    };
    let mut listens_to = row.selectors.join(", ");
    if row.selectors_more > 0 {
        listens_to = format!("{listens_to} and {} more", count(row.selectors_more));
    }
    let named = [(style, &*row.state), (Style::Plain, &*row.name), (Style::Plain, from(row))];
    texts(columns(Line::new(), Style::Plain, &numbers), named, widths).add(Style::Plain, listens_to)
}
