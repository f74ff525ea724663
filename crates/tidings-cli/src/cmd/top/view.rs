//! What somebody looks at: the last picture, whether the hub answers, which row is selected, what is asked. Pictures and
//! keys come in, wishes go out; `screen` says what it looks like.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use tidings::picture::Picture;

use super::ending::Target;
use super::feed::Heard;
use super::keys::Key;

/// All that the screen shows.
#[derive(Debug)]
pub(super) struct View {
    /// Where the pictures come from.
    pub(super) from: String,
    pub(super) zone: TimeZone,
    pub(super) now: Timestamp,
    pub(super) hearing: Hearing,
    pub(super) picture: Option<Picture>,
    /// The share of one core that the hub had between the last two pictures.
    pub(super) cpu: Option<f64>,
    pub(super) list: List,
    topics: Choice,
    sessions: Choice,
    pub(super) over: Over,
    /// What became of the last wish.
    pub(super) said: Option<String>,
}

/// Whether the hub answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Hearing {
    /// It was asked.
    Waiting,
    /// Its last picture came then.
    Well { at: Timestamp },
    /// It does not, since then.
    Lost { since: Timestamp, why: String },
}

/// The list whose rows are selected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum List {
    Topics,
    Sessions,
}

/// What stands over the rest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Over {
    Nothing,
    Help,
    /// Is this to be ended?
    Question(Target),
}

/// What is to be done after a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    Nothing,
    Quit,
    End(Target),
}

/// The selected row of a list. Once somebody has chosen it, it is followed by its name, for rows change places each second.
#[derive(Debug, Default)]
struct Choice {
    at: usize,
    name: Option<String>,
}

/// Rows that a page key goes.
const PAGE: isize = 5;

impl View {
    pub(super) fn new(from: String, zone: TimeZone, now: Timestamp) -> Self {
        Self {
            from,
            zone,
            now,
            hearing: Hearing::Waiting,
            picture: None,
            cpu: None,
            list: List::Topics,
            topics: Choice::default(),
            sessions: Choice::default(),
            over: Over::Nothing,
            said: None,
        }
    }

    /// Takes in what came from the hub.
    pub(super) fn hear(&mut self, heard: Heard, now: Timestamp) {
        self.now = now;
        match heard {
            Heard::Picture { picture, .. } => {
                self.cpu = self.picture.as_ref().and_then(|before| cpu_between(before, &picture));
                self.hearing = Hearing::Well { at: now };
                self.topics.follow(&names(&picture, List::Topics));
                self.sessions.follow(&names(&picture, List::Sessions));
                self.picture = Some(*picture);
            }
            Heard::Lost { why } => {
                let since = match self.hearing {
                    Hearing::Lost { since, .. } => since,
                    Hearing::Well { at } => at,
                    Hearing::Waiting => now,
                };
                self.hearing = Hearing::Lost { since, why };
            }
        }
    }

    /// Takes in a key.
    pub(super) fn press(&mut self, key: Key) -> Wish {
        if key == Key::Interrupt {
            return Wish::Quit;
        }
        self.said = None;
        match std::mem::replace(&mut self.over, Over::Nothing) {
            Over::Question(target) => match key {
                Key::Other('y' | 'Y') => return Wish::End(target),
                Key::Other('n' | 'N' | 'q') | Key::Escape => return Wish::Nothing,
                // A slip is no answer.
                _ => self.over = Over::Question(target),
            },
            Over::Help if key == Key::Other('q') => return Wish::Quit,
            Over::Help => {}
            Over::Nothing => return self.press_in_list(key),
        }
        Wish::Nothing
    }

    fn press_in_list(&mut self, key: Key) -> Wish {
        match key {
            Key::Other('q') => return Wish::Quit,
            Key::Other('?' | 'h') => self.over = Over::Help,
            Key::Tab => {
                self.list = match self.list {
                    List::Topics => List::Sessions,
                    List::Sessions => List::Topics,
                };
            }
            Key::Up | Key::Other('k') => self.select(-1),
            Key::Down | Key::Other('j') => self.select(1),
            Key::PageUp => self.select(-PAGE),
            Key::PageDown => self.select(PAGE),
            Key::Other('e') => match self.selected_target() {
                Some(target) => self.over = Over::Question(target),
                None => self.said = Some("there is nothing to end in this list".to_owned()),
            },
            _ => {}
        }
        Wish::Nothing
    }

    fn select(&mut self, rows: isize) {
        let Some(picture) = &self.picture else { return };
        let names = names(picture, self.list);
        let choice = match self.list {
            List::Topics => &mut self.topics,
            List::Sessions => &mut self.sessions,
        };
        let last = names.len().saturating_sub(1);
        choice.at = choice.at.saturating_add_signed(rows).min(last);
        choice.name = names.get(choice.at).map(|&name| name.to_owned());
    }

    /// Which row of a list is selected.
    pub(super) fn selected(&self, list: List) -> usize {
        match list {
            List::Topics => self.topics.at,
            List::Sessions => self.sessions.at,
        }
    }

    fn selected_target(&self) -> Option<Target> {
        let picture = self.picture.as_ref()?;
        let at = self.selected(self.list);
        match self.list {
            List::Topics => picture.topics.get(at).map(|row| Target::Topic { topic: row.topic.clone() }),
            List::Sessions => picture.sessions.get(at).map(|row| Target::Session { name: row.name.clone() }),
        }
    }
}

impl Choice {
    fn follow(&mut self, names: &[&str]) {
        let found = self.name.as_ref().and_then(|name| names.iter().position(|other| other == name));
        if let Some(at) = found {
            self.at = at;
        } else {
            self.at = self.at.min(names.len().saturating_sub(1));
            self.name = None;
        }
    }
}

