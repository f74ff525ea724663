//! What the parts of a history are called: publications, readers, and the connections of a reader.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// A publication: whose, and the how-manieth of theirs. Its data begins with it. As text `p3/17`.
///
/// So a reader's event tells which publication it is, whatever id it came with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct PublicationName {
    /// The publisher.
    pub publisher: u32,
    /// Its number, in the order in which the publisher asked.
    pub number: u64,
}

/// A reader, through all its connections. As text `r4`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct ReaderName(pub u32);

/// One connection of a reader; they count from 1. As text `r4/2`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Place {
    /// The reader.
    pub reader: ReaderName,
    /// The how-manieth connection of that reader.
    pub connection: u32,
}

/// Why a text names nothing of a history.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{raw:?} is no name; expected {expected}")]
pub struct NameError {
    raw: String,
    expected: &'static str,
}

impl PublicationName {
    /// The data of this publication: its name, a space, and whatever else.
    pub fn data(self, filler: &str) -> String {
        format!("{self} {filler}")
    }

    /// The publication that some data belongs to, by its first word.
    pub fn of_data(data: &str) -> Option<Self> {
        data.split(char::is_whitespace).next()?.parse().ok()
    }
}

impl fmt::Display for PublicationName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "p{}/{}", self.publisher, self.number)
    }
}

impl fmt::Display for ReaderName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "r{}", self.0)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.reader, self.connection)
    }
}

impl FromStr for PublicationName {
    type Err = NameError;

    fn from_str(raw: &str) -> Result<Self, NameError> {
        let parse = || {
            let (publisher, number) = raw.strip_prefix('p')?.split_once('/')?;
            Some(Self { publisher: plain_number(publisher)?, number: plain_number(number)? })
        };
        parse().ok_or_else(|| NameError { raw: raw.to_owned(), expected: "a publication such as p3/17" })
    }
}

impl FromStr for ReaderName {
    type Err = NameError;

    fn from_str(raw: &str) -> Result<Self, NameError> {
        let number = raw.strip_prefix('r').and_then(plain_number);
        number.map(Self).ok_or_else(|| NameError { raw: raw.to_owned(), expected: "a reader such as r4" })
    }
}

impl FromStr for Place {
    type Err = NameError;

    fn from_str(raw: &str) -> Result<Self, NameError> {
        let parse = || {
            let (reader, connection) = raw.split_once('/')?;
            Some(Self { reader: reader.parse().ok()?, connection: plain_number(connection)? })
        };
        parse().ok_or_else(|| NameError { raw: raw.to_owned(), expected: "a reader's connection such as r4/2" })
    }
}

/// A decimal number in its one form, so that no two texts are one name.
pub(crate) fn plain_number<T: FromStr>(raw: &str) -> Option<T> {
    let is_plain = raw.bytes().all(|byte| byte.is_ascii_digit()) && (raw == "0" || !raw.starts_with('0'));
    is_plain.then(|| raw.parse().ok())?
}

/// Names stand as texts in a history.
macro_rules! as_text {
    ($($Name:ident),+) => { $(
        impl From<$Name> for String {
            fn from(name: $Name) -> Self {
                name.to_string()
            }
        }

        impl TryFrom<String> for $Name {
            type Error = NameError;

            fn try_from(raw: String) -> Result<Self, NameError> {
                raw.parse()
            }
        }
    )+ };
}
as_text!(PublicationName, ReaderName, Place);

#[cfg(test)]
mod tests {
    use super::*;

    fn check(data: &str, want: Option<(u32, u64)>) {
        let got = PublicationName::of_data(data).map(|name| (name.publisher, name.number));
        assert_eq!(got, want, "{data:?}");
    }

    #[test]
    fn data_names_its_publication_by_its_first_word() {
        check("p3/17 hello", Some((3, 17)));
        check("p3/17\nhello", Some((3, 17)));
        check("p3/17", Some((3, 17)));
        check("p3/017 hello", None);
        check("p3/+17", None);
        check("p3/ 17", None);
        check("q3/17", None);
        check("p3", None);
        check("", None);
        let name = PublicationName { publisher: 1, number: 2 };
        assert_eq!(PublicationName::of_data(&name.data("p9/9")), Some(name));
    }

    #[test]
    fn names_read_back_from_their_text() {
        let place: Place = "r4/2".parse().expect("a place");
        assert_eq!((place.reader, place.connection, place.to_string().as_str()), (ReaderName(4), 2, "r4/2"));
        for wrong in ["r4", "4/2", "r4/02", "r/1", "r4/2/1"] {
            assert!(wrong.parse::<Place>().is_err(), "{wrong:?}");
        }
    }
}
