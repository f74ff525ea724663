//! TLS with rustls and aws-lc-rs: whom to trust, and which HTTP the server chooses.

use std::io;
use std::sync::{Arc, OnceLock};

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio_rustls::TlsConnector;
use url::{Host, Url};

use super::Io;
use crate::builder::HttpVersion;
use crate::error::BuildError;

/// Encrypts a connection; says whether HTTP/2 is spoken on it.
pub(super) async fn secure(
    io: Box<dyn Io>,
    url: &Url,
    config: &Arc<ClientConfig>,
    version: HttpVersion,
) -> io::Result<(Box<dyn Io>, bool)> {
    let name = match url.host() {
        Some(Host::Domain(name)) => ServerName::try_from(name.to_owned()).map_err(io::Error::other)?,
        Some(Host::Ipv4(address)) => ServerName::from(std::net::IpAddr::from(address)),
        Some(Host::Ipv6(address)) => ServerName::from(std::net::IpAddr::from(address)),
        None => return Err(io::Error::other("the URL has no host")),
    };
    let mut config = Arc::clone(config);
    if config.alpn_protocols.is_empty() {
        Arc::make_mut(&mut config).alpn_protocols = protocols(version);
    }
    let stream = TlsConnector::from(config).connect(name, io).await?;
    let is_http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
    Ok((Box::new(stream), is_http2))
}

/// Trust by features. Read once for the whole program: the system's list is a few hundred files on some.
pub(super) fn default_config() -> Result<Arc<ClientConfig>, BuildError> {
    static CONFIG: OnceLock<Option<Arc<ClientConfig>>> = OnceLock::new();
    CONFIG.get_or_init(make_config).clone().ok_or(BuildError::Roots)
}

fn make_config() -> Option<Arc<ClientConfig>> {
    let roots = trusted_roots();
    if roots.is_empty() {
        return None;
    }
    // Named, not taken from the process: another crate may have installed another one.
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let versions = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().ok()?;
    Some(Arc::new(versions.with_root_certificates(roots).with_no_client_auth()))
}

#[cfg_attr(
    not(any(feature = "webpki-roots", feature = "native-roots")),
    expect(unused_mut, reason = "nobody is added")
)]
fn trusted_roots() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    #[cfg(feature = "webpki-roots")]
    roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    #[cfg(feature = "native-roots")]
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots
}

fn protocols(version: HttpVersion) -> Vec<Vec<u8>> {
    match version {
        #[cfg(feature = "http2")]
        HttpVersion::Auto => vec![b"h2".to_vec(), b"http/1.1".to_vec()],
        #[cfg(not(feature = "http2"))]
        HttpVersion::Auto => vec![b"http/1.1".to_vec()],
        HttpVersion::Http1 => vec![b"http/1.1".to_vec()],
        #[cfg(feature = "http2")]
        HttpVersion::Http2 => vec![b"h2".to_vec()],
    }
}
