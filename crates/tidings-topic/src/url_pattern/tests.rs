//! URL patterns: what they take, what they refuse, and what the hostile ones cost.

use super::*;
use crate::naive::naive_url_pattern_matches;

#[test]
fn a_pattern_takes_urls_of_its_shape() {
    check("https://example.com/books/:id", "https://example.com/books/42", MATCH);
    check("https://example.com/books/:id", "https://example.com/books/", NO_MATCH);
    check("https://example.com/books/:id", "https://example.com/books/42/pages", NO_MATCH);
    check("https://example.com/books/:id", "http://example.com/books/42", NO_MATCH);
    check("https://example.com/books/*", "https://example.com/books/42/pages", MATCH);
    check("https://example.com/books/:id?", "https://example.com/books", MATCH);
    check("https://example.com/books/:id+", "https://example.com/books/1/2/3", MATCH);
    check("https://example.com/books{/:id}?", "https://example.com/books", MATCH);
    check("https://example.com/books/:id.html", "https://example.com/books/42.html", MATCH);
    check("https://example.com/books/:id.html", "https://example.com/books/.html", NO_MATCH);
    check("https://*.example.com/", "https://a.b.example.com/", MATCH);
    check("https://*.example.com/", "https://example.com/", NO_MATCH);
    check("http{s}?://example.com/", "http://example.com/", MATCH);
    check("http{s}?://example.com/", "https://example.com/", MATCH);
    check("https://example.com/(\\d+)", "https://example.com/42", MATCH);
    check("https://example.com/(\\d+)", "https://example.com/x", NO_MATCH);
    check("https://example.com/(a|b)/:rest*", "https://example.com/b/c/d", MATCH);
    check("https://example.com/(a|b)/:rest*", "https://example.com/ab", NO_MATCH);
}

#[test]
fn a_pattern_takes_searches_ports_and_hashes() {
    check("https://example.com/?a=:a", "https://example.com/?a=1", MATCH);
    check("https://example.com/a\\?b=:c", "https://example.com/a?b=1", MATCH);
    check("https://example.com/a\\?b=:c", "https://example.com/a", NO_MATCH);
    check("https://example.com:8080/*", "https://example.com:8080/x", MATCH);
    check("https://example.com:8080/*", "https://example.com/x", NO_MATCH);
    check("https://example.com:443/*", "https://example.com/x", MATCH);
    check("https://example.com/*", "https://example.com:444/x", NO_MATCH);
    check("https://example.com/a#:b", "https://example.com/a#c", MATCH);
    check("https://[\\:\\:1]/*", "https://[::1]/x", MATCH);
    check("https://*:*/*", "https://user:pass@h:1/x", MATCH);
    // By the standard, what is no absolute path goes behind the base's, in a pattern of any scheme.
    check("urn\\:uuid\\:*", "urn:uuid:12", NO_MATCH);
    check("urn\\:*", "urn:uuid:12", NO_MATCH);
    check("urn\\:(.*)", "urn:uuid:12", NO_MATCH);
}

#[test]
fn letters_and_encodings_are_those_of_urls() {
    check("https://EXAMPLE.com/A", "https://example.com/A", MATCH);
    check("https://example.com/A", "https://example.com/a", NO_MATCH);
    check("https://example.com/Zürich", "https://example.com/Z%C3%BCrich", MATCH);
    check("https://example.com/Zürich", "https://example.com/Zürich", MATCH);
    check("https://example.com/:city", "https://example.com/Zürich", MATCH);
    check("https://zürich.example/", "https://xn--zrich-kva.example/", MATCH);
    check("https://example.com/a/../b", "https://example.com/b", MATCH);
    check("https://example.com/b", "https://example.com/a/../b", MATCH);
}

#[test]
fn patterns_and_topics_are_relative_to_the_hub() {
    check("/books/:id", "https://hub.example/books/42", MATCH);
    check("/books/:id", "https://example.com/books/42", NO_MATCH);
    check("/books/:id", "/books/42", MATCH);
    check("https://hub.example/books/:id", "/books/42", MATCH);
    check("subscriptions/*", "/.well-known/subscriptions/a", MATCH);
    check("subscriptions/*", "subscriptions/a/b", MATCH);
    check("/.well-known/mercure/subscriptions/*", "/.well-known/mercure/subscriptions/exact/a/b", MATCH);
    check("/chat/*", "chat/42", NO_MATCH); // /.well-known/chat/42
}

#[test]
fn a_topic_that_is_no_url_is_never_selected() {
    for topic in ["https://", "https://a b/", "https://[", "http://example.com:99999/"] {
        check("*://*/*", topic, NO_MATCH);
        check("/*", topic, NO_MATCH);
    }
}

