//! A child process whose output is read while it runs, so that tests can wait for what it prints.
//!
//! Ends only its own child: by SIGTERM or SIGKILL when asked, by SIGKILL when dropped while it still runs.

use std::io::{Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::DEADLINE;

/// A running program.
#[derive(Debug)]
pub struct Program {
    name: String,
    child: Child,
    stdin: Option<ChildStdin>,
    output: Arc<Output>,
    is_reaped: bool,
}

/// What a program that ended has said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finished {
    /// The exit code; `None` when a signal ended it.
    pub code: Option<i32>,
    /// All of its standard output; what is not UTF-8 is replaced.
    pub stdout: String,
    /// All of its standard error; what is not UTF-8 is replaced.
    pub stderr: String,
}

/// What both pipes have given so far. The lock is held to append and to look, never to wait.
#[derive(Debug, Default)]
struct Output {
    said: Mutex<Said>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Said {
    stdout: Vec<u8>,
    stderr: Vec<u8>,
    /// Pipes at their end, of two. A pipe ends when the last process that holds it is gone.
    ended: u8,
}

impl Program {
    /// Starts it with both outputs and the input piped.
    #[track_caller]
    pub fn start(command: &mut Command) -> Self {
        let name = command.get_program().to_string_lossy().into_owned();
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{name} did not start: {error}"));
        let output = Arc::new(Output::default());
        let stdout = child.stdout.take().expect("stdout is piped");
        let stderr = child.stderr.take().expect("stderr is piped");
        gather(stdout, &output, |said| &mut said.stdout);
        gather(stderr, &output, |said| &mut said.stderr);
        Self { name, stdin: child.stdin.take(), child, output, is_reaped: false }
    }

    /// Waits until `find` finds what it looks for in all of stdout so far, and gives that.
    ///
    /// `what` completes "waited for …" when the deadline passes or the program ends before.
    #[track_caller]
    pub fn wait_for_stdout<T>(&self, what: &str, find: impl FnMut(&[u8]) -> Option<T>) -> T {
        self.wait_for_said(what, |said| &said.stdout, find)
    }

    /// Waits for a line of stdout for which `find` finds something, and gives that.
    #[track_caller]
    pub fn wait_for_line<T>(&self, what: &str, mut find: impl FnMut(&str) -> Option<T>) -> T {
        self.wait_for_stdout(what, |stdout| {
            let text = String::from_utf8_lossy(stdout);
            text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n')).find_map(&mut find)
        })
    }

    /// Waits until `find` finds what it looks for in all of stderr so far, and gives that.
    ///
    /// `what` completes "waited for …" when the deadline passes or the program ends before.
    #[track_caller]
    pub fn wait_for_stderr<T>(&self, what: &str, find: impl FnMut(&[u8]) -> Option<T>) -> T {
        self.wait_for_said(what, |said| &said.stderr, find)
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Writes all of `input` to its standard input and ends that.
    #[track_caller]
    pub fn give_stdin(&mut self, input: &[u8]) {
        let mut stdin = self.stdin.take().expect("the input is given once");
        stdin.write_all(input).unwrap_or_else(|error| panic!("{}: its input: {error}", self.name));
    }

    /// Waits until it ends by itself. An input that was not given ends now.
    #[track_caller]
    pub fn finish(mut self) -> Finished {
        self.stdin = None;
        let deadline = Instant::now() + DEADLINE;
        let mut said = self.output.lock();
        while said.ended < 2 {
            let Some(left) = deadline.checked_duration_since(Instant::now()) else {
                panic!("{}: the deadline passed and it still runs\n{}", self.name, said.shown());
            };
            said = self.output.wait(said, left);
        }
        let stdout = String::from_utf8_lossy(&said.stdout).into_owned();
        let stderr = String::from_utf8_lossy(&said.stderr).into_owned();
        drop(said);
        let status = self.child.wait().expect("nobody else waits for this child");
        self.is_reaped = true;
        Finished { code: status.code(), stdout, stderr }
    }

    /// Ends it at once (SIGKILL): it learns nothing of it and tidies nothing up.
    #[track_caller]
    pub fn kill(mut self) -> Finished {
        self.child.kill().unwrap_or_else(|error| panic!("{}: it cannot be killed: {error}", self.name));
        self.finish()
    }

    #[track_caller]
    fn wait_for_said<T>(&self, what: &str, pipe: fn(&Said) -> &Vec<u8>, mut find: impl FnMut(&[u8]) -> Option<T>) -> T {
        let deadline = Instant::now() + DEADLINE;
        let mut said = self.output.lock();
        loop {
            if let Some(found) = find(pipe(&said)) {
                return found;
            }
            let fault = match deadline.checked_duration_since(Instant::now()) {
                _ if said.ended == 2 => "it ended",
                None => "the deadline passed",
                Some(left) => {
                    said = self.output.wait(said, left);
                    continue;
                }
            };
            panic!("{}: waited for {what}, but {fault}\n{}", self.name, said.shown());
        }
    }

    /// Asks it to read its settings again (SIGHUP).
    #[track_caller]
    pub fn hang_up(&self) {
        let asked = kill_process(Pid::from_child(&self.child), Signal::HUP);
        asked.unwrap_or_else(|error| panic!("{}: it cannot be asked: {error}", self.name));
    }

    /// Asks it to end (SIGTERM) and waits until it has.
    #[track_caller]
    pub fn terminate(self) -> Finished {
        // It is not reaped yet, so the id cannot belong to anyone else. An error can only say
        // that it has ended by itself already, and then there is nothing to ask.
        let _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
        self.finish()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        if self.is_reaped {
            return;
        }
        // A test is failing, or is done with a client that would go on for ever.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            let shown = self.output.lock().shown();
            #[expect(clippy::print_stderr, reason = "shown with the failure of the test")]
            {
                eprintln!("{} was ended by the failing test\n{shown}", self.name);
            }
        }
    }
}

impl Output {
    fn lock(&self) -> MutexGuard<'_, Said> {
        // A panic while the lock is held is a failing `find`; the bytes are whole all the same.
        self.said.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, said: MutexGuard<'a, Said>, at_most: Duration) -> MutexGuard<'a, Said> {
        self.changed.wait_timeout(said, at_most).unwrap_or_else(PoisonError::into_inner).0
    }
}

impl Said {
    fn shown(&self) -> String {
        format!("--- stdout\n{}\n--- stderr\n{}\n---", tail(&self.stdout), tail(&self.stderr))
    }
}

impl Finished {
    /// Fails unless it exited with `code`.
    #[track_caller]
    pub fn expect_code(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "exit code of {self:#?}");
        self
    }
}

/// Reads a pipe to its end on a thread of its own, which ends with the pipe.
fn gather(mut pipe: impl Read + Send + 'static, output: &Arc<Output>, place: fn(&mut Said) -> &mut Vec<u8>) {
    let output = Arc::clone(output);
    thread::spawn(move || {
        let mut bytes = vec![0; 64 * 1024];
        // An error ends the pipe as its end does: nothing more will come.
        while let Ok(read @ 1..) = pipe.read(&mut bytes) {
            place(&mut output.lock()).extend_from_slice(&bytes[..read]);
            output.changed.notify_all();
        }
        output.lock().ended += 1;
        output.changed.notify_all();
    });
}

/// The end of what was said, enough to see what went wrong.
fn tail(bytes: &[u8]) -> String {
    let from = bytes.len().saturating_sub(TAIL_BYTES);
    String::from_utf8_lossy(&bytes[from..]).into_owned()
}

const TAIL_BYTES: usize = 8 * 1024;
