//! True histories: what a hub that keeps its promises may look like from outside.

use tidings_history::{Summary, check, sentences};

use crate::script::history;

#[track_caller]
fn accept(script: &str) -> Summary {
    check(&history(script)).unwrap_or_else(|faults| panic!("{}\n\nin{script}", sentences(&faults)))
}

#[test]
fn nothing_at_all_is_true() {
    assert_eq!(accept(""), Summary::default());
}

#[test]
fn a_reader_of_everything_and_one_that_came_back() {
    let summary = accept(
        "
        listen r0 **
        listen r1 a
        connect r0/1 earliest
        opened r0/1
        connect r1/1 live
        opened r1/1
        ask p0/1 a
        ask p1/1 b type=price
        saw r0/1 @1 p1/1 type=price    # before its publisher knows
        saw r0/1 @2 p0/1
        ok p0/1 @2
        ok p1/1 @1
        saw r1/1 @2 p0/1
        cut r1/1
        ask p0/2 a id=mine key=k
        unknown p0/2
        note killed
        broken r0/1
        ask p0/2 a id=mine key=k       # asked again under its key
        ok p0/2 mine
        connect r0/2 after=@2
        broken r0/2                    # it was not there yet
        connect r0/3 after=@2
        opened r0/3
        open r0/3 @2
        saw r0/3 mine p0/2
        connect r1/2 after=@2
        opened r1/2
        saw r1/2 mine p0/2
        done r0
        done r1
        ",
    );
    assert_eq!((summary.acknowledged, summary.unknown, summary.refused), (3, 0, 0));
    assert_eq!((summary.readers, summary.readers_done), (2, 2));
    assert_eq!((summary.streams, summary.resumed, summary.events_seen), (4, 2, 5));
    assert_eq!(summary.epochs.len(), 1);
    assert!(summary.verdicts.is_empty());
    assert_eq!(
        summary.to_string(),
        "3 acknowledged, 0 unknown (0 of them seen), 0 refused; 5 events seen by 2 readers over 4 streams, 2 of them \
         resumed; verdicts: none; epochs: 1"
    );
}

#[test]
fn an_unknown_outcome_may_be_stored_or_not() {
    let summary = accept(
        "
        listen r0 a
        connect r0/1 earliest
        opened r0/1
        ask p0/1 a
        unknown p0/1
        ask p0/2 a
        unknown p0/2
        ask p0/3 a
        ok p0/3 @2
        saw r0/1 @2 p0/3
        saw r0/1 @5 p0/1               # its request was still on its way
        done r0
        ",
    );
    assert_eq!((summary.acknowledged, summary.unknown, summary.unknown_seen), (1, 2, 1));
}

#[test]
fn what_was_refused_may_be_asked_for_again() {
    let summary = accept(
        "
        listen r0 a
        connect r0/1 earliest
        opened r0/1
        ask p0/1 a
        refused p0/1 503
        ask p0/2 a
        refused p0/2 503
        ask p0/2 a
        ok p0/2 @1
        saw r0/1 @1 p0/2
        done r0
        ",
    );
    assert_eq!((summary.acknowledged, summary.refused), (1, 1));
}

#[test]
fn a_live_reader_owes_nothing_of_before_and_a_reader_without_an_id_begins_anew() {
    accept(
        "
        listen r0 a
        ask p0/1 a
        ok p0/1 @1
        connect r0/1 live
        ask p0/2 a                     # while it came: it may have this one or not
        ok p0/2 @2
        opened r0/1
        cut r0/1
        ask p0/3 a
        ok p0/3 @3
        connect r0/2 live
        opened r0/2
        ask p0/4 a
        ok p0/4 @4
        saw r0/2 @4 p0/4
        done r0
        ",
    );
}

#[test]
fn a_reader_that_is_not_done_owes_only_what_comes_before_what_it_saw() {
    accept(
        "
        listen r0 a
        connect r0/1 earliest
        opened r0/1
        ask p0/1 a
        ok p0/1 @1
        ask p0/2 a
        ok p0/2 @2
        saw r0/1 @1 p0/1
        cut r0/1
        ",
    );
}

