//! `tidings serve`: the hub.

use clap::Args;

use crate::config::{Given, Plan, Purpose};
use crate::exit::Failure;
use crate::listening::ListeningHub;
use crate::logs;
use crate::settings_again::SettingsAgain;

/// Run the hub
///
/// It prints `listening on http://ADDR` once it accepts, and stops at SIGTERM or Ctrl-C after it has ended its streams.
///
/// Without keys a hub is open to all, so it listens on this machine only, unless --open says otherwise.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Serve {
    #[command(flatten)]
    hub: Given,
}

impl Serve {
    /// Serves until it is asked to stop.
    ///
    /// # Errors
    /// A [`Failure`] when the settings are not good or do not go together, the history or a port cannot be had, or serving
    /// failed.
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let settings = self.hub.clone().settle()?;
        let plan = Plan::of(&settings, Purpose::Serve)?;
        let again = SettingsAgain::new(self.hub, Purpose::Serve, &settings, &plan);
        logs::start(&settings.flags.logs);
        ListeningHub::open(plan, again)?.serve().await
    }
}

const EXAMPLES: &str = "\
Examples:
  tidings serve                                the history in ./tidings-data
  tidings serve --data /var/lib/tidings --history-bytes 100GiB --history-age 30d
  tidings serve --data /var/lib/tidings --durability relaxed
  tidings serve --memory                       the history in memory
  tidings serve --config tidings.toml
  tidings serve --listen 127.0.0.1:3000 --listen [::1]:3000
  tidings serve --admin-listen 127.0.0.1:9090
  tidings serve --cors-origin https://app.example
  tidings serve --publisher-jwt-key file:///run/secrets/jwt-key --anonymous --listen 0.0.0.0:3000
  tidings serve --mercure-compat
  tidings serve --open --listen 0.0.0.0:3000

Durations are a number and ms, s, m, h or d; sizes are a number and B, KiB, MiB or GiB.
Every flag is a variable too: --history-bytes is TIDINGS_HISTORY_BYTES; repeated flags are one variable with commas, as in \
TIDINGS_LISTEN=127.0.0.1:3000,[::1]:3000. Every flag is a key of the file too, see `tidings config default`. A flag counts \
before its variable, a variable before the file. Mercure's variables for keys, such as MERCURE_PUBLISHER_JWT_KEY, count \
after those of the hub.

SIGHUP has keys, certificate and limits read again.";
