//! Fetches one small document by HTTP: no redirects, no proxies, a limit of bytes and of time, a connection for each fetch.

use std::fmt::Display;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, HOST, USER_AGENT};
use http::{Request, StatusCode, Uri};
use http_body_util::{BodyExt, Empty, LengthLimitError, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::{SET_BYTES_MAX, too_large};
use crate::error::excerpt;
use crate::key::KeyError;

/// Knows one address, and whom to trust there.
pub(super) struct Fetcher {
    host: String,
    port: u16,
    /// The header `Host`: the port only where it is not the usual one.
    authority: String,
    path: String,
    tls: Option<(TlsConnector, ServerName<'static>)>,
}

impl std::fmt::Debug for Fetcher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Fetcher").field("host", &self.host).field("port", &self.port).finish_non_exhaustive()
    }
}

impl Fetcher {
    /// Takes an address apart; by https the machine's root certificates are read.
    ///
    /// # Errors
    /// [`KeyError::Url`] and [`KeyError::NoRoots`].
    pub(super) fn new(url: &str) -> Result<Self, KeyError> {
        Self::trusting(url, machine_roots)
    }

    fn trusting(url: &str, roots: impl FnOnce() -> RootCertStore) -> Result<Self, KeyError> {
        let wrong = |fault| KeyError::Url { url: excerpt(url), fault };
        let uri: Uri = url.parse().map_err(|_| wrong("it is no URL"))?;
        let authority = uri.authority().ok_or_else(|| wrong("it names no server"))?.as_str().to_owned();
        if authority.contains('@') {
            return Err(wrong("it has a user name, which would be seen in logs"));
        }
        let is_https = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(wrong("it is neither https:// nor http://")),
        };
        let host = uri.host().unwrap_or_default().trim_matches(['[', ']']).to_owned();
        if host.is_empty() {
            return Err(wrong("it names no server"));
        }
        let tls = if is_https {
            let name = ServerName::try_from(host.clone()).map_err(|_| wrong("its host is no name of a server"))?;
            let roots = roots();
            if roots.is_empty() {
                return Err(KeyError::NoRoots { url: excerpt(url) });
            }
            Some((connector(roots), name))
        } else {
            None
        };
        let port = uri.port_u16().unwrap_or(if is_https { 443 } else { 80 });
        let path = uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
        Ok(Self { host, port, authority, path, tls })
    }

    pub(super) fn is_same_address(&self, other: &Self) -> bool {
        let address = |of: &Self| (of.authority.clone(), of.path.clone(), of.tls.is_some());
        address(self) == address(other)
    }

    /// Fetches the document.
    ///
    /// # Errors
    /// What happened, in words for the log.
    pub(super) async fn fetch(&self, limit: Duration) -> Result<Bytes, String> {
        let fetched = timeout(limit, self.connect_and_ask()).await;
        fetched.unwrap_or_else(|_| Err(format!("{} did not answer within {limit:?}", self.authority)))
    }

    async fn connect_and_ask(&self) -> Result<Bytes, String> {
        let stream = TcpStream::connect((self.host.as_str(), self.port)).await;
        let stream = stream.map_err(|error| self.fault("cannot be reached", &error))?;
        match &self.tls {
            None => self.ask(stream).await,
            Some((connector, name)) => {
                let stream = connector.connect(name.clone(), stream).await;
                self.ask(stream.map_err(|error| self.fault("cannot be trusted", &error))?).await
            }
        }
    }

    async fn ask(&self, stream: impl AsyncRead + AsyncWrite + Unpin) -> Result<Bytes, String> {
        let broke = |error: hyper::Error| self.fault("broke off", &error);
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(broke)?;
        let request = Request::get(&self.path)
            .header(HOST, &self.authority)
            .header(ACCEPT, "application/jwk-set+json, application/json")
            .header(USER_AGENT, concat!("tidings/", env!("CARGO_PKG_VERSION")))
            .body(Empty::<Bytes>::new())
            .map_err(|error| self.fault("cannot be asked", &error))?;
        let exchange = async {
            let response = sender.send_request(request).await.map_err(broke)?;
            match response.status() {
                StatusCode::OK => {}
                status if status.is_redirection() => {
                    return Err(format!("{} answered {status}; redirects are not followed", self.authority));
                }
                status => return Err(format!("{} answered {status}", self.authority)),
            }
            let body = Limited::new(response.into_body(), SET_BYTES_MAX).collect().await;
            body.map(http_body_util::Collected::to_bytes).map_err(|error| {
                if error.is::<LengthLimitError>() { too_large() } else { self.fault("broke off", &error) }
            })
        };
        let mut exchange = pin!(exchange);
        tokio::select! {
            answer = &mut exchange => answer,
            // The connection may end before all that it brought has been taken.
            _ = connection => exchange.await,
        }
    }

    fn fault(&self, what: &str, error: &dyn Display) -> String {
        format!("{} {what}: {}", self.authority, excerpt(&error.to_string()))
    }
}

