//! Who listens to what: subscribers, topics and sets of topics, by their numbers.

use std::ops::Range;

use crate::plan::Plan;

/// Who listens to what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Layout {
    pub(crate) subscribers: usize,
    pub(crate) topics: usize,
    /// How many different sets of topics there are: subscriber `i` and topic `t` belong together when `i ≡ t (mod groups)`.
    pub(crate) groups: usize,
    pub(crate) publishers: usize,
}

impl Layout {
    pub(crate) fn of(plan: &Plan) -> Self {
        let (subscribers, topics, publishers) = (plan.subscribers, plan.topics, plan.publisher_count());
        Self { subscribers, topics, groups: plan.group_count(), publishers }
    }

    /// The topics of a subscriber.
    pub(crate) fn topics_of(&self, subscriber: usize) -> impl Iterator<Item = usize> + use<> {
        (subscriber % self.groups..self.topics).step_by(self.groups)
    }

    /// How many of these subscribers have the topic.
    pub(crate) fn subscribers_of(&self, topic: usize, among: &Range<usize>) -> u64 {
        let set = topic % self.groups;
        let before = |end: usize| (end + self.groups - 1 - set) / self.groups;
        (before(among.end) - before(among.start)) as u64
    }

    /// How many streams of sequence numbers a subscriber may get: one for each publisher and topic.
    pub(crate) fn streams(&self) -> usize {
        self.publishers * self.topics.div_ceil(self.groups)
    }

    /// The stream of a publisher and a topic; `None` when the subscriber should not get it.
    pub(crate) fn stream(&self, subscriber: usize, publisher: u16, topic: u32) -> Option<usize> {
        let (publisher, topic) = (usize::from(publisher), topic as usize);
        let is_its_own =
            publisher < self.publishers && topic < self.topics && topic % self.groups == subscriber % self.groups;
        is_its_own.then(|| publisher * self.topics.div_ceil(self.groups) + topic / self.groups)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Compares with what the definition says, counted one by one.
    fn check(subscribers: usize, topics: usize, groups: usize) {
        let layout = Layout { subscribers, topics, groups, publishers: 2 };
        for topic in 0..topics {
            for among in [0..subscribers, 0..1, 1..subscribers, subscribers / 2..subscribers, 3..3] {
                let want = among.clone().filter(|i| i % groups == topic % groups).count();
                assert_eq!(
                    layout.subscribers_of(topic, &among),
                    want as u64,
                    "topic {topic} among {among:?}: {layout:?}"
                );
            }
        }
        for subscriber in 0..subscribers {
            let want: Vec<_> = (0..topics).filter(|topic| topic % groups == subscriber % groups).collect();
            assert_eq!(layout.topics_of(subscriber).collect::<Vec<_>>(), want, "subscriber {subscriber}: {layout:?}");
            let mut seen = vec![false; layout.streams()];
            for publisher in 0..3 {
                for topic in 0..=topics {
                    let number = u32::try_from(topic).expect("small");
                    let stream = layout.stream(subscriber, publisher, number);
                    assert_eq!(
                        stream.is_some(),
                        publisher < 2 && want.contains(&topic),
                        "{publisher} {topic}: {layout:?}"
                    );
                    if let Some(stream) = stream {
                        assert!(!std::mem::replace(&mut seen[stream], true), "two streams in one place: {layout:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn subscribers_and_topics_meet_by_their_remainders() {
        check(10, 1, 1);
        check(10, 10, 10);
        check(10, 4, 4);
        check(4, 10, 10);
        check(7, 20, 3);
        check(5, 12, 1);
    }
}
