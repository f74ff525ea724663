//! Whatever a server sends and however the network splits it: the same events, no panic, no state that is none.

use std::time::{Duration, Instant, SystemTime};

use http::{HeaderMap, HeaderValue, StatusCode};
use proptest::prelude::*;

use super::rules::{World, policy};
use super::{Head, Machine, Policy, Step};
use crate::error::Lost;
use crate::event::ReadyState;

fn stream_bytes() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(prop::sample::select(TOKENS), 0..40).prop_map(|tokens| tokens.concat())
}

const TOKENS: &[&[u8]] = &[
    b"data: x\n",
    b"data",
    b"\n",
    b"\r",
    b"\r\n\r\n",
    b"id: 7",
    b"event: e\n",
    b"retry: 12\n",
    b":",
    b" ",
    b"\xEF\xBB\xBF",
    "é€🦀".as_bytes(),
    b"\xF0\x9F",
    b"\0",
];

proptest! {
    #[test]
    fn any_split_gives_the_same(stream in stream_bytes(), cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8)) {
        let want = World::open().read(&stream);
        let mut places: Vec<_> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
        places.extend([0, stream.len()]);
        places.sort_unstable();
        let mut world = World::open();
        let got: Vec<_> = places.windows(2).flat_map(|ends| world.read(&stream[ends[0]..ends[1]])).collect();
        prop_assert_eq!(got, want);
    }
}

/// The fuzz target: without end with `cargo bolero test -p tidings-client machine::properties::any_server_is_survived`.
#[test]
fn any_server_is_survived() {
    bolero::check!().with_iterations(4_000).with_max_len(256).for_each(|input: &[u8]| {
        let mut now = Instant::now();
        let policy = Policy {
            idle_timeout: Some(Duration::from_secs(30)),
            attempts_max: Some(9),
            retries_refusals: input.len().is_multiple_of(2),
            ..policy()
        };
        let mut machine: Machine = World::new(policy).machine;
        for piece in input.chunks(5) {
            take_steps(&mut machine, &mut now);
            act(&mut machine, piece, &mut now);
        }
        machine.close();
        assert!(matches!(machine.step(now), Step::Ended));
        assert_eq!(machine.ready_state(), ReadyState::Closed);
    });
}

/// Does what the machine asks until it waits for the world; time is taken as it wants it.
fn take_steps(machine: &mut Machine, now: &mut Instant) {
    for _ in 0..1_000 {
        match machine.step(*now) {
            Step::Deliver(_) | Step::Connect(_) => {}
            Step::Wait { until } => *now = until,
            Step::AwaitHead { .. } | Step::Read { .. } | Step::Ended => return,
        }
    }
    panic!("the machine goes on without the world");
}

/// What the world does, chosen by the first byte; the others are its bytes.
fn act(machine: &mut Machine, piece: &[u8], now: &mut Instant) {
    let (kind, rest) = piece.split_first().expect("chunks are not empty");
    match kind % 16 {
        0 => machine.on_lost(Lost::Ended, *now),
        1 => {
            *now += Duration::from_secs(31);
            machine.on_silence(*now);
        }
        2 => machine.reconnect(*now),
        3..7 => {
            let status = [200, 204, 301, 302, 307, 429, 503, 404][usize::from(rest.first().unwrap_or(&0) % 8)];
            machine.on_head(&head(status, rest), *now, SystemTime::UNIX_EPOCH);
        }
        7 => drop(machine.on_head(&head(200, b""), *now, SystemTime::UNIX_EPOCH)),
        _ => machine.on_bytes(piece, *now),
    }
}

fn head(status: u16, text: &[u8]) -> Head {
    let mut headers = HeaderMap::new();
    headers.insert("content-type", HeaderValue::from_static("text/event-stream"));
    if let Ok(value) = HeaderValue::from_bytes(text) {
        headers.insert("location", value.clone());
        headers.insert("retry-after", value);
    }
    Head { status: StatusCode::from_u16(status).expect("one of a list"), headers, excerpt: String::new() }
}
