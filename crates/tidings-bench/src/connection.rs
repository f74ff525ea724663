//! One subscriber, without its socket: bytes are pushed, and what they say is counted.

use std::time::Instant;

use thiserror::Error;
use tidings_wire::Decoder;

use crate::http::{Answer, Body, HttpError};
use crate::layout::Layout;
use crate::ledger::Ledger;
use crate::stamp::{Scanner, Stamp};
use crate::tally::Tally;
use crate::tracker::{Arrival, Tracker};

/// One subscriber. It outlives its socket: a client that comes back goes on counting.
#[derive(Debug)]
pub(crate) struct Connection {
    /// Which one, from 0, over all threads.
    pub(crate) number: usize,
    pub(crate) role: Role,
    state: State,
    scanner: Scanner,
    tracker: Tracker,
    /// Only where ids are asked for: decoding costs several times what counting does.
    decoder: Option<Box<Decoder>>,
    last_event_id: String,
    /// How many of the events that it missed have not come yet.
    owed: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// Stays; its latencies are recorded.
    Reader,
    /// Is cut and comes back.
    Client,
}

#[derive(Debug)]
enum State {
    /// What there is of the head of the answer.
    Head(Vec<u8>),
    Body(Body),
}

/// What bytes led to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Taken {
    /// The server has answered with a stream, just now.
    pub(crate) answered: bool,
    /// The stream has ended by itself.
    pub(crate) over: bool,
}

/// Why the bytes are of no use.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(crate) enum StreamFault {
    #[error("answered {status}")]
    Refused { status: u16, answer: String },
    #[error(transparent)]
    Http(#[from] HttpError),
}

impl Connection {
    pub(crate) fn new(number: usize, role: Role, layout: &Layout, verify: bool) -> Self {
        Self {
            number,
            role,
            state: State::Head(Vec::new()),
            scanner: Scanner::default(),
            tracker: Tracker::new(layout.streams()),
            decoder: verify.then(Box::default),
            last_event_id: String::new(),
            owed: 0,
        }
    }

    /// Before each connection: nothing of the last one is carried on but what was counted.
    pub(crate) fn begin(&mut self) {
        self.state = State::Head(Vec::new());
        self.scanner = Scanner::default();
        if let Some(decoder) = &mut self.decoder {
            decoder.restart();
        }
    }

    /// From now on ids are read.
    pub(crate) fn learn_ids(&mut self) {
        self.decoder.get_or_insert_default();
    }

    /// Remembers the last id, and reads ids no more unless they are verified. Tells whether there is one.
    pub(crate) fn keep_id(&mut self, verify: bool) -> bool {
        if let Some(decoder) = &self.decoder {
            decoder.last_event_id().clone_into(&mut self.last_event_id);
        }
        if !verify {
            self.decoder = None;
        }
        !self.last_event_id.is_empty()
    }

    /// What it names when it comes back.
    pub(crate) fn last_event_id(&self) -> &str {
        &self.last_event_id
    }

    /// Counts what it has missed; tells how much.
    pub(crate) fn owe(&mut self, layout: &Layout, ledger: &Ledger) -> u64 {
        self.owed = self.lost(layout, ledger);
        self.owed
    }

    /// How many accepted events of its topics never came.
    pub(crate) fn lost(&self, layout: &Layout, ledger: &Ledger) -> u64 {
        let mut lost = 0;
        for topic in layout.topics_of(self.number) {
            let topic = u32::try_from(topic).expect("a plan's topics have numbers of 32 bits");
            for publisher in 0..u16::try_from(layout.publishers).expect("a plan has at most 4,096 publishers") {
                let stream = layout.stream(self.number, publisher, topic).expect("it is one of its topics");
                let is_refused = |sequence| ledger.is_refused(publisher, topic, sequence);
                lost += self.tracker.lost(stream, ledger.used(publisher, topic), is_refused);
            }
        }
        lost
    }

