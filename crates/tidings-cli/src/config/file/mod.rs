//! The configuration file: TOML, a table for each group of the flags, and `[[history]]` tables.
//!
//! Here is what may stand where. What a value may be the flags say, and `value` asks them; `bounds` reads the
//! `[[history]]` tables, `fault` tells what is wrong, `nearest` guesses what was meant.

mod bounds;
mod fault;
mod nearest;
mod value;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use tidings_core::TopicBounds;
use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use super::settings::Setting;
use bounds::BoundsReader;
use nearest::nearest;

pub(crate) use bounds::BOUNDS_KEYS;
pub(crate) use fault::{Fault, FileError};

/// What a configuration file says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ConfigFile {
    /// For each key that it has, the values of the flag; a switch has `true` or `false`.
    pub(crate) values: BTreeMap<String, Vec<String>>,
    /// Its `[[history]]` tables, in their order.
    pub(crate) topic_bounds: Vec<TopicBounds>,
}

/// A file of settings is a page or two; what is longer is something else.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

impl ConfigFile {
    /// Reads a file.
    ///
    /// # Errors
    /// [`FileError`] when it cannot be read, or holds what no hub understands: all that is wrong with it.
    pub(crate) fn read(path: &Path) -> Result<Self, FileError> {
        let unreadable = |cause: String| FileError::Unreadable { path: path.to_owned(), cause };
        let file = File::open(path).map_err(|error| unreadable(error.to_string()))?;
        let mut bytes = Vec::new();
        file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(|error| unreadable(error.to_string()))?;
        if bytes.len() as u64 > FILE_BYTES_MAX {
            return Err(unreadable("it has more than 1 MiB".to_owned()));
        }
        let text = String::from_utf8(bytes).map_err(|_| unreadable("it is not UTF-8".to_owned()))?;
        Self::parse(&text).map_err(|faults| FileError::Faulty { path: path.to_owned(), faults })
    }

    /// Reads the text of a file.
    ///
    /// # Errors
    /// All that is wrong with it, by lines.
    pub(crate) fn parse(text: &str) -> Result<Self, Vec<Fault>> {
        let (root, errors) = DeTable::parse_recoverable(text);
        let mut reader = Reader {
            text,
            settings: Setting::all(),
            file: Self::default(),
            bounds: BoundsReader::new(text),
            faults: Vec::new(),
        };
        reader.root(root.get_ref());
        let Reader { mut file, bounds, mut faults, .. } = reader;
        let (topic_bounds, bounds_faults) = bounds.finish();
        file.topic_bounds = topic_bounds;
        faults.extend(bounds_faults);

        let broken: Vec<_> = errors.iter().map(|error| broken(text, error)).collect();
        // What the parser made of a broken line says nothing more of it, and under a broken heading everything is astray.
        let is_heading = |fault: &&Fault| line(text, fault).trim_start().starts_with('[');
        let astray_from = broken.iter().filter(is_heading).map(Fault::line).min().unwrap_or(usize::MAX);
        faults.retain(|fault| fault.line() < astray_from && broken.iter().all(|broken| broken.line() != fault.line()));
        faults.extend(broken);
        faults.sort_by_key(|fault| fault.span.start);
        if faults.is_empty() { Ok(file) } else { Err(faults) }
    }
}

/// A fault of TOML itself, and what is probably behind it.
fn broken(text: &str, error: &toml::de::Error) -> Fault {
    let fault = Fault::new(text, error.span().unwrap_or_default(), error.message());
    let has_bare_value = line(text, &fault).split_once('=').is_some_and(|(_, value)| !value.contains('"'));
    if has_bare_value {
        let hint = "expected texts, durations and sizes between quotes, as in \"15s\"";
        return Fault::new(text, fault.span, format!("{}; {hint}", error.message()));
    }
    fault
}

fn line<'a>(text: &'a str, fault: &Fault) -> &'a str {
    text.lines().nth(fault.line() - 1).unwrap_or_default()
}

struct Reader<'a> {
    text: &'a str,
    settings: Vec<Setting>,
    file: ConfigFile,
    bounds: BoundsReader<'a>,
    faults: Vec<Fault>,
}

