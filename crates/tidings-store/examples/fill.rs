//! Fills a data directory, to try a hub with a long history: `cargo run --release -p tidings-store --example fill -- DIR EVENTS [BYTES]`.
//!
//! Each event has 100 bytes, or so many, and an id of its own, `event-1` to `event-EVENTS`, on one of a hundred topics, `t0` to `t99`.

use std::collections::VecDeque;
use std::env;
use std::error::Error;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use tidings_core::suite::wait;
use tidings_core::{Engine, HistoryLimits, Publication, Timestamp};
use tidings_store::{RECORD_OVERHEAD_BYTES, Store, StoreOptions};
use tidings_topic::Topic;
use tidings_wire::EventId;

/// So many wait for their answer at a time, as from as many publishers.
const UNDER_WAY: usize = 4096;
const DATA_BYTES: usize = 100;

fn main() -> Result<(), Box<dyn Error>> {
    let mut words = env::args().skip(1);
    let (Some(directory), Some(events)) = (words.next(), words.next()) else {
        return Err("give a directory and a number of events".into());
    };
    let events: u64 = events.parse()?;
    let data_bytes = words.next().map_or(Ok(DATA_BYTES), |bytes| bytes.parse())?;
    let history =
        HistoryLimits { bytes_max: 16 << 30, record_overhead_bytes: RECORD_OVERHEAD_BYTES, ..HistoryLimits::default() };
    let store = Store::open(StoreOptions::with_history(directory, history))?;
    let topics = (0..100).map(|nth| Topic::parse(&format!("t{nth}"))).collect::<Result<Vec<_>, _>>()?;
    let began = Instant::now();
    let mut under_way = VecDeque::new();
    for (number, topic) in (1..=events).zip(topics.iter().cycle()) {
        let mut publication = Publication::new(topic.clone(), format!("{number:0>data_bytes$}"));
        publication.id = Some(EventId::parse(&format!("event-{number}"))?);
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
        under_way.push_back(store.append(publication, Timestamp::from_millis(u64::try_from(now.as_millis())?)));
        if under_way.len() == UNDER_WAY || number == events {
            for append in under_way.drain(..) {
                wait(append)?;
            }
        }
    }
    let seconds = began.elapsed().as_secs_f64();
    #[expect(clippy::cast_precision_loss, clippy::print_stdout, reason = "a figure for people")]
    {
        println!("{events} events in {seconds:.1} s: {:.0} a second", events as f64 / seconds);
    }
    Ok(())
}
