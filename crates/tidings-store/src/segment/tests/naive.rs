//! The reference: the same questions, answered by looking at all frames.

use std::collections::BTreeMap;
use std::fmt::Debug;

use tidings_core::{Kind, Position, Record, Sequence, Timestamp};
use tidings_topic::Topic;

use super::{FIRST, epoch, history};
use crate::frame::Frame;
use crate::segment::{Entry, Sealed, SegmentError, Summary, TopicEntry};

/// Frames, and where they begin in their log.
pub(super) struct Naive {
    frames: Vec<Frame>,
    offsets: Vec<usize>,
    log_bytes: usize,
    /// Where its last record was, before any were left out.
    pub(super) ends_at: Sequence,
    /// Every topic and its records, as indices.
    topics: BTreeMap<Topic, Vec<u32>>,
}

/// Compares answers. An answer is right or an error, and the errors are counted.
#[derive(Debug, Default)]
pub(super) struct Judge {
    pub errors: Vec<SegmentError>,
}

impl Judge {
    fn check<T: Debug + PartialEq>(&mut self, asked: &dyn Debug, got: Result<T, SegmentError>, want: &T) -> Option<T> {
        match got {
            Ok(got) => {
                assert_eq!(got, *want, "{asked:?}");
                Some(got)
            }
            Err(error) => {
                self.errors.push(error);
                None
            }
        }
    }
}

impl Naive {
    pub(super) fn new(frames: &[Frame], offsets: &[usize]) -> Self {
        let mut topics: BTreeMap<Topic, Vec<u32>> = BTreeMap::new();
        for (index, frame) in (0..).zip(frames) {
            for topic in std::iter::once(&frame.topic).chain(&frame.alternates) {
                topics.entry(topic.clone()).or_default().push(index);
            }
        }
        let last_bytes = frames.last().map_or(0, |frame| {
            let mut out = Vec::new();
            frame.encode(&mut out);
            out.len()
        });
        let log_bytes = offsets.last().map_or(crate::header::SegmentHeader::BYTES, |last| last + last_bytes);
        let ends_at = frames.last().map_or(FIRST.previous(), |frame| frame.sequence);
        Self { frames: frames.to_vec(), offsets: offsets.to_vec(), log_bytes, ends_at, topics }
    }

    /// Asks `sealed` everything and compares.
    pub(super) fn judge(&self, sealed: &Sealed) -> Judge {
        let mut judge = Judge::default();
        assert_eq!(*sealed.summary(), self.summary());
        self.judge_directory(sealed, &mut judge);
        self.judge_entries(sealed, &mut judge);
        self.judge_places(sealed, &mut judge);
        self.judge_ids(sealed, &mut judge);
        judge
    }

    fn summary(&self) -> Summary {
        let (first, last) = (self.frames.first(), self.frames.last());
        Summary {
            begins_at: FIRST,
            first: first.map_or(FIRST, |frame| frame.sequence),
            last: last.map_or(FIRST.previous(), |frame| frame.sequence),
            ends_at: self.ends_at,
            first_at: first.map(|frame| frame.committed_at).unwrap_or_default(),
            last_at: last.map(|frame| frame.committed_at).unwrap_or_default(),
            records: self.count(),
            events: self.events(&(0..self.count()).collect::<Vec<_>>()),
            cost_bytes: (0..self.count()).map(|index| u64::from(self.cost_bytes(index))).sum(),
            log_bytes: self.log_bytes as u64,
            topics: u32::try_from(self.topics.len()).expect("few"),
            postings: u32::try_from(self.topics.values().map(Vec::len).sum::<usize>()).expect("few"),
            ids: u32::try_from(self.frames.iter().filter(|frame| frame.id.is_some()).count()).expect("few"),
            has_keys: self.frames.iter().any(|frame| frame.key.is_some()),
            has_own_form_ids: self
                .frames
                .iter()
                .filter_map(|frame| frame.id.as_ref())
                .any(|id| Position::parse(id.as_str()).is_some()),
        }
    }

    fn judge_directory(&self, sealed: &Sealed, judge: &mut Judge) {
        // The order of the directory is the segment's own affair.
        let directory = sealed.directory();
        let sorted = directory.map(|topics| {
            assert!((0..).zip(&topics).all(|(number, topic)| topic.number == number), "{topics:?}");
            let mut names: Vec<Topic> = topics.into_iter().map(|entry| entry.topic).collect();
            names.sort();
            names
        });
        judge.check(&"directory", sorted, &self.topics.keys().cloned().collect());
        for (topic, places) in &self.topics {
            let found = sealed.topic(topic);
            match found {
                Ok(Some(entry)) => self.judge_topic(sealed, &entry, places, judge),
                Ok(None) => panic!("{topic} is not found"),
                Err(error) => judge.errors.push(error),
            }
        }
        let absent = Topic::parse("nobody publishes here").expect("a topic");
        judge.check(&absent, sealed.topic(&absent), &None);
    }

