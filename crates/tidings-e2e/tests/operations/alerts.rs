//! deploy/alerts.yml: rules that Prometheus takes, that ask for nothing that a hub does not answer, that fire when they
//! should, and that send whoever is woken to a heading that is there.

use std::collections::BTreeSet;

use tidings_e2e::{of_the_project, shipped};

use crate::exposition::check_expression;
use crate::metrics::families;
use crate::support::{anchor_of, ask_promtool, text_of};

const CASES: &str = "crates/tidings-e2e/tests/operations/alerts.test.yml";

/// The values of a key, over the whole file.
fn values<'a>(text: &'a str, key: &'a str) -> impl Iterator<Item = &'a str> {
    text.lines().filter_map(move |line| line.trim().trim_start_matches("- ").strip_prefix(key)?.strip_prefix(": "))
}

#[test]
fn prometheus_takes_the_rules() {
    ask_promtool(&["check", "rules"], Some(&shipped("alerts.yml")), "");
}

#[test]
fn every_name_in_the_rules_is_one_that_a_hub_answers() {
    check_expression(&families(), &text_of("deploy/alerts.yml"), "deploy/alerts.yml");
}

#[test]
fn each_rule_fires_when_it_should() {
    ask_promtool(&["test", "rules"], Some(&of_the_project(CASES)), "");
    let (rules, cases) = (text_of("deploy/alerts.yml"), text_of(CASES));
    let rules: BTreeSet<_> = values(&rules, "alert").collect();
    let cases: BTreeSet<_> =
        cases.split("{alertname=\"").skip(1).filter_map(|rest| Some(rest.split_once('"')?.0)).collect();
    assert_eq!(rules, cases, "each rule has a case in {CASES}");
    assert!(rules.len() > 10, "{rules:?}");
}

#[test]
fn each_rule_says_what_to_do_and_where_that_stands() {
    let (rules, page) = (text_of("deploy/alerts.yml"), text_of("docs/operations.md"));
    let headings: BTreeSet<_> =
        page.lines().filter(|line| line.starts_with('#')).map(|line| anchor_of(line.trim_start_matches('#'))).collect();
    let runbooks: Vec<_> = values(&rules, "runbook").collect();
    for runbook in &runbooks {
        let (file, heading) = runbook.split_once('#').expect("a heading of a page");
        assert_eq!(file, "docs/operations.md");
        assert!(headings.contains(heading), "{runbook} is not one of {headings:?}");
    }
    let count = |key| values(&rules, key).count();
    let alerts = count("alert");
    assert_eq!([count("summary"), count("description"), runbooks.len()], [alerts; 3]);
}
