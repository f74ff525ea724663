//! The terminal while it is ours: another screen, no echo, no cursor; and its state from before, whatever ends us.

use std::fmt::Write as _;
use std::io::{self, Write};
use std::panic;
use std::sync::{Mutex, Once, PoisonError};

use rustix::termios::{OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};

use super::line::{Colours, Line};
use super::screen::Size;

/// The terminal, until it is dropped.
#[derive(Debug)]
pub(super) struct Terminal {
    colours: Colours,
}

/// What a terminal was like before it was ours. A panic and a drop both give it back, and the first does.
static BEFORE: Mutex<Option<Termios>> = Mutex::new(None);

/// The other screen, no cursor, no automatic line feeds. (xterm, "Private Modes")
const ENTER: &str = "\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[2J";
const LEAVE: &str = "\x1b[?7h\x1b[?25h\x1b[?1049l";
/// Where a terminal does not tell its size.
const SIZE_DEFAULT: Size = Size { columns: 80, rows: 24 };

impl Terminal {
    /// Takes the terminal of stdin and stdout.
    ///
    /// # Errors
    /// When they are none.
    pub(super) fn open(colours: Colours) -> io::Result<Self> {
        let before = tcgetattr(io::stdin())?;
        let mut raw = before.clone();
        raw.make_raw();
        *BEFORE.lock().unwrap_or_else(PoisonError::into_inner) = Some(before);
        give_back_on_panic();
        let terminal = Self { colours }; // from here on its drop gives it back
        tcsetattr(io::stdin(), OptionalActions::Now, &raw)?;
        write(ENTER)?;
        Ok(terminal)
    }

    /// How large it is now.
    pub(super) fn size() -> Size {
        let size = tcgetwinsize(io::stdout()).ok().filter(|size| size.ws_col > 0 && size.ws_row > 0);
        size.map_or(SIZE_DEFAULT, |size| Size { columns: size.ws_col.into(), rows: size.ws_row.into() })
    }

    /// Shows these lines, one for each row.
    ///
    /// # Errors
    /// When it is gone.
    pub(super) fn draw(&self, lines: &[Line]) -> io::Result<()> {
        // One write, and line by line: a screen that is cleared first flickers. A line is cleared before it is written, for
        // after a full one the cursor stands on its last character.
        let mut frame = String::new();
        for (at, line) in lines.iter().enumerate() {
            let _ = write!(frame, "\x1b[{};1H\x1b[2K{}", at + 1, line.paint(self.colours));
        }
        write(&frame)
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        give_back();
    }
}

fn give_back() {
    let before = BEFORE.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(before) = before {
        // It may be gone, and then there is nothing to give back.
        let _ = write(LEAVE);
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &before);
    }
}

/// So that what a panic says is seen, and on the screen where people look for it.
fn give_back_on_panic() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let told = panic::take_hook();
        panic::set_hook(Box::new(move |what| {
            give_back();
            told(what);
        }));
    });
}

fn write(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()
}
