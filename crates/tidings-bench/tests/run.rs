//! Whole runs against a server that does wrong what it is asked to.

mod support;

use std::time::Duration;

use support::{Fault, TestServer};
use tidings_bench::{
    Amount, BenchError, DeliveryReport, FanoutPlan, IdlePlan, Mode, Pace, Phase, Plan, Report, Server, StormPlan, run,
};

/// Six subscribers of three topics; sixty events by two publishers.
fn plan(server: &TestServer) -> Plan {
    let fanout = FanoutPlan { publishers: 2, amount: Amount::Events(60), ..FanoutPlan::default() };
    Plan {
        subscribers: 6,
        topics: 3,
        mode: Mode::Fanout(fanout),
        settle: Duration::ZERO,
        quiet: Duration::from_millis(300),
        timeout: Duration::from_secs(20),
        verify: true,
        ..Plan::new(Server::parse(&server.url).expect("a server"))
    }
}

fn report(plan: &Plan) -> Report {
    run(plan, |_| {}).expect("a report")
}

/// What was counted: expected, received, lost, duplicated, out of order, closed.
fn counts(report: &Report) -> [u64; 6] {
    let DeliveryReport { expected, received, lost, duplicated, out_of_order, closed, .. } =
        report.deliveries.as_ref().expect("deliveries");
    [*expected, *received, *lost, *duplicated, *out_of_order, *closed]
}

#[track_caller]
fn check(fault: Fault, want: [u64; 6]) -> Report {
    let report = report(&plan(&TestServer::start(fault)));
    assert_eq!(counts(&report), want, "{fault:?}: {report:#?}");
    report
}

#[test]
fn every_delivery_of_a_good_server_is_counted_once() {
    let report = check(Fault::None, [120, 120, 0, 0, 0, 0]);
    let publish = report.publish.expect("events were published");
    assert_eq!((publish.accepted, publish.refused, publish.publishers), (60, 0, 2));
    let verify = report.verify.expect("it was asked for");
    assert_eq!((verify.events, verify.without_id, verify.id_changed, verify.id_shared), (120, 0, 0, 0));
    assert!(report.server.is_none(), "no process id was given");
    check(Fault::ClosesAfterPublish, [120, 120, 0, 0, 0, 0]);
}

#[test]
fn what_a_server_does_wrong_is_told_apart() {
    // Each fault at six of sixty events, for the two subscribers of its topic.
    check(Fault::LosesEach(10), [120, 108, 12, 0, 0, 0]);
    check(Fault::RepeatsEach(10), [120, 132, 0, 12, 0, 0]);
    let report = check(Fault::RefusesEach(10), [108, 108, 0, 0, 0, 0]);
    let publish = report.publish.expect("events were published");
    assert_eq!((publish.accepted, publish.refused), (54, 6));
    assert!(publish.first_refusal.is_some_and(|refusal| refusal.contains("429 Slow down")));
}

#[test]
fn an_event_behind_a_later_one_of_its_publisher_and_topic_is_out_of_order() {
    let mut plan = plan(&TestServer::start(Fault::DelaysEach(10)));
    plan.topics = 1;
    plan.mode = Mode::Fanout(FanoutPlan { amount: Amount::Events(55), ..FanoutPlan::default() });
    // Five of 55 were kept back, for six subscribers.
    assert_eq!(counts(&report(&plan)), [330, 330, 0, 0, 30, 0]);
}

#[test]
fn streams_that_end_are_counted_and_what_they_miss_is_lost() {
    let mut plan = plan(&TestServer::start(Fault::EndsAt(50)));
    plan.quiet = Duration::from_secs(10); // nobody is left: there is nothing to wait for
    plan.topics = 1;
    let report = report(&plan);
    assert_eq!(counts(&report), [360, 300, 60, 0, 0, 6]);
}

#[test]
fn ids_are_checked() {
    let without = report(&plan(&TestServer::start(Fault::HasNoIds)));
    assert_eq!(without.verify.expect("asked for").without_id, 120);
    let shared = report(&plan(&TestServer::start(Fault::HasOneId)));
    assert_eq!(shared.verify.expect("asked for").id_shared, 59);
}

#[test]
fn a_rate_and_a_time_decide_how_much_is_published() {
    let mut plan = plan(&TestServer::start(Fault::None));
    let (amount, pace) = (Amount::For(Duration::from_millis(200)), Pace::Rate(200.0));
    plan.mode = Mode::Fanout(FanoutPlan { publishers: 2, amount, pace, warm_up: Duration::from_millis(50) });
    let report = report(&plan);
    assert_eq!(counts(&report)[..3], [80, 80, 0], "40 events are due in this time, each for two subscribers");
    let publish = report.publish.expect("events were published");
    assert_eq!((publish.accepted, publish.rate), (40, Some(200.0)));
    assert!(publish.seconds > 0.190, "the last one is due after 195 ms: {publish:?}");
}

