//! A child process for tests that send signals; `tidings_e2e::Program` knows SIGTERM and the end alone.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Instant;

pub(crate) use rustix::process::Signal;
use rustix::process::{Pid, kill_process};
use tidings_e2e::{DEADLINE, tidings};

/// A running command, ended by SIGKILL when it is dropped.
pub(crate) struct Signalled {
    child: Child,
    stdout: Receiver<String>,
    stderr: Receiver<String>,
}

impl Signalled {
    #[track_caller]
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let mut command = tidings(arguments);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program starts");
        let stdout = lines(child.stdout.take().expect("stdout is piped"));
        let stderr = lines(child.stderr.take().expect("stderr is piped"));
        Self { child, stdout, stderr }
    }

    pub(crate) fn signal(&self, signal: Signal) {
        // Not waited for yet, so the id cannot belong to anyone else.
        kill_process(Pid::from_child(&self.child), signal).expect("one's own child takes signals");
    }

    /// The next line of stdout with this in it.
    #[track_caller]
    pub(crate) fn wait_for_stdout(&mut self, text: &str) -> String {
        next_with(&self.stdout, text).unwrap_or_else(|fault| panic!("stdout: waited for {text:?}, but {fault}"))
    }

    /// The next line of stderr with this in it.
    #[track_caller]
    pub(crate) fn wait_for_stderr(&mut self, text: &str) -> String {
        next_with(&self.stderr, text).unwrap_or_else(|fault| panic!("stderr: waited for {text:?}, but {fault}"))
    }

    /// Waits for the end; the exit code, `None` when the signal itself ended it.
    #[track_caller]
    pub(crate) fn wait(mut self) -> Option<i32> {
        // Both pipes end with the process.
        assert_eq!(next_with(&self.stdout, "\0"), Err("it ended".to_owned()));
        self.child.wait().expect("nobody else waits for this child").code()
    }
}

impl Drop for Signalled {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn lines(pipe: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel(); // a test reads all of the little that is printed
    thread::spawn(move || {
        for line in BufReader::new(pipe).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    receiver
}

fn next_with(lines: &Receiver<String>, text: &str) -> Result<String, String> {
    let deadline = Instant::now() + DEADLINE;
    loop {
        match lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(line) if line.contains(text) => return Ok(line),
            Ok(_) => {}
            Err(RecvTimeoutError::Timeout) => return Err("the deadline passed".to_owned()),
            Err(RecvTimeoutError::Disconnected) => return Err("it ended".to_owned()),
        }
    }
}
