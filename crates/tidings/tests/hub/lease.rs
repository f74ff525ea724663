//! Sessions that are bound to a token: told of its end, prolonged, ended with it; and what is given back then.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use tidings::{CloseReason, Grants, Publication};
use tidings_core::Dialect;
use tidings_fanout::{Lease, LeaseTerms, Notice, Subscription};

use crate::support::hub::{Setup, parse_topic};
use crate::support::reader::End;
use crate::support::shards::{Listener, OPENING, Shards, now, only, subscription};
use crate::support::{MIB, eventually, eventually_equal, over_both_ways_near_and_far};

over_both_ways_near_and_far!(
    a_stream_ends_with_its_token,
    one_whose_token_has_ended_gets_nothing,
    a_reader_is_told_once_before_the_end,
    what_is_prolonged_is_told_of_its_new_end_and_goes_on,
    a_prolonged_stream_never_sees_more,
    too_many_different_grants_end_a_stream,
    a_stream_that_is_replaced_ends,
    one_that_is_replaced_on_its_way_ends_when_it_joins,
    nothing_of_ours_is_told_to_a_stream_of_mercure,
    a_lease_is_for_one_session,
    a_notice_waits_for_the_end_of_a_frame,
    an_end_waits_for_the_end_of_a_frame,
    what_hangs_on_a_lease_goes_with_its_session,
);

/// Longer than any test.
const LONG: Duration = Duration::from_hours(1);
/// Long enough that a session has joined by then.
const SHORT: Duration = Duration::from_millis(300);
const NOTICE: &str = "event: tidings.expiring\ndata: ";

fn start(setup: Setup) -> Shards {
    Shards::start(setup, |options| options.heartbeat = Some(Duration::from_millis(100)))
}

fn publish(shards: &Shards, topic: &str, data: impl Into<String>) {
    shards.publish(Publication::new(parse_topic(topic), data));
}

fn publish_private(shards: &Shards, topic: &str, data: &str) {
    shards.publish(Publication { private: true, ..Publication::new(parse_topic(topic), data) });
}

/// Terms that end in so long.
fn for_long(time: Duration) -> LeaseTerms {
    LeaseTerms { ends_at: Some(now().saturating_add(time)), ..LeaseTerms::default() }
}

/// The same; the reader is told so long before.
fn told(before: Duration, time: Duration) -> LeaseTerms {
    let frame = Box::new(|_: &Arc<Lease>, left: Duration| Bytes::from(format!("{NOTICE}{}\n\n", left.as_millis())));
    LeaseTerms { notice: Some(Notice { before, frame }), ..for_long(time) }
}

fn reader_of(topic: &str, grants: Grants, lease: &Arc<Lease>) -> Subscription {
    Subscription { lease: Some(Arc::clone(lease)), ..subscription(&[topic], grants) }
}

fn anyone(lease: &Arc<Lease>) -> Subscription {
    reader_of("t", Grants::Anonymous, lease)
}

/// Waits until so many streams have ended for `reason`.
#[track_caller]
fn await_ends(shards: &Shards, reason: CloseReason, count: u64) {
    eventually_equal(reason.label(), &count, || shards.counters.closed(reason).get());
    eventually_equal("sessions", &0, || shards.fanout.handle().sessions());
}

/// The next event is a notice; answers the time that it tells. Unit: milliseconds.
#[track_caller]
fn next_notice(reader: &mut Listener) -> u128 {
    let event = reader.next_or_end().expect("the stream goes on");
    assert_eq!(event.event_type, "tidings.expiring", "{event:?}");
    event.data.parse().expect("the notice of this test is a number")
}

fn a_stream_ends_with_its_token(setup: Setup) {
    let shards = start(setup);
    let lease = Lease::new(for_long(SHORT));
    let mut reader = shards.join(anyone(&lease));
    publish(&shards, "t", "one");
    assert_eq!(reader.next_data(), "one");
    assert_eq!(reader.end(), End::Whole);
    await_ends(&shards, CloseReason::TokenEnded, 1);
    eventually("the lease knows", || lease.is_over());
    assert!(!lease.prolong(None, Grants::Anonymous), "there is nothing to prolong");
    assert!(!reader.text.contains("retry:"), "it is to come back with another token, not at another time");
}

