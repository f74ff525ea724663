//! What programs read: one object, its names those of the library's fields.

use serde_json::{Value, json};
use tidings_store::operate::{Amount, Compaction, Damage, Inspection, Stamp, Verification};

/// What is in a directory.
pub(super) fn inspection(found: &Inspection) -> Value {
    let Inspection {
        format_version,
        epoch,
        segments,
        sealed,
        file_bytes,
        kept,
        dead,
        oldest,
        newest,
        topics,
        largest,
        ended_topics,
        damage,
    } = found;
    let largest = largest.iter().map(|size| {
        let Amount { events, bytes } = size.kept;
        json!({ "topic": size.topic.as_str(), "events": events, "bytes": bytes })
    });
    json!({
        "format_version": format_version,
        "epoch": epoch.map(|epoch| epoch.to_string()),
        "segments": segments,
        "sealed": sealed,
        "file_bytes": file_bytes,
        "kept": amount(*kept),
        "dead": amount(*dead),
        "oldest": oldest.as_ref().map(stamp),
        "newest": newest.as_ref().map(stamp),
        "topics": topics,
        "largest": largest.collect::<Vec<_>>(),
        "ended_topics": ended_topics,
        "damage": all(damage),
    })
}

/// What reading all of a directory came to.
pub(super) fn verification(found: &Verification) -> Value {
    let Verification { events, records, bytes, damage, has_more_damage, torn_tail } = found;
    json!({
        "events": events,
        "records": records,
        "bytes": bytes,
        "damage": all(damage),
        "has_more_damage": has_more_damage,
        "torn_tail": torn_tail.as_ref().map(one),
    })
}

/// What compacting a directory came to.
pub(super) fn compaction(done: &Compaction) -> Value {
    let Compaction { files_before, files_after, bytes_before, bytes_after, rewritten, damage } = done;
    json!({
        "files_before": files_before,
        "files_after": files_after,
        "bytes_before": bytes_before,
        "bytes_after": bytes_after,
        "rewritten": rewritten,
        "damage": all(damage),
    })
}

fn amount(amount: Amount) -> Value {
    let Amount { events, bytes } = amount;
    json!({ "events": events, "bytes": bytes })
}

/// Times are milliseconds since 1970, as in the ids of the demo.
fn stamp(stamp: &Stamp) -> Value {
    json!({ "id": stamp.position.to_string(), "at_ms": stamp.at.as_millis() })
}

fn all(damage: &[Damage]) -> Value {
    damage.iter().map(one).collect()
}

fn one(damage: &Damage) -> Value {
    let Damage { file, offset, what } = damage;
    json!({ "file": file.to_string_lossy(), "offset": offset, "what": what })
}
