//! Random operations, which an engine and the plain list of `naive` must answer alike.

use std::time::Duration;

use tidings_topic::{Selector, SelectorSet};

use super::naive::{Naive, own_id_text};
use super::world::{NO_LIMIT, World, event_id, places, publication, set, topic};
use super::{MakeEngine, SuiteOptions};
use crate::engine::{Page, Read, ReadLimit};
use crate::grants::Grants;
use crate::limits::{HistoryLimits, TopicBounds};
use crate::position::Sequence;
use crate::record::RECORD_OVERHEAD_BYTES;
use crate::resume::{OnReset, ResetReason, ResumeFrom};

/// One thing that is done to both, or asked of both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// An event on the topic with this number.
    Publish {
        /// Which of four topics.
        topic: usize,
        /// Which of them are its alternate topics, a bit for each.
        alternates: u8,
        /// How long it is replayed; 0 is for ever. Unit: milliseconds.
        ttl_ms: u64,
        /// Whether it is private.
        private: bool,
        /// The publisher's id, as a number that may come again.
        own_id: Option<u64>,
        /// Whether it takes any.
        takes_any_id: bool,
    },
    /// The end of a topic.
    End(usize),
    /// The deletion of a topic.
    Delete(usize),
    /// Time goes by. Unit: milliseconds.
    Advance(u64),
    /// A reader comes: which topics, from where, with how large pages.
    Resume {
        /// Which set of selectors.
        selectors: usize,
        /// What it asks for.
        wanted: Wanted,
        /// Whether it may read private events.
        may_read_private: bool,
        /// How many records a page may look at.
        scanned_max: usize,
    },
    /// A reader of these selectors reads on after a place, so far from the tail.
    Read {
        /// Which set of selectors.
        selectors: usize,
        /// How far back.
        back: u64,
    },
}

/// Where a random reader wants to go on from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// Live.
    Live,
    /// Earliest.
    Earliest,
    /// So many milliseconds ago.
    SinceAgo(u64),
    /// The last so many.
    Last(u64),
    /// The hub's own id, so far before the tail; a negative one is ahead of it.
    Back(i64),
    /// A publisher's id.
    OwnId(u64),
    /// An id that is the time so many milliseconds ago.
    TimeId(u64),
}

/// The bounds of a random history.
struct Bounds {
    events_max: Option<u64>,
    age_ms_max: Option<u64>,
    tables: &'static [Table],
}

