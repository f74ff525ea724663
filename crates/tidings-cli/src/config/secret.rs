//! A key as it was given: never printed, neither by a fault of the settings nor by a log.

use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;

/// A key: the text itself, or the place of a file that has it, as `file:///run/secrets/key`.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret(String);

/// What a value that is a file's place begins with, as in `--jwks-url`.
const FILE: &str = "file://";

impl Secret {
    /// The text of the key.
    ///
    /// # Errors
    /// Why its file cannot be read; it names the file and nothing of what stands in it.
    pub(crate) fn read(&self) -> Result<String, String> {
        let Some(path) = self.0.strip_prefix(FILE) else { return Ok(self.0.clone()) };
        let text = std::fs::read_to_string(path);
        let text =
            text.map_err(|error| format!("the file {path} cannot be read: {error}; expected a file with the key"))?;
        // An editor ends the last line; no key ends with it.
        Ok(text.trim_end_matches(['\r', '\n']).to_owned())
    }
}

/// Every text may be a key: what is wrong with one is told without the text itself, which clap would print.
impl FromStr for Secret {
    type Err = Infallible;

    fn from_str(raw: &str) -> Result<Self, Infallible> {
        Ok(Self(raw.to_owned()))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_a_text_or_a_file() {
        let read = |raw: &str| raw.parse::<Secret>().expect("every text").read();
        assert_eq!(read("a key"), Ok("a key".to_owned()));
        let path = std::env::temp_dir().join(format!("tidings-secret-{}", std::process::id()));
        std::fs::write(&path, "line\nline\r\n").expect("a file");
        assert_eq!(read(&format!("file://{}", path.display())), Ok("line\nline".to_owned()));
        std::fs::remove_file(&path).expect("it is there");
        let error = read("file:///no/such/file").expect_err("no file");
        assert!(error.contains("/no/such/file") && error.contains("expected"), "{error}");
    }

    #[test]
    fn a_key_is_never_printed() {
        let secret: Secret = "hunter2".parse().expect("every text");
        assert!(!format!("{secret:?}").contains("hunter2"));
    }
}