fn one_whose_token_has_ended_gets_nothing(setup: Setup) {
    let shards = start(setup);
    publish(&shards, "t", "secret");
    let mut reader = shards.join(anyone(&Lease::new(told(LONG, Duration::ZERO))));
    assert_eq!((reader.end(), &*reader.text), (End::Whole, OPENING));
    await_ends(&shards, CloseReason::TokenEnded, 1);
}

fn a_reader_is_told_once_before_the_end(setup: Setup) {
    let shards = start(setup);
    // At once, if the whole time is shorter; after the opening, and before what it comes for only if that is not there.
    let mut at_once = shards.join(anyone(&Lease::new(told(LONG, SHORT))));
    let mut later = shards.join(anyone(&Lease::new(told(SHORT, 2 * SHORT))));
    let mut much_later = shards.join(anyone(&Lease::new(told(SHORT, LONG))));
    for (reader, least) in [(&mut at_once, 1), (&mut later, SHORT.as_millis() / 2)] {
        let left = next_notice(reader);
        assert!((least..=SHORT.as_millis()).contains(&left), "{left}");
        assert_eq!(reader.end(), End::Whole);
        assert!(reader.text.starts_with(OPENING), "{:?}", reader.text);
    }
    publish(&shards, "t", "one");
    assert_eq!(much_later.next_data(), "one", "its notice is far off");
    assert_eq!(shards.counters.notices.get(), 2);
}

fn what_is_prolonged_is_told_of_its_new_end_and_goes_on(setup: Setup) {
    let shards = start(setup);
    let lease = Lease::new(told(LONG, SHORT));
    let mut reader = shards.join(anyone(&lease));
    next_notice(&mut reader);
    assert!(lease.prolong(Some(now().saturating_add(3 * LONG)), Grants::Anonymous));
    // Heartbeats go on beyond what would have been its end.
    let beats = reader.comments + 6;
    reader.await_comments(beats);
    publish(&shards, "t", "still here");
    assert_eq!(reader.next_data(), "still here");

    assert!(lease.prolong(Some(now().saturating_add(LONG / 2)), Grants::Anonymous));
    let left = next_notice(&mut reader);
    assert!(left > LONG.as_millis() / 4, "{left} ms are left");
    assert!(lease.prolong(Some(now().saturating_add(SHORT)), Grants::Anonymous), "a shorter time counts as well");
    assert!(next_notice(&mut reader) <= SHORT.as_millis());
    assert_eq!(reader.end(), End::Whole);
    await_ends(&shards, CloseReason::TokenEnded, 1);
    assert_eq!((shards.counters.notices.get(), shards.counters.renewals.get()), (3, 3));

    // One that does not end any more.
    let lease = Lease::new(told(LONG, SHORT));
    let mut reader = shards.join(anyone(&lease));
    assert_eq!(reader.next_data(), "still here");
    next_notice(&mut reader);
    assert!(lease.prolong(None, Grants::Anonymous));
    let beats = reader.comments + 6;
    reader.await_comments(beats);
}

