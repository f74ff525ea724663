//! The screen while somebody looks: pictures, keys, signals and answers, one after the other.

use std::collections::VecDeque;
use std::future::{Future, pending};
use std::io;
use std::pin::Pin;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use tokio::io::{AsyncReadExt, Stdin};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{Interval, MissedTickBehavior, interval};

use super::ending::Ender;
use super::feed::Feed;
use super::keys::{Key, keys};
use super::line::Colours;
use super::screen::screen;
use super::terminal::Terminal;
use super::view::{View, Wish};
use crate::exit::Failure;
use crate::signals::StopSignals;

/// The clock of the screen, for what it says of times that pass.
const TICK: Duration = Duration::from_secs(1);

/// Shows pictures on the terminal until somebody has seen enough.
///
/// # Errors
/// A [`Failure`] when there is no terminal, or what answers there is no hub.
pub(super) async fn watch(mut feed: Feed, from: String, ender: Ender, colours: Colours) -> Result<(), Failure> {
    let mut view = View::new(from, TimeZone::system(), Timestamp::now());
    let mut outside = Outside::listen()?;
    let mut ending: Option<Ending> = None;
    let terminal = Terminal::open(colours).map_err(|error| no_terminal(&error))?;
    loop {
        if terminal.draw(&screen(&view, Terminal::size())).is_err() {
            return Ok(()); // nobody looks any more
        }
        tokio::select! {
            biased;
            happened = outside.next() => match happened {
                Happened::Stop => return Ok(()),
                Happened::Tick => view.now = Timestamp::now(),
                Happened::Resized => {}
                Happened::Pressed(key) => match view.press(key) {
                    Wish::Nothing => {}
                    Wish::Quit => return Ok(()),
                    Wish::End(target) => {
                        view.said = Some(format!("asking the hub to end {target}"));
                        ending = Some(Box::pin(ender.clone().end(target)));
                    }
                },
            },
            said = answer(&mut ending) => {
                ending = None;
                view.said = Some(said);
            }
            heard = feed.next() => view.hear(heard?, Timestamp::now()),
        }
    }
}

type Ending = Pin<Box<dyn Future<Output = String>>>;

async fn answer(ending: &mut Option<Ending>) -> String {
    match ending {
        Some(ending) => ending.await,
        None => pending().await,
    }
}

fn no_terminal(error: &io::Error) -> Failure {
    Failure::running(format!("the terminal cannot be used: {error}; --once and --json need none"))
}

/// What happens on this side.
enum Happened {
    /// A signal, or the terminal is gone.
    Stop,
    Pressed(Key),
    Resized,
    Tick,
}

/// Keys, signals, and the clock.
struct Outside {
    signals: StopSignals,
    resized: Signal,
    stdin: Stdin,
    /// Pressed, and not dealt with.
    pressed: VecDeque<Key>,
    tick: Interval,
}

impl Outside {
    fn listen() -> Result<Self, Failure> {
        let resized = signal(SignalKind::window_change());
        let resized = resized.map_err(|error| Failure::running(format!("no signals: {error}")))?;
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Ok(Self { signals: StopSignals::listen()?, resized, stdin: tokio::io::stdin(), pressed: VecDeque::new(), tick })
    }

    /// What comes next. Nothing is lost when it is dropped.
    async fn next(&mut self) -> Happened {
        let mut bytes = [0; 256];
        loop {
            if let Some(key) = self.pressed.pop_front() {
                return Happened::Pressed(key);
            }
            tokio::select! {
                biased;
                () = self.signals.next() => return Happened::Stop,
                read = self.stdin.read(&mut bytes) => match read {
                    Ok(count @ 1..) => self.pressed.extend(keys(&bytes[..count])),
                    _ => return Happened::Stop,
                },
                _ = self.resized.recv() => return Happened::Resized,
                _ = self.tick.tick() => return Happened::Tick,
            }
        }
    }
}
