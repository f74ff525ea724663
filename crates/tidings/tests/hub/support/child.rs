//! A hub in a process of its own, so that its memory and its descriptors can be measured: this test binary once more,
//! told by its environment to be one.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write as _};
use std::net::SocketAddr;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;
use std::{env, fs, thread};

use tidings::{CloseReason, Delivery, HistoryLimits, Limits};

use super::client::Client;
use super::hub::{Setup, TestHub, wide_limits};
use super::{DEADLINE, raise_open_files};

/// What the hub of a child process is like.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    pub(crate) delivery: Delivery,
    pub(crate) is_far: bool,
    pub(crate) history_bytes: usize,
    pub(crate) slow_client_timeout: Option<Duration>,
}

/// A hub in a process of its own. Ends with this.
pub(crate) struct ChildHub {
    pub(crate) address: SocketAddr,
    process: Child,
    commands: ChildStdin,
    answers: Receiver<String>,
}

const SETTINGS: &str = "TIDINGS_TEST_CHILD";
const LISTENING: &str = "listening ";
const COUNTERS: &str = "counters ";

#[test]
#[ignore = "no test, but the hub of a child process"]
fn be_a_hub() {
    if let Ok(settings) = env::var(SETTINGS) {
        serve(Settings::parse(&settings));
    }
}

impl ChildHub {
    #[track_caller]
    pub(crate) fn start(settings: Settings) -> Self {
        let program = env::current_exe().expect("a test knows its own file");
        let mut process = Command::new(program)
            .args(["--exact", "support::child::be_a_hub", "--ignored", "--nocapture", "--test-threads=1"])
            .env(SETTINGS, settings.to_text())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a test can be started once more");
        let commands = process.stdin.take().expect("it is piped");
        let output = process.stdout.take().expect("it is piped");
        let (lines, answers) = channel();
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if lines.send(line).is_err() {
                    return;
                }
            }
        });
        let mut hub = Self { address: ([127, 0, 0, 1], 0).into(), process, commands, answers };
        hub.address = hub.answer(LISTENING).parse().expect("it prints its address");
        // Once it has answered, all that it has for itself is there.
        assert_eq!(Client::connect(hub.address).request("GET", "/healthz", "", b"").head.status, 200);
        hub
    }

    /// What its hub counts now.
    pub(crate) fn counters(&mut self) -> HashMap<String, u64> {
        writeln!(self.commands, "counters").expect("the child reads");
        let answer = self.answer(COUNTERS);
        let pairs = answer.split(' ').filter_map(|pair| pair.split_once('='));
        pairs.map(|(name, value)| (name.to_owned(), value.parse().expect("a number"))).collect()
    }

    /// Sessions of either way, now.
    pub(crate) fn sessions(&mut self) -> u64 {
        let counters = self.counters();
        counters["sessions_direct"] + counters["sessions_body"]
    }

    /// Files it has open.
    pub(crate) fn open_files(&self) -> usize {
        let path = format!("/proc/{}/fd", self.process.id());
        fs::read_dir(&path).unwrap_or_else(|error| panic!("{path}: {error}")).count()
    }

    /// Memory of its own, without its code. Unit: bytes.
    pub(crate) fn memory(&self) -> usize {
        let path = format!("/proc/{}/smaps_rollup", self.process.id());
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
        let kib: Option<usize> =
            text.lines().find_map(|line| line.strip_prefix("Anonymous:")?.strip_suffix("kB")?.trim().parse().ok());
        1024 * kib.unwrap_or_else(|| panic!("{path} has no Anonymous: {text}"))
    }

    #[track_caller]
    fn answer(&self, prefix: &str) -> String {
        loop {
            match self.answers.recv_timeout(DEADLINE) {
                // The harness of the tests says things too, perhaps on the same line.
                Ok(line) => {
                    if let Some((_, answer)) = line.split_once(prefix) {
                        return answer.to_owned();
                    }
                }
                Err(RecvTimeoutError::Timeout) => panic!("waited {DEADLINE:?} for {prefix:?} of the child"),
                Err(RecvTimeoutError::Disconnected) => panic!("the child ended before it said {prefix:?}"),
            }
        }
    }
}

impl Drop for ChildHub {
    fn drop(&mut self) {
        // It may have ended by itself, which is the same.
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

impl Settings {
    fn to_text(self) -> String {
        let timeout = self.slow_client_timeout.map_or(0, |timeout| timeout.as_millis());
        format!("{:?} {} {} {timeout}", self.delivery, self.is_far, self.history_bytes)
    }

    fn parse(text: &str) -> Self {
        let [delivery, is_far, history_bytes, timeout] = text.split(' ').collect::<Vec<_>>()[..] else {
            panic!("{SETTINGS}={text:?} has not four parts");
        };
        let timeout = timeout.parse().expect("milliseconds");
        Self {
            delivery: if delivery == "Body" { Delivery::Body } else { Delivery::Direct },
            is_far: is_far == "true",
            history_bytes: history_bytes.parse().expect("bytes"),
            slow_client_timeout: (timeout > 0).then(|| Duration::from_millis(timeout)),
        }
    }
}

/// Is a hub until standard input ends.
fn serve(settings: Settings) {
    raise_open_files();
    let history = HistoryLimits { bytes_max: settings.history_bytes, ..HistoryLimits::default() };
    let Settings { delivery, is_far, .. } = settings;
    let hub = TestHub::start_keeping(Setup { delivery, is_far }, history, |builder| {
        let limits = Limits { slow_client_timeout: settings.slow_client_timeout, ..wide_limits() };
        // Short, so that what is kept until then is gone soon.
        builder.limits(limits).heartbeat(Some(Duration::from_millis(200)))
    });
    let say = |line: String| {
        let mut output = std::io::stdout().lock();
        writeln!(output, "{line}").and_then(|()| output.flush()).expect("the parent reads");
    };
    say(format!("{LISTENING}{}", hub.address));
    for _command in std::io::stdin().lines().map_while(Result::ok) {
        let counters = hub.counters();
        let mut line = format!(
            "{COUNTERS}allocated={} sessions_direct={} sessions_body={} joined_direct={} joined_body={} pinned_bytes={}",
            crate::ALLOCATOR.allocated(),
            counters.sessions_direct.get(),
            counters.sessions_body.get(),
            counters.joined_direct.get(),
            counters.joined_body.get(),
            counters.pinned_bytes.get(),
        );
        for reason in CloseReason::ALL {
            write!(line, " {reason}={}", counters.closed(*reason).get()).expect("a text takes all that is written");
        }
        say(line);
    }
}
