//! True histories of any kind are accepted; broken in one random place, they are refused.

use proptest::prelude::*;
use tidings_history::{Entry, History, Outcome, Saw, StartFrom, check, sentences};

use crate::ideal::{Ideal, Sight};

/// What is done to one entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Break {
    /// An event did not come.
    Drop,
    /// It came a second time.
    Repeat,
    /// It came before the one before it.
    Swap,
    /// Its data is another.
    Data,
    /// So is its type,
    Type,
    /// or its id.
    Id,
    /// Something came that nobody published.
    Invent,
    /// The publisher was told another id,
    Answer,
    /// or that it is refused.
    Refuse,
    /// A verdict that announced a gap did not come.
    Verdict,
    /// A reader came with an earlier id, but did not get what was after it.
    Resume,
}

const BREAKS: [Break; 11] = [
    Break::Drop,
    Break::Repeat,
    Break::Swap,
    Break::Data,
    Break::Type,
    Break::Id,
    Break::Invent,
    Break::Answer,
    Break::Refuse,
    Break::Verdict,
    Break::Resume,
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn a_true_history_is_accepted_and_once_broken_refused(
        bits in proptest::collection::vec(any::<u64>(), 1..200),
        kind in 0..BREAKS.len(),
        pick in any::<prop::sample::Index>(),
    ) {
        let ideal = Ideal::of(&bits);
        if let Err(faults) = check(&History::from(ideal.entries.clone())) {
            prop_assert!(false, "a true history was refused: {}\n{}", sentences(&faults), shown(&ideal.entries));
        }
        // Not every history has a place for every fault: then it is the next one that has.
        let kinds = BREAKS.iter().cycle().skip(kind).take(BREAKS.len());
        let found = kinds.map(|&kind| (kind, places(&ideal, kind))).find(|(_, places)| !places.is_empty());
        if let Some((kind, places)) = found {
            let entry = *pick.get(&places);
            let broken = break_at(&ideal, kind, entry);
            prop_assert!(
                check(&History::from(broken.clone())).is_err(),
                "{kind:?} at entry {entry} was not noticed\n{}", shown(&broken)
            );
        }
    }
}

/// A fault that is never tried is never found: each kind has its places in a long history.
#[test]
fn every_kind_of_fault_is_tried() {
    let mut bits = 1u64;
    let walk: Vec<u64> = (0..4000)
        .map(|_| {
            bits ^= bits << 13;
            bits ^= bits >> 7;
            bits ^= bits << 17;
            bits
        })
        .collect();
    let ideal = Ideal::of(&walk);
    check(&History::from(ideal.entries.clone())).unwrap_or_else(|faults| panic!("{}", sentences(&faults)));
    for kind in BREAKS {
        let places = places(&ideal, kind);
        assert!(places.len() >= 5, "{kind:?} has {} places", places.len());
        for &entry in places.iter().step_by(places.len() / 5) {
            let broken = break_at(&ideal, kind, entry);
            assert!(check(&History::from(broken)).is_err(), "{kind:?} at entry {entry} was not noticed");
        }
    }
}

/// The entries where this makes a false history of the true one.
fn places(ideal: &Ideal, kind: Break) -> Vec<usize> {
    let entries = |is_one: fn(&Entry) -> bool| {
        ideal.entries.iter().enumerate().filter(|(_, entry)| is_one(entry)).map(|(at, _)| at).collect()
    };
    let sights = |is_one: &dyn Fn(&Sight) -> bool| {
        ideal.sights.iter().filter(|sight| is_one(sight)).map(|sight| sight.entry).collect()
    };
    match kind {
        Break::Repeat | Break::Data | Break::Type | Break::Id | Break::Invent => sights(&|_| true),
        // At the very edge of a stretch that was given up it cannot be known whether there was more.
        Break::Drop => sights(&|sight| {
            let mut others = ideal.sights.iter().filter(|other| other.place.reader == sight.place.reader);
            let is_last_stretch = sight.stretch == ideal.last_stretch(sight.place.reader);
            let has_earlier = others.clone().any(|other| is_same_stretch(other, sight) && other.entry < sight.entry);
            has_earlier
                && (is_last_stretch || others.any(|other| is_same_stretch(other, sight) && other.entry > sight.entry))
        }),
        Break::Swap => sights(&|sight| earlier(ideal, sight).is_some_and(|other| other.place == sight.place)),
        Break::Answer | Break::Refuse => {
            entries(|entry| matches!(entry, Entry::Answered { outcome: Outcome::Accepted(_), .. }))
        }
        Break::Verdict => {
            let is_followed = |entry: &usize| {
                let Some(Entry::Saw(verdict)) = ideal.entries.get(*entry) else { panic!("{entry} is no verdict") };
                ideal.sights.iter().any(|sight| sight.place == verdict.place)
            };
            ideal.needed_verdicts.iter().copied().filter(is_followed).collect()
        }
        Break::Resume => (0..ideal.entries.len()).filter(|&at| earlier_id(ideal, at).is_some()).collect(),
    }
}

