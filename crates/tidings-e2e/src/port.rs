//! A port for a hub that is killed and comes back while its clients try to reach it.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};

/// A free port that the system never gives to the client's side of a connection. One that it gives could be taken while
/// the hub is away, even by a client that tries to reach the hub: it would be connected to itself.
pub(crate) fn of_no_client() -> u16 {
    let range = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default();
    let first_of_clients =
        range.split_whitespace().next().and_then(|first| first.parse().ok()).unwrap_or(CLIENTS_DEFAULT);
    assert!(first_of_clients > FIRST, "the system keeps all ports from {first_of_clients} on for clients");
    let ports = std::iter::repeat_with(|| fastrand::u16(FIRST..first_of_clients)).take(ATTEMPTS);
    ports.into_iter().find(|&port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()).expect("some port is free")
}

/// Below it are the ports of well-known services.
const FIRST: u16 = 10_000;
/// Where the clients' ports begin on Linux unless somebody changed it; elsewhere they begin higher.
const CLIENTS_DEFAULT: u16 = 32_768;
const ATTEMPTS: usize = 100;
