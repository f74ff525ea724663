//! What a history can be refused for. Each fault reads as a sentence and names what it is about.

use std::fmt;

use thiserror::Error;

use crate::name::{Place, PublicationName, ReaderName};
use crate::position::HubPosition;

/// Something that must not be. Where it is seen at a reader it begins with reader and connection, as in `r4/2`.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Fault {
    // ## The history itself: whoever recorded it is at fault.
    /// The entries do not fit together.
    #[error("entry {entry} cannot be: {what}")]
    NoHistory {
        /// Which entry, counted from 0.
        entry: usize,
        /// Why not.
        what: String,
    },

    // ## Seen by publishers.
    /// Two publications were acknowledged with one id.
    #[error("{id} was given to {first} and to {second}")]
    IdGivenTwice {
        /// That id.
        id: String,
        /// Who had it first.
        first: PublicationName,
        /// Who has it too.
        second: PublicationName,
    },
    /// One publication was acknowledged with another id than that which it asked for or had before, or with one that is
    /// not of the hub's form.
    #[error("{publication} was acknowledged with {got}; expected {want}")]
    IdOfAnswer {
        /// Which publication.
        publication: PublicationName,
        /// The id that it has, or the form.
        want: String,
        /// The id of the answer.
        got: String,
    },

    // ## Seen by one reader, in one event.
    /// Nobody asked for this.
    #[error("{place}: saw {id} with {data:?}, which nobody published")]
    Invented {
        /// Where.
        place: Place,
        /// With which id.
        id: String,
        /// How the data begins.
        data: String,
    },
    /// It was seen before anybody asked for it.
    #[error("{place}: saw {id} ({publication}) before it was published")]
    TooEarly {
        /// Where.
        place: Place,
        /// With which id.
        id: String,
        /// Which publication.
        publication: PublicationName,
    },
    /// The data is not what was published.
    #[error("{place}: saw {id} ({publication}) with other data: {difference}")]
    OtherData {
        /// Where.
        place: Place,
        /// With which id.
        id: String,
        /// Which publication.
        publication: PublicationName,
        /// Where the two part.
        difference: String,
    },
    /// The type is not what was published.
    #[error("{place}: saw {id} ({publication}) with the type {got:?}; published was {want:?}")]
    OtherType {
        /// Where.
        place: Place,
        /// With which id.
        id: String,
        /// Which publication.
        publication: PublicationName,
        /// What it was published as.
        want: String,
        /// What came.
        got: String,
    },
    /// The id is not that of the publication.
    #[error("{place}: saw {publication} with the id {got}; it is {want}")]
    OtherId {
        /// Where.
        place: Place,
        /// Which publication.
        publication: PublicationName,
        /// Its id, or the form it must have.
        want: String,
        /// What came.
        got: String,
    },
    /// It was refused, so it must not be there.
    #[error("{place}: saw {id} ({publication}), which was refused with {status}")]
    Refused {
        /// Where.
        place: Place,
        /// With which id.
        id: String,
        /// Which publication.
        publication: PublicationName,
        /// What its publisher was told.
        status: u16,
    },
    /// It is not of the topics or types of this reader.
    #[error("{place}: saw {id} ({publication}) of {topic:?} and type {event_type:?}, which it does not listen to")]
    Foreign {
        /// Where.
        place: Place,
        /// With which id.
        id: String,
        /// Which publication.
        publication: PublicationName,
        /// Its topic.
        topic: String,
        /// Its type.
        event_type: String,
    },

    // ## Seen by one reader, in what follows what.
    /// It came twice, with no verdict between.
    #[error("{place}: saw {id} ({publication}) again, after {first}")]
    Twice {
        /// Where the second time.
        place: Place,
        /// Where the first time.
        first: Place,
        /// With which id.
        id: String,
        /// Which publication.
        publication: PublicationName,
    },
    /// The hub's own ids did not increase.
    #[error("{place}: saw {id} after {after}")]
    Disorder {
        /// Where.
        place: Place,
        /// The id that came second.
        id: String,
        /// The one that came first.
        after: String,
    },
    /// A later event came, but not this one.
    #[error(
        "{place}: saw {before}, but never {missing}, which comes before it and after the reader's start",
        before = event(later, *later_publication),
        missing = event(id, Some(*publication))
    )]
    Skipped {
        /// Where the later event came.
        place: Place,
        /// The id of what is missing.
        id: String,
        /// Which publication.
        publication: PublicationName,
        /// What came after it.
        later: String,
        /// Which publication; nothing for a frame of the hub's own.
        later_publication: Option<PublicationName>,
    },
    /// The reader waited for all that was acknowledged, but this did not come.
    #[error("{reader}: never saw {id} ({publication}), though it waited for all there is")]
    Missing {
        /// The reader.
        reader: ReaderName,
        /// The id.
        id: String,
        /// Which publication.
        publication: PublicationName,
    },

    // ## Seen by one reader, in frames of the hub's own.
    /// An opening frame or a verdict that is not what it should be.
    #[error("{place}: {fault}")]
    Verdict {
        /// Where.
        place: Place,
        /// What is wrong.
        fault: VerdictFault,
    },

    // ## Seen by all together.
    /// What readers saw, what publishers were told, and the hub's ids are at odds: each step is proved, and together
    /// they go round in a circle.
    #[error("there is no one order: {}", steps.iter().map(OrderStep::to_string).collect::<Vec<_>>().join("; but "))]
    NoOneOrder {
        /// The circle. Each step begins where the one before it ended.
        steps: Vec<OrderStep>,
    },
}

