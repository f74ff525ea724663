//! Readers that leave without a word leave nothing behind.

use std::net::{Shutdown, TcpStream};

use tidings::Delivery;

use crate::support::child::{ChildHub, Settings};
use crate::support::reader::{Cut, Reader};
use crate::support::{MIB, eventually, over_both_ways, raise_open_files};

over_both_ways!(two_thousand_readers_leave_nothing_behind);

const READERS: usize = 2000;
const ROUNDS: usize = 14;
/// Memory may grow so much from the first round to any later one.
const GROWTH_MAX: usize = MIB;

fn two_thousand_readers_leave_nothing_behind(delivery: Delivery) {
    raise_open_files();
    let mut hub = ChildHub::start(Settings { delivery, history_bytes: MIB, slow_client_timeout: None });
    let files_at_start = hub.open_files();
    let mut memory = vec![];eprintln!("start {}", hub.memory());
    for round in 0..ROUNDS {
        let readers: Vec<_> = (0..READERS)
            .map(|number| {
                let topics = ["/events/one", "/events/two?prime=1", "/events?topic=a/*&topic=b"];
                Reader::open(hub.address, topics[number % 3])
            })
            .collect();
        let counters = hub.counters();
        assert_eq!(counters["sessions_direct"] + counters["sessions_body"], READERS as u64, "round {round}");
        assert!(hub.open_files() >= READERS, "round {round}: {} files", hub.open_files());
        leave(readers, round);
        hub.wait_until_left();
        eventually(&format!("the hub has {files_at_start} files as at its start"), || hub.open_files() <= files_at_start);
        memory.push(hub.memory());
    }
    eprintln!("{delivery:?} {memory:?}"); let later = memory[1..].iter().max().expect("there are several rounds");
    assert!(*later <= memory[0] + GROWTH_MAX, "the memory grows from round to round: {memory:?}");
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