#[test]
fn other_topics_and_types_are_not_owed() {
    accept(
        "
        listen r0 a,b/* types=price
        connect r0/1 earliest
        opened r0/1
        ask p0/1 a
        ok p0/1 @1
        ask p0/2 b/1 type=price
        ok p0/2 @2
        ask p0/3 c type=price
        ok p0/3 @3
        ask p0/4 a type=price
        ok p0/4 @4
        saw r0/1 @2 p0/2 type=price
        saw r0/1 @4 p0/4 type=price
        done r0
        ",
    );
}

/// Found by a random history: the position in the frames of a live reader is older than its start.
#[test]
fn a_live_reader_that_comes_back_before_its_first_event_is_told_its_old_position() {
    accept(
        "
        listen r0 a
        ask p0/1 b
        ok p0/1 @1
        connect r0/1 live
        opened r0/1
        open r0/1 @1
        cut r0/1
        connect r0/2 after=@1
        opened r0/2
        open r0/2 @1
        ask p0/2 a
        ok p0/2 @2
        saw r0/2 @2 p0/2
        done r0
        ",
    );
}

#[test]
fn a_verdict_excuses_what_is_no_longer_kept() {
    let summary = accept(
        "
        listen r0 a
        connect r0/1 live
        opened r0/1
        open r0/1 @0
        ask p0/1 a
        ok p0/1 @1
        saw r0/1 @1 p0/1
        cut r0/1
        ask p0/2 a
        ok p0/2 @2
        ask p0/3 a
        ok p0/3 @3
        connect r0/2 after=@1
        opened r0/2
        reset r0/2 @2 expired @1
        saw r0/2 @3 p0/3
        done r0
        ",
    );
    assert_eq!(summary.verdicts.into_iter().collect::<Vec<_>>(), [("expired".to_owned(), 1)]);
}

#[test]
fn after_a_verdict_what_is_retained_comes_again() {
    accept(
        "
        listen r0 a
        connect r0/1 earliest
        opened r0/1
        ask p0/1 a
        ok p0/1 @1
        ask p0/2 a id=mine
        ok p0/2 mine
        saw r0/1 @1 p0/1
        saw r0/1 mine p0/2
        cut r0/1
        connect r0/2 after=mine
        opened r0/2
        reset r0/2 @0 unknown mine
        saw r0/2 @1 p0/1
        saw r0/2 mine p0/2
        done r0
        ",
    );
}

#[test]
fn a_hub_in_memory_begins_a_new_epoch_and_says_so() {
    let summary = accept(
        "
        listen r0 a
        connect r0/1 earliest
        opened r0/1
        ask p0/1 a
        ok p0/1 @1
        saw r0/1 @1 p0/1
        ask p0/2 a
        ok p0/2 @2
        broken r0/1
        note restarted
        ask p0/3 a
        ok p0/3 @@1
        connect r0/2 after=@1
        opened r0/2
        reset r0/2 @@0 expired @1
        saw r0/2 @@1 p0/3
        done r0
        ",
    );
    assert_eq!(summary.epochs.len(), 2);
}

#[test]
fn a_verdict_lost_excuses_what_nobody_sees_any_more() {
    accept(
        "
        listen r0 a
        connect r0/1 earliest
        opened r0/1
        ask p0/1 a
        ok p0/1 @1
        ask p0/2 a
        ok p0/2 @2
        saw r0/1 @1 p0/1
        saw r0/1 @2 p0/2
        broken r0/1
        note power was lost
        connect r0/2 after=@2
        opened r0/2
        reset r0/2 @0 lost @2
        saw r0/2 @1 p0/1
        ask p0/3 a
        ok p0/3 @1001
        saw r0/2 @1001 p0/3
        done r0
        ",
    );
}

#[test]
fn a_reader_may_go_back_to_any_id() {
    accept(
        "
        listen r0 a
        connect r0/1 earliest
        opened r0/1
        ask p0/1 a
        ok p0/1 @1
        ask p0/2 a id=mine
        ok p0/2 mine
        ask p0/3 a
        ok p0/3 @3
        saw r0/1 @1 p0/1
        saw r0/1 mine p0/2
        saw r0/1 @3 p0/3
        cut r0/1
        connect r0/2 after=mine
        opened r0/2
        saw r0/2 @3 p0/3
        cut r0/2
        connect r0/3 last=2
        opened r0/3
        saw r0/3 mine p0/2
        saw r0/3 @3 p0/3
        end r0/3 @3
        done r0
        ",
    );
}

#[test]
fn line_ends_are_read_as_the_standard_has_them() {
    // Only a script cannot say it: the data has CR LF and a CR, and is seen with LF.
    let text = br#"
        {"entry":"listens","reader":"r0","interest":{"selectors":["a"]}}
        {"entry":"connecting","place":"r0/1","from":"earliest"}
        {"entry":"opened","place":"r0/1","status":200}
        {"entry":"asked","publication":"p0/1","topic":"a","data":"p0/1 one\r\ntwo\rthree"}
        {"entry":"answered","publication":"p0/1","outcome":{"accepted":"3vq8k0aa-1"}}
        {"entry":"saw","place":"r0/1","id":"3vq8k0aa-1","event_type":"message","data":"p0/1 one\ntwo\nthree"}
    "#;
    let history = tidings_history::History::parse(text).expect("it is well formed");
    check(&history).unwrap_or_else(|faults| panic!("{}", sentences(&faults)));
}
