//! docs/configuration.md: its tables are made from the settings, and a test compares them. docs/command-line.md is written
//! by hand, and a test looks whether it leaves a setting out.
//!
//! `UPDATE_DOCS=1 cargo test -p tidings-cli configuration_page` writes them anew.

use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs};

use super::file::BOUNDS_KEYS;
use super::settings::Setting;
use super::written::form;

const BEGIN: &str = "<!-- Made from crates/tidings-cli/src/config/flags.rs; see the test in page.rs beside it. -->\n";
const END: &str = "<!-- The end of what is made. -->\n";

fn tables() -> String {
    let mut text = String::new();
    let mut table = String::new();
    for setting in Setting::all() {
        if setting.table() != table {
            table = setting.table();
            write!(
                text,
                "\n### [{table}]\n\n| Key, flag, variable | Value | Default | Means | Costs |\n|---|---|---|---|---|\n"
            )
            .expect("a String takes any text");
        }
        let key = setting.key();
        let variable = setting.variable();
        let choices = setting.choices().into_iter().map(|(name, meaning)| format!("<br>`{name}`: {meaning}."));
        let meaning = format!("{}.{}", setting.meaning(), choices.collect::<String>());
        let cells = [form(&setting), setting.default_in_words(), meaning, capitalised(&setting.cost())];
        writeln!(
            text,
            "| `{key}`<br>`--{key}`<br>`{variable}` | {} |",
            cells.each_ref().map(|text| cell(text)).join(" | ")
        )
        .expect("a String takes any text");
    }
    text.push_str("\n### [[history]]\n\n| Key | Example | Means |\n|---|---|---|\n");
    for key in BOUNDS_KEYS {
        writeln!(text, "| `{}` | `{}` | {} |", key.name, key.example, key.meaning).expect("a String takes any text");
    }
    text.push('\n');
    text
}

/// In the help a cost goes on after a colon.
fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

#[test]
fn the_configuration_page_tells_of_the_settings_that_there_are() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/configuration.md");
    let page = fs::read_to_string(&path).expect("the page is there");
    let (before, rest) = page.split_once(BEGIN).expect("the page has a place for the tables");
    let (old, after) = rest.split_once(END).expect("the place has an end");
    let new = tables();
    if env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, format!("{before}{BEGIN}{new}{END}{after}")).expect("the page is writable");
        return;
    }
    let advice = "write it anew: UPDATE_DOCS=1 cargo test -p tidings-cli configuration_page";
    assert!(old == new, "docs/configuration.md is out of date; {advice}");
}

#[test]
fn the_command_line_page_leaves_no_flag_of_serve_out() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/command-line.md");
    let page = fs::read_to_string(&path).expect("the page is there");
    let serve = page.split("\n## ").find(|part| part.starts_with("serve\n")).expect("the page tells of serve");
    // `--data` is not in `--data-dir`.
    let is_named = |flag: &str| {
        let mut places = serve.match_indices(flag).map(|(at, _)| &serve[at + flag.len()..]);
        places.any(|after| !after.starts_with(|next: char| next == '-' || next.is_ascii_alphanumeric()))
    };
    let missing: Vec<_> = Setting::all()
        .into_iter()
        .map(|setting| format!("--{}", setting.key()))
        .filter(|flag| !is_named(flag))
        .collect();
    assert!(missing.is_empty(), "docs/command-line.md says nothing of {missing:?}");
    assert!(!is_named("--max-connections-per"), "a part of a flag is no flag");
}
