//! From where a request comes: the address of its connection, or what a proxy that is trusted says of it.

use std::net::{IpAddr, SocketAddr};

use axum::extract::ConnectInfo;
use http::header::{FORWARDED, HeaderName};
use http::request::Parts;
use http::{Extensions, HeaderMap};
use tidings_fanout::Network;

use crate::state::HttpState;

/// The other end of the connection that a request came on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer(pub(crate) SocketAddr);

/// From where a request comes; `None` in a program whose own server does not tell.
pub(crate) fn client_address(state: &HttpState, parts: &Parts) -> Option<IpAddr> {
    let peer = peer_address(&parts.extensions)?;
    Some(behind(peer, &parts.headers, &state.config.trusted_proxies))
}

/// Does a request come from a proxy that is trusted?
pub(crate) fn is_from_trusted_proxy(parts: &Parts, proxies: &[Network]) -> bool {
    !proxies.is_empty() && peer_address(&parts.extensions).is_some_and(|peer| is_in(proxies, peer))
}

/// The address that a trusted proxy tells of; `None` for whoever came by itself.
pub(crate) fn forwarded_address(state: &HttpState, parts: &Parts) -> Option<IpAddr> {
    let proxies = &state.config.trusted_proxies;
    is_from_trusted_proxy(parts, proxies).then(|| client_address(state, parts)).flatten()
}

fn peer_address(extensions: &Extensions) -> Option<IpAddr> {
    let ours = extensions.get::<Peer>().map(|Peer(peer)| *peer);
    let axums = || extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(peer)| *peer);
    ours.or_else(axums).map(|peer| peer.ip().to_canonical())
}

fn is_in(proxies: &[Network], address: IpAddr) -> bool {
    proxies.iter().any(|network| network.contains(address))
}

/// Each proxy writes behind what it was told from whom it has it, so the list is read from its end for as long as those
/// who wrote it are trusted. What is not an address ends the list: who wrote it is the last one known.
fn behind(peer: IpAddr, headers: &HeaderMap, proxies: &[Network]) -> IpAddr {
    let mut address = peer;
    let mut told = told_by_proxies(headers);
    while is_in(proxies, address)
        && let Some(Some(before)) = told.pop()
    {
        address = before;
    }
    address
}

/// What proxies tell of those before them, the nearest last; `None` for what is no address.
fn told_by_proxies(headers: &HeaderMap) -> Vec<Option<IpAddr>> {
    let list = |name: &HeaderName| {
        let lines = headers.get_all(name).iter().map(|line| line.to_str().unwrap_or("")).collect::<Vec<_>>();
        lines.join(",")
    };
    if headers.contains_key(&X_FORWARDED_FOR) {
        return list(&X_FORWARDED_FOR).split(',').map(|entry| parse(entry.trim())).collect();
    }
    if headers.contains_key(FORWARDED) {
        return list(&FORWARDED).split(',').map(forwarded_for).collect();
    }
    Vec::new()
}

/// The address of `for=` in an element of `Forwarded`. (RFC 7239)
fn forwarded_for(element: &str) -> Option<IpAddr> {
    let pairs = element.split(';').filter_map(|pair| pair.split_once('='));
    let mut fors = pairs.filter(|(name, _)| name.trim().eq_ignore_ascii_case("for"));
    parse(fors.next()?.1.trim().trim_matches('"'))
}

/// An address, perhaps with a port, as proxies write them: `192.0.2.7`, `192.0.2.7:80`, `2001:db8::1`, `[2001:db8::1]:80`.
fn parse(raw: &str) -> Option<IpAddr> {
    let bare = raw.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(raw);
    let address = bare.parse::<IpAddr>().or_else(|_| raw.parse::<SocketAddr>().map(|address| address.ip())).ok()?;
    Some(address.to_canonical())
}

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn check(peer: &str, headers: &[(&str, &str)], want: &str) {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            let name = HeaderName::from_bytes(name.as_bytes()).expect("a good name");
            map.append(name, HeaderValue::from_str(value).expect("a good value"));
        }
        let proxies = ["10.0.0.0/8", "2001:db8::/32"].map(|raw| raw.parse().expect("a network"));
        let got = behind(peer.parse().expect("an address"), &map, &proxies);
        assert_eq!(got.to_string(), want, "{peer} {headers:?}");
    }

    #[test]
    fn only_a_trusted_proxy_is_believed() {
        let name = "x-forwarded-for";
        check("192.0.2.1", &[(name, "198.51.100.9")], "192.0.2.1");
        check("10.0.0.1", &[], "10.0.0.1");
        check("10.0.0.1", &[(name, "198.51.100.9")], "198.51.100.9");
        check("10.0.0.1", &[(name, "203.0.113.5, 198.51.100.9")], "198.51.100.9");
        check("10.0.0.1", &[(name, "198.51.100.9, 10.0.0.2")], "198.51.100.9");
        check("10.0.0.1", &[(name, "198.51.100.9"), (name, "10.0.0.2")], "198.51.100.9");
        check("10.0.0.1", &[(name, "10.0.0.3, 10.0.0.2")], "10.0.0.3");
    }

    #[test]
    fn what_is_no_address_is_not_believed() {
        let name = "x-forwarded-for";
        check("10.0.0.1", &[(name, "198.51.100.9, nonsense")], "10.0.0.1");
        check("10.0.0.1", &[(name, "")], "10.0.0.1");
        check("10.0.0.1", &[("forwarded", "for=_hidden")], "10.0.0.1");
        check("10.0.0.1", &[("forwarded", "for=unknown;proto=http")], "10.0.0.1");
    }

    #[test]
    fn addresses_come_in_many_forms() {
        let name = "x-forwarded-for";
        check("10.0.0.1", &[(name, "198.51.100.9:4711")], "198.51.100.9");
        check("10.0.0.1", &[(name, "[2001:db9::7]:4711")], "2001:db9::7");
        check("10.0.0.1", &[(name, "2001:db9::7")], "2001:db9::7");
        check("2001:db8::1", &[(name, "::ffff:198.51.100.9")], "198.51.100.9");
        check("10.0.0.1", &[("forwarded", "for=198.51.100.9;proto=https")], "198.51.100.9");
        check("10.0.0.1", &[("forwarded", "proto=https;For=\"[2001:db9::7]:80\", for=10.0.0.2")], "2001:db9::7");
    }
}
