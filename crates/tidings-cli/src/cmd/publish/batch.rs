//! Many events over one connection: lines are sent as they come, and their answers are read at the same time.
//!
//! Lines that were sent and not answered are kept. When the connection is lost they are sent again over the next one,
//! with the keys by which the hub knows what it has already.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::CONTENT_TYPE;
use http::{Method, Response, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use memchr::memchr;
use serde::Deserialize;
use tidings::Topic;
use tokio::io::AsyncRead;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until};

use super::EventFlags;
use super::bar::Bar;
use super::input::{Input, InputEnd};
use super::keys::Keys;
use super::line::LineWriter;
use super::outage::Outage;
use super::queue::Queue;
use crate::cmd::remote::{RemoteFlags, with_advice};
use crate::exit::Failure;
use crate::http_client::{self, ChannelBody, HttpError, Problem, with_causes};
use crate::say::{Reader, Results};
use crate::units;

/// Publishes each line of stdin; prints an id for each, and errors on stderr.
///
/// # Errors
/// A [`Failure`] when a line was refused, the hub is not there or gone for too long, or stdin cannot be read to its end.
pub(super) async fn publish(topic: &Topic, event: &EventFlags, remote: &RemoteFlags) -> Result<(), Failure> {
    let keys = Keys::new(event.idempotency_key.as_deref(), Instant::now().into_std());
    let lines = LineWriter::new(topic, event, keys.name().to_owned());
    let input = Input { stdin: tokio::io::stdin(), lines, keys, ends_topic: event.end, read: 0, end: None };
    let answers = Answers { accepted: 0, refused: 0, results: Results::new(), bar: Bar::new() };
    Batch { input, queue: Queue::default(), answers, outage: Outage::default() }.publish(remote).await
}

/// A stdin on its way to a hub.
struct Batch<R> {
    input: Input<R>,
    queue: Queue,
    answers: Answers,
    outage: Outage,
}

/// How a connection ended.
enum Over {
    /// Everything is answered.
    Done,
    /// Nobody reads the ids.
    NobodyReads,
    /// It may go on over another one.
    Lost { why: String, after: Option<Duration> },
}

impl<R: AsyncRead + Unpin> Batch<R> {
    async fn publish(mut self, remote: &RemoteFlags) -> Result<(), Failure> {
        loop {
            match self.send(remote).await? {
                Over::NobodyReads => return Ok(()),
                Over::Done => return self.judge(),
                Over::Lost { why, after } => {
                    let answered = self.queue.answered();
                    if !self.queue.rewind() {
                        return Err(Failure::running(format!(
                            "the connection broke after {answered} answers: {why}; what was sent after them may be \
                             published or not: give --idempotency-key to let every line be sent twice and published once"
                        )));
                    }
                    let wait = self.outage.wait(answered, after).ok_or_else(|| {
                        Failure::running(format!("gave up after {answered} answers: {why}; all before was published"))
                    })?;
                    self.answers.bar.note(format_args!("{why}; trying again in {:.1} s", wait.as_secs_f64()));
                    sleep(wait).await;
                }
            }
        }
    }

