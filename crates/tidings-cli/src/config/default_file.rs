//! `tidings config default`: a file with every key, its default, and what there is to know of it.
//!
//! A line that begins with `# ` is a comment; one that begins with `#` alone is a key that is off, or whose default depends
//! on others, until the sign is taken away.

use std::fmt::{self, Write as _};

use super::file::BOUNDS_KEYS;
use super::settings::{Arity, Setting};
use super::written::{form, line};

/// The text of the file.
pub(crate) fn default_file() -> String {
    let mut text = INTRODUCTION.to_owned();
    write_settings(&mut text).expect("a String takes any text");
    text
}

fn write_settings(text: &mut String) -> fmt::Result {
    let mut table = String::new();
    for setting in Setting::all() {
        if setting.table() != table {
            table = setting.table();
            writeln!(text, "\n[{table}]")?;
        }
        text.push('\n');
        text.push_str(&comment(&format!("{}.", setting.meaning())));
        for (choice, meaning) in setting.choices() {
            text.push_str(&comment(&format!("- {choice}: {meaning}.")));
        }
        text.push_str(&comment(&format!("Value: {}.", form(&setting))));
        text.push_str(&comment(&format!("Default: {}.", setting.default_in_words())));
        text.push_str(&comment(&format!("Cost: {}", setting.cost())));
        text.push_str(&comment(&format!("--{}, {}", setting.key(), setting.variable())));
        let off = if has_default(&setting) { "" } else { "#" };
        writeln!(text, "{off}{}", line(&setting))?;
    }
    text.push_str(BOUNDS_INTRODUCTION);
    for key in BOUNDS_KEYS {
        writeln!(text, "\n{}#{} = {}", comment(key.meaning), key.name, key.example)?;
    }
    Ok(())
}

fn has_default(setting: &Setting) -> bool {
    setting.arity() == Arity::Switch || setting.default().is_some()
}

/// A text as lines of comment.
fn comment(text: &str) -> String {
    const WIDTH: usize = 100;
    let mut lines = vec![String::from("#")];
    for word in text.split_whitespace() {
        let full = lines.last().is_some_and(|line| line.chars().count() + 1 + word.chars().count() > WIDTH);
        if full {
            lines.push(String::from("#"));
        }
        if let Some(line) = lines.last_mut() {
            line.push(' ');
            line.push_str(word);
        }
    }
    lines.join("\n") + "\n"
}

const INTRODUCTION: &str = "\
# The settings of `tidings serve` and `tidings demo`: every key, with its default.
#
# A flag counts before its variable, a variable before this file, this file before the default. A key behind a # is not
# set, and its value is an example: take the # away to set it.
#
# Check a file with `tidings config check FILE`; use it with `tidings serve --config FILE`.
";

const BOUNDS_INTRODUCTION: &str = "
# How much of some topics is kept, beside the bounds of [store] for all together: a table for each pattern, as many as
# you like. The first one that covers a topic holds for it. It has at least one of events, bytes and age.
# Cost: 32 bytes for each event kept under one of them.

#[[history]]
";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::ConfigFile;
    use crate::config::given::Given;

    #[test]
    fn it_is_a_good_file_and_says_the_defaults() {
        let of = |text: &str| Given::by_file_alone(ConfigFile::parse(text).expect("a good file")).expect("settings");
        let (all, none) = (of(&default_file()), of(""));
        assert_eq!(format!("{:?}", all.flags), format!("{:?}", none.flags));
        assert_eq!(all.topic_bounds, none.topic_bounds);
    }

    #[test]
    fn it_has_every_key_and_each_can_be_turned_on() {
        let turned_on: String = default_file()
            .lines()
            .map(|line| match line.strip_prefix('#') {
                Some(rest) if !rest.is_empty() && !rest.starts_with(' ') => format!("{rest}\n"),
                _ => format!("{line}\n"),
            })
            .collect();
        let file = ConfigFile::parse(&turned_on).expect("a good file");
        let all: Vec<_> = Setting::all().iter().map(|setting| setting.key().to_owned()).collect();
        let missing: Vec<_> = all.iter().filter(|key| !file.values.contains_key(*key)).collect();
        assert!(missing.is_empty(), "{missing:?}");
        assert_eq!((file.values.len(), file.topic_bounds.len()), (all.len(), 1));
    }

    #[test]
    fn each_key_has_its_unit_default_and_cost() {
        let text = default_file();
        let count = Setting::all().len();
        for word in ["# Value: ", "# Default: ", "# Cost: ", "# --"] {
            let found = text.lines().filter(|line| line.contains(word)).count();
            assert!(found >= count, "{word:?}: {found} of {count}");
        }
        assert!(text.lines().all(|line| line.chars().count() <= 120), "{text}");
    }
}
