//! What the screen looks like: a view, and how large the screen is, become lines. Draws nothing; see `terminal`.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use tidings::picture::Picture;

use super::glance::glance;
use super::line::{Line, Style};
use super::lists::{Widths, head, nothing, rows};
use super::view::{Hearing, List, Over, View};

/// How large a screen is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Size {
    pub(super) columns: usize,
    pub(super) rows: usize,
}

/// The screen: never more lines than it has rows, none longer than it is wide.
pub(super) fn screen(view: &View, size: Size) -> Vec<Line> {
    let mut lines = vec![title(view, size.columns)];
    lines.extend(trouble(view));
    match (&view.over, &view.picture) {
        (Over::Help, _) => lines.extend(HELP.lines().map(|line| Line::new().add(Style::Plain, line))),
        (_, Some(picture)) => lines.extend(body(view, picture, size, lines.len())),
        (_, None) => {}
    }
    lines.truncate(size.rows.saturating_sub(1));
    lines.resize(size.rows.saturating_sub(1), Line::new());
    lines.push(foot(view, size.columns));
    lines.truncate(size.rows);
    lines.into_iter().map(|line| line.cut(size.columns)).collect()
}

/// The same as a text, whole: for pipes and files.
pub(super) fn text(from: &str, picture: &Picture, cpu: Option<f64>, zone: &TimeZone) -> String {
    let mut lines = vec![name(from).add(Style::Plain, format!("{}   {}", state(picture), clock(picture, zone)))];
    lines.extend(glance(picture, cpu));
    let widths = Widths::of(picture, usize::MAX);
    for list in [List::Topics, List::Sessions] {
        lines.push(Line::new());
        lines.push(head(list, widths));
        let rows = rows(list, picture, widths);
        let none = rows.is_empty().then(|| Line::new().add(Style::Plain, format!(" {}", nothing(list))));
        lines.extend(rows.into_iter().chain(none));
    }
    let lines = lines.iter().map(|line| line.text().trim_end().to_owned());
    lines.collect::<Vec<_>>().join("\n")
}

fn name(from: &str) -> Line {
    Line::new().add(Style::Bold, "tidings top").add(Style::Plain, format!("   {from}   "))
}

fn state(picture: &Picture) -> String {
    format!("{}   version {}", picture.state, picture.version)
}

fn clock(picture: &Picture, zone: &TimeZone) -> String {
    let time = i64::try_from(picture.at_ms).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok());
    time_of_day(time.unwrap_or(Timestamp::UNIX_EPOCH), zone)
}

fn time_of_day(time: Timestamp, zone: &TimeZone) -> String {
    time.to_zoned_datetime(zone.clone()).strftime("%H:%M:%S").to_string()
}

fn title(view: &View, columns: usize) -> Line {
    let line = name(&view.from);
    let Some(picture) = &view.picture else { return line };
    let style = match &view.hearing {
        Hearing::Well { .. } if picture.state == "ready" => Style::Good,
        Hearing::Well { .. } => Style::Bad,
        _ => Style::Dim,
    };
    line.add(style, state(picture)).end(Style::Plain, &clock(picture, &view.zone), columns)
}

/// After so long without a picture it is said that there is none.
const PICTURE_LATE_SECONDS: i64 = 4;

/// Why what is shown is not what is.
fn trouble(view: &View) -> Option<Line> {
    let seconds_since = |time: Timestamp| view.now.duration_since(time).as_secs().max(0);
    match &view.hearing {
        Hearing::Waiting => Some(Line::new().add(Style::Dim, "asking the hub")),
        Hearing::Well { at } => {
            let late = seconds_since(*at);
            let text = format!("no picture for {late} s");
            (late >= PICTURE_LATE_SECONDS).then(|| Line::new().add(Style::Warn, text))
        }
        Hearing::Lost { since, why } => {
            let since = format!("{}, for {} s", time_of_day(*since, &view.zone), seconds_since(*since));
            Some(Line::new().add(Style::Bad, format!("the hub does not answer since {since}; trying again: {why}")))
        }
    }
}

