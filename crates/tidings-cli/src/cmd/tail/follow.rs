//! The loop over what a stream says: show it, run its command, keep its place.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

use http::HeaderMap;
use tidings_client::{Error, Event, EventSource, Expiring, Frame, Lost, Raw, Reset};
use tokio::time::{Sleep, sleep};

use super::run::Runner;
use super::save::SaveFile;
use super::show::Shower;
use crate::cmd::remote::with_causes;
use crate::exit::Failure;
use crate::http_client::Problem;
use crate::say::{self, Reader};
use crate::signals::StopSignals;
use crate::visible::visible;

/// Follows one source.
#[derive(Debug)]
pub(super) struct Follower {
    pub(super) events: EventSource,
    pub(super) shower: Shower,
    pub(super) save: Option<SaveFile>,
    pub(super) runner: Option<Runner>,
    pub(super) until: Until,
    /// The last command failed and was passed over.
    pub(super) has_failed: bool,
}

/// Whether to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wish {
    More,
    /// There are as many events as were asked for, nobody reads them, or nothing more will come.
    Enough,
}

/// What became of something the stream said.
struct Taken {
    wish: Wish,
    /// All up to it is dealt with, once it was written: its place may be kept.
    is_done: bool,
}

/// Somebody or something from outside ends it.
enum Stop {
    Signal,
    Timeout,
}

impl Follower {
    /// Follows until nothing more is wanted or will come.
    ///
    /// # Errors
    /// A [`Failure`] when the server refuses for good, its stream cannot be read or printed, or a command fails.
    pub(super) async fn follow(mut self) -> Result<(), Failure> {
        loop {
            let next = tokio::select! {
                biased;
                stop = self.until.stopped() => return self.stop(stop).await,
                next = next(&mut self.events, &mut self.shower) => next?,
            };
            let Some(next) = next else { return Ok(()) };
            let Taken { wish, is_done } = self.take(next).await?;
            let must_be_seen = wish == Wish::Enough || self.save.is_some();
            if must_be_seen && self.shower.holds_anything() {
                tokio::select! {
                    biased;
                    stop = self.until.stopped() => return self.stop(stop).await,
                    reader = self.shower.flush() => if reader? == Reader::Gone { return Ok(()) },
                }
            }
            if let Some(save) = self.save.as_mut().filter(|_| is_done) {
                // Only now: whoever starts again after this id has seen all up to it.
                save.keep(self.events.last_event_id())?;
            }
            if wish == Wish::Enough {
                return Ok(());
            }
        }
    }

    async fn take(&mut self, next: Next) -> Result<Taken, Failure> {
        let raw = match next {
            Next::Said(raw) => raw,
            Next::Nobody => return Ok(Taken { wish: Wish::Enough, is_done: false }),
        };
        let event = match raw {
            Raw::Event(event) => event,
            Raw::Lost { cause, wait } => {
                say::note(lost_note(&cause, wait));
                return Ok(Taken { wish: Wish::More, is_done: false });
            }
            other => {
                self.shower.show_other(&other);
                return Ok(Taken { wish: Wish::More, is_done: matches!(other, Raw::Id(_)) && !self.has_failed });
            }
        };
        match event.frame() {
            Frame::Message => return self.take_event(&event).await,
            Frame::Reset(reset) => say::note(reset_note(&reset)),
            Frame::Expiring(expiring) => say::note(expiring_note(&expiring)),
            _ => {}
        }
        self.shower.show_frame(&event);
        // The hub would answer 204 from now on.
        let wish = if event.frame() == Frame::End { Wish::Enough } else { Wish::More };
        Ok(Taken { wish, is_done: !self.has_failed })
    }

    async fn take_event(&mut self, event: &Event) -> Result<Taken, Failure> {
        self.shower.show(event);
        if let Some(runner) = &self.runner {
            // What is shown of an event stands before what its command says.
            if self.shower.flush().await? == Reader::Gone {
                return Ok(Taken { wish: Wish::Enough, is_done: false });
            }
            let ran = tokio::select! {
                ran = runner.run(event) => ran,
                // The command may be half done: one signal waits for it, two do not.
                () = self.until.signalled_twice() => return Err(Failure::running("ended before its command did")),
            };
            self.has_failed = ran.is_err();
            if let Err(failed) = ran {
                let failed = format!("{failed}, for the event with the id {}", visible(&event.last_event_id));
                if !runner.keeps_going {
                    return Err(Failure::running(failed));
                }
                say::note(failed);
                // The place that is kept stays before it, until a later one succeeds.
                return Ok(Taken { wish: self.until.count(), is_done: false });
            }
        }
        Ok(Taken { wish: self.until.count(), is_done: true })
    }

    async fn stop(&mut self, stop: Stop) -> Result<(), Failure> {
        if let Stop::Timeout = stop {
            self.shower.flush().await?; // a signal does not wait for whoever reads
        }
        self.until.judge(&stop)
    }
}

/// What the stream gave.
enum Next {
    Said(Raw),
    /// Nobody reads what is printed.
    Nobody,
}

