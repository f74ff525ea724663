//! A bare loop to compare with: one thread that sends each event by itself to each subscriber.
//!
//! It is what the kernel allows a server that writes once for each delivery. There is one topic, no replay, no limit, and
//! a reader that is too slow loses events. `limit [ADDRESS]`

mod common;

use std::collections::BTreeMap;
use std::error::Error;
use std::io::Write;

use common::{ACCEPTED, Outlet, STREAM, Written, event, first_request, listen, read_all};
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

const LISTENER: Token = Token(0);

fn main() -> Result<(), Box<dyn Error>> {
    let mut listener = listen()?;
    let mut poll = Poll::new()?;
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    let mut publishers: BTreeMap<Token, (TcpStream, Vec<u8>)> = BTreeMap::new();
    let mut subscribers: BTreeMap<Token, Outlet> = BTreeMap::new();
    let mut events = Events::with_capacity(1024);
    let mut buffer = vec![0; 64 * 1024];
    let mut next_token = 1;
    let mut next_id = 1;
    loop {
        poll.poll(&mut events, None)?;
        for ready in &events {
            let token = ready.token();
            if token == LISTENER {
                while let Ok((mut stream, _)) = listener.accept() {
                    stream.set_nodelay(true)?;
                    let token = Token(next_token);
                    next_token += 1;
                    poll.registry().register(&mut stream, token, Interest::READABLE | Interest::WRITABLE)?;
                    publishers.insert(token, (stream, Vec::new()));
                }
            } else if let Some(outlet) = subscribers.get_mut(&token) {
                if ready.is_read_closed() || outlet.flush() == Written::Gone {
                    subscribers.remove(&token);
                }
            } else if let Some((mut stream, mut bytes)) = publishers.remove(&token) {
                let is_open = read_all(&mut stream, &mut bytes, &mut buffer);
                let mut joins = false;
                while let Some(request) = first_request(&bytes) {
                    let len = request.len;
                    joins = request.subscribes;
                    if joins {
                        break;
                    }
                    let frame = event(next_id, request.body);
                    next_id += 1;
                    let head = format!("{:x}\r\n", frame.len());
                    subscribers.retain(|_, outlet| outlet.write([head.as_bytes(), &frame, b"\r\n"]) != Written::Gone);
                    stream.write_all(ACCEPTED)?;
                    bytes.drain(..len);
                }
                if joins {
                    let mut outlet = Outlet::new(stream);
                    outlet.write([STREAM, b"", b""]);
                    subscribers.insert(token, outlet);
                } else if is_open {
                    publishers.insert(token, (stream, bytes));
                }
            }
        }
    }
}
