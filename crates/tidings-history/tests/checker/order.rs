//! False histories and what the judge must say of them: events out of order, and events that are missing.

use tidings_history::{check, sentences};

use crate::refused::{base, refuse, refuse_after_base};
use crate::script::history;

#[test]
fn the_hubs_own_ids_out_of_order() {
    let asked = "ask p0/3 a\nask p1/1 a\nok p0/3 @3\nok p1/1 @4";
    refuse_after_base(&format!("{asked}\nsaw r0/1 @4 p1/1\nsaw r0/1 @3 p0/3"), "r0/1: saw 3vq8k0aa-3 after 3vq8k0aa-4");
    // A stream that says it goes on from before what was seen.
    refuse_after_base(
        "cut r0/1\nconnect r0/2 after=mine\nopened r0/2\nopen r0/2 @0",
        "r0/2: saw 3vq8k0aa-0 after 3vq8k0aa-1",
    );
}

#[test]
fn readers_that_do_not_agree() {
    refuse_after_base(
        "
        listen r1 **
        connect r1/1 earliest
        opened r1/1
        ask p0/3 a id=third
        ask p1/1 a id=fourth
        ok p0/3 third
        ok p1/1 fourth
        saw r0/1 third p0/3
        saw r0/1 fourth p1/1
        saw r1/1 @1 p0/1
        saw r1/1 mine p0/2
        saw r1/1 fourth p1/1
        saw r1/1 third p0/3
        ",
        "there is no one order: r0 saw third (p0/3) before fourth (p1/1); but r1 saw fourth (p1/1) before third (p0/3)",
    );
    // No two of them share two events, but there is no order all the same.
    let three = |first: &str, second: &str, reader: u32| format!("saw r{reader}/1 {first}\nsaw r{reader}/1 {second}\n");
    let script = format!(
        "
        listen r0 a,b
        listen r1 b,c
        listen r2 c,a
        connect r0/1 earliest
        opened r0/1
        connect r1/1 earliest
        opened r1/1
        connect r2/1 earliest
        opened r2/1
        ask p0/1 a id=x
        ask p1/1 b id=y
        ask p2/1 c id=z
        {}{}{}
        ",
        three("x p0/1", "y p1/1", 0),
        three("y p1/1", "z p2/1", 1),
        three("z p2/1", "x p0/1", 2)
    );
    let faults = check(&history(&script)).expect_err("there is no one order");
    let text = sentences(&faults);
    assert!(text.starts_with("there is no one order: "), "{text}");
    for step in
        ["r0 saw x (p0/1) before y (p1/1)", "r1 saw y (p1/1) before z (p2/1)", "r2 saw z (p2/1) before x (p0/1)"]
    {
        assert!(text.contains(step), "{step} in {text}");
    }
}

#[test]
fn an_order_against_that_of_publishers_and_of_time() {
    // One publisher, both acknowledged.
    refuse_after_base(
        "
        ask p0/3 a id=third
        ask p0/4 a id=fourth           # a batch: it did not wait
        saw r0/1 fourth p0/4
        saw r0/1 third p0/3
        ok p0/3 third
        ok p0/4 fourth
        ",
        "there is no one order: p0 published third (p0/3) before fourth (p0/4); but r0 saw fourth (p0/4) before third \
         (p0/3)",
    );
    // Two publishers: the second began when the first was done.
    refuse_after_base(
        "
        ask p0/3 a
        ok p0/3 @4
        ask p1/1 a
        ok p1/1 @3
        saw r0/1 @3 p1/1
        saw r0/1 @4 p0/3
        ",
        "there is no one order: 3vq8k0aa-4 (p0/3) was there before 3vq8k0aa-3 (p1/1) was asked for; but r0 saw \
         3vq8k0aa-3 (p1/1) before 3vq8k0aa-4 (p0/3)",
    );
    // Nobody saw the first of them.
    refuse_after_base(
        "ask p0/3 b\nok p0/3 @4\nask p1/1 b\nok p1/1 @3",
        "there is no one order: 3vq8k0aa-4 (p0/3) was there before 3vq8k0aa-3 (p1/1) was asked for; but by their ids \
         3vq8k0aa-3 (p1/1) is before 3vq8k0aa-4 (p0/3)",
    );
}

