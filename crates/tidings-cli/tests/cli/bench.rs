//! `bench`: a load on a hub, and what is told of it.

use crate::{expect_all, hub, run};

#[test]
fn a_hub_is_measured_for_people_and_for_programs() {
    let hub = hub(&[]);
    let flags = ["--subscribers=20", "--topics=4", "--publishers=2", "--events=100", "--settle=0", "--verify"];
    let url = hub.url("");
    let arguments = [&["bench", &*url][..], &flags].concat();
    let table = run(&arguments).expect_code(0);
    let wants = [
        "20 subscribers of 4 topics, 2 publishers at full speed",
        "500 in ",
        "0 lost   0 duplicated   0 out of order   0 streams ended",
        "500 events decoded, each with an id of its own",
        "--pid",
    ];
    expect_all(&table.stdout, &wants);
    assert_eq!(table.stderr, "", "no bar without a terminal");

    let json = run(&[&arguments[..], &["--json"]].concat()).expect_code(0);
    let report: serde_json::Value = serde_json::from_str(&json.stdout).expect("one object");
    let deliveries = &report["deliveries"];
    assert_eq!((&deliveries["expected"], &deliveries["received"]), (&500.into(), &500.into()), "{report}");
    assert!(deliveries["latency_ms"]["p99"].is_number() && report["server"].is_null(), "{report}");
}

#[test]
fn clients_of_a_hub_come_back_without_loss() {
    let hub = hub(&[]);
    // So many live events a second that some fall into a storm of a few milliseconds.
    let rate = "--rate=2000";
    let storm = ["--subscribers=40", "--storm", "--live=5", "--behind=1000", rate, "--calm=50ms", "--settle=0"];
    let table = run(&[&["bench", &hub.url("")][..], &storm].concat()).expect_code(0);
    expect_all(&table.stdout, &["35 of 35 in ", "0 lost   0 duplicated   0 out of order", "live during"]);
}

#[test]
fn what_cannot_be_measured_is_said() {
    for (flags, code, wants) in [
        (&["http://127.0.0.1:1"][..], 1, &[" was not made", "tidings serve --memory"][..]),
        (&["https://127.0.0.1:1"], 2, &["TLS", "http://127.0.0.1:3000"]),
        (&["--payload=10B"], 2, &["payload bytes is 10", "expected 42"]),
        (&["--subscribe=/{topic}"], 2, &["{topic}", "{t}"]),
        (&["--pid=4294967295"], 2, &["4294967295", "expected the id of a running server"]),
        (&["--idle", "--storm"], 2, &["--idle", "--storm"]),
    ] {
        let finished = run(&[&["bench"][..], flags].concat()).expect_code(code);
        expect_all(&finished.stderr, wants);
        assert_eq!(finished.stdout, "", "{flags:?}");
    }
}
