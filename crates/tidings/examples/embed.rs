//! A hub inside a program of one's own: `cargo run --example embed -- 3000`, then open
//! <http://127.0.0.1:3000/>, or `curl -N http://127.0.0.1:3000/live/events/ticks`.

use std::error::Error;
use std::time::Duration;

use axum::Router;
use axum::response::Html;
use axum::routing::get;
use tidings::{Hub, Publication, Topic};

const PAGE: &str = r#"<!doctype html><h1 id="now">…</h1><script>
    new EventSource("/live/events/ticks").onmessage = event => { now.textContent = event.data };
</script>"#;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let port = std::env::args().nth(1).map_or(Ok(3000), |port| port.parse())?;
    let hub = Hub::builder().build()?;

    // Whatever the program learns it publishes, from wherever it is.
    tokio::spawn(tick(hub.clone()));

    // The hub's routes stand beside those of the program.
    let app = Router::new().route("/", get(|| async { Html(PAGE) })).nest("/live", hub.router());
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await?;
    let drained = async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            // Readers are told to come back; without this they would hold the server open.
            hub.drain(Duration::from_secs(1)).await;
        }
    };
    axum::serve(listener, app).with_graceful_shutdown(drained).await?;
    Ok(())
}

async fn tick(hub: Hub) {
    let topic = Topic::parse("ticks").expect("a good topic");
    for number in 0_u64.. {
        // In memory this fails only when the hub is shutting down.
        if hub.publish(Publication::new(topic.clone(), format!("tick {number}"))).await.is_err() {
            return;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}
