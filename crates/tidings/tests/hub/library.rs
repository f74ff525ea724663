//! The hub as a library: in process and over HTTP are the same hub, in one's own server too; and how topics and hubs end.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use futures_util::StreamExt as _;
use tidings::{CloseReason, EventType, Publication, ResumeFrom, Selector, SubscribeOptions};

use crate::support::client::Client;
use crate::support::hub::{Setup, TestHub, parse_topic};
use crate::support::reader::{Cut, End, Reader};
use crate::support::{eventually_equal, over_both_ways_near_and_far};

over_both_ways_near_and_far!(
    in_process_and_over_http_are_one_hub,
    a_router_works_in_a_server_of_ones_own,
    a_drain_ends_streams_in_order,
    a_drain_waits_for_nobody_who_never_reads,
    a_drained_hub_takes_nothing_new,
    a_topic_ends_for_those_who_read_and_those_who_come_late,
    several_topics_end_with_the_last_of_them,
    a_deleted_topic_begins_anew,
);

fn start(setup: Setup) -> TestHub {
    TestHub::start(setup, |builder| builder)
}

fn in_process_and_over_http_are_one_hub(setup: Setup) {
    let hub = start(setup);
    let options = SubscribeOptions::matching([Selector::parse("chat/*").expect("a pattern")]).expect("one selector");
    let mut inside = hub.block_on(hub.hub.subscribe(options.clone())).expect("memory always answers");
    let mut outside = Reader::open(hub.address, "/events?topic=chat/*");
    let mut client = hub.client();

    let first = hub.publish_all_of(Publication {
        event_type: Some(EventType::parse("greeting").expect("a word")),
        retry_ms: Some(1234),
        ..Publication::new(parse_topic("chat/1"), "from\r\ninside")
    });
    let second = client.publish("/events/chat/2?type=note&id=o%2F1", "from outside");
    hub.publish("other", "not for them");
    hub.publish_all_of(Publication { private: true, ..Publication::new(parse_topic("chat/1"), "private") });
    hub.publish("chat/1", "last");

    let want_first = ("greeting".to_owned(), "from\ninside".to_owned(), first.id.to_string());
    let want_second = ("note".to_owned(), "from outside".to_owned(), second);
    for want in [&want_first, &want_second] {
        let event = outside.next();
        assert_eq!((&event.event_type, &event.data, &event.last_event_id), (&want.0, &want.1, &want.2));
        let event = hub.block_on(inside.next()).expect("the hub lives");
        assert_eq!((event.event_type, event.data, event.last_event_id), want.clone());
    }
    assert_eq!(outside.retry_ms, Some(1234));
    // A program sees its own private events; nobody else does without a token.
    assert_eq!(hub.block_on(inside.next()).expect("the hub lives").data, "private");
    assert_eq!(hub.block_on(inside.next()).expect("the hub lives").data, "last");
    assert_eq!(outside.next_data(), "last");

    // One goes on where the other was.
    let from = ResumeFrom::EventId(Arc::from(&*want_second.2));
    let mut resumed = hub.block_on(hub.hub.subscribe(options.from(from))).expect("memory always answers");
    assert_eq!(hub.block_on(resumed.next()).expect("the hub lives").data, "private");
    assert_eq!(resumed.last_event_id(), hub_id_before(outside.last_event_id()));
    drop((inside, resumed));
    outside.cut(Cut::Fin);
    eventually_equal("sessions", &0, || hub.sessions());
    assert_eq!(hub.counters().published.get(), 5);
}

/// The hub's id before this one.
fn hub_id_before(id: &str) -> String {
    let (epoch, sequence) = id.rsplit_once('-').expect("an id of the hub's own");
    format!("{epoch}-{}", sequence.parse::<u64>().expect("a number") - 1)
}

fn a_router_works_in_a_server_of_ones_own(setup: Setup) {
    let hub = start(setup);
    let app =
        Router::new().route("/mine", axum::routing::get(|| async { "my own page" })).nest("/live", hub.hub.router());
    let address = serve(&hub, app);

    let mut client = Client::connect(address);
    assert_eq!(client.request("GET", "/mine", "", b"").text(), "my own page");
    let mut reader = Reader::new(address, "/live/events/chat/42?prime=1");
    reader.connect();
    assert_eq!(reader.next().event_type, "tidings.open");
    let id = client.publish("/live/events/chat/42", "by the app's server");
    let event = reader.next();
    assert_eq!((&*event.data, event.last_event_id), ("by the app's server", id));
    // The same hub answers at its own door.
    hub.client().publish("/events/chat/42", "at its own door");
    assert_eq!(reader.next_data(), "at its own door");
    hub.publish("chat/42", "in process");
    assert_eq!(reader.next_data(), "in process");
    reader.cut(Cut::Rst);
    hub.publish("chat/42", "while away");
    reader.connect();
    assert_eq!(reader.next().event_type, "tidings.open");
    assert_eq!(reader.next_data(), "while away");
    client.request("GET", "/live/nothing", "", b"").expect_problem(404);
    assert_eq!(client.request("GET", "/events/chat/42", "", b"").head.status, 404, "it is mounted elsewhere");
    assert_eq!((hub.counters().joined_direct.get(), hub.counters().joined_body.get()), (0, 2));
    reader.cut(Cut::Rst);
    eventually_equal("sessions", &0, || hub.sessions());
}

