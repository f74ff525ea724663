//! Debian's `HAProxy` with the configuration that we ship.

use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::process::Command;
use std::time::Instant;

use crate::hub::Hub;
use crate::place::{on_path, shipped};
use crate::program::Program;
use crate::{DEADLINE, port, request};

/// A proxy before two hubs. It ends with this.
#[derive(Debug)]
pub struct Proxy {
    program: Program,
    address: SocketAddr,
}

impl Proxy {
    /// Starts one on a port of its own and waits until it has found both hubs.
    #[track_caller]
    pub fn start(hub_a: &Hub, hub_b: &Hub) -> Self {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port::of_no_client()));
        let mut command = Command::new(on_path("haproxy"));
        command.arg("-db").arg("-f").arg(shipped("haproxy.cfg"));
        command.env("LISTEN", address.to_string());
        command.env("HUB_A", hub_a.address().to_string()).env("HUB_B", hub_b.address().to_string());
        let proxy = Self { program: Program::start(&mut command), address };
        let deadline = Instant::now() + DEADLINE;
        while TcpStream::connect(address).is_err() {
            assert!(Instant::now() < deadline, "the proxy does not listen: {:?}", proxy.program);
            std::thread::sleep(std::time::Duration::from_millis(10)); // between two looks
        }
        assert_eq!(request(address, "GET", "/healthz", &[], b"").status, 200, "a hub behind the proxy answers");
        proxy
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The URL of a path of it.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
}
