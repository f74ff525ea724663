//! The client over real sockets: servers that misbehave in every way, TLS, HTTP/2, proxies, and a real hub.

mod backoff;
mod contract;
mod hub;
mod life;
mod misbehaviour;
#[cfg(feature = "gzip")]
mod packed;
mod proxy;
mod redirects;
mod support;
#[cfg(all(feature = "rustls", feature = "http2"))]
mod tls;
