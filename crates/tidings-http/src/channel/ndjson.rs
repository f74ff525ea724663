//! One line of an NDJSON body as a publication. Pure.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;
use tidings_core::{Limit, Publication};
use tidings_topic::Topic;

use crate::channel::fields::{
    RETRY_FORM, TTL_FORM, parse_id, parse_key, parse_own_topic, parse_published_type, parse_ttl,
};
use crate::problem::{Fault, cut};

/// The publication that `line` is; without a topic of its own it is of `default_topic`.
///
/// # Errors
/// A [`Fault`] that names the key.
pub(super) fn parse_line(line: &[u8], default_topic: &Topic, data_bytes_max: usize) -> Result<Publication, Fault> {
    let text = std::str::from_utf8(line).map_err(|error| {
        Fault::new("line", format!("the line is not UTF-8 at byte {}", error.valid_up_to()), LINE_FORM)
    })?;
    let object: Object = serde_json::from_str(text).map_err(|error| not_an_object(&error))?;
    if let Some(fault) = object.fault {
        return Err(fault);
    }
    let topic = object.text(Key::Topic)?.map_or_else(|| Ok(default_topic.clone()), |raw| parse_own_topic(&raw))?;
    let ends_topic = object.flag(Key::End)?;
    Ok(Publication {
        data: object.data(ends_topic, data_bytes_max)?,
        event_type: object.text(Key::Type)?.map(|raw| parse_published_type(&raw)).transpose()?,
        id: object.text(Key::Id)?.map(|raw| parse_id(&raw)).transpose()?,
        retry_ms: object.number(Key::Retry, RETRY_FORM)?,
        ttl: object.ttl()?,
        private: object.flag(Key::Private)?,
        ends_topic,
        idempotency: object.text(Key::Idempotency)?.map(|raw| parse_key("key", raw.as_bytes())).transpose()?,
        ..Publication::new(topic, String::new())
    })
}

#[derive(Clone, Copy)]
enum Key {
    Topic,
    Data,
    Type,
    Id,
    Retry,
    Ttl,
    Private,
    Idempotency,
    End,
}

/// In the order of [`Key`].
const KEYS: [&str; 9] = ["topic", "data", "type", "id", "retry", "ttl", "private", "key", "end"];
const LINE_FORM: &str =
    "one JSON object a line, in UTF-8, with the keys topic, data, type, id, retry, ttl, private, key, end";

/// The values of a line, as they were written.
#[derive(Default)]
struct Object<'a> {
    values: [Option<&'a RawValue>; KEYS.len()],
    /// An unknown or repeated key: nobody knows what was meant.
    fault: Option<Fault>,
}

impl<'a> Object<'a> {
    fn put(&mut self, key: &str, value: &'a RawValue) {
        let fault = match KEYS.iter().position(|known| *known == key) {
            Some(at) if self.values[at].is_none() => {
                self.values[at] = Some(value);
                return;
            }
            Some(at) => Fault::new(KEYS[at], format!("the key {key} is given more than once"), "one value"),
            None => Fault::new(cut(key), format!("there is no key {:?}", cut(key)), LINE_FORM),
        };
        self.fault.get_or_insert(fault);
    }

    /// The value of `key`; `null` is as good as nothing.
    fn get(&self, key: Key) -> Option<&'a str> {
        self.values[key as usize].map(RawValue::get).filter(|raw| *raw != "null")
    }

    fn text(&self, key: Key) -> Result<Option<Cow<'a, str>>, Fault> {
        self.get(key).map(|raw| text_of(key, raw)).transpose()
    }

    fn flag(&self, key: Key) -> Result<bool, Fault> {
        match self.get(key) {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(raw) => Err(wrong(key, raw, "true or false")),
        }
    }

    fn number(&self, key: Key, expected: &'static str) -> Result<Option<u64>, Fault> {
        self.get(key).map(|raw| raw.parse().map_err(|_| wrong(key, raw, expected))).transpose()
    }

    /// A duration as in a query, or a number of milliseconds.
    fn ttl(&self) -> Result<Option<Duration>, Fault> {
        match self.get(Key::Ttl) {
            Some(raw) if raw.starts_with('"') => parse_ttl(&text_of(Key::Ttl, raw)?).map(Some),
            _ => Ok(self.number(Key::Ttl, TTL_FORM)?.map(Duration::from_millis)),
        }
    }

    /// A string says what it says; any other value is sent as JSON. The end of a topic needs no data.
    fn data(&self, ends_topic: bool, bytes_max: usize) -> Result<String, Fault> {
        let data = match self.values[Key::Data as usize].map(RawValue::get) {
            Some(raw) if raw.starts_with('"') => text_of(Key::Data, raw)?.into_owned(),
            Some(raw) => compact(raw),
            None if ends_topic => String::new(),
            None => return Err(Fault::new("data", "the line has no data", "a string, or any JSON value")),
        };
        if data.len() > bytes_max {
            let detail = format!("the data are {} bytes long", data.len());
            return Err(
                Fault::new("data", detail, format!("at most {bytes_max} bytes of data")).over(Limit::EventBytes)
            );
        }
        Ok(data)
    }
}

