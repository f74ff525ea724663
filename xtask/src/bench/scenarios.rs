//! The loads, and what is read from each report.

use serde_json::Value;

use super::peers::Peer;

/// A load on some servers.
#[derive(Debug)]
pub(super) struct Scenario {
    pub(super) name: &'static str,
    /// What `tidings bench` is told.
    pub(super) flags: &'static [&'static str],
    /// How many topics there are, for servers that want them made.
    pub(super) topics: usize,
    /// Who can do it.
    pub(super) peers: &'static [Peer],
    pub(super) figures: &'static [Figure],
}

/// One number of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Figure {
    /// As it is called in the results.
    pub(super) name: &'static str,
    /// Where it stands in the report.
    pointer: &'static str,
    /// As the table calls it, with its unit; `None` when it is kept but not shown.
    pub(super) title: Option<&'static str>,
}

const fn figure(name: &'static str, pointer: &'static str, title: Option<&'static str>) -> Figure {
    Figure { name, pointer, title }
}

const CPU: Figure = figure("cpu_us_per_delivery", "/server/cpu_us_per_delivery", Some("CPU a delivery, µs"));
const CPU_BOTH: Figure =
    figure("cpu_us_per_delivery", "/server/cpu_us_per_delivery", Some("CPU a publish and delivery, µs"));
const CPU_PUBLISH: Figure =
    figure("cpu_us_per_delivery", "/server/cpu_us_per_delivery", Some("CPU a delivery, publishing included, µs"));
const RATE: Figure = figure("deliveries_per_second", "/deliveries/per_second", Some("deliveries a second"));
const P99: Figure = figure("p99_ms", "/deliveries/latency_ms/p99", Some("p99, ms"));
const P99_KEPT: Figure = figure("p99_ms", "/deliveries/latency_ms/p99", None);
const P50_KEPT: Figure = figure("p50_ms", "/deliveries/latency_ms/p50", None);
const MAX_KEPT: Figure = figure("max_ms", "/deliveries/latency_ms/max", None);
const RATE_KEPT: Figure = figure("deliveries_per_second", "/deliveries/per_second", None);
const WIRE_KEPT: Figure = figure("wire_bytes_per_delivery", "/deliveries/wire_bytes_per_delivery", None);
const ACCEPTED: Figure = figure("publishes_per_second", "/publish/per_second", Some("publishes a second"));
const PUBLISH_P99: Figure = figure("publish_p99_ms", "/publish/latency_ms/p99", Some("answer p99, ms"));
const ACCEPTED_KEPT: Figure = figure("publishes_per_second", "/publish/per_second", None);
const LOST: Figure = figure("lost", "/deliveries/lost", None);
const DISORDER: Figure = figure("out_of_order", "/deliveries/out_of_order", None);
const DUPLICATED: Figure = figure("duplicated", "/deliveries/duplicated", None);
const MEMORY: Figure = figure("memory_bytes", "/connect/pss_bytes_per_subscriber", Some("memory a subscriber, bytes"));
const CONNECT: Figure =
    figure("connect_cpu_us", "/connect/cpu_us_per_subscriber", Some("CPU to connect a subscriber, µs"));

const REAL: &[Peer] =
    &[Peer::Tidings, Peer::TidingsSync, Peer::Batch, Peer::Limit, Peer::DurableStreams, Peer::Axum, Peer::Nchan];
const REAL_AND_KEYS: &[Peer] = &[
    Peer::Tidings,
    Peer::TidingsSync,
    Peer::TidingsKeys,
    Peer::Batch,
    Peer::Limit,
    Peer::DurableStreams,
    Peer::Axum,
    Peer::Nchan,
];
const WITH_TOPICS: &[Peer] = &[Peer::Tidings, Peer::TidingsSync, Peer::DurableStreams, Peer::Axum, Peer::Nchan];
const OURS: &[Peer] = &[Peer::Tidings];
const OURS_AND_DISK: &[Peer] = &[Peer::Tidings, Peer::TidingsSync];

/// Patterns on many topics, 20,000 events by 8 publishers.
macro_rules! mixed {
    ($name:literal, $topics:literal, $subscribers:literal, $topics_flag:literal, $groups:literal, $subscribe:literal, $publish:literal) => {
        Scenario {
            name: $name,
            flags: &[
                "--subscribers",
                $subscribers,
                "--topics",
                $topics_flag,
                "--groups",
                $groups,
                "--subscribe",
                $subscribe,
                "--publish",
                $publish,
                "--events",
                "20000",
                "--publishers",
                "8",
            ],
            topics: $topics,
            peers: OURS,
            figures: &[CPU_PUBLISH, RATE_KEPT, LOST, DUPLICATED, DISORDER],
        }
    };
}