    /// Takes what was read at `now`.
    ///
    /// # Errors
    /// When the server answers something else than a stream, or something else than HTTP.
    pub(crate) fn take(
        &mut self,
        bytes: &[u8],
        now: Instant,
        layout: &Layout,
        tally: &mut Tally,
    ) -> Result<Taken, StreamFault> {
        tally.counts.wire_bytes += bytes.len() as u64;
        if let State::Head(head) = &mut self.state {
            head.extend_from_slice(bytes);
            let Some(answer) = Answer::parse(head)? else {
                return Ok(Taken::default());
            };
            if answer.status != 200 {
                let shown = &head[..head.len().min(ANSWER_SHOWN)];
                let answer_text = String::from_utf8_lossy(shown).into_owned();
                return Err(StreamFault::Refused { status: answer.status, answer: answer_text });
            }
            let rest = head.split_off(answer.head_len);
            self.state = State::Body(Body::new(answer.framing));
            let over = self.take_body(&rest, now, layout, tally)?;
            return Ok(Taken { answered: true, over });
        }
        let over = self.take_body(bytes, now, layout, tally)?;
        Ok(Taken { answered: false, over })
    }

    fn take_body(
        &mut self,
        mut bytes: &[u8],
        now: Instant,
        layout: &Layout,
        tally: &mut Tally,
    ) -> Result<bool, StreamFault> {
        let State::Body(body) = &mut self.state else { unreachable!("the head was read before") };
        let mut count = Deliveries {
            number: self.number,
            role: self.role,
            tracker: &mut self.tracker,
            owed: &mut self.owed,
            now,
            new: 0,
            layout,
            tally,
        };
        let run = count.tally.run;
        while let Some(payload) = body.next(&mut bytes)? {
            self.scanner.scan(run, payload, |stamp| count.take(stamp));
            if let Some(decoder) = &mut self.decoder {
                decode(decoder, payload, count.tally);
            }
        }
        let new = count.new;
        tally.show(new, now);
        Ok(body.is_over())
    }
}

/// The deliveries of one read.
struct Deliveries<'a> {
    number: usize,
    role: Role,
    tracker: &'a mut Tracker,
    owed: &'a mut u64,
    now: Instant,
    new: u64,
    layout: &'a Layout,
    tally: &'a mut Tally,
}

impl Deliveries<'_> {
    fn take(&mut self, stamp: Stamp) {
        // Of a topic that it did not ask for: no delivery of ours.
        let Some(stream) = self.layout.stream(self.number, stamp.publisher, stamp.topic) else { return };
        let counts = &mut self.tally.counts;
        counts.received += 1;
        match self.tracker.take(stream, stamp.sequence) {
            Arrival::New => self.new += 1,
            Arrival::OutOfOrder => {
                self.new += 1;
                counts.out_of_order += 1;
            }
            Arrival::Duplicate => {
                counts.duplicated += 1;
                return;
            }
        }
        if self.role == Role::Reader {
            let since = self.now.saturating_duration_since(self.tally.epoch);
            counts.latencies.record(since.saturating_sub(stamp.due));
        }
        if *self.owed > 0 {
            self.pay(stamp);
        }
    }

    fn pay(&mut self, stamp: Stamp) {
        let Some((ledger, began)) = &self.tally.debt else { return };
        if stamp.sequence < ledger.used(stamp.publisher, stamp.topic) {
            *self.owed -= 1;
            if *self.owed == 0 {
                self.tally.counts.catch_up.record(self.now.saturating_duration_since(*began));
                self.tally.gauges.caught_up.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            }
        }
    }
}

fn decode(decoder: &mut Decoder, payload: &[u8], tally: &mut Tally) {
    decoder.push(payload);
    while let Some(item) = decoder.poll() {
        let Some(verifier) = &mut tally.verifier else { continue };
        match item {
            Ok(tidings_wire::Item::Event(event)) => verifier.take(tally.run, &event),
            Ok(_) => {}
            Err(_) => verifier.give_up(),
        }
    }
}

