//! Tests of whole stores and of what they leave on disk, where the public interface is not enough.
//!
//! | file | what is tested |
//! |---|---|
//! | `power_loss.rs` | any pages that were not synced are lost |
//! | `damage.rs` | pages that were synced are lost |
//! | `accounts.rs` | what is counted |
//! | `compacting.rs` | log files are written anew, and a crash comes between |
//! | `leaving.rs` | what is left to the thread that publishes it |
//! | `keeping.rs` | what is trimmed is removed, also while there is more to do than the keeper can |

mod accounts;
mod checkpoints;
mod compacting;
mod damage;
mod keeping;
mod leaving;
mod power_loss;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::mpsc;

use tempfile::TempDir;
use tidings_core::limits::MIB;
use tidings_core::suite::wait;
use tidings_core::{
    Engine, EngineFuture, Epoch, Grants, OnReset, Publication, Read, ReadLimit, ReadRequest, Resolution, ResumeFrom,
    ResumeRequest, Sequence, Timestamp,
};
use tidings_topic::{Selector, SelectorSet, Topic};

use crate::recover::recover;
use crate::segment::{LogScan, Scanned, Step, list_logs};
use crate::{Durability, Store, StoreOptions};

const NOW: Timestamp = Timestamp::from_millis(1_795_464_000_000);

/// A store and its directory.
struct World {
    directory: TempDir,
    options: StoreOptions,
}

impl World {
    fn new(durability: Durability) -> Self {
        let directory = tempfile::tempdir().expect("there is room");
        let mut options = StoreOptions::new(directory.path());
        options.durability = durability;
        options.new_epoch = Some(Epoch::from_unix_micros(1_795_464_000_000_000));
        options.boot_id = Some("the first boot".to_owned());
        options.segment_bytes = 4 * MIB; // more than any of the tests writes, so the keeper has nothing to do
        Self { directory, options }
    }

    fn open(&self) -> Store {
        Store::open(self.options.clone()).expect("it can be opened")
    }

    /// A start, and the end of the process right after it.
    fn open_and_kill(&self) {
        drop(recover(self.options.clone()).expect("it can be opened"));
    }

    /// What stands on disk now, as it would if the process ended: nobody writes meanwhile.
    fn copy(&self) -> Self {
        let directory = tempfile::tempdir().expect("there is room");
        copy_tree(self.directory.path(), directory.path());
        let options = StoreOptions { directory: directory.path().to_owned(), ..self.options.clone() };
        Self { directory, options }
    }

    fn logs(&self) -> Vec<PathBuf> {
        list_logs(&self.directory.path().join("segments")).expect("a directory")
    }

    fn newest_log(&self) -> PathBuf {
        self.logs().pop().expect("one is written to")
    }

    /// Files that were put aside.
    fn damaged(&self) -> usize {
        fs::read_dir(self.directory.path().join("damaged")).map_or(0, Iterator::count)
    }
}

fn copy_tree(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).expect("a directory") {
        let entry = entry.expect("a directory");
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            fs::create_dir(&to).expect("there is room");
            copy_tree(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), &to).expect("there is room");
        }
    }
}

/// The good frames at the beginning of a log, and where the last ends.
fn scan(log: &Path) -> (Vec<Scanned>, u64) {
    let mut scan = LogScan::open(log).expect("its head is good");
    let mut frames = Vec::new();
    loop {
        match scan.step().expect("it can be read") {
            Step::Frame(scanned) => frames.push(scanned),
            Step::End(crate::segment::ScanEnd::Clean { offset }) => return (frames, offset),
            Step::End(end) => panic!("{end:?}"),
        }
    }
}

fn topic(name: &str) -> Topic {
    Topic::parse(name).expect("a topic")
}

fn publication(name: &str, data: impl Into<String>) -> Publication {
    Publication::new(topic(name), data)
}

/// Publishes one after the other.
fn publish(store: &Store, publications: impl IntoIterator<Item = Publication>) {
    for publication in publications {
        wait(store.append(publication, NOW)).expect("it is stored");
    }
}

/// Publishes at once, so that they share syncs, and waits for all.
fn publish_together(store: &Store, publications: impl IntoIterator<Item = Publication>) {
    let appends: Vec<EngineFuture<'_, _>> =
        publications.into_iter().map(|publication| store.append(publication, NOW)).collect();
    for append in appends {
        wait(append).expect("it is stored");
    }
}

fn everything() -> SelectorSet {
    SelectorSet::new([Selector::parse("**").expect("a selector")]).expect("not empty")
}

/// All events after `after`, page by page; `None` when something of them is gone.
fn read_all(store: &Store, mut after: Sequence) -> Option<Vec<(u64, String)>> {
    let mut events = Vec::new();
    while after < store.tail() {
        match read_page(store, everything(), after) {
            Read::Page(page) => {
                events.extend(page.records.iter().map(|record| (record.sequence.0, data_of(record.chunk.wire()))));
                after = page.through;
            }
            Read::Expired => return None,
            Read::Elsewhere => panic!("this is the other place"),
        }
    }
    Some(events)
}

/// A page of history, from disk or memory.
fn read_page(store: &Store, selectors: SelectorSet, after: Sequence) -> Read {
    let limit = ReadLimit { bytes_max: 4096, scanned_max: 100 };
    let request = ReadRequest { selectors, after, through: store.tail(), now: NOW, limit };
    let (done, answer) = mpsc::channel();
    store.fetch(request, Box::new(move |read| drop(done.send(read))));
    answer.recv().expect("each is answered").expect("it can be read")
}

/// The places of the events that a selector selects after `after`; `None` when something of them is gone.
fn read_topics(store: &Store, selector: &str, mut after: Sequence) -> Option<Vec<u64>> {
    let selectors = SelectorSet::new([Selector::parse(selector).expect("a selector")]).expect("not empty");
    let mut seen = Vec::new();
    while after < store.tail() {
        match read_page(store, selectors.clone(), after) {
            Read::Page(page) => {
                seen.extend(page.records.iter().map(|record| record.sequence.0));
                after = page.through;
            }
            Read::Expired => return None,
            Read::Elsewhere => panic!("this is the other place"),
        }
    }
    Some(seen)
}

/// The data lines of an encoded event.
fn data_of(wire: &[u8]) -> String {
    let text = String::from_utf8_lossy(wire);
    let lines = text.lines().filter_map(|line| line.strip_prefix("data: "));
    lines.collect::<Vec<_>>().join("\n")
}

fn resume(store: &Store, from: ResumeFrom) -> Resolution {
    let request =
        ResumeRequest { selectors: everything(), grants: Grants::Everything, from, on_reset: OnReset::default() };
    wait(store.resolve(request, NOW)).expect("it can be asked")
}

fn resume_after(store: &Store, sequence: u64) -> Resolution {
    resume(store, ResumeFrom::EventId(format!("{}-{sequence}", store.epoch()).into()))
}
