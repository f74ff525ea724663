//! The lists of Mercure 0.x and of our own claim: `{"publish": […], "subscribe": […], "payload": …}`.

use serde_json::{Map, Value};
use tidings_topic::{Selector, SelectorError};

use super::LIST_ENTRIES_MAX;
use crate::error::TokenError;
use crate::jws::wrong_type;

#[derive(Debug, Default)]
pub(super) struct Lists {
    pub(super) publish: Vec<Selector>,
    pub(super) subscribe: Vec<Selector>,
    pub(super) payload: Option<Value>,
}

impl Lists {
    /// Reads the claim `name`; nothing when it is not there. Names in it that are not known are not read.
    ///
    /// # Errors
    /// [`TokenError`] when it is not an object of lists of strings, when a list is too long, or has what `parse` refuses.
    pub(super) fn of_object(
        claims: &Map<String, Value>,
        name: &str,
        parse: fn(&str) -> Result<Selector, SelectorError>,
    ) -> Result<Self, TokenError> {
        let object = match claims.get(name) {
            None => return Ok(Self::default()),
            Some(Value::Object(object)) => object,
            Some(other) => return Err(wrong_type(name, other, "an object with the lists publish and subscribe")),
        };
        Ok(Self {
            publish: selectors(object, name, "publish", parse)?,
            subscribe: selectors(object, name, "subscribe", parse)?,
            payload: object.get("payload").filter(|payload| !payload.is_null()).cloned(),
        })
    }
}

fn selectors(
    object: &Map<String, Value>,
    object_name: &str,
    list_name: &str,
    parse: fn(&str) -> Result<Selector, SelectorError>,
) -> Result<Vec<Selector>, TokenError> {
    let claim = || format!("{object_name}.{list_name}");
    let entries = match object.get(list_name) {
        // Libraries write an empty list as null.
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::Array(entries)) => entries,
        Some(other) => return Err(wrong_type(&claim(), other, "an array of strings")),
    };
    if entries.len() > LIST_ENTRIES_MAX {
        return Err(TokenError::TooMany { claim: claim(), found: entries.len(), max: LIST_ENTRIES_MAX });
    }
    let mut selectors = Vec::with_capacity(entries.len());
    for (at, entry) in entries.iter().enumerate() {
        let entry_name = || format!("{}[{at}]", claim());
        let Value::String(text) = entry else { return Err(wrong_type(&entry_name(), entry, "a string")) };
        selectors
            .push(parse(text).map_err(|error| TokenError::Selector { claim: entry_name(), fault: error.to_string() })?);
    }
    Ok(selectors)
}