/// Rows that are not for lists: two heads, a blank line before each, the foot.
const FRAME_ROWS: usize = 5;
/// Each list has so many before all of the glance is shown.
const LIST_ROWS_MIN: usize = 3;

/// Columns of an address: a whole IPv4 one.
const FROM_MAX: usize = 15;

fn body(view: &View, picture: &Picture, size: Size, used: usize) -> Vec<Line> {
    let room = size.rows.saturating_sub(used + FRAME_ROWS);
    let mut lines = glance(picture, view.cpu);
    lines.truncate(room.saturating_sub(2 * LIST_ROWS_MIN).max(3));
    let room = room.saturating_sub(lines.len());
    let widths = Widths::of(picture, FROM_MAX);
    let topics = rows(List::Topics, picture, widths);
    let sessions = rows(List::Sessions, picture, widths);
    // Half for each, and what one does not need is the other's.
    let half = room / 2;
    let topic_room = topics.len().max(1).min(half.max(room.saturating_sub(sessions.len().max(1))));
    let session_room = sessions.len().max(1).min(room - topic_room.min(room));
    for (list, rows, room) in [(List::Topics, topics, topic_room), (List::Sessions, sessions, session_room)] {
        lines.push(Line::new());
        lines.push(head(list, widths).bar(if view.list == list { Style::Reverse } else { Style::Bold }, size.columns));
        if rows.is_empty() {
            lines.push(Line::new().add(Style::Dim, format!(" {}", nothing(list))));
        }
        lines.extend(window(view, list, rows, room, size.columns));
    }
    lines
}

/// The part of a list around the selected row.
fn window(view: &View, list: List, rows: Vec<Line>, room: usize, columns: usize) -> Vec<Line> {
    let selected = view.selected(list);
    let first = (selected + 1).saturating_sub(room);
    let shown = rows.into_iter().enumerate().skip(first).take(room);
    let is_selected = |at: usize| at == selected && view.list == list;
    let row = |(at, line): (usize, Line)| if is_selected(at) { line.bar(Style::Reverse, columns) } else { line };
    shown.map(row).collect()
}

fn foot(view: &View, columns: usize) -> Line {
    match (&view.over, &view.said) {
        (Over::Question(target), _) => {
            const ANSWERS: &str = "   y yes   n no";
            let question = Line::new().add(Style::Bold, format!("End {target}?"));
            question.cut(columns.saturating_sub(ANSWERS.len())).add(Style::Plain, ANSWERS)
        }
        (_, Some(said)) => Line::new().add(Style::Bold, said),
        (Over::Help, None) => Line::new().add(Style::Dim, "any key: back   q quit"),
        (Over::Nothing, None) => Line::new().add(Style::Dim, "q quit   Tab other list   ↑↓ select   e end   ? help"),
    }
}

const HELP: &str = "
  q, Ctrl-C        quit
  Tab              the other list
  ↑ ↓, k j         select a row; it is followed while rows change places
  PgUp PgDn        five rows at a time
  e                end the selected session, or all sessions that listen to the
                   selected topic, after a question. Their readers come back by
                   themselves and miss nothing. It needs the operators' token

  BEHIND           events of the hub, of whatever topic, that a session has not
  HELD             bytes of half-written frames that are kept for it
  STALLED          for how long it has taken nothing though there was something
  live             it has all there is      reading   its history is read
  behind           it is given the rest     blocked   it takes no byte now";

#[cfg(test)]
mod tests {
    use tidings::picture::{Connections, History, ProcessPicture, Rates, SessionPicture, TopicPicture, Totals};

    use super::*;
    use crate::cmd::top::ending::Target;
    use crate::cmd::top::feed::Heard;
    use crate::cmd::top::keys::Key;

    fn topic(topic: &str, events: f64) -> TopicPicture {
        TopicPicture { topic: topic.to_owned(), events, bytes: events * 1024.0, readers: 1200 }
    }

