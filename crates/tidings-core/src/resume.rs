//! Where a reader goes on from, and what it is told when that cannot be kept.

use std::fmt;
use std::ops::RangeInclusive;
use std::sync::Arc;

use tidings_topic::SelectorSet;

use crate::grants::Grants;
use crate::position::{Position, Sequence};
use crate::time::Timestamp;

/// What a reader asks for, before anything is looked up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ResumeFrom {
    /// Only what is published from now on.
    Live,
    /// Everything that is retained.
    Earliest,
    /// Everything retained that was published at or after a time. `requested` is how the reader put it.
    Since {
        /// The time.
        at: Timestamp,
        /// As the reader wrote it; a verdict names it.
        requested: Arc<str>,
    },
    /// The last events that are retained, this many.
    Last(u64),
    /// Everything after the event with this id, as the reader sent it.
    EventId(Arc<str>),
}

/// Milliseconds since 1970 have this many digits, from the year 2001 to far beyond any clock.
const TIME_ID_DIGITS: RangeInclusive<usize> = 10..=16;

/// The time that an id is, if it is one: milliseconds since 1970, as the clock of `tidings demo` has them.
pub fn time_of_id(raw: &str) -> Option<Timestamp> {
    let is_time = TIME_ID_DIGITS.contains(&raw.len()) && raw.bytes().all(|byte| byte.is_ascii_digit());
    is_time.then(|| raw.parse().ok()).flatten().map(Timestamp::from_millis)
}

/// What becomes of a reader whose resume cannot be kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnReset {
    /// It gets what is retained of its topics.
    #[default]
    Oldest,
    /// It goes on from now.
    Live,
}

/// A reader's question to the engine.
#[derive(Clone, Debug)]
pub struct ResumeRequest {
    /// Its topics.
    pub selectors: SelectorSet,
    /// Its rights: a verdict tells it of no event that it may not see.
    pub grants: Grants,
    /// Where it wants to go on from.
    pub from: ResumeFrom,
    /// What it wants when that cannot be kept.
    pub on_reset: OnReset,
}

/// The engine's answer: where the stream starts, and what must be said first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolution {
    /// The stream goes on with what is after this place.
    pub cursor: Sequence,
    /// The verdict, if what was asked for cannot be kept.
    pub reset: Option<Reset>,
    /// All topics of the reader have ended and it has seen that: nothing will ever come.
    pub is_over: bool,
}

/// The verdict on a resume that cannot be kept: `event: tidings.reset`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reset {
    /// What the reader asked for, as it put it.
    pub requested: Arc<str>,
    /// Why it cannot be kept.
    pub reason: ResetReason,
    /// The oldest retained event of its topics that everybody may see.
    pub oldest: Option<Position>,
    /// The newest one.
    pub latest: Option<Position>,
}

/// Why a resume cannot be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ResetReason {
    /// An event of these topics after that point was trimmed, or the id is of an earlier epoch.
    Expired,
    /// The id was never seen, or is a publisher's that is no longer kept.
    Unknown,
    /// Its event died with a crash in `relaxed` durability.
    Lost,
}

impl ResetReason {
    /// Every reason, in the order of the metric.
    pub const ALL: &[Self] = &[Self::Expired, Self::Unknown, Self::Lost];

    /// As it stands in the frame, in metrics and in logs.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::Unknown => "unknown",
            Self::Lost => "lost",
        }
    }
}

impl fmt::Display for ResetReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.label())
    }
}
