//! Pages of history for the topics of a reader.

use std::sync::Arc;

use super::log::Log;
use crate::engine::{Page, Read, ReadRequest};
use crate::position::Sequence;
use crate::record::{Kind, Record};

impl Log {
    pub(super) fn page(&self, request: &ReadRequest) -> Read {
        let selectors = &request.selectors;
        // What the hub's bounds trimmed is before the retained records, so most readers need not look at the marks. What a
        // topic's own bounds trimmed is left out: whoever resumed was told, and the rest of its topics is all there.
        if request.after < self.window.retained_after() && request.after < self.marks.trimmed(selectors).sequence {
            return Read::Expired;
        }
        Read::Page(if selectors.has_patterns() {
            let is_selected = |record: &&Arc<Record>| record.topics().any(|topic| selectors.matches(topic.as_str()));
            let slots = self.window.retained_since(request.after);
            self.collect(request, slots.map(|(place, record)| (place, record.filter(is_selected))))
        } else {
            // One look-up for each topic and page, however few records there are; a connection has 1,000 topics at most.
            let selected = self.topics.select(selectors);
            self.collect(request, selected.after(request.after).map(|place| (place, self.record(place))))
        })
    }

    /// Takes from `places` what the request allows. Ends that are no longer in the window are not among them where there
    /// are patterns: such a reader never ends.
    fn collect<'a>(
        &self,
        request: &ReadRequest,
        places: impl Iterator<Item = (Sequence, Option<&'a Arc<Record>>)>,
    ) -> Page {
        let end = request.through.min(self.window.tail()).max(request.after);
        let mut page = Page { records: Vec::new(), through: end };
        let (mut bytes, mut scanned) = (0, 0);
        for (place, record) in places.take_while(|(place, _)| *place <= end) {
            scanned += 1;
            let is_given = |record: &&Arc<Record>| record.kind != Kind::Deleted && !record.is_expired(request.now);
            if let Some(record) = record.filter(is_given) {
                bytes += record.chunk.wire().len();
                page.records.push(Arc::clone(record));
            }
            let is_full = bytes >= request.limit.bytes_max && !page.records.is_empty();
            if is_full || scanned >= request.limit.scanned_max {
                page.through = place;
                break;
            }
        }
        page
    }
}
