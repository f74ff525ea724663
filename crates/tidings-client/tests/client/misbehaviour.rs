//! Servers and networks that break off, lie, keep silent or never stop.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tidings_client::{Error, Lost, ReadyState};
use tokio::io::AsyncWriteExt;
use tokio::sync::Notify;
use tokio::time::timeout;

use crate::support::{DEADLINE, STREAM, Server, hold, next, next_data, next_error, next_event, next_lost, reset, send};

/// The first connection breaks by a reset after these bytes; the second serves.
async fn check_reset_after(bytes: &'static [u8], want_id: Option<&str>) {
    let mut server = Server::start(move |request, mut socket| async move {
        if request.nth == 0 {
            send(&mut socket, bytes).await;
            reset(&socket);
        } else {
            send(&mut socket, format!("{STREAM}data: served\n\n")).await;
            hold(&mut socket).await;
        }
    })
    .await;
    let mut source = server.client().build().expect("it is right");
    let event = loop {
        let event = next_event(&mut source).await;
        if event.data == "served" {
            break event;
        }
        // A reset may overtake what was sent before it; what does come is whole.
        assert_eq!(event.data, "é");
    };
    server.next_request().await;
    let again = server.next_request().await;
    assert!(again.header("last-event-id").is_none_or(|id| Some(id) == want_id), "{again:?}");
    assert_eq!(again.header("last-event-id").unwrap_or_default(), event.last_event_id);
}

#[tokio::test]
async fn a_reset_anywhere_leads_back() {
    check_reset_after(b"", None).await;
    check_reset_after(b"HTTP/1.1 200 OK\r\nContent-Ty", None).await;
    check_reset_after(STREAM.as_bytes(), None).await;
    let stream =
        b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\nid: 1\ndata: \xC3\xA9\n\nid: 2\ndata: \xC3";
    check_reset_after(stream, Some("1")).await;
    let chunked =
        b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\nff\r\ndata: ";
    check_reset_after(chunked, None).await;
}

#[tokio::test]
async fn what_is_no_http_leads_back_too() {
    for nonsense in ["\r\n\r\n\0\0\0", "SSH-2.0-OpenSSH\r\n", "HTTP/1.1 two hundred\r\n\r\n", "HTTP/9.9 200 OK\r\n\r\n"]
    {
        check_reset_after(nonsense.as_bytes(), None).await;
    }
}

#[tokio::test]
async fn a_chunked_body_that_lies_is_a_broken_connection() {
    let server = Server::start(|request, mut socket| async move {
        let head = STREAM.replace("\r\n\r\n", "\r\nTransfer-Encoding: chunked\r\n\r\n");
        if request.nth == 0 {
            send(&mut socket, format!("{head}9\r\ndata: a\n\n\r\nnonsense\r\n")).await;
        } else {
            send(&mut socket, format!("{head}9\r\ndata: b\n\n\r\n0\r\n\r\n")).await;
        }
        hold(&mut socket).await;
    })
    .await;
    let mut source = server.client().build().unwrap();
    assert_eq!(next_data(&mut source).await, "a");
    assert!(matches!(next_lost(&mut source).await, (Lost::Cut(_), _)));
    assert_eq!(next_data(&mut source).await, "b");
    assert!(matches!(next_lost(&mut source).await, (Lost::Ended, _)), "the last chunk is an orderly end");
}

#[tokio::test]
async fn a_wrong_type_is_final() {
    for (head, want) in [
        ("Content-Type: text/html\r\n", "text/html"),
        ("Content-Type: text/event-stream2\r\n", "text/event-stream2"),
        ("", ""),
    ] {
        let mut server = Server::start(move |_, mut socket| async move {
            send(&mut socket, format!("HTTP/1.1 200 OK\r\n{head}\r\ndata: a\n\n")).await;
            hold(&mut socket).await;
        })
        .await;
        let mut source = server.client().build().unwrap();
        let error = next_error(&mut source).await;
        assert!(matches!(&error, Error::ContentType { content_type, .. } if content_type == want), "{error}");
        assert_eq!(source.ready_state(), ReadyState::Closed);
        assert_eq!(server.unseen_requests(), 1);
    }
}

#[tokio::test]
async fn a_final_status_tells_what_the_server_said() {
    let server = Server::start(|_, mut socket| async move {
        let body = "{\"title\":\"no such topic\",\n\"detail\":\"try another\"}";
        send(&mut socket, format!("HTTP/1.1 404 Not Found\r\nContent-Length: {}\r\n\r\n{body}", body.len())).await;
        hold(&mut socket).await;
    })
    .await;
    let mut source = server.client().build().unwrap();
    let want = format!(
        "{} answered 404 Not Found: {{\"title\":\"no such topic\", \"detail\":\"try another\"}}; expected 200",
        server.url("/stream")
    );
    assert_eq!(next_error(&mut source).await.to_string(), want);
}

#[tokio::test]
async fn a_204_on_reconnection_ends_it_without_error() {
    let mut server = Server::start(|request, mut socket| async move {
        let answer =
            if request.nth == 0 { format!("{STREAM}data: a\n\n") } else { "HTTP/1.1 204 No Content\r\n\r\n".into() };
        send(&mut socket, answer).await;
    })
    .await;
    let mut source = server.client().build().unwrap();
    assert_eq!(next_data(&mut source).await, "a");
    assert!(next(&mut source).await.is_none());
    assert_eq!((source.ready_state(), server.unseen_requests()), (ReadyState::Closed, 2));
}

