//! A refusal reaches a client that is still sending. Over TCP, for that is where it gets lost.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use tidings_http::Server;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::world::World;

pub(crate) async fn serve(world: &World) -> (Server, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    let server = Server::open(vec![listener], Arc::clone(&world.state)).expect("the system has what it needs");
    (server, TcpStream::connect(address).await.expect("it listens"))
}

/// Sends everything, and only then reads.
async fn post(head: &str, body_bytes: usize) -> String {
    let world = World::new();
    let (_server, mut socket) = serve(&world).await;
    let exchange = async {
        socket.write_all(format!("{head} HTTP/1.1\r\nHost: localhost\r\n").as_bytes()).await?;
        socket.write_all(format!("Content-Length: {body_bytes}\r\n\r\n").as_bytes()).await?;
        socket.write_all(&vec![b'x'; body_bytes]).await?;
        let mut answer = vec![0; 4096];
        let len = socket.read(&mut answer).await?;
        answer.truncate(len);
        std::io::Result::Ok(String::from_utf8_lossy(&answer).into_owned())
    };
    timeout(Duration::from_secs(10), exchange).await.expect("in time").expect("the connection is not broken")
}

#[tokio::test]
async fn a_client_that_sends_too_much_can_read_the_413() {
    let answer = post("POST /events", 20 * 1024 * 1024).await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    assert!(answer.contains("\r\nconnection: close\r\n"), "{answer}");
    assert!(answer.contains("\"expected\":\"at most 1048576 bytes of data\""), "{answer}");
}

#[tokio::test]
async fn a_client_that_sends_what_is_not_read_can_read_why() {
    let answer = post("POST /events?type=tidings.end", 20 * 1024 * 1024).await;
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
}

#[tokio::test]
async fn a_client_that_asks_first_need_not_send() {
    let world = World::new();
    let (_server, mut socket) = serve(&world).await;
    let head = "POST /events HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 20000000\r\n\r\n";
    socket.write_all(head.as_bytes()).await.expect("the hub reads");
    let mut answer = String::new();
    let read = timeout(Duration::from_secs(10), socket.read_to_string(&mut answer)).await;
    read.expect("in time").expect("the connection is not broken");
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
}

#[tokio::test]
async fn a_connection_goes_on_after_a_small_mistake() {
    let world = World::new();
    let (_server, mut socket) = serve(&world).await;
    let bad = "POST /events?retry=x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello";
    let good = "POST /events HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello";
    socket.write_all(format!("{bad}{good}").as_bytes()).await.expect("the hub reads");
    let mut answers = String::new();
    let read = timeout(Duration::from_secs(10), socket.read_to_string(&mut answers)).await;
    read.expect("in time").expect("the connection is not broken");
    assert!(answers.starts_with("HTTP/1.1 400 ") && answers.contains("HTTP/1.1 200 OK"), "{answers}");
}
