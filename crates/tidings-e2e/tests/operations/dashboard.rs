//! deploy/grafana.json: a dashboard of today's form that asks for nothing that a hub does not answer.

use std::collections::BTreeSet;
use std::fs;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::exposition::check_expression;
use crate::metrics::families;
use crate::support::{ask_promtool, text_of};

/// The columns of Grafana's grid.
const COLUMNS: u64 = 24;

fn dashboard() -> Value {
    serde_json::from_str(&text_of("deploy/grafana.json")).expect("a dashboard is JSON")
}

fn panels(dashboard: &Value) -> Vec<&Value> {
    dashboard["panels"].as_array().expect("it has panels").iter().filter(|panel| panel["type"] != "row").collect()
}

fn expressions(dashboard: &Value) -> Vec<(String, String)> {
    let mut all = Vec::new();
    for panel in panels(dashboard) {
        let title = panel["title"].as_str().expect("a panel has a title");
        for target in panel["targets"].as_array().expect("a panel asks for something") {
            let expression = target["expr"].as_str().expect("a target is an expression");
            // As Grafana puts them in.
            let expression = expression.replace("$__rate_interval", "5m").replace("$instance", ".*");
            all.push((title.to_owned(), expression));
        }
    }
    all
}

#[test]
fn every_name_on_the_dashboard_is_one_that_a_hub_answers() {
    let families = families();
    let dashboard = dashboard();
    for (title, expression) in expressions(&dashboard) {
        check_expression(&families, &expression, &format!("the panel {title:?}"));
    }
    for variable in dashboard["templating"]["list"].as_array().expect("it has variables") {
        check_expression(&families, variable["definition"].as_str().unwrap_or_default(), "a variable");
    }
}

#[test]
fn prometheus_can_read_every_expression_on_the_dashboard() {
    let rules: Vec<_> = expressions(&dashboard())
        .into_iter()
        .enumerate()
        .map(|(number, (title, expr))| json!({"record": format!("panel:{number}"), "expr": expr, "labels": {"title": title}}))
        .collect();
    let folder = TempDir::new().expect("there is room for a small file");
    let file = folder.path().join("rules.json"); // which is YAML too
    let rules = json!({"groups": [{"name": "dashboard", "rules": rules}]});
    fs::write(&file, rules.to_string()).expect("a temporary directory is writable");
    ask_promtool(&["check", "rules"], Some(&file), "");
}

#[test]
fn the_dashboard_can_be_imported_anywhere() {
    let dashboard = dashboard();
    assert!(dashboard["schemaVersion"].as_u64().is_some_and(|version| version >= 39));
    assert!(dashboard.get("id").is_none_or(Value::is_null), "whoever imports it gives the number");
    let variables = dashboard["templating"]["list"].as_array().expect("it has variables");
    assert_eq!((&variables[0]["name"], &variables[0]["type"]), (&json!("datasource"), &json!("datasource")));
    let mut numbers = BTreeSet::new();
    let mut taken = BTreeSet::new();
    for panel in dashboard["panels"].as_array().expect("it has panels") {
        assert!(numbers.insert(panel["id"].as_u64()), "two panels have one number: {}", panel["title"]);
        let place = |name: &str| panel["gridPos"][name].as_u64().expect("a panel has a place");
        assert!(place("x") + place("w") <= COLUMNS, "{}", panel["title"]);
        for (x, y) in (place("x")..place("x") + place("w"))
            .flat_map(|x| (place("y")..place("y") + place("h")).map(move |y| (x, y)))
        {
            assert!(taken.insert((x, y)), "{} lies on another panel", panel["title"]);
        }
    }
    for panel in panels(&dashboard) {
        assert_eq!(panel["datasource"]["uid"], "${datasource}", "{}", panel["title"]);
    }
}
