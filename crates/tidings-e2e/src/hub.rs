//! The program under test, and the hub that `serve` and `demo` run.

use std::collections::BTreeMap;
use std::env;
use std::net::SocketAddr;
use std::process::Command;

use crate::http::{Response, request};
use crate::place::tidings_binary;
use crate::port;
use crate::program::{Finished, Program};

/// The `tidings` program with these arguments and none of the variables that configure it.
pub fn tidings(arguments: &[&str]) -> Command {
    let mut command = Command::new(tidings_binary());
    command.args(arguments);
    let is_setting = |name: &str| name.starts_with("TIDINGS_") || name.starts_with("MERCURE_");
    for (name, _) in env::vars_os() {
        if name.to_str().is_some_and(is_setting) {
            command.env_remove(name);
        }
    }
    command
}

/// A running hub; its process ends when this is dropped.
#[derive(Debug)]
pub struct Hub {
    arguments: Vec<String>,
    /// `None` between `stop` and `start_again`.
    program: Option<Program>,
    address: SocketAddr,
    admin: Option<SocketAddr>,
}

impl Hub {
    /// Starts `tidings ARGUMENTS --listen 127.0.0.1:0` and waits until it listens.
    ///
    /// The drain is short unless the arguments say otherwise: a test that stops a hub waits for it.
    #[track_caller]
    pub fn start(arguments: &[&str]) -> Self {
        Self::start_on(arguments, "127.0.0.1:0")
    }

    /// Starts `tidings ARGUMENTS` on a port that is still there when it starts again, however many connections are
    /// tried meanwhile: the system gives none of these to clients. So is the port of `--admin-listen 127.0.0.1:0`.
    #[track_caller]
    pub fn start_to_return(arguments: &[&str]) -> Self {
        let [listen, admin] = [(); 2].map(|()| format!("127.0.0.1:{}", port::of_no_client()));
        let mut arguments = arguments.to_vec();
        if let Some(at) = arguments.iter().position(|&word| word == "--admin-listen")
            && let Some(address) = arguments.get_mut(at + 1).filter(|address| **address == "127.0.0.1:0")
        {
            *address = &admin;
        }
        Self::start_on(&arguments, &listen)
    }