type Key<'i> = Spanned<DeString<'i>>;

impl Reader<'_> {
    fn root(&mut self, root: &DeTable<'_>) {
        for (key, value) in root {
            let name = &**key.get_ref();
            match value.get_ref() {
                DeValue::Array(tables) if name == HISTORY => {
                    for table in tables {
                        match table.get_ref() {
                            DeValue::Table(keys) => self.bounds.read(table.span(), keys),
                            _ => self.fault(table, "history is a list of tables; expected [[history]]"),
                        }
                    }
                }
                _ if name == HISTORY => self.fault(
                    key,
                    "history is a list of tables, each for some topics; expected [[history]], or for all topics together [store]",
                ),
                DeValue::Table(keys) if self.tables().any(|table| table == name) => self.table(name, keys),
                DeValue::Table(_) => self.unknown_table(key),
                _ => self.outside(key),
            }
        }
    }

    fn table(&mut self, table: &str, keys: &DeTable<'_>) {
        for (key, value) in keys {
            let name = &**key.get_ref();
            match self.settings.iter().find(|setting| setting.key() == name).map(|setting| (setting.table(), setting)) {
                Some((home, setting)) if home == table => match value::texts(setting, value) {
                    Ok(texts) => {
                        self.file.values.insert(name.to_owned(), texts);
                    }
                    Err(faults) => {
                        let text = self.text;
                        let told = faults.into_iter().map(|(span, reason)| {
                            if setting.is_secret() {
                                return Fault::new(text, span, format!("{name}: {reason}"));
                            }
                            Fault::of_value(text, span, name, &reason)
                        });
                        self.faults.extend(told);
                    }
                },
                Some((home, _)) => self.fault(key, format!("{name} stands in [{table}]; expected it in [{home}]")),
                None => self.unknown_key(table, key),
            }
        }
    }

    fn unknown_key(&mut self, table: &str, key: &Key<'_>) {
        let name = &**key.get_ref();
        let own: Vec<_> = self.settings.iter().filter(|setting| setting.table() == table).map(Setting::key).collect();
        let advice = match nearest(name, own.iter().copied()) {
            Some(meant) => format!("did you mean {meant}?"),
            None => match nearest(name, self.settings.iter().map(Setting::key)) {
                Some(meant) => format!("did you mean {meant}, in [{}]?", self.home(meant)),
                None => format!("expected {}", own.join(", ")),
            },
        };
        self.fault(key, format!("there is no key {name} in [{table}]; {advice}"));
    }

    fn unknown_table(&mut self, key: &Key<'_>) {
        let name = &**key.get_ref();
        let tables: Vec<_> = self.tables().collect();
        let advice = match nearest(name, tables.iter().map(String::as_str)) {
            Some(meant) => format!("did you mean [{meant}]?"),
            None => format!("expected [{}] or [[{HISTORY}]]", tables.join("], [")),
        };
        self.fault(key, format!("there is no table [{name}]; {advice}"));
    }

    /// A key before the first table.
    fn outside(&mut self, key: &Key<'_>) {
        let name = &**key.get_ref();
        let advice = match nearest(name, self.settings.iter().map(Setting::key)) {
            Some(meant) if meant == name => format!("expected it in [{}]", self.home(meant)),
            Some(meant) => format!("did you mean {meant}, in [{}]?", self.home(meant)),
            None => "expected keys in tables only, as `tidings config default` prints them".to_owned(),
        };
        self.fault(key, format!("{name} stands in no table; {advice}"));
    }

    /// The table of a known key.
    fn home(&self, key: &str) -> String {
        self.settings.iter().find(|setting| setting.key() == key).map(Setting::table).unwrap_or_default()
    }

    /// The tables, each once.
    fn tables(&self) -> impl Iterator<Item = String> {
        let mut tables: Vec<_> = self.settings.iter().map(Setting::table).collect();
        tables.dedup();
        tables.into_iter()
    }

    fn fault<T>(&mut self, at: &Spanned<T>, message: impl Into<String>) {
        self.faults.push(Fault::new(self.text, at.span(), message));
    }
}

/// The list of tables for topics; see `bounds`.
const HISTORY: &str = "history";

#[cfg(test)]
mod tests;
