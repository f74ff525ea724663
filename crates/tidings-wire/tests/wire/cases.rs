//! Reads `testdata/decode.txt` and runs each case in every way it can arrive.

use std::collections::BTreeSet;

use tidings_wire::{Event, Item};

use crate::naive;
use crate::outcome::{Outcome, cut, decode};

struct Case {
    name: String,
    streams: Vec<Vec<u8>>,
    want: Outcome,
}

#[test]
fn every_case_gives_the_same_however_it_arrives() {
    for case in read_table() {
        let streams: Vec<&[u8]> = case.streams.iter().map(Vec::as_slice).collect();
        check(&case, "the naive decoder", &naive::decode(&streams));
        check(&case, "whole", &decode(&streams.iter().map(|stream| vec![*stream]).collect::<Vec<_>>()));
        check(
            &case,
            "byte by byte",
            &decode(&streams.iter().map(|stream| stream.chunks(1).collect()).collect::<Vec<_>>()),
        );
        for place in 0..=streams.iter().map(|stream| stream.len()).max().unwrap_or(0) {
            let pieces: Vec<_> = streams.iter().map(|stream| cut(stream, &[place])).collect();
            check(&case, &format!("cut at {place}"), &decode(&pieces));
        }
    }
}

/// So that a CR ends its line at once and a comment does not wait for a blank line.
#[test]
fn every_item_comes_with_its_last_byte() {
    for case in read_table() {
        for stream in &case.streams {
            for end in 0..=stream.len() {
                let arrived = &stream[..end];
                let got = decode(&[arrived.chunks(1).collect()]);
                assert_eq!(got, naive::decode(&[arrived]), "{}: after {}", case.name, arrived.escape_ascii());
            }
        }
    }
}

#[test]
fn the_table_names_every_rule_and_every_wpt_format_test() {
    let names: BTreeSet<String> = read_table().into_iter().map(|case| case.name).collect();
    for rule in RULES.split_whitespace() {
        let prefix = format!("{rule}-");
        assert!(names.iter().any(|name| name.starts_with(&prefix)), "no case is named after rule {rule}");
    }
    for test in WPT_TESTS.split_whitespace() {
        assert!(names.contains(&format!("wpt-{test}")), "no case is named after {test}");
    }
}

const RULES: &str = "A1 A2 A3 A4 A5 A6 B1 B2 B3 B4 B5 C1 C2 C3 C4 D1 D2 D3 D4 D5 D6 D7 D8 F4";

const WPT_TESTS: &str = "format-bom format-bom-2 format-comments format-data-before-final-empty-line
    format-field-data format-field-event format-field-event-empty format-field-id format-field-id-2
    format-field-id-3 format-field-id-null format-field-parsing format-field-retry
    format-field-retry-bogus format-field-retry-empty format-field-unknown format-leading-space
    format-newlines format-null-character format-utf-8 event-data";

fn check(case: &Case, way: &str, got: &Outcome) {
    let streams: Vec<_> = case.streams.iter().map(|stream| stream.escape_ascii().to_string()).collect();
    assert_eq!(got, &case.want, "{}, {way}: streams {streams:?}", case.name);
}

fn read_table() -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    for (index, line) in include_str!("../../testdata/decode.txt").lines().enumerate() {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(title) = line.strip_prefix("== ") {
            let name = title.split("  ").next().unwrap_or(title).to_owned();
            assert!(cases.iter().all(|case| case.name != name), "line {}: a second case {name}", index + 1);
            cases.push(Case { name, streams: vec![Vec::new()], want: Outcome::default() });
            continue;
        }
        let case = cases.last_mut().expect("the table begins with a case");
        read_line(line, case).unwrap_or_else(|| panic!("line {} of the table is malformed: {line}", index + 1));
    }
    cases
}

fn read_line(line: &str, case: &mut Case) -> Option<()> {
    if line == "--" {
        case.streams.push(Vec::new());
    } else if let Some(bytes) = line.strip_prefix("< ") {
        case.streams.last_mut()?.extend(unescape(bytes)?);
    } else if let Some(item) = line.strip_prefix("> ") {
        case.want.items.push(read_item(item)?);
    } else {
        [case.want.last_event_id] = read_quoted(line.strip_prefix("= ")?)?;
    }
    Some(())
}

fn read_item(text: &str) -> Option<Item> {
    let (kind, rest) = text.split_once(' ')?;
    Some(match kind {
        "event" => {
            let [event_type, data, last_event_id] = read_quoted(rest)?;
            Item::Event(Event { event_type, data, last_event_id })
        }
        "comment" => read_quoted(rest).map(|[text]| Item::Comment(text))?,
        "id" => read_quoted(rest).map(|[id]| Item::Id(id))?,
        "retry" => Item::Retry(rest.parse().ok()?),
        _ => return None,
    })
}

/// Texts in quotation marks; a quotation mark inside would be `\x22`.
fn read_quoted<const N: usize>(text: &str) -> Option<[String; N]> {
    let quoted = text.split('"').skip(1).step_by(2);
    let texts: Option<Vec<String>> = quoted.map(|text| String::from_utf8(unescape(text)?).ok()).collect();
    texts?.try_into().ok()
}

fn unescape(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(if byte == b'\\' { unescape_one(&mut rest)? } else { byte });
    }
    Some(bytes)
}

fn unescape_one(rest: &mut impl Iterator<Item = u8>) -> Option<u8> {
    let hexadecimal_digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    Some(match rest.next()? {
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'0' => 0,
        b'\\' => b'\\',
        b'x' => hexadecimal_digit(rest.next()?)? * 16 + hexadecimal_digit(rest.next()?)?,
        _ => return None,
    })
}
