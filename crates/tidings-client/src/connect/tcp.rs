//! A name and a port to a TCP connection: addresses of both families in turn, without waiting long for a dead one.
//!
//! Source: RFC 8305, "Happy Eyeballs", without its cache of former results.

use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::sleep;
use url::{Host, Url};

use super::Io;

pub(super) async fn connect(url: &Url) -> io::Result<Box<dyn Io>> {
    let port = url.port_or_known_default().unwrap_or(80);
    let addresses: Vec<SocketAddr> = match url.host() {
        Some(Host::Ipv4(address)) => vec![(address, port).into()],
        Some(Host::Ipv6(address)) => vec![(address, port).into()],
        Some(Host::Domain(name)) => interleave(lookup_host((name, port)).await?.collect()),
        None => Vec::new(),
    };
    let stream = connect_first(addresses).await?;
    stream.set_nodelay(true)?;
    // A dead peer sends no reset. Best effort: without it the idle timeout, if there is one, finds out.
    let keepalive = TcpKeepalive::new().with_time(KEEPALIVE_AFTER).with_interval(KEEPALIVE_INTERVAL);
    let _ = SockRef::from(&stream).set_tcp_keepalive(&keepalive);
    Ok(Box::new(stream))
}

type Attempt = Pin<Box<dyn Future<Output = io::Result<TcpStream>> + Send>>;

/// The first that answers wins; the next address is tried when one has failed or has not answered for a moment.
async fn connect_first(addresses: Vec<SocketAddr>) -> io::Result<TcpStream> {
    let mut waiting = addresses.into_iter();
    let mut running: Vec<Attempt> = Vec::new();
    let mut last_error = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    loop {
        let next = waiting.next();
        let has_more = next.is_some();
        running.extend(next.map(|address| -> Attempt { Box::pin(TcpStream::connect(address)) }));
        if running.is_empty() {
            return Err(last_error);
        }
        let mut moment = Box::pin(sleep(NEXT_ADDRESS_AFTER));
        let outcome = poll_fn(|cx| {
            let mut at = 0;
            while at < running.len() {
                match running[at].as_mut().poll(cx) {
                    Poll::Pending => at += 1,
                    Poll::Ready(outcome) => {
                        drop(running.swap_remove(at));
                        return Poll::Ready(Some(outcome));
                    }
                }
            }
            if has_more { moment.as_mut().poll(cx).map(|()| None) } else { Poll::Pending }
        })
        .await;
        match outcome {
            Some(Ok(stream)) => return Ok(stream),
            Some(Err(error)) => last_error = error,
            None => {}
        }
    }
}

/// The families in turn, beginning with the resolver's first choice, each in its order.
fn interleave(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let is_first_v6 = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let (first, second): (Vec<_>, Vec<_>) = addresses.into_iter().partition(|one| one.is_ipv6() == is_first_v6);
    let mut second = second.into_iter();
    let mut mixed: Vec<_> = first.into_iter().flat_map(|one| [Some(one), second.next()]).flatten().collect();
    mixed.extend(second);
    mixed
}

const NEXT_ADDRESS_AFTER: Duration = Duration::from_millis(250); // "Connection Attempt Delay" of the RFC

const KEEPALIVE_AFTER: Duration = Duration::from_mins(1);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(15);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_take_turns() {
        let parse = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect::<Vec<SocketAddr>>();
        let check = |got: &[&str], want: &[&str]| assert_eq!(interleave(parse(got)), parse(want), "{got:?}");
        check(&["[::1]:1", "[::2]:1", "1.1.1.1:1"], &["[::1]:1", "1.1.1.1:1", "[::2]:1"]);
        check(&["1.1.1.1:1", "[::1]:1", "[::2]:1"], &["1.1.1.1:1", "[::1]:1", "[::2]:1"]);
        check(&["1.1.1.1:1"], &["1.1.1.1:1"]);
        check(&[], &[]);
    }

    #[tokio::test]
    async fn a_dead_address_does_not_keep_from_a_good_one() {
        let dead = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let good = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let stream = connect_first(vec![dead, good.local_addr().unwrap()]).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap(), good.local_addr().unwrap());
        assert!(connect_first(vec![dead]).await.is_err());
        assert!(connect_first(Vec::new()).await.is_err());
    }
}
