//! Rules E to G: connecting, coming back and closing.

use std::time::Duration;

use super::*;
use crate::error::BuildError;
use crate::event::ReadyState;
use crate::stream::EventSource;

// ---- E. Connecting

#[test]
fn e1_a_bad_url_is_refused_and_a_good_one_is_normalised() {
    for url in ["", "/relative", "http://", "http://a:99999/"] {
        assert!(matches!(EventSource::get(url).build(), Err(BuildError::Url { .. })), "{url:?}");
    }
    assert!(matches!(EventSource::get("ftp://a/").build(), Err(BuildError::Scheme { .. })));
    let source = EventSource::get("HTTP://Example.TEST:80/a/../b c").build().unwrap();
    assert_eq!(source.url().as_str(), "http://example.test/b%20c");
    assert_eq!(source.ready_state(), ReadyState::Connecting);
}

#[test]
fn e2_the_first_request_has_no_last_event_id() {
    let ask = World::new(policy()).connect();
    assert_eq!((ask.target.method, ask.last_event_id.as_str()), (Method::GET, ""));
    // The headers themselves: request::tests::e2_the_request_is_that_of_an_event_source.
    assert_eq!(World::resuming("7", policy()).connect().last_event_id, "7", "unless the program kept one");
}

#[test]
fn e3_credentials_do_not_leave_their_origin() {
    let mut world = World::new(policy());
    assert!(world.connect().target.is_trusted);
    let mut follow = |location| match world.answer(307, &[("location", location)]) {
        Onward::Ask(ask) => ask.target.is_trusted,
        other => panic!("expected a redirect, got {other:?}"),
    };
    assert!(follow("/same"));
    assert!(!follow("http://two.test/"));
    assert!(!follow("http://one.test/"), "not even back home: the way there was not ours");
}

#[test]
fn e4_redirects_are_followed_and_one_without_location_is_not() {
    for status in [301, 302, 303, 307, 308] {
        let mut world = World::new(policy());
        world.connect();
        let Onward::Ask(ask) = world.answer(status, &[("location", "../b?c")]) else { panic!("{status} is followed") };
        assert_eq!(ask.target.url.as_str(), "http://one.test/b?c");
        assert_eq!(world.machine.ready_state(), ReadyState::Connecting);

        let mut world = World::new(policy());
        world.connect();
        world.answer(status, &[]);
        let told = world.told();
        assert!(told[0].starts_with(&format!("error http://one.test/stream answered {status}")), "{told:?}");
        assert!(world.is_over());
    }
}

#[test]
fn e4_a_circle_of_redirects_is_a_network_error() {
    let mut world = World::new(policy());
    world.connect();
    for _ in 0..20 {
        assert!(matches!(world.answer(302, &[("location", "/again")]), Onward::Ask(_)));
    }
    assert!(matches!(world.answer(302, &[("location", "/again")]), Onward::Drop));
    assert_eq!(world.told(), ["lost more than 20 redirects, the last to http://one.test/again"]);
    assert_eq!(world.come_back().target.url.as_str(), "http://one.test/stream");
}

#[test]
fn e5_a_wrong_answer_fails_and_a_network_error_does_not() {
    for (status, headers) in [
        (204, STREAM),
        (205, STREAM),
        (210, STREAM),
        (299, STREAM),
        (404, STREAM),
        (410, STREAM),
        (503, STREAM),
        (200, &[("content-type", "text/html")][..]),
        (200, &[][..]),
    ] {
        let mut world = World::new(policy());
        world.connect();
        assert!(matches!(world.answer(status, headers), Onward::Drop), "{status}");
        let told = world.told();
        assert_eq!(told.len(), usize::from(status != 204), "{status}: {told:?}");
        assert!(world.is_over(), "{status}");
    }
    let mut world = World::new(policy());
    world.connect();
    world.machine.on_lost(Lost::Ended, world.now);
    assert_eq!(world.told(), ["lost the stream ended"]);
    world.come_back();
}

#[test]
fn e6_open_is_told_with_the_head() {
    let mut world = World::new(policy());
    world.connect();
    assert_eq!(world.machine.ready_state(), ReadyState::Connecting);
    world.answer(200, STREAM);
    assert_eq!(world.machine.ready_state(), ReadyState::Open);
    assert_eq!(world.told(), ["open http://one.test/stream"]);
}

#[test]
fn e7_a_204_stops_for_good_also_on_a_reconnection() {
    let mut world = World::open();
    world.read(b"data: 1\n\n");
    world.end();
    world.come_back();
    world.answer(204, &[]);
    assert!(world.told().is_empty(), "no error");
    assert_eq!(world.machine.ready_state(), ReadyState::Closed);
    world.now += Duration::from_hours(48);
    assert!(world.is_over());
}

#[test]
fn e8_a_clean_end_and_a_broken_one_both_lead_back() {
    for cause in [Lost::Ended, Lost::Cut(std::sync::Arc::new(std::io::Error::other("reset")))] {
        let mut world = World::open();
        world.read(b"data: 1\n\n");
        world.machine.on_lost(cause, world.now);
        world.come_back();
    }
}

// ---- F. Coming back

