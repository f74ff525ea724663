//! Readers by HTTP/2: a few curls that come and go.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crate::clients::Follower;

/// How many there were, and what they saw.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct ByHttp2 {
    pub(super) readers: u64,
    pub(super) events: u64,
}

/// Keeps a few there until it is to be quiet: one after the other comes, and the oldest goes.
pub(super) fn come_and_go_by_http2(url: &str, is_quiet: &AtomicBool) -> ByHttp2 {
    let mut there = VecDeque::new();
    let mut all = ByHttp2::default();
    while !is_quiet.load(Ordering::Relaxed) {
        let follower = Follower::curl_by_http2(url);
        follower.wait_until_open();
        all.readers += 1;
        there.push_back(follower);
        thread::sleep(EVERY); // the pace of the load, not a wait for something
        if there.len() == AT_A_TIME
            && let Some(oldest) = there.pop_front()
        {
            all.events += oldest.wait_for_events(0).len() as u64;
        }
    }
    all
}

const AT_A_TIME: usize = 4;
const EVERY: Duration = Duration::from_millis(500);
