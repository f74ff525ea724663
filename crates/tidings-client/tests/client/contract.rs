//! The service for contract tests, driven as a harness drives it: over HTTP, and called back.

use std::io::BufRead;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{STREAM, Server, hold, send};

/// The example as a process; it ends with this value.
struct Service {
    process: Child,
    address: String,
}

impl Service {
    async fn start() -> Self {
        let examples = std::env::current_exe().expect("it runs").parent().expect("a folder").with_file_name("examples");
        let mut process = Command::new(examples.join("contract_service"))
            .args(["--port", "0"])
            .stdout(Stdio::piped())
            .spawn()
            .expect("the example is built with the tests");
        let output = process.stdout.take().expect("it is piped");
        let line = tokio::task::spawn_blocking(move || {
            let mut line = String::new();
            std::io::BufReader::new(output).read_line(&mut line).map(|_| line)
        });
        let line = line.await.expect("no panic").expect("it can be read");
        let address = line.trim().strip_prefix("listening on http://").expect("it says where").to_owned();
        Self { process, address }
    }

    /// Status, location and body.
    async fn ask(&self, method: &str, path: &str, body: &str) -> (u16, String, String) {
        let mut socket = TcpStream::connect(&self.address).await.expect("it listens");
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        socket.write_all((head + body).as_bytes()).await.expect("it reads");
        let mut answer = String::new();
        socket.read_to_string(&mut answer).await.expect("it answers");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
        let location = head.lines().find_map(|line| line.strip_prefix("location: ")).unwrap_or_default();
        (head[9..12].parse().expect("a status"), location.to_owned(), body.to_owned())
    }

    async fn open(&self, stream: &Server, callbacks: &Server, with: Value) -> String {
        let mut asked = json!({
            "streamUrl": stream.url("/stream"),
            "callbackUrl": callbacks.url("/callbacks/3"),
            "tag": "a test",
            "initialDelayMs": 0,
        });
        asked.as_object_mut().expect("an object").extend(with.as_object().expect("an object").clone());
        let (status, location, _) = self.ask("POST", "/", &asked.to_string()).await;
        assert_eq!(status, 201);
        assert!(location.starts_with('/'), "{location:?}");
        location
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

async fn start_callbacks() -> Server {
    Server::start(|_, mut socket| async move {
        send(&mut socket, "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n").await;
    })
    .await
}

/// The next callback, which must be the nth.
async fn next_callback(callbacks: &mut Server, nth: usize) -> Value {
    let request = callbacks.next_request().await;
    assert_eq!(request.line(), format!("POST /callbacks/3/{nth}"));
    serde_json::from_str(&request.body).expect("it is JSON")
}

fn event(data: &str, id: &str) -> Value {
    json!({"kind": "event", "event": {"type": "message", "data": data, "id": id}})
}

#[tokio::test]
async fn it_tells_what_it_can_and_refuses_what_it_cannot() {
    let service = Service::start().await;
    let (status, _, body) = service.ask("GET", "/", "").await;
    let told: Value = serde_json::from_str(&body).expect("it is JSON");
    assert_eq!((status, told["capabilities"].as_array().expect("a list").len()), (200, 9));
    assert_eq!(service.ask("POST", "/", "{}").await.0, 400);
    assert_eq!(service.ask("POST", "/", "nonsense").await.0, 400);
    assert_eq!(service.ask("POST", "/streams/99", "{\"command\":\"restart\"}").await.0, 404);
    assert_eq!(service.ask("DELETE", "/streams/99", "").await.0, 404);
}

#[tokio::test]
async fn what_a_stream_hears_is_called_back_in_order() {
    let mut stream = Server::start(|request, mut socket| async move {
        if request.nth == 0 {
            send(&mut socket, format!("{STREAM}: hi\nid: 1\rdata: a\r\rdata: lost")).await; // and the end
        } else {
            send(&mut socket, format!("{STREAM}data: b\n\n")).await;
            hold(&mut socket).await;
        }
    })
    .await;
    let mut callbacks = start_callbacks().await;
    let service = Service::start().await;
    let asked = json!({"method": "REPORT", "body": "q", "headers": {"content-type": "text/x"}, "lastEventId": "0"});
    let location = service.open(&stream, &callbacks, asked).await;
    assert_eq!(next_callback(&mut callbacks, 1).await, json!({"kind": "comment", "comment": " hi"}));
    assert_eq!(next_callback(&mut callbacks, 2).await, event("a", "1"));
    assert_eq!(next_callback(&mut callbacks, 3).await, event("b", "1"), "no error for a plain end");
    for id in ["0", "1"] {
        let request = stream.next_request().await;
        assert_eq!((request.line(), request.body.as_str()), ("REPORT /stream", "q"));
        assert_eq!(request.header("last-event-id"), Some(id));
        assert_eq!(request.header("content-type"), Some("text/x"));
    }
    assert_eq!(service.ask("POST", &location, "{\"command\":\"dance\"}").await.0, 400);
    assert_eq!(service.ask("POST", &location, "{\"command\":\"restart\"}").await.0, 202);
    assert_eq!(next_callback(&mut callbacks, 4).await, event("b", "1"));
    assert_eq!(service.ask("DELETE", &location, "").await.0, 204);
    assert_eq!(service.ask("DELETE", &location, "").await.0, 404);
}

#[tokio::test]
async fn silence_and_a_bad_redirect_are_errors() {
    let silent = Server::start(|_, mut socket| async move {
        send(&mut socket, STREAM).await;
        hold(&mut socket).await;
    })
    .await;
    let nowhere = Server::start(|_, mut socket| async move {
        send(&mut socket, "HTTP/1.1 307 Elsewhere\r\nLocation: \r\nContent-Length: 0\r\n\r\n").await;
    })
    .await;
    let service = Service::start().await;
    for (stream, with) in [(silent, json!({"readTimeoutMs": 100})), (nowhere, json!({}))] {
        let mut callbacks = start_callbacks().await;
        service.open(&stream, &callbacks, with).await;
        assert_eq!(next_callback(&mut callbacks, 1).await["kind"], "error");
    }
}

#[tokio::test]
async fn it_ends_when_told() {
    let mut service = Service::start().await;
    assert_eq!(service.ask("DELETE", "/", "").await.0, 204);
    let ended = tokio::task::spawn_blocking(move || service.process.wait());
    let status = tokio::time::timeout(crate::support::DEADLINE, ended).await.expect("it ends").expect("no panic");
    assert!(status.expect("it ran").success());
}
