//! What the scenarios share: hubs, readers, publishers, and patience with an end.

pub(crate) mod child;
pub(crate) mod client;
pub(crate) mod dechunk;
pub(crate) mod far;
pub(crate) mod hub;
pub(crate) mod reader;
pub(crate) mod seed;
pub(crate) mod shards;

use std::fmt::Debug;
use std::net::{SocketAddr, TcpStream};
use std::panic::resume_unwind;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use tidings::Delivery;

use self::hub::Setup;

/// No wait is longer.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

/// No scenario takes longer: many waits, each in time, would be too long together.
const SCENARIO_TIME_MAX: Duration = Duration::from_mins(1);

/// What the kernel keeps for a reader that is narrow.
const NARROW_BYTES: usize = 16 * 1024;

/// A binary megabyte.
pub(crate) const MIB: usize = 1024 * 1024;

/// Makes two tests of each scenario, one for each way out. A scenario is a function of a `Delivery`.
macro_rules! over_both_ways {
    ($($scenario:ident),+ $(,)?) => {
        mod direct {
            $(#[test] fn $scenario() { $crate::support::within_time(|| super::$scenario(tidings::Delivery::Direct)); })+
        }
        mod body {
            $(#[test] fn $scenario() { $crate::support::within_time(|| super::$scenario(tidings::Delivery::Body)); })+
        }
    };
}
pub(crate) use over_both_ways;

/// Makes four tests of each scenario: over each way out, with history at hand and with history that must be fetched. A
/// scenario is a function of a `Setup`.
macro_rules! over_both_ways_near_and_far {
    ($($scenario:ident),+ $(,)?) => {
        mod direct {
            $(#[test] fn $scenario() { $crate::support::run(super::$scenario, tidings::Delivery::Direct, false); })+
        }
        mod body {
            $(#[test] fn $scenario() { $crate::support::run(super::$scenario, tidings::Delivery::Body, false); })+
        }
        mod far_direct {
            $(#[test] fn $scenario() { $crate::support::run(super::$scenario, tidings::Delivery::Direct, true); })+
        }
        mod far_body {
            $(#[test] fn $scenario() { $crate::support::run(super::$scenario, tidings::Delivery::Body, true); })+
        }
    };
}
pub(crate) use over_both_ways_near_and_far;

/// Runs a scenario of a `Setup`.
#[track_caller]
pub(crate) fn run(scenario: fn(Setup), delivery: Delivery, is_far: bool) {
    within_time(move || scenario(Setup { delivery, is_far }));
}

/// Runs a scenario; fails when it takes too long, even if it can never end.
#[track_caller]
pub(crate) fn within_time(scenario: impl FnOnce() + Send + 'static) {
    let name = thread::current().name().unwrap_or("a scenario").to_owned();
    let (end, has_ended) = channel::<()>();
    let running = thread::Builder::new().name(name).spawn(move || {
        scenario();
        drop(end); // also when it panics
    });
    let running = running.expect("the system has a thread more");
    match has_ended.recv_timeout(SCENARIO_TIME_MAX) {
        Err(RecvTimeoutError::Timeout) => panic!("it has not ended in {SCENARIO_TIME_MAX:?}"),
        _ => running.join().unwrap_or_else(|panic| resume_unwind(panic)),
    }
}

/// Looks again and again until `is_so`.
#[track_caller]
pub(crate) fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !is_so() {
        assert!(Instant::now() < deadline, "waited {DEADLINE:?} until {what}");
        // Nobody unparks this thread: it leaves the processor to those it waits for.
        thread::park_timeout(Duration::from_millis(1));
    }
}

/// Looks again and again until `look` answers `want`.
#[track_caller]
pub(crate) fn eventually_equal<T: PartialEq + Debug>(what: &str, want: &T, mut look: impl FnMut() -> T) {
    let mut last = look();
    let deadline = Instant::now() + DEADLINE;
    while last != *want {
        assert!(Instant::now() < deadline, "waited {DEADLINE:?} until {what} is {want:?}, last it was {last:?}");
        thread::park_timeout(Duration::from_millis(1));
        last = look();
    }
}

/// A connection to a hub that cannot block for ever.
#[track_caller]
pub(crate) fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect_timeout(&address, DEADLINE);
    patient(stream.unwrap_or_else(|error| panic!("connecting to {address}: {error}")))
}

/// The same; the kernel keeps little for it. It is told so before it connects: it would drop what comes for a window
/// that it has announced and has no room for, and then wait for ever longer until that is sent again.
#[track_caller]
pub(crate) fn connect_narrow(address: SocketAddr) -> TcpStream {
    use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};
    let socket = socket_with(AddressFamily::INET, SocketType::STREAM, SocketFlags::CLOEXEC, None);
    let socket = socket.expect("there are descriptors enough");
    rustix::net::sockopt::set_socket_recv_buffer_size(&socket, NARROW_BYTES).expect("a socket takes SO_RCVBUF");
    rustix::net::connect(&socket, &address).unwrap_or_else(|error| panic!("connecting to {address}: {error}"));
    patient(socket.into())
}

fn patient(stream: TcpStream) -> TcpStream {
    stream.set_nodelay(true).expect("a socket takes TCP_NODELAY");
    stream.set_read_timeout(Some(DEADLINE)).expect("a time that is not zero");
    stream.set_write_timeout(Some(DEADLINE)).expect("a time that is not zero");
    stream
}

/// Ends a connection with RST: the other side learns nothing but that it is gone.
pub(crate) fn reset(stream: TcpStream) {
    rustix::net::sockopt::set_socket_linger(&stream, Some(Duration::ZERO)).expect("a socket takes SO_LINGER");
    drop(stream);
}

/// Lets this process have as many files open as it may.
pub(crate) fn raise_open_files() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).expect("the soft limit may be raised to the hard one");
}

/// `text` for a place in a query.
pub(crate) fn percent_encode(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

/// What a reader gets of `data`: each of CR, LF and CRLF ends a line, and lines are joined by LF.
pub(crate) fn as_read(data: &str) -> String {
    data.replace("\r\n", "\n").replace('\r', "\n")
}