#[test]
fn a_live_reader_that_gets_what_was_before_it() {
    refuse(
        "
        listen r0 a
        ask p0/1 a
        ok p0/1 @1
        connect r0/1 live
        opened r0/1
        saw r0/1 @1 p0/1
        ",
        "there is no one order: 3vq8k0aa-1 (p0/1) was there before the start of r0/1 was asked for; but r0 saw the start \
         of r0/1 before 3vq8k0aa-1 (p0/1)",
    );
}

#[test]
fn an_event_that_was_skipped() {
    let skipped = |place: &str, later: &str| {
        format!("{place}: saw {later}, but never 3vq8k0aa-3 (p0/3), which comes before it and after the reader's start")
    };
    let asked = "ask p0/3 a\nok p0/3 @3\nask p0/4 a\nok p0/4 @4\nask p0/5 a id=five\nok p0/5 five";
    refuse_after_base(&format!("{asked}\nsaw r0/1 @4 p0/4\nsaw r0/1 five p0/5"), &skipped("r0/1", "3vq8k0aa-4 (p0/4)"));
    // At a resume.
    refuse_after_base(
        &format!("cut r0/1\n{asked}\nconnect r0/2 after=mine\nopened r0/2\nsaw r0/2 @4 p0/4\nsaw r0/2 five p0/5"),
        &skipped("r0/2", "3vq8k0aa-4 (p0/4)"),
    );
    // By an opening frame that says the stream goes on from further on.
    refuse_after_base(
        &format!("cut r0/1\n{asked}\nconnect r0/2 after=mine\nopened r0/2\nopen r0/2 @3"),
        &skipped("r0/2", "3vq8k0aa-3"),
    );
    // By a reader that came with an id of long ago.
    refuse_after_base(
        &format!(
            "{asked}
             saw r0/1 @3 p0/3
             saw r0/1 @4 p0/4
             listen r1 a
             connect r1/1 after=@1
             opened r1/1
             saw r1/1 mine p0/2
             saw r1/1 @4 p0/4"
        ),
        &skipped("r1/1", "3vq8k0aa-4 (p0/4)"),
    );
    // Nobody was told that it is stored, but another reader saw it.
    refuse_after_base(
        "
        ask p0/3 a
        unknown p0/3
        saw r0/1 @3 p0/3
        ask p0/4 a
        ok p0/4 @4
        listen r1 a
        connect r1/1 after=@1
        opened r1/1
        saw r1/1 mine p0/2
        saw r1/1 @4 p0/4
        ",
        &skipped("r1/1", "3vq8k0aa-4 (p0/4)"),
    );
}

#[test]
fn an_own_id_that_was_skipped_is_known_by_another_reader_or_by_time() {
    let want =
        "r1/1: saw 3vq8k0aa-4 (p0/4), but never third (p0/3), which comes before it and after the reader's start";
    let seen = "listen r1 a\nconnect r1/1 after=mine\nopened r1/1\nsaw r1/1 @4 p0/4";
    // The two were asked for at once, so only r0 knows their order.
    let at_once = "ask p0/3 a id=third\nask p1/1 a\nok p1/1 @4\nok p0/3 third";
    let want_at_once = want.replace("(p0/4)", "(p1/1)");
    let seen_at_once = seen.replace("p0/4", "p1/1");
    refuse_after_base(&format!("{at_once}\nsaw r0/1 third p0/3\nsaw r0/1 @4 p1/1\n{seen_at_once}"), &want_at_once);
    check(&history(&base(&format!("{at_once}\nsaw r0/1 @4 p1/1\nsaw r0/1 third p0/3\n{seen_at_once}"))))
        .expect("in the other order nothing was skipped");
    // Only time knows: nobody saw it, but it was acknowledged before the other was asked for.
    let in_time = "ask p0/3 a id=third\nok p0/3 third\nask p0/4 a\nok p0/4 @4";
    refuse_after_base(&format!("cut r0/1\n{in_time}\n{seen}"), want);
}

