//! The clock of the demo: the local time, each second on the second, to the topic `default`.

use std::convert::Infallible;
use std::time::{Duration, Instant};

use jiff::{Timestamp, tz::TimeZone};
use tidings::{EventId, Hub, Publication, Topic};
use tidings_core::Rarely;
use tokio::time::sleep;

/// Publishes the time until it is dropped.
pub(crate) async fn tick(hub: Hub) -> Infallible {
    let mut ticks = Ticks::default();
    let said = Rarely::new();
    loop {
        sleep(until_next_second(Timestamp::now())).await;
        let now = Timestamp::now();
        let Some(id) = ticks.at(now.as_millisecond()) else {
            continue;
        };
        let mut publication = Publication::new(Topic::default_topic(), local_time(now));
        publication.id = EventId::parse(&id.to_string()).ok();
        if let Err(error) = hub.publish(publication).await {
            // A guest may have ended the topic, or used an id of this very millisecond: the clock goes on.
            if let Some(unsaid_before) = said.admit(Instant::now()) {
                tracing::warn!(%error, id, unsaid_before, "the time could not be published");
            }
        }
    }
}

/// Which moments were told. No id comes twice or goes back, whatever happens to the wall clock.
#[derive(Debug, Default)]
struct Ticks {
    /// Milliseconds since 1970 of the clock when it last ticked.
    told_at: i64,
    /// The id of that tick. `told_at <= last_id`
    last_id: i64,
}

impl Ticks {
    /// The id of a tick at `now`; `None` when this second has been told already: the sleep ended a hair too early.
    fn at(&mut self, now: i64) -> Option<i64> {
        if now.div_euclid(1000) == self.told_at.div_euclid(1000) {
            return None;
        }
        self.told_at = now;
        self.last_id = now.max(self.last_id + 1);
        Some(self.last_id)
    }
}

fn until_next_second(now: Timestamp) -> Duration {
    let into_second = now.as_nanosecond().rem_euclid(1_000_000_000);
    Duration::from_nanos(1_000_000_000 - u64::try_from(into_second).expect("a remainder is not negative"))
}

/// By RFC 3339, with the offset that holds here now. The zone is asked for each time: a traveller's changes.
fn local_time(now: Timestamp) -> String {
    let local = now.to_zoned_datetime(TimeZone::system());
    local.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_never_comes_twice_and_never_goes_back() {
        let mut ticks = Ticks::default();
        for (now, want) in [
            (5_000_001, Some(5_000_001)),
            (5_000_999, None), // woke early: the second is told
            (5_001_000, Some(5_001_000)),
            (5_004_002, Some(5_004_002)), // a suspended laptop skips
            (2_000_000, Some(5_004_003)), // the clock was set back
            (2_001_000, Some(5_004_004)),
            (5_004_003, Some(5_004_005)), // and forth again
            (5_005_000, Some(5_005_000)),
        ] {
            assert_eq!(ticks.at(now), want, "at {now}");
        }
    }

    #[test]
    fn the_next_tick_is_on_the_second() {
        let check = |nanos: i128, want_ms: u64| {
            let now = Timestamp::from_nanosecond(nanos).expect("a time");
            assert_eq!(until_next_second(now), Duration::from_millis(want_ms), "{nanos}");
        };
        check(5_000_000_000, 1000);
        check(5_001_000_000, 999);
        check(5_999_000_000, 1);
    }

    #[test]
    fn the_time_has_an_offset() {
        let text = local_time(Timestamp::from_second(1_800_000_000).expect("a time"));
        let back: Timestamp = text.parse().expect("RFC 3339 with an offset");
        assert_eq!((back.as_second(), text.len()), (1_800_000_000, 25), "{text}");
    }
}
