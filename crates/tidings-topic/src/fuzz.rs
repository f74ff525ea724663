//! The fuzz targets of what parses texts from outside. Under `cargo test` a few thousand inputs; without end with
//! `cargo bolero test -p tidings-topic fuzz::any_text_is_a_template_or_none`, and so for the other.

use crate::naive::{naive_template_matches, naive_url_pattern_matches};
use crate::{Selector, SelectorError, Template, UrlPattern};

#[test]
fn any_text_is_a_template_or_none() {
    bolero::check!().with_iterations(4_000).with_max_len(96).for_each(|input: &[u8]| {
        let (text, topic) = spell_two(input);
        if let Ok(template) = Template::parse(&text) {
            assert_eq!(template.matches(&topic), naive_template_matches(&text, &topic), "{text:?}, {topic:?}");
            assert!(template.matches(&text), "{text:?}");
        }
        check_selector(Selector::mercure_0(&text), &topic);
        check_selector(Selector::match_exact(&text), &topic);
        check_selector(Selector::parse(&text), &topic);
    });
}

#[test]
fn any_text_is_a_url_pattern_or_none() {
    bolero::check!().with_iterations(4_000).with_max_len(96).for_each(|input: &[u8]| {
        let (mut text, topic) = spell_two(input);
        if input.len().is_multiple_of(2) {
            text.insert_str(0, "https://a"); // chance seldom begins a host
        }
        if let Ok(pattern) = UrlPattern::parse(&text, BASE)
            && let Some(want) = naive_url_pattern_matches(&text, BASE, &topic)
        {
            assert_eq!(pattern.matches(&topic), want, "{text:?}, {topic:?}");
        }
        check_selector(Selector::url_pattern(&text, BASE), &topic);
    });
}

/// An exact selector takes its topic alone, and a refusal is short.
fn check_selector(selector: Result<Selector, SelectorError>, topic: &str) {
    match selector {
        Ok(selector) => {
            let matches = selector.matches(topic);
            assert!(
                selector.as_exact().is_none_or(|exact| (exact.as_str() == topic) == matches),
                "{selector:?}, {topic:?}"
            );
        }
        Err(error) => assert!(error.to_string().len() < 700, "{error}"),
    }
}

/// Two texts of the tokens that mean something to templates and patterns; small bytes choose them, others are themselves.
fn spell_two(input: &[u8]) -> (String, String) {
    let spell = |bytes: &[u8]| -> String {
        let token =
            |byte: &u8| TOKENS.get(usize::from(*byte) % 128).map_or(char::from(*byte).to_string(), ToString::to_string);
        bytes.iter().map(token).collect()
    };
    let (first, second) = input.split_at(input.len() * 2 / 3);
    (spell(first), spell(second))
}

const BASE: &str = "https://hub.example/.well-known/mercure";

const TOKENS: [&str; 64] = [
    "{",
    "}",
    "(",
    ")",
    "[",
    "]",
    ":",
    "/",
    "?",
    "#",
    "*",
    "+",
    "@",
    "\\",
    "|",
    ".",
    ",",
    ";",
    "&",
    "=",
    "%",
    "%41",
    "{v}",
    "{+v}",
    "{/v*}",
    "{?v,w}",
    "{v:3}",
    "://",
    "https://",
    "https",
    "http{s}?",
    "file:///",
    "data:",
    ":a",
    ":b",
    ":id",
    "(a|b)",
    "(.*)",
    "([a-z]+)",
    "(\\d{9})",
    "(?:",
    "{:x/}?",
    "{/y}*",
    "hub.example",
    "a",
    "b",
    "é",
    "天",
    " ",
    "\u{202e}",
    "~",
    "-",
    "_",
    "0",
    "9",
    ":80",
    ":443",
    "[::1]",
    "[:",
    "127.0.0.1",
    "..",
    "/./",
    "^",
    "$",
];
