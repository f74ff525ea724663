//! Which way out a stream takes, seen through the admin listener's metrics.
//!
//! `browser.rs` asks the same of a real browser; here the connection is certainly the same one.

use tidings_e2e::{Hub, RawStream, eventually};

/// Fetches the page and subscribes over one connection, then compares how many joined each way.
fn check(delivery: &str, want_direct: f64, want_body: f64) {
    let hub = Hub::start(&["demo", "--delivery", delivery, "--admin-listen", "127.0.0.1:0"]);
    let mut stream = RawStream::connect(hub.address());
    stream.send_get("/", &[]);
    let page = stream.take_response();
    assert_eq!(page.status, 200, "{}", page.head);

    stream.send_get("/events", &["Accept: text/event-stream"]);
    assert_eq!(stream.status(), 200);
    stream.wait_for_text("data: Hello, World!\n\n");

    // The first bytes go out before a shard has the session, and counts it.
    let joined = |way: &str| hub.metric(&format!("tidings_sessions_joined_total{{way=\"{way}\"}}"));
    eventually("the session is counted", || joined("direct") + joined("body") > 0.5);
    for (way, want) in [("direct", want_direct), ("body", want_body)] {
        let got = joined(way);
        assert!((got - want).abs() < 0.5, "--delivery {delivery}: {got} joined by the {way} way, expected {want}");
    }
}

#[test]
fn a_connection_that_fetched_a_page_can_still_be_taken_over() {
    check("auto", 1.0, 0.0);
    check("direct", 1.0, 0.0);
    check("body", 0.0, 1.0);
}
