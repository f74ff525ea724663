//! TLS as `tail` has it: with rustls, trusting what the operating system trusts.

use std::io;
use std::sync::Arc;

use tidings_client::rustls::crypto::aws_lc_rs;
use tidings_client::rustls::pki_types::ServerName;
use tidings_client::rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Encrypts a connection to this host.
pub(super) async fn secure(socket: TcpStream, host: &str) -> io::Result<TlsStream<TcpStream>> {
    let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
    TlsConnector::from(Arc::new(config()?)).connect(name, socket).await
}

fn config() -> io::Result<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        return Err(io::Error::other("this system names no certificate authority to trust"));
    }
    // Named, not taken from the process: there another one may be installed.
    let provider = Arc::new(aws_lc_rs::default_provider());
    let versions = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    Ok(versions.map_err(io::Error::other)?.with_root_certificates(roots).with_no_client_auth())
}
