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

    /// Hands the indices of the records that may have this id of a publisher's to `look`, ascending and some at a time,
    /// until it finds something; the records themselves say whether they have it.
    pub(crate) fn find_id<T>(
        &self,
        id: &str,
        mut look: impl FnMut(&[u32]) -> Result<Option<T>, SegmentError>,
    ) -> Result<Option<T>, SegmentError> {
        if !self.may_have_id(id)? {
            return Ok(None);
        }
        let (table, hash) = (self.header.ids(), self.hash(id));
        let mut number = self.search(table, 0..u64::MAX, hash, layout::row_hash)?;
        while number < table.rows {
            let end = number.saturating_add(IDS_PER_READ).min(table.rows);
            let rows = self.rows(table, number..end)?;
            let rows = rows.chunks_exact(table.row_bytes as usize);
            let found: Vec<u32> = rows
                .take_while(|row| layout::row_hash(row) == hash)
                .map(|row| u32::try_from(layout::first_number(&row[8..], 4)).expect("four bytes"))
                .collect();
            let is_all = found.len() < (end - number) as usize;
            if !found.is_empty()
                && let Some(answer) = look(&found)?
            {
                return Ok(Some(answer));
            }
            if is_all {
                break;
            }
            number = end;
        }
        Ok(None)
    }
}