    fn session(name: &str, state: &str, stalled: f64) -> SessionPicture {
        SessionPicture {
            name: name.to_owned(),
            address: Some("127.0.0.1".to_owned()),
            state: state.to_owned(),
            selectors: vec!["prices/*".to_owned()],
            selectors_more: 2,
            behind_events: 5120,
            held_bytes: 65_536,
            stalled,
        }
    }

    fn picture() -> Picture {
        Picture {
            at_ms: 1_764_360_904_000,
            version: "0.1.0".to_owned(),
            state: "ready".to_owned(),
            connections: Connections { open: 1204, max: 9500, direct: 1190, body: 10, live: 1150, replaying: 12 },
            totals: Totals { events_in: 2_345_678, joined: 1300, refused: 7, ..Totals::default() },
            rates: Some(Rates {
                events_in: 118.0,
                bytes_in: 14_336.0,
                events_out: 144e3,
                bytes_out: 17e6,
                ..Rates::default()
            }),
            history: History {
                events: 90_000,
                bytes: 64 << 20,
                topics: 412,
                oldest_age: Some(300.0),
                ..History::default()
            },
            process: Some(ProcessPicture { resident_bytes: 96 << 20, open_fds: 1260, max_fds: 10_000, cpu: 1.0 }),
            topics: vec![topic("prices/eur", 118.0), topic("chat/42", 0.3)],
            sessions: vec![session("0-12-3", "blocked", 75.0), session("1-7-1", "live", 0.0)],
            limits_reached: [("connections".to_owned(), 3)].into(),
            closed: [("client".to_owned(), 100), ("operator".to_owned(), 1)].into(),
        }
    }

    fn view(picture: Picture) -> View {
        let now = Timestamp::from_millisecond(1_764_360_904_000).expect("a time");
        let mut view = View::new("http://127.0.0.1:9090".to_owned(), TimeZone::UTC, now);
        view.hear(Heard::Picture { json: String::new(), picture: Box::new(picture) }, now);
        view.cpu = Some(0.12);
        view
    }

