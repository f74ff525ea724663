//! What a program does with an event source: requests, cancelling, tokens, refusals, reconnecting.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::StreamExt;
use tidings_client::{BuildError, Error, EventSource, Lost, Raw, ReadyState};

use crate::support::{STREAM, Server, hold, next, next_data, next_error, next_event, next_lost, next_raw, send};

#[tokio::test]
async fn the_request_is_that_of_an_event_source() {
    let mut server = Server::start(|_, mut socket| async move {
        send(&mut socket, format!("{STREAM}data: a\n\n")).await;
        hold(&mut socket).await;
    })
    .await;
    let url = format!("http://user:p%40ss@{}/a%20b?q=%C3%A9&x#fragment", server.address);
    let mut source = EventSource::get(url).no_proxy().prime(true).header("x-one", "1").build().unwrap();
    next_event(&mut source).await;
    let request = server.next_request().await;
    assert_eq!(request.line(), "GET /a%20b?q=%C3%A9&x&prime=1");
    assert_eq!(request.header("host"), Some(server.address.to_string().as_str()));
    assert_eq!(request.header("accept"), Some("text/event-stream"));
    assert_eq!(request.header("cache-control"), Some("no-cache"));
    assert_eq!(request.header("authorization"), Some("Basic dXNlcjpwQHNz"));
    assert_eq!(request.header("x-one"), Some("1"));
    for absent in ["last-event-id", "accept-encoding", "content-length", "transfer-encoding"] {
        assert_eq!(request.header(absent), None, "{absent}");
    }
}

/// What programs rely on without naming it.
#[test]
fn it_can_be_sent_to_a_task_and_polled_where_it_is() {
    fn check<T: Send + Unpin + std::fmt::Debug + futures_util::Stream>() {}
    check::<EventSource>();
    check::<tidings_client::RawEvents>();
}

#[test]
fn wrong_options_are_named() {
    let url = "http://127.0.0.1/";
    let check = |built: Result<EventSource, BuildError>, want: &str| {
        assert_eq!(built.expect_err("it is wrong").to_string(), want);
    };
    check(
        EventSource::get("nowhere").build(),
        "url \"nowhere\" cannot be parsed; expected an absolute http or https URL",
    );
    check(
        EventSource::get("ws://a/").build(),
        "url has the scheme \"ws\"; expected http, or https with the feature rustls",
    );
    check(
        EventSource::get(url).header("x y", "1").header("z\n", "1").build(),
        "header \"x y\" cannot be sent: its name holds characters that HTTP does not allow",
    );
    check(
        EventSource::get(url).bearer("a\nb").build(),
        "header \"authorization\" cannot be sent: its value holds characters that HTTP does not allow",
    );
    check(
        EventSource::get(url).header("Last-Event-ID", "1").build(),
        "header \"last-event-id\" is set by the client itself; expected last_event_id()",
    );
    check(EventSource::get(url).header("host", "a").build(), "header \"host\" is set by the client itself");
    check(
        EventSource::get(url).last_event_id("a\nb").build(),
        "last event id holds the control character U+000A at byte 1; no HTTP header can carry it",
    );
}

#[tokio::test]
async fn cancelled_waits_lose_nothing() {
    let server = Server::start(|request, mut socket| async move {
        let from: usize = request.header("last-event-id").map_or(0, |id| id.parse::<usize>().unwrap() + 1);
        send(&mut socket, STREAM).await;
        for number in from..300 {
            let event = format!("id: {number}\ndata: {number}\n\n");
            let (first, second) = event.split_at(number % event.len());
            send(&mut socket, first).await;
            tokio::task::yield_now().await;
            send(&mut socket, second).await;
            if number % 50 == 49 {
                return; // and again from there
            }
        }
        hold(&mut socket).await;
    })
    .await;
    let mut source = server.client().retry(Duration::ZERO).build().unwrap();
    let mut got = Vec::new();
    while got.len() < 300 {
        // Polled once or a few times, then dropped, over and over.
        let patience = Duration::from_micros(fastrand::u64(0..300));
        if let Ok(event) = tokio::time::timeout(patience, source.next()).await {
            got.push(event.expect("it goes on").expect("an event").data);
        }
    }
    assert_eq!(got, (0..300).map(|number| number.to_string()).collect::<Vec<_>>());
}

