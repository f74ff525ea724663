//! A test service round this client, for contract tests that drive one over HTTP and are called back.
//!
//! `cargo run --release -p tidings-client --example contract_service -- --port 8000`
//!
//! `GET /` tells what it can do, `POST /` opens a stream and answers with its `Location`, `POST` there gives it a
//! command, `DELETE` there closes it, `DELETE /` ends the service. What a stream hears goes to the `callbackUrl` as
//! numbered POSTs: `event`, `comment` and `error`.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program for the terminal")]

use std::collections::HashMap;
use std::convert::Infallible;
use std::error::Error;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST, LOCATION};
use http::{Method, Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::SendRequest;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tidings_client::{EventSource, Lost, Raw};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, mpsc};

const CAPABILITIES: [&str; 9] = [
    "bom",
    "comments",
    "headers",
    "last-event-id",
    "post",
    "read-timeout",
    "report",
    "restart",
    "server-directed-shutdown-request",
];

type Failure = Box<dyn Error + Send + Sync>;

#[tokio::main]
async fn main() -> ExitCode {
    let port = match parse_port(std::env::args().skip(1)) {
        Ok(port) => port,
        Err(fault) => {
            eprintln!("{fault}\nusage: contract_service [--port N]");
            return ExitCode::from(2);
        }
    };
    match serve(port).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn parse_port(mut arguments: impl Iterator<Item = String>) -> Result<u16, String> {
    let mut port = 8000;
    while let Some(argument) = arguments.next() {
        let value = match argument.split_once('=') {
            Some(("--port", value)) => value.to_owned(),
            None if argument == "--port" => arguments.next().ok_or("--port has no value; expected a number")?,
            _ => return Err(format!("{argument:?} is no flag; expected --port")),
        };
        port = value.parse().map_err(|_| format!("--port is {value:?}; expected a number up to 65535"))?;
    }
    Ok(port)
}

async fn serve(port: u16) -> Result<(), Failure> {
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    println!("listening on http://{}", listener.local_addr()?);
    let service = Arc::new(Service::default());
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = service.stop.notified() => return Ok(()),
        };
        let Ok((socket, _)) = accepted else { continue };
        let service = Arc::clone(&service);
        tokio::spawn(async move {
            let answer = service_fn(|request| {
                let service = Arc::clone(&service);
                async move { Ok::<_, Infallible>(service.answer(request).await) }
            });
            let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(socket), answer).await;
            if service.is_stopping() {
                service.stop.notify_one(); // after the answer went out
            }
        });
    }
}

#[derive(Default)]
struct Service {
    streams: Mutex<Streams>,
    stop: Notify,
}

#[derive(Default)]
struct Streams {
    opened: u64,
    running: HashMap<u64, mpsc::Sender<Command>>,
    is_stopping: bool,
}

/// What a stream is told. A dropped sender closes it.
enum Command {
    Restart,
}

