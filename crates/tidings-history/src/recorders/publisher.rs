//! A publisher that writes down what it asks for and what becomes of it.

use std::io;
use std::time::Duration;

use serde::Deserialize;

use super::base::{Base, percent_encode};
use super::http::{Connection, Head};
use super::recorder::Recorder;
use crate::entry::{Asked, Entry, Outcome};
use crate::name::PublicationName;

/// Publishes one event after the other over a connection that it keeps, and connects again when that is lost.
#[derive(Debug)]
pub struct Publisher {
    pub(super) recorder: Recorder,
    pub(super) base: Base,
    number: u32,
    published: u64,
    pub(super) connection: Option<Connection>,
}

/// What is to be published.
#[derive(Clone, Copy, Debug)]
pub struct Wish<'a> {
    /// The topic.
    pub topic: &'a str,
    /// The type; nothing is `message`.
    pub event_type: Option<&'a str>,
    /// What follows the publication's name in the data.
    pub filler: &'a str,
    /// Give it an id of the publisher's own.
    pub has_own_id: bool,
    /// Give it an idempotency key. What gets no answer is then asked for again until it gets one.
    pub has_key: bool,
}

/// What became of a wish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// Its name.
    pub name: PublicationName,
    /// Its outcome.
    pub outcome: Outcome,
}

impl<'a> Wish<'a> {
    /// An event without a type, an id or a key.
    pub fn new(topic: &'a str, filler: &'a str) -> Self {
        Self { topic, event_type: None, filler, has_own_id: false, has_key: false }
    }
}

impl Publisher {
    /// One more publisher to a hub. It connects when it has something to send.
    pub fn new(recorder: &Recorder, base: &Base) -> Self {
        let number = recorder.add_publisher();
        Self { recorder: recorder.clone(), base: base.clone(), number, published: 0, connection: None }
    }

    /// Publishes, and waits for the answer. While there is no hub it waits for one; nothing is sent then.
    ///
    /// `None`: the recorder was stopped. Whether something was sent is in the history.
    ///
    /// # Panics
    /// When an answer with status 200 names no id.
    pub fn publish(&mut self, wish: &Wish<'_>) -> Option<Published> {
        self.ask(wish, None)
    }

    /// Sends so many bytes of the request and hangs up, as a publisher does that dies in the middle of it; all of them
    /// and waits for no answer, if the request has no more. With a key it then publishes as [`publish`](Self::publish).
    ///
    /// `None` as there.
    ///
    /// # Panics
    /// As there.
    pub fn publish_cut(&mut self, wish: &Wish<'_>, bytes: usize) -> Option<Published> {
        self.ask(wish, Some(bytes))
    }

    /// Asks once, or with a key until there is an answer. The first time it is `cut` after so many bytes, if at all.
    fn ask(&mut self, wish: &Wish<'_>, mut cut: Option<usize>) -> Option<Published> {
        let asked = self.asked(wish, 0);
        let name = asked.publication;
        let request = self.request(&asked);
        let mut is_first = true;
        loop {
            let mut connection = self.connect()?;
            self.published += u64::from(std::mem::take(&mut is_first));
            self.recorder.write(Entry::Asked(asked.clone()));
            // From the first byte on it may be stored, whatever goes wrong.
            let answer = match cut.take() {
                Some(bytes) => {
                    let sent = connection.send(&request[..bytes.min(request.len())]);
                    sent.and(Err(io::ErrorKind::ConnectionAborted.into()))
                }
                None => connection.send(&request).and_then(|()| connection.answer()),
            };
            let outcome = outcome(&answer);
            self.recorder.write(Entry::Answered { publication: name, outcome: outcome.clone() });
            if answer.is_ok_and(|(head, _)| !head.is_last) {
                self.connection = Some(connection);
            }
            if outcome != Outcome::Unknown || asked.key.is_none() {
                return Some(Published { name, outcome });
            }
        }
    }

    /// A wish, as what this publisher asks for after so many others.
    pub(super) fn asked(&self, wish: &Wish<'_>, others: u64) -> Asked {
        let name = PublicationName { publisher: self.number, number: self.published + others };
        Asked {
            publication: name,
            topic: wish.topic.to_owned(),
            id: wish.has_own_id.then(|| format!("own é {name}")),
            event_type: wish.event_type.map(str::to_owned),
            data: name.data(wish.filler).into(),
            key: wish.has_key.then(|| format!("key-{name}")),
        }
    }

    /// So many numbers are taken.
    pub(super) fn count(&mut self, asked: u64) {
        self.published += asked;
    }

    /// The connection that was kept, or a new one as soon as somebody accepts it.
    pub(super) fn connect(&mut self) -> Option<Connection> {
        if self.recorder.is_stopped() {
            return None;
        }
        if let Some(connection) = self.connection.take() {
            return Some(connection);
        }
        loop {
            match self.base.connect(PATIENCE) {
                Ok(stream) => return Some(Connection::new(stream)),
                Err(_) if self.recorder.pause(RETRY_DELAY) => {}
                Err(_) => return None,
            }
        }
    }

    fn request(&self, asked: &Asked) -> Vec<u8> {
        let parameters = [("id", &asked.id), ("type", &asked.event_type)];
        let query: Vec<_> = parameters
            .iter()
            .filter_map(|(name, value)| Some(format!("{name}={}", percent_encode(value.as_deref()?))))
            .collect();
        let separator = if query.is_empty() { "" } else { "?" };
        let key = asked.key.as_ref().map(|key| format!("Idempotency-Key: {key}\r\n")).unwrap_or_default();
        let head = format!(
            "POST {}{separator}{} HTTP/1.1\r\n{}{key}Content-Length: {}\r\n\r\n",
            self.base.channel(&asked.topic),
            query.join("&"),
            self.base.headers(),
            asked.data.len()
        );
        [head.as_bytes(), asked.data.as_bytes()].concat()
    }
}

/// What an answer says of a publication.
fn outcome(answer: &io::Result<(Head, Vec<u8>)>) -> Outcome {
    #[derive(Deserialize)]
    struct Answer {
        id: String,
    }
    match answer {
        Ok((head, body)) if head.status == 200 => {
            let answer: Answer = serde_json::from_slice(body)
                .unwrap_or_else(|error| panic!("{error} in the answer {:?}", String::from_utf8_lossy(body)));
            Outcome::Accepted(answer.id)
        }
        Ok((head, _)) => Outcome::Refused(head.status),
        Err(_) => Outcome::Unknown,
    }
}

/// How long an answer may take before its outcome is unknown.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long to wait for a hub that is not there.
const RETRY_DELAY: Duration = Duration::from_millis(5);