#[tokio::test]
async fn each_connection_gets_a_fresh_token() {
    let mut server = Server::start(|_, mut socket| async move {
        send(&mut socket, format!("{STREAM}data: a\n\n")).await;
    })
    .await;
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&asked);
    let hook = move || {
        let nth = counter.fetch_add(1, Ordering::Relaxed);
        async move { if nth == 1 { Err("the token service is down") } else { Ok(format!("token-{nth}")) } }
    };
    let mut source = server.client().token(hook).build().unwrap();
    assert_eq!(next_data(&mut source).await, "a");
    assert!(matches!(next_lost(&mut source).await, (Lost::Ended, _)));
    let (cause, _) = next_lost(&mut source).await;
    assert!(matches!(&cause, Lost::Token(source) if source.to_string() == "the token service is down"), "{cause}");
    assert_eq!(next_data(&mut source).await, "a");
    for want in ["Bearer token-0", "Bearer token-2"] {
        assert_eq!(server.next_request().await.header("authorization"), Some(want));
    }
}

#[tokio::test]
async fn a_refusal_is_final_or_waited_out() {
    let answer = |request: crate::support::Request, mut socket| async move {
        if request.nth == 0 {
            let refusal = "HTTP/1.1 503 Busy\r\nRetry-After: 0\r\nContent-Length: 8\r\n\r\ndraining";
            send(&mut socket, refusal).await;
        } else {
            send(&mut socket, format!("{STREAM}data: a\n\n")).await;
        }
    };
    let server = Server::start(answer).await;
    let error = next_error(&mut server.client().build().unwrap()).await;
    assert!(matches!(&error, Error::Status { body, .. } if body == "draining"), "{error}");

    let server = Server::start(answer).await;
    let mut source = server.client().retry_refusals(true).build().unwrap();
    let (cause, _) = next_lost(&mut source).await;
    assert_eq!(cause.to_string(), "refused for now with 503 Service Unavailable: draining");
    assert_eq!(next_data(&mut source).await, "a");
}

#[tokio::test]
async fn the_program_may_ask_for_a_new_connection() {
    let server = Server::start(|request, mut socket| async move {
        send(&mut socket, format!("{STREAM}id: {}\ndata\n\nid: lost\ndata: unfinished", request.nth)).await;
        hold(&mut socket).await;
    })
    .await;
    let mut source = server.client().retry(Duration::from_hours(1)).build().unwrap();
    assert_eq!(source.last_event_id(), "");
    for nth in 0..5 {
        assert_eq!(next_event(&mut source).await.last_event_id, nth.to_string());
        assert_eq!((source.last_event_id(), source.ready_state()), (nth.to_string().as_str(), ReadyState::Open));
        source.reconnect();
        assert_eq!(source.ready_state(), ReadyState::Connecting);
        assert!(matches!(next_lost(&mut source).await, (Lost::Asked, Duration::ZERO)));
    }
    source.close();
    source.reconnect();
    assert!(next(&mut source).await.is_none());
}

#[tokio::test]
async fn all_that_is_heard_comes_in_order() {
    let server = Server::start(|request, mut socket| async move {
        if request.nth == 0 {
            send(&mut socket, format!("{STREAM}retry: 1\n: note\nid: 7\n\ndata: a\n\n")).await;
        } else {
            send(&mut socket, "HTTP/1.1 204 No Content\r\n\r\n").await;
        }
    })
    .await;
    let heard: Vec<_> = server.client().build().unwrap().raw().map(|raw| raw.expect("no error")).collect().await;
    assert!(matches!(&heard[0], Raw::Open { url } if url.as_str() == server.url("/stream")), "{heard:?}");
    assert!(matches!(&heard[1], Raw::Retry(time) if *time == Duration::from_millis(1)), "{heard:?}");
    assert!(matches!(&heard[2], Raw::Comment(text) if text == " note"), "{heard:?}");
    assert!(matches!(&heard[3], Raw::Id(id) if id == "7"), "{heard:?}");
    assert!(matches!(&heard[4], Raw::Event(event) if event.data == "a" && event.last_event_id == "7"), "{heard:?}");
    assert!(matches!(&heard[5], Raw::Lost { cause: Lost::Ended, .. }), "{heard:?}");
    assert_eq!(heard.len(), 6, "{heard:?}");
}

#[tokio::test]
async fn it_may_move_between_tasks_and_raw_and_plain_reading_may_alternate() {
    let server = Server::start(|_, mut socket| async move {
        send(&mut socket, format!("{STREAM}data: a\n\n: c\n\ndata: b\n\n")).await;
        hold(&mut socket).await;
    })
    .await;
    let mut source = server.client().build().unwrap();
    assert_eq!(next_data(&mut source).await, "a");
    let reading = tokio::spawn(async move {
        assert!(matches!(next_raw(&mut source).await, Raw::Comment(_)));
        next_data(&mut source).await
    });
    assert_eq!(reading.await.expect("the task ends"), "b");
}
