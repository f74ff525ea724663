//! Compressed streams, for clients that ask for them.

use async_compression::tokio::write::GzipEncoder;
use tidings_client::{Error, EventSourceBuilder};
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{Server, next_data, next_error, send};

const HEAD: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Encoding: gzip\r\n\r\n";

/// Three events, each of which must come though the packed stream goes on.
async fn check_flushed<E>(
    encoding: &'static str,
    pack: fn(TcpStream) -> E,
    ask: fn(EventSourceBuilder) -> EventSourceBuilder,
) where
    E: AsyncWrite + Unpin + Send + 'static,
{
    let mut server = Server::start(move |_, mut socket| async move {
        send(&mut socket, HEAD.replace("gzip", encoding)).await;
        let mut encoder = pack(socket);
        for number in 0..3 {
            encoder.write_all(format!("data: {number}\n\n").as_bytes()).await.expect("it is read");
            encoder.flush().await.expect("it is read");
        }
        std::future::pending::<()>().await;
    })
    .await;
    let mut source = ask(server.client()).build().expect("it is right");
    for number in 0..3 {
        assert_eq!(next_data(&mut source).await, number.to_string(), "{encoding}");
    }
    assert_eq!(server.next_request().await.header("accept-encoding"), Some(encoding));
}

#[tokio::test]
async fn an_event_comes_as_soon_as_the_server_has_flushed_it() {
    check_flushed("gzip", GzipEncoder::new, EventSourceBuilder::gzip).await;
    #[cfg(feature = "brotli")]
    check_flushed("br", async_compression::tokio::write::BrotliEncoder::new, EventSourceBuilder::brotli).await;
    #[cfg(feature = "zstd")]
    check_flushed("zstd", async_compression::tokio::write::ZstdEncoder::new, EventSourceBuilder::zstd).await;
}

#[tokio::test]
async fn a_small_packet_that_holds_gigabytes_is_refused_within_the_limit() {
    let server = Server::start(|_, mut socket| async move {
        send(&mut socket, HEAD).await;
        let mut encoder = GzipEncoder::new(socket);
        let piece = vec![b'x'; 1 << 16];
        while encoder.write_all(&piece).await.is_ok() {}
    })
    .await;
    let error = next_error(&mut server.client().gzip().event_bytes_max(1 << 20).build().unwrap()).await;
    assert!(matches!(error, Error::TooLarge(_)), "{error}");
}

#[tokio::test]
async fn compression_that_was_not_asked_for_is_refused() {
    let server = Server::start(|_, mut socket| async move { send(&mut socket, HEAD).await }).await;
    let error = next_error(&mut server.client().build().unwrap()).await;
    assert!(matches!(&error, Error::Encoding { encoding, .. } if encoding == "gzip"), "{error}");
}
