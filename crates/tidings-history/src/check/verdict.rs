//! The data of a verdict, and the question that it answers.

use serde::Deserialize;

use crate::entry::StartFrom;
use crate::fault::{VerdictFault, excerpt};
use crate::position::HubPosition;

/// What a verdict says.
#[derive(Debug, Deserialize)]
pub(super) struct Verdict {
    requested: String,
    pub(super) reason: Reason,
    #[serde(deserialize_with = "present")]
    oldest: Option<String>,
    #[serde(deserialize_with = "present")]
    latest: Option<String>,
}

/// Why a resume could not be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Reason {
    Expired,
    Unknown,
    Lost,
}

impl Reason {
    pub(super) fn label(self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::Unknown => "unknown",
            Self::Lost => "lost",
        }
    }
}

impl Verdict {
    pub(super) fn parse(data: &str) -> Result<Self, VerdictFault> {
        let verdict: Option<Self> = serde_json::from_str(data).ok();
        let is_position = |id: &String| HubPosition::parse(id).is_some();
        verdict
            .filter(|verdict| verdict.oldest.iter().chain(&verdict.latest).all(is_position))
            .ok_or_else(|| VerdictFault::Form { data: excerpt(data) })
    }

    /// Is it on what the reader asked for?
    pub(super) fn answers(&self, from: &StartFrom) -> Result<(), VerdictFault> {
        match from {
            StartFrom::After(asked) | StartFrom::Since(asked) if *asked == self.requested => Ok(()),
            StartFrom::After(asked) | StartFrom::Since(asked) => {
                Err(VerdictFault::OfAnother { requested: self.requested.clone(), came_with: asked.clone() })
            }
            StartFrom::Earliest | StartFrom::Last(_) | StartFrom::Live => Err(VerdictFault::Uncalled),
        }
    }
}

/// It may be `null`, but not missing.
fn present<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    Option::deserialize(from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(data: &str, want: Option<Reason>) {
        assert_eq!(Verdict::parse(data).ok().map(|verdict| verdict.reason), want, "{data}");
    }

    #[test]
    fn a_verdict_has_all_its_members() {
        let good = r#"{"requested":"x","reason":"lost","oldest":"3vq8k0aa-1","latest":"3vq8k0aa-2"}"#;
        check(good, Some(Reason::Lost));
        check(r#"{"requested":"x","reason":"expired","oldest":null,"latest":null}"#, Some(Reason::Expired));
        check(&good.replace("lost", "mislaid"), None);
        check(&good.replace(r#","latest":"3vq8k0aa-2""#, ""), None);
        check(&good.replace("3vq8k0aa-1", "order-1"), None);
        check("", None);
    }
}
