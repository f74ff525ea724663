//! The claim `authorization_details` of Mercure 1.0 (RFC 9396).

use serde_json::{Map, Value};
use tidings_topic::{Selector, SelectorSet};

use crate::error::{TokenError, excerpt};
use crate::identity::DetailPayload;
use crate::jws::wrong_type;

/// The `type` of the details that speak of this hub; others are for somebody else.
const DETAIL_TYPE: &str = "https://mercure.rocks/authorization-detail";
/// Most details of that type.
const DETAILS_MAX: usize = 100;
/// Most topics in all of them together.
const TOPICS_MAX: usize = 100;

#[derive(Debug, Default)]
pub(super) struct Details {
    pub(super) publish: Vec<Selector>,
    pub(super) subscribe: Vec<Selector>,
    pub(super) payloads: Vec<DetailPayload>,
}

/// Reads the claim; nothing when it is not there. URL patterns are relative to `base`.
///
/// # Errors
/// [`TokenError`] when any detail of Mercure's type is not as it should be, or there are too many.
pub(super) fn read(claims: &Map<String, Value>, base: &str) -> Result<Details, TokenError> {
    let list = match claims.get("authorization_details") {
        None => return Ok(Details::default()),
        Some(Value::Array(list)) => list,
        Some(other) => return Err(wrong_type("authorization_details", other, "an array of objects")),
    };
    let mut details = Details::default();
    let mut detail_count = 0;
    let mut topic_count = 0;
    for (at, detail) in list.iter().enumerate() {
        let claim = format!("authorization_details[{at}]");
        let Value::Object(detail) = detail else { return Err(wrong_type(&claim, detail, "an object")) };
        if text(detail, &claim, "type")? != DETAIL_TYPE {
            continue;
        }
        detail_count += 1;
        topic_count += detail.get("topics").and_then(Value::as_array).map_or(0, Vec::len);
        within("authorization_details", detail_count, DETAILS_MAX)?;
        within("authorization_details[…].topics", topic_count, TOPICS_MAX)?;

        let actions = Actions::read(detail, &claim)?;
        let selectors = topics(detail, &claim, base)?;
        if actions.publish {
            details.publish.extend(selectors.iter().cloned());
        }
        if actions.subscribe {
            details.subscribe.extend(selectors.iter().cloned());
            let payload = detail.get("payload").filter(|payload| !payload.is_null()).cloned();
            if let Some(selectors) = SelectorSet::new(selectors) {
                details.payloads.push(DetailPayload { selectors, payload });
            }
        }
    }
    Ok(details)
}

#[derive(Default)]
struct Actions {
    publish: bool,
    subscribe: bool,
}

impl Actions {
    fn read(detail: &Map<String, Value>, claim: &str) -> Result<Self, TokenError> {
        let mut actions = Self::default();
        for action in list(detail, claim, "actions")? {
            match action {
                Value::String(name) if name == "publish" => actions.publish = true,
                Value::String(name) if name == "subscribe" => actions.subscribe = true,
                Value::String(_) => {}
                other => return Err(wrong_type(&format!("{claim}.actions"), other, "an array of strings")),
            }
        }
        Ok(actions)
    }
}

fn topics(detail: &Map<String, Value>, claim: &str, base: &str) -> Result<Vec<Selector>, TokenError> {
    let mut selectors = Vec::new();
    for (at, topic) in list(detail, claim, "topics")?.iter().enumerate() {
        let claim = format!("{claim}.topics[{at}]");
        let Value::Object(topic) = topic else { return Err(wrong_type(&claim, topic, "an object with match")) };
        let matcher = text(topic, &claim, "match")?;
        let kind = if topic.contains_key("match_type") { text(topic, &claim, "match_type")? } else { "exact" };
        let selector = match kind {
            "exact" => Selector::match_exact(matcher),
            "urlpattern" => Selector::url_pattern(matcher, base),
            other => {
                let fault = format!("match_type is {:?}; expected exact or urlpattern", excerpt(other));
                return Err(TokenError::Selector { claim, fault });
            }
        };
        selectors.push(selector.map_err(|error| TokenError::Selector { claim, fault: error.to_string() })?);
    }
    Ok(selectors)
}

fn text<'a>(object: &'a Map<String, Value>, claim: &str, name: &str) -> Result<&'a str, TokenError> {
    match object.get(name) {
        Some(Value::String(text)) => Ok(text),
        other => Err(wrong_type(&format!("{claim}.{name}"), other.unwrap_or(&Value::Null), "a string")),
    }
}

fn list<'a>(object: &'a Map<String, Value>, claim: &str, name: &str) -> Result<&'a [Value], TokenError> {
    match object.get(name) {
        Some(Value::Array(list)) => Ok(list),
        other => Err(wrong_type(&format!("{claim}.{name}"), other.unwrap_or(&Value::Null), "an array")),
    }
}

fn within(claim: &str, found: usize, max: usize) -> Result<(), TokenError> {
    if found <= max { Ok(()) } else { Err(TokenError::TooMany { claim: claim.to_owned(), found, max }) }
}