fn connector(roots: RootCertStore) -> TlsConnector {
    // Named here, so that it does not matter which one the program has installed, or whether it has.
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the provider has the usual versions of TLS")
        .with_root_certificates(roots)
        .with_no_client_auth();
    TlsConnector::from(Arc::new(config))
}

/// What the machine trusts, as `SSL_CERT_FILE` and `SSL_CERT_DIR` say where they are set. Certificates that cannot be read
/// are left out.
fn machine_roots() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use rustls::ServerConfig;
    use rustls::pki_types::pem::PemObject;
    use rustls::pki_types::{CertificateDer, PrivateKeyDer};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;
    use tokio_rustls::TlsAcceptor;

    use super::*;

    /// A certificate of its own for `localhost`, and its key.
    fn certificate() -> (CertificateDer<'static>, PrivateKeyDer<'static>) {
        let arguments = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=localhost -days 2 \
                         -addext subjectAltName=DNS:localhost -addext basicConstraints=critical,CA:FALSE -keyout - -out -";
        let output = Command::new("openssl").args(arguments.split_whitespace()).output().expect("openssl is there");
        assert!(output.status.success(), "{}", output.stderr.escape_ascii());
        let certificate = CertificateDer::from_pem_slice(&output.stdout).expect("a certificate");
        (certificate, PrivateKeyDer::from_pem_slice(&output.stdout).expect("a key"))
    }

    async fn serve(listener: TcpListener, certificate: CertificateDer<'static>, key: PrivateKeyDer<'static>) {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("the usual versions")
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .expect("they belong together");
        let acceptor = TlsAcceptor::from(Arc::new(config));
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(stream.read_u8().await.expect("a whole request"));
            }
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nkeys").await;
            let _ = stream.shutdown().await;
        }
    }

    #[tokio::test]
    async fn https_is_fetched_from_whom_the_machine_trusts_and_nobody_else() {
        let (certificate, key) = certificate();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let mut tasks = tokio::task::JoinSet::new();
        tasks.spawn(serve(listener, certificate.clone(), key));
        let limit = Duration::from_secs(10);

        let trusting = |certificate| {
            let mut roots = RootCertStore::empty();
            roots.add(certificate).expect("a certificate");
            roots
        };
        let url = format!("https://localhost:{port}/keys");
        let good = Fetcher::trusting(&url, || trusting(certificate.clone())).expect("a good address");
        assert_eq!(good.fetch(limit).await, Ok(Bytes::from_static(b"keys")));

        let other = Fetcher::trusting(&url, || trusting(self::certificate().0)).expect("a good address");
        let error = other.fetch(limit).await.expect_err("not of this authority");
        assert!(error.contains("cannot be trusted"), "{error}");

        let by_number = format!("https://127.0.0.1:{port}/keys");
        let wrong_name = Fetcher::trusting(&by_number, || trusting(certificate)).expect("a good address");
        let error = wrong_name.fetch(limit).await.expect_err("not of this name");
        assert!(error.contains("cannot be trusted"), "{error}");

        let nobody = Fetcher::trusting(&url, RootCertStore::empty).expect_err("no roots").to_string();
        assert!(nobody.contains("no root certificates were found"), "{nobody}");
    }
}
