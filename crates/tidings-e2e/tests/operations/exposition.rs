//! Reads what `/metrics` answers, strictly, and finds in expressions what they ask of it.

use std::collections::{BTreeMap, BTreeSet};

/// The families of a page, by name.
pub(crate) type Families = BTreeMap<String, Family>;

/// What is known of a family.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Family {
    pub(crate) kind: String,
    /// Its labels and all values that each has.
    pub(crate) labels: BTreeMap<String, BTreeSet<String>>,
}

/// Reads a page; fails at the first line that is not as it must be.
#[track_caller]
pub(crate) fn parse(page: &str) -> Families {
    let mut families = Families::new();
    let mut current = String::new();
    let mut is_described = false;
    for line in page.lines() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            let (name, help) = help.split_once(' ').unwrap_or_else(|| panic!("no words in {line:?}"));
            assert!(help.ends_with('.'), "the help is a sentence: {line:?}");
            assert!(!families.contains_key(name), "{name} comes twice");
            name.clone_into(&mut current);
            is_described = true;
        } else if let Some(kind) = line.strip_prefix("# TYPE ") {
            let (name, kind) = kind.split_once(' ').unwrap_or_else(|| panic!("no kind in {line:?}"));
            assert!(is_described && name == current, "{name} has no help before it");
            assert_eq!(name.ends_with("_total"), kind == "counter", "{name} is a {kind}");
            families.insert(name.to_owned(), Family { kind: kind.to_owned(), ..Family::default() });
            is_described = false;
        } else {
            let (series, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("no value in {line:?}"));
            assert!(value.parse::<f64>().is_ok_and(f64::is_finite), "no number in {line:?}");
            let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
            let family = families.get_mut(&current).unwrap_or_else(|| panic!("no family before {line:?}"));
            let part = name.strip_prefix(current.as_str());
            let is_part = match family.kind.as_str() {
                "histogram" => matches!(part, Some("_bucket" | "_sum" | "_count")),
                _ => part == Some(""),
            };
            assert!(is_part, "{line:?} is not of {current}");
            let labels = labels.strip_suffix('}').unwrap_or_else(|| panic!("no end of labels in {line:?}"));
            for (label, value) in labels.split(',').filter_map(|label| label.split_once('=')) {
                family.labels.entry(label.to_owned()).or_default().insert(value.trim_matches('"').to_owned());
            }
        }
    }
    families
}

/// A name, and the labels that are picked by their values.
type Asked = (String, Vec<(String, Vec<String>)>);

/// What an expression asks for: names of ours, each with the label values that it picks.
fn asked_in(expression: &str) -> Vec<Asked> {
    let is_of_a_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut asked = Vec::new();
    let mut rest = expression;
    while let Some(start) = rest.find(|c: char| c.is_ascii_alphabetic()) {
        let word = &rest[start..];
        let end = word.find(|c| !is_of_a_name(c)).unwrap_or(word.len());
        let (name, after) = word.split_at(end);
        rest = after;
        if ["tidings_", "process_", "mercure_"].iter().any(|prefix| name.starts_with(prefix)) {
            let inner = after.strip_prefix('{').and_then(|matchers| matchers.split_once('}'));
            let labels = inner.map_or_else(Vec::new, |(matchers, _)| matchers.split(',').filter_map(matcher).collect());
            asked.push((name.to_owned(), labels));
            rest = inner.map_or(after, |(_, after)| after);
        }
    }
    asked
}

/// `label=~"a|b"` and the like: the label, and the values that are named.
fn matcher(text: &str) -> Option<(String, Vec<String>)> {
    let (label, value) = text.split_once(['=', '!'])?;
    let value = value.trim_start_matches(['=', '~', '!']).trim_matches('"');
    Some((label.trim().to_owned(), value.split('|').map(str::to_owned).collect()))
}

/// Fails if the expression asks for something that is not there.
#[track_caller]
pub(crate) fn check_expression(families: &Families, expression: &str, whose: &str) {
    for (name, labels) in asked_in(expression) {
        let base = ["_bucket", "_sum", "_count"].iter().find_map(|part| name.strip_suffix(part));
        let histogram = base.and_then(|base| families.get(base)).filter(|family| family.kind == "histogram");
        let Some(family) = families.get(&name).or(histogram) else {
            panic!("{whose} asks for {name}, which is not there")
        };
        for (label, values) in labels {
            // Prometheus adds these two.
            if label == "instance" || label == "job" {
                continue;
            }
            let there = family.labels.get(&label).unwrap_or_else(|| panic!("{whose}: {name} has no label {label}"));
            for value in values {
                assert!(there.contains(&value), "{whose}: {name} has no {label}={value:?}, but {there:?}");
            }
        }
    }
}

#[test]
fn what_an_expression_asks_for_is_found() {
    let asked = asked_in(r#"sum by (le) (rate(tidings_x_bucket{a="1",b!~"2|3"}[5m])) > 0.1 and on (job) process_y"#);
    let labels = vec![("a".to_owned(), vec!["1".to_owned()]), ("b".to_owned(), vec!["2".to_owned(), "3".to_owned()])];
    assert_eq!(asked, [("tidings_x_bucket".to_owned(), labels), ("process_y".to_owned(), vec![])]);
}

#[test]
#[should_panic(expected = "has no limit=\"conections\"")]
fn a_value_that_is_not_there_is_found() {
    let families = parse("# HELP tidings_l L.\n# TYPE tidings_l gauge\ntidings_l{limit=\"connections\"} 1\n");
    check_expression(&families, "tidings_l{limit=\"conections\"}", "a test");
}
