//! What was given of a hub's settings, and by what: a flag counts before its variable, a variable before the file, the
//! file before the default.
//!
//! clap knows flags, variables and defaults. The file comes between them, so what was given is gathered here as words of
//! a command line, which clap reads once more.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;

use clap::builder::Resettable;
use clap::parser::ValueSource;
use clap::{ArgMatches, Args, Command, FromArgMatches};
use thiserror::Error;
use tidings_core::TopicBounds;

use super::file::{ConfigFile, FileError};
use super::flags::HubFlags;
use super::mercure;
use super::settings::{Arity, Setting};
use crate::exit::Failure;

/// The flags and variables that a hub was given; its file is not read yet.
#[derive(Clone, Debug)]
pub(crate) struct Given {
    config: Option<PathBuf>,
    values: Vec<GivenValue>,
}

/// All that was decided about a hub.
#[derive(Clone, Debug)]
pub(crate) struct HubSettings {
    /// Everything that has a flag.
    pub(crate) flags: HubFlags,
    /// The `[[history]]` tables of the file.
    pub(crate) topic_bounds: Vec<TopicBounds>,
    /// What was given for each key, as it was written, but for secrets. What is not here has its default.
    pub(crate) written: BTreeMap<String, String>,
}

#[derive(Clone, Debug)]
struct GivenValue {
    setting: Setting,
    source: Source,
    /// A switch has `true` or `false`.
    values: Vec<OsString>,
}

/// What gave a value; the later ones count first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Source {
    /// Mercure's, in place of the hub's own.
    Default,
    File,
    Variable,
    Flag,
}

/// Why what was given makes no settings. Whoever gave it can mend it.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(crate) enum SettingsError {
    #[error(transparent)]
    File(#[from] FileError),
    #[error("{memory} and {data} were both given; expected one place for the history")]
    TwoPlaces {
        /// As it was given.
        memory: String,
        /// As it was given.
        data: String,
    },
    #[error("{0}")]
    ServerName(String),
    #[error("{0}")]
    Unread(String),
}

impl From<SettingsError> for Failure {
    fn from(error: SettingsError) -> Self {
        Self::usage(error)
    }
}

#[derive(Args, Debug)]
#[command(next_help_heading = "Configuration")]
struct FileFlag {
    /// File with settings, as `tidings config default` prints it; a flag or its variable counts before it
    #[arg(long, env = "TIDINGS_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
}

