//! What the scenarios share: a hub with flags, and the two places where an operator sees a limit.

use tidings_e2e::Hub;

pub(crate) use tidings_e2e::eventually;

/// A hub in memory with an admin listener and these flags.
#[track_caller]
pub(crate) fn hub(flags: &[&str]) -> Hub {
    Hub::start(&[&["serve", "--memory", "--admin-listen", "127.0.0.1:0"], flags].concat())
}

/// Waits until a limit is counted at least so often, and is in the log by its name with `who`, if that is known.
#[track_caller]
pub(crate) fn expect_reached(hub: &Hub, limit: &str, times: f64, who: Option<&str>) {
    let series = format!("tidings_limit_reached_total{{limit=\"{limit}\"}}");
    eventually(&format!("{series} is {times}"), || hub.metric(&series) >= times);
    let first = who.map(|who| format!("first=\"{who}\""));
    let mut words = vec!["WARN", "limit reached"];
    let name = format!("limit=\"{limit}\"");
    words.push(&name);
    words.extend(first.as_deref());
    hub.wait_for_log(&words);
}
