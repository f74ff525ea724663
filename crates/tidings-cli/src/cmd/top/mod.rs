//! `tidings top`: who listens to a hub, what is busy, who is slow; and an end to them.
//!
//! Here is the command. `feed` is what the hub tells, `view` what somebody looks at, `screen` what that looks like (of
//! `line`, `glance`, `lists` and `numbers`), `terminal` and `keys` how it is shown and what is pressed, `watch` the loop
//! over all that, `plain` the same without a terminal, `ending` how streams are ended.

mod ending;
mod feed;
mod glance;
mod keys;
mod line;
mod lists;
mod numbers;
mod plain;
mod screen;
mod terminal;
mod view;
mod watch;

use std::env;
use std::io::{self, IsTerminal};

use clap::Args;

use crate::config::Secret;
use crate::exit::Failure;
use crate::http_client::{HttpUrl, Token};
use ending::Ender;
use feed::Feed;
use line::Colours;
use plain::{Form, Until};

/// Look into a hub: its connections and rates, the busiest topics, the slowest sessions
///
/// The hub is one that was started with --admin-listen. Where stdout is no terminal, each second's picture is printed as
/// text.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Top {
    /// Where the hub's admin listener is
    #[arg(
        long,
        env = "TIDINGS_ADMIN",
        value_name = "URL",
        default_value = "http://127.0.0.1:9090",
        value_parser = HttpUrl::parse
    )]
    admin: HttpUrl,

    /// The operators' token, which the hub has as --admin-token, to end streams; or `file:///…` with it
    #[arg(long, env = "TIDINGS_ADMIN_TOKEN", value_name = "TOKEN", hide_env_values = true, allow_hyphen_values = true)]
    token: Option<Secret>,

    /// Print one picture as text and end; it takes two seconds, for rates are of the time between two
    #[arg(long)]
    once: bool,

    /// Print pictures as JSON, one a line
    #[arg(long)]
    json: bool,
}

impl Top {
    /// Shows the hub until somebody has seen enough.
    ///
    /// # Errors
    /// A [`Failure`] when the arguments are wrong, or no hub answers there.
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let Self { admin, token, once, json } = self;
        let token = token.map(|secret| parse_token(&secret)).transpose()?;
        let from = admin.origin();
        let feed = Feed::new(admin.clone())?;
        if once || json || !is_at_terminal() {
            let form = if json { Form::Json } else { Form::Text };
            return plain::print(feed, &from, form, if once { Until::Once } else { Until::Stopped }).await;
        }
        watch::watch(feed, from, Ender { admin, token }, colours()).await
    }
}

fn parse_token(secret: &Secret) -> Result<Token, Failure> {
    let token = secret.read().and_then(|text| Token::parse(&text));
    token.map_err(|expected| Failure::usage(format!("--token: {expected}")))
}

/// Keys come from stdin and the screen is stdout; a terminal that calls itself dumb has no screen.
fn is_at_terminal() -> bool {
    io::stdin().is_terminal() && io::stdout().is_terminal() && env::var_os("TERM").is_none_or(|term| term != "dumb")
}

fn colours() -> Colours {
    let is_forbidden = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    if is_forbidden { Colours::Unused } else { Colours::Used }
}

const EXAMPLES: &str = "\
Examples:
  tidings serve --admin-listen 127.0.0.1:9090 --admin-token file:///run/secrets/admin
  tidings top
  tidings top --admin http://10.0.0.7:9090 --token file:///run/secrets/admin
  tidings top --once                        one picture as text
  tidings top --json | jq .rates            one JSON object a second

Keys: q quit, Tab the other list, arrows or j and k select, e end the selected session or all of the selected topic, ? help.
A browser shows the same at /top of the admin listener.
TIDINGS_ADMIN and TIDINGS_ADMIN_TOKEN stand for --admin and --token. Colours are used unless NO_COLOR is set.";
