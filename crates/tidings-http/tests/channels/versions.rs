//! What each version of HTTP gets on the wire. Over TCP, for the framing is the HTTP library's.

use std::time::Duration;

use tidings_core::Phase;
use tidings_http::Delivery;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;

use crate::lingering::serve;
use crate::world::World;

/// Sends `request` and reads until the answer has `end`, or ends itself.
async fn exchange(world: &World, request: &str, end: &str) -> String {
    let (_server, mut socket) = serve(world).await;
    let mut answer = String::new();
    let exchange = async {
        socket.write_all(request.as_bytes()).await?;
        let mut bytes = [0; 4096];
        loop {
            let len = socket.read(&mut bytes).await?;
            answer.push_str(&String::from_utf8_lossy(&bytes[..len]));
            if len == 0 || answer.contains(end) {
                return std::io::Result::Ok(());
            }
        }
    };
    timeout(Duration::from_secs(10), exchange).await.expect("in time").expect("the connection is not broken");
    answer
}

#[tokio::test]
async fn http_1_0_gets_no_chunks_and_a_close() {
    let world = World::new();
    let answer = exchange(&world, "GET /events?prime=1 HTTP/1.0\r\n\r\n", "data: \n\n").await.to_lowercase();
    let (head, body) = answer.split_once("\r\n\r\n").expect("a whole head");
    assert!(head.starts_with("http/1.0 200 ok") || head.starts_with("http/1.1 200 ok"), "{head}");
    assert!(head.contains("\r\nconnection: close") && !head.contains("transfer-encoding"), "{head}");
    assert!(body.starts_with("retry: ") && body.contains("\n:\nevent: tidings.open\n"), "{body:?}");
}

#[tokio::test]
async fn http_1_1_gets_chunks_and_keeps_alive() {
    for delivery in [Delivery::Body, Delivery::Direct] {
        let world = World::configured(|config| config.delivery = delivery);
        let request = "GET /events?prime=1 HTTP/1.1\r\nHost: localhost\r\n\r\n";
        let answer = exchange(&world, request, "data: \n\n").await.to_lowercase();
        let (head, body) = answer.split_once("\r\n\r\n").expect("a whole head");
        for line in [
            "connection: keep-alive",
            "transfer-encoding: chunked",
            "content-type: text/event-stream",
            "x-accel-buffering: no",
        ] {
            assert_eq!(head.lines().filter(|other| *other == line).count(), 1, "{line} in {delivery:?}: {head}");
        }
        assert!(body.contains("\r\nretry: "), "{delivery:?}: {body:?}");
    }
}

#[tokio::test]
async fn head_ends_and_the_connection_goes_on() {
    let world = World::new();
    let request = "HEAD /events HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let last = request.replace("localhost\r\n", "localhost\r\nConnection: close\r\n");
    let answer = exchange(&world, &format!("{request}{last}"), "never").await;
    assert_eq!(answer.matches("HTTP/1.1 200 OK\r\n").count(), 2, "{answer}");
    assert_eq!(answer.matches("content-type: text/event-stream\r\n").count(), 2, "{answer}");
}

#[tokio::test]
async fn a_refused_browser_is_let_go() {
    let world = World::new();
    world.state.phase.advance(Phase::Draining);
    let request = "GET /events HTTP/1.1\r\nHost: localhost\r\nUser-Agent: Mozilla/5.0\r\n\r\n";
    let answer = exchange(&world, request, "never").await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with(": the hub is shutting down\n"), "{answer}");
}
