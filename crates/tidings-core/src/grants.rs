//! What a reader may see. Live and replayed events pass the same question.

use crate::record::Record;

/// The reading rights of one session.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Grants {
    /// Nobody said who they are: public events only.
    Anonymous,
    /// The program that embeds the hub: every event of its topics.
    Everything,
}

impl Grants {
    /// May a reader with these rights get `record`?
    pub fn may_read(&self, record: &Record) -> bool {
        !record.private || self.may_read_private()
    }

    /// May a reader with these rights get any private event at all?
    pub fn may_read_private(&self) -> bool {
        matches!(self, Self::Everything)
    }
}
