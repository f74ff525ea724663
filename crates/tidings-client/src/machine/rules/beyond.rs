//! What the standard leaves to a client: silence, refusals, giving up, storms, limits.

use std::time::Duration;

use super::*;

#[test]
fn silence_is_noticed_while_asking_and_while_reading() {
    let after = Duration::from_secs(30);
    let mut world = World::new(Policy { idle_timeout: Some(after), ..policy() });
    world.connect();
    world.now += after;
    world.machine.on_silence(world.now);
    assert_eq!(world.told(), ["lost no byte for 30s"]);
    world.come_back();
    world.now += after / 2;
    world.answer(200, STREAM);
    world.told();
    for _ in 0..5 {
        world.now += after.mul_f64(0.9);
        world.machine.on_silence(world.now);
        assert_eq!(world.read(b":\n"), ["comment "]);
    }
    let Step::Read { until: Some(until) } = world.machine.step(world.now) else { panic!("it reads with a deadline") };
    assert_eq!(until, world.now + after);
    world.machine.on_silence(until);
    assert_eq!(world.told(), ["lost no byte for 30s"]);
}

#[test]
fn refusals_are_waited_out_only_if_asked() {
    let mut world = World::new(Policy { retries_refusals: true, ..policy() });
    for status in [429, 500, 503] {
        world.connect();
        world.answer(status, &[("retry-after", "20")]);
        let wait = world.wait();
        assert!(wait >= Duration::from_secs(20) && wait <= Duration::from_secs(25), "{status}: {wait:?}");
        world.now += wait;
    }
    world.connect();
    world.answer(404, &[("retry-after", "20")]);
    assert!(world.told()[0].contains("404"), "a 404 stays final");
}

#[test]
fn it_gives_up_after_so_many_failures_in_a_row() {
    let mut world = World::new(Policy { attempts_max: Some(3), ..policy() });
    world.connect();
    world.answer(200, STREAM);
    world.told();
    world.read(b"data: 1\n\n");
    world.end(); // this one served
    for _ in 0..2 {
        world.come_back();
        world.machine.on_lost(Lost::Ended, world.now);
    }
    world.come_back();
    world.machine.on_lost(Lost::Ended, world.now);
    assert_eq!(world.told(), ["error gave up after 3 failed attempts in a row"]);
    assert!(world.is_over());
}

#[test]
fn a_quiet_stream_that_lasted_is_no_failure() {
    let mut world = World::new(Policy { attempts_max: Some(1), ..policy() });
    world.connect();
    world.answer(200, STREAM);
    world.told();
    world.now += Duration::from_secs(10);
    assert!(world.end() <= Duration::from_millis(3750));
}

#[test]
fn reconnecting_is_at_once_and_keeps_the_place() {
    let mut world = World::open();
    world.read(b"id: 1\ndata: a\n\nid: 2\ndata: cut");
    world.machine.reconnect(world.now);
    assert_eq!(world.told(), ["lost the program asked for a new connection"]);
    assert_eq!(world.connect().last_event_id, "1");
}

#[test]
fn an_event_beyond_the_limit_ends_the_stream() {
    let mut world = World::new(Policy { limits: DecoderLimits { event_bytes_max: 100 }, ..policy() });
    world.connect();
    world.answer(200, STREAM);
    world.told();
    let told = world.read(&[b'x'; 101]);
    assert_eq!(told, ["error an event is too large; expected at most 100 bytes in its fields and the line being read"]);
    assert!(world.is_over());
}

/// A thousand clients of a server that is down for 30 s: how often each asks, and how they spread.
#[test]
fn thirty_seconds_of_a_storm() {
    let policy = Policy { retry: Duration::from_secs(1), ..policy() };
    let begin = Instant::now();
    let mut asked_in = [0_u32; 300]; // by tenths of a second
    for seed in 0..1_000 {
        let mut machine = World::new(policy.clone()).machine;
        machine.backoff = crate::backoff::Backoff::new(policy.retry, policy.backoff_max, seed);
        let mut now = begin;
        let mut attempts = 0;
        while now < begin + Duration::from_secs(30) {
            match machine.step(now) {
                Step::Connect(_) => {
                    attempts += 1;
                    asked_in[usize::try_from((now - begin).as_millis() / 100).expect("below 300")] += 1;
                    machine.on_lost(Lost::Ended, now);
                }
                Step::Deliver(_) => {}
                Step::Wait { until } => now = now.max(until),
                other => panic!("unexpected {other:?}"),
            }
        }
        assert!((5..=6).contains(&attempts), "{attempts} attempts: at 0, 1, 3, 7, 15 and up to a quarter later");
    }
    assert_eq!(asked_in[0], 1_000, "all begin together");
    let densest = asked_in[1..].iter().max().expect("there are some");
    assert!(*densest < 500, "{densest} of 1000 came back in the same tenth of a second");
    let late = asked_in[100..].iter().max().expect("there are some");
    assert!(*late < 100, "{late} of 1000 were still together after 10 s");
}
