//! `tidings demo`: a hub in memory with a greeting and a clock.

mod clock;

use clap::Args;

use crate::config::{Given, Plan, Purpose};
use crate::exit::Failure;
use crate::listening::ListeningHub;
use crate::logs::{self, LogFormat};
use crate::say;
use crate::settings_again::SettingsAgain;

/// Run a hub in memory with a clock, to look at
///
/// Whoever listens to its topic `default` is greeted and then gets the local time each second. Every page may read it. It
/// takes all flags of `serve`; its history is in memory unless --data is given.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Demo {
    #[command(flatten)]
    hub: Given,
}

impl Demo {
    /// Serves, and tells the time, until it is asked to stop.
    ///
    /// # Errors
    /// As `serve`.
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let settings = self.hub.clone().settle()?;
        let plan = Plan::of(&settings, Purpose::Demo)?;
        let again = SettingsAgain::new(self.hub, Purpose::Demo, &settings, &plan);
        logs::start(&settings.flags.logs);
        let listening = ListeningHub::open(plan, again)?;
        // A reader of JSON logs gets nothing but JSON.
        if settings.flags.logs.log_format == LogFormat::Text {
            hint(&listening.url());
        }
        let ticking = clock::tick(listening.hub().clone());
        tokio::select! {
            ended = listening.serve() => ended,
            never = ticking => match never {},
        }
    }
}

fn hint(url: &str) {
    say::note(format_args!(
        "Open {url}/ in a browser, or listen and publish in two other terminals:\n  \
         curl -N {url}/events\n  \
         curl -d 'Good news' {url}/events\n\
         Ctrl-C ends it."
    ));
}

const EXAMPLES: &str = "\
Examples:
  tidings demo
  tidings demo --listen 127.0.0.1:0         on any free port
  tidings demo --heartbeat 5s --retry 500ms
  tidings demo --data ./tidings-data        keeps its history on disk

Then, in other terminals:
  curl -N http://127.0.0.1:3000/events
  curl -d 'Good news' http://127.0.0.1:3000/events
  tidings tail default";