    /// Sends over one connection what there is to be sent, until it ends.
    async fn send(&mut self, remote: &RemoteFlags) -> Result<Over, Failure> {
        let (chunks, body) = ChannelBody::new();
        let mut chunks = Some(chunks);
        let target = remote.hub.below("/events");
        let request = http_client::request(Method::POST, &remote.hub, &target, remote.token.as_ref())
            .header(CONTENT_TYPE, "application/x-ndjson")
            .body(body)
            .expect("the target is a path and the headers are checked");
        let mut asking = std::pin::pin!(http_client::send(&remote.hub, request));
        let mut answering: Option<Answering> = None;
        let mut silent_since = Instant::now();
        loop {
            if self.input.end.is_some() && !self.queue.has_unsent() {
                chunks = None; // the end of the body
            }
            tokio::select! {
                answer = &mut asking, if answering.is_none() => match self.on_head(answer).await? {
                    Ok(body) => answering = Some(Answering { body, unfinished: BytesMut::new() }),
                    Err(lost) => return Ok(lost),
                },
                line = next_line(&mut answering), if answering.is_some() => {
                    let over = match line {
                        Ok(Some(line)) => self.answers.take(&line, &mut self.queue),
                        Ok(None) => Some(self.on_end()),
                        Err(why) => Some(Over::Lost { why, after: None }),
                    };
                    self.answers.bar.show(self.input.read, self.answers.accepted);
                    // Not while the next answer is at hand.
                    let is_idle = over.is_some() || answering.as_ref().is_some_and(Answering::has_no_line);
                    if is_idle && self.answers.results.flush().await? == Reader::Gone {
                        return Ok(Over::NobodyReads);
                    }
                    if let Some(over) = over {
                        return Ok(over);
                    }
                }
                // With nothing to say it tells the hub, by white space before an object, that there is still somebody.
                permit = permit(chunks.as_ref(), self.queue.has_unsent(), silent_since), if chunks.is_some() => {
                    match permit {
                        Ok(permit) => drop(permit.send(self.queue.send_or(b" "))),
                        Err(_) => chunks = None, // the connection has ended: its answer tells why
                    }
                    silent_since = Instant::now();
                }
                read = self.input.read(), if self.input.end.is_none() && !self.queue.is_full() => {
                    self.input.take(read, &mut self.queue);
                }
            }
        }
    }

    /// The body of an answer that is one. A refusal ends it, unless it is the hub that comes back.
    async fn on_head(&self, answer: Result<Response<Incoming>, HttpError>) -> Result<Result<Incoming, Over>, Failure> {
        let has_begun = self.outage.has_begun || self.queue.answered() > 0;
        match answer {
            Ok(response) if response.status() == StatusCode::OK => Ok(Ok(response.into_body())),
            Ok(refusal) => {
                let problem = Problem::read(refusal).await;
                if has_begun && problem.is_temporary() {
                    return Ok(Err(Over::Lost { why: problem.to_string(), after: problem.retry_after() }));
                }
                Err(Failure::running(format!("the hub refused: {problem}{}", self.so_far())))
            }
            Err(error) if has_begun => Ok(Err(Over::Lost { why: error.to_string(), after: None })),
            Err(error) => Err(Failure::running(with_advice(&error))),
        }
    }

    fn on_end(&self) -> Over {
        if self.input.end.is_some() && self.queue.is_empty() {
            return Over::Done;
        }
        Over::Lost { why: "the hub ended the connection".to_owned(), after: None }
    }

    fn judge(&self) -> Result<(), Failure> {
        let Answers { accepted, refused, .. } = self.answers;
        if let Some(InputEnd::Fault(fault)) = &self.input.end {
            return Err(Failure::running(format!("{fault}{}", self.so_far())));
        }
        if refused == 0 {
            return Ok(());
        }
        let (lines, were) = (accepted + refused, if refused == 1 { "was" } else { "were" });
        Err(Failure::running(format!("{refused} of {lines} lines {were} not published")))
    }

    fn so_far(&self) -> String {
        if self.queue.answered() == 0 {
            return String::new();
        }
        format!("; {} published before", units::some(self.answers.accepted, "line"))
    }
}

/// A place for a chunk: for what is to be sent at once, else after a while of silence.
async fn permit(
    chunks: Option<&mpsc::Sender<Bytes>>,
    has_unsent: bool,
    silent_since: Instant,
) -> Result<mpsc::OwnedPermit<Bytes>, mpsc::error::SendError<()>> {
    let chunks = chunks.ok_or(mpsc::error::SendError(()))?;
    if !has_unsent {
        tokio::select! {
            () = sleep_until(silent_since + IDLE) => {}
            () = chunks.closed() => return Err(mpsc::error::SendError(())),
        }
    }
    chunks.clone().reserve_owned().await
}

/// How long stdin may be silent before the hub is told that somebody is there: a third of the time it waits for a body.
const IDLE: Duration = Duration::from_secs(10);

/// An answer while it comes.
struct Answering {
    body: Incoming,
    unfinished: BytesMut,
}

impl Answering {
    fn has_no_line(&self) -> bool {
        memchr(b'\n', &self.unfinished).is_none()
    }
}

