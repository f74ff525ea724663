//! Templates against tables of what each operator takes, and against a regular expression. What the tables say was also seen of
//! the regular expressions that Mercure 0.x hubs make of these templates.

use std::hint::black_box;

use proptest::prelude::*;

use super::*;
use crate::naive::{any_template_text, any_template_topic, naive_template_matches};

#[test]
fn a_simple_variable_takes_unreserved_characters() {
    check("{var}", "value", MATCH);
    check("{var}", "", MATCH);
    check("{var}", "aZ09-._~", MATCH);
    check("{var}", "Hello%20World%21", MATCH);
    check("{var}", "Hello World!", NO_MATCH);
    check("{var}", "one,two", MATCH);
    check("{var}", "a/b", NO_MATCH);
    check("{var}", "a=b", NO_MATCH);
    check("/users/{id}", "/users/42", MATCH);
    check("/users/{id}", "/users/", MATCH);
    check("/users/{id}", "/users", NO_MATCH);
    check("/users/{id}", "/users/42/books", NO_MATCH);
    check("/users/{id}", "/users/42?a", NO_MATCH);
    check("/users/{id}", "x/users/42", NO_MATCH);
    check("https://example.com/{a}/x", "https://example.com//x", MATCH);
}

#[test]
fn a_reserved_variable_takes_slashes_too() {
    check("{+path}", "/foo/bar", MATCH);
    check("{+path}", "http://example.com/home?q=1#top", MATCH);
    check("{+path}", "!$&'()*+,;=:/?#[]@", MATCH);
    check("{+path}", "a b", NO_MATCH);
    check("{+path}", "a\"b", NO_MATCH);
    check("{+path}/here", "/foo/bar/here", MATCH);
    check("{+path}/here", "/here", MATCH);
    check("{+path}/here", "/foo/there", NO_MATCH);
    check("up{+path}{var}/here", "up/foo/barvalue/here", MATCH);
    check("{+half}", "50%25", MATCH);
    check("{+half}", "50%", NO_MATCH);
    check("{+half}", "50%2", NO_MATCH);
    check("{+half}", "50%2g", NO_MATCH);
}

#[test]
fn a_fragment_brings_its_hash() {
    check("x{#var}", "x#value", MATCH);
    check("x{#var}", "x#", MATCH);
    check("x{#var}", "x", MATCH);
    check("x{#var}", "xvalue", NO_MATCH);
    check("x{#path,y}/here", "x#/foo/bar,1024/here", MATCH);
    check("x{#path}", "x#a#b?c", MATCH);
}

#[test]
fn a_label_brings_its_dots() {
    check("X{.var}", "X.value", MATCH);
    check("X{.var}", "X.", MATCH);
    check("X{.var}", "X", MATCH);
    check("X{.var}", "Xvalue", NO_MATCH);
    check("www{.dom*}", "www.example.com", MATCH);
    check("www{.dom}", "www.example.com", MATCH); // a dot is unreserved
    check("X{.keys*}", "X.semi=%3B.dot=..comma=%2C", MATCH);
    check("X{.keys}", "X.semi=1", NO_MATCH);
}

#[test]
fn a_path_brings_its_slashes_one_for_each_variable() {
    check("{/who}", "/fred", MATCH);
    check("{/who}", "", MATCH);
    check("{/who}", "/", MATCH);
    check("{/who}", "fred", NO_MATCH);
    check("{/who}", "/fred/fred", NO_MATCH);
    check("{/who,who}", "/fred/fred", MATCH);
    check("{/who,who}", "/fred", MATCH);
    check("{/who,who}", "/a/b/c", NO_MATCH);
    check("{/var,x}/here", "/value/1024/here", MATCH);
    check("{/var,x}/here", "/here", MATCH);
    check("{/var,x}/here", "/1/2/3/here", NO_MATCH);
    check("{/list*}", "/red/green/blue", MATCH);
    check("{/list*,path:4}", "/red/green/blue/%2Ffoo", MATCH);
    check("{/keys*}", "/semi=%3B/dot=./comma=%2C", MATCH);
    check("{/a}{/b}", "/1/2", MATCH);
    check("{/a,b}{/c}", "/1/2/3", MATCH);
    check("{/a,b}{/c}", "/1/2/3/4", NO_MATCH);
}

#[test]
fn parameters_have_names_that_are_not_looked_at() {
    check("{;who}", ";who=fred", MATCH);
    check("{;who}", ";", MATCH);
    check("{;who}", "who=fred", NO_MATCH);
    check("{;who}", ";other", MATCH);
    check("{;v,empty,who}", ";v=6;empty;who=fred", MATCH);
    check("{;v,empty,who}", ";v=6;empty;who=fred;more", NO_MATCH);
    check("{;list*}", ";list=red;list=green;list=blue", MATCH);
    check("{;hello:5}", ";hello=Hello", MATCH);
    check("{;a}", ";a=1&b=2", NO_MATCH);
}

