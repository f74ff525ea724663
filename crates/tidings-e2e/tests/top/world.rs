//! The hub that is looked into.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use rustix::net::sockopt::set_socket_recv_buffer_size;
use tidings_e2e::{DEADLINE, Hub, RawStream};

pub(crate) const TOKEN: &str = "0123456789abcdef";
pub(crate) const OPERATOR: &str = "Authorization: Bearer 0123456789abcdef";

/// A hub that operators may end streams of, with nobody in it.
#[track_caller]
pub(crate) fn hub(flags: &[&str]) -> Hub {
    let own = ["serve", "--memory", "--admin-listen", "127.0.0.1:0", "--slow-client-timeout", "0"];
    Hub::start_to_return(&[&own, flags].concat())
}

/// The same with somebody in it.
pub(crate) struct World {
    pub(crate) hub: Hub,
    /// Three of `prices/eur` and one of `chat/*`.
    pub(crate) live: Vec<RawStream>,
    /// Of `video`; it takes no byte though there are megabytes.
    pub(crate) blocked: NeverReads,
    /// Of `archive`, from its beginning; it takes no byte of its history.
    pub(crate) replaying: NeverReads,
}

impl World {
    #[track_caller]
    pub(crate) fn start() -> Self {
        let hub = hub(&["--admin-token", TOKEN]);
        let data = "x".repeat(512 * 1024);
        for _ in 0..8 {
            hub.publish("/events/archive", &data);
        }
        let blocked = NeverReads::start(hub.address(), "/events/video");
        let replaying = NeverReads::start(hub.address(), "/events/archive?since=earliest");
        let topics = ["prices/eur", "prices/eur", "prices/eur", "?topic=chat/*"];
        let path =
            |topic: &str| if topic.starts_with('?') { format!("/events{topic}") } else { format!("/events/{topic}") };
        let mut live: Vec<_> = topics.iter().map(|topic| RawStream::get(hub.address(), &path(topic), &[])).collect();
        for reader in &mut live {
            reader.wait_for_text("retry:");
        }
        eventually("six readers", || sessions(&hub) == 6);
        for _ in 0..8 {
            hub.publish("/events/video", &data);
        }
        Self { hub, live, blocked, replaying }
    }

    /// So much happens between two looks.
    pub(crate) fn publish_some(&self) {
        for number in 0..3 {
            self.hub.publish("/events/prices/eur", &format!("1.08{number}"));
        }
        self.hub.publish("/events/chat/42", "hello");
    }

    pub(crate) fn admin_url(&self) -> String {
        format!("http://{}", self.hub.admin_address())
    }
}

/// How many sessions are open.
#[track_caller]
pub(crate) fn sessions(hub: &Hub) -> u64 {
    count(hub, "tidings_sessions{way=\"direct\"}") + count(hub, "tidings_sessions{way=\"body\"}")
}

/// How many sessions were ended by an operator.
#[track_caller]
pub(crate) fn ended(hub: &Hub) -> u64 {
    count(hub, "tidings_sessions_closed_total{reason=\"operator\"}")
}

#[track_caller]
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a test counts some few")]
fn count(hub: &Hub, series: &str) -> u64 {
    hub.metric(series) as u64
}

/// A text as a part of a path or a query, whatever it holds.
pub(crate) fn escaped(text: &str) -> String {
    text.bytes().fold(String::new(), |escaped, byte| escaped + &format!("%{byte:02X}"))
}

/// A reader that never reads; it has room for little.
pub(crate) struct NeverReads(TcpStream);

impl NeverReads {
    fn start(address: SocketAddr, target: &str) -> Self {
        let SocketAddr::V4(v4) = address else { panic!("the hub of a test listens on IPv4") };
        let socket = rustix::net::socket(rustix::net::AddressFamily::INET, rustix::net::SocketType::STREAM, None)
            .expect("the system has a socket more");
        set_socket_recv_buffer_size(&socket, 4096).expect("a small buffer"); // before it connects, or it counts for nothing
        rustix::net::connect(&socket, &v4).expect("the hub listens");
        let mut stream = TcpStream::from(socket);
        let request = format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n");
        stream.write_all(request.as_bytes()).expect("it reads");
        Self(stream)
    }

    /// Reads at last, until there is no more.
    #[track_caller]
    pub(crate) fn expect_ended(&mut self) {
        self.0.set_read_timeout(Some(DEADLINE)).expect("a deadline is not zero");
        let mut bytes = [0; 16 * 1024];
        loop {
            match self.0.read(&mut bytes) {
                Ok(1..) => {}
                Ok(0) => return,
                Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => return,
                Err(error) => panic!("waited for the end of a stream, and reading gave {error}"),
            }
        }
    }
}

/// Looks again and again until it holds.
#[track_caller]
pub(crate) fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !holds() {
        assert!(Instant::now() < deadline, "waited for: {what}");
        std::thread::sleep(Duration::from_millis(20)); // between two looks
    }
}
