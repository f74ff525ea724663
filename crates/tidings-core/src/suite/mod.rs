//! What every engine must do, written once: order, no gap, no duplicate, idempotency, trimming, resuming, pages.
//!
//! An engine's own tests call [`run`], and [`model::check`] with operations of their choice. What only one engine does,
//! such as to survive a restart, it tests itself.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::engine::Engine;
use crate::limits::HistoryLimits;

mod alternates;
mod any_id;
mod finite;
mod keys;
pub mod model;
mod naive;
mod order;
mod pages;
mod resume;
mod tables;
mod trim;
mod world;

pub use world::wait;

/// What a scenario asks of the engine that it is given.
#[derive(Clone, Debug, Default)]
pub struct SuiteOptions {
    /// How much it keeps.
    pub history: HistoryLimits,
    /// Ids that are times find their place.
    pub ids_resolve_by_time: bool,
}

/// Makes an empty engine.
pub type MakeEngine<'a> = &'a dyn Fn(SuiteOptions) -> Box<dyn Engine>;

/// Something that every engine must do; it panics when the engine does not.
pub type Scenario = fn(MakeEngine<'_>);

/// Runs every scenario, each on engines of its own.
///
/// # Panics
/// When any scenario fails; the message names all that did.
pub fn run(make: MakeEngine<'_>) {
    let fails = |scenario: &Scenario| catch_unwind(AssertUnwindSafe(|| scenario(make))).is_err();
    let failed: Vec<_> = SCENARIOS.iter().filter(|(_, scenario)| fails(scenario)).map(|(name, _)| *name).collect();
    assert!(failed.is_empty(), "{} of {} scenarios failed: {failed:#?}", failed.len(), SCENARIOS.len());
}

macro_rules! scenarios {
    ($($module:ident: $($name:ident),+;)+) => {
        /// Every scenario and its name.
        pub const SCENARIOS: &[(&str, Scenario)] = &[$($((stringify!($name), $module::$name),)+)+];
    };
}

scenarios! {
    order:
        what_is_acknowledged_is_what_readers_are_given,
        commits_are_handed_out_by_bytes,
        commit_times_never_go_backwards,
        listeners_are_told_of_each_commit,
        a_burst_passes_through_a_short_history;
    keys:
        a_repeat_gets_the_first_answer,
        another_publication_under_a_key_is_refused,
        a_key_is_kept_for_its_window_and_no_longer,
        no_key_is_forgotten_early,
        a_refused_publication_leaves_no_trace,
        concurrent_repeats_store_one_event,
        an_id_belongs_to_one_retained_event,
        the_hubs_own_ids_are_reserved;
    any_id:
        an_id_may_come_again_where_any_is_taken,
        when_the_earliest_event_with_an_id_goes_the_next_one_takes_its_place,
        an_id_of_the_hubs_own_form_belongs_to_the_publisher_that_used_it,
        an_id_that_comes_a_thousand_times_is_still_found;
    alternates:
        an_event_is_found_under_each_of_its_topics_once,
        listeners_are_told_of_all_topics_of_an_event,
        what_is_trimmed_is_missed_under_each_of_its_topics,
        tables_go_by_the_canonical_topic,
        a_mark_of_several_topics_never_goes_back,
        a_deletion_drops_what_was_published_on_its_topic_alone,
        an_event_on_a_topic_that_has_ended_is_refused_whichever_it_is,
        a_private_event_is_told_of_to_whoever_may_read_one_of_its_topics,
        an_event_may_have_a_thousand_topics_and_they_count;
    trim:
        each_bound_of_history_is_kept,
        usage_counts_what_is_kept,
        a_quiet_topic_gets_no_verdict_for_a_busy_one,
        beyond_the_marks_verdicts_are_more_careful,
        an_event_past_its_age_is_skipped_without_a_verdict,
        an_event_trimmed_before_its_age_gives_a_verdict;
    tables:
        each_bound_of_a_table_is_kept,
        the_first_table_that_selects_a_topic_holds_for_it,
        the_bounds_of_the_hub_hold_beside_a_table,
        other_topics_are_untouched_by_a_table,
        a_table_takes_nothing_from_readers_of_other_topics_too,
        who_is_behind_a_table_gets_a_verdict,
        what_a_table_trims_makes_room_in_the_hub,
        a_burst_passes_through_a_table,
        what_a_table_trims_frees_its_id,
        a_topic_begins_anew_under_its_table,
        an_end_outlives_its_table,
        a_topic_that_is_open_again_keeps_to_its_table,
        an_event_has_its_own_age_beside_its_tables;
    resume:
        a_resume_goes_on_after_its_event,
        a_resume_that_cannot_be_kept_gets_its_verdict,
        a_verdict_names_only_what_its_reader_may_see,
        a_reader_may_start_over_or_live_after_a_verdict,
        a_time_finds_what_was_published_since,
        the_last_events_are_those_a_reader_can_be_given,
        an_id_that_is_a_time_finds_its_place,
        a_time_before_the_epoch_is_gone_with_the_history_before_it,
        a_time_mark_stands_between_what_was_and_what_comes;
    finite:
        an_end_comes_after_the_last_event,
        an_ended_topic_takes_nothing_more,
        who_comes_late_gets_all_and_the_end,
        an_end_outlives_the_history,
        who_has_seen_all_ends_is_over,
        the_topic_that_ended_first_is_open_again_beyond_the_limit,
        a_deleted_topic_begins_anew,
        a_deletion_is_passed_on_without_what_it_dropped,
        deleting_nothing_changes_nothing;
    pages:
        pages_together_are_the_whole,
        a_narrow_read_is_a_filtered_scan,
        a_page_ends_where_it_was_asked_to,
        a_reader_behind_history_is_told;
    model:
        random_histories_agree_with_the_naive_model;
}
