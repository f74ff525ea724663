//! The settings of a hub as a table, read from the flags: for the file, the default file and the docs.
//!
//! What there is to set stands in `flags` alone.

use std::error::Error as _;

use clap::builder::Resettable;
use clap::error::{ContextKind, ContextValue};
use clap::{Arg, ArgAction, Args, Command};

use super::flags::HubFlags;

/// A setting: a flag, its variable, and its key in a table of the file.
#[derive(Clone, Debug)]
pub(crate) struct Setting {
    arg: Arg,
}

/// How many values a setting has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arity {
    /// It is on or off: `true` or `false` in the file.
    Switch,
    /// One value.
    One,
    /// Any number of them: a list in the file.
    Many,
}

/// The table of the file that a key stands in.
pub(crate) fn table_of(key: &str) -> Option<String> {
    Setting::all().into_iter().find(|setting| setting.key() == key).map(|setting| setting.table())
}

impl Setting {
    /// All settings, in the order of the help.
    pub(crate) fn all() -> Vec<Self> {
        let command = HubFlags::augment_args(Command::new("hub"));
        command.get_arguments().map(|arg| Self { arg: arg.clone() }).collect()
    }

    /// How clap calls it.
    pub(crate) fn id(&self) -> &str {
        self.arg.get_id().as_str()
    }

    /// Its key in the file, which is the flag without its dashes.
    pub(crate) fn key(&self) -> &str {
        self.arg.get_long().expect("every setting is a long flag; a test of `flags` says so")
    }

    /// The table of the file that it stands in: its help heading.
    pub(crate) fn table(&self) -> String {
        self.arg.get_help_heading().unwrap_or_default().to_lowercase()
    }

    /// Its variable.
    pub(crate) fn variable(&self) -> &str {
        self.arg.get_env().and_then(|name| name.to_str()).unwrap_or_default()
    }

    /// Is its value a key, which is never printed?
    pub(crate) fn is_secret(&self) -> bool {
        self.arg.is_hide_env_values_set()
    }

    /// How many values it has.
    pub(crate) fn arity(&self) -> Arity {
        match self.arg.get_action() {
            ArgAction::Append => Arity::Many,
            action if action.takes_values() => Arity::One,
            _ => Arity::Switch,
        }
    }

    /// What its value is called in the help, such as `SIZE`; a switch has none.
    pub(crate) fn value_name(&self) -> Option<&str> {
        let names = self.arg.get_value_names().filter(|_| self.arity() != Arity::Switch);
        names.and_then(|names| names.first()).map(clap::builder::Str::as_str)
    }

    /// The values to choose from and what each means, where it is a choice.
    pub(crate) fn choices(&self) -> Vec<(String, String)> {
        let choices = if self.arity() == Arity::Switch { Vec::new() } else { self.arg.get_possible_values() };
        let help =
            |choice: &clap::builder::PossibleValue| choice.get_help().map(ToString::to_string).unwrap_or_default();
        choices.iter().map(|choice| (choice.get_name().to_owned(), help(choice))).collect()
    }

    /// Its default as one could write it; `None` where it depends, or is to have no value at all.
    pub(crate) fn default(&self) -> Option<&str> {
        match self.arity() {
            Arity::Switch => Some("false"),
            _ => self.arg.get_default_values().first().and_then(|value| value.to_str()),
        }
    }

    /// Its default in words.
    pub(crate) fn default_in_words(&self) -> String {
        match (self.default(), self.summary().split_once(DEFAULT)) {
            (Some(_), _) if self.arity() == Arity::Switch => "off".to_owned(),
            (Some(default), _) => default.to_owned(),
            (None, Some((_, rest))) => rest.trim_end_matches(']').to_owned(),
            (None, None) => "none".to_owned(),
        }
    }

    /// What it is for, without its default and its cost.
    pub(crate) fn meaning(&self) -> String {
        let summary = self.summary();
        summary.split_once(DEFAULT).map_or(&*summary, |(meaning, _)| meaning.trim_end()).to_owned()
    }

