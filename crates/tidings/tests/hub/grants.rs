//! Who is given what: events under several topics, and private ones to those who may see them, live and replayed.

use tidings::{Grants, Publication};
use tidings_core::Dialect;

use crate::support::hub::{Setup, parse_topic};
use crate::support::shards::{Listener, Shards, only, subscription};
use crate::support::{eventually_equal, over_both_ways_near_and_far};

over_both_ways_near_and_far!(
    a_private_event_reaches_those_who_may_see_it,
    each_of_many_with_a_token_of_its_own_gets_its_own,
    an_event_under_several_topics_comes_once,
    an_event_under_several_topics_is_replayed_once,
    one_topic_of_several_is_enough_to_wake_a_reader,
    a_private_event_is_for_whoever_may_see_one_of_its_topics,
    a_stream_of_mercure_goes_on_after_an_end,
);

fn start(setup: Setup) -> Shards {
    Shards::start(setup, |_| ())
}

fn event(topic: &str, data: impl Into<String>) -> Publication {
    Publication::new(parse_topic(topic), data)
}

fn private(topic: &str, data: impl Into<String>) -> Publication {
    Publication { private: true, ..event(topic, data) }
}

fn under(publication: Publication, alternates: &[&str]) -> Publication {
    Publication { alternates: alternates.iter().map(|raw| parse_topic(raw)).collect(), ..publication }
}

/// Waits until all sessions are live.
fn await_live(shards: &Shards, count: u64) {
    eventually_equal("live sessions", &count, || shards.counters.sessions_live.get());
}

fn a_private_event_reaches_those_who_may_see_it(setup: Setup) {
    let shards = start(setup);
    let readers = || {
        [
            (Grants::Anonymous, vec!["1", "4", "6"]),
            (only(&["chat/a"]), vec!["1", "2", "4", "6"]),
            (only(&["chat/b", "chat/a"]), vec!["1", "2", "3", "4", "5", "6"]),
            (only(&["chat/b", "elsewhere"]), vec!["1", "3", "4", "5", "6"]),
            (only(&["chat/*"]), vec!["1", "2", "3", "4", "5", "6"]),
            (only(&["chat"]), vec!["1", "4", "6"]),
            (Grants::Everything, vec!["1", "2", "3", "4", "5", "6"]),
        ]
    };
    let join = |(grants, want)| (shards.join(subscription(&["chat/*"], grants)), want);
    let check = |(mut reader, want): (Listener, Vec<&str>)| assert_eq!(reader.next_datas(want.len()), want);

    let live: Vec<_> = readers().into_iter().map(join).collect();
    await_live(&shards, 7);
    shards.publish(event("chat/a", "1"));
    shards.publish(private("chat/a", "2"));
    shards.publish(private("chat/b", "3"));
    shards.publish(event("chat/b", "4"));
    shards.publish(private("chat/b", "5"));
    shards.publish(event("chat/a", "6"));
    live.into_iter().for_each(check);
    // Those who come later are told the same.
    readers().into_iter().map(join).for_each(check);
}

fn each_of_many_with_a_token_of_its_own_gets_its_own(setup: Setup) {
    const READERS: usize = 100;
    let shards = start(setup);
    let join = |number: usize| shards.join(subscription(&["inbox"], only(&[&format!("user/{number}")])));
    let mut live: Vec<_> = (0..READERS).map(join).collect();
    await_live(&shards, READERS as u64);
    for number in 0..READERS {
        shards.publish(under(private("inbox", format!("for {number}")), &[&format!("user/{number}")]));
    }
    shards.publish(event("inbox", "for all"));
    for (number, reader) in live.iter_mut().enumerate() {
        assert_eq!(reader.next_datas(2), [format!("for {number}"), "for all".to_owned()]);
    }
    drop(live);
    for number in 0..READERS {
        assert_eq!(join(number).next_datas(2), [format!("for {number}"), "for all".to_owned()]);
    }
    eventually_equal("sessions", &0, || shards.fanout.handle().sessions());
}

const SEVERAL: [&[&str]; 6] = [&["a"], &["b"], &["c"], &["a", "b", "c"], &["*"], &["*", "b"]];

fn an_event_under_several_topics_comes_once(setup: Setup) {
    let shards = start(setup);
    let live: Vec<_> = SEVERAL.map(|selectors| shards.join(subscription(selectors, Grants::Anonymous))).into();
    await_live(&shards, 6);
    publish_under_several(&shards);
    live.into_iter().for_each(expect_each_once);
}

fn an_event_under_several_topics_is_replayed_once(setup: Setup) {
    let shards = start(setup);
    publish_under_several(&shards);
    for selectors in SEVERAL {
        expect_each_once(shards.join(subscription(selectors, Grants::Anonymous)));
    }
}

fn publish_under_several(shards: &Shards) {
    for number in 0..10 {
        shards.publish(under(event("a", number.to_string()), &["b", "c", "b", "a"]));
        shards.publish(event("d", "for somebody else"));
    }
    shards.publish(under(event("c", "last"), &["a", "b"]));
}

fn expect_each_once(mut reader: Listener) {
    let mut got = Vec::new();
    while got.last().is_none_or(|last| last != "last") {
        got.extend(Some(reader.next_data()).filter(|data| data != "for somebody else"));
    }
    assert_eq!(got, ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "last"]);
}

fn one_topic_of_several_is_enough_to_wake_a_reader(setup: Setup) {
    let shards = start(setup);
    let mut reader = shards.join(subscription(&["b"], Grants::Anonymous));
    await_live(&shards, 1);
    for number in 0..3 {
        shards.publish(under(event("a", number.to_string()), &["c", "b"]));
        assert_eq!(reader.next_data(), number.to_string());
    }
}

fn a_private_event_is_for_whoever_may_see_one_of_its_topics(setup: Setup) {
    let shards = start(setup);
    let mut by_alternate = shards.join(subscription(&["a"], only(&["b"])));
    let mut by_topic = shards.join(subscription(&["b"], only(&["a"])));
    let mut by_neither = shards.join(subscription(&["a", "b"], only(&["c"])));
    await_live(&shards, 3);
    shards.publish(under(private("a", "secret"), &["b"]));
    shards.publish(under(event("b", "public"), &["a"]));
    assert_eq!(by_alternate.next_datas(2), ["secret", "public"]);
    assert_eq!(by_topic.next_datas(2), ["secret", "public"]);
    assert_eq!(by_neither.next_data(), "public");
}

fn a_stream_of_mercure_goes_on_after_an_end(setup: Setup) {
    let shards = start(setup);
    let join = || {
        let mut subscription = subscription(&["*"], Grants::Anonymous);
        subscription.group.dialect = Dialect::Mercure;
        shards.join(subscription)
    };
    let live = join();
    await_live(&shards, 1);
    shards.publish(event("a", "one"));
    shards.publish(Publication { ends_topic: true, ..event("a", "two") });
    shards.publish(Publication { ends_topic: true, ..event("b", "") });
    shards.publish(event("c", "three"));
    for mut reader in [live, join()] {
        assert_eq!(reader.next_datas(3), ["one", "two", "three"]);
        assert!(!reader.text.contains("tidings."), "{:?}", reader.text);
    }
}
