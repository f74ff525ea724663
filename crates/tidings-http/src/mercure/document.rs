//! The documents of active subscriptions: for 0.x as JSON-LD, for 1.0 as plain JSON, with their keys in the order in which
//! Mercure writes them.

use serde::Serialize;
use serde_json::Value;

use crate::mercure::active::Active;
use crate::mercure::dialect::Dialect;
use crate::mercure::name::to_segment;
use crate::mercure::parameters::{Matcher, MatcherKind};
use crate::mercure::place::SUBSCRIPTIONS_PATH;

/// The id of a subscription, which is the topic of its events, and the path of its document.
pub(super) fn subscription_id(active: &Active) -> String {
    let dialect = active.matcher.kind.dialect();
    format!("{}/{}", matcher_id(&active.matcher), to_segment(&active.subscriber.id, dialect))
}

/// The id of all subscriptions with one matcher.
pub(super) fn matcher_id(matcher: &Matcher) -> String {
    let text = to_segment(&matcher.text, matcher.kind.dialect());
    match matcher.kind {
        MatcherKind::Topic => format!("{SUBSCRIPTIONS_PATH}/{text}"),
        kind => format!("{SUBSCRIPTIONS_PATH}/{}/{text}", kind.match_type()),
    }
}

/// The document of one subscription. `last_event_id` stands in what the API answers in 0.x, not in events.
pub(super) fn subscription(active: &Active, is_active: bool, last_event_id: Option<&str>) -> Vec<u8> {
    match active.matcher.kind.dialect() {
        Dialect::Zero => pretty(&Subscription0 { context: Some(CONTEXT), last_event_id, ..zero(active, is_active) }),
        Dialect::One => pretty(&one(active, is_active)),
    }
}

/// The document of some of them, whose id is `id`.
pub(super) fn collection(id: &str, actives: &[Active], dialect: Dialect, last_event_id: &str) -> Vec<u8> {
    match dialect {
        Dialect::Zero => pretty(&Collection0 {
            context: CONTEXT,
            id,
            r#type: "Subscriptions",
            last_event_id,
            subscriptions: actives.iter().map(|active| zero(active, true)).collect(),
        }),
        Dialect::One => pretty(&Collection1 {
            id,
            r#type: "subscriptions",
            subscriptions: actives.iter().map(|active| one(active, true)).collect(),
        }),
    }
}

const CONTEXT: &str = "https://mercure.rocks/";

#[derive(Serialize)]
struct Subscription0<'a> {
    #[serde(rename = "@context", skip_serializing_if = "Option::is_none")]
    context: Option<&'a str>,
    id: String,
    r#type: &'a str,
    subscriber: &'a str,
    topic: &'a str,
    active: bool,
    #[serde(rename = "lastEventID", skip_serializing_if = "Option::is_none")]
    last_event_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload: Option<&'a Value>,
}

#[derive(Serialize)]
struct Collection0<'a> {
    #[serde(rename = "@context")]
    context: &'a str,
    id: &'a str,
    r#type: &'a str,
    #[serde(rename = "lastEventID")]
    last_event_id: &'a str,
    subscriptions: Vec<Subscription0<'a>>,
}

#[derive(Serialize)]
struct Subscription1<'a> {
    id: String,
    r#type: &'a str,
    subscriber: &'a str,
    r#match: &'a str,
    match_type: &'a str,
    active: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload: Option<&'a Value>,
}

#[derive(Serialize)]
struct Collection1<'a> {
    id: &'a str,
    r#type: &'a str,
    subscriptions: Vec<Subscription1<'a>>,
}

fn zero(active: &Active, is_active: bool) -> Subscription0<'_> {
    Subscription0 {
        context: None,
        id: subscription_id(active),
        r#type: "Subscription",
        subscriber: &active.subscriber.id,
        topic: &active.matcher.text,
        active: is_active,
        last_event_id: None,
        payload: active.payload(),
    }
}

fn one(active: &Active, is_active: bool) -> Subscription1<'_> {
    Subscription1 {
        id: subscription_id(active),
        r#type: "subscription",
        subscriber: &active.subscriber.id,
        r#match: &active.matcher.text,
        match_type: active.matcher.kind.match_type(),
        active: is_active,
        payload: active.payload(),
    }
}

fn pretty(document: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec_pretty(document).expect("texts and values are always JSON")
}

impl MatcherKind {
    /// What 1.0 calls it.
    pub(super) fn match_type(self) -> &'static str {
        match self {
            Self::Topic | Self::Exact => "exact",
            Self::UrlPattern => "urlpattern",
        }
    }

    /// The kind of 1.0 that is called so.
    pub(super) fn of_match_type(match_type: &str) -> Option<Self> {
        match match_type {
            "exact" => Some(Self::Exact),
            "urlpattern" => Some(Self::UrlPattern),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::mercure::active::Subscriber;

    fn active(kind: MatcherKind, text: &str) -> Active {
        let subscriber = Arc::new(Subscriber { id: "urn:uuid:1".into(), identity: None });
        Active { matcher: Matcher { kind, text: text.into() }, subscriber }
    }

    fn check(got: &[u8], want: &str) {
        assert_eq!(String::from_utf8_lossy(got), want);
    }

    #[test]
    fn a_subscription_of_0_is_json_ld() {
        let active = active(MatcherKind::Topic, "a b/{id}");
        check(
            &subscription(&active, false, None),
            r#"{
  "@context": "https://mercure.rocks/",
  "id": "/.well-known/mercure/subscriptions/a+b%2F%7Bid%7D/urn%3Auuid%3A1",
  "type": "Subscription",
  "subscriber": "urn:uuid:1",
  "topic": "a b/{id}",
  "active": false
}"#,
        );
        check(
            &collection("/c", &[active], Dialect::Zero, "earliest"),
            r#"{
  "@context": "https://mercure.rocks/",
  "id": "/c",
  "type": "Subscriptions",
  "lastEventID": "earliest",
  "subscriptions": [
    {
      "id": "/.well-known/mercure/subscriptions/a+b%2F%7Bid%7D/urn%3Auuid%3A1",
      "type": "Subscription",
      "subscriber": "urn:uuid:1",
      "topic": "a b/{id}",
      "active": true
    }
  ]
}"#,
        );
    }

    #[test]
    fn a_subscription_of_1_is_json() {
        let active = active(MatcherKind::UrlPattern, "/a b/:id");
        check(
            &subscription(&active, true, Some("never in 1.0")),
            r#"{
  "id": "/.well-known/mercure/subscriptions/urlpattern/%2Fa%20b%2F%3Aid/urn%3Auuid%3A1",
  "type": "subscription",
  "subscriber": "urn:uuid:1",
  "match": "/a b/:id",
  "match_type": "urlpattern",
  "active": true
}"#,
        );
        check(
            &collection("/c", &[], Dialect::One, "x"),
            "{\n  \"id\": \"/c\",\n  \"type\": \"subscriptions\",\n  \"subscriptions\": []\n}",
        );
    }
}
