//! What was committed goes to the live members of the groups that want it: one buffer for a group, one write for a member.

use std::sync::Arc;
use std::time::Instant;

use tidings_core::group::Group;
use tidings_core::session::Sent;
use tidings_core::{CloseReason, Engine, GroupSpec, Rarely, Record, Sequence};

use super::Shard;
use super::batch::Batch;
use crate::inbox::SessionKey;
use crate::way::Way;

impl Shard {
    /// Carries what was committed up to `target` to the live sessions.
    pub(super) fn deliver_through(&mut self, target: Sequence) {
        while self.position < target {
            self.deliver();
        }
        self.end_those_too_far_behind();
        self.sample_lag();
    }

    fn deliver(&mut self) {
        let before = self.position;
        self.records.clear();
        let committed = self.engine.committed(before, self.limits.batch_bytes_max, &mut self.records);
        let through = match committed {
            Ok(through) => through,
            Err(behind) => return self.fall_behind(behind.window_start),
        };
        for record in &self.records {
            for &group_key in self.roster.index.matching(record.topic.as_str()) {
                let group = &mut self.roster.groups[group_key as usize];
                if gather(group, record, &*self.engine) {
                    self.dirty_groups.push(group_key);
                }
            }
            // Mostly there are none.
            for alternate in &record.alternates {
                for &group_key in self.roster.index.matching(alternate.as_str()) {
                    let group = &mut self.roster.groups[group_key as usize];
                    // Another topic of the record may have led here before: it would be the last.
                    let is_here = group.batch.last().is_some_and(|last| Arc::ptr_eq(last, record));
                    if !is_here && gather(group, record, &*self.engine) {
                        self.dirty_groups.push(group_key);
                    }
                }
            }
        }
        self.position = through;
        self.inbox.set_carried(through);
        self.measure_lag();
        let first_at = self.records.first().map(|record| record.committed_at);
        let mut dirty_groups = std::mem::take(&mut self.dirty_groups);
        let is_for_somebody = !dirty_groups.is_empty();
        for group_key in dirty_groups.drain(..) {
            self.deliver_to_group(group_key, before);
        }
        self.dirty_groups = dirty_groups;
        // The oldest stands for all of them: a clock is asked once.
        if let Some(first_at) = first_at.filter(|_| is_for_somebody) {
            self.counters.delivery_time.observe(Self::wall_clock().since(first_at));
        }
    }

    /// What a group gets of these records.
    pub(super) fn batch_of(&self, spec: &GroupSpec, records: &[Arc<Record>]) -> Batch {
        if !spec.announces {
            return Batch::of(records);
        }
        let epoch = self.engine.epoch();
        let announced: Vec<_> =
            records.iter().map(|record| Arc::new(record.announced(epoch, &spec.selectors))).collect();
        Batch::of(&announced)
    }

    fn deliver_to_group(&mut self, group_key: u32, before: Sequence) {
        let mut records = std::mem::take(&mut self.roster.groups[group_key as usize].batch);
        let batch = self.batch_of(&self.roster.groups[group_key as usize].spec, &records);
        records.clear();
        self.roster.groups[group_key as usize].batch = records;

        let for_all = batch.for_all();
        let mut own_part;
        let (mut writes, mut events, mut bytes) = (0, 0, 0);
        // From the last to the first: a member that leaves gives its slot to one that was already served.
        for slot in (0..self.roster.groups[group_key as usize].live().len()).rev() {
            let key = self.roster.groups[group_key as usize].live()[slot];
            let part = if let Some(part) = for_all {
                part
            } else {
                own_part = self.part_for(key, &batch);
                &own_part
            };
            let Some(entry) = self.roster.get(key) else { continue };
            if part.chunk.is_empty() {
                continue;
            }
            let sent = match &mut entry.way {
                Way::Direct(stream) => crate::socket::send(stream, part.chunk.wire()),
                body @ Way::Body(_) => body.send(&part.chunk.payload(), self.limits.batch_bytes_max),
            };
            writes += 1;
            match sent {
                Ok(sent) => {
                    events += if sent == Sent::Nothing { 0 } else { part.events };
                    bytes += bytes_taken(sent, part.chunk.wire().len());
                    let (through, now, wire) = (self.position, self.now, part.chunk.wire());
                    if sent == Sent::All {
                        entry.session.on_sent(wire, before, through, sent, now);
                    } else {
                        self.counters.fall_backs.increment();
                        self.update(key, |session| session.on_sent(wire, before, through, sent, now));
                    }
                    if batch.ends && sent != Sent::Nothing {
                        self.close(key, CloseReason::TopicEnded);
                    }
                }
                Err(_) => self.remove(key, CloseReason::Broken),
            }
            if !self.roster.groups.contains(group_key as usize) {
                break; // the last of it was removed
            }
        }
        self.counters.writes.add(writes);
        self.rest.add_writes(writes);
        self.counters.delivered_live.add(events);
        self.counters.bytes_out.add(bytes);
    }

    /// The window has gone past the shard: its live sessions go on from their cursors.
    fn fall_behind(&mut self, window_start: Sequence) {
        static SAID: Rarely = Rarely::new();
        let position = self.position;
        if let Some(unsaid_before) = SAID.admit(Instant::now()) {
            tracing::warn!(%position, %window_start, unsaid_before, "a shard fell out of the window: its sessions replay");
        }
        for key in self.roster.keys() {
            let is_live = self.roster.get(key).is_some_and(|entry| entry.session.slot().is_some());
            if is_live {
                self.update(key, |session| session.fall_back(position));
                self.make_runnable(key);
            }
        }
        self.position = window_start.max(position);
        self.inbox.set_carried(self.position);
    }
}

/// Adds `record`, of which a topic is one of theirs, to what the live members of a group get, if they want it. Answers
/// whether it is the first in the batch.
fn gather(group: &mut Group<SessionKey>, record: &Arc<Record>, engine: &dyn Engine) -> bool {
    if group.live().is_empty() {
        return false;
    }
    let selectors = &group.spec.selectors;
    let is_last_end = || engine.ended_through(selectors) == Some(record.sequence);
    let is_first = group.batch.is_empty();
    let wants = group.spec.wants(record, is_last_end);
    if wants {
        group.batch.push(Arc::clone(record));
    }
    wants && is_first
}

pub(super) fn bytes_taken(sent: Sent, len: usize) -> u64 {
    match sent {
        Sent::All => len as u64,
        Sent::Part(taken) => taken as u64,
        Sent::Nothing => 0,
    }
}
