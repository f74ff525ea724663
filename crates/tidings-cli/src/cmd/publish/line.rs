//! Lines of text to lines of NDJSON, one publication each. Reads nothing and sends nothing: see `batch`.

use bytes::{Buf, BytesMut};
use memchr::memchr;
use serde::Serialize;
use tidings::{EventType, Topic};

use super::EventFlags;

/// Writes each line of an input as a publication to one topic.
#[derive(Debug)]
pub(super) struct LineWriter {
    /// All that is the same for every line: an object without its end.
    beginning: Vec<u8>,
    /// The idempotency key, to which each line adds its number.
    key: Option<String>,
    /// Lines written so far.
    written: u64,
    /// What has come without a line end yet.
    unfinished: BytesMut,
    /// Up to here `unfinished` was searched: there is no line end before it.
    searched: usize,
}

/// The keys of a publication that every line has.
#[derive(Serialize)]
struct Common<'a> {
    topic: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    r#type: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry: Option<u128>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ttl: Option<String>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    private: bool,
}

impl LineWriter {
    pub(super) fn new(topic: &Topic, event: &EventFlags) -> Self {
        let common = Common {
            topic: topic.as_str(),
            r#type: event.event_type.as_ref().map(EventType::as_str),
            retry: event.retry.map(|retry| retry.as_millis()),
            ttl: event.ttl.map(|ttl| format!("{}ms", ttl.as_millis())),
            private: event.private,
        };
        let mut beginning = serde_json::to_vec(&common).expect("texts and numbers are always JSON");
        beginning.pop();
        Self { beginning, key: event.idempotency_key.clone(), written: 0, unfinished: BytesMut::new(), searched: 0 }
    }

    /// Where the next bytes of the input go.
    pub(super) fn input(&mut self) -> &mut BytesMut {
        &mut self.unfinished
    }

    /// How long the unfinished line is by now.
    pub(super) fn unfinished_len(&self) -> usize {
        self.unfinished.len()
    }

    /// Lines written so far, the end of the topic not counted.
    pub(super) fn written(&self) -> u64 {
        self.written
    }

    /// Writes the lines that are whole.
    pub(super) fn write_whole(&mut self, out: &mut Vec<u8>) {
        while let Some(found) = memchr(b'\n', &self.unfinished[self.searched..]) {
            let line = self.unfinished.split_to(self.searched + found);
            self.unfinished.advance(1);
            self.searched = 0;
            self.write(line.strip_suffix(b"\r").unwrap_or(&line), out);
        }
        self.searched = self.unfinished.len();
    }

    /// Writes the last line, if it had no end.
    pub(super) fn write_rest(&mut self, out: &mut Vec<u8>) {
        self.write_whole(out);
        let rest = self.unfinished.split();
        self.searched = 0;
        if !rest.is_empty() {
            self.write(&rest, out);
        }
    }

    /// Writes the end of the topic, which carries no data.
    pub(super) fn write_end(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.beginning);
        out.extend_from_slice(b",\"end\":true}\n");
    }

    fn write(&mut self, data: &[u8], out: &mut Vec<u8>) {
        self.written += 1;
        out.extend_from_slice(&self.beginning);
        out.extend_from_slice(b",\"data\":");
        write_string(data, out);
        if let Some(key) = &self.key {
            out.extend_from_slice(b",\"key\":");
            write_string(format!("{key}-{}", self.written).as_bytes(), out);
        }
        out.extend_from_slice(b"}\n");
    }
}

/// A JSON string. What is not UTF-8 goes as it is, so that the hub refuses this line and counts it.
fn write_string(text: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    for chunk in text.utf8_chunks() {
        let json = serde_json::to_string(chunk.valid()).expect("a text is always JSON");
        out.extend_from_slice(&json.as_bytes()[1..json.len() - 1]);
        out.extend_from_slice(chunk.invalid());
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// The data of each line that is written, however the input is cut.
    fn check(input: &[u8], want: &[&str]) {
        for piece_len in 1..=input.len().max(1) {
            let mut writer = LineWriter::new(&Topic::default_topic(), &EventFlags::default());
            let mut out = Vec::new();
            for piece in input.chunks(piece_len) {
                writer.input().extend_from_slice(piece);
                writer.write_whole(&mut out);
            }
            writer.write_rest(&mut out);
            let lines = String::from_utf8(out).expect("UTF-8 in, UTF-8 out");
            let got: Vec<String> = lines
                .lines()
                .map(|line| {
                    let line: serde_json::Value = serde_json::from_str(line).expect("JSON");
                    assert_eq!(line["topic"], "default");
                    line["data"].as_str().expect("a string").to_owned()
                })
                .collect();
            assert_eq!(got, want, "{input:?} in pieces of {piece_len}");
            assert_eq!(writer.written(), want.len() as u64);
        }
    }

    #[test]
    fn each_line_is_an_event() {
        check(b"", &[]);
        check(b"one\ntwo\n", &["one", "two"]);
        check(b"one\ntwo", &["one", "two"]);
        check(b"one\r\ntwo\r\n", &["one", "two"]);
        check(b"\n\n", &["", ""]);
        check(b"\xc3\xa9 \"q\" \\ \t\x07\n", &["é \"q\" \\ \t\u{7}"]);
        check(b"a\rb\n", &["a\rb"]);
    }

    fn written(event: &EventFlags, lines: &[u8]) -> Vec<u8> {
        let mut writer = LineWriter::new(&Topic::parse("a/\"b\"").expect("a topic"), event);
        let mut out = Vec::new();
        writer.input().extend_from_slice(lines);
        writer.write_rest(&mut out);
        if event.end {
            writer.write_end(&mut out);
        }
        out
    }

    #[test]
    fn every_line_has_the_flags() {
        let event = EventFlags {
            event_type: EventType::parse("price").ok(),
            retry: Some(Duration::from_millis(250)),
            ttl: Some(Duration::from_secs(1)),
            private: true,
            end: true,
            idempotency_key: Some("k".to_owned()),
            ..EventFlags::default()
        };
        let beginning = r#"{"topic":"a/\"b\"","type":"price","retry":250,"ttl":"1000ms","private":true"#;
        let want = format!(
            "{beginning},\"data\":\"x\",\"key\":\"k-1\"}}\n{beginning},\"data\":\"y\",\"key\":\"k-2\"}}\n{beginning},\"end\":true}}\n"
        );
        assert_eq!(String::from_utf8(written(&event, b"x\ny")), Ok(want));
    }

    #[test]
    fn what_is_no_text_is_left_for_the_hub_to_refuse() {
        let got = written(&EventFlags::default(), b"a\xff\"b\n");
        assert_eq!(got, b"{\"topic\":\"a/\\\"b\\\"\",\"data\":\"a\xff\\\"b\"}\n");
    }
}
