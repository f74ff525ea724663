//! Those who are in the way: readers that never read or read slowly while much is published, connections that say
//! nothing, and requests that stop in the middle.

use std::io::Write as _;
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use tidings_history::recorders::{Listener, Pace, Publisher, Reader, Recorder, Wish};
use tidings_history::{Interest, PublicationName, ReaderName, StartFrom};

use super::stage::Stage;
use crate::DEADLINE;
use crate::never_reads::connect_with_little_room;

/// A topic with more events than slow readers can take, and its readers that are recorded.
#[derive(Debug)]
pub(super) struct Firehose<'a> {
    stage: &'a Stage,
    pub(super) recorder: Recorder,
    topic: String,
    /// They take all that comes.
    quick: Vec<Reader>,
    /// They take less, so they are ended or fall out of history, and come back.
    sippers: Vec<Reader>,
}

impl<'a> Firehose<'a> {
    pub(super) fn open(stage: &'a Stage, topic: String, first_publisher: u32) -> Self {
        let recorder = Recorder::with_publishers_from(first_publisher);
        let start = |number: usize, pace| {
            let mut listener = Listener::new(Interest::in_topics([&*topic]), StartFrom::Live);
            listener.is_http_1_0 = number % 2 == 1;
            listener.pace = pace;
            Reader::start(&recorder, &stage.readers[0], listener)
        };
        let pace = Pace { bytes: 8 * KIB, every: Duration::from_millis(50) };
        let quick = (0..QUICK).map(|number| start(number, None)).collect();
        let sippers = (0..SIPPERS).map(|number| start(number, Some(pace))).collect();
        Self { stage, recorder, topic, quick, sippers }
    }

    pub(super) fn publisher(&self) -> Publisher {
        Publisher::new(&self.recorder, &self.stage.publishers)
    }

    pub(super) fn topic(&self) -> String {
        self.topic.clone()
    }

    /// Lets the quick ones have everything; the others go as they came. Answers who did not get it in time.
    pub(super) fn read_to_the_end(&mut self) -> Vec<ReaderName> {
        let marker: Option<PublicationName> =
            self.publisher().publish(&Wish::new(&self.topic, "the last")).map(|published| published.name);
        let deadline = Instant::now() + DEADLINE;
        let mut late = Vec::new();
        for reader in self.quick.drain(..) {
            if !reader.wait_for(marker.as_slice(), deadline) {
                late.push(reader.name());
            }
            reader.finish();
        }
        self.recorder.stop();
        self.sippers.clear();
        late
    }
}

impl Drop for Firehose<'_> {
    fn drop(&mut self) {
        self.recorder.stop();
    }
}

/// Publishes much, until it is to be quiet.
pub(super) fn pour(mut publisher: Publisher, topic: &str, is_quiet: &AtomicBool) {
    let filler = "much ".repeat(EVENT_BYTES / 5);
    while !is_quiet.load(Ordering::Relaxed) && publisher.publish(&Wish::new(topic, &filler)).is_some() {
        thread::sleep(POUR_EVERY); // the pace of the load, not a wait for something
    }
}

/// How somebody is in the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Idler {
    /// Asks for the firehose and reads nothing.
    NeverReads { is_http_1_0: bool },
    /// Connects, and that is all.
    SaysNothing,
    /// Sends the beginning of a head.
    HalfAHead,
    /// Sends a head and the beginning of its body.
    HalfABody,
}

/// How many of each are there at a time.
const IDLERS: [(Idler, usize); 5] = [
    (Idler::NeverReads { is_http_1_0: false }, 20),
    (Idler::NeverReads { is_http_1_0: true }, 10),
    (Idler::SaysNothing, 60),
    (Idler::HalfAHead, 40),
    (Idler::HalfABody, 20),
];

/// Keeps them all there until it is to be quiet: whoever goes is followed by another one. Answers how many there were.
pub(super) fn be_in_the_way(stage: &Stage, topic: &str, mut chance: fastrand::Rng, is_quiet: &AtomicBool) -> u64 {
    let everybody = IDLERS.iter().flat_map(|&(idler, count)| std::iter::repeat_n(idler, count));
    let mut count = 0;
    let mut let_in = |idler: Idler, chance: &mut fastrand::Rng| {
        count += 1;
        // Some leave before the hub has enough of them, and some do not.
        let leaves_at = Instant::now() + Duration::from_millis(chance.u64(1000..8000));
        (idler.come(stage, topic), leaves_at)
    };
    let mut there: Vec<_> = everybody.map(|idler| (idler, let_in(idler, &mut chance))).collect();
    while !is_quiet.load(Ordering::Relaxed) {
        for (idler, place) in &mut there {
            if place.1 <= Instant::now() {
                *place = let_in(*idler, &mut chance);
            }
        }
        thread::sleep(Duration::from_millis(20)); // between two looks
    }
    count
}

impl Idler {
    fn come(self, stage: &Stage, topic: &str) -> TcpStream {
        let address = stage.hub.address();
        let request = match self {
            Self::NeverReads { is_http_1_0 } => {
                let version = if is_http_1_0 { "1.0" } else { "1.1" };
                format!("GET /events/{topic} HTTP/{version}\r\nHost: {address}\r\n\r\n")
            }
            Self::SaysNothing => String::new(),
            Self::HalfAHead => format!("GET /events/{topic} HTTP/1.1\r\nHost: {address}\r\nAcce"),
            Self::HalfABody => format!(
                "POST /events/{topic} HTTP/1.1\r\nHost: {address}\r\n{}\r\nContent-Length: 1000\r\n\r\nhalf",
                stage.authorization()
            ),
        };
        let mut stream = connect_with_little_room(address);
        // Whether it is taken is the hub's affair.
        let _ = stream.write_all(request.as_bytes());
        stream
    }
}

const KIB: usize = 1024;
const EVENT_BYTES: usize = 32 * KIB;
const POUR_EVERY: Duration = Duration::from_millis(80);
const QUICK: usize = 2;
const SIPPERS: usize = 8;
