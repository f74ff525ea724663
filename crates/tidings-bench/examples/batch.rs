//! A bare loop to compare with: publishes are acknowledged at once, and two threads write all that gathered as one write for
//! each subscriber, from a shared log with a cursor for each.
//!
//! It is the idea of the hub and nothing else: no topics, no resume, no limits, no authorisation. `batch [ADDRESS]`

mod common;

use std::collections::BTreeMap;
use std::error::Error;
use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use common::{ACCEPTED, Outlet, STREAM, Written, event, first_request, listen, read_all};
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token, Waker};

const LISTENER: Token = Token(0);
const WAKER: Token = Token(usize::MAX);
const SHARDS: usize = 2;

/// What a shard has not seen yet.
#[derive(Default)]
struct Inbox {
    frames: Vec<u8>,
    /// New subscribers, each with how many of these bytes came before it.
    joining: Vec<(Outlet, Token, usize)>,
}

struct ShardHandle {
    inbox: Mutex<Inbox>,
    sleeps: AtomicBool,
    waker: Waker,
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut listener = listen()?;
    let mut poll = Poll::new()?;
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    let mut shards = Vec::new();
    let mut registries = Vec::new();
    for _ in 0..SHARDS {
        let poll = Poll::new()?;
        registries.push(poll.registry().try_clone()?);
        let waker = Waker::new(poll.registry(), WAKER)?;
        let shard = Arc::new(ShardHandle { inbox: Mutex::default(), sleeps: AtomicBool::new(false), waker });
        shards.push(Arc::clone(&shard));
        thread::spawn(move || deliver(poll, &shard));
    }

    let mut connections: BTreeMap<Token, (TcpStream, Vec<u8>)> = BTreeMap::new();
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
                    poll.registry().register(&mut stream, token, Interest::READABLE)?;
                    connections.insert(token, (stream, Vec::new()));
                }
                continue;
            }
            let Some((mut stream, mut bytes)) = connections.remove(&token) else { continue };
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
                for shard in &shards {
                    shard.give(|inbox| inbox.frames.extend_from_slice(&frame));
                }
                stream.write_all(ACCEPTED)?;
                bytes.drain(..len);
            }
            if joins {
                poll.registry().deregister(&mut stream)?;
                let at = token.0 % SHARDS;
                registries[at].register(&mut stream, token, Interest::READABLE | Interest::WRITABLE)?;
                let mut outlet = Outlet::new(stream);
                outlet.write([STREAM, b"", b""]);
                shards[at].give(|inbox| inbox.joining.push((outlet, token, inbox.frames.len())));
            } else if is_open {
                connections.insert(token, (stream, bytes));
            }
        }
    }
}

impl ShardHandle {
    fn give(&self, change: impl FnOnce(&mut Inbox)) {
        change(&mut self.inbox.lock().unwrap_or_else(PoisonError::into_inner));
        if self.sleeps.swap(false, Ordering::SeqCst) {
            // A shard that cannot be woken is woken by the next one who tries.
            let _ = self.waker.wake();
        }
    }

    fn take(&self) -> Inbox {
        std::mem::take(&mut *self.inbox.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn is_empty(&self) -> bool {
        let inbox = self.inbox.lock().unwrap_or_else(PoisonError::into_inner);
        inbox.frames.is_empty() && inbox.joining.is_empty()
    }
}

/// One shard: all that gathered since the last turn is one write for each of its subscribers.
fn deliver(mut poll: Poll, shard: &ShardHandle) {
    let mut events = Events::with_capacity(1024);
    // The log since the slowest subscriber, and where each of them stands in it.
    let mut log = Vec::new();
    let mut subscribers: BTreeMap<Token, (Outlet, usize)> = BTreeMap::new();
    loop {
        let Inbox { frames, joining } = shard.take();
        let begins_at = log.len();
        if log.is_empty() {
            log = frames;
        } else {
            log.extend_from_slice(&frames);
        }
        subscribers.extend(joining.into_iter().map(|(outlet, token, at)| (token, (outlet, begins_at + at))));
        subscribers.retain(|_, (outlet, at)| {
            if *at == log.len() {
                return true;
            }
            let rest = &log[*at..];
            let written = outlet.write([format!("{:x}\r\n", rest.len()).as_bytes(), rest, b"\r\n"]);
            if written == Written::Taken {
                *at = log.len();
            }
            written != Written::Gone
        });
        if subscribers.values().all(|(_, at)| *at == log.len()) {
            log.clear();
            for (_, at) in subscribers.values_mut() {
                *at = 0;
            }
        }

        shard.sleeps.store(true, Ordering::SeqCst);
        if shard.is_empty() {
            if poll.poll(&mut events, None).is_err() {
                return;
            }
            for ready in &events {
                let gone = subscribers
                    .get_mut(&ready.token())
                    .is_some_and(|(outlet, _)| ready.is_read_closed() || outlet.flush() == Written::Gone);
                if gone {
                    subscribers.remove(&ready.token());
                }
            }
        }
        shard.sleeps.store(false, Ordering::SeqCst);
    }
}
