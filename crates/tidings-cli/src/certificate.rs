//! The certificate of a hub that speaks HTTPS, and its key: read from their files, and again when the program is told to.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;
use tidings::{TlsError, TlsIdentity};

/// Where the certificate and its key are: `--tls-cert` and `--tls-key`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CertificateFiles {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
}

/// Why they cannot be used. No message has any part of the key.
#[derive(Debug, Error)]
pub(crate) enum CertificateError {
    #[error("{flag} {path}: {error}", path = .path.display())]
    Unreadable { flag: &'static str, path: PathBuf, error: io::Error },
    #[error("{flag} {path}: {error}", path = .path.display())]
    Unusable { flag: &'static str, path: PathBuf, error: TlsError },
}

impl CertificateFiles {
    /// Reads both.
    ///
    /// # Errors
    /// [`CertificateError`] names the file at fault.
    pub(crate) fn read(&self) -> Result<TlsIdentity, CertificateError> {
        let certificate = read("--tls-cert", &self.certificate)?;
        let key = read("--tls-key", &self.key)?;
        TlsIdentity::from_pem(&certificate, &key).map_err(|error| {
            let (flag, path) = match error {
                TlsError::BadKey => ("--tls-key", &self.key),
                _ => ("--tls-cert", &self.certificate),
            };
            CertificateError::Unusable { flag, path: path.clone(), error }
        })
    }
}

fn read(flag: &'static str, path: &Path) -> Result<Vec<u8>, CertificateError> {
    fs::read(path).map_err(|error| CertificateError::Unreadable { flag, path: path.to_owned(), error })
}
