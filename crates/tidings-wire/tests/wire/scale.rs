//! Sizes at which quadratic work would be felt: minutes in place of a second.

use tidings_wire::{Decoder, Event, EventFields, Item, encode_event};

const LINE_BYTES: usize = 16 * 1024 * 1024;

fn decode_one_event(pieces: impl Iterator<Item = Vec<u8>>) -> Option<Event> {
    let mut decoder = Decoder::new();
    for piece in pieces {
        decoder.push(&piece);
        match decoder.poll() {
            None => {}
            Some(Ok(Item::Event(event))) => return Some(event),
            Some(other) => panic!("only an event was encoded, got {other:?}"),
        }
    }
    None
}

fn check(data: &str, piece_len: usize) {
    let mut wire = Vec::new();
    encode_event(&EventFields { data, ..EventFields::default() }, &mut wire);
    let event = decode_one_event(wire.chunks(piece_len).map(<[u8]>::to_vec)).expect("the event is whole");
    assert!(event.data == data, "{} bytes in pieces of {piece_len}", data.len());
}

#[test]
fn a_line_of_16_mib_may_come_byte_by_byte() {
    check(&"x".repeat(LINE_BYTES), 1);
}

#[test]
fn a_line_of_16_mib_may_come_at_once_or_in_reads() {
    check(&"x".repeat(LINE_BYTES), usize::MAX);
    check(&"x".repeat(LINE_BYTES), 4_096);
}

#[test]
fn an_event_of_a_million_lines_may_come_in_small_pieces() {
    check(&"x\n".repeat(1_000_000), 3);
    check(&"\n".repeat(1_000_000), usize::MAX);
}

#[test]
fn a_million_events_may_wait_in_one_push() {
    let mut decoder = Decoder::new();
    decoder.push("data: x\n\n".repeat(1_000_000).as_bytes());
    let mut events = 0;
    while let Some(item) = decoder.poll() {
        assert!(matches!(item, Ok(Item::Event(_))), "got {item:?}");
        events += 1;
    }
    assert_eq!(events, 1_000_000);
}
