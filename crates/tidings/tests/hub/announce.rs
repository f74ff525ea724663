//! `?announce=1`: before each event, live or replayed, its position and its topics, in a frame without an id.

use tidings::{EventId, Publication};

use crate::support::hub::{Setup, TestHub, parse_topic};
use crate::support::over_both_ways_near_and_far;
use crate::support::reader::Reader;

over_both_ways_near_and_far!(each_event_is_announced, others_see_nothing_of_it,);

fn publish(hub: &TestHub, topic: &str, alternate: &str, data: &str, id: Option<&str>) -> String {
    let publication = Publication {
        alternates: [parse_topic(alternate)].into(),
        id: id.map(|id| EventId::parse(id).expect("a good id")),
        ..Publication::new(parse_topic(topic), data)
    };
    hub.publish_all_of(publication).position.to_string()
}

/// The next two frames: the position and the topics that are announced, and the event's id and data.
fn next_two(reader: &mut Reader) -> (Vec<String>, String, String) {
    let next = reader.next();
    assert_eq!(next.event_type, "tidings.next");
    let event = reader.next();
    assert_ne!(next.last_event_id, event.last_event_id, "a cut between the two resumes before the event");
    (next.data.lines().map(str::to_owned).collect(), event.last_event_id, event.data)
}

fn each_event_is_announced(setup: Setup) {
    let hub = TestHub::start(setup, |builder| builder);
    let first = publish(&hub, "chat/1", "room/9", "first", None);
    let second = publish(&hub, "hidden", "chat/2", "two\nlines", Some("own"));
    let mut reader = Reader::open(hub.address, "/events?topic=chat/*&topic=room/**&announce=1&since=earliest");
    let want = |position: &str, topics: &[&str]| [&[position], topics].concat().join("\n");
    let (told, id, data) = next_two(&mut reader);
    assert_eq!((told.join("\n"), id, data), (want(&first, &["chat/1", "room/9"]), first, "first".to_owned()));
    let (told, id, data) = next_two(&mut reader);
    // Of its topics only those that were asked for are told.
    assert_eq!((told.join("\n"), &*id, &*data), (want(&second, &["chat/2"]), "own", "two\nlines"));
    let live = publish(&hub, "room/1/x", "other", "live", None);
    let (told, id, _) = next_two(&mut reader);
    assert_eq!((told.join("\n"), id), (want(&live, &["room/1/x"]), live));
}

fn others_see_nothing_of_it(setup: Setup) {
    let hub = TestHub::start(setup, |builder| builder);
    hub.publish("chat/1", "first");
    let mut announced = Reader::open(hub.address, "/events/chat/1?announce=1&since=earliest");
    let mut plain = Reader::open(hub.address, "/events/chat/1?announce=0&since=earliest");
    hub.publish("chat/1", "second");
    for data in ["first", "second"] {
        assert_eq!(plain.next_data(), data);
        assert_eq!(next_two(&mut announced).2, data);
    }
}
