//! `tidings serve`: the hub.

use clap::Args;

use crate::config::{HubFlags, Plan, Purpose};
use crate::exit::Failure;
use crate::listening::ListeningHub;
use crate::logs;

/// Run the hub
///
/// It prints `listening on http://ADDR` once it accepts, and stops at SIGTERM or Ctrl-C after it has ended its streams.
///
/// Without keys a hub is open to all, so it listens on this machine only, unless --open says otherwise.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Serve {
    #[command(flatten)]
    hub: HubFlags,
}

impl Serve {
    /// Serves until it is asked to stop.
    ///
    /// # Errors
    /// A [`Failure`] when the flags do not go together, a port cannot be had, or serving failed.
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let plan = Plan::of(&self.hub, Purpose::Serve)?;
        logs::start(&self.hub.logs);
        ListeningHub::open(plan)?.serve().await
    }
}

const EXAMPLES: &str = "\
Examples:
  tidings serve --memory
  tidings serve --memory --history-bytes 1GiB --history-age 7d
  tidings serve --memory --listen 127.0.0.1:3000 --listen [::1]:3000
  tidings serve --memory --admin-listen 127.0.0.1:9090
  tidings serve --memory --cors-origin https://app.example
  tidings serve --memory --open --listen 0.0.0.0:3000

Durations are a number and ms, s, m, h or d; sizes are a number and B, KiB, MiB or GiB.
Every flag is a variable too: --history-bytes is TIDINGS_HISTORY_BYTES. A flag counts before its variable; \
repeated flags are one variable with commas, as in TIDINGS_LISTEN=127.0.0.1:3000,[::1]:3000.";