    #[track_caller]
    fn start_on(arguments: &[&str], listen: &str) -> Self {
        let mut arguments: Vec<String> = arguments.iter().map(|&word| word.to_owned()).collect();
        if !arguments.iter().any(|word| word == "--drain") {
            arguments.extend(["--drain".to_owned(), "100ms".to_owned()]);
        }
        let (program, address, admin) = run(&arguments, listen);
        Self { arguments, program: Some(program), address, admin }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The URL of a path (with any query) of this hub.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Ends it (SIGTERM) and waits until it is gone.
    #[track_caller]
    pub fn stop(&mut self) -> Finished {
        let program = self.program.take().expect("the hub runs until it is stopped");
        program.terminate()
    }

    /// Ends it at once (SIGKILL) and waits until it is gone.
    #[track_caller]
    pub fn kill(&mut self) -> Finished {
        let program = self.program.take().expect("the hub runs until it is stopped");
        program.kill()
    }

    /// Starts it again and ends it at once (SIGKILL) when it has written so many lines to its log, which is before it
    /// listens if they are few.
    #[track_caller]
    pub fn start_and_kill(&mut self, log_lines: usize) -> Finished {
        assert!(self.program.is_none(), "stop the hub before it starts again");
        let program = start_program(&self.arguments, &self.address.to_string());
        program.wait_for_stderr(&format!("{log_lines} lines of the log"), |stderr| {
            let lines = stderr.split(|&byte| byte == b'\n').count() - 1;
            (lines >= log_lines).then_some(())
        });
        program.kill()
    }

    /// Has it read its settings again (SIGHUP).
    #[track_caller]
    pub fn hang_up(&self) {
        self.program.as_ref().expect("a hub that does not run hears nothing").hang_up();
    }

    /// Its process.
    #[track_caller]
    pub fn pid(&self) -> u32 {
        self.program.as_ref().expect("a hub that does not run has no process").pid()
    }

    /// Waits for a line of its log in which all of these words stand, and gives that line.
    #[track_caller]
    pub fn wait_for_log(&self, words: &[&str]) -> String {
        self.wait_for_nth_log(words, 0)
    }

    /// Waits for one more line of its log in which all of these words stand, after so many others, and gives that line.
    #[track_caller]
    pub fn wait_for_nth_log(&self, words: &[&str], others: usize) -> String {
        let program = self.program.as_ref().expect("a hub that does not run logs nothing");
        program.wait_for_stderr(&format!("a line of the log with {words:?} after {others} others"), |stderr| {
            let text = String::from_utf8_lossy(stderr);
            let line = text.lines().filter(|line| words.iter().all(|word| line.contains(word))).nth(others)?;
            Some(line.to_owned())
        })
    }

    /// Starts it again on the port it had.
    #[track_caller]
    pub fn start_again(&mut self) {
        assert!(self.program.is_none(), "stop the hub before it starts again");
        let (program, address, admin) = run(&self.arguments, &self.address.to_string());
        assert_eq!(address, self.address, "the hub listens where it was told to");
        self.program = Some(program);
        self.admin = admin;
    }

    /// Publishes and gives the id that the hub answered. `target` is a path with any query.
    #[track_caller]
    pub fn publish(&self, target: &str, data: &str) -> String {
        let response = request(self.address, "POST", target, &[], data.as_bytes());
        published_id(&response)
    }

    /// The value of one series of the admin listener's metrics, labels as printed; 0 if it is not there.
    #[track_caller]
    pub fn metric(&self, series: &str) -> f64 {
        self.metrics().value(series)
    }

    /// All metrics of the admin listener.
    #[track_caller]
    pub fn metrics(&self) -> Metrics {
        let response = request(self.admin_address(), "GET", "/metrics", &[], b"");
        assert_eq!(response.status, 200, "{}", response.text());
        Metrics(response.text())
    }

    /// Where it is looked after.
    #[track_caller]
    pub fn admin_address(&self) -> SocketAddr {
        self.admin.expect("this hub was started with --admin-listen")
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        // A failing test has said enough: then the program is ended by its own drop.
        if !std::thread::panicking()
            && let Some(program) = self.program.take()
        {
            program.terminate();
        }
    }
}

/// The id in the answer to a publish, which must be a good one.
#[track_caller]
fn published_id(response: &Response) -> String {
    assert_eq!(response.status, 200, "{}\n{}", response.head, response.text());
    let answer: serde_json::Value = serde_json::from_slice(&response.body).expect("a publish is answered with JSON");
    answer["id"].as_str().unwrap_or_else(|| panic!("no id in {answer}")).to_owned()
}

#[track_caller]
fn start_program(arguments: &[String], listen: &str) -> Program {
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    Program::start(tidings(&words).args(["--listen", listen]))
}

/// Starts the program and reads where it listens: plain, and admin if the arguments ask for it.
#[track_caller]
fn run(arguments: &[String], listen: &str) -> (Program, SocketAddr, Option<SocketAddr>) {
    let program = start_program(arguments, listen);
    let address = wait_for_address(&program, "listening on http://");
    let admin = arguments
        .iter()
        .any(|word| word == "--admin-listen")
        .then(|| wait_for_address(&program, "admin listening on http://"));
    (program, address, admin)
}

#[track_caller]
fn wait_for_address(program: &Program, prefix: &str) -> SocketAddr {
    program.wait_for_line(&format!("the line `{prefix}ADDR`"), |line| line.strip_prefix(prefix)?.trim().parse().ok())
}

/// A page of metrics.
#[derive(Clone, Debug)]
pub struct Metrics(String);

impl Metrics {
    /// The whole page.
    pub fn text(&self) -> &str {
        &self.0
    }

    /// The value of one series, labels as printed; 0 if it is not there.
    pub fn value(&self, series: &str) -> f64 {
        let mut values = self.0.lines().filter_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        values.find_map(|value| value.split(' ').next()?.parse().ok()).unwrap_or(0.0)
    }

    /// The value of one series that counts things.
    pub fn count(&self, series: &str) -> u64 {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a number of things is whole")]
        let count = self.value(series) as u64;
        count
    }

    /// The values of a family that is told apart by one label, by that label; those of 0 left out.
    pub fn family(&self, name: &str) -> BTreeMap<String, u64> {
        let sample = |line: &str| {
            let (label, value) = line.strip_prefix(name)?.strip_prefix('{')?.split_once("\"} ")?;
            let value: u64 = value.split(' ').next()?.parse().ok()?;
            (value > 0).then(|| Some((label.split_once("=\"")?.1.to_owned(), value)))?
        };
        self.0.lines().filter_map(sample).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_metric_is_found_by_its_whole_name_and_labels() {
        let text = "# TYPE a counter\na_total{way=\"direct\"} 3\na_total{way=\"body\"} 4 17\nab 5\n";
        let metrics = Metrics(text.to_owned());
        let check = |series: &str, want: f64| {
            let got = metrics.value(series);
            assert!((got - want).abs() < 1e-9, "{series}: {got}, expected {want}");
        };
        check("a_total{way=\"direct\"}", 3.0);
        check("a_total{way=\"body\"}", 4.0);
        check("ab", 5.0);
        check("a", 0.0);
        assert_eq!(metrics.count("ab"), 5);
        let by_way = [("body".to_owned(), 4), ("direct".to_owned(), 3)];
        assert_eq!(metrics.family("a_total"), by_way.into());
    }
}