/// Serves `app` by axum, beside the hub's own door.
pub(crate) fn serve(hub: &TestHub, app: Router) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("some port is free");
    listener.set_nonblocking(true).expect("a listener can be non-blocking");
    let address = listener.local_addr().expect("a bound listener has an address");
    hub.spawn(async move {
        let listener = tokio::net::TcpListener::from_std(listener).expect("it is non-blocking");
        axum::serve(listener, app).await.expect("axum serves for ever");
    });
    address
}

fn a_drain_ends_streams_in_order(setup: Setup) {
    const READERS: usize = 20;
    let drain = Duration::from_millis(400);
    let mut hub = TestHub::start_draining(setup, drain, |builder| builder.retry(Duration::from_secs(8)));
    hub.publish("t", "before");
    let mut readers: Vec<_> = (0..READERS)
        .map(|_| {
            let mut reader = Reader::new(hub.address, "/events/t?since=earliest");
            reader.connect();
            assert_eq!(reader.next_data(), "before");
            reader.retry_ms = None;
            reader
        })
        .collect();
    let began = Instant::now();
    hub.shut_down();
    let took = began.elapsed();
    assert!(took < drain + Duration::from_secs(1), "the drain took {took:?}");
    let mut retries = Vec::new();
    for reader in &mut readers {
        assert_eq!(reader.end(), End::Whole);
        let retry = reader.retry_ms.expect("it is told when to come back");
        assert!((6000..=10_000).contains(&retry), "{retry} ms are not 8 s by a quarter");
        retries.push(retry);
    }
    retries.dedup();
    assert!(retries.len() > READERS / 2, "they would all come back together: {retries:?}");
    assert_eq!(hub.counters().closed(CloseReason::Drain).get(), READERS as u64);
    assert_eq!(hub.sessions(), 0);
    let refused = std::net::TcpStream::connect(hub.address);
    assert!(refused.is_err(), "the listener is still open");
}

fn a_drain_waits_for_nobody_who_never_reads(setup: Setup) {
    let drain = Duration::from_millis(200);
    let mut hub = TestHub::start_draining(setup, drain, |builder| builder);
    let stuck = Reader::open(hub.address, "/events/t");
    let mut idle = Reader::open(hub.address, "/events/idle");
    for _ in 0..100 {
        hub.publish("t", "x".repeat(100_000));
    }
    let began = Instant::now();
    hub.shut_down();
    let took = began.elapsed();
    assert!(took < drain + Duration::from_secs(2), "the drain took {took:?}");
    assert_eq!(idle.end(), End::Whole);
    drop(stuck);
}

fn a_drained_hub_takes_nothing_new(setup: Setup) {
    let hub = start(setup);
    let mut inside =
        hub.block_on(hub.hub.subscribe(SubscribeOptions::topic(parse_topic("t")))).expect("memory answers");
    assert_eq!(hub.client().request("GET", "/readyz", "", b"").head.status, 200);
    hub.block_on(hub.hub.drain(Duration::from_millis(50)));
    assert_eq!(hub.block_on(inside.next()), None);

    let mut client = hub.client();
    assert_eq!(client.request("GET", "/readyz", "", b"").head.status, 503);
    assert_eq!(client.request("GET", "/healthz", "", b"").head.status, 200);
    let refused = client.request("POST", "/events/t", "", b"too late");
    refused.expect_problem(503);
    assert!(refused.head.header("retry-after").is_some());
    hub.client().request("GET", "/events/t", "", b"").expect_problem(503);
    let told = hub.client().request("GET", "/events/t", "sec-fetch-mode: cors\r\n", b"");
    assert_eq!(told.head.status, 200);
    assert!(told.text().starts_with("retry: ") && !told.text().contains("data"), "{:?}", told.text());
}

