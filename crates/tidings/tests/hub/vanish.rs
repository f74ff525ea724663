//! Readers that leave without a word leave nothing behind.

use std::net::{Shutdown, TcpStream};

use tidings::Delivery;

use crate::support::child::{ChildHub, Settings};
use crate::support::client::Client;
use crate::support::hub::Setup;
use crate::support::reader::{Cut, Reader};
use crate::support::{MIB, eventually, over_both_ways_near_and_far, raise_open_files};

over_both_ways_near_and_far!(two_thousand_readers_leave_nothing_behind);

const READERS: usize = 2000;
const ROUNDS: usize = 5;
/// What some of them replay, if they stay for it. It is more than one page.
const EVENTS: usize = 100;
/// So much more may be allocated after a later round than after the first: 16 bytes for each reader that left.
const ALLOCATED_GROWTH_MAX: u64 = 32 * 1024;
/// And so much more memory may the process have.
const MEMORY_GROWTH_MAX: usize = MIB;

fn two_thousand_readers_leave_nothing_behind(setup: Setup) {
    raise_open_files();
    let Setup { delivery, is_far } = setup;
    let mut hub = ChildHub::start(Settings { delivery, is_far, history_bytes: MIB, slow_client_timeout: None });
    let mut client = Client::connect(hub.address);
    for number in 0..EVENTS {
        client.publish("/events/one", &format!("{number} {}", "x".repeat(1000)));
    }
    drop(client);
    let files_at_start = hub.open_files();
    let (mut allocated, mut memory) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let readers: Vec<_> = (0..READERS)
            .map(|number| {
                let topics = ["/events/one?since=earliest", "/events/two?prime=1", "/events?topic=a/*&topic=b"];
                Reader::open(hub.address, topics[number % 3])
            })
            .collect();
        eventually("all readers are in a shard", || hub.sessions() == READERS as u64);
        assert!(hub.open_files() >= READERS, "round {round}: {} files", hub.open_files());
        leave(readers, round);
        eventually("all sessions are gone", || hub.sessions() == 0);
        eventually(&format!("the hub has {files_at_start} files as at its start"), || {
            hub.open_files() <= files_at_start
        });
        // Timers of those who have left stay until they are due.
        let first = *allocated.first().unwrap_or(&u64::MAX);
        eventually(&format!("no more is allocated than after {allocated:?}"), || {
            hub.counters()["allocated"] <= first.saturating_add(ALLOCATED_GROWTH_MAX)
        });
        allocated.push(hub.counters()["allocated"]);
        memory.push(hub.memory());
    }
    if delivery == Delivery::Direct {
        // What the allocator keeps after 2,000 tasks of HTTP has left would hide this on the other way.
        let later = memory[1..].iter().max().expect("there are several rounds");
        assert!(*later <= memory[0] + MEMORY_GROWTH_MAX, "the memory grows from round to round: {memory:?}");
    }
    let joined = hub.counters();
    let (direct, body) = (joined["joined_direct"], joined["joined_body"]);
    let all = (READERS * ROUNDS) as u64;
    assert_eq!((direct, body), if delivery == Delivery::Direct { (all, 0) } else { (0, all) });
}

/// In each round the readers leave in another way.
fn leave(readers: Vec<Reader>, round: usize) {
    // A half-closed connection is kept on this side, so that the hub alone ends it.
    let mut half_closed: Vec<TcpStream> = Vec::new();
    for (number, mut reader) in readers.into_iter().enumerate() {
        match (round + number) % 4 {
            0 => {
                reader.stream().shutdown(Shutdown::Write).expect("it is connected");
                half_closed.push(reader.stream().try_clone().expect("there are descriptors enough"));
                while reader.next_or_end().is_ok() {}
            }
            way => reader.cut(Cut::ALL[way - 1]),
        }
    }
    drop(half_closed);
}
