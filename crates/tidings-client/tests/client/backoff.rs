//! A storm of failures, measured where it hurts: at the server.

use std::time::Duration;

use tidings_client::{Error, EventSource, Lost};

use crate::support::{STREAM, Server, next_error, next_lost, send};

/// The first wait, and what the waits may grow to.
const RETRY: Duration = Duration::from_millis(300);
const WAIT_MAX: Duration = Duration::from_millis(1200);

#[tokio::test]
async fn a_server_that_falls_at_once_is_asked_ever_more_seldom() {
    let mut server = Server::start(|_, mut socket| async move {
        send(&mut socket, STREAM).await; // a good head, no event, and the end
    })
    .await;
    let mut source = server.client().retry(RETRY).backoff_max(WAIT_MAX).build().unwrap();
    let mut waits = Vec::new();
    for _ in 0..6 {
        waits.push(next_lost(&mut source).await.1);
    }
    for (index, least_ms) in [300, 600, 1200, 1200, 1200, 1200].into_iter().enumerate() {
        let most = Duration::from_millis(least_ms * 5 / 4);
        assert!(waits[index] >= Duration::from_millis(least_ms) && waits[index] <= most, "wait {index}: {waits:?}");
    }
    let mut before = server.next_request().await.at;
    for wait in &waits[..5] {
        let request = server.next_request().await;
        let gap = request.at - before;
        // Milliseconds of the clock and of loopback; much later only if the machine is very busy.
        assert!(gap + Duration::from_millis(20) >= *wait, "came after {gap:?}, meant to wait {wait:?}");
        assert!(gap < *wait + Duration::from_secs(5), "came after {gap:?}, meant to wait {wait:?}");
        before = request.at;
    }
}

#[tokio::test]
async fn nobody_there_is_a_failure_too() {
    let vacated = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut source = EventSource::get(format!("http://{vacated}/"))
        .no_proxy()
        .retry(Duration::from_millis(1))
        .backoff_max(Duration::from_millis(1))
        .attempts_max(5)
        .build()
        .unwrap();
    for _ in 0..4 {
        let (cause, _) = next_lost(&mut source).await;
        assert!(matches!(&cause, Lost::Unreachable { url, .. } if url.port() == Some(vacated.port())), "{cause}");
    }
    let error = next_error(&mut source).await;
    assert!(matches!(error, Error::GaveUp { attempts: 5, .. }), "{error}");
}
