//! The ids that a hub makes: `<epoch>-<sequence>`.

use std::fmt;

use crate::name::plain_number;

/// A place in a hub's history, as its own ids and frames tell it. Ordered as the hub's events are.
///
/// Source: CONTRACT.md, section 2: an epoch is 8 to 16 characters of `0-9a-z`, ordered in time; a sequence is decimal.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HubPosition {
    /// The unbroken history that it belongs to.
    pub epoch: String,
    /// Its place there.
    pub sequence: u64,
}

impl HubPosition {
    /// The position that an id is; nothing when it has not the form of a hub's own.
    ///
    /// A publisher's `households-42` has that form too: who reads a history knows which ids publishers chose.
    pub fn parse(id: &str) -> Option<Self> {
        let (epoch, sequence) = id.split_once('-')?;
        let is_epoch = (8..=16).contains(&epoch.len())
            && epoch.bytes().all(|byte| byte.is_ascii_digit() || byte.is_ascii_lowercase());
        let sequence = plain_number(sequence)?;
        is_epoch.then(|| Self { epoch: epoch.to_owned(), sequence })
    }
}

impl fmt::Display for HubPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.epoch, self.sequence)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(id: &str, want: Option<(&str, u64)>) {
        let got = HubPosition::parse(id);
        assert_eq!(got.as_ref().map(|position| (&*position.epoch, position.sequence)), want, "{id:?}");
        assert!(got.is_none_or(|position| position.to_string() == id), "{id:?}");
    }

    #[test]
    fn a_position_is_an_epoch_and_a_plain_number() {
        check("3vq8k0aa-17", Some(("3vq8k0aa", 17)));
        check("3vq8k0aa-0", Some(("3vq8k0aa", 0)));
        check("0123456789abcdef-18446744073709551615", Some(("0123456789abcdef", u64::MAX)));
        check("0123456789abcdef-18446744073709551616", None);
        check("3vq8k0aa-017", None);
        check("3vq8k0aa-", None);
        check("3vq8k0aa", None);
        check("3VQ8K0AA-1", None);
        check("order-42", None);
        check("0123456789abcdefg-1", None);
    }
}
