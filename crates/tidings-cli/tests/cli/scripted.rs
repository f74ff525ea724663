//! A server that answers each connection with bytes from a list, and notes what it was asked: for what no hub does.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener};
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use tidings_e2e::DEADLINE;

/// Runs until its list is used up; whoever comes after that is refused.
pub(crate) struct Scripted {
    address: SocketAddr,
    heads: Receiver<String>,
}

impl Scripted {
    pub(crate) fn start<const N: usize>(answers: [&'static str; N]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("a bound socket has an address");
        let (sender, heads) = channel(); // as many as there are answers
        thread::spawn(move || {
            for answer in answers {
                let Ok((mut stream, _)) = listener.accept() else { return };
                let mut head = Vec::new();
                let mut byte = [0];
                while !head.ends_with(b"\r\n\r\n") && matches!(stream.read(&mut byte), Ok(1)) {
                    head.push(byte[0]);
                }
                let _ = sender.send(String::from_utf8_lossy(&head).into_owned());
                let _ = stream.write_all(answer.as_bytes());
                // What the client still sends is read, or the system would take our answer back with a reset.
                let _ = stream.shutdown(Shutdown::Write);
                let _ = stream.set_read_timeout(Some(DEADLINE));
                while matches!(stream.read(&mut [0; 1024]), Ok(1..)) {}
            }
        });
        Self { address, heads }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The head of the next request, as it came.
    #[track_caller]
    pub(crate) fn next_head(&self) -> String {
        self.heads.recv_timeout(DEADLINE).expect("another request")
    }
}
