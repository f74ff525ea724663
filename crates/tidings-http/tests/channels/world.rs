//! A hub without a socket, and the requests of these tests.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::response::Response;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt as _;
use tidings_core::{Counters, Engine, Epoch, Limits, LiveLimits, MemoryEngine, MemoryOptions, Phase};
use tidings_fanout::{Fanout, FanoutOptions};
use tidings_http::{Auth, Dripping, HttpConfig, HttpState, Publishers, StreamShares};
use tokio::time::timeout;
use tower::ServiceExt as _;

pub(crate) const EPOCH_MICROS: u64 = 1_795_464_000_000_000;
/// Long enough for a busy machine; no test waits for it unless it fails.
const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) struct World {
    pub(crate) state: Arc<HttpState>,
    _fanout: Fanout,
}

/// A whole answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

/// An answer that may never end.
pub(crate) struct Stream {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    body: Body,
    read: String,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(HttpConfig::default(), MemoryOptions::default())
    }

    pub(crate) fn configured(change: impl FnOnce(&mut HttpConfig)) -> Self {
        let mut config = HttpConfig::default();
        change(&mut config);
        Self::with(config, MemoryOptions::default())
    }

    pub(crate) fn limited(limits: Limits) -> Self {
        Self::within(limits, HttpConfig::default(), MemoryOptions::default())
    }

    pub(crate) fn with(config: HttpConfig, options: MemoryOptions) -> Self {
        Self::within(Limits::default(), config, options)
    }

    fn within(limits: Limits, config: HttpConfig, options: MemoryOptions) -> Self {
        let limits = Arc::new(LiveLimits::new(limits));
        let engine: Arc<dyn Engine> = Arc::new(MemoryEngine::new(Epoch::from_unix_micros(EPOCH_MICROS), options));
        let counters = Arc::new(Counters::default());
        let options = FanoutOptions { shards: 1, limits: Arc::clone(&limits), ..FanoutOptions::default() };
        let fanout = Fanout::start(&engine, &counters, &options).expect("the system has a thread for a shard");
        let phase = Arc::default();
        let (auth, active) = (Auth::default(), Arc::default());
        let fanout_handle = fanout.handle().clone();
        let state = Arc::new(HttpState {
            engine,
            fanout: fanout_handle,
            counters,
            phase,
            auth,
            active,
            tls: None,
            streams: StreamShares::default(),
            publishers: Publishers::default(),
            incoming: Arc::default(),
            dripping: Dripping::default(),
            limits,
            config,
        });
        state.phase.advance(Phase::Ready);
        Self { state, _fanout: fanout }
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Response {
        let router = tidings_http::router(Arc::clone(&self.state));
        let Ok(response) = router.oneshot(request).await;
        response
    }

    /// A request from this machine, answered to its end.
    pub(crate) async fn ask(
        &self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: impl Into<Body>,
    ) -> Answer {
        let response = self.send(request(method, target, headers, body)).await;
        let (parts, body) = response.into_parts();
        let body =
            timeout(PATIENCE, body.collect()).await.expect("the answer ends").expect("bodies of these tests are whole");
        let text = String::from_utf8(body.to_bytes().to_vec()).expect("all answers are UTF-8");
        Answer { status: parts.status, headers: parts.headers, text }
    }

    pub(crate) async fn post(&self, target: &str, data: &str) -> Answer {
        self.ask("POST", target, &[], data.to_owned()).await
    }

    /// Publishes, and answers the id.
    pub(crate) async fn publish(&self, target: &str, data: &str) -> String {
        let answer = self.post(target, data).await;
        assert_eq!(answer.status, StatusCode::OK, "{target}: {}", answer.text);
        answer.json()["id"].as_str().expect("an id").to_owned()
    }

    pub(crate) async fn listen(&self, target: &str, headers: &[(&str, &str)]) -> Stream {
        let response = self.send(request("GET", target, headers, Body::empty())).await;
        let (parts, body) = response.into_parts();
        Stream { status: parts.status, headers: parts.headers, body, read: String::new() }
    }

    /// Asks, and expects a problem with this status and this field.
    pub(crate) async fn refuses(&self, method: &str, target: &str, headers: &[(&str, &str)], status: u16, field: &str) {
        let answer = self.ask(method, target, headers, "x").await;
        let context = format!("{method} {target} {headers:?}: {answer:?}");
        assert_eq!(answer.status.as_u16(), status, "{context}");
        assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{context}");
        let problem = answer.json();
        assert_eq!((&problem["status"], &problem["field"]), (&status.into(), &field.into()), "{context}");
        for key in ["type", "title", "detail", "expected"] {
            assert!(problem[key].as_str().is_some_and(|text| !text.is_empty()), "no {key}: {context}");
        }
    }
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().expect("ASCII"))
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error} in {:?}", self.text))
    }

    /// Each line as JSON.
    pub(crate) fn lines(&self) -> Vec<serde_json::Value> {
        self.text.lines().map(|line| serde_json::from_str(line).expect("each line is JSON")).collect()
    }
}

impl Stream {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().expect("ASCII"))
    }

    /// The head of the stream (`retry` and a comment), which must be there, is taken off.
    pub(crate) async fn opened(mut self) -> Self {
        while !self.read.contains("\n:\n") {
            self.read_on().await;
        }
        let (head, rest) = self.read.split_once("\n:\n").expect("it was waited for");
        let retry: u64 = head.strip_prefix("retry: ").and_then(|ms| ms.parse().ok()).expect("a retry line and no more");
        assert!((1500..=2500).contains(&retry), "{retry}");
        self.read = rest.to_owned();
        self
    }

    /// The next frame, without its blank line.
    pub(crate) async fn frame(&mut self) -> String {
        loop {
            if let Some(len) = self.read.find("\n\n") {
                let frame: String = self.read.drain(..len + 2).collect();
                return frame.trim_end_matches("\n\n").to_owned();
            }
            self.read_on().await;
        }
    }

    /// All that is left, up to the end of the stream.
    pub(crate) async fn rest(mut self) -> String {
        let rest = timeout(PATIENCE, self.body.collect()).await.expect("the stream ends").expect("a whole body");
        self.read.push_str(&String::from_utf8_lossy(&rest.to_bytes()));
        self.read
    }

    async fn read_on(&mut self) {
        let frame = timeout(PATIENCE, self.body.frame()).await;
        let frame = frame.unwrap_or_else(|_| panic!("nothing more came after {:?}", self.read));
        let bytes: Bytes = frame.expect("the stream goes on").expect("a whole body").into_data().expect("no trailers");
        self.read.push_str(std::str::from_utf8(&bytes).expect("our events are UTF-8"));
    }
}

pub(crate) fn request(method: &str, target: &str, headers: &[(&str, &str)], body: impl Into<Body>) -> Request<Body> {
    let mut request = Request::builder().method(method).uri(target);
    if !headers.iter().any(|(name, _)| *name == "host") {
        request = request.header("host", "localhost:3000");
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(body.into()).expect("the tests write good requests")
}

/// The id of the event that was published as number `sequence`.
pub(crate) fn position(sequence: u64) -> String {
    format!("{}-{sequence}", Epoch::from_unix_micros(EPOCH_MICROS))
}
