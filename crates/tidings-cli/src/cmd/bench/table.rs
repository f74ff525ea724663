//! The report for people.

use std::fmt::Write as _;

use tidings_bench::{
    ConnectReport, DeliveryReport, IdleReport, LatencyMs, Mode, Plan, PublishReport, Report, ServerReport, StormReport,
    VerifyReport,
};

use crate::units::{count, some};

/// Some lines, each with what was measured and then the numbers.
pub(super) fn of(report: &Report, plan: &Plan) -> String {
    let mut table = Table::default();
    table.text.push_str(&title(report, plan));
    table.text.push('\n');
    table.connect(&report.connect, report.subscribers);
    if let Some(idle) = &report.idle {
        table.idle(idle);
    }
    if let Some(storm) = &report.storm {
        table.storm(storm);
    }
    if let Some(publish) = &report.publish {
        table.publish(publish);
    }
    if let Some(deliveries) = &report.deliveries {
        table.deliveries(deliveries, report.storm.is_some());
    }
    if let Some(server) = &report.server {
        table.server(server);
    }
    if let Some(verify) = &report.verify {
        table.verify(verify);
    }
    if plan.pids.is_empty() {
        table.row("server", "CPU and memory are not known: give its process id with --pid");
    }
    table.text
}

#[derive(Default)]
struct Table {
    text: String,
}

impl Table {
    fn row(&mut self, name: &str, numbers: &str) {
        writeln!(self.text, "{name:<12}  {numbers}").expect("a String takes any text");
    }

    fn latency(&mut self, name: &str, latency: Option<&LatencyMs>) {
        if let Some(LatencyMs { p50, p90, p99, p999, max }) = latency {
            self.row(name, &format!("p50 {p50:.2}   p90 {p90:.2}   p99 {p99:.2}   p99.9 {p999:.2}   max {max:.2} ms"));
        }
    }

    fn connect(&mut self, connect: &ConnectReport, subscribers: u64) {
        let ConnectReport { seconds, cpu_us_per_subscriber, pss_bytes_per_subscriber } = connect;
        let mut numbers = format!("{} in {seconds:.2} s", count(subscribers));
        if let Some(cpu) = cpu_us_per_subscriber {
            write!(numbers, "   {cpu:.1} µs CPU each").expect("a String takes any text");
        }
        if let Some(memory) = pss_bytes_per_subscriber {
            write!(numbers, "   {:.2} KB memory each", memory / 1_000.0).expect("a String takes any text");
        }
        self.row("connected", &numbers);
    }

    fn idle(&mut self, idle: &IdleReport) {
        let IdleReport { seconds, cpu_percent, pss_bytes, closed } = idle;
        let mut numbers = format!("for {seconds:.1} s   {} streams ended", count(*closed));
        if let Some(percent) = cpu_percent {
            write!(numbers, "   {percent:.2} % of a core").expect("a String takes any text");
        }
        if let Some(bytes) = pss_bytes {
            write!(numbers, "   {} in all", megabytes(*bytes)).expect("a String takes any text");
        }
        self.row("idle", &numbers);
    }

    fn storm(&mut self, storm: &StormReport) {
        let StormReport { clients, caught_up, seconds, retries, .. } = storm;
        let all =
            format!("{} of {} in {seconds:.2} s   {} retries", count(*caught_up), count(*clients), count(*retries));
        self.row("caught up", &all);
        self.latency("  each", storm.catch_up_ms.as_ref());
        self.latency("live before", storm.live_before_ms.as_ref());
        self.latency("live during", storm.live_during_ms.as_ref());
    }

    fn publish(&mut self, publish: &PublishReport) {
        let PublishReport { accepted, refused, seconds, per_second, .. } = publish;
        let mut numbers = format!("{} in {seconds:.2} s   {} a second", count(*accepted), rounded(*per_second));
        if *refused > 0 {
            write!(numbers, "   {} REFUSED", count(*refused)).expect("a String takes any text");
        }
        self.row("published", &numbers);
        self.latency("  answer", publish.latency_ms.as_ref());
        if let Some(first) = &publish.first_refusal {
            self.row("  refusal", &format!("{first:?}"));
        }
    }