/// A table: for which topics, most events, most bytes in events of the usual size, most age in milliseconds.
type Table = (&'static str, Option<u64>, Option<usize>, Option<u64>);

/// From none to strict, then with tables.
pub const ALL_BOUNDS: std::ops::Range<usize> = 0..BOUNDS.len();

const BOUNDS: [Bounds; 10] = [
    of_hub(None, None),
    of_hub(Some(20), None),
    of_hub(Some(3), None),
    of_hub(None, Some(50)),
    of_hub(Some(10), Some(30)),
    of_hub(None, None).with(&[("a", Some(2), None, None)]),
    of_hub(None, None).with(&[("x/1", None, None, None), ("x/*", None, Some(2), None), ("**", None, None, Some(40))]),
    of_hub(Some(8), None).with(&[("b", Some(0), None, None), ("*", Some(3), None, Some(25))]),
    of_hub(None, Some(60)).with(&[("x/2", Some(1), Some(1), None), ("x/*", Some(5), None, Some(10))]),
    of_hub(Some(12), Some(45)).with(&[("a", Some(1), None, None), ("**", Some(4), Some(3), Some(30))]),
];
/// About what an event of the model's counts for.
const USUAL_BYTES: usize = RECORD_OVERHEAD_BYTES + 50;
/// How many ids publishers choose from.
const OWN_IDS: u64 = 20;
const TOPICS: [&str; 4] = ["a", "b", "x/1", "x/2"];
const SELECTORS: [&[&str]; 8] =
    [&["a"], &["b"], &["x/1"], &["a", "b", "x/2"], &["x/*"], &["**"], &["a", "x/*"], &["never", "x/2"]];

impl Operation {
    /// The operation that some random bits stand for.
    pub fn from_bits(bits: u64) -> Self {
        let byte = |nth: u32| bits >> (8 * nth) & 0xff;
        let pick = |nth: u32, of: usize| usize::try_from(byte(nth)).expect("a byte fits") % of;
        match byte(0) % 16 {
            0..=5 => Self::Publish {
                topic: pick(1, TOPICS.len()),
                ttl_ms: if byte(2).is_multiple_of(4) { byte(3) % 40 } else { 0 },
                private: byte(4).is_multiple_of(4),
                own_id: byte(5).is_multiple_of(3).then_some(byte(6) % OWN_IDS),
                takes_any_id: byte(5).is_multiple_of(2),
                alternates: if byte(7).is_multiple_of(3) { (byte(7) / 3 % 16) as u8 } else { 0 },
            },
            6 if byte(1).is_multiple_of(3) => Self::End(pick(2, TOPICS.len())),
            6 => Self::Delete(pick(2, TOPICS.len())),
            7..=8 => Self::Advance(byte(1) % 20),
            9..=10 => Self::Read { selectors: pick(1, SELECTORS.len()), back: byte(2) % 40 },
            _ => Self::Resume {
                selectors: pick(1, SELECTORS.len()),
                wanted: match byte(2) % 10 {
                    0 => Wanted::Live,
                    1 => Wanted::Earliest,
                    2 => Wanted::SinceAgo(byte(3) % 80),
                    3 => Wanted::Last(byte(3) % 8),
                    4 => Wanted::OwnId(byte(3) % OWN_IDS),
                    5 => Wanted::TimeId(byte(3) % 80),
                    _ => Wanted::Back(i64::try_from(byte(3) % 40).expect("it is small") - 2),
                },
                may_read_private: byte(4).is_multiple_of(2),
                scanned_max: pick(5, 9) + 1,
            },
        }
    }
}

/// Does the operations to a fresh engine and to the list, and compares all answers.
///
/// # Panics
/// When the engine and the list do not agree.
pub fn check(make: MakeEngine<'_>, bounds: usize, operations: impl IntoIterator<Item = Operation>) {
    let history = BOUNDS[bounds % BOUNDS.len()].history();
    let world = World::with_options(make, SuiteOptions { history: history.clone(), ids_resolve_by_time: true });
    let mut pair = Pair { world, naive: Naive::new(history) };
    for operation in operations {
        pair.apply(operation);
    }
}

pub(super) fn random_histories_agree_with_the_naive_model(make: MakeEngine<'_>) {
    // A fixed walk (xorshift64), so that a failure is the same again.
    let mut bits = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = || {
        bits ^= bits << 13;
        bits ^= bits >> 7;
        bits ^= bits << 17;
        bits
    };
    for round in 0..200 {
        let operations: Vec<_> = (0..150).map(|_| Operation::from_bits(next())).collect();
        check(make, round, operations);
    }
}

const fn of_hub(events_max: Option<u64>, age_ms_max: Option<u64>) -> Bounds {
    Bounds { events_max, age_ms_max, tables: &[] }
}

impl Bounds {
    const fn with(self, tables: &'static [Table]) -> Self {
        Self { tables, ..self }
    }

    fn history(&self) -> HistoryLimits {
        let age_max = |ms: Option<u64>| ms.map(Duration::from_millis);
        let topic_bounds = self.tables.iter().map(|&(raw, events_max, usual_events, age_ms_max)| TopicBounds {
            topics: Selector::parse(raw).expect("the suite's selectors are selectors"),
            events_max,
            bytes_max: usual_events.map(|count| count * USUAL_BYTES),
            age_max: age_max(age_ms_max),
        });
        HistoryLimits {
            events_max: self.events_max,
            age_max: age_max(self.age_ms_max),
            topic_bounds: topic_bounds.collect(),
            ..HistoryLimits::default()
        }
    }
}

/// The engine under test, and what it is compared with.
struct Pair {
    world: World,
    naive: Naive,
}

impl Pair {
    fn apply(&mut self, operation: Operation) {
        let now = self.world.now;
        match operation {
            Operation::Advance(ms) => return self.world.advance(Duration::from_millis(ms)),
            Operation::Publish { topic: nth, alternates, ttl_ms, private, own_id, takes_any_id } => {
                self.naive.trim(now);
                let mut publication = publication(TOPICS[nth]);
                let is_alternate = |(nth, _): &(usize, &&str)| alternates >> nth & 1 == 1;
                let alternates = TOPICS.iter().enumerate().filter(is_alternate).map(|(_, raw)| topic(raw));
                publication.alternates = alternates.collect();
                publication.ttl = (ttl_ms > 0).then(|| Duration::from_millis(ttl_ms));
                publication.private = private;
                publication.id = own_id.map(|id| event_id(&own_id_text(id, self.world.engine.epoch())));
                publication.takes_any_id = takes_any_id;
                let want = self.naive.refusal(&publication);
                assert_eq!(self.world.append(publication).err(), want, "{operation:?}");
            }
            Operation::End(topic) => {
                self.naive.trim(now);
                let mut end = publication(TOPICS[topic]);
                end.data.clear();
                end.ends_topic = true;
                let want = self.naive.refusal(&end);
                assert_eq!(self.world.append(end).err(), want, "{operation:?}");
            }
            Operation::Delete(nth) => {
                self.naive.trim(now);
                let want = self.naive.delete(&topic(TOPICS[nth]), self.world.engine.tail().next());
                assert_eq!(self.world.delete(TOPICS[nth]), want, "{operation:?}");
            }
            Operation::Resume { selectors, wanted, may_read_private, scanned_max } => {
                self.naive.trim(now);
                self.resume(SELECTORS[selectors], wanted, may_read_private, scanned_max);
            }
            Operation::Read { selectors, back } => {
                self.naive.trim(now);
                self.read(&set(SELECTORS[selectors]), back);
            }
        }
        self.take_in_commits();
    }

    /// What the engine committed becomes part of the list.
    fn take_in_commits(&mut self) {
        let committed = self.world.committed(self.naive.tail().0);
        for record in committed {
            assert_eq!(record.sequence, self.naive.tail().next(), "no gap");
            self.naive.push(record);
        }
        assert_eq!(self.naive.tail(), self.world.engine.tail());
        self.naive.trim(self.world.now);
        let usage = self.world.engine.usage(self.world.now);
        assert_eq!((usage.events, usage.oldest_at), (self.naive.events(), self.naive.oldest_at()));
    }

    fn read(&self, selectors: &SelectorSet, back: u64) {
        let after = Sequence(self.naive.tail().0.saturating_sub(back));
        let read = self.world.read(selectors, after, NO_LIMIT);
        let is_expired = matches!(read, Read::Expired);
        let mark = self.naive.mark(|topic| selectors.matches(topic)).map_or(Sequence::ZERO, |(place, _)| place);
        let mark_of_hub = self.naive.mark_of_hub(|topic| selectors.matches(topic)).unwrap_or_default();
        assert!(is_expired || mark_of_hub <= after, "{selectors:?} after {after}: missing before {mark_of_hub}");
        let any_mark = self.naive.mark(|_| true).map_or(Sequence::ZERO, |(place, _)| place);
        let may_be_careful = selectors.has_patterns() && any_mark > after;
        assert!(!is_expired || mark > after || may_be_careful, "{selectors:?} after {after}: nothing is missing");
        if !is_expired {
            self.check_replay(selectors, after, places(&read), &format!("{selectors:?} after {after}"));
        }
    }

    fn resume(&self, raw: &[&str], wanted: Wanted, may_read_private: bool, scanned_max: usize) {
        let (selectors, now) = (set(raw), self.world.now);
        let grants = if may_read_private { Grants::Everything } else { Grants::Anonymous };
        let text = self.request(wanted);
        let context = format!("{raw:?} {wanted:?} {grants:?} at {now:?}");
        let want = self.naive.resolve(&selectors, &text, &grants, now, self.world.engine.epoch());
        let got = self.world.resolve_as(raw, text, grants.clone(), OnReset::Oldest);

        let reason = got.reset.as_ref().map(|reset| reset.reason);
        let is_careful = selectors.has_patterns() && reason == Some(ResetReason::Expired) && want.is_ok();
        assert!(is_careful || reason == want.err(), "{context}: {reason:?} rather than {want:?}");
        if let Some(reset) = &got.reset {
            let ends = (reset.oldest.map(|at| at.sequence), reset.latest.map(|at| at.sequence));
            assert_eq!(ends, self.naive.told(&selectors, &grants, now), "{context}");
        }
        let place = match want {
            Ok(place) if reason.is_none() => place,
            _ => Sequence::ZERO,
        };
        let end = self.naive.ended_through(&selectors);
        let is_over = matches!(wanted, Wanted::Back(_) | Wanted::OwnId(_) | Wanted::TimeId(_)) && reason.is_none();
        assert_eq!(got.is_over, is_over && end.is_some_and(|end| place >= end), "{context}");
        self.check_replay(&selectors, place, self.pages(&selectors, got.cursor, scanned_max), &context);
    }

    fn check_replay(&self, selectors: &SelectorSet, after: Sequence, mut got: Vec<u64>, context: &str) {
        let mut want = self.naive.replay(selectors, after, self.world.now);
        // How long such a reader, which never ends, is given the ends of single topics is not promised, nor whether one
        // that starts over is given an end from before what was trimmed of its topics.
        let mark = self.naive.mark(|topic| selectors.matches(topic)).map_or(0, |(place, _)| place.0);
        let is_promised = |place: &u64| !self.naive.is_end(*place) || *place > mark && !selectors.has_patterns();
        want.retain(is_promised);
        got.retain(is_promised);
        assert_eq!(got, want, "{context}");
    }

    /// All pages after a place.
    fn pages(&self, selectors: &SelectorSet, mut after: Sequence, scanned_max: usize) -> Vec<u64> {
        let limit = ReadLimit { bytes_max: usize::MAX, scanned_max };
        let mut seen = Vec::new();
        while after < self.naive.tail() {
            let read = self.world.read(selectors, after, limit);
            seen.extend(places(&read));
            let Read::Page(Page { through, .. }) = read else { unreachable!("places() was there before") };
            assert!(through > after, "a page gets on");
            after = through;
        }
        seen
    }

    fn request(&self, wanted: Wanted) -> ResumeFrom {
        let ago = |ms| self.world.now.saturating_sub(Duration::from_millis(ms));
        match wanted {
            Wanted::Live => ResumeFrom::Live,
            Wanted::Earliest => ResumeFrom::Earliest,
            Wanted::SinceAgo(ms) => ResumeFrom::Since { at: ago(ms), requested: "some time ago".into() },
            Wanted::Last(count) => ResumeFrom::Last(count),
            Wanted::Back(back) => self.world.id(self.naive.tail().0.saturating_add_signed(-back)),
            Wanted::OwnId(id) => ResumeFrom::EventId(own_id_text(id, self.world.engine.epoch()).into()),
            Wanted::TimeId(ms) => ResumeFrom::EventId(ago(ms).as_millis().to_string().into()),
        }
    }
}