/// The next line of the answer; `None` at its end. May be dropped in the middle.
async fn next_line(answering: &mut Option<Answering>) -> Result<Option<Bytes>, String> {
    let Some(Answering { body, unfinished }) = answering else { return std::future::pending().await };
    loop {
        if let Some(end) = memchr(b'\n', unfinished) {
            return Ok(Some(unfinished.split_to(end + 1).freeze()));
        }
        if unfinished.len() > ANSWER_BYTES_MAX {
            return Err("a line of the answer has no end".to_owned());
        }
        match body.frame().await.map(|frame| frame.map(hyper::body::Frame::into_data)) {
            None => return Ok(None),
            Some(Ok(Ok(data))) => unfinished.extend_from_slice(&data),
            Some(Ok(Err(_trailers))) => {}
            Some(Err(error)) => return Err(format!("the connection broke: {}", with_causes(&error))),
        }
    }
}

/// More than any answer to one line has.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// What the hub said of the lines.
struct Answers {
    accepted: u64,
    refused: u64,
    results: Results,
    bar: Bar,
}

/// One line of the answer.
#[derive(Deserialize)]
#[serde(untagged)]
enum Answer {
    Accepted {
        id: String,
    },
    Refused {
        error: String,
        #[serde(default)]
        field: String,
    },
}

impl Answers {
    /// Takes one line of the answer. An id goes to the results, an error to stderr.
    fn take(&mut self, line: &[u8], queue: &mut Queue) -> Option<Over> {
        let answer = serde_json::from_slice(line);
        if let Ok(Answer::Refused { error, field }) = &answer
            && field == "body"
        {
            return Some(Over::Lost { why: error.clone(), after: None }); // no answer to a line, but the end of them
        }
        let Some(number) = queue.answer() else {
            return Some(Over::Lost { why: "the hub answers more than it was asked".to_owned(), after: None });
        };
        match answer {
            Ok(Answer::Accepted { id }) => {
                self.accepted += 1;
                self.results.add(&id);
            }
            Ok(Answer::Refused { error, .. }) => {
                self.refused += 1;
                self.bar.note(format_args!("line {number}: {error}"));
            }
            Err(_) => {
                self.refused += 1;
                let text = String::from_utf8_lossy(line);
                self.bar
                    .note(format_args!("line {number}: an answer that is none: {}", text.trim_end().escape_debug()));
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answers() -> Answers {
        Answers { accepted: 0, refused: 0, results: Results::new(), bar: Bar::new() }
    }

    /// The clock is the test's.
    #[tokio::test(start_paused = true)]
    async fn a_silent_input_is_told_from_a_dead_one() {
        let (chunks, mut body) = mpsc::channel(2);
        let begin = Instant::now();
        let place = permit(Some(&chunks), false, begin).await.expect("the body is there");
        assert_eq!(begin.elapsed().as_secs(), IDLE.as_secs());
        drop(place.send(Queue::default().send_or(b" ")));
        assert_eq!(body.recv().await.as_deref(), Some(&b" "[..]));
        drop(body);
        assert!(permit(Some(&chunks), false, begin).await.is_err());
    }

    #[tokio::test]
    async fn an_answer_is_an_id_or_an_error_for_the_next_line() {
        let (mut answers, mut queue) = (answers(), Queue::default());
        (0..3).for_each(|_| queue.push(b"{}\n".to_vec(), true));
        queue.send();
        let lines = ["{\"id\":\"a-1\"}\n", "{\"error\":\"too long\",\"line\":2,\"field\":\"data\"}\n", "<html>\n"];
        assert!(lines.iter().all(|line| answers.take(line.as_bytes(), &mut queue).is_none()));
        assert_eq!((answers.accepted, answers.refused, queue.is_empty()), (1, 2, true));
        assert!(answers.take(b"{\"id\":\"a-2\"}\n", &mut queue).is_some(), "nothing was asked");
        queue.push(b"{}\n".to_vec(), true);
        queue.send();
        let over = answers.take(b"{\"error\":\"the body broke off\",\"line\":4,\"field\":\"body\"}\n", &mut queue);
        assert!(matches!(over, Some(Over::Lost { .. })));
        assert!(!queue.is_empty(), "it was not an answer to the line");
    }
}
