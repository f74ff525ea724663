//! `cargo xtask flood`: what others notice of an attack, on this hub and on nchan, and what newcomers meet.
//!
//! The others are `tidings bench`: readers and a publisher that were there before. The attackers and the newcomers are
//! `tidings-flood` of tidings-e2e. All are processes of their own, on the same machine.

use std::fmt::{self, Write as _};
use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use serde_json::Value;

use super::machine::Machine;
use super::peers::{Peer, Programs};
use super::server::RunningServer;
use super::table;
use crate::lint::cargo;
use crate::steps::{Done, Steps};
use crate::workspace::Workspace;

/// One attack, and how it is meant for each server: both are asked for the same.
struct Attack {
    /// As the table calls it.
    title: &'static str,
    kind: &'static str,
    /// Paths for this hub and for nchan.
    paths: [&'static str; 2],
    count: usize,
    bytes: usize,
}

/// Sizes that both servers can bear here: each has places for about 19,500 connections.
const ATTACKS: &[Attack] = &[
    Attack { title: "none", kind: "none", paths: ["", ""], count: 0, bytes: 0 },
    Attack { title: "15,000 silent connections", kind: "silent", paths: ["/", "/"], count: 15_000, bytes: 0 },
    Attack {
        title: "20,000 silent connections, more than there are places",
        kind: "silent",
        paths: ["/", "/"],
        count: 20_000,
        bytes: 0,
    },
    Attack {
        title: "5,000 heads that never end",
        kind: "heads",
        paths: ["/events/h", "/sub/h"],
        count: 5_000,
        bytes: 200,
    },
    Attack {
        title: "5,000 bodies that never end",
        kind: "bodies",
        paths: ["/events/b", "/pub/b"],
        count: 5_000,
        bytes: 200,
    },
    Attack {
        title: "8 connections that publish to a new topic each time",
        kind: "topics",
        paths: ["/events/x{n}", "/pub/x{n}"],
        count: 8,
        bytes: 20,
    },
    Attack {
        title: "10,000 subscribers, each of a topic of its own",
        kind: "selectors",
        paths: ["/events/s{n}", "/sub/s{n}"],
        count: 10_000,
        bytes: 0,
    },
];

/// All kinds of floods, as the command line calls them.
pub(crate) const FLOODS: [&str; 6] = ["none", "silent", "heads", "bodies", "topics", "selectors"];

const PEERS: [Peer; 2] = [Peer::Tidings, Peer::Nchan];
/// The others are there by then, and the attack begins; they are measured once it has been on for a while.
const CONNECTED: Duration = Duration::from_millis(1500);
const ATTACKED: Duration = Duration::from_millis(2500);
const WARM_UP: &str = "4s";
const SECONDS: &str = "11";
/// Later than the others began, so that they share the worst of it.
const NEWCOMER_SECONDS: &str = "8";

/// What was measured of one server under one attack.
struct Row {
    p50_ms: f64,
    p99_ms: f64,
    max_ms: f64,
    lost: f64,
    closed: f64,
    asked: f64,
    served: f64,
    new_p99_ms: f64,
    attack: String,
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { p50_ms, p99_ms, max_ms, lost, closed, asked, served, new_p99_ms, attack } = self;
        write!(f, "p50 {p50_ms} ms, p99 {p99_ms} ms, at most {max_ms} ms; {lost} lost, {closed} closed; ")?;
        write!(f, "{served} of {asked} newcomers served, p99 {new_p99_ms} ms; the attack: {attack}")
    }
}

/// Builds what is needed, measures, and writes the section "Under attack" of docs/performance.md.
pub(crate) fn all(workspace: &Workspace, rounds: usize, only: &[String], steps: &mut Steps) {
    let built = steps.step("build", || {
        cargo(workspace, &["build", "--release", "--package", "tidings-cli"])?;
        cargo(workspace, &["build", "--release", "--package", "tidings-e2e", "--bin", "tidings-flood"])
    });
    if built {
        steps.step("flood", || measure_all(workspace, rounds, only));
    }
}

fn measure_all(workspace: &Workspace, rounds: usize, only: &[String]) -> Result<Done, String> {
    let programs = Programs::find(workspace);
    let attacker = workspace.target().join("release/tidings-flood");
    let machine = Machine::look(&workspace.root);
    let rounds_told = if rounds == 1 { "One round.".to_owned() } else { format!("Medians of {rounds} rounds.") };
    let mut text = format!("{} {rounds_told}\n\n", machine.sentence());
    text.push_str("| flood | server | p50, ms | p99, ms | lost | newcomers served | their p99, ms |\n");
    text.push_str("|---|---|---:|---:|---:|---:|---:|\n");
    let is_wanted = |attack: &&Attack| only.is_empty() || only.iter().any(|kind| kind == attack.kind);
    for attack in ATTACKS.iter().filter(is_wanted) {
        let mut rows = PEERS.map(|_| Vec::new());
        for _ in 0..rounds {
            // By turns: a machine that others use is slower for a while, and that is to meet both.
            for (at, peer) in PEERS.into_iter().enumerate() {
                match measure(&programs, &attacker, attack, attack.paths[at], peer) {
                    Ok(Some(row)) => {
                        println!("{}, {}: {row}", attack.title, peer.name());
                        rows[at].push(row);
                    }
                    Ok(None) => println!("{}: not here", peer.name()),
                    Err(fault) => eprintln!("{}, {}: {fault}", attack.title, peer.name()),
                }
            }
        }
        for (peer, rows) in PEERS.into_iter().zip(&rows).filter(|(_, rows)| !rows.is_empty()) {
            writeln!(text, "{}", line(attack.title, peer.name(), rows)).expect("a String takes any text");
        }
    }
    println!("\n{text}");
    if !only.is_empty() {
        return Ok(Done::Passed);
    }
    let page = workspace.root.join("docs/performance.md");
    let before = fs::read_to_string(&page).map_err(|error| format!("{}: {error}", page.display()))?;
    super::write(&page, &into_page(&before, &text)?)?;
    Ok(Done::Passed)
}

