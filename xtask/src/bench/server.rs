//! A server under test: started, found, stopped.

use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// How to start a server, and how it is found then.
#[derive(Debug)]
pub(super) struct Start {
    pub(super) command: Command,
    pub(super) announcement: Announcement,
}

/// How a server is found.
#[derive(Clone, Copy, Debug)]
pub(super) enum Announcement {
    /// It says `listening on http://ADDRESS` on stdout.
    Line,
    /// It was told this port.
    Port(u16),
}

/// A server that runs until this is dropped.
#[derive(Debug)]
pub(super) struct RunningServer {
    child: Child,
    address: SocketAddr,
}

impl Start {
    pub(super) fn announcing(command: Command) -> Self {
        Self { command, announcement: Announcement::Line }
    }
}

impl RunningServer {
    /// Starts it and waits until it accepts.
    ///
    /// # Errors
    /// When it does not start, or does not accept in time.
    pub(super) fn start(start: Start) -> Result<Self, String> {
        let Start { mut command, announcement } = start;
        let name = command.get_program().to_string_lossy().into_owned();
        command.stdin(Stdio::null()).stderr(Stdio::null());
        command.stdout(match announcement {
            Announcement::Line => Stdio::piped(),
            Announcement::Port(_) => Stdio::null(),
        });
        let child = command.spawn().map_err(|error| format!("{name}: {error}"))?;
        // Held from here on, so that it is stopped whatever happens.
        let mut server = Self { child, address: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)) };
        server.address = match announcement {
            Announcement::Port(port) => SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
            Announcement::Line => {
                let stdout = server.child.stdout.take().expect("stdout is piped");
                announced(stdout).ok_or_else(|| format!("{name} did not say where it listens"))?
            }
        };
        let deadline = Instant::now() + START_TIMEOUT;
        while TcpStream::connect(server.address).is_err() {
            if Instant::now() >= deadline || !matches!(server.child.try_wait(), Ok(None)) {
                return Err(format!("{name} does not accept on {}", server.address));
            }
            thread::sleep(LOOKED_EVERY);
        }
        // Some do more after they accept; it is not to be counted as the cost of the first connections.
        thread::sleep(REST);
        Ok(server)
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for RunningServer {
    /// Asks first: a server with child processes must end them itself.
    fn drop(&mut self) {
        if let Some(pid) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            let _ = kill_process(pid, Signal::TERM);
        }
        let deadline = Instant::now() + STOP_TIMEOUT;
        while Instant::now() < deadline {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            thread::sleep(LOOKED_EVERY);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The address on the line that says it. The rest of the output is read and dropped, so that the server can go on writing.
fn announced(stdout: ChildStdout) -> Option<SocketAddr> {
    let (sender, address) = mpsc::sync_channel(1);
    thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            if let Some(address) = line.strip_prefix("listening on http://").and_then(|text| text.trim().parse().ok()) {
                let _ = sender.try_send(address);
            }
        }
    });
    address.recv_timeout(START_TIMEOUT).ok()
}

const START_TIMEOUT: Duration = Duration::from_secs(10);
const STOP_TIMEOUT: Duration = Duration::from_secs(15);
const LOOKED_EVERY: Duration = Duration::from_millis(50);
const REST: Duration = Duration::from_millis(500);
