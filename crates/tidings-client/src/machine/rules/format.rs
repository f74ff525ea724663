//! Rules A to D: what the bytes of a stream say.

use std::time::Duration;

use super::*;
use crate::event::ReadyState;

/// One stream, whole and byte by byte.
fn check(stream: &[u8], want: &[&str]) {
    assert_eq!(World::open().read(stream), want, "whole: {}", stream.escape_ascii());
    let mut world = World::open();
    let got: Vec<_> = stream.iter().flat_map(|byte| world.read(&[*byte])).collect();
    assert_eq!(got, want, "byte by byte: {}", stream.escape_ascii());
}

// ---- A. Stream format and decoding

#[test]
fn a1_bytes_are_utf_8_whatever_the_charset_says() {
    let mut world = World::new(policy());
    world.connect();
    world.answer(200, &[("content-type", "text/event-stream; charset=windows-1252")]);
    world.told();
    assert_eq!(world.read("data: é€\n\n".as_bytes()), ["message|é€|"]);
    check(b"data: \xF0\x9F\xA6|\xFF\n\n", &["message|\u{fffd}|\u{fffd}|"]);
}

#[test]
fn a2_one_leading_byte_order_mark_is_dropped() {
    check(b"\xEF\xBB\xBFdata: 1\n\n", &["message|1|"]);
    check(b"\xEF\xBB\xBF\xEF\xBB\xBFdata: 1\n\n", &[]);
    check(b"data: 1\n\xEF\xBB\xBFdata: 2\n\n", &["message|1|"]);
    check(b"\xEF\xBBdata: 1\ndata: 2\n\n", &["message|2|"]);
}

#[test]
fn a3_a_line_ends_with_crlf_lf_or_cr() {
    check(b"data: 1\r\n\r\ndata: 2\n\ndata: 3\r\r", &["message|1|", "message|2|", "message|3|"]);
    let mut world = World::open();
    assert_eq!(world.read(b"data: 1\r\r"), ["message|1|"], "at once, without waiting for an LF");
    assert!(world.read(b"\ndata: 2\n").is_empty(), "the LF belongs to the CR");
    assert_eq!(world.read(b"\n"), ["message|2|"]);
}

#[test]
fn a4_no_other_character_ends_a_line() {
    let data = "a\u{b}b\u{c}c\u{1c}d\u{85}e\u{2028}f\u{2029}g";
    check(format!("data: {data}\n\n").as_bytes(), &[&format!("message|{data}|")]);
}

#[test]
fn a5_a_line_without_end_is_never_read() {
    check(b"data: 1\n\ndata: 2\n", &["message|1|"]);
    check(b"retry: 10", &[]);
    check(b"retry: 10\r", &["retry 10"]);
}

#[test]
fn a6_each_connection_begins_afresh() {
    let mut world = World::open();
    assert!(world.read(b"event: old\ndata: old\nda").is_empty());
    world.end();
    world.come_back();
    world.answer(200, STREAM);
    world.told();
    assert_eq!(world.read(b"\xEF\xBB\xBFdata: new\n\n"), ["message|new|"]);
}

// ---- B. Lines

#[test]
fn b1_an_empty_line_dispatches_and_one_with_a_space_does_not() {
    check(b"data: 1\n \ndata: 2\n\n", &["message|1\n2|"]);
}

#[test]
fn b2_a_comment_touches_nothing() {
    check(b"data: 1\n:data: 2\n: event: x\ndata: 3\n\n", &["comment data: 2", "comment  event: x", "message|1\n3|"]);
}

#[test]
fn b3_the_value_is_all_after_the_first_colon_and_one_space() {
    check("data:a:b\ndata:  two\ndata:\ttab\ndata:\u{a0}x \n\n".as_bytes(), &["message|a:b\n two\n\ttab\n\u{a0}x |"]);
}

#[test]
fn b4_a_line_without_a_colon_is_a_name() {
    check(b"data\n\n", &["message||"]);
    check(b"data\ndata\n\n", &["message|\n|"]);
}

#[test]
fn b5_names_are_compared_exactly() {
    check(b" data: 1\nData: 2\ndata : 3\nfoo: 4\ndata: 5\n\n", &["message|5|"]);
}

// ---- C. Fields