impl Service {
    async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let (parts, body) = request.into_parts();
        let Ok(body) = body.collect().await else { return plain(StatusCode::BAD_REQUEST, "the body broke off") };
        let body = body.to_bytes();
        let stream = parts.uri.path().strip_prefix("/streams/").map(str::parse::<u64>);
        match (parts.method.as_str(), parts.uri.path(), stream) {
            ("GET", "/", _) => {
                let body = json!({"name": "tidings-client", "capabilities": CAPABILITIES}).to_string();
                let mut response = plain(StatusCode::OK, &body);
                response.headers_mut().insert(CONTENT_TYPE, http::HeaderValue::from_static("application/json"));
                response
            }
            ("DELETE", "/", _) => {
                self.lock().is_stopping = true;
                let mut response = plain(StatusCode::NO_CONTENT, "");
                response.headers_mut().insert(http::header::CONNECTION, http::HeaderValue::from_static("close"));
                response
            }
            ("POST", "/", _) => self.open(&body),
            ("POST", _, Some(Ok(id))) => self.command(id, &body).await,
            ("DELETE", _, Some(Ok(id))) => match self.lock().running.remove(&id) {
                Some(_) => plain(StatusCode::NO_CONTENT, ""),
                None => plain(StatusCode::NOT_FOUND, "no such stream"),
            },
            _ => plain(StatusCode::NOT_FOUND, "nothing is here"),
        }
    }

    fn open(&self, body: &[u8]) -> Response<Full<Bytes>> {
        let parsed = serde_json::from_slice(body).map_err(Failure::from).and_then(|asked: Value| {
            let callbacks = Callbacks::parse(text(&asked, "callbackUrl").ok_or("callbackUrl is missing")?)?;
            Ok((build(&asked)?, callbacks))
        });
        let (source, callbacks) = match parsed {
            Ok(parsed) => parsed,
            Err(fault) => return plain(StatusCode::BAD_REQUEST, &fault.to_string()),
        };
        let (sender, commands) = mpsc::channel(16); // more than any test sends; beyond it the sender waits
        let mut streams = self.lock();
        streams.opened += 1;
        let id = streams.opened;
        streams.running.insert(id, sender);
        tokio::spawn(async move {
            if let Err(error) = follow(source, callbacks, commands).await {
                eprintln!("stream {id}: {error}");
            }
        });
        let mut response = plain(StatusCode::CREATED, "");
        if let Ok(location) = format!("/streams/{id}").parse() {
            response.headers_mut().insert(LOCATION, location);
        }
        response
    }

    async fn command(&self, id: u64, body: &[u8]) -> Response<Full<Bytes>> {
        let Some(sender) = self.lock().running.get(&id).cloned() else {
            return plain(StatusCode::NOT_FOUND, "no such stream");
        };
        let told: Value = serde_json::from_slice(body).unwrap_or_default();
        match text(&told, "command") {
            Some("restart") => {
                let _ = sender.send(Command::Restart).await; // a stream that has ended has nothing to restart
                plain(StatusCode::ACCEPTED, "")
            }
            other => plain(StatusCode::BAD_REQUEST, &format!("command is {other:?}; expected \"restart\"")),
        }
    }

    fn is_stopping(&self) -> bool {
        self.lock().is_stopping
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Streams> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn build(asked: &Value) -> Result<EventSource, Failure> {
    let url = text(asked, "streamUrl").ok_or("streamUrl is missing")?;
    let method = Method::from_bytes(text(asked, "method").unwrap_or("GET").to_uppercase().as_bytes())?;
    let mut builder = EventSource::with_method(method, url).no_proxy();
    for (name, value) in asked.get("headers").and_then(Value::as_object).into_iter().flatten() {
        builder = builder.header(name, value.as_str().ok_or("a header is no text")?);
    }
    if let Some(body) = text(asked, "body") {
        builder = builder.body(body.to_owned());
    }
    if let Some(id) = text(asked, "lastEventId") {
        builder = builder.last_event_id(id);
    }
    if let Some(ms) = asked.get("initialDelayMs").and_then(Value::as_u64) {
        builder = builder.retry(Duration::from_millis(ms));
    }
    if let Some(ms) = asked.get("readTimeoutMs").and_then(Value::as_u64) {
        builder = builder.idle_timeout(Duration::from_millis(ms));
    }
    Ok(builder.build()?)
}

/// Tells of all that a stream hears until it is closed or over.
async fn follow(
    mut source: EventSource,
    mut callbacks: Callbacks,
    mut commands: mpsc::Receiver<Command>,
) -> Result<(), Failure> {
    loop {
        let heard = tokio::select! {
            heard = source.next_raw() => heard,
            command = commands.recv() => match command {
                Some(Command::Restart) => {
                    source.reconnect();
                    continue;
                }
                None => return Ok(()),
            },
        };
        let message = match heard {
            None => break,
            Some(Ok(Raw::Event(event))) => json!({"kind": "event", "event": {
                "type": event.event_type, "data": event.data, "id": event.last_event_id,
            }}),
            Some(Ok(Raw::Comment(comment))) => json!({"kind": "comment", "comment": comment}),
            // The others are what the standard recovers from without a word.
            Some(Ok(Raw::Lost { cause: cause @ Lost::Silence { .. }, .. })) => describe(&cause),
            Some(Ok(_)) => continue,
            Some(Err(error)) => describe(&error),
        };
        callbacks.post(message.to_string()).await?;
    }
    // It is over, but not closed: the harness may still ask for it.
    while commands.recv().await.is_some() {}
    Ok(())
}

fn describe(error: &dyn Error) -> Value {
    json!({"kind": "error", "error": error.to_string(), "comment": error.to_string()})
}

/// POSTs one message after another, numbered from 1 without gaps.
struct Callbacks {
    url: Uri,
    authority: String,
    posted: u64,
    connection: Option<SendRequest<Full<Bytes>>>,
}

impl Callbacks {
    fn parse(url: &str) -> Result<Self, Failure> {
        let url: Uri = url.trim_end_matches('/').parse()?;
        let authority = url.authority().ok_or("callbackUrl has no host")?.as_str().to_owned();
        Ok(Self { url, authority, posted: 0, connection: None })
    }

    async fn post(&mut self, message: String) -> Result<(), Failure> {
        self.posted += 1;
        let message = Bytes::from(message);
        // Once more: a kept connection may have been closed meanwhile.
        if self.try_post(message.clone()).await.is_err() {
            self.connection = None;
            self.try_post(message).await?;
        }
        Ok(())
    }

    async fn try_post(&mut self, message: Bytes) -> Result<(), Failure> {
        let mut sender = match self.connection.take().filter(|sender| !sender.is_closed()) {
            Some(sender) => sender,
            None => self.connect().await?,
        };
        let request = Request::post(format!("{}/{}", self.url.path().trim_end_matches('/'), self.posted))
            .header(HOST, &self.authority)
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(message))?;
        sender.ready().await?;
        let response = sender.send_request(request).await?;
        let status = response.status();
        response.into_body().collect().await?;
        self.connection = Some(sender);
        if status.is_success() { Ok(()) } else { Err(format!("callback {} was answered {status}", self.posted).into()) }
    }

    async fn connect(&self) -> Result<SendRequest<Full<Bytes>>, Failure> {
        let host = self.url.host().unwrap_or_default().trim_matches(['[', ']']);
        let socket = TcpStream::connect((host, self.url.port_u16().unwrap_or(80))).await?;
        socket.set_nodelay(true)?;
        let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(socket)).await?;
        tokio::spawn(connection);
        Ok(sender)
    }
}

fn text<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
    value.get(name).and_then(Value::as_str)
}

fn plain(status: StatusCode, body: &str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body.to_owned())));
    *response.status_mut() = status;
    response
}
