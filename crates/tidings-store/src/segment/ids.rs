//! The ids that publishers gave to the records of a sealed segment.

use super::bloom::Bloom;
use super::{Sealed, SegmentError, layout};

/// Nearly always there is one, or none.
const IDS_PER_READ: u32 = 64;

impl Sealed {
    /// May a publisher have given this id to a record here? `false` is certain. Costs no read but the first time.
    pub(crate) fn may_have_id(&self, id: &str) -> Result<bool, SegmentError> {
        if self.header.summary.ids == 0 {
            return Ok(false);
        }
        let filter = if let Some(filter) = self.filter.get() {
            filter
        } else {
            let (at, len) = self.header.filter();
            let filter = Bloom::from_bytes(self.index.read_at(at, len)?);
            self.filter.get_or_init(|| filter)
        };
        Ok(filter.may_have(self.hash(id)))
    }

    /// The indices of the records that may have this id of a publisher's, ascending; the records themselves say whether
    /// they do.
    pub(crate) fn find_id(&self, id: &str) -> Result<Vec<u32>, SegmentError> {
        let mut found = Vec::new();
        if !self.may_have_id(id)? {
            return Ok(found);
        }
        let (table, hash) = (self.header.ids(), self.hash(id));
        let mut number = self.search(table, 0..u64::MAX, hash, layout::row_hash)?;
        while number < table.rows {
            let end = number.saturating_add(IDS_PER_READ).min(table.rows);
            let rows = self.rows(table, number..end)?;
            for row in rows.chunks_exact(table.row_bytes as usize) {
                if layout::row_hash(row) != hash {
                    return Ok(found);
                }
                let index = u32::try_from(layout::first_number(&row[8..], 4)).expect("four bytes");
                found.push(index);
            }
            number = end;
        }
        Ok(found)
    }
}
