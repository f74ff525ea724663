//! Pages of history for the topics of a reader.

use std::sync::Arc;

use super::log::Log;
use crate::engine::{Page, Read, ReadRequest};
use crate::position::Sequence;
use crate::record::{Kind, Record};

/// Up to so many topics are looked up one by one; for more, and for patterns, each record is matched.
const NARROW_TOPICS_MAX: usize = 1024;

impl Log {
    pub(super) fn page(&self, request: &ReadRequest<'_>) -> Read {
        let selectors = request.selectors;
        // What is trimmed is before the retained records, so most readers need not look at the marks.
        if request.after < self.window.retained_after() && request.after < self.marks.trimmed(selectors).sequence {
            return Read::Expired;
        }
        Read::Page(if selectors.has_patterns() || selectors.len() > NARROW_TOPICS_MAX {
            let slots = self.window.retained_since(request.after);
            self.collect(request, slots.map(|(place, record)| (place, record.filter(|record| selectors.matches(record.topic.as_str())))))
        } else {
            let selected = self.topics.select(selectors);
            self.collect(request, selected.after(request.after).map(|place| (place, self.record(place))))
        })
    }

    /// Takes from `places` what the request allows.
    fn collect<'a>(
        &self,
        request: &ReadRequest<'_>,
        places: impl Iterator<Item = (Sequence, Option<&'a Arc<Record>>)>,
    ) -> Page {
        let end = request.through.min(self.window.tail()).max(request.after);
        let mut page = Page { records: Vec::new(), through: end };
        let (mut bytes, mut scanned) = (0, 0);
        for (place, record) in places.take_while(|(place, _)| *place <= end) {
            scanned += 1;
            if let Some(record) = record.filter(|record| record.kind != Kind::Deleted && !record.is_expired(request.now)) {
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
