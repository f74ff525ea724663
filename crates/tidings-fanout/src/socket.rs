//! What we do with raw TCP sockets.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener};
use std::time::Duration;

use mio::net::TcpStream;
use rustix::net::sockopt;
use tidings_core::Limits;
use tidings_core::session::Sent;

/// How many connections may wait to be accepted.
const BACKLOG: i32 = 4096;
/// How long a peer may leave bytes or keep-alive probes without an answer before the kernel gives it up, at least.
/// Half-open peers are found by this, not by hoping that a heartbeat fails.
const USER_TIMEOUT_MIN: Duration = Duration::from_secs(10);
/// The kernel counts a peer without room too; a slow reader is to be ended by its shard, which knows the reason.
const USER_TIMEOUT_AFTER_SLOW: Duration = Duration::from_secs(5);
/// After how long a silence the kernel starts to probe, and how often.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(30);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);

/// What the kernel has for us to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Received {
    /// Nothing now.
    Nothing,
    /// This many bytes.
    Bytes(usize),
    /// The other side has closed.
    End,
}

/// Sets on a listener what every connection accepted from it has: Linux hands these options on, so that a connection
/// costs no system call for them.
pub(crate) fn prepare_listener(listener: &TcpListener, limits: &Limits) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    rustix::net::listen(listener, BACKLOG)?;
    sockopt::set_tcp_nodelay(listener, true)?;
    // The kernel's default lets megabytes gather for each slow reader.
    sockopt::set_socket_send_buffer_size(listener, limits.socket_send_buffer_bytes)?;
    sockopt::set_socket_keepalive(listener, true)?;
    #[cfg(target_os = "linux")]
    {
        let user_timeout =
            limits.slow_client_timeout.map(|slow| (slow + USER_TIMEOUT_AFTER_SLOW).max(USER_TIMEOUT_MIN));
        // A peer on a quiet stream is to be found about as soon as one that is written to.
        let patience = user_timeout.unwrap_or(KEEPALIVE_IDLE);
        sockopt::set_tcp_keepidle(listener, KEEPALIVE_IDLE.min(patience))?;
        sockopt::set_tcp_keepintvl(listener, KEEPALIVE_INTERVAL.min(patience / 3))?;
        if let Some(user_timeout) = user_timeout {
            sockopt::set_tcp_user_timeout(listener, u32::try_from(user_timeout.as_millis()).unwrap_or(u32::MAX))?;
        }
    }
    Ok(())
}

/// Writes as far as the kernel takes it.
pub(crate) fn send(stream: &mut TcpStream, bytes: &[u8]) -> io::Result<Sent> {
    loop {
        return match stream.write(bytes) {
            Ok(taken) if taken == bytes.len() => Ok(Sent::All),
            Ok(0) => Err(io::ErrorKind::WriteZero.into()),
            // The kernel notes that it had no room, so it reports when there is some again.
            Ok(taken) => Ok(Sent::Part(taken)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(Sent::Nothing),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => Err(error),
        };
    }
}

/// Reads what there is, at most as much as `buffer` holds.
pub(crate) fn receive(stream: &mut TcpStream, buffer: &mut [u8]) -> io::Result<Received> {
    loop {
        return match stream.read(buffer) {
            Ok(0) => Ok(Received::End),
            Ok(count) => Ok(Received::Bytes(count)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(Received::Nothing),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => Err(error),
        };
    }
}

/// Says that no more bytes come. A peer that is gone already needs no word.
pub(crate) fn end(stream: &TcpStream) {
    let _ = stream.shutdown(Shutdown::Write);
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    /// What a connection accepted from a listener with these limits has.
    fn accepted(slow_client_timeout: Option<Duration>) -> (u32, bool) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has free ports");
        let limits = Limits { slow_client_timeout, ..Limits::default() };
        prepare_listener(&listener, &limits).expect("a listener takes its options");
        listener.set_nonblocking(false).expect("it is open");
        let _client = std::net::TcpStream::connect(listener.local_addr().expect("it is bound")).expect("it listens");
        let (stream, _) = listener.accept().expect("somebody connected");
        let nodelay = sockopt::tcp_nodelay(&stream).expect("it is a TCP socket");
        (sockopt::tcp_user_timeout(&stream).expect("it is a TCP socket"), nodelay)
    }

    #[test]
    fn a_connection_has_what_its_listener_has() {
        assert_eq!(accepted(Some(Duration::from_secs(1))), (10_000, true));
        assert_eq!(accepted(None), (0, true));
    }

    #[test]
    fn the_kernel_leaves_a_slow_reader_to_its_shard() {
        assert_eq!(accepted(Some(Duration::from_mins(1))).0, 65_000);
    }
}