impl<'de> Deserialize<'de> for Object<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;

        impl<'de> Visitor<'de> for Reader {
            type Value = Object<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object<'de>, A::Error> {
                let mut object = Object::default();
                while let Some(key) = map.next_key::<String>()? {
                    if object.fault.is_some() {
                        map.next_value::<IgnoredAny>()?;
                    } else {
                        object.put(&key, map.next_value()?);
                    }
                }
                Ok(object)
            }
        }

        deserializer.deserialize_map(Reader)
    }
}

fn text_of(key: Key, raw: &str) -> Result<Cow<'_, str>, Fault> {
    // Without a backslash the text stands there as it is, and need not be copied.
    let inner = raw.strip_prefix('"').and_then(|raw| raw.strip_suffix('"'));
    match inner {
        Some(plain) if !plain.contains('\\') => Ok(Cow::Borrowed(plain)),
        Some(_) => {
            serde_json::from_str(raw).map(Cow::Owned).map_err(|_| wrong(key, raw, "a string of whole characters"))
        }
        None => Err(wrong(key, raw, "a string")),
    }
}

fn wrong(key: Key, raw: &str, expected: &'static str) -> Fault {
    let name = KEYS[key as usize];
    Fault::new(name, format!("the value of {name} has another form"), expected).with_value(raw)
}

fn not_an_object(error: &serde_json::Error) -> Fault {
    let text = error.to_string();
    let what = text.rsplit_once(" at line ").map_or(&*text, |(what, _)| what); // it knows one line only
    Fault::new("line", format!("the line is not a JSON object: {what} at column {}", error.column()), LINE_FORM)
}