fn names(picture: &Picture, list: List) -> Vec<&str> {
    match list {
        List::Topics => picture.topics.iter().map(|row| &*row.topic).collect(),
        List::Sessions => picture.sessions.iter().map(|row| &*row.name).collect(),
    }
}

#[expect(clippy::cast_precision_loss, reason = "milliseconds between two pictures are few")]
pub(super) fn cpu_between(before: &Picture, after: &Picture) -> Option<f64> {
    let milliseconds = after.at_ms.checked_sub(before.at_ms).filter(|&time| time > 0)?;
    let spent = after.process?.cpu - before.process?.cpu;
    // A hub that began anew counts from 0.
    (spent >= 0.0).then_some(spent * 1000.0 / milliseconds as f64)
}

#[cfg(test)]
mod tests {
    use tidings::picture::{ProcessPicture, SessionPicture, TopicPicture};

    use super::*;

    fn picture(topics: &[&str], sessions: &[&str]) -> Heard {
        let topic = |topic: &&str| TopicPicture { topic: (*topic).to_owned(), ..TopicPicture::default() };
        let session = |name: &&str| SessionPicture { name: (*name).to_owned(), ..SessionPicture::default() };
        let picture = Picture {
            topics: topics.iter().map(topic).collect(),
            sessions: sessions.iter().map(session).collect(),
            ..Picture::default()
        };
        Heard::Picture { json: String::new(), picture: Box::new(picture) }
    }

    fn view() -> View {
        View::new("http://h".to_owned(), TimeZone::UTC, Timestamp::UNIX_EPOCH)
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("a time")
    }

    fn topic(name: &str) -> Target {
        Target::Topic { topic: name.to_owned() }
    }

    #[test]
    fn a_row_that_was_chosen_is_followed_by_its_name() {
        let mut view = view();
        view.hear(picture(&["a", "b", "c"], &[]), at(1));
        view.press(Key::Down);
        view.hear(picture(&["c", "a", "b"], &[]), at(2));
        assert_eq!(view.selected(List::Topics), 2);
        view.hear(picture(&["c"], &[]), at(3));
        assert_eq!(view.selected(List::Topics), 0);
        // The first row is nobody's choice: it stays the first.
        view.hear(picture(&["d", "c"], &[]), at(4));
        assert_eq!(view.selected(List::Topics), 0);
        view.press(Key::PageDown);
        assert_eq!(view.selected(List::Topics), 1);
        view.press(Key::PageUp);
        assert_eq!(view.selected(List::Topics), 0);
    }

    #[test]
    fn what_is_ended_is_what_was_asked_about() {
        let mut view = view();
        view.hear(picture(&["a", "b"], &["0-1-1"]), at(1));
        assert_eq!(view.press(Key::Other('e')), Wish::Nothing);
        assert_eq!(view.over, Over::Question(topic("a")));
        // Meanwhile the rows have changed places.
        view.hear(picture(&["b", "a"], &["0-1-1"]), at(2));
        assert_eq!(view.press(Key::Other('x')), Wish::Nothing);
        assert_eq!(view.press(Key::Other('y')), Wish::End(topic("a")));
        view.press(Key::Tab);
        view.press(Key::Other('e'));
        assert_eq!(view.over, Over::Question(Target::Session { name: "0-1-1".to_owned() }));
        assert_eq!((view.press(Key::Other('n')), &view.over), (Wish::Nothing, &Over::Nothing));
        assert_eq!(view.press(Key::Other('y')), Wish::Nothing);
    }

    #[test]
    fn nothing_is_ended_where_there_is_nothing() {
        let mut view = view();
        for _ in 0..2 {
            assert_eq!(view.press(Key::Other('e')), Wish::Nothing);
            assert_eq!((&view.over, view.said.is_some()), (&Over::Nothing, true));
            view.press(Key::Down);
            view.hear(picture(&[], &[]), at(1));
        }
    }

    #[test]
    fn a_person_leaves_by_q_or_control_c_whatever_is_shown() {
        let mut view = view();
        assert_eq!(view.press(Key::Other('q')), Wish::Quit);
        view.press(Key::Other('?'));
        assert_eq!(view.over, Over::Help);
        assert_eq!(view.press(Key::Other('q')), Wish::Quit);
        view.over = Over::Question(topic("a"));
        assert_eq!(view.press(Key::Interrupt), Wish::Quit);
    }

    #[test]
    fn a_hub_that_does_not_answer_is_missed_since_its_last_picture() {
        let mut view = view();
        let lost = |why: &str| Heard::Lost { why: why.to_owned() };
        view.hear(lost("refused"), at(5));
        assert_eq!(view.hearing, Hearing::Lost { since: at(5), why: "refused".to_owned() });
        view.hear(picture(&[], &[]), at(10));
        assert_eq!(view.hearing, Hearing::Well { at: at(10) });
        view.hear(lost("ended"), at(12));
        view.hear(lost("refused"), at(14));
        assert_eq!(view.hearing, Hearing::Lost { since: at(10), why: "refused".to_owned() });
    }

    #[test]
    fn the_share_of_a_core_is_that_between_two_pictures() {
        let picture = |at_ms, cpu| Picture {
            at_ms,
            process: Some(ProcessPicture { cpu, ..ProcessPicture::default() }),
            ..Picture::default()
        };
        let share = cpu_between(&picture(1000, 4.0), &picture(3000, 5.0)).expect("time has passed");
        assert!((share - 0.5).abs() < 1e-9, "{share}");
        assert_eq!(cpu_between(&picture(1000, 4.0), &picture(1000, 5.0)), None);
        assert_eq!(cpu_between(&picture(1000, 4.0), &picture(2000, 0.1)), None);
        assert_eq!(cpu_between(&Picture::default(), &picture(2000, 0.1)), None);
    }
}
