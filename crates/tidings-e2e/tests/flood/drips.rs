//! Bodies that drip in are read now and then; each is taken whole all the same.

use std::collections::HashSet;
use std::thread;
use std::time::Duration;

use tidings_e2e::{Follower, RawStream};

use crate::support::hub;

/// So many drip at a time that they are made to rest: see `tidings_http::drip`.
const PUBLISHERS: usize = 400;

#[test]
fn bodies_that_drip_in_are_taken_whole_and_the_next_ones_at_once() {
    let hub = hub(&["--memory"]);
    let bodies: Vec<_> = (0..PUBLISHERS).map(|number| format!("drip by drip {number:04}")).collect();
    let mut streams: Vec<_> = (0..PUBLISHERS).map(|_| RawStream::connect(hub.address())).collect();
    for (stream, body) in streams.iter_mut().zip(&bodies) {
        stream.send(post(body).as_bytes());
    }
    for at in 0..bodies[0].len() {
        for (stream, body) in streams.iter_mut().zip(&bodies) {
            stream.send(&body.as_bytes()[at..=at]);
        }
        thread::sleep(Duration::from_millis(20)); // the pace of the drips, not a wait for something
    }
    for stream in &mut streams {
        assert_eq!(stream.take_response().status, 200);
    }
    for (number, stream) in streams.iter_mut().enumerate() {
        let body = format!("at once {number}");
        stream.send((post(&body) + &body).as_bytes());
        assert_eq!(stream.take_response().status, 200);
    }
    let reader = Follower::curl(&hub.url("/events/drips?since=earliest"));
    let seen = reader.wait_for_events(2 * PUBLISHERS);
    let seen: HashSet<_> = seen[..PUBLISHERS].iter().map(|event| event.data.clone()).collect();
    assert_eq!(seen, bodies.into_iter().collect::<HashSet<_>>());
}

fn post(body: &str) -> String {
    format!("POST /events/drips HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n", body.len())
}