/// `json` without white space between its tokens; numbers and the order of keys stay as they were written.
fn compact(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    let (mut in_string, mut is_escaped) = (false, false);
    for character in json.chars() {
        if in_string || !matches!(character, ' ' | '\t' | '\n' | '\r') {
            out.push(character);
        }
        match character {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            '"' => in_string = !in_string,
            _ => {}
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const DATA_BYTES_MAX: usize = 20;

    fn parse(line: &str) -> Result<Publication, Fault> {
        parse_line(line.as_bytes(), &Topic::default_topic(), DATA_BYTES_MAX)
    }

    fn check(line: &str, change: impl FnOnce(&mut Publication)) {
        let mut want = Publication::new(Topic::default_topic(), "x");
        change(&mut want);
        assert_eq!(parse(line), Ok(want), "{line}");
    }

    fn check_data(json: &str, want: &str) {
        check(&format!(r#"{{"data":{json}}}"#), |publication| want.clone_into(&mut publication.data));
    }

    fn check_fault(line: &str, field: &str) {
        assert_eq!(parse(line).map_err(|fault| fault.field.into_owned()), Err(field.to_owned()), "{line}");
    }

    #[test]
    fn every_key_has_its_place() {
        check(r#"{"data":"x"}"#, |_| {});
        check(r#" { "data" : "x" } "#, |_| {});
        check(r#"{"topic":"a\/b","data":"x"}"#, |p| p.topic = parse_own_topic("a/b").expect("a topic"));
        check(r#"{"data":"x","type":"price"}"#, |p| p.event_type = parse_published_type("price").ok());
        check(r#"{"data":"x","id":"order-\u0034"}"#, |p| p.id = parse_id("order-4").ok());
        check(r#"{"data":"x","retry":250}"#, |p| p.retry_ms = Some(250));
        check(r#"{"data":"x","ttl":"10m"}"#, |p| p.ttl = Some(Duration::from_mins(10)));
        check(r#"{"data":"x","ttl":1500}"#, |p| p.ttl = Some(Duration::from_millis(1500)));
        check(r#"{"data":"x","private":true,"end":false}"#, |p| p.private = true);
        check(r#"{"data":"x","key":"k"}"#, |p| p.idempotency = parse_key("key", b"k").ok());
        check(r#"{"d\u0061ta":"x","type":null,"id":null,"retry":null,"ttl":null,"private":null}"#, |_| {});
    }

    #[test]
    fn the_end_of_a_topic_needs_no_data() {
        check(r#"{"data":"x","end":true}"#, |p| p.ends_topic = true);
        check(r#"{"end":true}"#, |p| (p.ends_topic, p.data) = (true, String::new()));
    }

    #[test]
    fn data_that_are_no_string_are_sent_as_compact_json() {
        check_data(r#""""#, "");
        check_data(r#""a\nb\u00e9""#, "a\nbé");
        check_data("null", "null");
        check_data("true", "true");
        check_data("1.50e+3", "1.50e+3");
        check_data("123456789012345678", "123456789012345678");
        check_data(r#"{ "b" : 1 , "a" : [ ] }"#, r#"{"b":1,"a":[]}"#);
        check_data(r#"[ "a \" b\\" , 2 ]"#, r#"["a \" b\\",2]"#);
        check_data("[\t1 ,\t\t2 ]", "[1,2]");
    }

    #[test]
    fn data_count_as_they_are_sent() {
        check_data(&format!("\"{}\"", "\\u0061".repeat(DATA_BYTES_MAX)), &"a".repeat(DATA_BYTES_MAX));
        check_fault(&format!(r#"{{"data":"{}"}}"#, "a".repeat(DATA_BYTES_MAX + 1)), "data");
        check_fault(&format!(r#"{{"data":[{}]}}"#, "1".repeat(DATA_BYTES_MAX - 1)), "data");
    }

    #[test]
    fn a_fault_names_its_key() {
        for line in [
            "",
            "x",
            "[]",
            "\"a\"",
            "null",
            "{",
            "{}x",
            r#"{"data":"x",}"#,
            r#"{"data":"x"} {"data":"y"}"#,
            r#"{"data":01}"#,
        ] {
            check_fault(line, "line");
        }
        assert!(
            parse_line(b"{\"data\":\"\xff\"}", &Topic::default_topic(), 9).is_err_and(|fault| fault.field == "line")
        );
        check_fault("{}", "data");
        check_fault(r#"{"topic":"a"}"#, "data");
        check_fault(r#"{"data":"x","topc":"a","tpye":"b"}"#, "topc");
        check_fault(r#"{"data":"x","data":"y"}"#, "data");
        check_fault(r#"{"data":"\ud800"}"#, "data");
        check_fault(r#"{"data":"x","topic":""}"#, "topic");
        check_fault(r#"{"data":"x","topic":7}"#, "topic");
        check_fault(r#"{"data":"x","type":"tidings.open"}"#, "type");
        check_fault(r#"{"data":"x","type":"a\nb"}"#, "type");
        check_fault(r#"{"data":"x","id":42}"#, "id");
        check_fault(r#"{"data":"x","id":""}"#, "id");
        check_fault(r#"{"data":"x","retry":"5"}"#, "retry");
        check_fault(r#"{"data":"x","retry":-5}"#, "retry");
        check_fault(r#"{"data":"x","retry":1.5}"#, "retry");
        check_fault(r#"{"data":"x","ttl":"soon"}"#, "ttl");
        check_fault(r#"{"data":"x","ttl":1e3}"#, "ttl");
        check_fault(r#"{"data":"x","private":1}"#, "private");
        check_fault(r#"{"data":"x","end":"true"}"#, "end");
        check_fault(r#"{"data":"x","key":""}"#, "key");
    }

    #[test]
    fn what_is_wrong_with_the_json_is_said_without_a_line_number() {
        let fault = parse(r#"{"data":}"#).expect_err("a value is missing");
        assert_eq!(fault.detail, "the line is not a JSON object: expected value at column 9");
    }
}
