//! The hub of a soak, its settings, and those who have tokens for it.
//!
//! Everything that can be waited for is short here: history that is trimmed within seconds, timeouts of a few seconds. So
//! a minute sees what a day brings elsewhere.

use std::fs;
use std::path::PathBuf;

use tempfile::TempDir;
use tidings_history::recorders::Base;

use super::plan::{Part, SoakPlan};
use crate::http::request;
use crate::hub::{Hub, tidings};
use crate::program::{Finished, Program};

/// The hub, and who may do what.
#[derive(Debug)]
pub(super) struct Stage {
    pub(super) hub: Hub,
    folder: TempDir,
    durability: &'static str,
    /// For those who publish.
    publisher_token: String,
    pub(super) publishers: Base,
    /// For those who read: without a token, and with some.
    pub(super) readers: Vec<Base>,
}

impl Stage {
    #[track_caller]
    pub(super) fn set(plan: &SoakPlan) -> Self {
        let folder = TempDir::with_prefix("tidings-soak-").expect("the system has room for a directory");
        let file = folder.path().join(SETTINGS);
        let durability = if plan.chance(Part { cycle: 0, kind: 0, number: 0 }).bool() { "sync" } else { "relaxed" };
        fs::write(&file, settings(durability, LIMITS_FIRST)).expect("a temporary directory is writable");
        let (data, file) = (folder.path().join("data"), file);
        let path = |path: &PathBuf| path.to_str().expect("the name of a temporary directory is text").to_owned();
        let hub = Hub::start(&[
            "serve",
            "--data",
            &path(&data),
            "--config",
            &path(&file),
            "--admin-listen",
            "127.0.0.1:0",
            "--drain",
            "1s",
        ]);
        let base = Base::parse(&hub.url("")).expect("a hub's own URL");
        let publisher_token = token(&["--publish", "**"]);
        let publishers = base.with_token(&publisher_token);
        let mut readers = vec![base.clone()];
        readers.extend(
            (0..TOKENS).map(|number| {
                base.with_token(&token(&["--subscribe", "**", "--subject", &format!("reader-{number}")]))
            }),
        );
        let stage = Self { hub, folder, durability, publisher_token, publishers, readers };
        stage.fill_memory();
        stage
    }

    /// Has the hub keep as many recent events in memory as it ever does, so that what grows later is something else.
    #[track_caller]
    fn fill_memory(&self) {
        let data = "full ".repeat(FILLING_EVENT_BYTES / 5);
        for _ in 0..=RECENT_BYTES_MAX / FILLING_EVENT_BYTES {
            let headers = [&*self.authorization()];
            let response = request(self.hub.address(), "POST", "/events/soak/fill", &headers, data.as_bytes());
            assert_eq!(response.status, 200, "{}", response.text());
        }
    }

    /// The header of who publishes.
    pub(super) fn authorization(&self) -> String {
        format!("Authorization: Bearer {}", self.publisher_token)
    }

    /// Writes the settings anew. The hub does not know yet.
    pub(super) fn write_settings(&self, limits: &str) {
        let written = fs::write(self.folder.path().join(SETTINGS), settings(self.durability, limits));
        written.expect("it was written before");
    }

    /// Where the history is, as the system names its files.
    pub(super) fn data(&self) -> PathBuf {
        let data = self.folder.path().join("data");
        data.canonicalize().expect("the hub has made it")
    }

    pub(super) fn durability(&self) -> &'static str {
        self.durability
    }

    /// Ends the hub, which must be well.
    #[track_caller]
    pub(super) fn strike(mut self) -> Finished {
        self.hub.stop().expect_code(0)
    }
}

fn settings(durability: &str, limits: &str) -> String {
    format!(
        "[store]\n\
         durability = \"{durability}\"\n\
         history-events = {HISTORY_EVENTS}\n\
         history-bytes = \"16MiB\"\n\
         [access]\n\
         publisher-jwt-key = \"{KEY}\"\n\
         subscriber-jwt-key = \"{KEY}\"\n\
         anonymous = true\n\
         [streams]\n\
         heartbeat = \"2s\"\n\
         [limits]\n\
         slow-client-timeout = \"3s\"\n\
         body-timeout = \"3s\"\n\
         {limits}"
    )
}

#[track_caller]
fn token(grants: &[&str]) -> String {
    let words = [&["token", "--key", KEY, "--expires", "0"], grants].concat();
    Program::start(&mut tidings(&words)).finish().expect_code(0).stdout.trim().to_owned()
}

/// The first of those that a reload brings.
pub(super) const LIMITS_FIRST: &str = "max-event-bytes = \"256KiB\"\nhead-timeout = \"3s\"\n";
/// A few seconds of the load of 2,000 readers.
const HISTORY_EVENTS: u32 = 700;
/// What a hub has in memory of recent events, by docs/durability.md, and the file that is being written.
const RECENT_BYTES_MAX: usize = (32 + 1) * 1024 * 1024;
/// Below the limit of events.
const FILLING_EVENT_BYTES: usize = 250 * 1000;
const SETTINGS: &str = "tidings.toml";
const KEY: &str = "a secret of a hub that is soaked, and of nobody else";
/// Readers with tokens share these.
const TOKENS: usize = 4;
