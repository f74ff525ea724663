//! What the commands that talk to a hub have in common: where it is, and who asks.

use std::error::Error;

use clap::Args;

use crate::http_client::{HttpError, HttpUrl, Token};

/// Where the hub is, and who asks.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Hub")]
pub(crate) struct RemoteFlags {
    /// Where the hub is, with http or https; a path in it is the prefix below which the hub lives
    #[arg(
        long,
        env = "TIDINGS_HUB",
        value_name = "URL",
        default_value = "http://127.0.0.1:3000",
        value_parser = HttpUrl::parse
    )]
    pub(crate) hub: HttpUrl,

    /// Token to come with, sent as `Authorization: Bearer`
    #[arg(
        long,
        env = "TIDINGS_TOKEN",
        value_name = "TOKEN",
        hide_env_values = true,
        value_parser = Token::parse
    )]
    pub(crate) token: Option<Token>,
}

/// An error on the way to the hub, with what to do about it.
pub(crate) fn with_advice(error: &HttpError) -> String {
    match error {
        HttpError::Unreachable { .. } => {
            format!("{error}; start a hub with `tidings demo`, or name another with --hub")
        }
        HttpError::NoAnswer { .. } => format!("{error}; is there a hub at this address? Name another with --hub"),
    }
}

/// An error with all that caused it, on one line.
pub(crate) fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        // Some errors say their cause themselves.
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    text
}
