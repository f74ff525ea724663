//! JSON that says each thing once: of two equal names readers take the first or the last, so a token with both is refused.

use std::fmt;

use serde::de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Number, Value};

use crate::error::{TokenError, excerpt};

/// Reads an object in which no name comes twice, at any depth.
///
/// # Errors
/// [`TokenError::Json`] for anything else.
pub(crate) fn parse_object(part: &'static str, bytes: &[u8]) -> Result<Map<String, Value>, TokenError> {
    let json = |fault: String| TokenError::Json { part, fault };
    match parse(bytes) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err(json("it is no object".to_owned())),
        Err(error) => Err(json(error.to_string())),
    }
}

fn parse(bytes: &[u8]) -> Result<Value, serde_json::Error> {
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let value = Once.deserialize(&mut deserializer)?;
    deserializer.end()?;
    Ok(value)
}

struct Once;

impl<'de> DeserializeSeed<'de> for Once {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Once {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        Value::deserialize(deserializer)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut array = Vec::new();
        while let Some(value) = entries.next_element_seed(Once)? {
            array.push(value);
        }
        Ok(Value::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(name) = entries.next_key::<String>()? {
            let value = entries.next_value_seed(Once)?;
            if object.contains_key(&name) {
                return Err(A::Error::custom(format_args!("{:?} is there twice", excerpt(&name))));
            }
            object.insert(name, value);
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_is_read_as_serde_json_does() {
        let text = br#" {"a": [1, -2, 1.5, true, null, "x", {}], "b": {"a": {"a": 18446744073709551615}}} "#;
        let want: Value = serde_json::from_slice(text).expect("JSON");
        assert_eq!(parse_object("payload", text).map(Value::Object), Ok(want));
    }

    #[test]
    fn anything_else_is_refused_with_its_fault() {
        for (text, want) in [
            (r#"{"a":1,"a":1}"#, "\"a\" is there twice"),
            (r#"{"a":1,"\u0061":1}"#, "\"a\" is there twice"),
            (r#"{"a":[{"b":{"c":1,"c":2}}]}"#, "\"c\" is there twice"),
            ("[]", "no object"),
            ("\"a\"", "no object"),
            ("", "EOF"),
            ("{", "EOF"),
            ("{} {}", "trailing"),
            ("{\"a\":1e999}", "out of range"),
            (&"[".repeat(9_000), "recursion"),
        ] {
            let error = parse_object("payload", text.as_bytes()).expect_err(text).to_string();
            assert!(error.contains(want) && error.contains("payload"), "{text:.40}: {error}, want {want}");
        }
    }
}