    fn judge_topic(&self, sealed: &Sealed, entry: &TopicEntry, places: &[u32], judge: &mut Judge) {
        let is_its_own = |index: &&u32| self.frames[**index as usize].topic == entry.topic;
        let own: Vec<u32> = places.iter().filter(is_its_own).copied().collect();
        let cost_bytes: u64 = own.iter().map(|index| u64::from(self.cost_bytes(*index))).sum();
        let count = u32::try_from(places.len()).expect("few");
        assert_eq!((entry.records, entry.events, entry.cost_bytes), (count, self.events(&own), cost_bytes));
        judge.check(&entry, sealed.topic_numbered(entry.number), entry);
        judge.check(&entry, sealed.topics_where(|name| name == entry.topic.as_str()), &vec![entry.clone()]);
        for (from, end) in [(0, count), (count / 3, count / 2), (count, count), (count - 1, count + 5)] {
            let want = &places[from as usize..end.min(count) as usize];
            judge.check(&(&entry, from, end), sealed.postings(entry, from..end), &want.to_vec());
        }
        for index in [0, places[0], places[places.len() / 2], places[places.len() / 2] + 1, self.count()] {
            let want = u32::try_from(places.partition_point(|place| *place < index)).expect("few");
            judge.check(&(&entry, index), sealed.posting_from(entry, index), &want);
        }
    }

    fn judge_entries(&self, sealed: &Sealed, judge: &mut Judge) {
        let count = self.count();
        for (from, end) in [(0, count), (0, 1), (count / 2, count / 2 + 3), (count, count + 1)] {
            let got = sealed.entries(from..end);
            self.judge_records(sealed, &(from..end.min(count)).collect::<Vec<_>>(), got, judge);
        }
        for step in [1, 2, 7] {
            let indices: Vec<u32> = (0..count).step_by(step).collect();
            self.judge_records(sealed, &indices, sealed.entries_at(&indices), judge);
        }
    }

    fn judge_records(
        &self,
        sealed: &Sealed,
        indices: &[u32],
        got: Result<Vec<Entry>, SegmentError>,
        judge: &mut Judge,
    ) {
        let numbers: Vec<u32> =
            got.as_ref().map(|entries| entries.iter().map(|entry| entry.topic).collect()).unwrap_or_default();
        let want: Vec<Entry> = indices.iter().zip(numbers).map(|(index, number)| self.entry(*index, number)).collect();
        let Some(entries) = judge.check(&indices, got, &want) else { return };
        assert_eq!(entries.len(), indices.len());
        for (entry, index) in entries.iter().zip(indices) {
            let topic = sealed.topic_numbered(entry.topic).map(|entry| entry.topic);
            judge.check(&entry, topic, &self.frames[*index as usize].topic);
        }
        let want: Vec<String> = indices.iter().map(|index| format!("{:?}", self.record(*index))).collect();
        let got = sealed.read(&entries);
        judge.check(&indices, got.map(|records| records.iter().map(|record| format!("{record:?}")).collect()), &want);
    }

    fn judge_places(&self, sealed: &Sealed, judge: &mut Judge) {
        let sequences = self.frames.iter().flat_map(|frame| [frame.sequence.previous(), frame.sequence]);
        for sequence in sequences.chain([Sequence::ZERO, Sequence(u64::MAX)]) {
            let want = self.frames.partition_point(|frame| frame.sequence <= sequence);
            judge.check(&sequence, sealed.position_after(sequence), &u32::try_from(want).expect("few"));
        }
        let times = self.frames.iter().map(|frame| frame.committed_at.as_millis());
        for time in times.flat_map(|time| [time - 1, time, time + 1]).chain([0, u64::MAX]).map(Timestamp::from_millis) {
            let want = self.frames.partition_point(|frame| frame.committed_at < time);
            judge.check(&time, sealed.position_at_or_after(time), &u32::try_from(want).expect("few"));
        }
    }

    fn judge_ids(&self, sealed: &Sealed, judge: &mut Judge) {
        for id in self.frames.iter().filter_map(|frame| frame.id.as_ref()) {
            let has_id = |index: &u32| self.frames[*index as usize].id.as_ref() == Some(id);
            let want: Vec<u32> = (0..self.count()).filter(has_id).collect();
            judge.check(&id, sealed.may_have_id(id.as_str()), &true);
            // Candidates may be more; two hashes that are the same by chance would fail this once in ages.
            judge.check(&id, all_with_id(sealed, id.as_str()), &want);
        }
        judge.check(&"an absent id", all_with_id(sealed, "nobody's id"), &Vec::new());
    }

    fn count(&self) -> u32 {
        u32::try_from(self.frames.len()).expect("few")
    }

    fn events(&self, indices: &[u32]) -> u32 {
        let events = indices.iter().filter(|index| self.frames[**index as usize].kind == Kind::Event);
        u32::try_from(events.count()).expect("few")
    }

    fn record(&self, index: u32) -> Record {
        self.frames[index as usize].clone().into_record(epoch())
    }

    fn cost_bytes(&self, index: u32) -> u32 {
        u32::try_from(history().cost_bytes(&self.record(index))).expect("small")
    }

    fn entry(&self, index: u32, topic: u32) -> Entry {
        let record = self.record(index);
        let has_alternates = record.has_alternates();
        let Record { sequence, committed_at, expires_at, kind, private, .. } = record;
        let offset = u32::try_from(self.offsets[index as usize]).expect("a small log");
        let cost_bytes = self.cost_bytes(index);
        Entry { sequence, committed_at, expires_at, cost_bytes, topic, kind, has_alternates, private, offset }
    }
}

/// The indices of all records that may have this id.
pub(super) fn all_with_id(sealed: &Sealed, id: &str) -> Result<Vec<u32>, SegmentError> {
    let mut found = Vec::new();
    let none: Option<()> = sealed.find_id(id, |indices| {
        found.extend_from_slice(indices);
        Ok(None)
    })?;
    assert_eq!(none, None, "nothing was looked for");
    Ok(found)
}
