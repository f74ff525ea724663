//! What we do with raw TCP sockets.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener};
use std::time::Duration;

use mio::net::TcpStream;
use rustix::net::sockopt;
use tidings_core::session::Sent;

/// How many connections may wait to be accepted.
const BACKLOG: i32 = 4096;
/// How long a peer may leave bytes or keep-alive probes without an answer before the kernel gives it up. Half-open
/// peers are found by this, not by hoping that a heartbeat fails.
const USER_TIMEOUT: Duration = Duration::from_secs(30);
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
pub(crate) fn prepare_listener(listener: &TcpListener, send_buffer_bytes: usize) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    rustix::net::listen(listener, BACKLOG)?;
    sockopt::set_tcp_nodelay(listener, true)?;
    // The kernel's default lets megabytes gather for each slow reader.
    sockopt::set_socket_send_buffer_size(listener, send_buffer_bytes)?;
    sockopt::set_socket_keepalive(listener, true)?;
    #[cfg(target_os = "linux")]
    {
        sockopt::set_tcp_keepidle(listener, KEEPALIVE_IDLE)?;
        sockopt::set_tcp_keepintvl(listener, KEEPALIVE_INTERVAL)?;
        sockopt::set_tcp_user_timeout(listener, u32::try_from(USER_TIMEOUT.as_millis()).unwrap_or(u32::MAX))?;
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
