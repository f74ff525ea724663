//! Limits of those who publish: size, rate, time, topics and keys.

use tidings_e2e::request;

use crate::support::{expect_reached, hub};

#[test]
fn an_event_that_is_too_long_is_refused() {
    let hub = hub(&["--max-event-bytes", "10B"]);
    let response = request(hub.address(), "POST", "/events/t", &[], b"eleven byte");
    assert_eq!(response.status, 413, "{}", response.text());
    hub.publish("/events/t", "ten bytes.");
    expect_reached(&hub, "event_bytes", 1.0, None);
}
