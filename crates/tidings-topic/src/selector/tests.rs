//! What each constructor makes of a text, and what it refuses.

use super::*;

#[test]
fn a_query_value_without_a_star_is_exact() {
    for raw in ["a", "chat/42", "/", "a//b", "{id}", "a?b"] {
        let selector = Selector::parse(raw);
        assert_eq!(selector.as_ref().ok().and_then(Selector::as_exact).map(Topic::as_str), Some(raw));
    }
}

#[test]
fn a_query_value_with_a_star_is_a_pattern() {
    for raw in ["*", "**", "a/*", "a/**", "*/a", "/*", "/**", "*/*/**", "a//*"] {
        let selector = Selector::parse(raw).expect("the table holds patterns only");
        assert_eq!(selector.as_exact(), None, "{raw:?}");
        assert_eq!(selector.to_string(), raw);
    }
}

#[test]
fn an_exact_selector_takes_a_star_as_a_character() {
    let topic = Topic::parse("a/*").expect("a star is no control character");
    let exact = Selector::exact(topic);
    assert!(exact.matches("a/*"));
    assert!(!exact.matches("a/b"));
    assert_ne!(Selector::parse("a/*"), Ok(exact));
}

#[test]
fn a_star_inside_a_segment_is_refused_where_it_stands() {
    check_refusal("a*", r#"selector "a*" has a '*' inside a segment at byte 1; expected "#);
    check_refusal("*a", r#"selector "*a" has a '*' inside a segment at byte 0; expected "#);
    check_refusal("é/x*y/b", r#"selector "é/x*y/b" has a '*' inside a segment at byte 4; expected "#);
    check_refusal("***", r#"selector "***" has a '*' inside a segment at byte 0; expected "#);
    check_refusal("a/***/b", r#"selector "a/***/b" has a '*' inside a segment at byte 2; expected "#);
    check_refusal("a/**b", r#"selector "a/**b" has a '*' inside a segment at byte 2; expected "#);
}

#[test]
fn two_stars_before_the_end_are_refused_where_they_stand() {
    check_refusal("**/a", r#"selector "**/a" has '**' before its end at byte 0; expected "#);
    check_refusal("a/**/b", r#"selector "a/**/b" has '**' before its end at byte 2; expected "#);
    check_refusal("a/**/", r#"selector "a/**/" has '**' before its end at byte 2; expected "#);
    check_refusal("**/**", r#"selector "**/**" has '**' before its end at byte 0; expected "#);
}

#[test]
fn a_pattern_keeps_the_rules_of_a_topic() {
    check_refusal("", "topic is empty; ");
    check_refusal("a/*\n", r#"topic "a/*\n" has the control character U+000A at byte 3; "#);
    check_refusal(&"/*".repeat(2049), r#"topic "/*/*/*"#);
    assert!(Selector::parse(&"/*".repeat(2048)).is_ok(), "4096 bytes");
}

#[test]
fn a_refusal_does_not_repeat_a_long_selector() {
    let raw = format!("{}x*", "a/".repeat(2000));
    let error = Selector::parse(&raw).expect_err("the star shares its segment").to_string();
    assert!(error.len() < 250, "{error}");
    assert!(error.contains("x*\" has a '*' inside a segment at byte 4001"), "{error}");
}

#[test]
fn mercure_0_takes_templates_and_the_star() {
    check_mercure_0("*", |selector| *selector == Selector::Any);
    check_mercure_0("https://example.com/{id}", |selector| matches!(selector, Selector::Template(_)));
    check_mercure_0("{+path}", |selector| matches!(selector, Selector::Template(_)));
    for exact in ["chat/42", "chat/*", "**", "a b", "}", "a}", "\u{ad}"] {
        check_mercure_0(exact, |selector| selector.as_exact().is_some());
    }
}

#[test]
fn braces_that_make_no_template_are_a_topic() {
    for raw in ["{", "a{b", "{{id}}", "{a b}", "{id}}", "a|{id}", "{=id}", "{id:0}", "{id:10000}", "{}"] {
        let selector = Selector::mercure_0(raw).expect("a topic's text");
        assert_eq!(selector.as_exact().map(Topic::as_str), Some(raw));
        assert!(selector.matches(raw), "{raw}");
        assert!(!selector.matches("1"), "{raw}");
    }
}

#[test]
fn a_star_is_every_topic_for_mercure_and_a_segment_for_plain_channels() {
    let any = Selector::mercure_0("*").expect("the star");
    assert!(any.matches("a") && any.matches("a/b") && any.matches("https://example.com/"));
    assert_eq!(Selector::match_exact("*"), Ok(Selector::Any));
    assert_eq!(Selector::url_pattern("*", BASE), Ok(Selector::Any));
    assert_ne!(Selector::parse("*"), Ok(any.clone()));
    assert_eq!(any.to_string(), "*");
    assert_eq!(any.as_exact(), None);
}

#[test]
fn match_exact_is_bytes() {
    for raw in ["chat/*", "{id}", "https://example.com/:id", "é"] {
        let selector = Selector::match_exact(raw).expect("a topic's text");
        assert_eq!(selector.as_exact().map(Topic::as_str), Some(raw));
    }
    assert!(!Selector::match_exact("é").expect("a topic").matches("e\u{301}"));
}

#[test]
fn characters_that_nobody_sees_are_refused_in_matchers() {
    for hidden in ['\u{ad}', '\u{200b}', '\u{202e}', '\u{2066}', '\u{feff}', '\u{e0001}'] {
        let raw = format!("a{hidden}b");
        let want = format!("has the format character U+{:04X} at byte 1; expected none", u32::from(hidden));
        for refused in [Selector::match_exact(&raw), Selector::url_pattern(&raw, BASE)] {
            let error = refused.expect_err("it has a format character").to_string();
            assert!(error.ends_with(&want), "got {error}, want {want}");
        }
        assert!(Selector::mercure_0(&raw).is_ok(), "0.x takes them");
    }
}

#[test]
fn every_constructor_keeps_the_rules_of_a_topic() {
    let long = "a".repeat(4097);
    for raw in ["", "a\0", "a\n{b}", "\u{7f}", "\u{85}", &long] {
        let made = [Selector::mercure_0(raw), Selector::match_exact(raw), Selector::url_pattern(raw, BASE)];
        for refused in made {
            assert!(matches!(refused, Err(SelectorError::Text(_))), "{raw:?}: got {refused:?}");
        }
    }
}

#[test]
fn kinds_sort_exact_first_and_texts_make_them_equal() {
    let exact = Selector::match_exact("{z}").expect("a topic");
    let glob = Selector::parse("**").expect("a pattern");
    let templates = ["{a}", "{b}"].map(|raw| Selector::mercure_0(raw).expect("a template"));
    let url_pattern = Selector::url_pattern("{a}", BASE).expect("a URL pattern");
    let [first, second] = templates.clone();
    let sorted = [exact, glob, Selector::Any, first, second, url_pattern.clone()];
    assert!(sorted.is_sorted_by(|a, b| a < b), "{sorted:?}");
    assert_eq!(Selector::mercure_0("{a}").expect("a template"), templates[0]);
    assert_eq!(Selector::url_pattern("{a}", BASE).expect("a URL pattern"), url_pattern);
    assert_ne!(templates[0], url_pattern);
    assert_eq!(templates[0].to_string(), url_pattern.to_string());
}

const BASE: &str = "https://hub.example/.well-known/mercure";

fn check_mercure_0(raw: &str, want: impl Fn(&Selector) -> bool) {
    let selector = Selector::mercure_0(raw).expect("a topic's text");
    assert!(want(&selector), "{raw:?}: got {selector:?}");
    assert_eq!(selector.to_string(), raw);
    assert!(selector.matches(raw), "a selector of Mercure selects the topic that is its text: {raw:?}");
}

fn check_refusal(raw: &str, want: &str) {
    match Selector::parse(raw) {
        Ok(selector) => panic!("{raw:?}: got {selector:?}, want {want}"),
        Err(error) => assert!(error.to_string().starts_with(want), "{raw:?}: got {error}, want {want}"),
    }
}
