//! Lines of text to lines of NDJSON, one publication each. Reads nothing and sends nothing: see `batch`.

use std::fmt::Display;

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
    key: String,
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
    /// `key` is the beginning of every line's key.
    pub(super) fn new(topic: &Topic, event: &EventFlags, key: String) -> Self {
        let common = Common {
            topic: topic.as_str(),
            r#type: event.event_type.as_ref().map(EventType::as_str),
            retry: event.retry.map(|retry| retry.as_millis()),
            ttl: event.ttl.map(|ttl| format!("{}ms", ttl.as_millis())),
            private: event.private,
        };
        let mut beginning = serde_json::to_vec(&common).expect("texts and numbers are always JSON");
        beginning.pop();
        Self { beginning, key, written: 0, unfinished: BytesMut::new(), searched: 0 }
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

    /// Whether [`next_whole`](Self::next_whole) has something to give.
    pub(super) fn has_whole(&mut self) -> bool {
        let found = memchr(b'\n', &self.unfinished[self.searched..]);
        // Not searched again by the one who takes it.
        self.searched += found.unwrap_or(self.unfinished.len() - self.searched);
        found.is_some()
    }

    /// Writes the next line, if it is whole.
    pub(super) fn next_whole(&mut self, has_key: bool) -> Option<Vec<u8>> {
        let Some(found) = memchr(b'\n', &self.unfinished[self.searched..]) else {
            self.searched = self.unfinished.len();
            return None;
        };
        let line = self.unfinished.split_to(self.searched + found);
        self.unfinished.advance(1);
        self.searched = 0;
        Some(self.write(line.strip_suffix(b"\r").unwrap_or(&line), has_key))
    }

    /// Writes the last line, if it had no end.
    pub(super) fn rest(&mut self, has_key: bool) -> Option<Vec<u8>> {
        let rest = self.unfinished.split();
        self.searched = 0;
        (!rest.is_empty()).then(|| self.write(&rest, has_key))
    }

    /// Writes the end of the topic, which carries no data.
    pub(super) fn end(&self, has_key: bool) -> Vec<u8> {
        let mut out = self.beginning.clone();
        out.extend_from_slice(b",\"end\":true");
        self.finish(out, has_key.then_some(&"end"))
    }

    fn write(&mut self, data: &[u8], has_key: bool) -> Vec<u8> {
        self.written += 1;
        let mut out = self.beginning.clone();
        out.extend_from_slice(b",\"data\":");
        write_string(data, &mut out);
        self.finish(out, has_key.then_some(&self.written))
    }

    fn finish(&self, mut out: Vec<u8>, name: Option<&impl Display>) -> Vec<u8> {
        if let Some(name) = name {
            out.extend_from_slice(b",\"key\":");
            write_string(format!("{}-{name}", self.key).as_bytes(), &mut out);
        }
        out.extend_from_slice(b"}\n");
        out
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
            let mut writer = LineWriter::new(&Topic::default_topic(), &EventFlags::default(), String::new());
            let mut out = Vec::new();
            for piece in input.chunks(piece_len) {
                writer.input().extend_from_slice(piece);
                while let Some(line) = writer.next_whole(false) {
                    out.extend(line);
                }
            }
            out.extend(writer.rest(false).unwrap_or_default());
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

    fn written(event: &EventFlags, has_key: bool, lines: &[u8]) -> Vec<u8> {
        let mut writer = LineWriter::new(&Topic::parse("a/\"b\"").expect("a topic"), event, "k".to_owned());
        writer.input().extend_from_slice(lines);
        let mut out = Vec::new();
        while let Some(line) = writer.next_whole(has_key) {
            out.extend(line);
        }
        out.extend(writer.rest(has_key).unwrap_or_default());
        if event.end {
            out.extend(writer.end(has_key));
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
            ..EventFlags::default()
        };
        let beginning = r#"{"topic":"a/\"b\"","type":"price","retry":250,"ttl":"1000ms","private":true"#;
        let want = format!(
            "{beginning},\"data\":\"x\",\"key\":\"k-1\"}}\n{beginning},\"data\":\"y\",\"key\":\"k-2\"}}\n{beginning},\"end\":true,\"key\":\"k-end\"}}\n"
        );
        assert_eq!(String::from_utf8(written(&event, true, b"x\ny")), Ok(want));
    }

    #[test]
    fn what_is_no_text_is_left_for_the_hub_to_refuse() {
        let got = written(&EventFlags::default(), false, b"a\xff\"b\n");
        assert_eq!(got, b"{\"topic\":\"a/\\\"b\\\"\",\"data\":\"a\xff\\\"b\"}\n");
    }
}
