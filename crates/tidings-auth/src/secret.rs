//! Text that must not be seen: keys.

use std::fmt;

use aws_lc_rs::constant_time::verify_slices_are_equal;

/// A key as it was configured: a shared secret, or the PEM text of a key. Its `Debug` shows that there is one and no more.
#[derive(Clone)]
pub struct SecretText(Box<str>);

impl SecretText {
    /// Takes the text as it is; spaces and line feeds count.
    pub fn new(text: impl Into<Box<str>>) -> Self {
        Self(text.into())
    }

    /// Is it `text`? Takes as long for a text that is nearly right as for one that is all wrong.
    pub fn is(&self, text: &str) -> bool {
        verify_slices_are_equal(self.0.as_bytes(), text.as_bytes()).is_ok()
    }

    /// The text. Not for logs and errors.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl From<String> for SecretText {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}

impl From<&str> for SecretText {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_nothing_of_it() {
        assert_eq!(format!("{:?}", SecretText::new("hush")), "(secret)");
    }

    #[test]
    fn a_secret_is_its_own_text_alone() {
        let secret = SecretText::new("hush hush");
        assert!(secret.is("hush hush"));
        for other in ["", "hush", "hush hush ", "hush husH"] {
            assert!(!secret.is(other), "{other:?}");
        }
    }
}