#[test]
fn a_query_has_as_many_fields_as_variables() {
    check("{?x}", "?x=1024", MATCH);
    check("/search{?x,y}", "/search", MATCH);
    check("/search{?x,y}", "/search?", MATCH);
    check("/search{?x,y}", "/search?x=1024&y=768", MATCH);
    check("/search{?x,y}", "/search?y=768&x=1024", MATCH);
    check("/search{?x,y}", "/search?x=1024&y=768&z=1", NO_MATCH);
    check("/search{?x,y}", "/search&x=1024", NO_MATCH);
    check("{?list}", "?list=red,green,blue", MATCH);
    check("{?list*}", "?list=red&list=green&list=blue", MATCH);
    check("{?x}", "?x=a/b", NO_MATCH);
    check("{?x}", "?x=%2F", MATCH);
}

#[test]
fn a_continued_query_begins_with_an_ampersand() {
    check("?fixed=yes{&x}", "?fixed=yes&x=1024", MATCH);
    check("?fixed=yes{&x}", "?fixed=yes", MATCH);
    check("?fixed=yes{&x}", "?fixed=yes&x=1&y=2", NO_MATCH);
    check("?fixed=yes{&x,y}", "?fixed=yes&x=1&y=2", MATCH);
    check("?fixed=yes{&x*}", "?fixed=yes&a=1&b=2&c=3", MATCH);
    check("?fixed=yes{&x}", "?fixed=yes?x=1", NO_MATCH);
}

#[test]
fn several_variables_and_lists() {
    check("{x,y}", "1024,768", MATCH);
    check("{x,y}", "1024", MATCH);
    check("{x,y}", "1,2,3", MATCH); // a comma is taken by a value too
    check("{keys*}", "semi=%3B,dot=.,comma=%2C", MATCH);
    check("{keys}", "semi=%3B", NO_MATCH);
    check("{a,keys*}", "1,semi=%3B", MATCH);
    check("{a}{b}{c}", "abc", MATCH);
    check("{a}-{b}", "x-y-z", MATCH);
    check("{a}/{b}/{c}", "1/2/3", MATCH);
    check("{a}/{b}/{c}", "1/2", NO_MATCH);
}

#[test]
fn a_length_does_not_limit_what_is_taken() {
    check("{var:3}", "val", MATCH);
    check("{var:3}", "value", MATCH);
    check("{+path:6}/here", "/foo/bar/here", MATCH);
    check("{a:9999}", "a", MATCH);
}

#[test]
fn literals_are_bytes() {
    check("a.b{x}", "a.b1", MATCH);
    check("a.b{x}", "acb1", NO_MATCH);
    check("a(b)*[c]+$?{x}", "a(b)*[c]+$?1", MATCH);
    check("a(b)*[c]+$?{x}", "ab", NO_MATCH);
    check("A{x}", "a1", NO_MATCH);
    check("it's{x}", "it's1", MATCH);
    check("Zürich/{x}", "Zürich/1", MATCH);
    check("Zürich/{x}", "Z%C3%BCrich/1", NO_MATCH);
    check("天気/{x}/気", "天気/1/気", MATCH);
    check("a%20b{x}", "a%20b1", MATCH);
    check("a%20b{x}", "a b1", NO_MATCH);
    check("%2f{x}", "%2F", NO_MATCH);
    check("plain", "plain", MATCH);
    check("plain", "plain1", NO_MATCH);
}

#[test]
fn topics_beyond_ascii_are_taken_percent_encoded() {
    check("/city/{name}", "/city/Zürich", NO_MATCH);
    check("/city/{name}", "/city/Z%C3%BCrich", MATCH);
    check("/city/{+name}", "/city/Zürich", NO_MATCH);
}

#[test]
fn what_begins_and_ends_a_template_does_not_overlap() {
    check("ab{x}ab", "ab", NO_MATCH);
    check("ab{x}ab", "abab", MATCH);
    check("ab{x}ba", "aba", NO_MATCH);
    check("a{x}a{y}a", "aa", NO_MATCH);
    check("a{x}a{y}a", "aaa", MATCH);
    check("a{x}a{y}a", "aabaa", MATCH);
}

#[test]
fn a_template_takes_itself() {
    for text in ["/users/{id}", "{a:9999}", "{+a}{#b}{/c*}", "plain"] {
        let template = Template::parse(text).expect("the table holds templates only");
        assert!(template.matches(text), "{text}");
        assert!(!template.matches(&text[1..]), "{text}");
    }
}