fn a_prolonged_stream_never_sees_more(setup: Setup) {
    let shards = start(setup);
    let lease = Lease::new(for_long(LONG));
    let mut reader = shards.join(reader_of("*", only(&["a", "b", "c"]), &lease));
    let mut other = shards.join(subscription(&["*"], only(&["a", "b", "c"])));
    eventually_equal("live sessions", &2, || shards.counters.sessions_live.get());
    let renewals: [(&[&str], &[&str]); 4] = [
        (&["a", "b", "c"], &["a", "b", "c"]),
        (&["b", "c", "d"], &["b", "c"]),
        (&["*"], &["b", "c"]),
        (&["a", "c"], &["c"]),
    ];
    for (number, (grants, want)) in renewals.into_iter().enumerate() {
        assert!(lease.prolong(Some(now().saturating_add(LONG)), only(grants)));
        // From the next event on, whoever carries it: this thread mostly does.
        for topic in ["a", "b", "c", "d"] {
            publish_private(&shards, topic, &format!("{topic} {number}"));
        }
        publish(&shards, "public", "done");
        let all = |topics: &[&str]| {
            let private = topics.iter().map(|topic| format!("{topic} {number}"));
            private.chain(["done".to_owned()]).collect::<Vec<_>>()
        };
        assert_eq!(reader.next_datas(want.len() + 1), all(want), "after {grants:?}");
        assert_eq!(other.next_datas(4), all(&["a", "b", "c"]));
    }
}

fn too_many_different_grants_end_a_stream(setup: Setup) {
    let shards = start(setup);
    let lease = Lease::new(for_long(LONG));
    let mut reader = shards.join(reader_of("t", only(&["t"]), &lease));
    let mut renewals = 0;
    while lease.prolong(None, only(&["t", &renewals.to_string()])) {
        renewals += 1;
        assert!(renewals < 100, "each is kept");
        publish_private(&shards, "t", "one more");
    }
    while reader.next_or_end().is_ok() {}
    await_ends(&shards, CloseReason::TokenEnded, 1);
}

fn a_stream_that_is_replaced_ends(setup: Setup) {
    let shards = start(setup);
    let lease = Lease::new(for_long(LONG));
    let mut reader = shards.join(anyone(&lease));
    publish(&shards, "t", "one");
    assert_eq!(reader.next_data(), "one");
    lease.end(CloseReason::Replaced);
    lease.end(CloseReason::Drain);
    assert!(lease.is_over() && !lease.prolong(None, Grants::Anonymous));
    assert_eq!(reader.end(), End::Whole);
    await_ends(&shards, CloseReason::Replaced, 1);
}

fn one_that_is_replaced_on_its_way_ends_when_it_joins(setup: Setup) {
    let shards = start(setup);
    publish(&shards, "t", "one");
    let lease = Lease::new(for_long(LONG));
    lease.end(CloseReason::Replaced);
    let mut reader = shards.join(anyone(&lease));
    assert_eq!((reader.end(), &*reader.text), (End::Whole, OPENING));
    await_ends(&shards, CloseReason::Replaced, 1);
    // One that is prolonged on its way has what it was prolonged to.
    let lease = Lease::new(for_long(Duration::ZERO));
    assert!(lease.prolong(None, Grants::Anonymous));
    assert_eq!(shards.join(anyone(&lease)).next_data(), "one");
}

fn nothing_of_ours_is_told_to_a_stream_of_mercure(setup: Setup) {
    let shards = start(setup);
    let lease = Lease::new(told(LONG, SHORT));
    let mut subscription = anyone(&lease);
    subscription.group.dialect = Dialect::Mercure;
    let mut reader = shards.join(subscription);
    assert_eq!(reader.end(), End::Whole);
    let beats = reader.text.strip_prefix(OPENING).expect("it begins with the opening");
    assert_eq!(beats.replace(":\n", ""), "", "nothing but heartbeats");
    await_ends(&shards, CloseReason::TokenEnded, 1);

    let mut drained = Subscription { lease: None, ..crate::support::shards::subscription(&["t"], Grants::Anonymous) };
    drained.group.dialect = Dialect::Mercure;
    let mut reader = shards.join(drained);
    shards.fanout.drain(Duration::ZERO);
    assert_eq!((reader.end(), reader.text.contains("retry")), (End::Whole, false));
}

fn a_lease_is_for_one_session(setup: Setup) {
    let shards = start(setup);
    let companion = Companion::default();
    let lease = Lease::new(LeaseTerms { companion: Some(companion.one()), ..for_long(LONG) });
    let mut first = shards.join(anyone(&lease));
    let mut second = shards.join(anyone(&lease));
    assert!(second.next_or_end().is_err());
    publish(&shards, "t", "one");
    assert_eq!((first.next_data(), companion.dropped()), ("one".to_owned(), 0));
}

