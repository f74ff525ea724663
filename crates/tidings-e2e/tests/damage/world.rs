//! A hub on a directory, what was done to it, and how its directory is looked at and spoiled.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tidings_e2e::{Finished, Hub, Program, RawStream, find_in_logs, tidings};
use tidings_history::recorders::{Base, Listener, Publisher, Reader, Recorder, Wish};
use tidings_history::{Interest, Outcome, StartFrom, Summary, check, sentences};

pub(crate) const DEADLINE: Duration = Duration::from_mins(1);

/// A hub on a directory, and a history of what is done to it.
pub(crate) struct World {
    pub(crate) directory: TempDir,
    pub(crate) hub: Hub,
    pub(crate) recorder: Recorder,
    pub(crate) base: Base,
}

impl World {
    pub(crate) fn start(more: &[&str]) -> Self {
        let directory = TempDir::with_prefix("tidings-damage-").expect("the system has room for a directory");
        let data = text(directory.path()).to_owned();
        let hub = Hub::start_to_return(&[&["serve", "--data", &data], more].concat());
        let base = Base::parse(&hub.url("")).expect("a hub's own URL");
        Self { directory, hub, recorder: Recorder::new(), base }
    }

    pub(crate) fn data(&self) -> &Path {
        self.directory.path()
    }

    /// Publishes so many events to the topic `a`; their data is told apart by its end. Answers their ids.
    pub(crate) fn publish(&self, count: usize) -> Vec<String> {
        let mut publisher = Publisher::new(&self.recorder, &self.base);
        (0..count).map(|number| accepted(&mut publisher, &format!("number {number:03}."))).collect()
    }

    pub(crate) fn read(&self, start: StartFrom) -> Reader {
        Reader::start(&self.recorder, &self.base, Listener::new(Interest::in_topics(["a"]), start))
    }

    /// Publishes a last event, and lets these readers and one from the beginning read to it.
    pub(crate) fn finish(&self, readers: Vec<Reader>) -> Result<Summary, String> {
        let marker = Publisher::new(&self.recorder, &self.base).publish(&Wish::new("a", "the last one"));
        let marker = marker.expect("nobody stops the recorder");
        assert!(matches!(marker.outcome, Outcome::Accepted(_)), "publishing goes on: {marker:?}");
        let deadline = Instant::now() + DEADLINE;
        for reader in readers {
            reader.wait_for(&[marker.name], deadline);
            reader.finish();
        }
        check(&self.recorder.history()).map_err(|faults| sentences(&faults))
    }
}

pub(crate) fn accepted(publisher: &mut Publisher, filler: &str) -> String {
    match publisher.publish(&Wish::new("a", filler)).expect("nobody stops the recorder").outcome {
        Outcome::Accepted(id) => id,
        other => panic!("{filler}: {other:?}"),
    }
}

pub(crate) fn text(path: &Path) -> &str {
    path.to_str().expect("the name of a temporary directory is text")
}

pub(crate) fn verify(directory: &Path) -> Finished {
    Program::start(&mut tidings(&["data", "verify", text(directory)])).finish()
}

/// All that a reader from the beginning gets up to an event with this data.
#[track_caller]
pub(crate) fn replay(hub: &Hub, last: &str) -> String {
    let mut stream = RawStream::get(hub.address(), "/events/a?since=earliest", &[]);
    stream.wait_for(last, |bytes| {
        let text = String::from_utf8_lossy(bytes);
        text.contains(last).then(|| text.into_owned())
    })
}

/// What a reader that comes with this id gets first.
#[track_caller]
pub(crate) fn first_frame(hub: &Hub, last_id: &str) -> String {
    let mut stream = RawStream::get(hub.address(), "/events/a", &[&format!("Last-Event-ID: {last_id}")]);
    stream.wait_for("a frame", |bytes| {
        let text = String::from_utf8_lossy(bytes);
        let (_, body) = text.split_once("\r\n\r\n")?;
        let (_, frame) = body.split_once(":\n")?;
        frame.contains("\n\n").then(|| frame.to_owned())
    })
}

/// The last frame of a log ends with its data.
pub(crate) fn end_of_frames(log: &Path) -> (usize, Vec<u8>) {
    let bytes = fs::read(log).expect("the hub is dead");
    let end = bytes.iter().rposition(|&byte| byte != 0).expect("something is written") + 1;
    (end, bytes)
}

pub(crate) fn write_at(log: &Path, at: usize, bytes: &[u8]) {
    let file = File::options().write(true).open(log).expect("the log is a file");
    file.write_all_at(bytes, at as u64).expect("the disk has room");
}

/// Damages the event with this number, of those that `World::publish` published.
pub(crate) fn flip_a_byte(directory: &Path, number: usize) -> (String, usize) {
    let (log, at) = find_in_logs(directory, &format!("number {number:03}."));
    let byte = fs::read(&log).expect("the log is a file")[at];
    write_at(&log, at, &[byte ^ 0x20]);
    (text(&log).to_owned(), at)
}