    /// What it costs.
    pub(crate) fn cost(&self) -> String {
        let long = self.arg.get_long_help().map(ToString::to_string).unwrap_or_default();
        long.split_once("\n\nCost: ").map(|(_, cost)| cost.to_owned()).unwrap_or_default()
    }

    fn summary(&self) -> String {
        self.arg.get_help().map(ToString::to_string).unwrap_or_default()
    }

    /// Would the flag take this value?
    ///
    /// # Errors
    /// Why not, and what is expected.
    pub(crate) fn check(&self, value: &str) -> Result<(), String> {
        let arg = self.arg.clone().env(Resettable::Reset);
        let command = Command::new("file").no_binary_name(true).arg(arg);
        let Err(error) = command.try_get_matches_from([format!("--{}={value}", self.key())]) else {
            return Ok(());
        };
        if let Some(reason) = error.source() {
            return Err(reason.to_string());
        }
        match error.get(ContextKind::ValidValue) {
            Some(ContextValue::Strings(choices)) => Err(format!("expected {}", any_of(choices))),
            _ => Err("it is empty; expected a value".to_owned()),
        }
    }
}

/// How the help tells of a default that is not one value.
const DEFAULT: &str = "[default: ";

/// `a, b or c`.
fn any_of(names: &[String]) -> String {
    match names {
        [] => String::new(),
        [only] => only.clone(),
        [first @ .., last] => format!("{} or {last}", first.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn setting(key: &str) -> Setting {
        Setting::all().into_iter().find(|setting| setting.key() == key).expect(key)
    }

    #[test]
    fn a_setting_tells_all_that_the_help_does() {
        let heartbeat = setting("heartbeat");
        assert_eq!((&*heartbeat.table(), heartbeat.variable()), ("streams", "TIDINGS_HEARTBEAT"));
        assert_eq!((heartbeat.arity(), heartbeat.value_name()), (Arity::One, Some("DURATION")));
        assert_eq!((heartbeat.default(), &*heartbeat.default_in_words()), (Some("15s"), "15s"));
        assert!(heartbeat.meaning().starts_with("How long after"), "{}", heartbeat.meaning());
        assert!(heartbeat.cost().starts_with("one packet"), "{}", heartbeat.cost());

        let bytes = setting("history-bytes");
        assert_eq!((bytes.default(), &*bytes.default_in_words()), (None, "1GiB with --data, 64MiB with --memory"));
        assert!(!bytes.meaning().contains('['), "{}", bytes.meaning());

        let open = setting("open");
        assert_eq!((open.arity(), open.default(), open.value_name()), (Arity::Switch, Some("false"), None));
        assert_eq!(setting("listen").arity(), Arity::Many);
        let modes: Vec<_> = setting("durability").choices().into_iter().map(|(name, _)| name).collect();
        assert_eq!(modes, ["sync", "relaxed"]);
    }

    #[test]
    fn a_value_is_judged_as_the_flag_judges_it() {
        let check = |key: &str, value: &str, want: &str| match setting(key).check(value) {
            Ok(()) => assert_eq!(want, "", "{key} = {value:?}"),
            Err(reason) => assert!(!want.is_empty() && reason.contains(want), "{key} = {value:?}: {reason}"),
        };
        check("heartbeat", "5s", "");
        check("heartbeat", "0", "");
        check("heartbeat", "15", "expected a whole number and its unit");
        check("heartbeat", "", "expected");
        check("listen", "127.0.0.1:0", "");
        check("listen", "localhost", "expected an IP address and a port");
        check("durability", "relaxed", "");
        check("durability", "none", "expected sync or relaxed");
        check("log-level", "inof", "expected off, error");
        check("history-events", "-1", "expected a whole number from 0");
        check("data", "/var/lib/tidings", "");
        check("data", "", "expected");
    }
}