#[test]
fn c1_an_event_field_sets_the_type() {
    check(b"event: a\nevent: b\ndata: 1\n\n", &["b|1|"]);
    check(b"event: a\nevent:\ndata: 1\n\n", &["message|1|"]);
    check(b"event: a\0b\ndata: 1\n\n", &["a\0b|1|"]);
}

#[test]
fn c2_data_fields_are_lines() {
    check(b"data: 1\ndata: 2\ndata\n\n", &["message|1\n2\n|"]);
}

#[test]
fn c3_an_id_stays_unless_it_holds_nul() {
    check(b"id: 1\ndata: a\n\nid: 2\0\ndata: b\n\nid\ndata: c\n\n", &["message|a|1", "message|b|1", "message|c|"]);
}

#[test]
fn c4_a_retry_is_digits_and_counts_at_once() {
    check(b"retry: 0010\n", &["retry 10"]);
    check(b"retry: 1\nretry: 2\n", &["retry 1", "retry 2"]);
    for bad in ["", "+1", "-1", " 1", "1 ", "1.5", "1e3", "\u{661}"] {
        check(format!("retry: {bad}\n").as_bytes(), &[]);
    }
    let mut world = World::open();
    assert_eq!(world.read(b"retry: 99999999999999999999999999\n"), ["retry 86400000"], "a day at most");
    assert_eq!(world.machine.retry(), Duration::from_hours(24));
    assert!(world.end() >= Duration::from_hours(24), "neither an overflow nor at once");
}

// ---- D. Dispatch

#[test]
fn d1_a_blank_line_moves_the_resume_point_even_if_nothing_fires() {
    let mut world = World::open();
    assert_eq!(world.read(b"id: 9\n\n"), ["id 9"]);
    assert_eq!(world.machine.last_event_id(), "9");
    world.read(b"id: 10\n");
    world.end();
    assert_eq!(world.come_back().last_event_id, "9");
}

#[test]
fn d2_without_data_there_is_no_event() {
    check(b"event: a\n\ndata: 1\n\n", &["message|1|"]);
    check(b"data\n\n", &["message||"]);
}

#[test]
fn d3_one_line_feed_at_the_end_of_the_data_goes() {
    check(b"data: 1\n\n", &["message|1|"]);
    check(b"data: 1\ndata:\n\n", &["message|1\n|"]);
}

#[test]
fn d4_an_event_has_type_data_id_and_the_final_origin() {
    let mut world = World::new(policy());
    world.connect();
    assert!(matches!(world.answer(302, &[("location", "https://two.test:8443/x")]), Onward::Ask(_)));
    world.answer(200, STREAM);
    assert_eq!(world.told(), ["open https://two.test:8443/x"]);
    world.machine.on_bytes(b"id: 1\nevent: t\ndata: d\n\n", world.now);
    let Step::Deliver(raw) = world.machine.step(world.now) else { panic!("an event is there") };
    let Ok(Raw::Event(event)) = *raw else { panic!("it is an event") };
    let fields = (&*event.event_type, &*event.data, &*event.last_event_id, &*event.origin);
    assert_eq!(fields, ("t", "d", "1", "https://two.test:8443"));
}

#[test]
fn d5_the_id_stays_for_later_events() {
    check(b"id: 1\nevent: a\ndata: x\n\ndata: y\n\n", &["a|x|1", "message|y|1"]);
}

#[test]
fn d6_nothing_is_delivered_after_closing() {
    let mut world = World::open();
    world.machine.on_bytes(b"data: 1\n\ndata: 2\n\n", world.now);
    assert!(matches!(world.machine.step(world.now), Step::Deliver(_)));
    world.machine.close();
    assert!(world.is_over());
}

#[test]
fn d7_events_named_error_and_open_are_events() {
    check(b"event: error\ndata: 1\n\nevent: open\ndata: 2\n\n", &["error|1|", "open|2|"]);
    let mut world = World::open();
    world.read(b"event: error\ndata: 1\n\n");
    assert_eq!(world.machine.ready_state(), ReadyState::Open);
}

#[test]
fn d8_the_end_of_the_stream_drops_what_is_unfinished() {
    let mut world = World::open();
    world.read(b"id: 1\ndata: 1\n\nid: 2\nevent: x\ndata: 2\n");
    world.machine.on_lost(Lost::Ended, world.now);
    assert_eq!(world.told(), ["lost the stream ended"]);
    assert_eq!(world.machine.last_event_id(), "1");
}
