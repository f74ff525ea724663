//! Bodies that drip: a few bytes now and then, for long.
//!
//! Each drip wakes a task; thousands of bodies that drip at the same time would be a wave that others wait behind. So all
//! of them together are read so many times a second, each at a time of its own, and what has come meanwhile comes at once.
//! Who reads a body finds that it drips; who reads the connection's bytes does the waiting, so that a drip in between wakes
//! nobody.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use http::request::Parts;

/// How many bodies of a hub drip.
#[derive(Debug, Default)]
pub struct Dripping(AtomicUsize);

impl Dripping {
    /// How long each of them rests between two reads, as a mean; zero while there are few.
    fn rest(&self, body_timeout: Duration) -> Duration {
        let count = u32::try_from(self.0.load(Ordering::Relaxed)).unwrap_or(u32::MAX);
        let rest =
            REST_MAX.min(body_timeout / RESTS_PER_TIMEOUT_MIN).min(Duration::from_secs(1) / READS_PER_SECOND * count);
        if rest < REST_MIN { Duration::ZERO } else { rest }
    }
}

/// How long a connection rests after it was read; zero for all but those whose body drips. Its clones are one.
#[derive(Clone, Debug, Default)]
pub(crate) struct ReadRest(Arc<AtomicU64>);

impl ReadRest {
    /// How long to rest now: not at the time of all others.
    pub(crate) fn draw(&self) -> Option<Duration> {
        let mean = self.0.load(Ordering::Relaxed);
        (mean > 0).then(|| Duration::from_micros(mean).mul_f64(fastrand::f64() + 0.5))
    }

    pub(crate) fn is_none(&self) -> bool {
        self.0.load(Ordering::Relaxed) == 0
    }

    pub(crate) fn set(&self, mean: Duration) {
        self.0.store(u64::try_from(mean.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }
}

/// Watches one body for drips.
pub(crate) struct DripWatch<'a> {
    all: &'a Dripping,
    /// `None`: the connection is not one that can rest.
    rest: Option<&'a ReadRest>,
    drips_in_a_row: u32,
}

impl<'a> DripWatch<'a> {
    pub(crate) fn begin(all: &'a Dripping, parts: &'a Parts) -> Self {
        Self { all, rest: parts.extensions.get(), drips_in_a_row: 0 }
    }

    /// So many bytes came at once.
    pub(crate) fn take(&mut self, bytes: usize, body_timeout: Duration) {
        let Some(rest) = self.rest else { return };
        if bytes >= DRIP_BYTES {
            self.end();
            return;
        }
        self.drips_in_a_row = self.drips_in_a_row.saturating_add(1);
        if self.drips_in_a_row == DRIPS_MIN {
            self.all.0.fetch_add(1, Ordering::Relaxed);
        }
        if self.drips_in_a_row >= DRIPS_MIN {
            rest.set(self.all.rest(body_timeout));
        }
    }

    fn end(&mut self) {
        if self.drips_in_a_row >= DRIPS_MIN {
            self.all.0.fetch_sub(1, Ordering::Relaxed);
            self.rest.inspect(|rest| rest.set(Duration::ZERO));
        }
        self.drips_in_a_row = 0;
    }
}

impl Drop for DripWatch<'_> {
    fn drop(&mut self) {
        self.end();
    }
}

/// Fewer bytes at once are a drip.
const DRIP_BYTES: usize = 256;
/// A body drips after so many without anything larger between them.
const DRIPS_MIN: u32 = 2;
/// Of all bodies that drip together.
const READS_PER_SECOND: u32 = 2000;
/// As a mean.
const REST_MAX: Duration = Duration::from_secs(3);
/// A rest of less is not worth a timer.
const REST_MIN: Duration = Duration::from_millis(50);
/// Half as much again as the mean, and a body that rests is still not late.
const RESTS_PER_TIMEOUT_MIN: u32 = 4;

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    const BODY_TIMEOUT: Duration = Duration::from_secs(30);

    fn all(count: usize) -> Dripping {
        Dripping(AtomicUsize::new(count))
    }

    #[test]
    fn the_more_there_are_the_longer_each_rests() {
        for (count, body_timeout, want) in [
            (0, BODY_TIMEOUT, 0),
            (99, BODY_TIMEOUT, 0),
            (100, BODY_TIMEOUT, 50),
            (5000, BODY_TIMEOUT, 2500),
            (6001, BODY_TIMEOUT, 3000),
            (usize::MAX, BODY_TIMEOUT, 3000),
            (5000, Duration::from_secs(1), 250),
            (5000, Duration::from_millis(100), 0),
        ] {
            let rest = all(count).rest(body_timeout);
            assert_eq!(rest, Duration::from_millis(want), "{count} bodies, {body_timeout:?}");
        }
    }

    #[test]
    fn a_body_drips_until_more_comes_or_it_ends() {
        let (all, rest) = (all(1000), ReadRest::default());
        let (parts, ()) = Request::builder().extension(rest.clone()).body(()).expect("a request").into_parts();
        let count = || all.0.load(Ordering::Relaxed);
        let mut watch = DripWatch::begin(&all, &parts);
        for (bytes, drips) in [(1, false), (255, true), (1, true), (256, false), (1, false), (300, false), (0, false)] {
            watch.take(bytes, BODY_TIMEOUT);
            assert_eq!((count(), rest.is_none()), (1000 + usize::from(drips), !drips), "{bytes} bytes came");
        }
        watch.take(1, BODY_TIMEOUT);
        let mean = Duration::from_millis(1001) / 2;
        for _ in 0..100 {
            let drawn = rest.draw().expect("it drips again");
            assert!(drawn >= mean / 2 && drawn < mean * 3 / 2, "{drawn:?}");
        }
        drop(watch);
        assert_eq!((count(), rest.draw()), (1000, None), "it is over");
    }

    #[test]
    fn a_connection_that_cannot_rest_is_not_counted() {
        let (parts, ()) = Request::new(()).into_parts();
        let all = all(1000);
        let mut watch = DripWatch::begin(&all, &parts);
        for _ in 0..10 {
            watch.take(1, BODY_TIMEOUT);
        }
        assert_eq!(all.0.load(Ordering::Relaxed), 1000);
    }
}
