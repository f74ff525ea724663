//! A connection that is cut at any byte goes on by its last id: nothing lost, nothing twice.

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::{Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use tidings::{CloseReason, Delivery, Event, EventId, EventType, Publication};
use tidings_core::ResetReason;

use crate::support::hub::{Setup, TestHub, parse_topic};
use crate::support::reader::{Cut, End, IdBy, Pumped, Reader};
use crate::support::seed::Seed;
use crate::support::{DEADLINE, as_read, eventually, over_both_ways_near_and_far, percent_encode};

over_both_ways_near_and_far!(
    one_topic_survives_its_cuts,
    ten_of_fifty_topics_survive_their_cuts,
    a_pattern_survives_its_cuts,
    a_cut_after_any_byte_loses_nothing,
    a_reader_cut_before_its_first_event_loses_nothing,
);

/// Readers of each of the random scenarios: six scenarios, each with so many readers and cuts, are 5,760 cuts.
const READERS: usize = 8;
const CUTS_PER_READER: usize = 120;
const EVENTS: usize = 1500;
/// About so many bytes are they, encoded.
const BYTES: usize = 24_000_000;
/// The type of the event that is the last of its topic.
const LAST: &str = "last";
/// A reader that gets no byte for so long is cut too: at the very edge of what was published.
const IDLE: Duration = Duration::from_millis(5);

/// What a scenario's events are published on, and which of these topics a reader takes.
struct Plan {
    topics: Vec<String>,
    /// One in so many fetches of history cannot be read. The hub ends its readers' streams then.
    fails_one_in: Option<u32>,
    /// The target of a reader, and its topics.
    choose: fn(&Plan, &mut fastrand::Rng) -> (String, Vec<String>),
}

fn one_topic_survives_its_cuts(setup: Setup) {
    let choose = |plan: &Plan, _: &mut fastrand::Rng| ("/events/cuts/one".to_owned(), plan.topics.clone());
    survive(setup, &Plan { topics: vec!["cuts/one".to_owned()], fails_one_in: None, choose });
}

/// The same where the history is far, and often cannot be read.
pub(crate) fn survive_failures(delivery: Delivery) {
    let choose = |plan: &Plan, _: &mut fastrand::Rng| ("/events/cuts/one".to_owned(), plan.topics.clone());
    let plan = Plan { topics: vec!["cuts/one".to_owned()], fails_one_in: Some(20), choose };
    survive(Setup { delivery, is_far: true }, &plan);
}

fn ten_of_fifty_topics_survive_their_cuts(setup: Setup) {
    let choose = |plan: &Plan, chance: &mut fastrand::Rng| {
        let mut topics = plan.topics.clone();
        chance.shuffle(&mut topics);
        topics.truncate(10);
        let query: Vec<_> = topics.iter().map(|topic| format!("topic={}", percent_encode(topic))).collect();
        (format!("/events?{}", query.join("&")), topics)
    };
    let topics = (0..50).map(|number| format!("topic {number}")).collect();
    survive(setup, &Plan { topics, fails_one_in: None, choose });
}

fn a_pattern_survives_its_cuts(setup: Setup) {
    let choose = |plan: &Plan, _: &mut fastrand::Rng| {
        let topics = plan.topics.iter().filter(|topic| topic.ends_with("/chat")).cloned();
        ("/events?topic=room/*/chat".to_owned(), topics.collect())
    };
    let kinds = ["chat", "typing"];
    let topics = (0..20).flat_map(|room| kinds.map(|kind| format!("room/{room}/{kind}")));
    survive(setup, &Plan { topics: topics.collect(), fails_one_in: None, choose });
}

fn survive(setup: Setup, plan: &Plan) {
    let seed = Seed::take();
    let hub = TestHub::start(setup, |builder| builder.heartbeat(Some(Duration::from_millis(7))));
    if let Some(fetches) = plan.fails_one_in {
        hub.far().fail_one_in(fetches);
    }
    let pace = Pace::default();
    let published = Mutex::new(HashMap::new());
    let mut reference = Reader::open(hub.address, "/events?topic=**&since=earliest");

    let (reference, histories) = thread::scope(|scope| {
        let reference = scope.spawn(move || {
            let mut events = Vec::new();
            let mut topics_left = plan.topics.len();
            while topics_left > 0 {
                match reference.next_or_end() {
                    Ok(event) => events.push(Seen::of(event)),
                    Err(End::Whole) if plan.fails_one_in.is_some() => {
                        reference.cut(Cut::Close);
                        reference.connect();
                        continue;
                    }
                    Err(end) => panic!("the hub ended the stream of the reader that is never cut: {end:?}"),
                }
                topics_left -= usize::from(events.last().is_some_and(|seen| seen.is_last));
            }
            events
        });
        let readers: Vec<_> = (0..READERS)
            .map(|number| {
                let (mut chance, pace, address) = (seed.part(number as u64), &pace, hub.address);
                let (target, topics) = (plan.choose)(plan, &mut chance);
                let bytes_between_cuts = BYTES * topics.len() / plan.topics.len() / CUTS_PER_READER;
                let mut reader = CutReader::new(number, &target, topics.len(), address, plan.fails_one_in.is_some());
                scope.spawn(move || {
                    reader.be_cut(&mut chance, bytes_between_cuts, pace);
                    reader.read_to_last();
                    (reader, topics)
                })
            })
            .collect();
        let publishers: Vec<_> = (0..3u64)
            .map(|number| {
                let (chance, hub, pace, published) = (seed.part(100 + number), &hub, &pace, &published);
                scope.spawn(move || publish(number, chance, hub, plan, pace, published))
            })
            .collect();
        for publisher in publishers {
            publisher.join().expect("a publisher failed");
        }
        for topic in &plan.topics {
            let event_type = EventType::parse(LAST).expect("a plain word");
            let last = Publication { event_type: Some(event_type), ..Publication::new(parse_topic(topic), "") };
            let id = hub.publish_all_of(last).id.to_string();
            lock(&published).insert(id, Sent { topic: topic.clone(), data: String::new() });
        }
        let reference = reference.join().expect("the reader that is never cut failed");
        (reference, readers.into_iter().map(|reader| reader.join().expect("a reader failed")).collect::<Vec<_>>())
    });

    let published = lock(&published);
    check_reference(&reference, &published);
    for (reader, topics) in histories {
        let is_of_reader = |seen: &&Seen| topics.contains(&published[&seen.id].topic);
        let since = reader.position_at_start.unwrap_or(0);
        let want: Vec<_> = reference[since..].iter().filter(is_of_reader).map(|seen| &*seen.id).collect();
        let got: Vec<_> = reader.seen.iter().map(|seen| &*seen.id).collect();
        check_history(&got, &want, &format!("reader {} after {} cuts", reader.number, reader.cuts));
        for seen in &reader.seen {
            assert_eq!(seen.data, published[&seen.id].data, "reader {}: the data of {}", reader.number, seen.id);
        }
    }
    assert_eq!(hub.counters().reset(ResetReason::Expired).get(), 0);
    assert_eq!(hub.counters().reset(ResetReason::Unknown).get(), 0);
    hub.expect_fetches_if_far();
    let ended = hub.counters().closed(CloseReason::StoreFailed).get();
    assert_eq!(ended > 0, plan.fails_one_in.is_some(), "{ended} streams were ended because history could not be read");
}

/// What a publisher sent.
struct Sent {
    topic: String,
    /// As readers get it.
    data: String,
}

/// What a reader got.
struct Seen {
    id: String,
    data: String,
    is_last: bool,
}

impl Seen {
    fn of(event: Event) -> Self {
        assert!(!event.event_type.starts_with("tidings."), "{event:?}");
        Self { id: event.last_event_id, data: event.data, is_last: event.event_type == LAST }
    }
}

/// Publishers keep step with the cuts, so that there is always something new and the cuts fall all along.
#[derive(Default)]
struct Pace {
    cuts: Mutex<usize>,
    changed: Condvar,
}

impl Pace {
    fn add_cut(&self) {
        *lock(&self.cuts) += 1;
        self.changed.notify_all();
    }

    /// Waits until it is time for the event with this number.
    fn wait_for_turn(&self, number: usize) {
        let cuts_needed = number * READERS * CUTS_PER_READER / EVENTS;
        let (cuts, waited) = self
            .changed
            .wait_timeout_while(lock(&self.cuts), DEADLINE, |cuts| *cuts < cuts_needed)
            .unwrap_or_else(PoisonError::into_inner);
        assert!(!waited.timed_out(), "{cuts} cuts of {cuts_needed} in {DEADLINE:?}: the readers have stopped");
    }
}

fn publish(
    number: u64,
    mut chance: fastrand::Rng,
    hub: &TestHub,
    plan: &Plan,
    pace: &Pace,
    published: &Mutex<HashMap<String, Sent>>,
) {
    let mut client = hub.client();
    for event in (usize::try_from(number).expect("a few publishers")..EVENTS).step_by(3) {
        pace.wait_for_turn(event);
        let topic = chance.choice(&plan.topics).expect("a plan has topics");
        let data = any_data(&mut chance);
        // Spaces, letters beyond ASCII, and what looks like the hub's own id but is not.
        let own_id = chance.bool().then(|| format!("p{number}-é {event}"));
        let id = if number == 0 {
            let id = own_id.map(|id| EventId::parse(&id).expect("a good id"));
            hub.publish_all_of(Publication { id, ..Publication::new(parse_topic(topic), &*data) }).id.to_string()
        } else {
            let query = own_id.map(|id| format!("?id={}", percent_encode(&id))).unwrap_or_default();
            let topic: Vec<_> = topic.split('/').map(percent_encode).collect();
            client.publish(&format!("/events/{}{query}", topic.join("/")), &data)
        };
        let before = lock(published).insert(id.clone(), Sent { topic: topic.clone(), data: as_read(&data) });
        assert!(before.is_none(), "the id {id} was given out twice");
    }
}

/// Mostly short, seldom up to 200 KiB; with all that ends a line, and with what a stream could be forged by.
fn any_data(chance: &mut fastrand::Rng) -> String {
    const PIECES: [&str; 14] =
        ["a", "b ", " ", "\r", "\n", "\r\n", "\n\n", "é", "🦀", "data: x", "id: forged", ":", "\u{feff}", "\u{0}"];
    let len = match chance.u8(..100) {
        0..10 => 0,
        10..70 => chance.usize(1..200),
        70..90 => chance.usize(200..4096),
        90..98 => chance.usize(4096..50_000),
        _ => chance.usize(150_000..=200 * 1024),
    };
    let mut data = String::with_capacity(len + 32);
    while data.len() < len {
        let piece = chance.choice(PIECES).expect("there are some");
        // Long stretches, so that large events are not made of lines alone.
        let times = if len > 4096 { chance.usize(1..200) } else { 1 };
        data.extend(std::iter::repeat_n(piece, times));
    }
    data
}

/// A reader that is cut again and again.
struct CutReader {
    number: usize,
    reader: Reader,
    topics: usize,
    is_primed: bool,
    /// The hub may end its stream in good order, because it cannot read on.
    may_be_ended: bool,
    cuts: usize,
    seen: Vec<Seen>,
    /// Events before this many are from before it came. `None` until it knows.
    position_at_start: Option<usize>,
}

impl CutReader {
    fn new(number: usize, target: &str, topics: usize, address: SocketAddr, may_be_ended: bool) -> Self {
        let is_primed = number.is_multiple_of(3);
        let separator = if target.contains('?') { '&' } else { '?' };
        // One that asks for no opening frame has no place before its first event, so it asks for all.
        let start = if is_primed { "prime=1" } else { "since=earliest" };
        let id_by = [IdBy::Header, IdBy::Query("lastEventID"), IdBy::Query("last_event_id")][number / 3 % 3];
        let reader = Reader::new(address, format!("{target}{separator}{start}")).id_by(id_by);
        Self { number, reader, topics, is_primed, may_be_ended, cuts: 0, seen: Vec::new(), position_at_start: None }
    }

    fn be_cut(&mut self, chance: &mut fastrand::Rng, bytes_between_cuts: usize, pace: &Pace) {
        while self.cuts < CUTS_PER_READER {
            // Now about as much as comes between two cuts, now a few bytes: so it is now behind, now at the edge.
            let few = 1 << chance.u32(..14);
            let bytes = if chance.bool() { chance.usize(..4 * bytes_between_cuts) } else { chance.usize(..few) };
            self.reader.connect();
            self.read(bytes);
            self.reader.cut(chance.choice(Cut::ALL).expect("there are some"));
            self.cuts += 1;
            pace.add_cut();
        }
    }

    /// Reads so many bytes, or all there is.
    fn read(&mut self, mut bytes: usize) {
        while bytes > 0 {
            match self.reader.pump(bytes, IDLE) {
                Pumped::Bytes(count) => bytes -= count,
                Pumped::Idle => break,
                Pumped::End(End::Whole) if self.may_be_ended => break,
                Pumped::End(end) => panic!("reader {}: the hub ended the stream: {end:?}", self.number),
            }
        }
        self.take_seen();
    }

    fn take_seen(&mut self) {
        for event in self.reader.take_events() {
            if event.event_type == "tidings.open" {
                assert!(self.is_primed && event.data.is_empty(), "reader {}: {event:?}", self.number);
                self.position_at_start.get_or_insert(sequence_of(&event.last_event_id));
            } else {
                self.seen.push(Seen::of(event));
            }
        }
    }

    /// Reads on without a cut, until the last event of each of its topics has come.
    fn read_to_last(&mut self) {
        let deadline = Instant::now() + DEADLINE;
        self.reader.connect();
        let mut last_seen = 0;
        let mut looked_at = 0;
        while last_seen < self.topics {
            match self.reader.pump(usize::MAX, DEADLINE) {
                Pumped::Bytes(_) => {}
                Pumped::End(End::Whole) if self.may_be_ended => {
                    self.reader.cut(Cut::Close);
                    self.reader.connect();
                }
                pumped => panic!("reader {}: {pumped:?} before its last event", self.number),
            }
            assert!(Instant::now() < deadline, "reader {}: its last event did not come in {DEADLINE:?}", self.number);
            self.take_seen();
            last_seen += self.seen[looked_at..].iter().filter(|seen| seen.is_last).count();
            looked_at = self.seen.len();
        }
    }
}

/// The reader that was never cut has all that was published, each once; by it the others are judged.
fn check_reference(reference: &[Seen], published: &HashMap<String, Sent>) {
    assert_eq!(reference.len(), published.len(), "events that the reader has that is never cut");
    for (index, seen) in reference.iter().enumerate() {
        let sent = published.get(&seen.id).unwrap_or_else(|| panic!("nobody published {}", seen.id));
        assert_eq!(seen.data, sent.data, "the data of {}", seen.id);
        if !seen.id.starts_with('p') {
            assert_eq!(sequence_of(&seen.id), index + 1, "{}: the order is not that of the ids", seen.id);
        }
    }
    // Each publisher waits for its answer before it sends the next, so its own ids come in its order.
    for publisher in 0..3 {
        let prefix = format!("p{publisher}-é ");
        let numbers = reference.iter().filter_map(|seen| seen.id.strip_prefix(&prefix)?.parse::<u32>().ok());
        assert!(numbers.is_sorted(), "the events of publisher {publisher} are not in its order");
    }
}

/// Everything once and in order, or a panic that says where it went wrong.
#[track_caller]
fn check_history(got: &[&str], want: &[&str], who: &str) {
    let same = got.iter().zip(want).take_while(|(got, want)| got == want).count();
    if same == got.len() && same == want.len() {
        return;
    }
    let around = |ids: &[&str]| ids[same.saturating_sub(2)..(same + 4).min(ids.len())].join(", ");
    let missing = want.iter().filter(|id| !got.contains(id)).count();
    let twice = got.len() - got.iter().collect::<HashSet<_>>().len();
    panic!(
        "{who}: {missing} of {} events missing, {twice} twice; the first difference is at {same}: got {}, want {}",
        want.len(),
        around(got),
        around(want)
    );
}

/// The number in one of the hub's own ids.
fn sequence_of(id: &str) -> usize {
    let sequence = id.rsplit_once('-').and_then(|(_, sequence)| sequence.parse().ok());
    sequence.unwrap_or_else(|| panic!("{id:?} is not of the hub's own form"))
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The same without chance: a short stream, cut after its first byte, its second, …
fn a_cut_after_any_byte_loses_nothing(setup: Setup) {
    let hub = TestHub::start(setup, |builder| builder);
    let mut want = Vec::new();
    for (data, own_id) in [("one", None), ("two\r\nlines \u{1f980}", Some("my own id é")), ("", None), ("four", None)]
    {
        let id = own_id.map(|id| EventId::parse(id).expect("a good id"));
        let published = hub.publish_all_of(Publication { id, ..Publication::new(parse_topic("a"), data) });
        want.push((published.id.to_string(), as_read(data)));
    }
    let read_all = |reader: &mut Reader, got: &mut Vec<(String, String)>| {
        while got.len() < want.len() {
            let event = reader.next();
            got.push((event.last_event_id, event.data));
        }
    };
    let len = {
        let mut reader = Reader::new(hub.address, "/events/a?since=earliest");
        reader.connect();
        let (mut len, mut got) = (0, 0);
        while got < want.len() {
            let Pumped::Bytes(count) = reader.pump(1, DEADLINE) else { panic!("the stream ended") };
            len += count;
            got += reader.take_events().count();
        }
        len
    };
    assert!((300..1500).contains(&len), "{len} bytes are no short stream");
    for bytes in 0..=len {
        let mut reader = Reader::new(hub.address, "/events/a?since=earliest");
        reader.connect();
        let mut left = bytes;
        while left > 0 {
            let Pumped::Bytes(count) = reader.pump(left, DEADLINE) else { panic!("cut at {bytes}: nothing more") };
            left -= count;
        }
        reader.cut(Cut::ALL[bytes % 3]);
        let mut got: Vec<_> = reader.take_events().map(|event| (event.last_event_id, event.data)).collect();
        reader.connect();
        read_all(&mut reader, &mut got);
        assert_eq!(got, want, "cut at {bytes} by {:?}", Cut::ALL[bytes % 3]);
    }
    // All of them have seen all; nothing comes after it but what is published now.
    let mut reader = Reader::new(hub.address, "/events/a?since=earliest");
    reader.connect();
    read_all(&mut reader, &mut Vec::new());
    reader.cut(Cut::Rst);
    reader.connect();
    reader.head();
    hub.publish("a", "new");
    assert_eq!(reader.next_data(), "new");
    eventually("all that were cut are gone", || hub.sessions() == 1);
    hub.expect_fetches_if_far();
}

/// The opening frame tells its place; what is published while it is away comes when it is back.
fn a_reader_cut_before_its_first_event_loses_nothing(setup: Setup) {
    let hub = TestHub::start(setup, |builder| builder);
    for round in 0..60 {
        let (mine, other) = (format!("round/{round}"), format!("other/{round}"));
        hub.publish(&other, "before");
        let mut reader = Reader::new(hub.address, format!("/events/{mine}?prime=1"));
        reader.connect();
        let open = reader.next();
        assert_eq!((&*open.event_type, &*open.data), ("tidings.open", ""), "{open:?}");
        reader.cut(Cut::ALL[round % 3]);
        hub.publish(&mine, "while it was away");
        hub.publish(&other, "beside");
        for _ in 0..=round % 2 {
            // The second time it is cut before the event again: the place of the frame is that before the replay.
            reader.cut(Cut::ALL[(round + 1) % 3]);
            reader.connect();
            let again = reader.next_alone();
            assert_eq!((&*again.event_type, &*again.last_event_id), ("tidings.open", &*open.last_event_id));
        }
        assert_eq!(reader.next_data(), "while it was away", "round {round}");
        hub.publish(&mine, "live");
        assert_eq!(reader.next_data(), "live", "round {round}");
    }
    // A stream that ends in order, before its first event, is resumed in the same way.
    let mut reader = Reader::new(hub.address, "/events/quiet?prime=1");
    reader.connect();
    reader.next();
    hub.block_on(hub.hub.drain(Duration::ZERO));
    assert_eq!(reader.end(), End::Whole);
}
