//! Rust clients of server-sent events behind one function, so that the same cases can be put to all.
//!
//! Each is set up as well as it can be: reconnecting after 50 ms, and after 1 s of silence where it has such an option.
//! Two of them only decode; what they lack as clients is not counted against them.

use std::time::Duration;

use eventsource_stream::Eventsource;
use futures_util::StreamExt;
use reqwest_eventsource::RequestBuilderExt;
use tokio::sync::mpsc;

/// One of the clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Client {
    /// The client of this workspace.
    Tidings,
    /// `eventsource-client` with its transport over hyper.
    EventsourceClient,
    /// `reqwest-eventsource`.
    ReqwestEventsource,
    /// `eventsource-stream`, a decoder, over the body of reqwest.
    EventsourceStream,
    /// `sse-stream`, a decoder, over the body of reqwest.
    SseStream,
}

/// What a program sees of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// An event: type, data and id, each empty where the client gives none.
    Event(String, String, String),
    /// An error; the client may go on.
    Error(String),
    /// The client has stopped.
    End,
}

impl Client {
    /// All, ours first.
    pub const ALL: [Self; 5] =
        [Self::Tidings, Self::EventsourceClient, Self::ReqwestEventsource, Self::EventsourceStream, Self::SseStream];

    /// The name of the crate.
    pub fn name(self) -> &'static str {
        match self {
            Self::Tidings => "tidings-client",
            Self::EventsourceClient => "eventsource-client 0.18",
            Self::ReqwestEventsource => "reqwest-eventsource 0.6",
            Self::EventsourceStream => "eventsource-stream 0.2",
            Self::SseStream => "sse-stream 0.3",
        }
    }

    /// Whether it only decodes, and leaves connecting to others.
    pub fn is_decoder(self) -> bool {
        matches!(self, Self::EventsourceStream | Self::SseStream)
    }

    /// Listens until the client stops or nobody wants to know any more.
    pub async fn listen(self, url: String, seen: mpsc::Sender<Seen>) {
        let told = seen.clone();
        let outcome = match self {
            Self::Tidings => listen_tidings(&url, seen).await,
            Self::EventsourceClient => listen_eventsource_client(&url, seen).await,
            Self::ReqwestEventsource => listen_reqwest_eventsource(&url, seen).await,
            Self::EventsourceStream => listen_eventsource_stream(&url, seen).await,
            Self::SseStream => listen_sse_stream(&url, seen).await,
        };
        if let Err(fault) = outcome {
            let _ = told.send(Seen::Error(fault.to_string())).await;
        }
        let _ = told.send(Seen::End).await;
    }
}

type Outcome = Result<(), Box<dyn std::error::Error + Send + Sync>>;

const RETRY: Duration = Duration::from_millis(50);
const SILENCE: Duration = Duration::from_secs(1);
const EVENT_BYTES_MAX: usize = 1 << 20;

async fn listen_tidings(url: &str, seen: mpsc::Sender<Seen>) -> Outcome {
    let builder = tidings_client::EventSource::get(url).no_proxy().retry(RETRY).idle_timeout(SILENCE);
    let mut source = builder.event_bytes_max(EVENT_BYTES_MAX).build()?;
    while let Some(event) = source.next().await {
        let event = event?;
        seen.send(Seen::Event(event.event_type, event.data, event.last_event_id)).await?;
    }
    Ok(())
}

async fn listen_eventsource_client(url: &str, seen: mpsc::Sender<Seen>) -> Outcome {
    use eventsource_client::{Client as _, ClientBuilder, ReconnectOptions, SSE};

    let transport = launchdarkly_sdk_transport::HyperTransport::builder().read_timeout(SILENCE).build_http()?;
    let options = ReconnectOptions::reconnect(true).delay(RETRY).backoff_factor(1).build();
    let client = ClientBuilder::for_url(url)?.reconnect(options).build_with_transport(transport);
    let mut stream = client.stream();
    while let Some(item) = stream.next().await {
        let told = match item {
            Ok(SSE::Event(event)) => Seen::Event(event.event_type, event.data, event.id.unwrap_or_default()),
            Ok(SSE::Comment(_) | SSE::Connected(_)) => continue,
            Err(error) => Seen::Error(error.to_string()),
        };
        seen.send(told).await?;
    }
    Ok(())
}

async fn listen_reqwest_eventsource(url: &str, seen: mpsc::Sender<Seen>) -> Outcome {
    use reqwest_eventsource::{Event, retry::Constant};

    let client = reqwest::Client::builder().no_proxy().read_timeout(SILENCE).build()?;
    let mut source = client.get(url).eventsource()?;
    source.set_retry_policy(Box::new(Constant::new(RETRY, None)));
    while let Some(item) = source.next().await {
        let told = match item {
            Ok(Event::Open) => continue,
            Ok(Event::Message(event)) => Seen::Event(event.event, event.data, event.id),
            Err(error) => Seen::Error(error.to_string()),
        };
        seen.send(told).await?;
    }
    Ok(())
}

async fn listen_eventsource_stream(url: &str, seen: mpsc::Sender<Seen>) -> Outcome {
    let client = reqwest::Client::builder().no_proxy().build()?;
    let mut stream = client.get(url).send().await?.bytes_stream().eventsource();
    while let Some(item) = stream.next().await {
        seen.send(match item {
            Ok(event) => Seen::Event(event.event, event.data, event.id),
            Err(error) => Seen::Error(error.to_string()),
        })
        .await?;
    }
    Ok(())
}

async fn listen_sse_stream(url: &str, seen: mpsc::Sender<Seen>) -> Outcome {
    let client = reqwest::Client::builder().no_proxy().build()?;
    let mut stream = sse_stream::SseStream::from_bytes_stream(client.get(url).send().await?.bytes_stream());
    while let Some(item) = stream.next().await {
        let told = match item {
            // It gives blocks without data too, and leaves it to the caller to tell which are events.
            Ok(block) => match block.data {
                None => continue,
                Some(data) => {
                    Seen::Event(block.event.unwrap_or_else(|| "message".to_owned()), data, block.id.unwrap_or_default())
                }
            },
            Err(error) => Seen::Error(error.to_string()),
        };
        seen.send(told).await?;
    }
    Ok(())
}
