//! `cargo xtask bench`: this hub beside others, in one run, on one machine.
//!
//! Here is the order of things. `peers` are the servers, `scenarios` the loads, `server` starts and stops one, `results` is
//! what is kept, `table` and `chart` show it, `machine` says where it was measured. The load comes from `tidings bench`.

mod chart;
mod disk;
mod flood;
mod machine;
mod options;
mod peers;
mod results;
mod scenarios;
mod server;
mod table;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::lint::cargo;
use crate::steps::{Done, Steps};
use crate::workspace::Workspace;
pub(crate) use flood::{FLOODS, all as flood};
use machine::Machine;
pub(crate) use options::BenchOptions;
use peers::{Peer, Programs};
use results::Results;
use scenarios::{SCENARIOS, Scenario};
use server::RunningServer;

/// Builds what is needed, measures, and writes what was measured.
pub(crate) fn all(workspace: &Workspace, options: &BenchOptions, steps: &mut Steps) {
    if options.render {
        steps.step("render", || {
            let results = Results::read(&committed(workspace))?;
            publish(workspace, &results).map(|()| Done::Passed)
        });
        return;
    }
    let built = steps.step("build", || {
        cargo(workspace, &["build", "--release", "--package", "tidings-cli"])?;
        cargo(workspace, &["build", "--release", "--package", "tidings-bench", "--examples"])
    });
    if built {
        steps.step("bench", || bench(workspace, options));
    }
}

fn bench(workspace: &Workspace, options: &BenchOptions) -> Result<Done, String> {
    let programs = Programs::find(workspace);
    let mut results = Results::new(Machine::look(&workspace.root), options.rounds);
    let scenarios: Vec<_> = SCENARIOS.iter().filter(|scenario| options.wants_scenario(scenario.name)).collect();
    for round in 1..=options.rounds {
        for scenario in &scenarios {
            for peer in scenario.peers.iter().filter(|peer| options.wants_peer(peer.name())) {
                let told = format!("{round}/{} {} {}", options.rounds, scenario.name, peer.name());
                // One that fails leaves its place empty: the others are worth having.
                match measure(&programs, scenario, *peer) {
                    Ok(Some(report)) => {
                        println!("{told}: {}", scenario.summary(&report));
                        results.add(scenario, *peer, &report);
                    }
                    Ok(None) => println!("{told}: not here"),
                    Err(fault) => eprintln!("{told}: {fault}"),
                }
            }
        }
    }
    if results.is_empty() {
        return Err("nothing was measured".to_owned());
    }
    println!("\n{}", table::markdown(&results));
    // Figures of different runs are not to be compared, so a part of the comparison replaces none of the committed ones.
    if options.is_whole() {
        results.write(&committed(workspace))?;
        publish(workspace, &results)?;
    } else {
        let part = workspace.target().join("bench/results.json");
        results.write(&part)?;
        println!("a part of the comparison: written to {} alone", part.display());
    }
    Ok(Done::Passed)
}

/// One load on one server; `None` when its program is not on this machine.
fn measure(programs: &Programs, scenario: &Scenario, peer: Peer) -> Result<Option<Value>, String> {
    if peer == Peer::Disk {
        return disk::measure(&programs.scratch).map(Some);
    }
    let Some(start) = peer.start(programs)? else { return Ok(None) };
    let server = RunningServer::start(start)?;
    peer.prepare(&server, scenario.topics)?;
    let url = format!("http://{}", server.address());
    let mut load = Command::new(&programs.tidings);
    load.args(["bench", &url, "--json", "--timeout", "180s", "--pid", &server.pid().to_string()]);
    load.args(peer.flags()).args(scenario.flags).stdin(Stdio::null()).stdout(Stdio::piped());
    // Its own variables are not those of the hub under test.
    load.env_remove("TIDINGS_TOKEN");
    let output = load.output().map_err(|error| format!("tidings bench: {error}"))?;
    if !output.status.success() {
        return Err(format!("tidings bench: {}: {}", output.status, String::from_utf8_lossy(&output.stderr).trim()));
    }
    serde_json::from_slice(&output.stdout).map(Some).map_err(|error| format!("tidings bench printed no JSON: {error}"))
}

fn committed(workspace: &Workspace) -> PathBuf {
    workspace.root.join("bench/results.json")
}

/// Puts the table and the chart into the docs.
fn publish(workspace: &Workspace, results: &Results) -> Result<(), String> {
    let page = workspace.root.join("docs/performance.md");
    let text = fs::read_to_string(&page).map_err(|error| format!("{}: {error}", page.display()))?;
    let text = table::into_page(&text, &table::markdown(results))?;
    write(&page, &text)?;
    write(&workspace.root.join("docs/performance.svg"), &chart::svg(results))
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    let fault = |error: std::io::Error| format!("{}: {error}", path.display());
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(fault)?;
    }
    fs::write(path, text).map_err(fault)?;
    println!("wrote {}", path.display());
    Ok(())
}
