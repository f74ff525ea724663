//! JSON as people read it: its own text, only set anew. Numbers keep their digits and keys their order.

use std::iter::Peekable;

use serde::de::IgnoredAny;

use crate::visible::push_visible;

/// What stands before and after a key; both empty for no colours.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Ink {
    pub(super) before: &'static str,
    pub(super) after: &'static str,
}

/// An object or array on one line if it is short, else on many; `None` for what is none, or is too deep for people.
pub(super) fn pretty(json: &str, key: Ink) -> Option<String> {
    let may_be = matches!(json.trim_ascii_start().as_bytes().first(), Some(b'{' | b'['));
    if !may_be || serde_json::from_str::<IgnoredAny>(json).is_err() {
        return None;
    }
    let is_short = Tokens(json).map(str::len).sum::<usize>() <= LINE_BYTES_MAX;
    let mut page = Page { text: String::new(), depth: 0, is_short };
    let mut tokens = Tokens(json).peekable();
    while let Some(token) = tokens.next() {
        match token {
            "{" | "[" => page.open(token, &mut tokens)?,
            "}" | "]" => page.close(token),
            "," => page.separate(),
            ":" => page.text.push_str(": "),
            name if tokens.peek() == Some(&":") => {
                page.text.push_str(key.before);
                push_visible(&mut page.text, name);
                page.text.push_str(key.after);
            }
            value => push_visible(&mut page.text, value),
        }
    }
    Some(page.text)
}

/// What fits beside a time and an id.
const LINE_BYTES_MAX: usize = 80;
/// Beyond it the text is mostly white space.
const DEPTH_MAX: usize = 32;

struct Page {
    text: String,
    depth: usize,
    is_short: bool,
}

impl Page {
    fn open(&mut self, token: &str, tokens: &mut Peekable<Tokens<'_>>) -> Option<()> {
        self.text.push_str(token);
        if let Some(end) = tokens.next_if(|next| matches!(*next, "}" | "]")) {
            self.text.push_str(end);
            return Some(());
        }
        self.depth += 1;
        self.new_line();
        (self.depth <= DEPTH_MAX).then_some(())
    }

    fn close(&mut self, token: &str) {
        self.depth = self.depth.saturating_sub(1);
        self.new_line();
        self.text.push_str(token);
    }

    fn separate(&mut self) {
        self.text.push(',');
        if self.is_short {
            self.text.push(' ');
        }
        self.new_line();
    }

    fn new_line(&mut self) {
        if !self.is_short {
            self.text.push('\n');
            self.text.extend(std::iter::repeat_n("  ", self.depth));
        }
    }
}

/// The tokens of a text that is JSON.
struct Tokens<'a>(&'a str);

impl<'a> Iterator for Tokens<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        self.0 = self.0.trim_ascii_start();
        let bytes = self.0.as_bytes();
        let len = match bytes.first()? {
            b'{' | b'}' | b'[' | b']' | b',' | b':' => 1,
            b'"' => string_len(bytes),
            _ => bytes.iter().position(|byte| b"{}[],:\" \t\r\n".contains(byte)).unwrap_or(bytes.len()),
        };
        let (token, rest) = self.0.split_at(len);
        self.0 = rest;
        Some(token)
    }
}

/// With both quotes.
fn string_len(bytes: &[u8]) -> usize {
    let mut at = 1;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(json: &str, want: Option<&str>) {
        assert_eq!(pretty(json, Ink::default()).as_deref(), want, "{json}");
    }

    #[test]
    fn short_json_stands_on_one_line() {
        check(r#"{"b":1.50,"a" : [ true,null ]}"#, Some(r#"{"b": 1.50, "a": [true, null]}"#));
        check("[]", Some("[]"));
        check("{\n}", Some("{}"));
        check(r#" ["a\"]\\",{}]"#, Some(r#"["a\"]\\", {}]"#));
        check("[12345678901234567890123]", Some("[12345678901234567890123]"));
        check("[\"a\u{9b}b\"]", Some("[\"a\\u{9b}b\"]"));
    }

    #[test]
    fn long_json_is_set_in() {
        let long = "x".repeat(80);
        check(
            &format!(r#"{{"a":"{long}","b":[1,{{}},[2]]}}"#),
            Some(&format!("{{\n  \"a\": \"{long}\",\n  \"b\": [\n    1,\n    {{}},\n    [\n      2\n    ]\n  ]\n}}")),
        );
    }

    #[test]
    fn all_else_is_left_as_it_is() {
        for text in ["", "7", "\"a\"", "{", "{a}", "[1,]", "[1] [2]", "[1]x", "hello [1]"] {
            check(text, None);
        }
        check(&("[".repeat(500_000) + &"]".repeat(500_000)), None);
        check(&("[".repeat(33) + "1" + &"]".repeat(33)), None);
        assert!(pretty(&("[".repeat(32) + "1" + &"]".repeat(32)), Ink::default()).is_some());
    }

    #[test]
    fn keys_have_a_colour() {
        let ink = Ink { before: "<", after: ">" };
        assert_eq!(pretty(r#"{"a":["b",{"c" :1}]}"#, ink).as_deref(), Some(r#"{<"a">: ["b", {<"c">: 1}]}"#));
    }
}
