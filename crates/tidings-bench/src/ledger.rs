//! What was published: for each publisher and topic, how many sequence numbers were used and which of them were refused.

use std::collections::HashSet;
use std::ops::Range;

use crate::layout::Layout;

/// What was published since the run began.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ledger {
    /// For each publisher: for each topic, how many sequence numbers were used.
    used: Vec<Vec<u32>>,
    /// Not accepted: publisher, topic, sequence. They may have been delivered or not.
    refused: HashSet<(u16, u32, u32)>,
}

impl Ledger {
    pub(crate) fn add_publisher(&mut self, used: Vec<u32>, refused: impl Iterator<Item = (u32, u32)>) {
        let publisher = u16::try_from(self.used.len()).expect("a plan has at most 4,096 publishers");
        self.used.push(used);
        self.refused.extend(refused.map(|(topic, sequence)| (publisher, topic, sequence)));
    }

    /// How many sequence numbers a publisher used for a topic.
    pub(crate) fn used(&self, publisher: u16, topic: u32) -> u32 {
        self.used.get(usize::from(publisher)).and_then(|topics| topics.get(topic as usize)).copied().unwrap_or(0)
    }

    pub(crate) fn is_refused(&self, publisher: u16, topic: u32, sequence: u32) -> bool {
        self.refused.contains(&(publisher, topic, sequence))
    }

    /// How many deliveries to these subscribers the accepted events make.
    pub(crate) fn expected(&self, layout: &Layout, among: &Range<usize>) -> u64 {
        let used = self.used.iter().flat_map(|topics| topics.iter().enumerate());
        let all: u64 = used.map(|(topic, &count)| u64::from(count) * layout.subscribers_of(topic, among)).sum();
        let refused: u64 = self.refused.iter().map(|&(_, topic, _)| layout.subscribers_of(topic as usize, among)).sum();
        all - refused
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_that_was_refused_is_not_expected() {
        let layout = Layout { subscribers: 5, topics: 2, groups: 2, publishers: 2, apart_from: 5 };
        let mut ledger = Ledger::default();
        ledger.add_publisher(vec![3, 1], [(0, 1)].into_iter());
        ledger.add_publisher(vec![0, 2], std::iter::empty());
        // Topic 0 has the subscribers 0, 2, 4, topic 1 has 1 and 3.
        assert_eq!(ledger.expected(&layout, &(0..5)), 2 * 3 + 3 * 2);
        assert_eq!(ledger.expected(&layout, &(0..2)), 2 + 3);
        assert_eq!((ledger.used(0, 0), ledger.used(1, 1), ledger.used(2, 0), ledger.used(0, 9)), (3, 2, 0, 0));
        assert!(ledger.is_refused(0, 0, 1) && !ledger.is_refused(1, 0, 1));
    }
}
