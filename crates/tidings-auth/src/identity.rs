//! Who a token speaks for, and what it grants.

use std::sync::Arc;

use serde_json::Value;
use tidings_core::{Grants, Timestamp};
use tidings_topic::SelectorSet;

use crate::cover::covers;

/// What a checked token says. A clone shares the grants.
#[derive(Clone, Debug)]
pub struct Identity {
    /// Whom it is about (`sub`).
    pub subject: Option<Arc<str>>,
    /// Whose rules it follows.
    pub shape: Shape,
    /// The instant from which it is refused: `exp` and the leeway.
    pub expires_at: Option<Timestamp>,
    pub(crate) publish: Option<SelectorSet>,
    pub(crate) subscribe: Option<SelectorSet>,
    pub(crate) payloads: Payloads,
}

/// Whose rules a token follows; status codes and documents depend on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// A claim `mercure`.
    Mercure0,
    /// `authorization_details`, or the type `at+jwt`.
    Mercure1,
    /// Neither: a claim `tidings`, or none of all.
    Plain,
}

/// What a subscription's document says of its subscriber.
#[derive(Clone, Debug, Default)]
pub(crate) enum Payloads {
    #[default]
    None,
    /// 0.x: one for all subscriptions.
    One(Arc<Value>),
    /// 1.0: one for each detail that lets somebody subscribe, in their order.
    Details(Arc<[DetailPayload]>),
}

#[derive(Clone, Debug)]
pub(crate) struct DetailPayload {
    pub(crate) selectors: SelectorSet,
    pub(crate) payload: Option<Value>,
}

impl Identity {
    /// Whether it grants publishing on `topic`.
    pub fn may_publish(&self, topic: &str) -> bool {
        self.publish.as_ref().is_some_and(|selectors| selectors.matches(topic))
    }

    /// Whether it grants publishing on any topic at all.
    pub fn has_publish_grant(&self) -> bool {
        self.publish.is_some()
    }

    /// Whether it has a grant to read `topic`, its private events included.
    pub fn subscribes(&self, topic: &str) -> bool {
        self.subscribe.as_ref().is_some_and(|selectors| selectors.matches(topic))
    }

    /// Whether it has a grant to read anything.
    pub fn has_subscribe_grant(&self) -> bool {
        self.subscribe.is_some()
    }

    /// What its holder may read: as anybody, when it grants nothing.
    pub fn read_grants(&self) -> Grants {
        self.subscribe.clone().map_or(Grants::Anonymous, Grants::Only)
    }

    /// What the document of a subscription to `selector_text` (as the request wrote it) says of its subscriber.
    ///
    /// 0.x has one for all; 1.0 that of the first detail which grants reading and names or matches that text.
    pub fn payload_for(&self, selector_text: &str) -> Option<&Value> {
        match &self.payloads {
            Payloads::None => None,
            Payloads::One(payload) => Some(payload),
            Payloads::Details(details) => {
                details.iter().find(|detail| detail.speaks_of(selector_text))?.payload.as_ref()
            }
        }
    }

    /// Whether this is of the same subject as `old` and grants reading no more: a connection may go on with it.
    ///
    /// A pattern counts as narrower only where one of the old ones surely covers it.
    pub fn narrows(&self, old: &Self) -> bool {
        self.subject == old.subject
            && match (&self.subscribe, &old.subscribe) {
                (None, _) => true,
                (Some(_), None) => false,
                (Some(new), Some(old)) => new.iter().all(|selector| covers(old, selector)),
            }
    }
}

impl DetailPayload {
    fn speaks_of(&self, selector_text: &str) -> bool {
        self.selectors.matches(selector_text)
            || self.selectors.iter().any(|selector| selector.to_string() == selector_text)
    }
}
