//! Readers that do not read, so that the hub soon cannot write to them.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

use rustix::net::sockopt::set_socket_recv_buffer_size;
use rustix::net::{AddressFamily, SocketType};

use crate::DEADLINE;

/// Room of a socket for what it has not read. Unit: bytes.
const LITTLE_ROOM: usize = 4096;

/// A connection whose reading side holds little.
///
/// # Panics
/// When it cannot be made, or the address is none of IPv4.
#[track_caller]
pub fn connect_with_little_room(address: SocketAddr) -> TcpStream {
    let SocketAddr::V4(v4) = address else { panic!("the hub of a test listens on IPv4") };
    let socket = rustix::net::socket(AddressFamily::INET, SocketType::STREAM, None).expect("a socket more");
    // Before it connects, or it counts for nothing.
    set_socket_recv_buffer_size(&socket, LITTLE_ROOM).expect("a small buffer");
    rustix::net::connect(&socket, &v4).expect("the hub listens");
    TcpStream::from(socket)
}

/// A reader that has asked for a stream and never reads; it has room for little.
#[derive(Debug)]
pub struct NeverReads(TcpStream);

impl NeverReads {
    /// Asks for `target`, a path with any query.
    #[track_caller]
    pub fn start(address: SocketAddr, target: &str) -> Self {
        let mut stream = connect_with_little_room(address);
        let request = format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n");
        stream.write_all(request.as_bytes()).expect("it reads");
        Self(stream)
    }

    /// Reads at last, until there is no more.
    #[track_caller]
    pub fn expect_ended(&mut self) {
        self.0.set_read_timeout(Some(DEADLINE)).expect("a deadline is not zero");
        let mut bytes = [0; 16 * 1024];
        loop {
            match self.0.read(&mut bytes) {
                Ok(1..) => {}
                Ok(0) => return,
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return,
                Err(error) => panic!("waited for the end of a stream, and reading gave {error}"),
            }
        }
    }
}