#[tokio::test]
async fn an_endless_line_is_refused_and_not_kept() {
    let written = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&written);
    let server = Server::start(move |_, mut socket| {
        let counter = Arc::clone(&counter);
        async move {
            send(&mut socket, format!("{STREAM}data: ")).await;
            let piece = [b'x'; 4096];
            while let Ok(len) = socket.write(&piece).await {
                counter.fetch_add(len, Ordering::Relaxed);
            }
        }
    })
    .await;
    let mut source = server.client().event_bytes_max(100_000).build().unwrap();
    let error = next_error(&mut source).await;
    assert_eq!(
        error.to_string(),
        "an event is too large; expected at most 100000 bytes in its fields and the line being read"
    );
    assert!(written.load(Ordering::Relaxed) < 64 << 20, "the server was stopped");
}

#[tokio::test]
async fn an_endless_head_is_refused() {
    let server = Server::start(|request, mut socket| async move {
        if request.nth == 0 {
            send(&mut socket, "HTTP/1.1 200 OK\r\nX: ").await;
            while socket.write_all(&[b'x'; 4096]).await.is_ok() {}
        } else {
            send(&mut socket, format!("{STREAM}data: a\n\n")).await;
        }
    })
    .await;
    let mut source = server.client().build().unwrap();
    assert!(matches!(next_lost(&mut source).await, (Lost::Unreachable { .. }, _)));
    assert_eq!(next_data(&mut source).await, "a");
}

#[tokio::test]
async fn a_server_is_not_read_faster_than_the_program_takes_events() {
    let stalled = Arc::new(Notify::new());
    let notify = Arc::clone(&stalled);
    let server = Server::start(move |_, mut socket| {
        let notify = Arc::clone(&notify);
        async move {
            send(&mut socket, STREAM).await;
            let event = format!("data: {}\n\n", "x".repeat(1 << 16));
            // Kernels buffer a few MiB; far more would have to be in the client.
            for _ in 0..2_000 {
                if timeout(Duration::from_secs(1), socket.write_all(event.as_bytes())).await.is_err() {
                    return notify.notify_one();
                }
            }
        }
    })
    .await;
    let mut source = server.client().build().unwrap();
    next_event(&mut source).await;
    timeout(DEADLINE, stalled.notified()).await.expect("the server has to wait");
}

#[tokio::test]
async fn silence_is_noticed_before_the_head_and_after_it() {
    let server = Server::start(|request, mut socket| async move {
        match request.nth {
            0 => {}
            1 => send(&mut socket, "HTTP/1.1 200 OK\r\nContent").await,
            2 => send(&mut socket, format!("{STREAM}data: half")).await,
            _ => send(&mut socket, format!("{STREAM}data: a\n\n")).await,
        }
        hold(&mut socket).await;
    })
    .await;
    let limit = Duration::from_millis(150);
    let mut source = server.client().idle_timeout(limit).build().unwrap();
    for _ in 0..3 {
        let before = tokio::time::Instant::now();
        let (cause, _) = next_lost(&mut source).await;
        assert!(matches!(cause, Lost::Silence { after } if after == limit), "{cause}");
        assert!(before.elapsed() >= limit);
    }
    assert_eq!(next_data(&mut source).await, "a");
}

#[tokio::test]
async fn a_heartbeat_is_no_silence_and_neither_is_a_program_that_sleeps() {
    let limit = Duration::from_millis(400);
    let server = Server::start(|_, mut socket| async move {
        send(&mut socket, format!("{STREAM}data: a\n\n")).await;
        for _ in 0..8 {
            tokio::time::sleep(Duration::from_millis(100)).await; // this is the server's rhythm, not a wait of the test
            send(&mut socket, ":\n").await;
        }
        send(&mut socket, "data: b\n\n").await;
        hold(&mut socket).await;
    })
    .await;
    let mut source = server.client().idle_timeout(limit).build().unwrap();
    assert_eq!(next_data(&mut source).await, "a");
    tokio::time::sleep(2 * limit).await; // a busy program: it polls again only after the limit
    let raws = async {
        loop {
            match crate::support::next_raw(&mut source).await {
                tidings_client::Raw::Event(event) => return event.data,
                tidings_client::Raw::Comment(_) => {}
                other => panic!("the connection lives, but {other:?}"),
            }
        }
    };
    assert_eq!(raws.await, "b");
}

#[tokio::test]
async fn g3_dropping_it_ends_the_connection() {
    let gone = Arc::new(Notify::new());
    let notify = Arc::clone(&gone);
    let server = Server::start(move |_, mut socket| {
        let notify = Arc::clone(&notify);
        async move {
            send(&mut socket, format!("{STREAM}data: a\n\n")).await;
            hold(&mut socket).await;
            notify.notify_one();
        }
    })
    .await;
    let mut source = server.client().build().unwrap();
    next_event(&mut source).await;
    drop(source);
    timeout(DEADLINE, gone.notified()).await.expect("the server sees the end");

    let mut source = server.client().build().unwrap();
    next_event(&mut source).await;
    source.close();
    timeout(DEADLINE, gone.notified()).await.expect("the server sees the end");
    assert!(next(&mut source).await.is_none());
}
