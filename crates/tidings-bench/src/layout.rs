//! Who listens to what: subscribers, topics and sets of topics, by their numbers.

use std::iter::StepBy;
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
    /// The subscribers from this one on have a topic of their own and none of the others: the one with the number `topics`.
    pub(crate) apart_from: usize,
}

impl Layout {
    pub(crate) fn of(plan: &Plan) -> Self {
        let (subscribers, topics, publishers) = (plan.subscribers, plan.topics, plan.publisher_count());
        let apart_from = match plan.client_count() {
            0 => subscribers,
            clients => clients,
        };
        Self { subscribers, topics, groups: plan.group_count(), publishers, apart_from }
    }

    /// The topics that are published to in turn.
    pub(crate) fn shared_topics(&self) -> Range<usize> {
        0..self.topics
    }

    /// The topic of those that are apart.
    pub(crate) fn topic_apart(&self) -> Range<usize> {
        self.topics..self.topics + 1
    }

    /// The topics of a subscriber.
    pub(crate) fn topics_of(&self, subscriber: usize) -> StepBy<Range<usize>> {
        if subscriber >= self.apart_from {
            return self.topic_apart().step_by(1);
        }
        (subscriber % self.groups..self.topics).step_by(self.groups)
    }

    /// How many of these subscribers have the topic.
    pub(crate) fn subscribers_of(&self, topic: usize, among: &Range<usize>) -> u64 {
        if topic >= self.topics {
            return among.end.saturating_sub(among.start.max(self.apart_from)) as u64;
        }
        let set = topic % self.groups;
        let before = |end: usize| (end.min(self.apart_from) + self.groups - 1 - set) / self.groups;
        (before(among.end) - before(among.start)) as u64
    }

    /// How many streams of sequence numbers a subscriber may get: one for each publisher and topic.
    pub(crate) fn streams(&self) -> usize {
        self.publishers * self.topics.div_ceil(self.groups)
    }

    /// The stream of a publisher and a topic; `None` when the subscriber should not get it.
    pub(crate) fn stream(&self, subscriber: usize, publisher: u16, topic: u32) -> Option<usize> {
        let (publisher, topic) = (usize::from(publisher), topic as usize);
        let place = if subscriber >= self.apart_from {
            (topic == self.topics).then_some(0)
        } else {
            (topic < self.topics && topic % self.groups == subscriber % self.groups).then_some(topic / self.groups)
        };
        let place = place.filter(|_| publisher < self.publishers)?;
        Some(publisher * self.topics.div_ceil(self.groups) + place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Compares with what the definition says, counted one by one.
    fn check(subscribers: usize, topics: usize, groups: usize, apart_from: usize) {
        let layout = Layout { subscribers, topics, groups, publishers: 2, apart_from };
        let has = |subscriber: usize, topic: usize| {
            if subscriber >= apart_from {
                topic == topics
            } else {
                topic < topics && topic % groups == subscriber % groups
            }
        };
        for topic in 0..=topics {
            for among in [0..subscribers, 0..1, 1..subscribers, subscribers / 2..subscribers, 3..3] {
                let want = among.clone().filter(|&subscriber| has(subscriber, topic)).count();
                let got = layout.subscribers_of(topic, &among);
                assert_eq!(got, want as u64, "topic {topic} among {among:?}: {layout:?}");
            }
        }
        for subscriber in 0..subscribers {
            let want: Vec<_> = (0..=topics).filter(|&topic| has(subscriber, topic)).collect();
            assert_eq!(layout.topics_of(subscriber).collect::<Vec<_>>(), want, "subscriber {subscriber}: {layout:?}");
            let mut seen = vec![false; layout.streams()];
            for publisher in 0..3 {
                for topic in 0..=topics + 1 {
                    let number = u32::try_from(topic).expect("small");
                    let stream = layout.stream(subscriber, publisher, number);
                    let is_wanted = publisher < 2 && want.contains(&topic);
                    assert_eq!(stream.is_some(), is_wanted, "{publisher} {topic}: {layout:?}");
                    if let Some(stream) = stream {
                        assert!(!std::mem::replace(&mut seen[stream], true), "two streams in one place: {layout:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn subscribers_and_topics_meet_by_their_remainders() {
        check(10, 1, 1, 10);
        check(10, 10, 10, 10);
        check(10, 4, 4, 10);
        check(4, 10, 10, 4);
        check(7, 20, 3, 7);
        check(5, 12, 1, 5);
    }

    #[test]
    fn some_are_apart_with_a_topic_of_their_own() {
        check(10, 1, 1, 7);
        check(10, 4, 4, 1);
        check(7, 20, 3, 4);
    }
}
