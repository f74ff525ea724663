//! A hub under a load of everything at once loses nothing, and is back where it began when all have left.

use std::env;
use std::time::Duration;

use tidings_e2e::{SoakPlan, soak};
use tidings_history::{Entry, PublicationName, ReaderName};

#[test]
fn a_minute_of_everything_at_once_loses_nothing_and_leaves_nothing() {
    soak_for(Duration::from_mins(1));
}

#[test]
#[ignore = "the long form: `cargo xtask soak`, which sets the variables"]
fn any_time_of_everything_at_once_loses_nothing_and_leaves_nothing() {
    let minutes = env::var("TIDINGS_SOAK_MINUTES").map_or(10, |minutes| minutes.parse().expect("a number of minutes"));
    soak_for(Duration::from_mins(minutes));
}

/// A proof that cannot fail proves nothing. (That the hub's memory, descriptors and threads are judged is tested where
/// they are judged.)
#[test]
fn a_reader_that_missed_one_event_is_found_out() {
    let load = Duration::from_secs(2);
    let plan = SoakPlan { seed: 1, cycles: 1, load, readers: 60, meddle: Some(forget_one_event) };
    let fault = soak(&plan, &mut |_| {}).expect_err("somebody has not seen an event");
    assert!(fault.text.contains("but never"), "{}", fault.keep());
}

/// Takes from a reader that was there to the end the event before the last one.
fn forget_one_event(entries: &mut Vec<Entry>) {
    let mut done =
        entries.iter().filter_map(|entry| if let Entry::Done { reader } = entry { Some(*reader) } else { None });
    let forgotten = done.find_map(|reader| event_before_the_last(entries, reader));
    entries.remove(forgotten.expect("some reader has seen three events on its last connection"));
}

/// Where the event before the last one stands, if something came before it on the same connection.
fn event_before_the_last(entries: &[Entry], reader: ReaderName) -> Option<usize> {
    let seen = entries.iter().enumerate().filter_map(|(at, entry)| match entry {
        Entry::Saw(saw) if saw.place.reader == reader && PublicationName::of_data(&saw.data).is_some() => {
            Some((at, saw.place))
        }
        _ => None,
    });
    let seen: Vec<_> = seen.collect();
    let [.., (_, first), (forgotten, _), (_, last)] = &*seen else { return None };
    (first == last).then_some(*forgotten)
}

/// `TIDINGS_SEED` repeats the choices of an earlier run.
#[expect(clippy::print_stdout, reason = "the long form is run by people: it tells them how it goes, and the seed")]
fn soak_for(time: Duration) {
    let seed = env::var("TIDINGS_SEED").map_or_else(|_| fastrand::u64(..), |seed| seed.parse().expect("a seed"));
    let plan = SoakPlan::lasting(time, seed);
    let report = soak(&plan, &mut |line| println!("{line}")).unwrap_or_else(|fault| panic!("{}", fault.keep()));
    println!("{report}");
    assert!(report.missing().is_empty(), "what was to happen did not: {:?}\n{report}", report.missing());
}