/// All loads. Those with the same figures are the same as in earlier comparisons, so that one can look back.
pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "fan1k",
        flags: &["--subscribers", "1000", "--events", "1000"],
        topics: 1,
        peers: REAL,
        figures: &[CPU, RATE, P99_KEPT, P50_KEPT, WIRE_KEPT, ACCEPTED_KEPT, LOST, DUPLICATED, DISORDER],
    },
    Scenario {
        name: "sat1k",
        flags: &["--subscribers", "1000", "--events", "4000", "--publishers", "8"],
        topics: 1,
        peers: REAL,
        figures: &[CPU, RATE, P99, P50_KEPT, MAX_KEPT, WIRE_KEPT, ACCEPTED_KEPT, LOST, DUPLICATED, DISORDER],
    },
    Scenario {
        name: "lat1k",
        flags: &["--subscribers", "1000", "--events", "100", "--rate", "20"],
        topics: 1,
        peers: REAL,
        figures: &[CPU, P99, P50_KEPT, MAX_KEPT, LOST, DUPLICATED, DISORDER],
    },
    Scenario {
        name: "lat10k",
        flags: &["--subscribers", "10000", "--events", "20", "--rate", "1"],
        topics: 1,
        peers: REAL,
        figures: &[P99, P50_KEPT, MAX_KEPT, LOST, DUPLICATED, DISORDER],
    },
    Scenario {
        name: "many",
        flags: &["--subscribers", "1000", "--topics", "1000", "--events", "20000", "--publishers", "8"],
        topics: 1_000,
        peers: WITH_TOPICS,
        figures: &[CPU_BOTH, RATE_KEPT, P99_KEPT, LOST, DUPLICATED, DISORDER],
    },
    Scenario {
        name: "publish1",
        flags: &["--subscribers", "1", "--events", "20000"],
        topics: 1,
        peers: &[Peer::Disk, Peer::Tidings, Peer::TidingsSync],
        figures: &[ACCEPTED, PUBLISH_P99, LOST, DUPLICATED, DISORDER],
    },
    Scenario {
        name: "publish64",
        flags: &["--subscribers", "1", "--events", "200000", "--publishers", "64"],
        topics: 1,
        peers: OURS_AND_DISK,
        figures: &[ACCEPTED, PUBLISH_P99, LOST, DUPLICATED, DISORDER],
    },
    Scenario {
        name: "idle",
        flags: &["--subscribers", "10000", "--idle"],
        topics: 1,
        peers: REAL_AND_KEYS,
        figures: &[MEMORY, CONNECT, figure("idle_cpu_percent", "/idle/cpu_percent", None)],
    },
    Scenario {
        name: "growth",
        flags: &["--subscribers", "19000", "--events", "1000"],
        topics: 1,
        peers: OURS,
        figures: &[CPU, MEMORY, RATE_KEPT, LOST, DUPLICATED, DISORDER],
    },
    Scenario {
        name: "topics100k",
        // 1,000 connections with 100 topics each: a process may not have 100,000 connections everywhere.
        flags: &[
            "--subscribers",
            "1000",
            "--topics",
            "100000",
            "--groups",
            "1000",
            "--subscribe",
            "/events?",
            "--subscribe-each",
            "topic=t{t}&",
            "--events",
            "20000",
            "--publishers",
            "8",
        ],
        topics: 100_000,
        peers: OURS,
        figures: &[CPU_BOTH, RATE_KEPT, LOST, DUPLICATED, DISORDER],
    },
    // Each event has 20 readers in all three. With the first one the cost of subscribers that are not concerned shows, and
    // with the second one that of selectors that are.
    mixed!("mixed-few", 1_000, "100", "1000", "5", "/events?topic=g{i%5}/*", "/events/g{t%5}/t{t}"),
    mixed!("mixed-own", 10_000, "1000", "10000", "50", "/events?topic=g{i%50}/*&topic=own{i}", "/events/g{t%50}/t{t}"),
    mixed!("mixed", 10_000, "1000", "10000", "50", "/events?topic=g{i%50}/*", "/events/g{t%50}/t{t}"),
    Scenario {
        name: "personal",
        flags: &["--subscribers", "1000", "--events", "1000"],
        topics: 1,
        peers: &[Peer::Tidings, Peer::TidingsKeys],
        figures: &[CPU, RATE_KEPT, LOST, DUPLICATED, DISORDER],
    },
    Scenario {
        name: "storm",
        flags: &["--subscribers", "10100", "--storm", "--live", "100", "--behind", "1000", "--connecting", "1000"],
        topics: 1,
        peers: &[Peer::Tidings, Peer::TidingsUnbudgeted, Peer::Nchan],
        figures: &[
            figure("storm_seconds", "/storm/seconds", Some("until all have caught up, s")),
            figure("live_before_p99_ms", "/storm/live_before_ms/p99", Some("live p99 before, ms")),
            figure("live_during_p99_ms", "/storm/live_during_ms/p99", Some("live p99 meanwhile, ms")),
            figure("caught_up", "/storm/caught_up", None),
            figure("retries", "/storm/retries", None),
            LOST,
            DUPLICATED,
            DISORDER,
        ],
    },
];

impl Figure {
    /// The number in a report; `None` when it was not measured.
    pub(super) fn of(&self, report: &Value) -> Option<f64> {
        report.pointer(self.pointer)?.as_f64()
    }
}

impl Scenario {
    /// All figures in a line, for whoever waits.
    pub(super) fn summary(&self, report: &Value) -> String {
        let shown = self.figures.iter().filter_map(|figure| {
            let number = figure.of(report)?;
            Some(format!("{}={}", figure.name, super::table::number(number)))
        });
        shown.collect::<Vec<_>>().join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_scenario_has_a_name_and_figures_of_its_own() {
        for (at, scenario) in SCENARIOS.iter().enumerate() {
            assert!(SCENARIOS[..at].iter().all(|other| other.name != scenario.name), "{}", scenario.name);
            for (at, figure) in scenario.figures.iter().enumerate() {
                let before = &scenario.figures[..at];
                assert!(before.iter().all(|other| other.name != figure.name), "{} {}", scenario.name, figure.name);
            }
            assert!(scenario.figures.iter().any(|figure| figure.title.is_some()), "{}", scenario.name);
        }
    }

    #[test]
    fn a_figure_is_found_where_the_report_has_it() {
        let report = serde_json::json!({"deliveries": {"lost": 3, "latency_ms": null}, "server": null});
        assert_eq!(LOST.of(&report), Some(3.0));
        assert_eq!((P99.of(&report), CPU.of(&report)), (None, None));
    }
}
