//! The program `tidings`: a hub on the command line, and the commands around one.
//!
//! Here are arguments, signals, printing and exit codes. What a hub does is in the library `tidings`.

mod certificate;
mod cmd;
mod config;
mod descriptors;
mod exit;
mod http_client;
mod keys;
mod listening;
mod logs;
mod say;
mod settings_again;
mod signals;
mod store;
mod units;
mod visible;

use std::process::ExitCode;

use clap::Parser;
use tokio::runtime;

use crate::cmd::{Arguments, Command};
use crate::exit::{Exit, Failure};

fn main() -> ExitCode {
    // Wrong arguments end here: clap says what is expected and exits with 2.
    let arguments = Arguments::parse();
    match run(arguments.command) {
        Ok(()) => Exit::Done.into(),
        Err(failure) => {
            say::error(&failure);
            failure.exit.into()
        }
    }
}

fn run(command: Command) -> Result<(), Failure> {
    let runtime = command
        .runtime()
        .enable_all()
        .build()
        .map_err(|error| Failure::running(format!("the system gives no threads: {error}")))?;
    let ended = runtime.block_on(command.run());
    // Not dropped, which would wait for a read of stdin or a look-up of a name that nobody needs any more.
    runtime.shutdown_background();
    ended
}

impl Command {
    /// A hub wants every core; a client that waits for one connection wants none to itself.
    fn runtime(&self) -> runtime::Builder {
        match self {
            Self::Serve(_) | Self::Demo(_) => runtime::Builder::new_multi_thread(),
            Self::Publish(_)
            | Self::Tail(_)
            | Self::Top(_)
            | Self::Token(_)
            | Self::Bench(_)
            | Self::Config(_)
            | Self::Data(_) => runtime::Builder::new_current_thread(),
        }
    }

    async fn run(self) -> Result<(), Failure> {
        match self {
            Self::Serve(serve) => serve.run().await,
            Self::Demo(demo) => demo.run().await,
            Self::Publish(publish) => publish.run().await,
            Self::Tail(tail) => tail.run().await,
            Self::Top(top) => top.run().await,
            Self::Token(token) => token.run(),
            Self::Bench(bench) => bench.run().await,
            Self::Config(config) => config.run(),
            Self::Data(data) => data.run(),
        }
    }
}
