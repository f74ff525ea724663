//! Sockets of attackers: many, from several addresses, never waited for.

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4, TcpStream};

use rustix::io::Errno;
use rustix::net::sockopt::{set_socket_recv_buffer_size, set_socket_reuseaddr};
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, connect, socket_with};
use rustix::process::{Resource, getrlimit, setrlimit};

/// Ports of one address that are used, and the first of them.
const CONNECTIONS_PER_ADDRESS: u64 = 10_000;
const PORT_FIRST: u16 = 20_000;

/// A connection that is being made; what is written before it is there comes back as `WouldBlock`.
///
/// `number` decides from which address of this machine it comes. With `is_small` it has room for little that it is sent.
pub(super) fn begin(to: SocketAddrV4, number: u64, is_small: bool) -> io::Result<TcpStream> {
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket = socket_with(AddressFamily::INET, SocketType::STREAM, flags, None)?;
    if is_small {
        set_socket_recv_buffer_size(&socket, 4096)?; // before it connects, or it counts for nothing
    }
    // The port is chosen here: the system looks for a free one for long when many are taken. Another attacker may have the
    // same one, for another server.
    set_socket_reuseaddr(&socket, true)?;
    let first = u64::from(std::process::id()) * 7;
    let host = u8::try_from((first + number / CONNECTIONS_PER_ADDRESS) % 200).expect("it is below 200");
    let port = PORT_FIRST + u16::try_from(number % CONNECTIONS_PER_ADDRESS).expect("it is below 10,000");
    bind(&socket, &SocketAddrV4::new(Ipv4Addr::new(127, 0, 0, 2 + host), port))?;
    match connect(&socket, &to) {
        Ok(()) | Err(Errno::INPROGRESS) => Ok(TcpStream::from(socket)),
        Err(error) => Err(error.into()),
    }
}

/// As many descriptors as this process may have.
pub(super) fn raise_descriptors() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    let _ = setrlimit(Resource::Nofile, limit); // then there are fewer, and the count says so
}

/// Is this what a socket says that has nothing now, or is not connected yet?
pub(super) fn is_not_yet(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::NotConnected | io::ErrorKind::Interrupted)
}
