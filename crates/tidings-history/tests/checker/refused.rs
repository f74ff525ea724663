//! False histories and what the judge must say of them: wrong events, ids and frames. Wrong orders and gaps are in
//! `order`.

use tidings_history::{FAULTS_MAX, check, sentences};

use crate::script::history;

/// Refuses a script, and for this reason alone.
#[track_caller]
pub(crate) fn refuse(script: &str, want: &str) {
    let faults = check(&history(script)).expect_err(&format!("it must be refused: {want}\n{script}"));
    assert_eq!(sentences(&faults), want, "in{script}");
}

/// A reader of everything that has seen `p0/1` as `@1` and `p0/2` as `mine`, and is connected.
pub(crate) fn base(more: &str) -> String {
    format!(
        "
        listen r0 **
        connect r0/1 earliest
        opened r0/1
        ask p0/1 a
        ok p0/1 @1
        ask p0/2 a id=mine
        ok p0/2 mine
        saw r0/1 @1 p0/1
        saw r0/1 mine p0/2
        {more}
        "
    )
}

#[track_caller]
pub(crate) fn refuse_after_base(more: &str, want: &str) {
    check(&history(&base(""))).expect("the base is true");
    refuse(&base(more), want);
}

#[test]
fn an_event_that_nobody_published() {
    refuse_after_base("saw r0/1 @3 data=forged", r#"r0/1: saw 3vq8k0aa-3 with "forged", which nobody published"#);
    // It names a publication, but one that was never asked for.
    refuse_after_base("saw r0/1 @3 p7/1", r#"r0/1: saw 3vq8k0aa-3 with "p7/1 and more", which nobody published"#);
    refuse_after_base(
        "saw r0/1 @3 p0/3\nask p0/3 a\nok p0/3 @3",
        "r0/1: saw 3vq8k0aa-3 (p0/3) before it was published",
    );
}

#[test]
fn an_event_that_is_not_what_was_published() {
    let damaged = "at byte 4 stands \"-and-less\" in place of \" and more\" (13 bytes in place of 13)";
    refuse_after_base(
        "ask p0/3 a\nok p0/3 @3\nsaw r0/1 @3 data=p0/3-and-less",
        &format!("r0/1: saw 3vq8k0aa-3 (p0/3) with other data: {damaged}"),
    );
    refuse_after_base(
        "ask p0/3 a type=price\nok p0/3 @3\nsaw r0/1 @3 p0/3",
        r#"r0/1: saw 3vq8k0aa-3 (p0/3) with the type "message"; published was "price""#,
    );
    refuse_after_base(
        "ask p0/3 a\nok p0/3 @3\nsaw r0/1 @4 p0/3",
        "r0/1: saw p0/3 with the id 3vq8k0aa-4; it is 3vq8k0aa-3",
    );
    refuse_after_base(
        "ask p0/3 a id=third\nunknown p0/3\nsaw r0/1 fourth p0/3",
        "r0/1: saw p0/3 with the id fourth; it is third",
    );
    refuse_after_base(
        "ask p0/3 a\nunknown p0/3\nsaw r0/1 third p0/3",
        "r0/1: saw p0/3 with the id third; it is an id of the hub's own form",
    );
}

#[test]
fn an_event_that_was_refused() {
    refuse_after_base(
        "ask p0/3 a\nrefused p0/3 503\nsaw r0/1 @3 p0/3",
        "r0/1: saw 3vq8k0aa-3 (p0/3), which was refused with 503",
    );
}

#[test]
fn an_event_that_its_reader_does_not_listen_to() {
    let script = |topic: &str, event_type: &str| {
        format!(
            "
            listen r0 a,b/* types=price
            connect r0/1 earliest
            opened r0/1
            ask p0/1 {topic} type={event_type}
            ok p0/1 @1
            saw r0/1 @1 p0/1 type={event_type}
            "
        )
    };
    check(&history(&script("b/7", "price"))).expect("this one it listens to");
    for (topic, event_type) in [("b", "price"), ("a", "offer")] {
        refuse(
            &script(topic, event_type),
            &format!("r0/1: saw 3vq8k0aa-1 (p0/1) of {topic:?} and type {event_type:?}, which it does not listen to"),
        );
    }
}

#[test]
fn an_event_that_came_twice() {
    refuse_after_base("saw r0/1 @1 p0/1", "r0/1: saw 3vq8k0aa-1 (p0/1) again, after r0/1");
    refuse_after_base(
        "cut r0/1\nconnect r0/2 after=mine\nopened r0/2\nsaw r0/2 mine p0/2",
        "r0/2: saw mine (p0/2) again, after r0/1",
    );
}

#[test]
fn a_publication_that_was_stored_twice() {
    // Under its key it was sent once more, and the hub had forgotten the first.
    refuse_after_base(
        "
        ask p0/3 a key=k
        unknown p0/3
        ask p0/3 a key=k
        ok p0/3 @4
        saw r0/1 @3 p0/3
        saw r0/1 @4 p0/3
        ",
        "r0/1: saw p0/3 with the id 3vq8k0aa-3; it is 3vq8k0aa-4\nr0/1: saw 3vq8k0aa-4 (p0/3) again, after r0/1",
    );
    // It was never acknowledged, but two readers saw it under two ids.
    refuse_after_base(
        "
        listen r1 **
        connect r1/1 live
        opened r1/1
        ask p0/3 a
        unknown p0/3
        saw r0/1 @3 p0/3
        saw r1/1 @4 p0/3
        ",
        "r1/1: saw p0/3 with the id 3vq8k0aa-4; it is 3vq8k0aa-3",
    );
}

#[test]
fn an_id_that_two_publications_have() {
    refuse_after_base("ask p0/3 a\nok p0/3 @1", "3vq8k0aa-1 was given to p0/1 and to p0/3");
    refuse_after_base(
        "ask p0/3 a\nunknown p0/3\nsaw r0/1 @1 p0/3",
        "3vq8k0aa-1 was given to p0/1 and to p0/3\nr0/1: saw 3vq8k0aa-1 after 3vq8k0aa-1",
    );
}

#[test]
fn an_answer_with_a_wrong_id() {
    refuse("ask p0/1 a id=mine\nok p0/1 @1", "p0/1 was acknowledged with 3vq8k0aa-1; expected mine");
    refuse("ask p0/1 a\nok p0/1 mine", "p0/1 was acknowledged with mine; expected an id of the hub's own form");
    refuse(
        "ask p0/1 a key=k\nok p0/1 @1\nask p0/1 a key=k\nok p0/1 @2",
        "p0/1 was acknowledged with 3vq8k0aa-2; expected 3vq8k0aa-1",
    );
}

#[test]
fn frames_that_are_not_what_they_should_be() {
    let again = |frame: &str| format!("cut r0/1\nconnect r0/2 after=mine\nopened r0/2\n{frame}");
    refuse_after_base(
        "open r0/1 @2",
        "r0/1: tidings.open came after 2 others; it is the first thing of a stream or not there",
    );
    refuse_after_base(
        &again("open r0/2 @2\nreset r0/2 @2 expired mine"),
        "r0/2: tidings.reset came after 1 others; it is the first thing of a stream or not there",
    );
    refuse_after_base(
        &again("open r0/2 mine"),
        r#"r0/2: tidings.open has the id "mine"; expected a position of the hub's own form"#,
    );
    refuse_after_base(
        &again("reset r0/2 @2 forgotten mine"),
        "r0/2: a verdict has the data \
         \"{\\\"requested\\\":\\\"mine\\\",\\\"reason\\\":\\\"forgotten\\\",\\\"oldest\\\":null,\\\"late…\"; expected requested, \
         reason (expired, unknown or lost), oldest and latest",
    );
    refuse_after_base(
        &again("reset r0/2 @2 expired @1"),
        r#"r0/2: a verdict on "3vq8k0aa-1", but the reader came with "mine""#,
    );
    refuse_after_base(
        "cut r0/1\nconnect r0/2 earliest\nopened r0/2\nreset r0/2 @2 expired @1",
        "r0/2: a verdict, though the reader asked for what there is",
    );
    refuse_after_base("frame r0/1 @2 tidings.gossip", r#"r0/1: a frame of the unknown type "tidings.gossip""#);
}

#[test]
fn a_made_up_id_that_nobody_objects_to() {
    let came = "cut r0/1\nask p0/3 a id=third\nrefused p0/3 409\nlisten r1 a";
    for (id, is_made_up) in [("nobodys", true), ("third", true), ("mine", false), ("@1", false)] {
        let more = format!("{came}\nconnect r1/1 after={id}\nopened r1/1\nopen r1/1 @2");
        if is_made_up {
            refuse_after_base(
                &more,
                &format!("r1/1: came with the id {id:?}, which was never given to anybody, and was not told so"),
            );
        } else if id == "mine" {
            check(&history(&base(&more))).expect("it was given to somebody");
        }
    }
    check(&history(&base(&format!(
        "{came}\nconnect r1/1 after=nobodys\nopened r1/1\nreset r1/1 @0 unknown nobodys\nsaw r1/1 @1 p0/1"
    ))))
    .expect("it was told so");
}

#[test]
fn entries_that_do_not_fit_together() {
    let cannot = |entry: usize, what: &str| format!("entry {entry} cannot be: {what}");
    refuse("ok p0/1 @1", &cannot(0, "p0/1 was answered, but never asked for"));
    refuse("ask p0/1 a\nask p0/1 b", &cannot(1, "p0/1 was asked for again, but not the same"));
    refuse("ask p0/1 a data=p0/2", &cannot(0, "the data of p0/1 does not begin with its name"));
    refuse("ask p0/1 a id=x\nask p0/2 a id=x", &cannot(1, "p0/2 asks for the id x of p0/1"));
    refuse("listen r0 a\nlisten r0 a", &cannot(1, "there are two r0"));
    refuse("connect r0/1 live", &cannot(0, "there is no r0"));
    refuse("listen r0 a\nopened r0/1", &cannot(1, "r0/1 is not open"));
    refuse(
        "listen r0 a\nconnect r0/1 live\nconnect r0/2 live",
        &cannot(2, "r0/2 begins before the connection before it is over"),
    );
    refuse(
        "listen r0 a\nask p0/1 a\nconnect r0/1 live\nopened r0/1 503\nsaw r0/1 @1 p0/1",
        &cannot(4, "r0/1 saw something, but was not opened as a stream"),
    );
    refuse_after_base(
        "ask p0/3 a\nok p0/3 @3\ncut r0/1\nconnect r0/2 after=@3",
        &cannot(12, "r0/2 goes on from 3vq8k0aa-3, which its reader has not seen"),
    );
    refuse("listen r0 a\ndone r0\nconnect r0/1 live", &cannot(2, "r0 was done"));
}

#[test]
fn after_many_faults_the_rest_is_not_told() {
    let more: Vec<_> = (3..3 + FAULTS_MAX + 10).map(|number| format!("saw r0/1 @{number} data=forged")).collect();
    let faults = check(&history(&base(&more.join("\n")))).expect_err("all of them are forged");
    assert_eq!(faults.len(), FAULTS_MAX);
}
