//! `/metrics` of real hubs: good Prometheus text, and docs/metrics.md has a row for each family and no other.

use std::collections::BTreeSet;
use std::fs;

use tempfile::TempDir;
use tidings_e2e::{Hub, RawStream};

use crate::exposition::{Families, Family, parse};
use crate::support::{ask_promtool, text_of};

/// A set of public keys, so that a hub has something to say of it.
const KEY_SET: &str = concat!(
    r#"{"keys":[{"kty":"OKP","crv":"Ed25519","alg":"EdDSA","kid":"one","#,
    r#""x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#
);

/// Pages of a hub with everything that can be set in memory, and of one as it comes on a disk; each has done something.
pub(crate) fn pages() -> [String; 2] {
    let folder = TempDir::new().expect("there is room for a small history");
    let keys = folder.path().join("keys.json");
    fs::write(&keys, KEY_SET).expect("a temporary directory is writable");
    let (keys, data) = (format!("file://{}", keys.display()), folder.path().join("data"));
    let data = data.to_str().expect("temporary directories have plain names");
    let admin = ["--admin-listen", "127.0.0.1:0"];
    let memory = ["serve", "--memory", "--anonymous", "--jwks-url", &keys, "--history-events", "9"];
    let limits = ["--history-age", "1h", "--max-connections-per-ip", "99", "--max-connections-per-subject", "9"];
    let rates =
        ["--max-publish-events-per-second", "9", "--max-publish-bytes-per-second", "9KiB", "--max-lag-bytes", "9MiB"];
    let in_memory = Hub::start(&[&memory[..], &limits, &rates, &admin].concat());
    let on_disk = Hub::start(&[&["serve", "--data", data][..], &admin].concat());
    let mut reader = RawStream::get(on_disk.address(), "/events/t", &[]);
    reader.wait_for_text("retry:");
    on_disk.publish("/events/t", "something");
    reader.wait_for_text("something");
    [in_memory.metrics(), on_disk.metrics()].map(|page| page.text().to_owned())
}

/// All families of both hubs.
pub(crate) fn families() -> Families {
    let mut all = Families::new();
    for page in pages() {
        for (name, family) in parse(&page) {
            let known = all.entry(name).or_insert_with(|| Family { kind: family.kind.clone(), ..Family::default() });
            assert_eq!(known.kind, family.kind);
            for (label, values) in family.labels {
                known.labels.entry(label).or_default().extend(values);
            }
        }
    }
    all
}

#[test]
fn prometheus_itself_has_nothing_to_say_against_it() {
    for page in pages() {
        parse(&page);
        ask_promtool(&["check", "metrics"], None, &page);
    }
}

#[test]
fn every_metric_has_a_row_in_the_docs_and_every_row_a_metric() {
    let docs = text_of("docs/metrics.md");
    let row = |line: &str| {
        let cells: Vec<_> = line.strip_prefix("| `")?.split('|').map(|cell| cell.trim().trim_matches('`')).collect();
        let [name, kind, label, means, ""] = cells[..] else { panic!("a row has four cells: {line}") };
        assert!(means.len() > 3, "{line}");
        Some(format!("{name}: {kind}, {label}"))
    };
    let described: BTreeSet<String> = docs.lines().filter_map(row).collect();
    let label = |family: &Family| family.labels.keys().find(|label| *label != "le").cloned().unwrap_or_default();
    let there: BTreeSet<String> =
        families().iter().map(|(name, family)| format!("{name}: {}, {}", family.kind, label(family))).collect();
    let (missing, unknown): (Vec<_>, Vec<_>) =
        (there.difference(&described).collect(), described.difference(&there).collect());
    assert!(missing.is_empty(), "docs/metrics.md has no row for {missing:#?}");
    assert!(unknown.is_empty(), "docs/metrics.md has rows that no hub answers: {unknown:#?}");
}

#[test]
fn a_reader_that_is_behind_is_seen_in_the_sampled_lag() {
    let hub = Hub::start(&["serve", "--memory", "--admin-listen", "127.0.0.1:0"]);
    let mut reader = RawStream::get(hub.address(), "/events/t", &[]);
    reader.wait_for_text("retry:");
    let mut published = 0;
    while hub.metric("tidings_session_lag_seconds_count") < 3.0 {
        published += 1;
        assert!(published < 10_000, "no session was looked at");
        hub.publish("/events/t", "x");
    }
    // Whoever has all there is counts as not behind at all.
    let within = hub.metric("tidings_session_lag_seconds_bucket{le=\"0.1\"}");
    assert!(within >= 3.0, "{}", hub.metrics().text());
}
