//! What an attack is, as words of a command line.

use std::net::SocketAddrV4;
use std::time::Duration;

use thiserror::Error;

/// An attack on a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attack {
    /// What is done.
    pub kind: Kind,
    /// Where the server is.
    pub address: SocketAddrV4,
    /// The target of each request; `{n}` is a number of its own for each.
    pub path: String,
    /// How many connections.
    pub count: usize,
    /// How many bytes each sends at once: of a head, a body, an event.
    pub bytes: usize,
    /// How long.
    pub time: Duration,
}

/// What an attacker does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Connects and says nothing.
    Silent,
    /// Sends a head that never ends, a byte now and then.
    Heads,
    /// Sends a body that never ends, a byte now and then.
    Bodies,
    /// Publishes to a topic of its own each time, as fast as it is answered.
    Topics,
    /// Publishes large events, as fast as it is answered.
    Publishes,
    /// Subscribes to a topic of its own on each connection, and reads.
    Selectors,
    /// Subscribes and never reads.
    Readers,
    /// No attack: publishes on a new connection each time, at a steady pace, and says how that went.
    Newcomers,
}

/// The words are no attack.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{got:?}: expected {expected}")]
pub struct AttackError {
    got: String,
    expected: &'static str,
}

const WORDS: &str = "KIND ADDRESS PATH COUNT BYTES SECONDS";

impl Kind {
    const ALL: [Self; 8] = [
        Self::Silent,
        Self::Heads,
        Self::Bodies,
        Self::Topics,
        Self::Publishes,
        Self::Selectors,
        Self::Readers,
        Self::Newcomers,
    ];

    /// As the command line calls it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Silent => "silent",
            Self::Heads => "heads",
            Self::Bodies => "bodies",
            Self::Topics => "topics",
            Self::Publishes => "publishes",
            Self::Selectors => "selectors",
            Self::Readers => "readers",
            Self::Newcomers => "newcomers",
        }
    }
}

impl Attack {
    /// The attack that these words are: `KIND ADDRESS PATH COUNT BYTES SECONDS`.
    ///
    /// # Errors
    /// The first word that is wrong.
    pub fn parse(words: &[String]) -> Result<Self, AttackError> {
        let fault = |got: &String, expected| AttackError { got: got.clone(), expected };
        let [kind, address, path, count, bytes, seconds] = words else {
            return Err(AttackError { got: words.join(" "), expected: WORDS });
        };
        let kind = Kind::ALL
            .into_iter()
            .find(|known| known.name() == kind)
            .ok_or_else(|| fault(kind, "silent, heads, bodies, topics, publishes, selectors, readers or newcomers"))?;
        let in_bounds = |raw: &String, max: usize| raw.parse().ok().filter(|number| *number <= max);
        Ok(Self {
            kind,
            address: address.parse().map_err(|_| fault(address, "an IPv4 address and a port"))?,
            path: path.clone(),
            count: in_bounds(count, COUNT_MAX).ok_or_else(|| fault(count, "up to 100,000 connections"))?,
            bytes: in_bounds(bytes, BYTES_MAX).ok_or_else(|| fault(bytes, "up to 64 MiB in bytes"))?,
            time: in_bounds(seconds, SECONDS_MAX)
                .map(|seconds| Duration::from_secs(seconds as u64))
                .ok_or_else(|| fault(seconds, "up to 600 seconds"))?,
        })
    }

    /// The words that this attack is.
    pub fn to_words(&self) -> [String; 6] {
        [
            self.kind.name().to_owned(),
            self.address.to_string(),
            self.path.clone(),
            self.count.to_string(),
            self.bytes.to_string(),
            self.time.as_secs().to_string(),
        ]
    }

    /// The target of the request with this number.
    pub(super) fn target(&self, number: u64) -> String {
        self.path.replace("{n}", &number.to_string())
    }
}

const COUNT_MAX: usize = 100_000;
const BYTES_MAX: usize = 64 * 1024 * 1024;
const SECONDS_MAX: usize = 600;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attack_is_the_words_it_gives() {
        for kind in Kind::ALL {
            let attack = Attack {
                kind,
                address: "127.0.0.1:80".parse().expect("an address"),
                path: "/events/{n}".to_owned(),
                count: 7,
                bytes: 0,
                time: Duration::from_secs(9),
            };
            assert_eq!(Attack::parse(&attack.to_words()).as_ref(), Ok(&attack));
            assert_eq!(attack.target(12), "/events/12");
        }
    }

    #[test]
    fn words_that_are_no_attack_are_named() {
        for (words, got) in [
            ("", ""),
            ("silent 127.0.0.1:1 /", "silent 127.0.0.1:1 /"),
            ("loud 127.0.0.1:1 / 1 1 1", "loud"),
            ("silent localhost / 1 1 1", "localhost"),
            ("silent 127.0.0.1:1 / 100001 1 1", "100001"),
            ("silent 127.0.0.1:1 / 1 1 601", "601"),
        ] {
            let words: Vec<_> = words.split_whitespace().map(str::to_owned).collect();
            assert_eq!(Attack::parse(&words).expect_err("no attack").got, got);
        }
    }
}