#[test]
fn an_event_that_never_came() {
    let missing = |reader: u32| format!("r{reader}: never saw 3vq8k0aa-3 (p0/3), though it waited for all there is");
    refuse_after_base("ask p0/3 a\nok p0/3 @3\ndone r0", &missing(0));
    refuse_after_base("ask p0/3 a\nok p0/3 @3\ncut r0/1\nconnect r0/2 after=mine\nopened r0/2\ndone r0", &missing(0));
    // A reader that came live, at once or with a position.
    for open in ["", "open r1/1 @2"] {
        refuse_after_base(
            &format!("listen r1 a\nconnect r1/1 live\nopened r1/1\n{open}\nask p0/3 a\nok p0/3 @3\ndone r1"),
            &missing(1),
        );
    }
    refuse(
        "listen r0 a\nask p0/1 a\nok p0/1 @1\nconnect r0/1 earliest\nopened r0/1\ndone r0",
        "r0: never saw 3vq8k0aa-1 (p0/1), though it waited for all there is",
    );
}

#[test]
fn a_verdict_excuses_no_more_than_it_says() {
    let lost = "
        ask p0/3 a
        ok p0/3 @3
        ask p0/4 a
        ok p0/4 @4
        cut r0/1
        connect r0/2 after=mine
        opened r0/2
        ";
    check(&history(&base(&format!("{lost}\nreset r0/2 @3 expired mine\nsaw r0/2 @4 p0/4\ndone r0"))))
        .expect("what comes after the verdict's place is there");
    // It comes after the place that the verdict names.
    refuse_after_base(
        &format!("{lost}\nreset r0/2 @2 expired mine\nsaw r0/2 @4 p0/4"),
        "r0/2: saw 3vq8k0aa-4 (p0/4), but never 3vq8k0aa-3 (p0/3), which comes before it and after the reader's start",
    );
    refuse_after_base(
        &format!("{lost}\nreset r0/2 @3 expired mine\ndone r0"),
        "r0: never saw 3vq8k0aa-4 (p0/4), though it waited for all there is",
    );
    // Before the verdict it had to be complete as well.
    refuse_after_base(
        "ask p0/3 a\nok p0/3 @3\nask p0/4 a\nok p0/4 @4\nsaw r0/1 @4 p0/4
         cut r0/1\nconnect r0/2 after=@4\nopened r0/2\nreset r0/2 @4 expired @4",
        "r0/1: saw 3vq8k0aa-4 (p0/4), but never 3vq8k0aa-3 (p0/3), which comes before it and after the reader's start",
    );
    // What is lost is lost to all: somebody who came later still got it.
    refuse_after_base(
        &format!(
            "{lost}\nreset r0/2 @2 lost mine\nsaw r0/2 @4 p0/4
             listen r1 a\nconnect r1/1 last=2\nopened r1/1\nsaw r1/1 @3 p0/3"
        ),
        "r0/2: saw 3vq8k0aa-4 (p0/4), but never 3vq8k0aa-3 (p0/3), which comes before it and after the reader's start",
    );
}

#[test]
fn a_new_epoch_without_a_verdict() {
    refuse_after_base(
        "
        ask p0/3 a
        ok p0/3 @3
        broken r0/1
        ask p0/4 a
        ok p0/4 @@1
        connect r0/2 after=mine
        opened r0/2
        saw r0/2 @@1 p0/4
        ",
        "r0/2: saw 3vq9k0aa-1 (p0/4), but never 3vq8k0aa-3 (p0/3), which comes before it and after the reader's start",
    );
}