/// How much of an answer an error shows.
const ANSWER_SHOWN: usize = 400;

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;
    use crate::stamp::{PAYLOAD_BYTES_MIN, RunMark};
    use crate::tally::{Counts, Gauges};
    use crate::verify::Verifier;

    const RUN: RunMark = RunMark(3);
    const HEAD: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

    fn tally(epoch: Instant) -> Tally {
        Tally {
            run: RUN,
            epoch,
            counts: Counts::new(),
            verifier: Some(Verifier::default()),
            debt: None,
            gauges: Arc::new(Gauges::default()),
        }
    }

    fn layout() -> Layout {
        Layout { subscribers: 4, topics: 2, groups: 2, publishers: 1, apart_from: 4 }
    }

    fn payload(topic: u32, sequence: u32, due: Duration) -> String {
        let mut payload = vec![b'x'; PAYLOAD_BYTES_MIN];
        Stamp { publisher: 0, topic, sequence, due }.write(RUN, &mut payload);
        String::from_utf8(payload).expect("a stamp is text")
    }

    fn chunk(text: &str) -> String {
        format!("{:x}\r\n{text}\r\n", text.len())
    }

    #[test]
    fn a_stream_is_counted_however_it_is_split() {
        let (layout, epoch) = (layout(), Instant::now());
        let second = Duration::from_secs(1);
        let event = |id: u32, sequence| format!("id: {id}\ndata: {}\n\n", payload(1, sequence, second));
        let joined = event(1, 0) + &event(2, 1);
        // A chunk that ends inside of a payload, a topic of somebody else, a gap, a repeat and a late one.
        let (start, end) = joined.split_at(70);
        let foreign = format!("id: 9\ndata: {}\n\n", payload(0, 0, second));
        let rest = [event(3, 2), foreign, event(6, 5), event(6, 5), event(4, 3)].concat();
        let stream = [HEAD, &chunk(start), &chunk(end), &chunk(&rest), "0\r\n\r\n"].concat();
        for size in [1, 2, 7, 50, 1_000] {
            let mut connection = Connection::new(1, Role::Reader, &layout, true);
            let mut tally = tally(epoch);
            let now = epoch + Duration::from_secs(3);
            let pieces = stream.as_bytes().chunks(size);
            let taken: Vec<_> =
                pieces.map(|piece| connection.take(piece, now, &layout, &mut tally).expect("a stream")).collect();
            assert_eq!(taken.iter().filter(|taken| taken.answered).count(), 1, "pieces of {size}");
            assert!(taken.last().is_some_and(|taken| taken.over), "pieces of {size}");

            let counts = &tally.counts;
            let got = (counts.received, counts.duplicated, counts.out_of_order, counts.wire_bytes);
            assert_eq!(got, (6, 1, 1, stream.len() as u64), "pieces of {size}");
            assert_eq!(tally.gauges.delivered.load(std::sync::atomic::Ordering::Relaxed), 5);
            let p50 = counts.latencies.summary().expect("deliveries").p50;
            assert!((1_999.0..2_001.0).contains(&p50), "from the time it was due: {p50}");
            let mut ledger = Ledger::default();
            ledger.add_publisher(vec![9, 7], [(1, 6)].into_iter());
            assert_eq!(connection.lost(&layout, &ledger), 1, "sequence 4");
            let verified = Verifier::report(tally.verifier);
            assert_eq!((verified.id_shared, verified.id_changed, verified.without_id), (0, 0, 0), "{verified:?}");
        }
    }

    #[test]
    fn a_refusal_shows_what_was_answered() {
        let mut connection = Connection::new(0, Role::Reader, &layout(), false);
        let answer = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno";
        let now = Instant::now();
        let fault = connection.take(answer, now, &layout(), &mut tally(now)).expect_err("403");
        assert!(matches!(fault, StreamFault::Refused { status: 403, answer } if answer.ends_with("no")));
    }

    #[test]
    fn a_client_that_came_back_has_caught_up_with_the_last_event_it_missed() {
        let (layout, epoch) = (layout(), Instant::now());
        let mut tally = tally(epoch);
        let mut client = Connection::new(1, Role::Client, &layout, false);
        let take = |client: &mut Connection, tally: &mut Tally, text: String| {
            client.take(text.as_bytes(), epoch + Duration::from_secs(2), &layout, tally).expect("a stream")
        };
        client.learn_ids();
        let first = format!("id: a\ndata: {}\n\n", payload(1, 0, Duration::ZERO));
        take(&mut client, &mut tally, format!("{HEAD}{}", chunk(&first)));
        assert!(client.keep_id(false));
        assert_eq!(client.last_event_id(), "a");

        let mut ledger = Ledger::default();
        ledger.add_publisher(vec![0, 3], std::iter::empty());
        assert_eq!(client.owe(&layout, &ledger), 2);
        tally.debt = Some((Arc::new(ledger), epoch + Duration::from_secs(1)));
        client.begin();
        let event = |sequence| chunk(&format!("data: {}\n\n", payload(1, sequence, Duration::ZERO)));
        take(&mut client, &mut tally, [HEAD, &event(1)].concat());
        assert!(tally.counts.catch_up.summary().is_none(), "one is still owed");
        take(&mut client, &mut tally, event(3) + &event(2));
        let took = tally.counts.catch_up.summary().expect("all were paid").max;
        assert!((999.0..1_001.0).contains(&took), "{took}");
        assert!(tally.counts.latencies.summary().is_none(), "a client's latencies are those of a replay");
    }
}
