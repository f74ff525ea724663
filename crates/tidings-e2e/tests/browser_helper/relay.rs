//! A relay before a hub whose line can go dead, as a network does under a machine that sleeps: nothing more comes over
//! the connections that are open then, and nobody is told.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// A relay; its threads end with the connections, and the test program with them.
pub(crate) struct Relay {
    address: SocketAddr,
    /// Connections of an earlier line are dead.
    line: Arc<AtomicUsize>,
}

impl Relay {
    pub(crate) fn start(hub: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("the system has a free port");
        let address = listener.local_addr().expect("a bound socket has an address");
        let line = Arc::new(AtomicUsize::new(0));
        let of_threads = Arc::clone(&line);
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let Ok(server) = TcpStream::connect(hub) else { continue };
                let (Ok(to_server), Ok(to_client)) = (server.try_clone(), client.try_clone()) else { continue };
                let now = of_threads.load(Ordering::SeqCst);
                let (line, line_back) = (Arc::clone(&of_threads), Arc::clone(&of_threads));
                thread::spawn(move || carry(client, to_server, || line.load(Ordering::SeqCst) == now, true));
                thread::spawn(move || carry(server, to_client, || line_back.load(Ordering::SeqCst) == now, false));
            }
        });
        Self { address, line }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// From now on nothing comes over the connections that are open; new ones are fine.
    pub(crate) fn go_dead(&self) {
        self.line.fetch_add(1, Ordering::SeqCst);
    }
}

/// A dead line swallows what comes and does not tell of its end, but a client that asks something over it is cut off: it
/// would wait for ever on a connection that it took for idle.
fn carry(mut from: TcpStream, mut to: TcpStream, is_alive: impl Fn() -> bool, cuts: bool) {
    let mut bytes = [0; 16 * 1024];
    while let Ok(read @ 1..) = from.read(&mut bytes) {
        if is_alive() && to.write_all(&bytes[..read]).is_err() {
            break;
        }
        if cuts && !is_alive() {
            let _ = from.shutdown(Shutdown::Both);
        }
    }
    if is_alive() {
        let _ = to.shutdown(Shutdown::Both);
    }
}
