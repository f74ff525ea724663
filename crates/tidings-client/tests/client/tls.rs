//! https, HTTP/2 by ALPN and without, and certificates that nobody vouches for.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, Version};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tidings_client::{BuildError, EventSource, EventSourceBuilder, HttpVersion, Lost, rustls};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::support::{next_data, next_lost};

/// A server of https, and how to trust it.
pub(crate) struct TlsServer {
    pub(crate) address: SocketAddr,
    trust: Arc<rustls::ClientConfig>,
}

impl TlsServer {
    /// Speaks what ALPN chooses of these, and answers each request with one event that tells of it.
    pub(crate) async fn start(protocols: &[&str]) -> Self {
        let signed = rcgen::generate_simple_self_signed(["localhost".to_owned(), "127.0.0.1".to_owned()])
            .expect("all is at hand");
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(signed.signing_key.serialize_der()));
        let certificate = signed.cert.der().clone();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let versions = rustls::ServerConfig::builder_with_provider(Arc::clone(&provider));
        let versions = versions.with_safe_default_protocol_versions().expect("all is at hand");
        let mut config =
            versions.with_no_client_auth().with_single_cert(vec![certificate.clone()], key).expect("all is at hand");
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();

        let mut roots = rustls::RootCertStore::empty();
        roots.add(certificate).expect("all is at hand");
        let versions = rustls::ClientConfig::builder_with_provider(provider);
        let versions = versions.with_safe_default_protocol_versions().expect("all is at hand");
        let trust = Arc::new(versions.with_root_certificates(roots).with_no_client_auth());

        let listener = TcpListener::bind("127.0.0.1:0").await.expect("all is at hand");
        let address = listener.local_addr().expect("all is at hand");
        let acceptor = TlsAcceptor::from(Arc::new(config));
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    let Ok(stream) = acceptor.accept(socket).await else { return };
                    let is_http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
                    serve(TokioIo::new(stream), is_http2).await;
                });
            }
        });
        Self { address, trust }
    }

    pub(crate) fn client(&self, host: &str) -> EventSourceBuilder {
        EventSource::get(format!("https://{host}:{}/stream?x=1", self.address.port()))
            .no_proxy()
            .retry(Duration::from_millis(5))
            .tls_config(Arc::clone(&self.trust))
    }
}

async fn serve<T>(io: T, is_http2: bool)
where
    T: hyper::rt::Read + hyper::rt::Write + Unpin + Send + 'static,
{
    let service = service_fn(answer);
    if is_http2 {
        let _ = hyper::server::conn::http2::Builder::new(TokioExecutor::new()).serve_connection(io, service).await;
    } else {
        let _ = hyper::server::conn::http1::Builder::new().serve_connection(io, service).await;
    }
}

async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let version = if request.version() == Version::HTTP_2 { "h2" } else { "h1" };
    let id =
        request.headers().get("last-event-id").map_or("none", |id| id.to_str().expect("all is at hand")).to_owned();
    let path = request.uri().path_and_query().expect("all is at hand").to_string();
    let method = request.method().clone();
    let body = request.into_body().collect().await.expect("all is at hand").to_bytes();
    let data = format!("{version} {method} {path} {id} {}", String::from_utf8_lossy(&body));
    let stream = format!("id: 7\ndata: {data}\n\n");
    Ok(Response::builder()
        .header("content-type", "text/event-stream")
        .body(Full::new(stream.into()))
        .expect("all is at hand"))
}

#[tokio::test]
async fn the_server_chooses_the_version() {
    for (protocols, want) in [(&["h2", "http/1.1"][..], "h2"), (&["http/1.1"], "h1"), (&[], "h1")] {
        let server = TlsServer::start(protocols).await;
        for host in ["localhost", "127.0.0.1"] {
            let mut source = server.client(host).build().unwrap();
            assert_eq!(next_data(&mut source).await, format!("{want} GET /stream?x=1 none "));
            assert_eq!(next_data(&mut source).await, format!("{want} GET /stream?x=1 7 "), "after a reconnection");
        }
        let mut source = server.client("localhost").http_version(HttpVersion::Http1).build().unwrap();
        assert_eq!(next_data(&mut source).await, "h1 GET /stream?x=1 none ");
    }
}

#[tokio::test]
async fn http2_alone_is_not_http1_in_the_end() {
    for protocols in [&["http/1.1"][..], &[]] {
        let server = TlsServer::start(protocols).await;
        let mut source = server.client("localhost").http_version(HttpVersion::Http2).build().unwrap();
        assert!(matches!(next_lost(&mut source).await, (Lost::Unreachable { .. }, _)), "{protocols:?}");
    }
}

#[tokio::test]
async fn a_body_goes_by_http2_too() {
    let server = TlsServer::start(&["h2"]).await;
    let question = "q".repeat(200_000);
    let mut source = EventSource::post(format!("https://localhost:{}/ask", server.address.port()))
        .no_proxy()
        .tls_config(Arc::clone(&server.trust))
        .body(question.clone())
        .build()
        .unwrap();
    assert_eq!(next_data(&mut source).await, format!("h2 POST /ask none {question}"));
}

#[tokio::test]
async fn http2_is_spoken_at_once_where_it_is_known() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            tokio::spawn(serve(TokioIo::new(socket), true));
        }
    });
    let url = format!("http://{address}/plain");
    let mut source = EventSource::get(url).no_proxy().http_version(HttpVersion::Http2).build().unwrap();
    assert_eq!(next_data(&mut source).await, "h2 GET /plain none ");
}

/// Nothing is asked here; a machine without a list of authorities must hear of it before it connects.
#[test]
fn trust_is_the_systems_or_its_lack_is_told() {
    match EventSource::get("https://example.com/").build() {
        Ok(source) => assert_eq!(source.url().scheme(), "https"),
        Err(error) => assert!(matches!(error, BuildError::Roots) && !cfg!(feature = "webpki-roots"), "{error}"),
    }
}

#[tokio::test]
async fn a_stranger_is_not_trusted() {
    let (server, other) = (TlsServer::start(&["h2"]).await, TlsServer::start(&["h2"]).await);
    let mut source = server.client("localhost").tls_config(Arc::clone(&other.trust)).build().unwrap();
    let (cause, _) = next_lost(&mut source).await;
    let Lost::Unreachable { source, .. } = &cause else { panic!("no answer, but {cause}") };
    assert!(source.to_string().contains("certificate"), "{source}");
}

#[tokio::test]
async fn dropping_it_ends_an_http2_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/plain", listener.local_addr().unwrap());
    let mut source = EventSource::get(url).no_proxy().http_version(HttpVersion::Http2).build().unwrap();
    let serving = tokio::spawn(async move {
        let (socket, _) = listener.accept().await.unwrap();
        serve(TokioIo::new(socket), true).await;
    });
    next_data(&mut source).await;
    drop(source);
    tokio::time::timeout(crate::support::DEADLINE, serving).await.expect("the connection ends").unwrap();
}