fn a_topic_ends_for_those_who_read_and_those_who_come_late(setup: Setup) {
    let hub = start(setup);
    let mut client = hub.client();
    let mut live = Reader::open(hub.address, "/events/build/7");
    let mut inside =
        hub.block_on(hub.hub.subscribe(SubscribeOptions::topic(parse_topic("build/7")))).expect("memory answers");
    let first = client.publish("/events/build/7", "compiling");
    client.publish("/events/build/7?end", "done");

    assert_eq!([live.next_data(), live.next_data()], ["compiling", "done"]);
    let end = live.next();
    assert_eq!((&*end.event_type, live.end()), ("tidings.end", End::Whole));
    let inside_types: Vec<_> = (0..4).map(|_| hub.block_on(inside.next()).map(|event| event.event_type)).collect();
    let [one, two, last, nothing] = &inside_types[..] else { panic!("four were asked for") };
    assert_eq!(
        [one.as_deref(), two.as_deref(), last.as_deref()],
        [Some("message"), Some("message"), Some("tidings.end")]
    );
    assert_eq!(*nothing, None);

    // Late ones get what is retained and the end; those who were on their way, the rest.
    let resume = format!("/events/build/7?lastEventID={first}");
    let late: [(&str, &[&str]); 5] = [
        ("/events/build/7", &["compiling", "done"]),
        ("/events/build/7?since=earliest", &["compiling", "done"]),
        ("/events/build/7?last=1", &["done"]),
        ("/events/build/7?types=nothing", &[]),
        (&resume, &["done"]),
    ];
    for (target, want) in late {
        let mut reader = Reader::new(hub.address, target);
        reader.connect();
        for want in want {
            assert_eq!(reader.next_data(), *want, "{target}");
        }
        let event = reader.next();
        assert_eq!((&*event.event_type, event.last_event_id), ("tidings.end", end.last_event_id.clone()), "{target}");
        assert_eq!(reader.end(), End::Whole, "{target}");
    }
    // Who has seen the end is told that nothing comes: an EventSource stops at 204.
    for method in ["GET", "HEAD"] {
        let answer =
            client.request(method, "/events/build/7", &format!("last-event-id: {}\r\n", end.last_event_id), b"");
        assert_eq!((answer.head.status, answer.body), (204, Vec::new()), "{method}");
    }
    client.request("POST", "/events/build/7", "", b"too late").expect_problem(409);
    eventually_equal("streams that ended with their topic", &(2 + 5), || {
        hub.counters().closed(CloseReason::TopicEnded).get()
    });
    eventually_equal("sessions", &0, || hub.sessions());
}

fn several_topics_end_with_the_last_of_them(setup: Setup) {
    let hub = start(setup);
    let mut client = hub.client();
    let mut both = Reader::open(hub.address, "/events?topic=a&topic=b");
    client.publish("/events/a?end", "a ends");
    client.publish("/events/b", "b goes on");
    client.publish("/events/b?end", "");
    assert_eq!([both.next_data(), both.next_data()], ["a ends", "b goes on"]);
    assert_eq!((&*both.next().event_type, both.end()), ("tidings.end", End::Whole));
    let answer =
        client.request("GET", "/events?topic=b&topic=a", &format!("last-event-id: {}\r\n", both.last_event_id()), b"");
    assert_eq!(answer.head.status, 204);
}

fn a_deleted_topic_begins_anew(setup: Setup) {
    let hub = start(setup);
    let mut client = hub.client();
    client.publish("/events/t", "one");
    let last = client.publish("/events/t?end", "two");
    client.publish("/events/other", "beside");
    let mut beside = Reader::new(hub.address, "/events/other?since=earliest");
    beside.connect();
    assert_eq!(beside.next_data(), "beside");
    beside.cut(Cut::Rst);

    assert_eq!(client.request("DELETE", "/events/t", "", b"").head.status, 204);
    client.request("DELETE", "/events/t", "", b"").expect_problem(404);
    let mut live = Reader::open(hub.address, "/events/t");
    let new = client.publish("/events/t", "three");
    assert_eq!(live.next_data(), "three");

    let mut resumed = Reader::new(hub.address, format!("/events/t?lastEventID={last}"));
    resumed.connect();
    let verdict = resumed.next();
    assert_eq!(verdict.event_type, "tidings.reset");
    let verdict: serde_json::Value = serde_json::from_str(&verdict.data).expect("a verdict is JSON");
    let want = serde_json::json!({ "requested": last, "reason": "expired", "oldest": new, "latest": new });
    assert_eq!(verdict, want);
    assert_eq!(resumed.next_data(), "three");
    // Other topics know nothing of it.
    beside.connect();
    beside.head();
    client.publish("/events/other", "still good");
    assert_eq!(beside.next_data(), "still good");
}