    fn deliveries(&mut self, deliveries: &DeliveryReport, is_storm: bool) {
        let DeliveryReport { received, seconds, per_second, wire_bytes_per_delivery, .. } = deliveries;
        let numbers = format!(
            "{} in {seconds:.2} s   {} a second   {wire_bytes_per_delivery:.1} B on the wire each",
            count(*received),
            rounded(*per_second)
        );
        self.row("delivered", &numbers);
        let DeliveryReport { lost, duplicated, out_of_order, closed, .. } = deliveries;
        let [lost, duplicated, out_of_order, closed] = [lost, duplicated, out_of_order, closed].map(|n| count(*n));
        let faults =
            format!("{lost} lost   {duplicated} duplicated   {out_of_order} out of order   {closed} streams ended");
        self.row("  of them", &faults);
        if !is_storm {
            self.latency("  latency", deliveries.latency_ms.as_ref());
        }
    }

    fn server(&mut self, server: &ServerReport) {
        let ServerReport { cpu_seconds, cpu_us_per_delivery, pss_bytes, .. } = server;
        let mut numbers = format!("{cpu_us_per_delivery:.3} µs CPU for each delivery   {cpu_seconds:.2} s in all");
        if let Some(bytes) = pss_bytes {
            write!(numbers, "   {} memory", megabytes(*bytes)).expect("a String takes any text");
        }
        self.row("server", &numbers);
    }

    fn verify(&mut self, verify: &VerifyReport) {
        let VerifyReport { events, joined, without_id, id_changed, id_shared, undecodable } = verify;
        let faults = [
            (joined, "hold several payloads"),
            (without_id, "have no id"),
            (id_changed, "came with another id than before"),
            (id_shared, "share their id"),
            (undecodable, "streams could not be decoded"),
        ];
        let mut numbers = format!("{} events decoded", count(*events));
        for (number, what) in faults.into_iter().filter(|(number, _)| **number > 0) {
            write!(numbers, "   {} {what}", count(*number)).expect("a String takes any text");
        }
        if faults.iter().all(|(number, _)| **number == 0) {
            numbers.push_str(", each with an id of its own");
        }
        self.row("ids", &numbers);
    }
}

fn title(report: &Report, plan: &Plan) -> String {
    let who = format!("{} of {}", some(report.subscribers, "subscriber"), some(report.topics, "topic"));
    match &plan.mode {
        Mode::Idle(_) => format!("{who}, idle\n"),
        Mode::Storm(storm) => format!(
            "{who}; {} stay, the others come back {} behind\n",
            count(storm.live_readers as u64),
            some(storm.events_behind, "event")
        ),
        Mode::Fanout(fanout) => {
            let pace = match fanout.pace {
                tidings_bench::Pace::FullSpeed => "at full speed".to_owned(),
                tidings_bench::Pace::Rate(rate) => format!("at {rate} events a second"),
            };
            let publishers = some(fanout.publishers as u64, "publisher");
            format!("{who}, {publishers} {pace}, payloads of {} bytes\n", count(plan.payload_bytes as u64))
        }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a count, far below 2^64 and never negative"
)]
fn rounded(number: f64) -> String {
    count(number.round() as u64)
}

#[expect(clippy::cast_precision_loss, reason = "shown with one digit")]
fn megabytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tidings_bench::Server;

    #[test]
    fn a_fault_is_seen_and_its_absence_said() {
        let mut table = Table::default();
        let good = VerifyReport { events: 5_000, ..VerifyReport::default() };
        table.verify(&good);
        table.verify(&VerifyReport { id_shared: 3, ..good });
        let lines: Vec<_> = table.text.lines().collect();
        let want = [
            "ids           5,000 events decoded, each with an id of its own",
            "ids           5,000 events decoded   3 share their id",
        ];
        assert_eq!(lines, want);
    }

    #[test]
    fn what_is_not_known_is_said() {
        let plan = Plan::new(Server::parse("http://127.0.0.1:1").expect("a server"));
        let connect = ConnectReport { seconds: 1.0, cpu_us_per_subscriber: None, pss_bytes_per_subscriber: None };
        let report = Report {
            mode: "fanout".to_owned(),
            subscribers: 1_000,
            topics: 1,
            connect,
            publish: None,
            deliveries: None,
            server: None,
            verify: None,
            idle: None,
            storm: None,
        };
        let text = of(&report, &plan);
        assert!(
            text.contains("1,000 subscribers of 1 topic, 1 publisher at full speed") && text.contains("--pid"),
            "{text}"
        );
    }
}
