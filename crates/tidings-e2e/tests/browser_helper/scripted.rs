//! A server with a page, the helper, and streams that a test writes by hand: for what a hub says rarely, or at its time.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use tidings_e2e::{DEADLINE, Hub, request};

/// The server; it ends with the test program.
pub(crate) struct Scripted {
    address: SocketAddr,
    asked: Receiver<Asked>,
}

/// A request that is neither for the page nor for the helper. It waits for its answer.
pub(crate) struct Asked {
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) head: String,
    stream: TcpStream,
}

impl Scripted {
    pub(crate) fn start() -> Self {
        let hub = Hub::start(&["serve", "--memory"]);
        let helper = request(hub.address(), "GET", "/tidings.js", &[], b"").text();
        let listener = TcpListener::bind("127.0.0.1:0").expect("the system has a free port");
        let address = listener.local_addr().expect("a bound socket has an address");
        let (tell, asked) = channel(); // a test takes each request
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (tell, helper) = (tell.clone(), helper.clone());
                thread::spawn(move || {
                    let Some(asked) = Asked::read(stream) else { return };
                    match asked.target.as_str() {
                        "/" => asked.answer("200 OK", "text/html", PAGE),
                        "/without-workers" => {
                            asked.answer("200 OK\r\nContent-Security-Policy: worker-src 'none'", "text/html", PAGE);
                        }
                        "/tidings.js" => asked.answer("200 OK", "text/javascript", &helper),
                        "/favicon.ico" => asked.answer("404 Not Found", "text/plain", ""),
                        _ => drop(tell.send(asked)), // to nobody, when the test is over
                    }
                });
            }
        });
        Self { address, asked }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Waits for the next request.
    #[track_caller]
    pub(crate) fn wait_for_request(&self) -> Asked {
        self.asked.recv_timeout(DEADLINE).expect("a request comes")
    }
}

impl Asked {
    fn read(stream: TcpStream) -> Option<Self> {
        let mut reader = BufReader::new(stream.try_clone().ok()?);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if reader.read_line(&mut head).ok()? == 0 {
                return None;
            }
        }
        let mut words = head.split(' ');
        let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
        Some(Self { method, target, head, stream })
    }

    pub(crate) fn answer(mut self, status: &str, content_type: &str, body: &str) {
        let length = body.len();
        let head = format!("HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {length}\r\n");
        // The browser may have gone; then nobody misses the answer.
        let _ = self.stream.write_all(format!("{head}Connection: close\r\n\r\n{body}").as_bytes());
    }

    /// Begins a stream. It ends when what this gives is dropped.
    pub(crate) fn stream(mut self, first: &str) -> Streaming {
        let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\nConnection: close\r\n\r\n";
        self.stream.write_all(head.as_bytes()).expect("the browser waits for it");
        let mut streaming = Streaming(self.stream);
        streaming.send(first);
        streaming
    }
}

/// A stream that goes on.
pub(crate) struct Streaming(TcpStream);

impl Streaming {
    pub(crate) fn send(&mut self, frames: &str) {
        self.0.write_all(frames.as_bytes()).expect("the browser reads on");
    }
}

const PAGE: &str = "<!doctype html><title>A page</title>";
