//! The results of recent topics. Decides what is kept and when it is void; does not compute a result.

/// A fixed number of slots; a topic has one slot by its hash, and whoever comes later takes it.
///
/// No list of recent use: a result is cheap to compute again, so two busy topics that share a slot lose little. In return the
/// bound is exact, a slot's memory is used again, and voiding everything is one addition.
#[derive(Debug)]
pub(super) struct Cache<K> {
    entries_max: usize,
    /// Empty until the first result is stored, then `entries_max` long.
    slots: Vec<Slot<K>>,
    /// Slots of an earlier generation are void.
    generation: u64,
}

#[derive(Debug, Clone)]
struct Slot<K> {
    /// 0 in a slot that is void.
    generation: u64,
    hash: u64,
    topic: String,
    keys: Vec<K>,
}

impl<K: Copy> Cache<K> {
    pub(super) const fn new(entries_max: usize) -> Cache<K> {
        Cache { entries_max, slots: Vec::new(), generation: 1 }
    }

    /// The slot with the result of `topic`, if there is one.
    pub(super) fn find(&self, hash: u64, topic: &str) -> Option<usize> {
        let at = self.slot_of(hash)?;
        let slot = &self.slots[at];
        (slot.generation == self.generation && slot.hash == hash && slot.topic == topic).then_some(at)
    }

    /// The keys in a slot that was just found.
    pub(super) fn keys(&self, slot: usize) -> &[K] {
        &self.slots[slot].keys
    }

    /// Remembers a result, unless it is large.
    pub(super) fn store(&mut self, hash: u64, topic: &str, keys: &[K]) {
        if keys.len() > KEYS_MAX {
            return;
        }
        if self.slots.is_empty() {
            let void = Slot { generation: 0, hash: 0, topic: String::new(), keys: Vec::new() };
            self.slots = vec![void; self.entries_max];
        }
        let Some(at) = self.slot_of(hash) else { return };
        let slot = &mut self.slots[at];
        slot.generation = self.generation;
        slot.hash = hash;
        slot.topic.clear();
        slot.topic.push_str(topic);
        slot.keys.clear();
        slot.keys.extend_from_slice(keys);
    }

    /// Voids the result of one topic.
    pub(super) fn forget(&mut self, hash: u64, topic: &str) {
        if let Some(at) = self.find(hash, topic) {
            self.slots[at].generation = 0;
        }
    }

    /// Voids all results and keeps their memory for the next.
    pub(super) fn forget_all(&mut self) {
        self.generation += 1;
    }

    /// Voids all results and gives their memory back.
    pub(super) fn release(&mut self) {
        self.slots = Vec::new();
    }

    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.slots.capacity()
    }

    /// `None` when there are no slots.
    fn slot_of(&self, hash: u64) -> Option<usize> {
        // The remainder of a 64-bit hash is even enough, whatever number of slots was asked for.
        let slots = self.slots.len() as u64;
        usize::try_from(hash.checked_rem(slots)?).ok()
    }
}

/// Results of more keys are not kept. Unit: keys.
const KEYS_MAX: usize = 256;