fn a_notice_waits_for_the_end_of_a_frame(setup: Setup) {
    let shards = start(setup);
    let lease = Lease::new(told(LONG, LONG / 2));
    let (mut reader, count) = one_that_owes(&shards, &lease);
    // It owes the rest of a frame, and so the first notice, or the second, can not go out.
    assert!(lease.prolong(Some(now().saturating_add(LONG / 2)), Grants::Anonymous));
    let mut notices = 0;
    let mut got = 0;
    while got < count || notices == 0 {
        let event = reader.next_or_end().expect("the stream goes on");
        if event.event_type == "tidings.expiring" {
            notices += 1;
        } else {
            assert_eq!(event.data.len(), MIB / 2, "a frame is whole");
            got += 1;
        }
    }
    assert!((1..=2).contains(&notices), "{notices}");
}

fn an_end_waits_for_the_end_of_a_frame(setup: Setup) {
    let shards = start(setup);
    let lease = Lease::new(for_long(LONG));
    let (mut reader, _) = one_that_owes(&shards, &lease);
    lease.end(CloseReason::Replaced);
    let end = loop {
        match reader.next_or_end() {
            Ok(event) => assert_eq!(event.data.len(), MIB / 2, "a frame is whole"),
            Err(end) => break end,
        }
    };
    assert_eq!(end, End::Whole);
    await_ends(&shards, CloseReason::Replaced, 1);
}

/// A reader that has taken nothing yet while events, of which it answers the number, were published to it.
fn one_that_owes(shards: &Shards, lease: &Arc<Lease>) -> (Listener, usize) {
    const EVENTS: usize = 20;
    let reader = shards.join_narrow(anyone(lease));
    eventually_equal("live sessions", &1, || shards.counters.sessions_live.get());
    for _ in 0..EVENTS {
        publish(shards, "t", "x".repeat(MIB / 2));
    }
    eventually_equal("live sessions", &0, || shards.counters.sessions_live.get());
    (reader, EVENTS)
}

fn what_hangs_on_a_lease_goes_with_its_session(setup: Setup) {
    let shards = start(setup);
    let companions = Companion::default();
    let lease = |time| Lease::new(LeaseTerms { companion: Some(companions.one()), ..for_long(time) });
    let mut want = 0;
    let mut await_one_more = |what: &str| {
        want += 1;
        eventually_equal(what, &want, || companions.dropped());
    };

    let ends = lease(SHORT);
    assert_eq!(shards.join(anyone(&ends)).end(), End::Whole);
    await_one_more("companions after the end of a token");
    let leaves = lease(LONG);
    drop(shards.join(anyone(&leaves)));
    await_one_more("companions after a reader has left");
    let replaced = lease(LONG);
    let mut reader = shards.join(anyone(&replaced));
    replaced.end(CloseReason::Replaced);
    assert_eq!(reader.end(), End::Whole);
    await_one_more("companions after a replacement");
    drop(anyone(&lease(LONG)));
    await_one_more("companions of subscriptions that never came");
    let drained = lease(LONG);
    let mut reader = shards.join(anyone(&drained));
    shards.fanout.drain(Duration::ZERO);
    assert_eq!(reader.end(), End::Whole);
    await_one_more("companions after a drain");
    shards.fanout.stop();
    let late = lease(LONG);
    let mut reader = shards.join(anyone(&late));
    assert!(reader.next_or_end().is_err());
    await_one_more("companions of sessions that came after the end");
}

/// Counts how many were dropped.
#[derive(Clone, Default)]
struct Companion(Arc<AtomicUsize>);

impl Companion {
    fn one(&self) -> tidings_fanout::Companion {
        Box::new(Dropped(Arc::clone(&self.0)))
    }

    fn dropped(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

struct Dropped(Arc<AtomicUsize>);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}