fn break_at(ideal: &Ideal, kind: Break, at: usize) -> Vec<Entry> {
    let mut entries = ideal.entries.clone();
    match kind {
        Break::Drop | Break::Verdict => drop(entries.remove(at)),
        Break::Repeat => entries.insert(at, entries[at].clone()),
        Break::Swap => {
            let sight = ideal.sights.iter().find(|sight| sight.entry == at).expect("it was chosen of these");
            entries.swap(at, earlier(ideal, sight).expect("it was chosen for this").entry);
        }
        Break::Data => change(&mut entries[at], |saw| saw.data = format!("{}!", saw.data).into()),
        Break::Type => change(&mut entries[at], |saw| saw.event_type.push('!')),
        Break::Id => change(&mut entries[at], |saw| saw.id.push('!')),
        Break::Invent => {
            let mut invented = entries[at].clone();
            change(&mut invented, |saw| saw.data = "nobody said this".into());
            change(&mut invented, |saw| saw.id.push('!'));
            entries.insert(at, invented);
        }
        Break::Answer | Break::Refuse => {
            let Entry::Answered { outcome, .. } = &mut entries[at] else { panic!("{at} is no answer") };
            *outcome = match outcome {
                Outcome::Accepted(id) if kind == Break::Answer => Outcome::Accepted(format!("{id}!")),
                _ => Outcome::Refused(503),
            };
        }
        Break::Resume => {
            let id = earlier_id(ideal, at).expect("it was chosen for this");
            let Entry::Connecting { from, .. } = &mut entries[at] else { panic!("{at} is no connection") };
            *from = StartFrom::After(id);
        }
    }
    entries
}

fn change(entry: &mut Entry, how: impl FnOnce(&mut Saw)) {
    let Entry::Saw(saw) = entry else { panic!("{entry:?} is nothing that was seen") };
    how(saw);
}

fn is_same_stretch(one: &Sight, other: &Sight) -> bool {
    (one.place.reader, one.stretch) == (other.place.reader, other.stretch)
}

/// The event before this one in its stretch.
fn earlier<'a>(ideal: &'a Ideal, sight: &Sight) -> Option<&'a Sight> {
    ideal.sights.iter().rev().find(|other| is_same_stretch(other, sight) && other.entry < sight.entry)
}

/// For a connection that goes on from an event, and has events itself: the id of the event before.
fn earlier_id(ideal: &Ideal, at: usize) -> Option<String> {
    let Entry::Connecting { place, from: StartFrom::After(id) } = &ideal.entries[at] else { return None };
    let id_at = |sight: &Sight| match &ideal.entries[sight.entry] {
        Entry::Saw(saw) => saw.id.clone(),
        other => panic!("{other:?} is no event"),
    };
    let next = ideal.sights.iter().find(|sight| sight.place == *place)?;
    let last = earlier(ideal, next).filter(|last| id_at(last) == *id)?;
    earlier(ideal, last).map(id_at)
}

fn shown(entries: &[Entry]) -> String {
    let mut text = Vec::new();
    History::from(entries.to_vec()).write(&mut text).expect("a Vec takes all");
    String::from_utf8(text).expect("JSON is text")
}
