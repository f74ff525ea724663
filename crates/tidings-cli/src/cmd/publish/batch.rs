//! Many events over one connection: lines are sent as they come, and their answers are read at the same time.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::CONTENT_TYPE;
use http::{Method, StatusCode};
use http_body_util::BodyExt;
use memchr::memchr;
use serde::Deserialize;
use tidings::Topic;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::EventFlags;
use super::line::LineWriter;
use crate::cmd::remote::{RemoteFlags, with_advice};
use crate::exit::Failure;
use crate::http_client::{self, ChannelBody, HttpError, Problem, with_causes};
use crate::say::{self, Reader, Results};

/// Publishes each line of stdin; prints an id for each, and errors on stderr.
///
/// # Errors
/// A [`Failure`] when a line was refused, the hub is not there, or stdin cannot be read to its end.
pub(super) async fn publish(topic: &Topic, event: &EventFlags, remote: &RemoteFlags) -> Result<(), Failure> {
    let (chunks, body) = ChannelBody::new();
    let answering = answer(body, remote);
    let feeding = feed(tokio::io::stdin(), LineWriter::new(topic, event), event.end, chunks);
    let mut answering = std::pin::pin!(answering);

    let (fed, answers) = tokio::select! {
        // The hub said all it has to say, or nobody reads our results: the rest of stdin goes nowhere.
        answers = &mut answering => (None, answers?),
        fed = feeding => (Some(fed), answering.await?),
    };
    judge(fed, &answers)
}

/// What became of stdin.
#[derive(Debug)]
struct Fed {
    /// Lines that were handed over for sending, the end of the topic among them.
    lines: u64,
    /// Why not all of stdin was.
    fault: Option<String>,
}

/// What the hub said of the lines.
#[derive(Debug, Default, PartialEq, Eq)]
struct Answers {
    accepted: u64,
    refused: u64,
    /// The connection broke, and how.
    broke: Option<String>,
    /// Nobody reads what is printed.
    nobody_reads: bool,
}

/// Sends what stdin says, chunk by chunk, and ends the body with it.
async fn feed(
    mut stdin: impl AsyncRead + Unpin,
    mut lines: LineWriter,
    ends_topic: bool,
    chunks: mpsc::Sender<Bytes>,
) -> Fed {
    let mut fault = None;
    loop {
        lines.input().reserve(READ_BYTES);
        // `read_buf` may be dropped in the middle: what was read stays with stdin.
        let chunk = match timeout(IDLE, stdin.read_buf(lines.input())).await {
            // White space before an object is nothing, and it tells the hub that there is still somebody.
            Err(_idle) => vec![b' '],
            Ok(Ok(0)) => break,
            Ok(Ok(_)) => {
                let mut chunk = Vec::new();
                lines.write_whole(&mut chunk);
                chunk
            }
            Ok(Err(error)) => {
                fault = Some(format!("stdin cannot be read: {error}"));
                break;
            }
        };
        if lines.unfinished_len() > LINE_BYTES_MAX {
            fault = Some(format!(
                "line {} is longer than {LINE_BYTES_MAX} bytes; it and all after it were not sent",
                lines.written() + 1
            ));
            break;
        }
        if !chunk.is_empty() && chunks.send(chunk.into()).await.is_err() {
            break; // the connection has ended: the answers tell why
        }
    }
    let mut ends = 0;
    if fault.is_none() {
        let mut rest = Vec::new();
        lines.write_rest(&mut rest);
        if ends_topic {
            lines.write_end(&mut rest);
            ends = 1;
        }
        let _ = chunks.send(rest.into()).await; // as above
    }
    Fed { lines: lines.written() + ends, fault }
}

/// How much of stdin is read at once.
const READ_BYTES: usize = 64 * 1024;
/// Most bytes of one line: what one event may have.
const LINE_BYTES_MAX: usize = 64 * 1024 * 1024;
/// How long stdin may be silent before the hub is told that somebody is there: a third of the time it waits for a body.
const IDLE: Duration = Duration::from_secs(10);

/// Sends the request and reads the answers to their end.
async fn answer(body: ChannelBody, remote: &RemoteFlags) -> Result<Answers, Failure> {
    let target = remote.hub.below("/events");
    let request = http_client::request(Method::POST, &remote.hub, &target, remote.token.as_ref())
        .header(CONTENT_TYPE, "application/x-ndjson")
        .body(body)
        .expect("the target is a path and the headers are checked");
    let response = match http_client::send(&remote.hub, request).await {
        Ok(response) if response.status() == StatusCode::OK => response,
        Ok(refusal) => {
            let problem = Problem::read(refusal).await;
            return Err(Failure::running(format!("the hub refused: {problem}")));
        }
        Err(error @ (HttpError::Unreachable { .. } | HttpError::NoAnswer { .. })) => {
            return Err(Failure::running(with_advice(&error)));
        }
    };

    let mut body = response.into_body();
    let mut answers = Answers::default();
    let mut results = Results::new();
    let mut unfinished = BytesMut::new();
    while let Some(frame) = body.frame().await {
        match frame.map(hyper::body::Frame::into_data) {
            Ok(Ok(data)) => unfinished.extend_from_slice(&data),
            Ok(Err(_trailers)) => {}
            Err(error) => {
                answers.broke = Some(with_causes(&error));
                break;
            }
        }
        while let Some(end) = memchr(b'\n', &unfinished) {
            answers.take(&unfinished.split_to(end + 1), &mut results);
        }
        if unfinished.len() > ANSWER_BYTES_MAX {
            answers.broke = Some("a line of the answer has no end".to_owned());
            break;
        }
        if results.flush().await? == Reader::Gone {
            answers.nobody_reads = true;
            break;
        }
    }
    Ok(answers)
}