impl Args for Given {
    fn augment_args(command: Command) -> Command {
        HubFlags::augment_args(FileFlag::augment_args(command))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for Given {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let config = FileFlag::from_arg_matches(matches)?.config;
        let given = Setting::all().into_iter().filter_map(|setting| {
            let source = match matches.value_source(setting.id())? {
                ValueSource::CommandLine => Source::Flag,
                ValueSource::EnvVariable => Source::Variable,
                _ => return None,
            };
            let values: Vec<_> = match setting.arity() {
                Arity::Switch => vec![matches.get_flag(setting.id()).to_string().into()],
                Arity::One | Arity::Many => matches.get_raw(setting.id())?.map(ToOwned::to_owned).collect(),
            };
            // A container's file often sets a variable to nothing. A flag that is nothing is a slip, and the hub would be open.
            if setting.is_secret() && source == Source::Variable && values.iter().all(|value| value.is_empty()) {
                return None;
            }
            Some(GivenValue { setting, source, values })
        });
        Ok(Self { config, values: given.collect() })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Given {
    /// Reads the file, if there is one, and puts everything together.
    ///
    /// # Errors
    /// [`SettingsError`] when the file is not good, or two places were given for the history.
    pub(crate) fn settle(self) -> Result<HubSettings, SettingsError> {
        let Self { config, values } = self;
        let file = config.map(|path| ConfigFile::read(&path)).transpose()?;
        settle(values, file.unwrap_or_default(), mercure::from_environment)
    }

    /// What a file says by itself.
    ///
    /// # Errors
    /// As [`settle`](Self::settle).
    pub(crate) fn by_file_alone(file: ConfigFile) -> Result<HubSettings, SettingsError> {
        settle(Vec::new(), file, |_| None)
    }
}

/// `variable` answers Mercure's variables.
fn settle(
    values: Vec<GivenValue>,
    mut file: ConfigFile,
    variable: impl Fn(&str) -> Option<OsString>,
) -> Result<HubSettings, SettingsError> {
    let mut given = BTreeMap::new();
    for setting in Setting::all() {
        if let Some(texts) = file.values.remove(setting.key()) {
            let values = texts.into_iter().map(OsString::from).collect();
            given.insert(setting.key().to_owned(), GivenValue { setting, source: Source::File, values });
        }
    }
    // Those of variables and flags take the places of those before.
    for (key, name) in mercure::VARIABLES {
        put(&mut given, key, Source::Variable, variable(name).into_iter().collect());
    }
    given.extend(values.into_iter().map(|value| (value.setting.key().to_owned(), value)));
    choose_place(&mut given)?;
    if given.get("mercure-compat").is_some_and(GivenValue::is_on) {
        take_mercure_defaults(&mut given, variable(mercure::SERVER_NAME))?;
    }

    let written = given.iter().filter(|(_, value)| !value.setting.is_secret());
    let written = written.map(|(key, value)| (key.clone(), value.text())).collect();
    let command = HubFlags::augment_args(Command::new("tidings").no_binary_name(true));
    // The variables were read before; now they would count before the file once more.
    let command = command.mut_args(|arg| arg.env(Resettable::Reset));
    let matches = command.try_get_matches_from(given.values().flat_map(GivenValue::words));
    let flags = matches.and_then(|matches| HubFlags::from_arg_matches(&matches));
    let flags = flags.map_err(|error| SettingsError::Unread(error.to_string()))?;
    Ok(HubSettings { flags, topic_bounds: file.topic_bounds, written })
}

/// What Mercure would do where nothing was decided.
fn take_mercure_defaults(
    given: &mut BTreeMap<String, GivenValue>,
    server_name: Option<OsString>,
) -> Result<(), SettingsError> {
    for (key, value) in mercure::DEFAULTS {
        if !given.contains_key(key) {
            put(given, key, Source::Default, vec![value.into()]);
        }
    }
    if let (Some(name), false) = (server_name, given.contains_key("listen")) {
        let addresses = mercure::addresses_of(&name.to_string_lossy()).map_err(SettingsError::ServerName)?;
        put(given, "listen", Source::Default, addresses.into_iter().map(OsString::from).collect());
    }
    Ok(())
}

/// Gives a setting these values, if there are any.
fn put(given: &mut BTreeMap<String, GivenValue>, key: &str, source: Source, values: Vec<OsString>) {
    let setting = Setting::all().into_iter().find(|setting| setting.key() == key);
    if let (Some(setting), false) = (setting, values.is_empty()) {
        given.insert(key.to_owned(), GivenValue { setting, source, values });
    }
}

/// A flag for one place counts before a variable for the other, and so on; two by the same are one too many.
fn choose_place(given: &mut BTreeMap<String, GivenValue>) -> Result<(), SettingsError> {
    let (Some(memory), Some(data)) = (given.get("memory").filter(|memory| memory.is_on()), given.get("data")) else {
        return Ok(());
    };
    if memory.source == data.source {
        return Err(SettingsError::TwoPlaces { memory: memory.to_string(), data: data.to_string() });
    }
    let loser = if memory.source < data.source { "memory" } else { "data" };
    given.remove(loser);
    Ok(())
}

impl GivenValue {
    fn is_on(&self) -> bool {
        self.values.iter().any(|value| value == "true")
    }

    /// Its values, with commas.
    fn text(&self) -> String {
        self.values.iter().map(|value| value.to_string_lossy()).collect::<Vec<_>>().join(",")
    }

    /// As on a command line.
    fn words(&self) -> Vec<OsString> {
        let flag = format!("--{}", self.setting.key());
        match self.setting.arity() {
            Arity::Switch if self.is_on() => vec![flag.into()],
            Arity::Switch => Vec::new(),
            Arity::One | Arity::Many => self
                .values
                .iter()
                .map(|value| {
                    let mut word = OsString::from(format!("{flag}="));
                    word.push(value);
                    word
                })
                .collect(),
        }
    }
}

impl fmt::Display for GivenValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let setting = &self.setting;
        match self.source {
            Source::Flag => write!(f, "--{}", setting.key()),
            Source::Variable => write!(f, "{}", setting.variable()),
            Source::File => write!(f, "{} in [{}]", setting.key(), setting.table()),
            Source::Default => write!(f, "the default of {}", setting.key()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// What flags and a file give together. Variables are tested from outside: they belong to the whole process.
    fn settled(words: &[&str], file: &str) -> Result<HubSettings, SettingsError> {
        settled_with(words, file, |_| None)
    }

    fn settled_with(
        words: &[&str],
        file: &str,
        variable: impl Fn(&str) -> Option<OsString>,
    ) -> Result<HubSettings, SettingsError> {
        let command = Given::augment_args(Command::new("hub").no_binary_name(true));
        let matches = command.try_get_matches_from(words).expect("good flags");
        let given = Given::from_arg_matches(&matches).expect("good flags");
        settle(given.values, ConfigFile::parse(file).expect("a good file"), variable)
    }

    fn flags(words: &[&str], file: &str) -> HubFlags {
        settled(words, file).expect("good settings").flags
    }

    #[test]
    fn a_flag_counts_before_the_file_and_the_file_before_the_default() {
        let file =
            "[streams]\nheartbeat = \"1s\"\nretry = \"3s\"\n[listening]\nlisten = [\"127.0.0.1:1\", \"[::1]:2\"]";
        let both = flags(&["--heartbeat=2s"], file);
        assert_eq!((both.streams.heartbeat, both.streams.retry), (Duration::from_secs(2), Duration::from_secs(3)));
        assert_eq!((both.listening.listen.len(), both.listening.drain), (2, Duration::from_secs(10)));
        let listen = flags(&["--listen=127.0.0.1:3"], file).listening.listen;
        assert_eq!(listen, ["127.0.0.1:3".parse().expect("an address")], "a list takes the place of a list");
        let neither = flags(&[], "");
        assert_eq!(neither.streams.heartbeat, Duration::from_secs(15));
    }

    #[test]
    fn a_switch_of_the_file_is_on_or_off() {
        assert!(flags(&[], "[access]\nopen = true").access.open);
        assert!(!flags(&[], "[access]\nopen = false").access.open);
        assert!(flags(&["--open"], "[access]\nopen = false").access.open);
    }

    const DATA: &str = "[store]\ndata = \"d\"";
    const MEMORY: &str = "[store]\nmemory = true";

    #[test]
    fn the_history_has_one_place() {
        let check = |words: &[&str], file: &str, want: Result<(bool, Option<&str>), &str>| {
            let got = settled(words, file);
            let got = got.map(|settings| (settings.flags.store.memory, settings.flags.store.data));
            match (got, want) {
                (Ok((memory, data)), Ok((want_memory, want_data))) => {
                    assert_eq!((memory, data), (want_memory, want_data.map(PathBuf::from)), "{words:?} {file}");
                }
                (Err(error), Err(want)) => assert!(error.to_string().contains(want), "{words:?} {file}: {error}"),
                (got, want) => panic!("{words:?} {file}: {got:?}, expected {want:?}"),
            }
        };
        check(&[], "", Ok((false, None)));
        check(&["--data=c"], "", Ok((false, Some("c"))));
        check(&["--data=c"], DATA, Ok((false, Some("c"))));
        check(&["--data=c"], MEMORY, Ok((false, Some("c"))));
        check(&["--memory"], DATA, Ok((true, None)));
        check(&[], DATA, Ok((false, Some("d"))));
        check(&[], "[store]\ndata = \"d\"\nmemory = false", Ok((false, Some("d"))));
        check(&["--memory", "--data=c"], "", Err("--memory and --data were both given"));
        check(&[], "[store]\ndata = \"d\"\nmemory = true", Err("memory in [store] and data in [store]"));
    }

    #[test]
    fn tables_for_topics_come_with_the_settings() {
        let settings = settled(&[], "[[history]]\ntopics = \"a\"\nevents = 2").expect("good settings");
        assert_eq!(settings.topic_bounds.len(), 1);
    }

    const MERCURE: &str = "[access]\nmercure-compat = true";

    #[test]
    fn a_variable_of_mercure_counts_before_the_file_and_after_all_of_ours() {
        let mercure = |name: &str| match name {
            "MERCURE_PUBLISHER_JWT_KEY" => Some("of mercure".into()),
            "MERCURE_PUBLISHER_JWT_ALG" => Some("HS512".into()),
            _ => None,
        };
        let key = |words: &[&str], file: &str| {
            let access = settled_with(words, file, mercure).expect("good settings").flags.access;
            let key = access.publisher_jwt_key.map(|key| key.read().expect("a text"));
            (key.unwrap_or_default(), access.publisher_jwt_alg.to_string())
        };
        let of_file = "[access]\npublisher-jwt-key = \"of the file\"";
        assert_eq!(key(&[], of_file), ("of mercure".to_owned(), "HS512".to_owned()));
        assert_eq!(key(&["--publisher-jwt-key=of a flag"], of_file).0, "of a flag");
    }

    #[test]
    fn with_mercures_defaults_the_rest_counts_as_ever() {
        let server_name = |name: &str| (name == "SERVER_NAME").then(|| ":8080".into());
        let check = |words: &[&str], file: &str, heartbeat: u64, listen: &str| {
            let flags = settled_with(words, file, server_name).expect("good settings").flags;
            let got = (flags.streams.heartbeat, flags.listening.listen[0].to_string());
            assert_eq!(got, (Duration::from_secs(heartbeat), listen.to_owned()), "{words:?} {file}");
        };
        check(&[], "", 15, "127.0.0.1:3000");
        check(&["--mercure-compat"], "", 40, "0.0.0.0:8080");
        check(&[], MERCURE, 40, "0.0.0.0:8080");
        check(&["--heartbeat=1s", "--listen=[::1]:1"], MERCURE, 1, "[::1]:1");
        check(&["--mercure-compat"], "[streams]\nheartbeat = \"3s\"", 3, "0.0.0.0:8080");
        let wrong = settled_with(&["--mercure-compat"], "", |name| (name == "SERVER_NAME").then(|| ":x".into()));
        assert!(wrong.expect_err("no port").to_string().contains("SERVER_NAME"));
    }
}
