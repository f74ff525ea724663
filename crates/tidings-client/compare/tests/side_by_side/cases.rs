//! The cases: what a server does, and what a client by the standard makes of it.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::support::{Request, STREAM, hold, send};

/// One row of the table.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) act: fn(Request, TcpStream) -> Act,
    pub(crate) want: Want,
}

type Act = Pin<Box<dyn Future<Output = ()> + Send>>;

/// What is right.
#[derive(Clone, Copy)]
pub(crate) enum Want {
    /// These events, before any other: type, data, id.
    Events(&'static [(&'static str, &'static str, &'static str)]),
    /// A request of this number (from 0) of which this is true.
    Request(usize, fn(&Request) -> Result<(), String>),
    /// So many requests, and no more.
    Stop(usize),
    /// An error.
    Error,
}

pub(crate) const CASES: &[Case] = &[
    Case {
        name: "a byte order mark at the start is dropped",
        act: |_, socket| stream(socket, &["\u{feff}data: a\n\n"]),
        want: Want::Events(&[("message", "a", "")]),
    },
    Case {
        name: "a lone CR ends a line at once",
        act: |_, socket| stream(socket, &["data: a\r\r"]),
        want: Want::Events(&[("message", "a", "")]),
    },
    Case {
        name: "CR LF split over two reads is one end",
        act: |_, socket| stream(socket, &["data: a\r", "\ndata: b\r", "\n\r", "\n"]),
        want: Want::Events(&[("message", "a\nb", "")]),
    },
    Case {
        name: "one space after the colon goes, and no more",
        act: |_, socket| stream(socket, &["data:  a \n\n"]),
        want: Want::Events(&[("message", " a ", "")]),
    },
    Case {
        name: "a `data` line without colon is an empty event",
        act: |_, socket| stream(socket, &["data\n\ndata: a\n\n"]),
        want: Want::Events(&[("message", "", ""), ("message", "a", "")]),
    },
    Case {
        name: "a block without data is no event",
        act: |_, socket| stream(socket, &["event: x\n\ndata: a\n\n"]),
        want: Want::Events(&[("message", "a", "")]),
    },
    Case {
        name: "an empty `event` is a message",
        act: |_, socket| stream(socket, &["event: x\nevent:\ndata: a\n\n"]),
        want: Want::Events(&[("message", "a", "")]),
    },
    Case {
        name: "malformed UTF-8 becomes U+FFFD",
        act: |_, socket| stream_bytes(socket, &[b"data: \xFF\n\n"]),
        want: Want::Events(&[("message", "\u{fffd}", "")]),
    },
    Case {
        name: "an id holds for later events",
        act: |_, socket| stream(socket, &["id: 1\ndata: a\n\ndata: b\n\n"]),
        want: Want::Events(&[("message", "a", "1"), ("message", "b", "1")]),
    },
    Case {
        name: "an id with NUL is ignored",
        act: |_, socket| stream(socket, &["id: 1\nid: 2\0\ndata: a\n\n"]),
        want: Want::Events(&[("message", "a", "1")]),
    },
    Case {
        name: "comes back after the end",
        act: |_, socket| ended(socket, "data: a\n\n"),
        want: Want::Request(1, |_| Ok(())),
    },
    Case {
        name: "says where it was",
        act: |_, socket| ended(socket, "id: 1\ndata: a\n\n"),
        want: Want::Request(1, |request| want_id(request, "1")),
    },
    Case {
        name: "and still after a connection that said nothing",
        act: |request, socket| ended(socket, if request.nth == 0 { "id: 1\ndata: a\n\n" } else { ":\n" }),
        want: Want::Request(2, |request| want_id(request, "1")),
    },
    Case {
        name: "an id without data moves the place",
        act: |_, socket| ended(socket, "id: 1\ndata: a\n\nid: 2\n\n"),
        want: Want::Request(1, |request| want_id(request, "2")),
    },
    Case {
        name: "an unfinished event does not move it",
        act: |_, socket| ended(socket, "id: 1\ndata: a\n\nid: 2\ndata: b\n"),
        want: Want::Request(1, |request| want_id(request, "1")),
    },
    Case {
        name: "an empty id takes it away",
        act: |_, socket| ended(socket, "id: 1\ndata: a\n\nid\ndata: b\n\n"),
        want: Want::Request(1, |request| want_id(request, "")),
    },
    Case {
        name: "asks with `Accept` and `Cache-Control`",
        act: |_, socket| stream(socket, &["data: a\n\n"]),
        want: Want::Request(0, |request| {
            let sent = (request.header("accept"), request.header("cache-control"));
            match sent {
                (Some("text/event-stream"), Some("no-cache" | "no-store")) => Ok(()),
                (Some("text/event-stream"), _) => Err("no `Cache-Control`".to_owned()),
                _ => Err("no `Accept`".to_owned()),
            }
        }),
    },
    Case {
        name: "a 204 stops it",
        act: |request, socket| match request.nth {
            0 => ended(socket, "data: a\n\n"),
            _ => answer(socket, "HTTP/1.1 204 No Content\r\n\r\n"),
        },
        want: Want::Stop(2),
    },
    Case {
        name: "a 404 stops it",
        act: |_, socket| answer(socket, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"),
        want: Want::Stop(1),
    },
    Case {
        name: "another content type is an error",
        act: |_, socket| answer(socket, "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\ndata: a\n\n"),
        want: Want::Error,
    },
    Case {
        name: "a permanent redirect is remembered",
        act: |request, socket| match request.line() {
            "GET /new" => ended(socket, "data: a\n\n"),
            _ => answer(socket, "HTTP/1.1 301 Moved\r\nLocation: /new\r\nContent-Length: 0\r\n\r\n"),
        },
        want: Want::Request(2, |request| match request.line() {
            "GET /new" => Ok(()),
            _ => Err("asks the old place".to_owned()),
        }),
    },
    Case {
        name: "silence is noticed (with its option for it)",
        act: |_, socket| stream(socket, &["data: a\n\n"]),
        want: Want::Request(1, |_| Ok(())),
    },
    Case {
        name: "an endless line is refused",
        act: |_, mut socket| {
            Box::pin(async move {
                send(&mut socket, STREAM).await;
                send(&mut socket, vec![b'x'; 16 << 20]).await;
                // On and on, so that no limit of silence ends it; writing fails when the client has left.
                while socket.write_all(b"x").await.is_ok() {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            })
        },
        want: Want::Error,
    },
];

fn want_id(request: &Request, want: &str) -> Result<(), String> {
    match request.header("last-event-id").unwrap_or_default() {
        got if got == want => Ok(()),
        "" => Err("no id".to_owned()),
        got => Err(format!("id `{got}`")),
    }
}

/// A stream in pieces that stays open.
fn stream(socket: TcpStream, pieces: &'static [&'static str]) -> Act {
    Box::pin(pour(socket, pieces.iter().map(|piece| piece.as_bytes())))
}

fn stream_bytes(socket: TcpStream, pieces: &'static [&'static [u8]]) -> Act {
    Box::pin(pour(socket, pieces.iter().copied()))
}

async fn pour(mut socket: TcpStream, pieces: impl Iterator<Item = &'static [u8]> + Send) {
    let _ = socket.set_nodelay(true);
    send(&mut socket, STREAM).await;
    for piece in pieces {
        // So that each is a read of its own: this is how a network splits.
        tokio::time::sleep(Duration::from_millis(30)).await;
        send(&mut socket, piece).await;
    }
    hold(&mut socket).await;
}

/// A stream that ends in an orderly way.
fn ended(mut socket: TcpStream, body: &'static str) -> Act {
    Box::pin(async move {
        let head = STREAM.replace("\r\n\r\n", "\r\nConnection: close\r\n");
        send(&mut socket, format!("{head}Content-Length: {}\r\n\r\n{body}", body.len())).await;
    })
}

fn answer(mut socket: TcpStream, text: &'static str) -> Act {
    Box::pin(async move { send(&mut socket, text.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n")).await })
}