/// What can be wrong with the hub's own frames.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum VerdictFault {
    /// Something came before it.
    #[error("{kind} came after {items} others; it is the first thing of a stream or not there")]
    Late {
        /// The frame's type.
        kind: String,
        /// How many events and frames came before it.
        items: usize,
    },
    /// Its id is no position.
    #[error("{kind} has the id {id:?}; expected a position of the hub's own form")]
    Position {
        /// The frame's type.
        kind: String,
        /// What came.
        id: String,
    },
    /// Its data is not of the form.
    #[error(
        "a verdict has the data {data:?}; expected requested, reason (expired, unknown or lost), oldest and latest"
    )]
    Form {
        /// How the data begins.
        data: String,
    },
    /// It answers another question.
    #[error("a verdict on {requested:?}, but the reader came with {came_with:?}")]
    OfAnother {
        /// What the verdict names.
        requested: String,
        /// What the reader asked for.
        came_with: String,
    },
    /// The reader asked for nothing that could fail.
    #[error("a verdict, though the reader asked for what there is")]
    Uncalled,
    /// The reader came with an id that nobody was ever given, and the stream went on as if all were well.
    #[error("came with the id {id:?}, which was never given to anybody, and was not told so")]
    Silent {
        /// That id.
        id: String,
    },
    /// A frame of a type that does not exist.
    #[error("a frame of the unknown type {kind:?}")]
    UnknownFrame {
        /// That type.
        kind: String,
    },
}

/// One step of a circle: this comes before that, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderStep {
    /// This
    pub before: OrderPoint,
    /// comes before that
    pub after: OrderPoint,
    /// for this reason.
    pub reason: OrderReason,
}

/// Something that has a place in the one order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OrderPoint {
    /// An event.
    Event {
        /// Its id, when it is known.
        id: Option<String>,
        /// Which publication.
        publication: PublicationName,
    },
    /// A position that a frame named.
    Position(HubPosition),
    /// Where a reader that asked for no event in particular began.
    Start(Place),
    /// A moment: before this entry of the history.
    Moment(usize),
}

/// Why one thing comes before another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrderReason {
    /// By the hub's own ids.
    Ids,
    /// This reader saw them so.
    Seen(ReaderName),
    /// This publisher asked for one after the other, and both were acknowledged.
    Publisher(u32),
    /// One was acknowledged or seen before the other was asked for.
    Time,
}

/// All faults, a line each; after many, how many more.
pub fn sentences(faults: &[Fault]) -> String {
    let mut lines: Vec<_> = faults.iter().take(SENTENCES_MAX).map(Fault::to_string).collect();
    if faults.len() > SENTENCES_MAX {
        lines.push(format!("and {} more", faults.len() - SENTENCES_MAX));
    }
    lines.join("\n")
}

/// As many as one reads.
const SENTENCES_MAX: usize = 30;

/// The beginning of a text, for a sentence.
pub(crate) fn excerpt(text: &str) -> String {
    if text.chars().nth(EXCERPT_CHARS).is_none() {
        return text.to_owned();
    }
    text.chars().take(EXCERPT_CHARS).chain(std::iter::once('…')).collect()
}

const EXCERPT_CHARS: usize = 60;

/// Where two texts part, and what stands there.
pub(crate) fn difference(want: &str, got: &str) -> String {
    let same = want.bytes().zip(got.bytes()).take_while(|(want, got)| want == got).count();
    // Back to where a character begins in both.
    let at = (0..=same).rev().find(|&at| want.is_char_boundary(at) && got.is_char_boundary(at)).unwrap_or(0);
    let (want_len, got_len) = (want.len(), got.len());
    format!(
        "at byte {at} stands {:?} in place of {:?} ({got_len} bytes in place of {want_len})",
        excerpt(&got[at..]),
        excerpt(&want[at..])
    )
}

fn event(id: &str, publication: Option<PublicationName>) -> String {
    publication.map_or_else(|| id.to_owned(), |publication| format!("{id} ({publication})"))
}

impl fmt::Display for OrderStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { before, after, reason } = self;
        match reason {
            OrderReason::Ids => write!(f, "by their ids {before} is before {after}"),
            OrderReason::Seen(reader) => write!(f, "{reader} saw {before} before {after}"),
            OrderReason::Publisher(publisher) => write!(f, "p{publisher} published {before} before {after}"),
            OrderReason::Time => write!(f, "{before} was there before {after} was asked for"),
        }
    }
}

impl fmt::Display for OrderPoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Event { id: Some(id), publication } => write!(f, "{id} ({publication})"),
            Self::Event { id: None, publication } => publication.fmt(f),
            Self::Position(position) => position.fmt(f),
            Self::Start(place) => write!(f, "the start of {place}"),
            Self::Moment(entry) => write!(f, "entry {entry}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(want: &str, got: &str, sentence: &str) {
        assert_eq!(difference(want, got), sentence, "{want:?} and {got:?}");
    }

    #[test]
    fn a_difference_is_named_where_it_begins() {
        check("p0/1 abc", "p0/1 abd", "at byte 7 stands \"d\" in place of \"c\" (8 bytes in place of 8)");
        check("p0/1 abc", "p0/1", "at byte 4 stands \"\" in place of \" abc\" (4 bytes in place of 8)");
        // They part in the middle of a character.
        check("é", "è", "at byte 0 stands \"è\" in place of \"é\" (2 bytes in place of 2)");
        let long = "x".repeat(100);
        check(
            "",
            &long,
            &format!("at byte 0 stands \"{}…\" in place of \"\" (100 bytes in place of 0)", "x".repeat(60)),
        );
    }

    #[test]
    fn many_faults_are_counted_and_not_all_told() {
        let fault = Fault::NoHistory { entry: 1, what: "no".to_owned() };
        let text = sentences(&vec![fault; 32]);
        assert_eq!(text.lines().count(), 31);
        assert!(text.ends_with("\nand 2 more"), "{text}");
    }
}
