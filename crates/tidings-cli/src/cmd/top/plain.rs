//! Pictures for pipes, files and programs: as text or as JSON, once or as they come. No escapes, no keys.

use jiff::tz::TimeZone;
use tidings::picture::Picture;

use super::feed::{Feed, Heard};
use super::screen::text;
use super::view::cpu_between;
use crate::exit::Failure;
use crate::say::{self, Reader, Results};
use crate::signals::StopSignals;
use crate::visible::visible;

/// What is printed of a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Text,
    /// As the hub tells it, one a line.
    Json,
}

/// How long pictures are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Until {
    /// One that has rates.
    Once,
    /// As long as somebody reads them.
    Stopped,
}

/// Prints pictures.
///
/// # Errors
/// A [`Failure`] when what answers there is no hub, or stdout cannot be written; and when the hub does not answer at once,
/// and one picture alone was asked for.
pub(super) async fn print(mut feed: Feed, from: &str, form: Form, until: Until) -> Result<(), Failure> {
    let zone = TimeZone::system();
    let mut signals = StopSignals::listen()?;
    let mut results = Results::new();
    let mut before: Option<Picture> = None;
    loop {
        let heard = tokio::select! {
            () = signals.next() => return Ok(()),
            heard = feed.next() => heard?,
        };
        let (json, picture) = match heard {
            Heard::Picture { json, picture } => (json, *picture),
            Heard::Lost { why } if until == Until::Once => return Err(no_answer(from, &why)),
            Heard::Lost { why } => {
                say::note(format_args!("the hub does not answer; trying again: {}", visible(&why)));
                continue;
            }
        };
        let cpu = before.as_ref().and_then(|before| cpu_between(before, &picture));
        // The first one has no rates, for they are of the time between two.
        let is_wanted = until == Until::Stopped || picture.rates.is_some() && before.is_some();
        if is_wanted {
            match form {
                Form::Json => results.add(&json.replace(['\r', '\n'], " ")),
                Form::Text => {
                    results.add(&text(from, &picture, cpu, &zone));
                    if until == Until::Stopped {
                        results.add("");
                    }
                }
            }
            let reader = tokio::select! {
                () = signals.next() => return Ok(()),
                reader = results.flush() => reader?,
            };
            if until == Until::Once || reader == Reader::Gone {
                return Ok(());
            }
        }
        before = Some(picture);
    }
}

fn no_answer(from: &str, why: &str) -> Failure {
    Failure::running(format!(
        "{from} does not answer: {}; start the hub with --admin-listen, or name another address with --admin",
        visible(why)
    ))
}
