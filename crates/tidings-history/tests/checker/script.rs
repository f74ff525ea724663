//! Histories as people write them: one entry on each line.
//!
//! `@7` is the hub's own id with the sequence 7, `@@7` the one of a later epoch.

use tidings_history::{Asked, End, Entry, History, Interest, Outcome, Place, PublicationName, Saw, StartFrom};

/// Reads a script. Blank lines and what follows a `#` do not count.
#[track_caller]
pub(crate) fn history(script: &str) -> History {
    let mut history = History::new();
    for line in script.lines() {
        let line = line.split('#').next().expect("a split has a first part").trim();
        if !line.is_empty() {
            history.push(entry(line).unwrap_or_else(|| panic!("no entry: {line:?}")));
        }
    }
    history
}

fn entry(line: &str) -> Option<Entry> {
    let words: Vec<_> = line.split_whitespace().collect();
    let option = |name: &str| words.iter().find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
    let option_id = |name: &str| option(name).map(id);
    let name = || words.get(1)?.parse::<PublicationName>().ok();
    let place = || words.get(1)?.parse::<Place>().ok();
    let frame = |kind: &str, data: String| {
        let saw = Saw { place: place()?, id: id(words.get(2)?), event_type: kind.to_owned(), data: data.into() };
        Some(Entry::Saw(saw))
    };
    Some(match *words.first()? {
        "ask" => Entry::Asked(Asked {
            publication: name()?,
            topic: (*words.get(2)?).to_owned(),
            id: option_id("id"),
            event_type: option("type").map(str::to_owned),
            data: option("data").map_or_else(|| name().map(data), |text| Some(text.to_owned()))?.into(),
            key: option("key").map(str::to_owned),
        }),
        "ok" => Entry::Answered { publication: name()?, outcome: Outcome::Accepted(id(words.get(2)?)) },
        "refused" => Entry::Answered { publication: name()?, outcome: Outcome::Refused(words.get(2)?.parse().ok()?) },
        "unknown" => Entry::Answered { publication: name()?, outcome: Outcome::Unknown },
        "listen" => {
            let mut interest = Interest::in_topics(words.get(2)?.split(','));
            interest.types =
                option("types").map(|types| types.split(',').map(str::to_owned).collect()).unwrap_or_default();
            Entry::Listens { reader: words.get(1)?.parse().ok()?, interest }
        }
        "connect" => Entry::Connecting { place: place()?, from: start(words.get(2)?)? },
        "opened" => {
            let status = words.get(2).map_or(Some(200), |status| status.parse().ok())?;
            Entry::Opened { place: place()?, status }
        }
        "saw" => Entry::Saw(Saw {
            place: place()?,
            id: id(words.get(2)?),
            event_type: option("type").unwrap_or("message").to_owned(),
            data: match option("data") {
                Some(text) => text.to_owned(),
                None => data(words.get(3)?.parse().ok()?),
            }
            .into(),
        }),
        "open" => return frame("tidings.open", String::new()),
        "end" => return frame("tidings.end", String::new()),
        "reset" => {
            let (reason, requested) = (words.get(3)?, id(words.get(4)?));
            let data = format!(r#"{{"requested":"{requested}","reason":"{reason}","oldest":null,"latest":null}}"#);
            return frame("tidings.reset", option("data").map_or(data, str::to_owned));
        }
        "frame" => return frame(words.get(3)?, String::new()),
        "cut" => Entry::Ended { place: place()?, end: End::Cut },
        "broken" => Entry::Ended { place: place()?, end: End::Broken },
        "done" => Entry::Done { reader: words.get(1)?.parse().ok()? },
        "note" => Entry::Note { text: line.to_owned() },
        _ => return None,
    })
}

fn start(word: &str) -> Option<StartFrom> {
    Some(match word.split_once('=') {
        Some(("after", raw)) => StartFrom::After(id(raw)),
        Some(("since", raw)) => StartFrom::Since(raw.to_owned()),
        Some(("last", raw)) => StartFrom::Last(raw.parse().ok()?),
        None if word == "earliest" => StartFrom::Earliest,
        None if word == "live" => StartFrom::Live,
        _ => return None,
    })
}

fn data(publication: PublicationName) -> String {
    publication.data("and more")
}

fn id(word: &str) -> String {
    match (word.strip_prefix("@@"), word.strip_prefix('@')) {
        (Some(sequence), _) => format!("3vq9k0aa-{sequence}"),
        (None, Some(sequence)) => format!("3vq8k0aa-{sequence}"),
        (None, None) => word.to_owned(),
    }
}
