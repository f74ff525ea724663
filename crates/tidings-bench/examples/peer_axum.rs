//! What a Rust user writes by hand: axum's `Sse` over a `tokio::sync::broadcast` channel for each topic.
//!
//! `peer_axum [ADDRESS]`; subscribe at `/sub/TOPIC`, publish at `/pub/TOPIC`. A slow reader loses events in silence, and
//! whoever comes back gets nothing of what it missed.

use std::collections::HashMap;
use std::convert::Infallible;
use std::error::Error;
use std::io::Write;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use axum::Router;
use axum::extract::{Path, State};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::routing::{get, post};
use tokio::net::TcpListener;
use tokio::sync::broadcast::{self, Sender};
use tokio_stream::wrappers::BroadcastStream;
use tokio_stream::{Stream, StreamExt};

/// Takes events, each with its id.
type Channel = Sender<(u64, Arc<str>)>;

/// For each topic its channel, as deep as people make them.
#[derive(Clone, Default)]
struct Topics {
    channels: Arc<RwLock<HashMap<String, Channel>>>,
    next_id: Arc<AtomicU64>,
}

impl Topics {
    fn channel(&self, topic: &str) -> Channel {
        if let Some(channel) = self.channels.read().unwrap_or_else(PoisonError::into_inner).get(topic) {
            return channel.clone();
        }
        let mut channels = self.channels.write().unwrap_or_else(PoisonError::into_inner);
        channels.entry(topic.to_owned()).or_insert_with(|| broadcast::channel(1024).0).clone()
    }
}

async fn subscribe(
    State(topics): State<Topics>,
    Path(topic): Path<String>,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let events = BroadcastStream::new(topics.channel(&topic).subscribe()).filter_map(Result::ok);
    let events = events.map(|(id, data)| Ok(Event::default().id(id.to_string()).data(&*data)));
    Sse::new(events).keep_alive(KeepAlive::default())
}

async fn publish(State(topics): State<Topics>, Path(topic): Path<String>, body: String) {
    let id = topics.next_id.fetch_add(1, Ordering::Relaxed);
    // Without a subscriber there is nobody to tell.
    let _ = topics.channel(&topic).send((id, body.into()));
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<(), Box<dyn Error>> {
    let address: SocketAddr = std::env::args().nth(1).as_deref().unwrap_or("127.0.0.1:0").parse()?;
    let listener = TcpListener::bind(address).await?;
    writeln!(std::io::stdout(), "listening on http://{}", listener.local_addr()?)?;
    let app = Router::new()
        .route("/sub/{topic}", get(subscribe))
        .route("/pub/{topic}", post(publish))
        .with_state(Topics::default());
    axum::serve(listener, app).await?;
    Ok(())
}
