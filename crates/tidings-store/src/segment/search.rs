//! Finding a row in a sorted table with few reads.

use std::ops::Range;

use super::SegmentError;

/// The first of `rows` sorted rows whose key is `target` or greater; `rows` when there is none.
///
/// `keys` is what the keys lie between, as far as is known; where they are spread evenly, as hashes and mostly also
/// sequences and times are, one or two reads are enough, and never more than twice what halving takes. `read` reads the
/// keys of some rows, `rows_per_read` at most.
pub(super) fn lower_bound(
    rows: u32,
    rows_per_read: u32,
    keys: Range<u64>,
    target: u64,
    mut read: impl FnMut(Range<u32>) -> Result<Vec<u64>, SegmentError>,
) -> Result<u32, SegmentError> {
    // The answer is in left..=right; the keys before left are below the target, those from right on are not.
    let (mut left, mut right) = (0, rows);
    let Range { start: mut low, end: mut high } = keys;
    let mut is_guess = true;
    while left < right {
        let middle = if is_guess { interpolate(left..right, low..high, target) } else { left + (right - left) / 2 };
        let start = middle.saturating_sub(rows_per_read / 2).max(left);
        let end = start.saturating_add(rows_per_read).min(right);
        let start = end.saturating_sub(rows_per_read).max(left);
        let read = read(start..end)?;
        let below = read.partition_point(|key| *key < target);
        if below == 0 {
            (right, high) = (start, read.first().copied().unwrap_or(high));
        } else if below == read.len() {
            (left, low) = (end, read.last().copied().unwrap_or(low));
        } else {
            return Ok(start + u32::try_from(below).expect("no more than were asked for"));
        }
        is_guess = !is_guess;
    }
    Ok(left)
}

/// Where `target` would stand if the keys were spread evenly.
fn interpolate(rows: Range<u32>, keys: Range<u64>, target: u64) -> u32 {
    let width = u128::from(keys.end.saturating_sub(keys.start)).max(1);
    let distance = u128::from(target.saturating_sub(keys.start)).min(width);
    let count = u128::from(rows.end - rows.start);
    rows.start + u32::try_from(distance * count / width).expect("no more than the rows there are")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(keys: &[u64], target: u64, rows_per_read: u32) -> usize {
        let mut reads = 0;
        let rows = u32::try_from(keys.len()).expect("few");
        let between = keys.first().copied().unwrap_or(0)..keys.last().copied().unwrap_or(0);
        let got = lower_bound(rows, rows_per_read, between, target, |range| {
            assert!(!range.is_empty() && range.len() <= rows_per_read as usize, "{range:?}");
            reads += 1;
            Ok(keys[range.start as usize..range.end as usize].to_vec())
        });
        let want = keys.partition_point(|key| *key < target);
        assert_eq!(got.expect("nothing fails here") as usize, want, "{target} in {keys:?}");
        reads
    }

    proptest! {
        #[test]
        fn it_finds_what_a_search_of_all_finds(
            mut keys in prop::collection::vec(prop_oneof![0..50u64, any::<u64>()], 0..300),
            target in prop_oneof![0..50u64, any::<u64>()],
            rows_per_read in 1..20u32,
        ) {
            keys.sort_unstable();
            check(&keys, target, rows_per_read);
            if let Some(key) = keys.get(keys.len() / 3) {
                check(&keys, *key, rows_per_read);
            }
        }
    }

    #[test]
    fn evenly_spread_keys_take_few_reads_and_skewed_ones_no_more_than_halving_twice() {
        let mut random = fastrand::Rng::with_seed(7);
        let mut even: Vec<u64> = (0..100_000).map(|_| random.u64(..)).collect();
        even.sort_unstable();
        let reads: usize = (0..1000).map(|_| check(&even, even[random.usize(..even.len())], 128)).sum();
        assert!(reads < 3000, "{reads} reads for 1000 searches");

        let skewed: Vec<u64> = (0..100_000u64).map(|at| if at < 99_990 { at } else { at << 40 }).collect();
        for target in [0, 5, 50_000, 99_989, 99_990, 99_995 << 40, u64::MAX] {
            let reads = check(&skewed, target, 128);
            assert!(reads <= 22, "{reads} reads for {target}");
        }
    }
}
