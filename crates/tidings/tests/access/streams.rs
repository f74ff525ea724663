//! What a stream brings with a token, and when it ends.

use std::time::Duration;

use tidings::{CloseReason, Delivery};

use crate::support::{Has, TestHub, now, over_both_ways, reader, reader_for};

over_both_ways!(
    private_events_are_for_those_with_a_grant_live_and_replayed,
    a_stream_ends_with_its_token_and_is_told_before,
    a_token_that_has_ended_opens_no_stream,
);

fn private_events_are_for_those_with_a_grant_live_and_replayed(delivery: Delivery) {
    let hub = TestHub::with_keys(delivery, Has { anonymous: true, ..Has::BOTH }, |builder| builder);
    let publish_all = |time: &str| {
        for (topic, private) in [("chat/1", true), ("chat/2", true), ("chat/1", false), ("end", false)] {
            hub.publish(topic, &format!("{time} {topic} {private}"), private);
        }
    };
    publish_all("before");
    let target = "/events?topic=chat/*&topic=end&since=earliest";
    let mut streams = [
        (hub.listen(target, &[]), vec!["chat/1 false", "end false"]),
        (hub.listen_as(&reader(&[]), target), vec!["chat/1 false", "end false"]),
        (hub.listen_as(&reader(&["chat/1"]), target), vec!["chat/1 true", "chat/1 false", "end false"]),
        (hub.listen_as(&reader(&["chat/*"]), target), vec!["chat/1 true", "chat/2 true", "chat/1 false", "end false"]),
        (hub.listen_as(&reader(&["news"]), target), vec!["chat/1 false", "end false"]),
    ];
    let mut read = |time: &str| {
        for (stream, wants) in &mut streams {
            for want in wants {
                assert_eq!(stream.next_data(), format!("{time} {want}"));
            }
        }
    };
    read("before");
    publish_all("after");
    read("after");
}

fn a_stream_ends_with_its_token_and_is_told_before(delivery: Delivery) {
    let hub = TestHub::closed(delivery);
    let token = reader_for("ann", &["news"], 3);
    let ends_at = now().saturating_add(Duration::from_secs(3));
    let mut stream = hub.listen_as(&token, "/events/news");
    // Less than a minute is left: it is told at once.
    let told = stream.next_of("tidings.expiring");
    assert!((1..=3000).contains(&told["expires_in_ms"].as_u64().expect("a number")), "{told}");
    assert!(told["renew_url"].as_str().is_some_and(|url| url.starts_with("/renew/") && url.len() > 20), "{told}");
    assert!(!stream.last_event_id().contains("renew"));
    hub.publish("news", "still there", false);
    assert_eq!(stream.next_data(), "still there");
    stream.end();
    assert!(now() <= ends_at.saturating_add(Duration::from_secs(1)), "it ended late");
    hub.expect_closed(CloseReason::TokenEnded, 1);
}

fn a_token_that_has_ended_opens_no_stream(delivery: Delivery) {
    let hub = TestHub::closed(delivery);
    let token = reader_for("ann", &["news"], 2);
    let mut stream = hub.listen_as(&token, "/events/news");
    stream.next_of("tidings.expiring");
    stream.end();
    // The stream ended with the token, so there is nothing to wait for: the same token is refused now.
    let bearer = format!("Bearer {token}");
    let answer = hub.try_listen("/events/news", &[("authorization", &bearer)]).expect_err("it has ended");
    answer.expect_problem(401, &["expired", "ago"]);
}