#[test]
fn what_is_no_pattern_is_refused_with_its_reason() {
    check_refusal("https://example.com/(", "");
    check_refusal("https://example.com/:a/:a", "duplicate name");
    check_refusal("https://example.com/{a", "");
    check_refusal("https://example.com/{a}}", "");
    check_refusal("https://example.com/([)", "regular expression");
    check_refusal("https://example.com/((?=a)b)", "");
    check_refusal("https://example.com/(\\p{L})", "Unicode");
    check_refusal("https://example.com/(a\\1)", "regular expression");
    check_refusal("https://exa mple.com/", "");
    let error = UrlPattern::parse("/a", "no base").expect_err("the base is no URL").to_string();
    assert_eq!(error, r#"URL pattern "/a" is refused: its base "no base" is no URL: relative URL without a base"#);
}

#[test]
fn brackets_that_close_nothing_do_no_harm() {
    check_refusal("https://a]b/", "its host cannot be parsed; expected a URL pattern");
    for raw in ["https://a]]:80/", "https://[]]/", "http:]", "{[}]://]", "https://{[}a]:1/", "]", "/]", "https://]:"] {
        if let Ok(pattern) = UrlPattern::parse(raw, BASE) {
            assert!(!pattern.matches("https://example.com/"), "{raw}");
        }
    }
}

#[test]
fn hostile_patterns_are_refused_or_small() {
    let limit = "takes more than 65536 bytes compiled; expected fewer or shorter groups";
    check_refusal("/(a{9999})", limit);
    check_refusal("/((a{99}){99})", "");
    check_refusal("/([a-z]{9999})", limit);
    check_refusal(&"/:a+".repeat(1000), "");
    check_refusal(&"/(.*)".repeat(800), "");
    check_refusal(&format!("/({}a{})", "(?:".repeat(600), ")".repeat(600)), "");
    check_refusal(&"{".repeat(4000), "");
    check_refusal(&"(".repeat(4000), "");
    for raw in [
        "/(a*a*a*a*a*a*a*a*b)",
        "/((?:a+)+b)",
        "/:a*/:b*/:c*/:d*/x",
        "/*a*a*a*a*b",
        &("/".to_owned() + &"a".repeat(4095)),
    ] {
        let pattern = UrlPattern::parse(raw, BASE).expect("small enough");
        assert!(!pattern.matches(&("https://hub.example/".to_owned() + &"a".repeat(4000))), "{raw}");
        assert!(!pattern.matches(&("https://hub.example/".to_owned() + &"/a".repeat(2000))), "{raw}");
    }
}

#[test]
fn what_is_compiled_stays_within_its_limits() {
    for (raw, want) in [
        ("https://example.com/books/:id", 0),
        ("/*", 0),
        ("/books/:id/pages/:page", 16 * 1024),
        ("/(a|b)/:rest*", 16 * 1024),
        ("/(\\w{4})", 16 * 1024),
    ] {
        let pattern = UrlPattern::parse(raw, BASE).expect("a pattern");
        let got: usize = pattern.0.components.iter().map(Component::expression_bytes).sum();
        assert!(got <= want, "{raw}: got {got} bytes, want {want} at most");
    }
    assert!(size_of::<Parsed>() <= 1024, "{}", size_of::<Parsed>());
}

#[test]
fn patterns_are_equal_when_text_and_base_are() {
    let parse = |raw, base| UrlPattern::parse(raw, base).expect("a pattern");
    assert_eq!(parse("/a", BASE), parse("/a", BASE));
    assert_ne!(parse("/a", BASE), parse("/b", BASE));
    assert_ne!(parse("/a", BASE), parse("/a", "https://example.com/"));
    assert_eq!(parse("/a", "https://example.com"), parse("/a", "https://example.com/"));
}

const BASE: &str = "https://hub.example/.well-known/mercure";
const MATCH: bool = true;
const NO_MATCH: bool = false;

fn check(pattern: &str, topic: &str, want: bool) {
    let parsed = UrlPattern::parse(pattern, BASE).expect("the table holds patterns only");
    assert_eq!(parsed.matches(topic), want, "pattern {pattern:?}, topic {topic:?}");
    let naive = naive_url_pattern_matches(pattern, BASE, topic);
    assert_eq!(naive, Some(want), "the reference; pattern {pattern:?}, topic {topic:?}");
}

fn check_refusal(raw: &str, want: &str) {
    match UrlPattern::parse(raw, BASE) {
        Err(error @ SelectorError::UrlPattern { .. }) => {
            let got = error.to_string();
            assert!(got.contains(want) && got.len() < 400, "{raw:.80?}: got {got}, want {want}");
        }
        other => panic!("{raw:.80?}: got {other:.200?}, want a refusal"),
    }
}
