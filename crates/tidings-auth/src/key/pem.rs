//! The text form of keys: `-----BEGIN X-----`, base64, `-----END X-----` (RFC 7468). Only the first block counts.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// What a PEM file holds.
pub(super) struct Pem {
    /// What it says it is, such as `PUBLIC KEY`.
    pub(super) label: String,
    pub(super) der: Vec<u8>,
}

/// Most bytes of a PEM file; a key of 8192 bits has 6.5 KiB.
const PEM_BYTES_MAX: usize = 64 * 1024;

impl Pem {
    /// Reads the first block of `text`.
    ///
    /// # Errors
    /// What is wrong, in words that follow "is not a PEM file: ".
    pub(super) fn parse(text: &str) -> Result<Self, &'static str> {
        if text.len() > PEM_BYTES_MAX {
            return Err("it has more than 64 KiB");
        }
        // Variables are often given with the line feeds written out.
        let text = text.replace("\\n", "\n");
        // `openssl ecparam -genkey` writes its parameters first, which the key repeats.
        let text = text.split_once("-----END EC PARAMETERS-----").map_or(text.as_str(), |(_, rest)| rest);
        let (_, after) = text.split_once("-----BEGIN ").ok_or("it has no line \"-----BEGIN … KEY-----\"")?;
        let (label, after) = after.split_once("-----").ok_or("its first line does not end with \"-----\"")?;
        let (body, _) = after
            .split_once(&format!("-----END {label}-----"))
            .ok_or("it has no \"-----END … KEY-----\" that fits its first line")?;
        if body.contains("ENCRYPTED") || label.contains("ENCRYPTED") {
            return Err("it is encrypted with a passphrase");
        }
        let body: String = body.split_ascii_whitespace().collect();
        let der = STANDARD.decode(body).map_err(|_| "between its first and last line is not base64")?;
        Ok(Self { label: label.chars().take(LABEL_CHARS_MAX).collect(), der })
    }
}

/// How much of a label errors repeat.
const LABEL_CHARS_MAX: usize = 40;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_read_with_any_line_ends() {
        for text in [
            "-----BEGIN PUBLIC KEY-----\nAQID\n-----END PUBLIC KEY-----\n",
            "-----BEGIN PUBLIC KEY-----\r\nAQ\r\nID\r\n-----END PUBLIC KEY-----",
            r"-----BEGIN PUBLIC KEY-----\nAQID\n-----END PUBLIC KEY-----\n",
            "words before\n-----BEGIN PUBLIC KEY-----\nAQID\n-----END PUBLIC KEY-----\nwords after",
            "-----BEGIN EC PARAMETERS-----\nBg==\n-----END EC PARAMETERS-----\n\
             -----BEGIN PUBLIC KEY-----\nAQID\n-----END PUBLIC KEY-----",
        ] {
            let pem = Pem::parse(text).expect(text);
            assert_eq!((pem.label.as_str(), pem.der.as_slice()), ("PUBLIC KEY", &[1, 2, 3][..]));
        }
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (text, want) in [
            ("", "no line \"-----BEGIN"),
            ("secret", "no line \"-----BEGIN"),
            ("-----BEGIN A", "first line"),
            ("-----BEGIN A-----\nAQID", "no \"-----END"),
            ("-----BEGIN A-----\nAQID\n-----END B-----", "no \"-----END"),
            ("-----BEGIN A-----\nAQI\n-----END A-----", "base64"),
            ("-----BEGIN ENCRYPTED PRIVATE KEY-----\nAQID\n-----END ENCRYPTED PRIVATE KEY-----", "passphrase"),
            (&" ".repeat(70_000), "64 KiB"),
        ] {
            let fault = Pem::parse(text).err().unwrap_or_default();
            assert!(fault.contains(want), "{text:.40}: {fault}, want {want}");
        }
    }
}