/// More than any answer to one line has.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// One line of the answer.
#[derive(Deserialize)]
#[serde(untagged)]
enum Answer {
    Accepted { id: String },
    Refused { error: String, line: u64 },
}

impl Answers {
    /// Takes one line of the answer. An id goes to the results, an error to stderr.
    fn take(&mut self, line: &[u8], results: &mut Results) {
        match serde_json::from_slice(line) {
            Ok(Answer::Accepted { id }) => {
                self.accepted += 1;
                results.add(&id);
            }
            Ok(Answer::Refused { error, line }) => {
                self.refused += 1;
                say::note(format_args!("line {line}: {error}"));
            }
            Err(_) => {
                self.refused += 1;
                let text = String::from_utf8_lossy(line);
                say::note(format_args!("an answer that is none: {}", text.trim_end().escape_debug()));
            }
        }
    }
}

fn judge(fed: Option<Fed>, answers: &Answers) -> Result<(), Failure> {
    let answered = answers.accepted + answers.refused;
    if answers.nobody_reads {
        return Ok(());
    }
    if let Some(broke) = &answers.broke {
        return Err(Failure::running(format!(
            "the connection broke after {answered} answers: {broke}; what was sent after them may be published or not"
        )));
    }
    let Some(Fed { lines, fault }) = fed else {
        return Err(Failure::running(format!(
            "the hub ended the connection after {answered} answers, before stdin ended"
        )));
    };
    if let Some(fault) = fault {
        return Err(Failure::running(fault));
    }
    if answered < lines {
        return Err(Failure::running(format!(
            "the hub answered {answered} of {lines} lines; the others may be published or not"
        )));
    }
    match answers.refused {
        0 => Ok(()),
        1 => Err(Failure::running(format!("1 of {lines} lines was not published"))),
        refused => Err(Failure::running(format!("{refused} of {lines} lines were not published"))),
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncWriteExt, duplex};

    use super::*;

    fn check(fed: Option<(u64, Option<&str>)>, accepted: u64, refused: u64, want: Option<&str>) {
        let fed = fed.map(|(lines, fault)| Fed { lines, fault: fault.map(str::to_owned) });
        let answers = Answers { accepted, refused, ..Answers::default() };
        let got = judge(fed, &answers).err().map(|failure| failure.to_string());
        match (&got, want) {
            (None, None) => {}
            (Some(got), Some(want)) if got.contains(want) => {}
            _ => panic!("{answers:?}: {got:?}, expected {want:?}"),
        }
    }

    #[test]
    fn all_is_well_only_when_every_line_was_taken() {
        check(Some((0, None)), 0, 0, None);
        check(Some((3, None)), 3, 0, None);
        check(Some((3, None)), 2, 1, Some("1 of 3 lines was not"));
        check(Some((3, None)), 1, 2, Some("2 of 3 lines were not"));
        check(Some((3, None)), 2, 0, Some("answered 2 of 3"));
        check(Some((3, Some("stdin cannot be read"))), 3, 0, Some("stdin cannot"));
        check(None, 2, 0, Some("before stdin ended"));
    }

    /// Chunks go out as lines come in, and a space while none comes; the clock is the test's.
    #[tokio::test(start_paused = true)]
    async fn a_silent_input_is_told_from_a_dead_one() {
        let (mut typist, stdin) = duplex(1024);
        let (chunks, mut body) = mpsc::channel(2);
        let event = EventFlags { end: true, ..EventFlags::default() };
        let lines = LineWriter::new(&Topic::default_topic(), &event);
        let feeding = tokio::spawn(feed(stdin, lines, true, chunks));
        let mut next = async || String::from_utf8_lossy(&body.recv().await.unwrap_or_default()).into_owned();

        typist.write_all(b"one\ntw").await.expect("there is room");
        assert_eq!(next().await, "{\"topic\":\"default\",\"data\":\"one\"}\n");
        assert_eq!((&*next().await, &*next().await), (" ", " "));
        typist.write_all(b"o\nthree").await.expect("there is room");
        assert_eq!(next().await, "{\"topic\":\"default\",\"data\":\"two\"}\n");
        drop(typist);
        let want = "{\"topic\":\"default\",\"data\":\"three\"}\n{\"topic\":\"default\",\"end\":true}\n";
        assert_eq!((&*next().await, &*next().await), (want, ""));
        let fed = feeding.await.expect("it does not panic");
        assert_eq!((fed.lines, fed.fault), (4, None));
    }

    #[test]
    fn an_answer_is_an_id_or_an_error_with_its_line() {
        let (mut answers, mut results) = (Answers::default(), Results::new());
        answers.take(b"{\"id\":\"a-1\"}\n", &mut results);
        answers.take(b"{\"error\":\"too long\",\"line\":2,\"field\":\"data\"}\n", &mut results);
        answers.take(b"<html>\n", &mut results);
        assert_eq!((answers.accepted, answers.refused), (1, 2));
    }
}
