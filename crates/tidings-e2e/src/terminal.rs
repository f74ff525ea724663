//! A real terminal, by tmux: what a program shows on it, keys, other sizes, and a picture of it.
//!
//! Knows screens, not the program on them.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::process::{self, Command};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::DEADLINE;
use crate::browser::Browser;
use crate::place::{artifact, on_path};

/// One window of a tmux of its own, which ends when this is dropped.
#[derive(Debug)]
pub struct Terminal {
    /// The name of that tmux' socket, which no other one has.
    socket: String,
}

impl Terminal {
    /// Runs `command` by a shell. The window stays when that has ended.
    #[track_caller]
    pub fn start(columns: u16, rows: u16, command: &str) -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let terminal = Self { socket: format!("tidings-e2e-{}-{number}", process::id()) };
        let (columns, rows) = (columns.to_string(), rows.to_string());
        terminal.tmux(&[
            "start-server",
            ";",
            "set-option",
            "-g",
            "remain-on-exit",
            "on",
            ";",
            "set-option",
            "-g",
            "status",
            "off",
            ";",
            "set-option",
            "-g",
            "default-shell",
            "/bin/sh",
            ";",
            "new-session",
            "-d",
            "-x",
            &columns,
            "-y",
            &rows,
            command,
        ]);
        terminal
    }

    /// What is on the screen, one line for each row, without the spaces at its end.
    #[track_caller]
    pub fn screen(&self) -> String {
        self.tmux(&["capture-pane", "-p"])
    }

    /// Waits until `find` finds what it looks for on the screen, and gives that.
    ///
    /// `what` completes "waited for …" when the deadline passes. `find` is called again and again: what is to happen
    /// meanwhile may happen there.
    #[track_caller]
    pub fn wait_for<T>(&self, what: &str, mut find: impl FnMut(&str) -> Option<T>) -> T {
        let deadline = Instant::now() + DEADLINE;
        loop {
            let screen = self.screen();
            if let Some(found) = find(&screen) {
                return found;
            }
            assert!(Instant::now() < deadline, "waited for {what}, and the screen was\n{screen}");
            thread::sleep(Duration::from_millis(50)); // between two looks
        }
    }

    /// Waits until `text` is on the screen, and gives all of that.
    #[track_caller]
    pub fn wait_for_text(&self, text: &str) -> String {
        self.wait_for(&format!("{text:?}"), |screen| screen.contains(text).then(|| screen.to_owned()))
    }

    /// Presses keys, by tmux' names: `q`, `Tab`, `Down`, `C-c`.
    #[track_caller]
    pub fn press(&self, keys: &[&str]) {
        self.tmux(&[&["send-keys"], keys].concat());
    }

    /// Makes it as large as this.
    #[track_caller]
    pub fn resize(&self, columns: u16, rows: u16) {
        self.tmux(&["resize-window", "-x", &columns.to_string(), "-y", &rows.to_string()]);
    }

    /// One of tmux' variables about it, such as `alternate_on`, `cursor_flag`.
    #[track_caller]
    pub fn state(&self, variable: &str) -> String {
        self.tmux(&["display-message", "-p", &format!("#{{{variable}}}")]).trim().to_owned()
    }

    /// The screen with its colours, as the escapes that make them, and with the spaces at the end of its lines.
    #[track_caller]
    pub fn painted(&self) -> String {
        self.tmux(&["capture-pane", "-e", "-p", "-N"])
    }

    /// Keeps the screen as the artifacts `NAME.txt` and, painted by a browser, `NAME.png`.
    #[track_caller]
    pub fn picture(&self, name: &str) -> PathBuf {
        fs::write(artifact(&format!("{name}.txt")), self.screen()).expect("the folder of artifacts is writable");
        let page = artifact(&format!("{name}.html"));
        fs::write(&page, as_page(&self.painted())).expect("the folder of artifacts is writable");
        let browser = Browser::start();
        browser.open(&format!("file://{}", page.display()));
        let size = browser.run(
            "const box = document.querySelector('pre').getBoundingClientRect(); return [box.right, box.bottom]",
            &serde_json::json!([]),
        );
        let [width, height] = [0, 1].map(|at| size[at].as_f64().expect("a box has numbers"));
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a screen has some hundred pixels"
        )]
        browser.resize(width.ceil() as u32, height.ceil() as u32);
        fs::remove_file(&page).expect("it was just written");
        browser.screenshot(&format!("{name}.png"))
    }

    #[track_caller]
    fn tmux(&self, arguments: &[&str]) -> String {
        let mut command = Command::new(on_path("tmux"));
        // No configuration but ours, UTF-8 whatever the locale, and colours whatever this terminal is.
        command.args(["-f", "/dev/null", "-u", "-L", &self.socket]).args(arguments);
        command.env("TERM", "xterm-256color").env_remove("TMUX").env_remove("NO_COLOR");
        let done = command.output().unwrap_or_else(|error| panic!("tmux: {error}"));
        assert!(done.status.success(), "tmux {arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8_lossy(&done.stdout).into_owned()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // The server of this socket alone; it may have ended.
        let _ = Command::new("tmux").args(["-L", &self.socket, "kill-server"]).output();
    }
}