#[test]
fn f1_a_lost_connection_is_told_and_the_state_is_connecting() {
    let mut world = World::open();
    world.machine.on_lost(Lost::Ended, world.now);
    assert_eq!(world.machine.ready_state(), ReadyState::Connecting);
    assert_eq!(world.told(), ["lost the stream ended"]);

    world.machine.close();
    world.machine.on_lost(Lost::Ended, world.now);
    assert!(world.is_over(), "one that is closed stays so and tells nothing");
}

#[test]
fn f2_it_waits_the_reconnection_time_and_longer_after_failures() {
    let mut world = World::open();
    world.read(b"retry: 1000\ndata: 1\n\n");
    for (nth, want_ms) in [(0, 1000), (1, 1000), (2, 2000), (3, 4000)] {
        let wait = world.end().as_millis();
        assert!((want_ms..=want_ms * 5 / 4).contains(&wait), "after {nth} failures: {wait} ms, want {want_ms}");
        world.come_back();
    }
    world.answer(200, STREAM);
    world.read(b"data: 2\n\n");
    assert!(world.end() <= Duration::from_millis(1250), "an event ends the series of failures");
}

#[test]
fn f3_the_last_event_id_goes_along_unless_it_is_empty() {
    let mut world = World::open();
    world.read("id: é1\ndata: 1\n\n".as_bytes());
    world.end();
    let ask = world.come_back();
    assert_eq!(ask.last_event_id, "é1");
    let headers = ask.target.headers(&HeaderMap::new(), &[], &ask.last_event_id, None).unwrap();
    assert_eq!(headers["last-event-id"].as_bytes(), "é1".as_bytes());
}

#[test]
fn f3_after_a_permanent_redirect_it_asks_there_and_after_another_at_home() {
    for (statuses, want) in [
        (&[301][..], "http://one.test/1"),
        (&[308, 301][..], "http://one.test/2"),
        (&[302][..], "http://one.test/stream"),
        (&[301, 307][..], "http://one.test/stream"),
        (&[303, 308][..], "http://one.test/stream"),
    ] {
        let mut world = World::new(policy());
        world.connect();
        for (index, status) in statuses.iter().enumerate() {
            world.answer(*status, &[("location", &format!("/{}", index + 1))]);
        }
        world.answer(200, STREAM);
        world.end();
        assert_eq!(world.come_back().target.url.as_str(), want, "{statuses:?}");
    }
}

#[test]
fn f4_retry_and_id_survive_reconnections() {
    let mut world = World::open();
    world.read(b"retry: 700\nid: 1\ndata: a\n\n");
    for _ in 0..3 {
        let wait = world.end();
        assert!(wait >= Duration::from_millis(700) && wait <= Duration::from_millis(875), "{wait:?}");
        assert_eq!(world.come_back().last_event_id, "1");
        world.answer(200, STREAM);
        world.told();
        assert_eq!(world.read(b"data: b\n\n"), ["message|b|1"]);
    }
}

#[test]
fn f5_an_empty_id_takes_the_header_away() {
    let mut world = World::resuming("7", policy());
    world.connect();
    world.answer(200, STREAM);
    world.told();
    world.read(b"id\ndata: a\n\n");
    world.end();
    let ask = world.come_back();
    let headers = ask.target.headers(&HeaderMap::new(), &[], &ask.last_event_id, None).unwrap();
    assert!(!headers.contains_key("last-event-id"));
}

#[test]
fn f6_an_unsafe_id_is_sent_as_it_is() {
    let id = format!("(:<>?@[\\]{{}}\"é{}", "x".repeat(200));
    let mut world = World::open();
    world.read(format!("id: {id}\ndata: a\n\n").as_bytes());
    world.end();
    let ask = world.come_back();
    assert_eq!(ask.target.method, Method::GET, "and no preflight before it");
    assert_eq!(ask.last_event_id, id);
}

#[test]
fn f7_an_id_that_no_header_carries_ends_the_stream_and_is_not_dropped_in_silence() {
    let mut world = World::open();
    world.read(b"id: a\x01\ndata: a\n\n");
    let wait = world.end();
    world.now += wait;
    let told = show(match &world.machine.step(world.now) {
        Step::Deliver(told) => told,
        other => panic!("expected an error, got {other:?}"),
    });
    assert!(told.starts_with("error last event id holds the control character U+0001 at byte 1"), "{told}");
    assert!(world.is_over());
}

// ---- G. Closing

#[test]
fn g1_close_ends_it_from_every_state_and_can_be_repeated() {
    let mut waiting = World::open();
    waiting.end();
    let mut asking = World::new(policy());
    asking.connect();
    for mut world in [World::new(policy()), asking, World::open(), waiting] {
        world.machine.close();
        world.machine.close();
        assert_eq!(world.machine.ready_state(), ReadyState::Closed);
        world.machine.reconnect(world.now);
        world.now += Duration::from_hours(48);
        assert!(world.is_over());
    }
}

#[test]
fn g2_the_states_have_the_numbers_of_the_standard() {
    let numbers = [ReadyState::Connecting, ReadyState::Open, ReadyState::Closed].map(|state| state as u8);
    assert_eq!(numbers, [0, 1, 2]);
}

// G3, dropping it ends the connection, needs a socket: tests/client/misbehaviour.rs.
