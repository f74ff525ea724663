//! Puts the same cases to all clients and compares the outcome with the table in `docs/client.md`.
//!
//! `TIDINGS_WRITE=1 cargo test -p tidings-client-compare` writes the table anew.

mod cases;
#[expect(dead_code, reason = "shared with the client's own tests, which use all of it")]
#[path = "../../../tests/client/support.rs"]
mod support;

use std::fmt::Write;
use std::time::Duration;

use cases::{CASES, Case, Want};
use support::{Request, Server};
use tidings_client_compare::{Client, Seen};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

/// After this what has not come is not coming: reconnections are after 50 ms, silence is noticed after 1 s.
const PATIENCE: Duration = Duration::from_secs(4);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_table_in_the_docs_is_what_the_clients_do() {
    // All at once: most of the time is waiting for what does not come.
    let runs: Vec<Vec<_>> = CASES
        .iter()
        .map(|case| Client::ALL.map(|client| tokio::spawn(run(client, case))).into_iter().collect())
        .collect();
    let mut table = String::from("| case |");
    for client in Client::ALL {
        write!(table, " {} |", client.name()).expect("a string takes all");
    }
    table.push_str("\n|---|---|---|---|---|---|\n");
    for (case, runs) in CASES.iter().zip(runs) {
        write!(table, "| {} |", case.name).expect("a string takes all");
        for (client, run) in Client::ALL.iter().zip(runs) {
            let outcome = run.await.expect("a run catches its client's panic");
            assert!(*client != Client::Tidings || outcome == "yes", "{}: {outcome}", case.name);
            write!(table, " {outcome} |").expect("a string takes all");
        }
        table.push('\n');
    }
    compare_with_docs(&table);
}

fn compare_with_docs(table: &str) {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../docs/client.md");
    let docs = std::fs::read_to_string(path).expect("docs/client.md is there");
    let (before, rest) = docs.split_once(BEGIN).expect("the table's begin is marked");
    let (present, after) = rest.split_once(END).expect("the table's end is marked");
    if std::env::var_os("TIDINGS_WRITE").is_some() {
        std::fs::write(path, format!("{before}{BEGIN}{table}{END}{after}")).expect("docs/client.md can be written");
    } else {
        assert_eq!(present, table, "docs/client.md tells something else than the clients do; see this file's head");
    }
}

const BEGIN: &str = "<!-- side by side: made by crates/tidings-client/compare -->\n";
const END: &str = "<!-- end of side by side -->";

/// What the client makes of the case, as the table says it.
async fn run(client: Client, case: &'static Case) -> String {
    if client.is_decoder() && !matches!(case.want, Want::Events(_)) {
        return "–".to_owned();
    }
    let mut server = Server::start(move |request, socket| (case.act)(request, socket)).await;
    let (sender, mut seen) = mpsc::channel(16); // a client that shouts waits
    let listening = tokio::spawn(client.listen(server.url("/stream"), sender));
    let deadline = Instant::now() + PATIENCE;
    let outcome = match case.want {
        Want::Events(want) => judge_events(want, &mut seen, deadline).await,
        Want::Request(nth, judge) => judge_request(nth, judge, &mut server, &mut seen, deadline).await,
        Want::Stop(requests) => judge_stop(requests, &mut server, &mut seen, deadline).await,
        Want::Error => judge_error(&mut seen, deadline).await,
    };
    if listening.is_finished() && listening.await.is_err_and(|error| error.is_panic()) {
        return "no: panics".to_owned();
    }
    outcome.map_or_else(|fault| format!("no: {fault}"), |()| "yes".to_owned())
}

async fn judge_events(
    want: &[(&str, &str, &str)],
    seen: &mut mpsc::Receiver<Seen>,
    deadline: Instant,
) -> Result<(), String> {
    for (event_type, data, id) in want {
        loop {
            match timeout_at(deadline, seen.recv()).await {
                Ok(Some(Seen::Event(got_type, got_data, got_id))) => {
                    let got = (got_type.as_str(), got_data.as_str(), got_id.as_str());
                    if got == (*event_type, *data, *id) {
                        break;
                    }
                    return Err(describe(got, (event_type, data, id)));
                }
                Ok(Some(Seen::Error(_))) => {}
                Ok(Some(Seen::End) | None) => return Err("stops".to_owned()),
                Err(_) => return Err("the event does not come".to_owned()),
            }
        }
    }
    Ok(())
}

/// What is wrong about an event, in a few words.
fn describe(got: (&str, &str, &str), want: (&str, &str, &str)) -> String {
    match (got.0 == want.0, got.1 == want.1) {
        (false, _) => format!("type `{}`", got.0.escape_debug()),
        (_, false) => format!("data `{}`", got.1.escape_debug()),
        _ if got.2.is_empty() => "no id".to_owned(),
        _ => format!("id `{}`", got.2.escape_debug()),
    }
}

async fn judge_request(
    nth: usize,
    judge: fn(&Request) -> Result<(), String>,
    server: &mut Server,
    seen: &mut mpsc::Receiver<Seen>,
    deadline: Instant,
) -> Result<(), String> {
    loop {
        tokio::select! {
            request = server.next_request() => {
                if request.nth == nth {
                    return judge(&request);
                }
            }
            heard = seen.recv() => if heard.is_none() { seen.close() },
            () = tokio::time::sleep_until(deadline) => return Err("does not come back".to_owned()),
        }
        if seen.is_closed() && seen.is_empty() {
            // The client has stopped; a request may still be on its way to us.
            let last = timeout_at(deadline, server.next_request()).await;
            return match last {
                Ok(request) if request.nth == nth => judge(&request),
                _ => Err("does not come back".to_owned()),
            };
        }
    }
}

async fn judge_stop(
    requests: usize,
    server: &mut Server,
    seen: &mut mpsc::Receiver<Seen>,
    deadline: Instant,
) -> Result<(), String> {
    // Read on, so that it is not our not listening that stops it.
    while let Ok(Some(_)) = timeout_at(deadline, seen.recv()).await {}
    tokio::time::sleep_until(deadline).await;
    match server.unseen_requests() {
        asked if asked > requests => Err("asks on".to_owned()),
        asked if asked < requests => Err(format!("asks only {asked} times")),
        _ => Ok(()),
    }
}

async fn judge_error(seen: &mut mpsc::Receiver<Seen>, deadline: Instant) -> Result<(), String> {
    match timeout_at(deadline, seen.recv()).await {
        Ok(Some(Seen::Error(_))) => Ok(()),
        Ok(Some(Seen::Event(..))) => Err("takes it".to_owned()),
        Ok(_) => Err("stops without a word".to_owned()),
        Err(_) => Err("reads on".to_owned()),
    }
}
