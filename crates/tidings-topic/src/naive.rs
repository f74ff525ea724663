//! The references for tests: what is meant, without any cleverness. And the values that property tests draw from.

use std::sync::LazyLock;

use proptest::prelude::*;
use url::Url;
use urlpattern::{UrlPatternInit, UrlPatternMatchInput, UrlPatternOptions};

use crate::selector::Selector;
use crate::selector_set::SelectorSet;
use crate::topic::Topic;

/// What [`Index`](crate::Index) must agree with: a list of pairs that is scanned for every topic.
#[derive(Debug, Default)]
pub(crate) struct NaiveIndex {
    pairs: Vec<(Selector, u32)>,
}

impl NaiveIndex {
    pub(crate) fn insert(&mut self, selectors: &SelectorSet, key: u32) {
        self.remove(selectors, key);
        self.pairs.extend(selectors.iter().map(|selector| (selector.clone(), key)));
    }

    pub(crate) fn remove(&mut self, selectors: &SelectorSet, key: u32) {
        self.pairs.retain(|(selector, holder)| *holder != key || !selectors.iter().any(|removed| removed == selector));
    }

    pub(crate) fn matching(&self, topic: &str) -> Vec<u32> {
        let mut keys: Vec<u32> =
            self.pairs.iter().filter(|(selector, _)| selector.matches(topic)).map(|(_, key)| *key).collect();
        keys.sort_unstable();
        keys.dedup();
        keys
    }

    pub(crate) fn len(&self) -> usize {
        self.pairs.len()
    }
}

/// What [`Glob::matches`](crate::Glob::matches) must agree with: tries every number of segments for `**`.
pub(crate) fn naive_glob_matches(pattern: &str, topic: &str) -> bool {
    fn matches(pattern: &[&str], topic: &[&str]) -> bool {
        match (pattern, topic) {
            ([], []) => true,
            (["**", pattern @ ..], topic) => (0..=topic.len()).any(|skipped| matches(pattern, &topic[skipped..])),
            (["*", pattern @ ..], [_, topic @ ..]) => matches(pattern, topic),
            ([want, pattern @ ..], [got, topic @ ..]) => want == got && matches(pattern, topic),
            _ => false,
        }
    }
    matches(&pattern.split('/').collect::<Vec<_>>(), &topic.split('/').collect::<Vec<_>>())
}

/// What [`Template::matches`](crate::Template::matches) must agree with: the regular expression of a text that is a template.
pub(crate) fn naive_template_matches(template: &str, topic: &str) -> bool {
    const UNRESERVED: &str = r"a-zA-Z0-9._~\-";
    const RESERVED: &str = r":/?#\[\]@!$&'()*+,;=";

    let mut expression = String::from(r"\A");
    let mut rest = template;
    while let Some((literal, after)) = rest.split_once('{') {
        let (body, after) = after.split_once('}').expect("the text is a template");
        let extra = if body.contains('*') { ",=" } else { "," };
        let (first, separator, extra) = match body.as_bytes()[0] {
            b'+' => ("", ",", RESERVED),
            b'#' => ("#", ",", RESERVED),
            b'.' => (r"\.", r"\.", extra),
            b'/' => ("/", "/", extra),
            b';' => (";", ";", ",="),
            b'?' => (r"\?", "&", ",="),
            b'&' => ("&", "&", ",="),
            _ => ("", ",", extra),
        };
        let value = format!("(?:[{UNRESERVED}{extra}]|%[0-9A-Fa-f][0-9A-Fa-f])*");
        let times = if body.contains('*') { String::new() } else { body.matches(',').count().to_string() };
        expression += &regex::escape(literal);
        let values = format!("(?:{first}{value}(?:{separator}{value}){{0,{times}}})?");
        expression += &values;
        rest = after;
    }
    expression += &regex::escape(rest);
    expression += r"\z";
    topic == template || regex::Regex::new(&expression).expect("made of known parts").is_match(topic)
}

/// What [`UrlPattern::matches`](crate::UrlPattern::matches) must agree with, where both take the pattern: the crate `urlpattern`
/// with all that it compiles.
pub(crate) fn naive_url_pattern_matches(pattern: &str, base: &str, topic: &str) -> Option<bool> {
    let base = Url::parse(base).ok()?;
    let url = Url::options().base_url(Some(&base)).parse(topic).ok();
    let init = UrlPatternInit::parse_constructor_string::<regex::Regex>(pattern, Some(base)).ok()?;
    let pattern = <urlpattern::UrlPattern>::parse(init, UrlPatternOptions::default()).ok()?;
    Some(url.is_some_and(|url| pattern.test(UrlPatternMatchInput::Url(url)).unwrap_or(false)))
}