/// A page that looks like the terminal.
fn as_page(painted: &str) -> String {
    let mut page = String::from(PAGE);
    let mut style = Sgr::default();
    let mut rest = painted.trim_end_matches('\n');
    while let Some((text, after)) = rest.split_once("\x1b[") {
        style.paint(&mut page, text);
        let (codes, after) = after.split_once('m').unwrap_or_default();
        style.take(codes);
        rest = after;
    }
    style.paint(&mut page, rest);
    page.push_str("</pre>\n");
    page
}

const PAGE: &str = "<!doctype html><meta charset=utf-8><style>
body { margin: 0; background: #101418 }
pre { margin: 0; padding: 12px; display: inline-block; font: 13px/1.35 \"DejaVu Sans Mono\", \"Liberation Mono\", monospace; color: #d5dde2 }
.bold { font-weight: bold; color: #fff } .dim { color: #7d8b94 } .good { color: #67cf8f } .warn { color: #e2b95b } .bad { color: #f0806f }
.reverse { background: #d5dde2; color: #101418 }
</style><pre>";

/// How what follows looks. (ECMA-48, "SGR", as much of it as programs here use)
#[derive(Debug, Default)]
struct Sgr {
    classes: Vec<&'static str>,
}

impl Sgr {
    fn take(&mut self, codes: &str) {
        for code in codes.split(';') {
            match code {
                "" | "0" => self.classes.clear(),
                "1" => self.classes.push("bold"),
                "2" => self.classes.push("dim"),
                "7" => self.classes.push("reverse"),
                "31" => self.classes.push("bad"),
                "32" => self.classes.push("good"),
                "33" => self.classes.push("warn"),
                "49" => {} // the ground, which nothing here paints
                "39" => self.classes.retain(|class| !matches!(*class, "bad" | "good" | "warn")),
                other => panic!("a style that no picture can show: {other:?}"),
            }
        }
    }

    fn paint(&self, page: &mut String, text: &str) {
        let text = text.replace('&', "&amp;").replace('<', "&lt;");
        if self.classes.is_empty() {
            page.push_str(&text);
        } else {
            let _ = write!(page, "<span class=\"{}\">{text}</span>", self.classes.join(" "));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_shows_the_styles_and_only_text() {
        let page = as_page("a\x1b[1mb\x1b[0m<i>\x1b[31;7mc&\x1b[39md\x1b[me\n\n");
        let body = page.split_once("<pre>").map(|(_, body)| body);
        let want = "a<span class=\"bold\">b</span>&lt;i><span class=\"bad reverse\">c&amp;</span><span class=\"reverse\">d</span>e</pre>\n";
        assert_eq!(body, Some(want));
    }
}