/// The next thing that a stream says, after what was shown before has been written, unless more is at hand.
async fn next(events: &mut EventSource, shower: &mut Shower) -> Result<Option<Next>, Failure> {
    if shower.holds_anything() {
        if !shower.holds_much() {
            let at_hand = {
                let mut next = pin!(events.next_raw());
                poll_fn(|cx| Poll::Ready(next.as_mut().poll(cx))).await
            };
            if let Poll::Ready(Some(Ok(raw))) = at_hand {
                return Ok(Some(Next::Said(raw)));
            }
            if let Poll::Ready(end) = at_hand {
                shower.flush().await?; // what came before it is good
                return end.transpose().map(|_| None).map_err(|error| refused(&error));
            }
        }
        if shower.flush().await? == Reader::Gone {
            return Ok(Some(Next::Nobody));
        }
    }
    match events.next_raw().await {
        Some(Ok(raw)) => Ok(Some(Next::Said(raw))),
        Some(Err(error)) => Err(refused(&error)),
        None => Ok(None),
    }
}

/// What ends it from outside, and after how many events.
#[derive(Debug)]
pub(super) struct Until {
    signals: StopSignals,
    /// A signal came while a command was running.
    is_signalled: bool,
    timeout: Option<(Duration, Pin<Box<Sleep>>)>,
    wanted: Option<usize>,
    came: usize,
}

impl Until {
    /// A timeout counts from now.
    pub(super) fn new(signals: StopSignals, timeout: Option<Duration>, wanted: Option<usize>) -> Self {
        let timeout = timeout.map(|after| (after, Box::pin(sleep(after))));
        Self { signals, is_signalled: false, timeout, wanted, came: 0 }
    }

    fn count(&mut self) -> Wish {
        self.came += 1;
        if self.wanted.is_some_and(|wanted| self.came >= wanted) { Wish::Enough } else { Wish::More }
    }

    async fn stopped(&mut self) -> Stop {
        if self.is_signalled {
            return Stop::Signal;
        }
        match &mut self.timeout {
            None => {
                self.signals.next().await;
                Stop::Signal
            }
            Some((_, sleep)) => tokio::select! {
                () = self.signals.next() => Stop::Signal,
                () = sleep => Stop::Timeout,
            },
        }
    }

    async fn signalled_twice(&mut self) {
        if !self.is_signalled {
            self.signals.next().await;
            self.is_signalled = true;
        }
        say::note("waiting for the command to end; the next signal does not");
        self.signals.next().await;
    }

    fn judge(&self, stop: &Stop) -> Result<(), Failure> {
        match (stop, self.wanted, &self.timeout) {
            (Stop::Timeout, Some(wanted), Some((after, _))) => {
                Err(Failure::running(format!("{} of {wanted} events came within {after:?}", self.came)))
            }
            _ => Ok(()),
        }
    }
}

/// Why a stream is over for good, with the reason that the server gives.
fn refused(error: &Error) -> Failure {
    Failure::running(match error {
        Error::Status { status, body, .. } => {
            format!("the server refused: {}", visible(&Problem::told(*status, &HeaderMap::new(), body).to_string()))
        }
        error => visible(&with_causes(error)),
    })
}

fn lost_note(cause: &Lost, wait: Duration) -> String {
    let why = match cause {
        Lost::Refused { status, body } => Problem::told(*status, &HeaderMap::new(), body).to_string(),
        cause => with_causes(cause),
    };
    format!("{}; trying again in {:.1} s", visible(&why), wait.as_secs_f64())
}

/// The verdict in words: it stands on stderr, so that nobody takes the events after it for all there were.
fn reset_note(reset: &Reset) -> String {
    let Reset { requested, reason, .. } = reset;
    format!(
        "gap: what came after {} is not all there any more ({}); going on with the oldest event that is kept",
        visible(requested),
        visible(reason),
    )
}

fn expiring_note(expiring: &Expiring) -> String {
    format!("the token ends in {:.1} s, and the stream with it", expiring.expires_in.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use http::StatusCode;

    use super::*;

    #[test]
    fn a_verdict_names_the_id_and_the_reason() {
        let event = Event {
            event_type: "tidings.reset".into(),
            data: r#"{"requested":"e-1\u001b","reason":"expired","oldest":null,"latest":"e-9"}"#.into(),
            last_event_id: "e-9".into(),
            origin: "".into(),
        };
        let Frame::Reset(reset) = event.frame() else { panic!("it is a verdict") };
        let want = "gap: what came after e-1\\u{1b} is not all there any more (expired); \
                    going on with the oldest event that is kept";
        assert_eq!(reset_note(&reset), want);
    }

    #[test]
    fn a_refusal_is_told_in_the_servers_words_which_cannot_write_to_the_terminal() {
        let body = r#"{"detail":"too \u001b[31mbusy"}"#.to_owned();
        let cause = Lost::Refused { status: StatusCode::TOO_MANY_REQUESTS, body };
        let want = "429: too \\u{1b}[31mbusy; trying again in 1.5 s";
        assert_eq!(lost_note(&cause, Duration::from_millis(1500)), want);
    }
}