#[test]
fn what_is_no_template_is_refused_where_it_fails() {
    check_refusal("{a", 0, "a '}' that closes it");
    check_refusal("x/{", 2, "a '}' that closes it");
    check_refusal("a}", 1, "a character that");
    check_refusal("{a}}", 3, "a character that");
    check_refusal("{{a}}", 1, "a variable's name");
    check_refusal("{}", 1, "a variable's name");
    check_refusal("{+}", 2, "a variable's name");
    check_refusal("{a,}", 3, "a variable's name");
    check_refusal("{,a}", 1, "a variable's name");
    check_refusal("{a,,b}", 3, "a variable's name");
    check_refusal("{a..b}", 3, "a variable's name");
    check_refusal("{a.}", 3, "a variable's name");
    check_refusal("{.}", 2, "a variable's name");
    check_refusal("{a.*}", 3, "a variable's name");
    check_refusal("{é}", 1, "a variable's name");
    check_refusal("{%6}", 1, "a variable's name");
    check_refusal("{+a,#b}", 4, "a variable's name");
    check_refusal("{a-b}", 2, "a name of letters");
    check_refusal("{a b}", 2, "a name of letters");
    check_refusal("{a**}", 2, "a name of letters");
    check_refusal("{a*:3}", 2, "a name of letters");
    check_refusal("{a:}", 3, "a length of 1 to 9999");
    check_refusal("{a:0}", 3, "a length of 1 to 9999");
    check_refusal("{a:03}", 3, "a length of 1 to 9999");
    check_refusal("{a:3*}", 3, "a length of 1 to 9999");
    check_refusal("{a:10000}", 3, "a length of 1 to 9999");
    for reserved in ["{=a}", "{!a}", "{@a}", "{|a}"] {
        check_refusal(reserved, 1, "a variable's name");
    }
    check_refusal("a b{a}", 1, "a character that");
    for literal in
        ["\"{a}", "<{a}", ">{a}", "\\{a}", "^{a}", "`{a}", "|{a}", "\u{fdd0}{a}", "\u{fffd}{a}", "\u{e0001}{a}"]
    {
        check_refusal(literal, 0, "a character that");
    }
    check_refusal("a%zz{a}", 1, "two hexadecimal digits");
    check_refusal("a%{a}", 1, "two hexadecimal digits");
    for taken in
        ["\u{a0}{a}", "\u{e000}{a}", "\u{ffef}{a}", "\u{1fffd}{a}", "\u{e1000}{a}", "\u{10fffd}{a}", "{%41.b*}", "{_}"]
    {
        assert!(Template::parse(taken).is_ok(), "{taken:?}");
    }
}

#[test]
fn hostile_templates_cost_what_their_bytes_cost() {
    // Each of these makes a matcher that tries ways one by one take longer than anybody waits; see `Reach`. No clock: the test
    // ends or it does not.
    let long = "a".repeat(4096);
    for (template, topic) in [
        ("{a}".repeat(1000), format!("{}!", &long[..4095])),
        ("{+a,b,c}".repeat(500), format!("{}\"", &long[..4095])),
        ("{a:9999}".repeat(512), format!("{}!", &long[..4095])),
        ("{/a*}".repeat(800), "/".repeat(4095) + "!"),
        ("{?a*}".repeat(800), "?&".repeat(2047) + "!"),
        (format!("{{/a{}}}", ",a".repeat(2000)), "/".repeat(4096)),
        ("{a}a".repeat(1000), long.clone()),
        (format!("{{a}}{}{{b}}", &long[..4000]), long.clone()),
    ] {
        let template = Template::parse(&template).expect("large, and a template all the same");
        for _ in 0..4 {
            black_box(template.matches(&topic));
        }
        assert!(size_of_val(&*template.0.pieces) <= 12 * 1024, "{}", template.0.pieces.len());
    }
    let nested = "{".repeat(2000) + "a" + &"}".repeat(2000);
    assert!(Template::parse(&nested).is_err());
    assert!(Template::parse(&"{a}".repeat(1366)).is_err(), "4098 bytes");
}

#[test]
fn more_variables_than_separators_in_any_topic_are_counted_right() {
    let template = Template::parse(&format!("{{/a{}}}", ",a".repeat(1999))).expect("a template");
    assert!(template.matches(&"/".repeat(2000)));
    assert!(!template.matches(&"/".repeat(2001)));
}

#[test]
fn a_template_is_small() {
    assert!(size_of::<Piece>() <= 6, "{}", size_of::<Piece>());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn a_template_agrees_with_a_regular_expression(text in any_template_text(), topic in any_template_topic()) {
        let template = Template::parse(&text).map_err(|error| TestCaseError::fail(error.to_string()))?;
        prop_assert_eq!(template.matches(&topic), naive_template_matches(&text, &topic));
    }
}

const MATCH: bool = true;
const NO_MATCH: bool = false;

fn check(template: &str, topic: &str, want: bool) {
    let parsed = Template::parse(template).expect("the table holds templates only");
    assert_eq!(parsed.matches(topic), want, "template {template:?}, topic {topic:?}");
    assert_eq!(naive_template_matches(template, topic), want, "the reference; template {template:?}, topic {topic:?}");
}

fn check_refusal(raw: &str, want_at: usize, want: &str) {
    match Template::parse(raw) {
        Err(SelectorError::Template { at, expected, .. }) => {
            assert!(
                at == want_at && expected.starts_with(want),
                "{raw:?}: got {expected} at {at}, want {want} at {want_at}"
            );
        }
        other => panic!("{raw:?}: got {other:?}, want a refusal"),
    }
}
