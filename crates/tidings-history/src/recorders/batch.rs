//! Many publications in one request: NDJSON, and what became of each line.

use std::io;

use serde::{Deserialize, Serialize};

use super::http::Head;
use super::publisher::{Published, Publisher, Wish};
use crate::entry::{Asked, Entry, Outcome};

/// A line of the request.
#[derive(Debug, Serialize)]
struct Line<'a> {
    topic: &'a str,
    data: &'a str,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    event_type: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<&'a str>,
}

/// A line of the answer.
#[derive(Debug, Deserialize)]
struct Answer {
    id: Option<String>,
}

impl Publisher {
    /// Publishes all of these in one request, in this order. Nothing is asked for again, whether it has a key or not.
    ///
    /// `None` as in [`publish`](Self::publish).
    ///
    /// # Panics
    /// When a line of the answer is no JSON.
    pub fn publish_batch(&mut self, wishes: &[Wish<'_>]) -> Option<Vec<Published>> {
        let asked: Vec<_> = (0..).zip(wishes).map(|(others, wish)| self.asked(wish, others)).collect();
        let request = self.request_of_batch(&asked);
        let mut connection = self.connect()?;
        self.count(asked.len() as u64);
        for asked in &asked {
            self.recorder.write(Entry::Asked(asked.clone()));
        }
        let answer = connection.send(&request).and_then(|()| connection.answer());
        let outcomes = outcomes(&answer, asked.len());
        if answer.is_ok_and(|(head, _)| !head.is_last) {
            self.connection = Some(connection);
        }
        let published = asked.iter().zip(outcomes).map(|(asked, outcome)| {
            let name = asked.publication;
            self.recorder.write(Entry::Answered { publication: name, outcome: outcome.clone() });
            Published { name, outcome }
        });
        Some(published.collect())
    }

    fn request_of_batch(&self, asked: &[Asked]) -> Vec<u8> {
        let mut body = Vec::new();
        for asked in asked {
            let line = Line {
                topic: &asked.topic,
                data: &asked.data,
                event_type: asked.event_type.as_deref(),
                id: asked.id.as_deref(),
                key: asked.key.as_deref(),
            };
            serde_json::to_writer(&mut body, &line).expect("a Vec takes all");
            body.push(b'\n');
        }
        let head = format!(
            "POST {} HTTP/1.1\r\n{}Content-Type: application/x-ndjson\r\nContent-Length: {}\r\n\r\n",
            self.base.channels(),
            self.base.headers(),
            body.len()
        );
        [head.into_bytes(), body].concat()
    }
}

/// What an answer says of each of so many lines. Of a line without an answer nothing is known.
fn outcomes(answer: &io::Result<(Head, Vec<u8>)>, count: usize) -> Vec<Outcome> {
    let mut outcomes = match answer {
        Ok((head, body)) if head.status == 200 => {
            let lines = body.split(|&byte| byte == b'\n').filter(|line| !line.is_empty());
            lines.map(outcome).take(count).collect()
        }
        Ok((head, _)) => vec![Outcome::Refused(head.status); count],
        Err(_) => Vec::new(),
    };
    outcomes.resize(count, Outcome::Unknown);
    outcomes
}

fn outcome(line: &[u8]) -> Outcome {
    let answer: Answer = serde_json::from_slice(line)
        .unwrap_or_else(|error| panic!("{error} in the answer {:?}", String::from_utf8_lossy(line)));
    // A bad line has an error in place of its id; alone it would be answered with 400.
    answer.id.map_or(Outcome::Refused(400), Outcome::Accepted)
}

#[cfg(test)]
mod tests {
    use super::super::http::Body;
    use super::*;

    #[test]
    fn each_line_of_an_answer_is_that_of_a_publication() {
        let accepted = |id: &str| Outcome::Accepted(id.to_owned());
        let check = |status, body: &str, want: &[Outcome]| {
            let head = Head { status, is_last: false, body: Body::Over };
            assert_eq!(outcomes(&Ok((head, body.as_bytes().to_vec())), want.len()), want, "{status} {body:?}");
        };
        check(200, "{\"id\":\"a\"}\n{\"id\":\"b\"}\n", &[accepted("a"), accepted("b")]);
        check(200, "{\"error\":\"no\",\"line\":1}\n{\"id\":\"b\"}\n", &[Outcome::Refused(400), accepted("b")]);
        check(200, "{\"id\":\"a\"}\n", &[accepted("a"), Outcome::Unknown]);
        check(503, "{}", &[Outcome::Refused(503), Outcome::Refused(503)]);
        assert_eq!(outcomes(&Err(io::ErrorKind::TimedOut.into()), 1), [Outcome::Unknown]);
    }
}