    fn shown(view: &View, columns: usize, rows: usize) -> String {
        let lines = screen(view, Size { columns, rows });
        lines.iter().map(|line| line.text().trim_end().to_owned()).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn all_of_a_hub_has_place_on_the_smallest_usual_screen() {
        let want = "\
tidings top   http://127.0.0.1:9090   ready   version 0.1.0             20:15:04
connections  1,204 of 9,500   sessions 1,200: 1,150 live, 50 behind, 12 given h…
published    118 events/s   14.0 KiB/s   2,345,678 events in all
delivered    144,000 events/s   16.2 MiB/s   0 events in all
coming       0 sessions/s   0 refused/s   1,300 sessions and 7 refused in all
history      90,000 events   64.0 MiB   412 topics   oldest 5 min   in memory
process      96.0 MiB   CPU 12 %   descriptors 1,260 of 10,000
limits hit   connections 3
ended        client 100   operator 1

  EVENTS/S     BYTES/S  READERS  BUSIEST TOPICS, OF THE LAST 10 S
       118   118.0 KiB    1,200  prices/eur
       0.3       307 B    1,200  chat/42

    BEHIND        HELD  STALLED  STATE    NAME    FROM       SLOWEST SESSIONS, …
     5,120    64.0 KiB     75 s  blocked  0-12-3  127.0.0.1  prices/* and 2 more
     5,120    64.0 KiB        –  live     1-7-1   127.0.0.1  prices/* and 2 more






q quit   Tab other list   ↑↓ select   e end   ? help";
        assert_eq!(shown(&view(picture()), 80, 24), want);
    }

    #[test]
    fn a_text_is_whole_and_has_no_escapes() {
        let long = "a".repeat(500);
        let mut picture = picture();
        picture.topics.push(topic(&format!("{long}\x1b[2J"), 0.1));
        let text = text("http://h", &picture, None, &TimeZone::UTC);
        assert!(text.contains(&format!("{long}\\u{{1b}}[2J")), "{text}");
        assert!(
            text.starts_with("tidings top   http://h   ready   version 0.1.0   20:15:04\nconnections  1,204"),
            "{text}"
        );
        assert!(!text.contains('\x1b'), "{text}");
    }

    /// However small it is, and whatever the hub says.
    #[test]
    fn the_screen_is_never_larger_than_the_terminal() {
        let mut picture = picture();
        picture.topics = (0..20).map(|number| topic(&format!("日本\x1b[31m{number}").repeat(40), 5.0)).collect();
        picture.sessions = (0..20).map(|number| session(&format!("0-{number}-1"), "behind", 0.0)).collect();
        let mut views = vec![view(picture.clone()), view(Picture::default())];
        for over in [Over::Help, Over::Question(Target::Topic { topic: "x\n".repeat(100) })] {
            let mut view = view(picture.clone());
            view.over = over;
            view.hearing = Hearing::Lost { since: view.now, why: "y\n".repeat(100) };
            views.push(view);
        }
        for view in &views {
            for (columns, rows) in [(80, 24), (200, 60), (40, 10), (20, 5), (7, 3), (1, 1), (1, 0), (0, 1)] {
                let lines = screen(view, Size { columns, rows });
                assert_eq!(lines.len(), rows, "{columns} x {rows}");
                for line in lines {
                    let text = line.text();
                    assert!(unicode_width::UnicodeWidthStr::width(&*text) <= columns, "{columns} x {rows}: {text}");
                    assert!(!text.contains(char::is_control), "{text:?}");
                }
            }
        }
    }

    #[test]
    fn both_lists_have_their_part_and_the_selected_row_is_among_it() {
        let mut picture = picture();
        picture.topics = (0..20).map(|number| topic(&format!("topic-{number}"), 5.0)).collect();
        picture.sessions = (0..20).map(|number| session(&format!("0-{number}-1"), "live", 0.0)).collect();
        let mut view = view(picture.clone());
        let text = shown(&view, 80, 24);
        assert!(text.contains("topic-4") && !text.contains("topic-5"), "{text}");
        assert!(text.contains("0-4-1") && !text.contains("0-5-1"), "{text}");
        (0..9).for_each(|_| drop(view.press(Key::Down)));
        let text = shown(&view, 80, 24);
        assert!(text.contains("topic-9") && text.contains("topic-5") && !text.contains("topic-4"), "{text}");
        // What one list does not need is the other's.
        picture.sessions.clear();
        let text = shown(&self::view(picture), 80, 24);
        assert!(text.contains("topic-8") && text.contains("nobody listens"), "{text}");
    }

    #[test]
    fn a_hub_that_does_not_answer_is_told_and_its_last_picture_stays() {
        let mut view = view(picture());
        view.now = Timestamp::from_millisecond(1_764_360_916_000).expect("a time");
        assert!(shown(&view, 80, 24).contains("\nno picture for 12 s\nconnections"));
        view.hear(Heard::Lost { why: "connection refused".to_owned() }, view.now);
        let text = shown(&view, 100, 24);
        let want =
            "\nthe hub does not answer since 20:15:04, for 12 s; trying again: connection refused\nconnections  1,204";
        assert!(text.contains(want), "{text}");
        let asking = View::new("http://h".to_owned(), TimeZone::UTC, view.now);
        assert!(shown(&asking, 80, 24).contains("asking the hub"));
    }

    #[test]
    fn a_question_shows_its_answers_however_long_the_topic_is() {
        let mut picture = picture();
        picture.topics = vec![topic(&"x".repeat(300), 1.0)];
        let mut view = view(picture);
        view.press(Key::Other('e'));
        let text = shown(&view, 80, 24);
        let foot = text.lines().last().unwrap_or_default();
        assert!(foot.starts_with("End all that listen to xxx") && foot.ends_with("…   y yes   n no"), "{foot}");
        view.press(Key::Other('n'));
        view.said = Some("1 session ended".to_owned());
        assert!(shown(&view, 80, 24).ends_with("\n1 session ended"));
        view.press(Key::Other('?'));
        assert!(shown(&view, 80, 24).contains("BEHIND           events"));
    }
}
