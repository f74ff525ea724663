//! What people read, perhaps at three in the morning: the answer first, columns that stand under each other, one unit.

use std::fmt::{self, Display, Write as _};
use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use tidings_store::operate::{Compaction, Damage, Inspection, Stamp, TopicSize, Verification};

use crate::units::{age, bytes, count, some};

/// What is in a directory.
pub(super) fn inspection(directory: &Path, found: &Inspection, now: Timestamp) -> String {
    written(|text| {
        let epoch = found.epoch.map_or_else(|| "nothing stored yet".to_owned(), |epoch| format!("epoch {epoch}"));
        writeln!(text, "{}: format {}, {epoch}\n", directory.display(), found.format_version)?;
        let kept = format!("{} in {}", bytes(found.kept.bytes), some(found.topics as u64, "topic"));
        row(text, "kept", format_args!("{}, {kept}", some(found.kept.events, "event")))?;
        for (name, stamp) in [("oldest", &found.oldest), ("newest", &found.newest)] {
            if let Some(stamp) = stamp {
                row(text, name, format_args!("{}, id {}", moment(stamp, now), stamp.position))?;
            }
        }
        if found.ended_topics > 0 {
            row(text, "ended", some(found.ended_topics as u64, "topic"))?;
        }
        let dead = format!("{}, {}", some(found.dead.events, "event"), bytes(found.dead.bytes));
        row(text, "not kept", format_args!("{dead}: trimmed or deleted, and still in the files"))?;
        let files = some(found.segments as u64, "log file");
        row(text, "on disk", format_args!("{} in {files}, {} of them full", bytes(found.file_bytes), found.sealed))?;
        topics(text, &found.largest, found.topics)?;
        writeln!(text)?;
        damage(text, &found.damage, false)?;
        if found.damage.is_empty() {
            row(text, "damage", "none seen; `tidings data verify` reads everything")?;
        }
        Ok(())
    })
}

/// What reading all of a directory came to.
pub(super) fn verification(directory: &Path, found: &Verification, took: Duration) -> String {
    written(|text| {
        let read = format!("{} in {:.1} s", bytes(found.bytes), took.as_secs_f64());
        writeln!(text, "{}: read {read}\n", directory.display())?;
        row(text, "good", format_args!("{} in {}", some(found.events, "event"), some(found.records, "record")))?;
        if let Some(torn) = &found.torn_tail {
            row(text, "last write", format_args!("not finished, and never acknowledged: {}", place(torn)))?;
            row(text, "", "as a crash leaves it; a hub cuts it off when it starts")?;
        }
        damage(text, &found.damage, found.has_more_damage)?;
        if found.damage.is_empty() {
            row(text, "damage", "none")?;
        }
        Ok(())
    })
}

/// What compacting a directory came to.
pub(super) fn compaction(directory: &Path, done: &Compaction, took: Duration) -> String {
    written(|text| {
        writeln!(text, "{}: compacted in {:.1} s\n", directory.display(), took.as_secs_f64())?;
        for (name, size, files) in
            [("before", done.bytes_before, done.files_before), ("after", done.bytes_after, done.files_after)]
        {
            row(text, name, format_args!("{} in {}", bytes(size), some(files as u64, "log file")))?;
        }
        let freed = bytes(done.bytes_before.saturating_sub(done.bytes_after));
        let files = some(done.rewritten as u64, "log file");
        row(text, "freed", format_args!("{freed}, from {files} that had something no longer kept"))?;
        damage(text, &done.damage, false)?;
        if !done.damage.is_empty() {
            row(text, "", "these files stay as they were; `tidings data verify` says more")?;
        }
        Ok(())
    })
}

fn written(write: impl FnOnce(&mut String) -> fmt::Result) -> String {
    let mut text = String::new();
    write(&mut text).expect("a String takes any text");
    text
}

fn row(text: &mut String, name: &str, what: impl Display) -> fmt::Result {
    writeln!(text, "{name:<10}  {what}")
}

fn topics(text: &mut String, largest: &[TopicSize], all: usize) -> fmt::Result {
    const NAME_MIN: usize = 14;
    const NAME_MAX: usize = 60;
    if largest.is_empty() {
        return Ok(());
    }
    let names: Vec<String> = largest.iter().map(|size| shown(size.topic.as_str(), NAME_MAX)).collect();
    let width = names.iter().map(|name| name.chars().count()).max().unwrap_or(0).max(NAME_MIN);
    writeln!(text, "\n{:<width$}  {:>14}  {:>12}", "largest topics", "events", "size")?;
    for (name, size) in names.iter().zip(largest) {
        writeln!(text, "{name:<width$}  {:>14}  {:>12}", count(size.kept.events), bytes(size.kept.bytes))?;
    }
    match all - largest.len().min(all) {
        0 => Ok(()),
        more => writeln!(text, "and {}", some(more as u64, "more topic")),
    }
}

/// A long name keeps its end, which tells it from others.
fn shown(name: &str, most: usize) -> String {
    let length = name.chars().count();
    if length <= most {
        return name.to_owned();
    }
    std::iter::once('…').chain(name.chars().skip(length + 1 - most)).collect()
}

