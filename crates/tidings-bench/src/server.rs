//! Where a server is: an address to connect to, and what its requests call it.

use std::net::{SocketAddr, ToSocketAddrs};

use crate::error::PlanError;

/// A server to load.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// Where to connect to.
    pub address: SocketAddr,
    /// What the header `Host` says.
    pub authority: String,
}

impl Server {
    /// A server by its URL: `http://`, a host, perhaps a port. Names are looked up once, here.
    ///
    /// # Errors
    /// [`PlanError::Server`] when it is no such URL, or the name has no address.
    pub fn parse(url: &str) -> Result<Self, PlanError> {
        let fault = |reason: String| PlanError::Server { url: url.to_owned(), reason };
        let Some((scheme, rest)) = url.split_once("://") else {
            return Err(fault("it has no scheme".into()));
        };
        match scheme.to_ascii_lowercase().as_str() {
            "http" => {}
            "https" => return Err(fault("TLS is not measured".into())),
            _ => return Err(fault(format!("its scheme is {scheme:?}"))),
        }
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        if !path.is_empty() {
            return Err(fault("paths have their own templates".into()));
        }
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte);
        if authority.is_empty() || !authority.bytes().all(is_plain) {
            return Err(fault("its host cannot be read".into()));
        }
        let has_port = authority.rsplit_once(':').is_some_and(|(host, port)| {
            !port.is_empty()
                && port.bytes().all(|byte| byte.is_ascii_digit())
                && (!host.contains(':') || host.ends_with(']'))
        });
        let with_port = if has_port { authority.to_owned() } else { format!("{authority}:80") };
        let mut addresses = with_port.to_socket_addrs().map_err(|error| fault(error.to_string()))?;
        let address = addresses.next().ok_or_else(|| fault("its name has no address".into()))?;
        Ok(Self { address, authority: authority.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_named_by_its_url() {
        for (url, address, authority) in [
            ("http://127.0.0.1:3000", "127.0.0.1:3000", "127.0.0.1:3000"),
            ("HTTP://127.0.0.1/", "127.0.0.1:80", "127.0.0.1"),
            ("http://[::1]:8080", "[::1]:8080", "[::1]:8080"),
            ("http://[::1]", "[::1]:80", "[::1]"),
        ] {
            let want = Server { address: address.parse().expect(address), authority: authority.to_owned() };
            assert_eq!(Server::parse(url), Ok(want), "{url}");
        }
    }

    #[test]
    fn what_is_no_server_is_refused_with_its_reason() {
        for (url, want) in [
            ("127.0.0.1:3000", "no scheme"),
            ("https://127.0.0.1", "TLS"),
            ("ftp://127.0.0.1", "\"ftp\""),
            ("http://", "host"),
            ("http://a b", "host"),
            ("http://127.0.0.1/events", "templates"),
            ("http://127.0.0.1:99999", "port"),
        ] {
            let error = Server::parse(url).expect_err(url).to_string();
            assert!(error.contains(want) && error.contains("http://127.0.0.1:3000"), "{url}: {error}");
        }
    }
}
