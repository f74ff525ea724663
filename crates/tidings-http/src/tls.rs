//! HTTPS: who the hub is, as a certificate says it, and how a connection becomes private.
//!
//! A private connection always takes the body way out: its bytes are made for its reader alone, so there is nothing that
//! a shard could share.

use std::fmt;
use std::io::{self, Cursor};
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls::pki_types::pem::{self, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use thiserror::Error;
use tokio::io::{AsyncReadExt as _, Chain, Join, join};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// A certificate chain and its key: what a hub shows to those who ask whether it is the one they mean.
#[derive(Clone)]
pub struct TlsIdentity(Arc<ServerConfig>);

impl fmt::Debug for TlsIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsIdentity").finish_non_exhaustive()
    }
}

/// Why a certificate and a key cannot be used. No message has any part of the key.
#[derive(Debug, Error)]
pub enum TlsError {
    /// There is no certificate in the text.
    #[error("there is no certificate in it; expected PEM with one or more blocks `-----BEGIN CERTIFICATE-----`")]
    NoCertificate,
    /// A certificate is no PEM.
    #[error("certificate {number} is not readable: {error}; expected PEM")]
    BadCertificate {
        /// Which one, from 1.
        number: usize,
        /// What is wrong with it.
        error: pem::Error,
    },
    /// There is no key in the text, or it is no PEM.
    #[error(
        "there is no private key in it that can be read; expected PEM with `-----BEGIN PRIVATE KEY-----`, or the same of an \
         RSA or EC key, without a passphrase"
    )]
    BadKey,
    /// They do not go together, or are of a kind that cannot be used.
    #[error("the certificate and the key cannot be used together: {0}")]
    Unusable(rustls::Error),
}

impl TlsIdentity {
    /// Of a chain, the hub's own certificate first, and of the key of that, both in PEM.
    ///
    /// # Errors
    /// [`TlsError`] says which of them is at fault.
    pub fn from_pem(certificates: &[u8], key: &[u8]) -> Result<Self, TlsError> {
        let mut chain = Vec::new();
        for certificate in CertificateDer::pem_slice_iter(certificates) {
            let number = chain.len() + 1;
            chain.push(certificate.map_err(|error| TlsError::BadCertificate { number, error })?);
        }
        if chain.is_empty() {
            return Err(TlsError::NoCertificate);
        }
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| TlsError::BadKey)?;
        // Named, not taken from the process: another crate may have installed another one.
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(TlsError::Unusable)?;
        let mut config = builder.with_no_client_auth().with_single_cert(chain, key).map_err(TlsError::Unusable)?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        // Readers that come back in a storm are spared half of the handshake, and the hub keeps nothing for it.
        config.ticketer = rustls::crypto::aws_lc_rs::Ticketer::new().map_err(TlsError::Unusable)?;
        Ok(Self(Arc::new(config)))
    }
}

/// Makes connections private, by the identity that the hub has now.
#[derive(Debug)]
pub struct Tls(ArcSwap<ServerConfig>);

/// A private connection.
pub(crate) type Private = TlsStream<Join<Chain<Cursor<Vec<u8>>, OwnedReadHalf>, OwnedWriteHalf>>;

impl Tls {
    /// By this identity.
    pub fn new(identity: TlsIdentity) -> Self {
        Self(ArcSwap::new(identity.0))
    }

    /// From now on by this one, for new connections.
    pub fn replace(&self, identity: TlsIdentity) {
        self.0.store(identity.0);
    }

    /// Makes `stream` private. `read` is what was read from it by now.
    ///
    /// # Errors
    /// When the peer speaks no TLS that we do, does not like the certificate, or leaves.
    pub(crate) async fn accept(&self, stream: TcpStream, read: Vec<u8>) -> io::Result<Private> {
        let (from_peer, to_peer) = stream.into_split();
        let whole = join(Cursor::new(read).chain(from_peer), to_peer);
        TlsAcceptor::from(self.0.load_full()).accept(whole).await
    }
}

/// Does a connection begin as one of TLS does: with a handshake record?
pub(crate) fn is_handshake(read: &[u8]) -> bool {
    read.first() == Some(&0x16)
}

/// A request has it among its extensions if it came by HTTPS.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CameByHttps;

#[cfg(test)]
mod tests {
    use rcgen::{CertifiedKey, generate_simple_self_signed};

    use super::*;

    fn made() -> (String, String) {
        let CertifiedKey { cert, signing_key } =
            generate_simple_self_signed(["hub.example".to_owned()]).expect("a name is all it takes");
        (cert.pem(), signing_key.serialize_pem())
    }

    #[test]
    fn a_certificate_needs_its_own_key() {
        let (certificate, key) = made();
        let (_, other_key) = made();
        assert!(TlsIdentity::from_pem(certificate.as_bytes(), key.as_bytes()).is_ok());
        let check = |certificate: &str, key: &str, want: &str| {
            let error = TlsIdentity::from_pem(certificate.as_bytes(), key.as_bytes()).expect_err(want).to_string();
            assert!(error.contains(want), "{error}");
            assert!(!key.lines().any(|line| line.len() > 20 && error.contains(line)), "{error}");
        };
        check(&certificate, &other_key, "cannot be used together");
        check("", &key, "no certificate");
        check(&key, &key, "no certificate");
        check(&certificate.replace("-----END", "----END"), &key, "not readable");
        check(&certificate, "", "no private key");
        check(&certificate, &certificate, "no private key");
    }

    #[test]
    fn tls_and_http_begin_differently() {
        assert!(is_handshake(&[0x16, 3, 1]));
        assert!(!is_handshake(b"GET / HTTP/1.1"));
        assert!(!is_handshake(b"PRI * HTTP/2.0"));
        assert!(!is_handshake(b""));
    }
}