fn line(title: &str, peer: &str, rows: &[Row]) -> String {
    let median = |of: fn(&Row) -> f64| {
        let mut numbers: Vec<_> = rows.iter().map(of).collect();
        numbers.sort_by(f64::total_cmp);
        numbers[numbers.len() / 2]
    };
    let sum = |of: fn(&Row) -> f64| rows.iter().map(of).sum::<f64>();
    let lost = sum(|row| row.lost + row.closed);
    let served = 100.0 * sum(|row| row.served) / sum(|row| row.asked).max(1.0);
    let number = table::number;
    format!(
        "| {title} | {peer} | {} | {} | {} | {served:.1} % | {} |",
        number(median(|row| row.p50_ms)),
        number(median(|row| row.p99_ms)),
        number(lost),
        number(median(|row| row.new_p99_ms)),
    )
}

/// `None` when the server is not on this machine.
fn measure(
    programs: &Programs,
    attacker: &PathBuf,
    attack: &Attack,
    path: &str,
    peer: Peer,
) -> Result<Option<Row>, String> {
    let Some(start) = peer.start(programs)? else { return Ok(None) };
    let server = RunningServer::start(start)?;
    let address = server.address().to_string();
    let mut load = Command::new(&programs.tidings);
    load.args(["bench", &format!("http://{address}"), "--json", "--subscribers", "100", "--rate", "50"]);
    load.args(["--warm-up", WARM_UP, "--duration", &format!("{SECONDS}s"), "--timeout", "120s"]);
    load.args(peer.flags()).stdin(Stdio::null()).stdout(Stdio::piped()).env_remove("TIDINGS_TOKEN");
    let load = Running(load.spawn().map_err(|error| format!("tidings bench: {error}"))?);
    thread::sleep(CONNECTED); // the others are there before the attack

    let flood = |kind: &str, path: &str, count: usize, bytes: usize, seconds: &str| {
        let mut command = Command::new(attacker);
        command.args([kind, &address, path, &count.to_string(), &bytes.to_string(), seconds]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        command.spawn().map(Running).map_err(|error| format!("{}: {error}", attacker.display()))
    };
    let under_way =
        if attack.kind == "none" { None } else { Some(flood(attack.kind, path, attack.count, attack.bytes, "120")?) };
    thread::sleep(ATTACKED);
    let new_path = if peer == Peer::Nchan { "/pub/new" } else { "/events/new" };
    let newcomers = flood("newcomers", new_path, 20, 0, NEWCOMER_SECONDS)?.report()?;
    let report: Value = serde_json::from_str(&load.output()?).map_err(|error| format!("tidings bench: {error}"))?;
    let attack = under_way.map_or(Ok(String::new()), Running::stop)?;

    let figure = |pointer: &str| report.pointer(pointer).and_then(Value::as_f64).unwrap_or(f64::NAN);
    let of_newcomers = |name: &str| word(&newcomers, name).unwrap_or(f64::NAN);
    Ok(Some(Row {
        p50_ms: figure("/deliveries/latency_ms/p50"),
        p99_ms: figure("/deliveries/latency_ms/p99"),
        max_ms: figure("/deliveries/latency_ms/max"),
        lost: figure("/deliveries/lost"),
        closed: figure("/deliveries/closed"),
        asked: of_newcomers("asked"),
        served: of_newcomers("served"),
        new_p99_ms: of_newcomers("p99_ms"),
        attack,
    }))
}

/// A process that ends with this.
struct Running(Child);

impl Running {
    /// All it says, at its own end. Its input stays open until then.
    fn output(mut self) -> Result<String, String> {
        let _input = self.0.stdin.take();
        let mut text = String::new();
        if let Some(mut stdout) = self.0.stdout.take() {
            std::io::Read::read_to_string(&mut stdout, &mut text).map_err(|error| error.to_string())?;
        }
        let status = self.0.wait().map_err(|error| error.to_string())?;
        if status.success() { Ok(text) } else { Err(format!("it ended with {status}")) }
    }

    /// The last line of a flood that is ended now.
    fn stop(mut self) -> Result<String, String> {
        drop(self.0.stdin.take());
        self.report()
    }

    /// The last line of a flood that ends by itself.
    fn report(self) -> Result<String, String> {
        self.output().map(|text| text.lines().last().unwrap_or_default().to_owned())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if matches!(self.0.try_wait(), Ok(None)) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }
}

fn word(report: &str, name: &str) -> Option<f64> {
    report.split(' ').find_map(|word| word.strip_prefix(name)?.strip_prefix('=')?.parse().ok())
}

/// The page with the table between its marks.
fn into_page(page: &str, table: &str) -> Result<String, String> {
    let marks = || format!("docs/performance.md: expected the lines {BEGIN} and {END}");
    let (before, rest) = page.split_once(BEGIN).ok_or_else(marks)?;
    let (_, after) = rest.split_once(END).ok_or_else(marks)?;
    Ok(format!("{before}{BEGIN}\n{table}{END}{after}"))
}

const BEGIN: &str = "<!-- table: cargo xtask flood writes it -->";
const END: &str = "<!-- end of the table of floods -->";