fn damage(text: &mut String, damage: &[Damage], has_more: bool) -> fmt::Result {
    for (nth, one) in damage.iter().enumerate() {
        let name = if nth == 0 { "DAMAGE" } else { "" };
        row(text, name, format_args!("{}: {}", place(one), one.what))?;
    }
    if has_more { row(text, "", "and more") } else { Ok(()) }
}

fn place(damage: &Damage) -> String {
    format!("{} at byte {}", damage.file.display(), damage.offset)
}

/// When it was, and how long ago that is.
fn moment(stamp: &Stamp, now: Timestamp) -> String {
    let millis = i64::try_from(stamp.at.as_millis()).unwrap_or(i64::MAX);
    let Ok(at) = Timestamp::from_millisecond(millis) else { return "at an impossible time".to_owned() };
    // A clock that was set back is no reason to fail.
    let ago = Duration::try_from(now.duration_since(at)).unwrap_or_default();
    format!("{at:.0}, {} ago", age(ago))
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use tidings_core::{Epoch, Position, Sequence};
    use tidings_store::operate::Amount;

    use super::*;

    fn stamp(sequence: u64, ms: u64) -> Stamp {
        let epoch = Epoch::parse("hofyusdbn0m5").expect("an epoch");
        Stamp { position: Position { epoch, sequence: Sequence(sequence) }, at: tidings::Timestamp::from_millis(ms) }
    }

    fn topic(name: &str, events: u64, bytes: u64) -> TopicSize {
        TopicSize { topic: tidings::Topic::parse(name).expect("a topic"), kept: Amount { events, bytes } }
    }

    fn found() -> Inspection {
        Inspection {
            format_version: 1,
            epoch: Epoch::parse("hofyusdbn0m5"),
            segments: 3,
            sealed: 2,
            file_bytes: 3 << 20,
            kept: Amount { events: 12_345, bytes: 5 << 19 },
            dead: Amount { events: 1, bytes: 100 },
            oldest: Some(stamp(2, 1_795_000_000_000)),
            newest: Some(stamp(12_346, 1_795_090_000_123)),
            topics: 3,
            largest: vec![topic("chat/42", 12_000, 2 << 20), topic("news", 345, 1 << 19)],
            ended_topics: 1,
            damage: Vec::new(),
        }
    }

    #[test]
    fn what_there_is_stands_in_columns() {
        let now = Timestamp::from_second(1_795_090_003).expect("a time");
        let want = "\
/d: format 1, epoch hofyusdbn0m5

kept        12,345 events, 2.5 MiB in 3 topics
oldest      2026-11-18T11:06:40Z, 1 d 1 h ago, id hofyusdbn0m5-2
newest      2026-11-19T12:06:40Z, 2 s ago, id hofyusdbn0m5-12346
ended       1 topic
not kept    1 event, 100 B: trimmed or deleted, and still in the files
on disk     3.0 MiB in 3 log files, 2 of them full

largest topics          events          size
chat/42                 12,000       2.0 MiB
news                       345     512.0 KiB
and 1 more topic

damage      none seen; `tidings data verify` reads everything
";
        assert_eq!(inspection(Path::new("/d"), &found(), now), want);
    }

    #[test]
    fn an_empty_directory_is_told_as_such() {
        let empty = Inspection {
            epoch: None,
            kept: Amount::default(),
            oldest: None,
            newest: None,
            topics: 0,
            largest: Vec::new(),
            ..found()
        };
        let text = inspection(Path::new("/d"), &empty, Timestamp::UNIX_EPOCH);
        assert!(text.contains("nothing stored yet") && text.contains("0 events, 0 B in 0 topics"), "{text}");
        assert!(!text.contains("largest"), "{text}");
    }

    #[test]
    fn damage_is_told_with_its_place() {
        let one = Damage { file: PathBuf::from("/d/1.log"), offset: 4096, what: "not as it was written".to_owned() };
        let found = Verification {
            events: 10,
            records: 11,
            bytes: 1 << 20,
            damage: vec![one.clone(), one.clone()],
            has_more_damage: true,
            torn_tail: Some(one),
        };
        let want = "\
/d: read 1.0 MiB in 1.5 s

good        10 events in 11 records
last write  not finished, and never acknowledged: /d/1.log at byte 4096
            as a crash leaves it; a hub cuts it off when it starts
DAMAGE      /d/1.log at byte 4096: not as it was written
            /d/1.log at byte 4096: not as it was written
            and more
";
        assert_eq!(verification(Path::new("/d"), &found, Duration::from_millis(1_500)), want);
        let text = verification(Path::new("/d"), &Verification::default(), Duration::ZERO);
        assert!(text.ends_with("damage      none\n"), "{text}");
    }

    #[test]
    fn what_was_freed_stands_under_what_there_was() {
        let done = Compaction {
            files_before: 3,
            files_after: 2,
            bytes_before: 3 << 20,
            bytes_after: 1 << 20,
            rewritten: 2,
            damage: Vec::new(),
        };
        let want = "\
/d: compacted in 0.2 s

before      3.0 MiB in 3 log files
after       1.0 MiB in 2 log files
freed       2.0 MiB, from 2 log files that had something no longer kept
";
        assert_eq!(compaction(Path::new("/d"), &done, Duration::from_millis(200)), want);
    }

    #[test]
    fn a_long_name_keeps_its_end() {
        assert_eq!(shown("chat/42", 7), "chat/42");
        assert_eq!(shown("chat/ä42", 5), "…/ä42");
    }
}
