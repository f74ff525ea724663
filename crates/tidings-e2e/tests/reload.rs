//! SIGHUP: keys, certificate and limits are read again; a bad file changes nothing; what needs a new start is said.

use std::fs;

use tempfile::TempDir;
use tidings_e2e::{Hub, RawStream, request};

/// A hub with a file of settings that the test writes anew.
struct Configured {
    hub: Hub,
    folder: TempDir,
}

impl Configured {
    fn start(settings: &str) -> Self {
        let folder = TempDir::new().expect("there is room for a small file");
        let file = folder.path().join("tidings.toml");
        fs::write(&file, settings).expect("a temporary directory is writable");
        let path = file.to_str().expect("temporary directories have plain names");
        let hub = Hub::start(&["serve", "--memory", "--config", path]);
        Self { hub, folder }
    }

    /// Writes the file anew, sends SIGHUP, and gives the line of the log that has these words.
    fn reload(&self, settings: &str, words: &[&str]) -> String {
        fs::write(self.folder.path().join("tidings.toml"), settings).expect("the file was written before");
        self.hub.hang_up();
        self.hub.wait_for_log(words)
    }

    fn reader(&self) -> RawStream {
        RawStream::get(self.hub.address(), "/events/t", &[])
    }

    fn post(&self, data: &str) -> u16 {
        request(self.hub.address(), "POST", "/events/t", &[], data.as_bytes()).status
    }
}

#[test]
fn limits_count_as_soon_as_they_are_read_again() {
    let configured = Configured::start("[limits]\nmax-connections-per-ip = 3\nmax-event-bytes = \"10B\"\n");
    let mut held = [configured.reader(), configured.reader()];
    assert_eq!(held.each_mut().map(RawStream::status), [200, 200]);
    assert_eq!(configured.post("eleven byte"), 413);

    let changed = "max-connections-per-ip: 3 -> 2; max-event-bytes: 10B -> 20B";
    configured.reload("[limits]\nmax-connections-per-ip = 2\nmax-event-bytes = \"20B\"\n", &["INFO", changed]);
    assert_eq!(configured.reader().status(), 429, "the third connection");
    held[0].wait_for_text("retry:"); // nobody is sent away who is within

    let changed = "max-connections-per-ip: 2 -> its default; max-event-bytes: 20B -> its default";
    configured.reload("", &["INFO", changed]);
    assert_eq!(configured.reader().status(), 200);
    assert_eq!(configured.post("eleven byte"), 200);
}

#[test]
fn a_bad_file_changes_nothing_and_is_told() {
    let configured = Configured::start("[limits]\nmax-event-bytes = \"10B\"\n");
    for (bad, words) in [
        ("[limits]\nmax-event-bites = 5\n", &["ERROR", "not read again", "did you mean max-event-bytes"][..]),
        ("[limits]\nmax-event-bytes = \"soon\"\n", &["ERROR", "max-event-bytes", "soon"][..]),
        ("[limits\n", &["ERROR", "tidings.toml:1"][..]),
        ("[access]\npublisher-jwt-key = \"a secret that came too late\"\n", &["ERROR", "start it anew"][..]),
    ] {
        let line = configured.reload(bad, words);
        assert!(!line.contains("too late"), "{line}");
        assert_eq!(configured.post("eleven byte"), 413, "{bad}");
        assert_eq!(configured.post("ten bytes."), 200, "{bad}");
    }
}

#[test]
fn what_needs_a_new_start_is_said() {
    let configured = Configured::start("");
    let words = ["WARN", "started anew", "heartbeat: its default -> 5s", "max-topics: its default -> 7"];
    configured.reload("[streams]\nheartbeat = \"5s\"\n[limits]\nmax-topics = 7\n", &words);
}
