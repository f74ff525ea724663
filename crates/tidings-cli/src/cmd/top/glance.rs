//! What is at the top: the hub in a few lines, each with a label.

use std::collections::BTreeMap;

use tidings::picture::{Picture, Rates};

use super::line::{Line, Style};
use super::numbers::{bytes_rate, rate, time};
use crate::units::{bytes, count, some};

/// Columns of a label.
const LABEL: usize = 13;

/// The lines, the most important first. `cpu` is the share of a core that the hub has.
pub(super) fn glance(picture: &Picture, cpu: Option<f64>) -> Vec<Line> {
    vec![
        connections(picture),
        published(picture),
        delivered(picture),
        coming(picture.rates.as_ref(), picture),
        history(picture),
        process(picture, cpu),
        counts("limits hit", &picture.limits_reached),
        counts("ended", &picture.closed),
    ]
}

fn labelled(label: &str) -> Line {
    Line::new().left(Style::Dim, label, LABEL)
}

fn connections(picture: &Picture) -> Line {
    let connections = &picture.connections;
    let sessions = connections.direct + connections.body;
    let mut line = labelled("connections")
        .add(Style::Bold, count(connections.open))
        .add(Style::Plain, format!(" of {}", count(connections.max)))
        .add(Style::Dim, "   sessions ")
        .add(Style::Bold, count(sessions))
        .add(Style::Plain, format!(": {} live", count(connections.live)));
    let behind = sessions.saturating_sub(connections.live);
    if behind > 0 {
        line = line.add(Style::Plain, ", ").add(Style::Warn, format!("{} behind", count(behind)));
    }
    if connections.replaying > 0 {
        line = line.add(Style::Plain, format!(", {} given history", count(connections.replaying)));
    }
    line
}

/// Events and bytes of a second, and events in all.
fn flow(label: &str, rates: Option<(f64, f64)>, total: u64) -> Line {
    let line = labelled(label);
    let line = match rates {
        Some((events, size)) => line
            .add(Style::Bold, rate(events))
            .add(Style::Plain, " events/s   ")
            .add(Style::Bold, bytes_rate(size))
            .add(Style::Plain, "/s"),
        None => line.add(Style::Plain, "–"),
    };
    line.add(Style::Dim, format!("   {} in all", some(total, "event")))
}

fn published(picture: &Picture) -> Line {
    flow("published", picture.rates.map(|rates| (rates.events_in, rates.bytes_in)), picture.totals.events_in)
}

fn delivered(picture: &Picture) -> Line {
    flow("delivered", picture.rates.map(|rates| (rates.events_out, rates.bytes_out)), picture.totals.events_out)
}

fn coming(rates: Option<&Rates>, picture: &Picture) -> Line {
    let line = labelled("coming");
    let line = match rates {
        Some(rates) => {
            let refused = format!("{} refused/s", rate(rates.refused));
            line.add(Style::Bold, rate(rates.joined))
                .add(Style::Plain, " sessions/s   ")
                .add(if rates.refused > 0.0 { Style::Warn } else { Style::Plain }, refused)
        }
        None => line.add(Style::Plain, "–"),
    };
    let totals = &picture.totals;
    line.add(Style::Dim, format!("   {} and {} refused in all", some(totals.joined, "session"), count(totals.refused)))
}

fn history(picture: &Picture) -> Line {
    let history = &picture.history;
    let mut line = labelled("history")
        .add(Style::Bold, count(history.events))
        .add(Style::Plain, format!(" events   {}", bytes(history.bytes)))
        .add(Style::Plain, format!("   {}", some(history.topics, "topic")));
    if let Some(age) = history.oldest_age {
        line = line.add(Style::Plain, format!("   oldest {}", time(age)));
    }
    match (history.disk_bytes, history.disk_free_bytes) {
        (Some(used), Some(free)) => line.add(Style::Dim, format!("   disk {}, {} free", bytes(used), bytes(free))),
        _ => line.add(Style::Dim, "   in memory"),
    }
}

fn process(picture: &Picture, cpu: Option<f64>) -> Line {
    let line = labelled("process");
    let Some(process) = picture.process else { return line.add(Style::Plain, "–") };
    let line = line.add(Style::Bold, bytes(process.resident_bytes));
    let line = match cpu {
        Some(share) => line.add(Style::Plain, format!("   CPU {:.0} %", share * 100.0)),
        None => line,
    };
    line.add(Style::Plain, format!("   descriptors {} of {}", count(process.open_fds), count(process.max_fds)))
}

fn counts(label: &str, counts: &BTreeMap<String, u64>) -> Line {
    let mut counts: Vec<_> = counts.iter().collect();
    // The largest first: the end of the line may be cut.
    counts.sort_by_key(|&(name, number)| (std::cmp::Reverse(number), name));
    let texts: Vec<_> = counts.into_iter().map(|(name, number)| format!("{name} {}", count(*number))).collect();
    labelled(label).add(Style::Plain, if texts.is_empty() { "none".to_owned() } else { texts.join("   ") })
}
