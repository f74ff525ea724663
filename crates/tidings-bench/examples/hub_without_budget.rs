//! A Tidings hub in memory whose shards replay without a budget: what the budget is good for is seen by the difference.
//!
//! `hub_without_budget [ADDRESS]`

use std::error::Error;
use std::io::Write;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use tidings::{Hub, Limits};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let address: SocketAddr = std::env::args().nth(1).as_deref().unwrap_or("127.0.0.1:0").parse()?;
    let listener = TcpListener::bind(address)?;
    let limits = Limits { connections_max: 19_500, catch_up_bytes_per_turn: usize::MAX, ..Limits::default() };
    let hub = Hub::builder().limits(limits).build()?;
    writeln!(std::io::stdout(), "listening on http://{}", listener.local_addr()?)?;
    hub.serve(vec![listener], std::future::pending(), Duration::ZERO).await?;
    Ok(())
}