/// A template of up to five literals and expressions.
pub(crate) fn any_template_text() -> impl Strategy<Value = String> {
    let variables = prop_oneof![Just("v"), Just("v,w"), Just("v*"), Just("v:2"), Just("v,w*"), Just("a.b,c,%41")];
    let operator = prop_oneof![4 => Just(""), 1 => prop::sample::select(vec!["+", "#", ".", "/", ";", "?", "&"])];
    let expression = (operator, variables).prop_map(|(operator, variables)| format!("{{{operator}{variables}}}"));
    let literal = prop::sample::select(vec!["a", "b", "/", "ab", "?", ";", ".", ",", "#", "%41", "é", "="]);
    let piece = prop_oneof![expression, literal.prop_map(str::to_owned)];
    prop::collection::vec(piece, 1..6).prop_map(|pieces| pieces.concat())
}

/// A topic of the characters that decide something in such a template.
pub(crate) fn any_template_topic() -> impl Strategy<Value = String> {
    let piece =
        prop::sample::select(vec!["a", "b", "/", "ab", "?", "&", ";", ".", ",", "=", "#", "%41", "%4", "é", " "]);
    prop::collection::vec(piece, 0..9).prop_map(|pieces| pieces.concat())
}

/// Few segments from a small alphabet, so that selectors and topics meet; empty ones and stars among them.
pub(crate) fn any_topic_text() -> impl Strategy<Value = String> {
    let segment = prop_oneof![3 => Just("a"), 3 => Just("b"), 1 => Just(""), 1 => Just("*"), 1 => Just("**")];
    prop::collection::vec(segment, 1..5).prop_map(|segments| match segments[..] {
        [""] => "/".to_owned(), // one empty segment would be an empty topic
        _ => segments.join("/"),
    })
}

/// A text with at least one star, each where it has a meaning.
pub(crate) fn any_pattern_text() -> impl Strategy<Value = String> {
    let segment = prop_oneof![3 => Just("a"), 2 => Just("b"), 1 => Just(""), 4 => Just("*")];
    (prop::collection::vec(segment, 0..4), any::<bool>()).prop_map(|(mut segments, tail)| {
        if tail {
            segments.push("**");
        } else if !segments.contains(&"*") {
            segments.push("*");
        }
        segments.join("/")
    })
}

/// One to three selectors of all kinds.
pub(crate) fn any_selector_set() -> impl Strategy<Value = SelectorSet> {
    let exact = any_topic_text().prop_map(|text| Selector::exact(Topic::parse(&text).expect("drawn as a topic")));
    let pattern = any_pattern_text().prop_map(|text| Selector::parse(&text).expect("drawn as a pattern"));
    let selector = prop_oneof![4 => exact, 4 => pattern, 3 => any_matcher()];
    prop::collection::vec(selector, 1..4)
        .prop_map(|selectors| SelectorSet::new(selectors).expect("one selector at least was drawn"))
}

/// A pattern of Mercure's that meets such topics as [`any_topic_text`] draws.
fn any_matcher() -> impl Strategy<Value = Selector> {
    static MATCHERS: LazyLock<Vec<Selector>> = LazyLock::new(|| {
        let templates = [
            "*", "{x}", "{+x}", "a{x}", "a{/x}", "a/{x}", "a/{y}", "a/{x}/b", "a/b{/x*}", "a/b/{x}", "b/{x}", "b{+x}",
            "/{x}", "a/*{x}", "ab{x}",
        ];
        let url_patterns = ["/a/:x", "/:x/b", "/a/*", "/*", "/a{/:x}?", "a/b", "https://other.example/*", "/(a|b)/:x+"];
        let templates = templates.into_iter().map(Selector::mercure_0);
        let url_patterns = url_patterns.into_iter().flat_map(|raw| {
            ["https://hub.example/", "https://other.example/"].map(|base| Selector::url_pattern(raw, base))
        });
        templates.chain(url_patterns).collect::<Result<_, _>>().expect("the lists hold matchers only")
    });
    prop::sample::select(&**MATCHERS)
}
