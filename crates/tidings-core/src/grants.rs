//! What a reader may see. Live and replayed events pass the same question.

use tidings_topic::SelectorSet;

use crate::record::Record;

/// The reading rights of one session.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Grants {
    /// Nobody said who they are: public events only.
    Anonymous,
    /// A token: public events, and the private ones that have a topic which these select.
    Only(SelectorSet),
    /// The program that embeds the hub: every event of its topics.
    Everything,
}

impl Grants {
    /// May a reader with these rights get `record`?
    pub fn may_read(&self, record: &Record) -> bool {
        !record.private
            || match self {
                Self::Anonymous => false,
                Self::Only(selectors) => record.topics().any(|topic| selectors.matches(topic.as_str())),
                Self::Everything => true,
            }
    }

    /// May a reader with these rights get any private event at all?
    pub fn may_read_private(&self) -> bool {
        !matches!(self, Self::Anonymous)
    }
}