/// Coordinated omission: a publisher that is held up sends late, and what waited meanwhile is as late as it waited.
#[test]
fn latency_counts_from_the_time_an_event_was_due() {
    let mut plan = plan(&TestServer::start(Fault::None));
    // All are due within 2 ms, and one publisher is far from done by then.
    let (amount, pace) = (Amount::Events(2_000), Pace::Rate(1_000_000.0));
    plan.mode = Mode::Fanout(FanoutPlan { publishers: 1, amount, pace, warm_up: Duration::ZERO });
    let report = report(&plan);
    let publish = report.publish.expect("events were published");
    let took_ms = publish.seconds * 1_000.0;
    assert!(took_ms > 4.0, "an answer takes more than 2 µs: {publish:?}");
    let answer = publish.latency_ms.expect("answers");
    assert!(answer.max >= (took_ms - 2.0) * 0.99, "the last one waited for all others: {publish:?}");
    let delivery = report.deliveries.expect("deliveries").latency_ms.expect("deliveries");
    assert!(delivery.p50 >= took_ms * 0.1, "half of them waited for many others: {delivery:?} of {took_ms} ms");
}

#[test]
fn a_group_listens_to_many_topics() {
    let server = TestServer::start(Fault::None);
    let mut plan = plan(&server);
    plan.topics = 10;
    plan.groups = Some(2);
    // The server knows no patterns: both publish and subscribe by the remainder.
    plan.subscribe.path = "/g{i%2}".parse().expect("a template");
    plan.publish.path = "/g{t%2}".parse().expect("a template");
    assert_eq!(counts(&report(&plan)), [180, 180, 0, 0, 0, 0]);
}

#[test]
fn refused_subscribers_end_the_run_with_the_answer() {
    let server = TestServer::start(Fault::ForbidsReading);
    let error = run(&plan(&server), |_| {}).expect_err("403");
    assert!(matches!(&error, BenchError::Refused { status: 403, answer, .. } if answer.ends_with("no!\n")), "{error}");

    let server = TestServer::start(Fault::RefusesEach(1));
    let error = run(&plan(&server), |_| {}).expect_err("nothing was accepted");
    assert!(matches!(&error, BenchError::NothingAccepted { refused: 60, first } if first.contains("429")), "{error}");

    let mut nobody = plan(&server);
    nobody.server = Server::parse("http://127.0.0.1:1").expect("a server");
    let error = run(&nobody, |_| {}).expect_err("nobody listens there");
    assert!(matches!(error, BenchError::Connect { .. }), "{error}");
}

#[test]
fn idle_subscribers_are_watched() {
    let mut plan = plan(&TestServer::start(Fault::None));
    plan.mode = Mode::Idle(IdlePlan { hold: Duration::from_millis(50) });
    plan.pids = vec![std::process::id()];
    let mut phases = Vec::new();
    let report = run(&plan, |progress| phases.push(progress.phase)).expect("a report");
    let idle = report.idle.expect("it was idle");
    assert!(idle.seconds >= 0.05 && idle.closed == 0, "{idle:?}");
    assert_eq!(idle.cpu_percent.is_some(), cfg!(target_os = "linux"));
    assert_eq!(report.connect.pss_bytes_per_subscriber.is_some(), cfg!(target_os = "linux"));
    phases.dedup();
    assert_eq!(phases, [Phase::Connecting, Phase::Settling, Phase::Holding]);
}

#[test]
fn clients_come_back_and_catch_up() {
    let storm = StormPlan {
        live_readers: 3,
        events_behind: 40,
        live_rate: 200.0,
        calm: Duration::from_millis(100),
        publishers: 2,
        ..StormPlan::default()
    };
    let storm = |fault: Fault| {
        let mut plan = plan(&TestServer::start(fault));
        plan.subscribers = 12;
        plan.mode = Mode::Storm(storm.clone());
        run(&plan, |_| {})
    };
    let report = storm(Fault::RefusesReturns(4)).expect("a report");
    let [expected, received, lost, duplicated, out_of_order, _] = counts(&report);
    assert_eq!((received, lost, duplicated, out_of_order), (expected, 0, 0, 0), "{report:#?}");
    assert!(expected >= 9 * 40, "{expected}");
    let storm_report = report.storm.expect("it was a storm");
    assert_eq!((storm_report.clients, storm_report.caught_up, storm_report.retries), (9, 9, 4));
    assert!(storm_report.seconds > 0.0 && storm_report.catch_up_ms.is_some());
    assert!(storm_report.live_before_ms.is_some() && storm_report.live_during_ms.is_some());
    let verify = report.verify.expect("asked for");
    assert_eq!((verify.id_changed, verify.id_shared), (0, 0), "a replayed event has the id it had: {verify:?}");

    let error = storm(Fault::HasNoIds).expect_err("no ids");
    assert!(matches!(error, BenchError::NoIds { clients: 9 }), "{error}");
}

#[test]
fn too_many_subscribers_are_refused_before_the_start() {
    let mut plan = plan(&TestServer::start(Fault::None));
    plan.subscribers = 9_000_000;
    let error = run(&plan, |_| {}).expect_err("no test system grants that many descriptors");
    assert!(matches!(error, BenchError::Descriptors { needed: 9_000_066, .. }), "{error}");
}
