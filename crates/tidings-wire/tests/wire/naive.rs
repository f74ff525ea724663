//! The reference decoder: the standard's words one by one over a whole text, with no thought of speed.
//!
//! It has no limits and cannot be fed in pieces; that is what the real one adds.

use tidings_wire::{Event, Item};

use crate::outcome::Outcome;

/// Decodes streams that are each there as a whole.
pub(crate) fn decode(streams: &[&[u8]]) -> Outcome {
    let mut outcome = Outcome::default();
    for stream in streams {
        decode_stream(stream, &mut outcome);
    }
    outcome
}

fn decode_stream(stream: &[u8], outcome: &mut Outcome) {
    let text = String::from_utf8_lossy(stream);
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let mut data = String::new();
    let mut event_type = String::new();
    let mut id_buffer = outcome.last_event_id.clone();

    for line in ended_lines(text) {
        if line.is_empty() {
            let id_changed = outcome.last_event_id != id_buffer;
            outcome.last_event_id.clone_from(&id_buffer);
            if let Some(data) = data.strip_suffix('\n') {
                outcome.items.push(Item::Event(Event {
                    event_type: if event_type.is_empty() { "message".to_owned() } else { event_type.clone() },
                    data: data.to_owned(),
                    last_event_id: id_buffer.clone(),
                }));
            } else if id_changed {
                outcome.items.push(Item::Id(id_buffer.clone()));
            }
            data.clear();
            event_type.clear();
            continue;
        }
        let (name, value) = line.split_once(':').unwrap_or((&line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        if let Some(comment) = line.strip_prefix(':') {
            outcome.items.push(Item::Comment(comment.to_owned()));
        } else if name == "event" {
            value.clone_into(&mut event_type);
        } else if name == "data" {
            data = data + value + "\n";
        } else if name == "id" && !value.contains('\0') {
            value.clone_into(&mut id_buffer);
        } else if name == "retry" && !value.is_empty() && value.chars().all(|c| c.is_ascii_digit()) {
            outcome.items.push(Item::Retry(value.parse().unwrap_or(u64::MAX)));
        }
    }
}

/// The lines that have ended; what stands after the last end is no line.
fn ended_lines(text: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '\r' => {
                characters.next_if_eq(&'\n');
                lines.push(std::mem::take(&mut line));
            }
            '\n' => lines.push(std::mem::take(&mut line)),
            _ => line.push(character),
        }
    }
    lines
}
