//! Which room a request is for. Every request passes the guard (but for health) and gets its CORS headers here or in
//! `channel::prepare`, and nowhere else.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, HttpBody as _};
use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::any;
use http::Method;
use http::header::EXPECT;
use http::request::Parts;
use http_body_util::BodyExt as _;

use crate::admin::{health, readiness};
use crate::auth::RENEW_PATH;
use crate::channel;
use crate::channel::Prepared;
use crate::page::Asset;
use crate::problem::Problem;
use crate::respond::Refused;
use crate::state::HttpState;
use crate::{cors, guard, mercure, respond};

/// The hub as part of an axum program: nest it under any path, or serve it as it is.
pub fn router(state: Arc<HttpState>) -> Router {
    // Each path leads to the same answer, which looks at the request's own target: a topic is decoded by us, strictly.
    let paths =
        ["/events", "/events/", "/events/{*topic}", "/", "/page.css", "/page.js", "/icon.svg", "/healthz", "/readyz"];
    let routes = paths.into_iter().fold(Router::new(), |router, path| router.route(path, any(enter)));
    routes.fallback(enter).with_state(state)
}

/// Answers one request to the hub, without a router.
pub async fn answer(state: &Arc<HttpState>, request: Request) -> Response {
    let response = answer_uncounted(state, request).await;
    respond::count(&state.counters, &response);
    response
}

async fn answer_uncounted(state: &Arc<HttpState>, request: Request) -> Response {
    let (parts, mut body) = request.into_parts();
    let room = Room::of(parts.uri.path());
    if room == Room::Channel && matches!(parts.method, Method::GET | Method::HEAD) {
        return channel::subscribe(state, &parts).await; // it has the guard and CORS within, for both ways out
    }
    if room == Room::Mercure {
        let response = mercure::answer(state, &parts, &mut body).await; // it has both within too, in its own words
        if response.extensions().get::<Refused>().is_some() {
            linger(&parts, body);
        }
        return response;
    }
    let mut response = match in_room(state, room, &parts, &mut body).await {
        Ok(response) => response,
        Err(problem) => {
            linger(&parts, body);
            problem.answer(parts.version)
        }
    };
    cors::apply(&state.config.cors, &parts.headers, response.headers_mut());
    response
}

/// Is `path` one of a plain channel: `/events`, or below it?
pub(crate) fn is_channel_path(path: &str) -> bool {
    Room::of(path) == Room::Channel
}

/// Is `path` one whose GET is for a stream: of a plain channel, or the Mercure hub's?
pub fn is_stream_path(path: &str) -> bool {
    Room::of(path) == Room::Channel || mercure::is_hub_path(path)
}

/// Decides about a request for a stream: guard, CORS, token, topics, the place to go on from, the first bytes. Needs no
/// body. An answer that is not sent leaves no trace: ask again when and where it is. (But with active subscriptions on, a
/// Mercure subscriber is announced here, and it must be asked within a Tokio runtime.)
///
/// `parts` are those of a GET or a HEAD to a path of [`is_stream_path`].
pub async fn prepare(state: &HttpState, parts: &Parts) -> Prepared {
    if mercure::is_hub_path(parts.uri.path()) {
        mercure::prepare(state, parts).await
    } else {
        channel::prepare(state, parts).await
    }
}

async fn enter(State(state): State<Arc<HttpState>>, request: Request) -> Response {
    answer(&state, request).await
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Room {
    Channel,
    Mercure,
    Tickets,
    Renewal,
    Page(Asset),
    Health,
    Readiness,
    Nowhere,
}

impl Room {
    fn of(path: &str) -> Self {
        match path {
            "/" => Self::Page(Asset::Index),
            "/page.css" => Self::Page(Asset::Style),
            "/page.js" => Self::Page(Asset::Script),
            "/icon.svg" => Self::Page(Asset::Icon),
            "/tidings.js" => Self::Page(Asset::Helper),
            "/tidings.d.ts" => Self::Page(Asset::HelperTypes),
            "/healthz" => Self::Health,
            "/readyz" => Self::Readiness,
            "/tickets" => Self::Tickets,
            _ if path.starts_with(RENEW_PATH) => Self::Renewal,
            _ if path.strip_prefix("/events").is_some_and(|rest| rest.is_empty() || rest.starts_with('/')) => {
                Self::Channel
            }
            _ if mercure::is_mercure_path(path) => Self::Mercure,
            _ => Self::Nowhere,
        }
    }

    fn allow(self) -> &'static str {
        match self {
            Self::Channel => "GET, HEAD, POST, DELETE, OPTIONS",
            Self::Tickets | Self::Renewal => "POST, OPTIONS",
            _ => "GET, HEAD, OPTIONS",
        }
    }
}

async fn in_room(state: &Arc<HttpState>, room: Room, parts: &Parts, body: &mut Body) -> Result<Response, Problem> {
    // A probe asks by an address, often through a proxy, and is told nothing that is worth a guard.
    if !matches!(room, Room::Health | Room::Readiness) {
        guard::check(parts, &state.config)?;
    }
    if room == Room::Nowhere {
        return Err(Problem::NoSuchPath { path: parts.uri.path().to_owned() });
    }
    match (room, &parts.method) {
        (_, &Method::OPTIONS) => Ok(cors::preflight(&state.config.cors, &parts.headers, room.allow())),
        (Room::Channel, &Method::POST) => channel::publish(state, parts, body).await,
        (Room::Channel, &Method::DELETE) => channel::delete(state, parts).await,
        (Room::Tickets, &Method::POST) => channel::issue_ticket(state, parts, body).await,
        (Room::Renewal, &Method::POST) => channel::renew(state, parts).await,
        (Room::Page(asset), &Method::GET | &Method::HEAD) => Ok(asset.answer(&parts.headers)),
        (Room::Health, &Method::GET | &Method::HEAD) => Ok(health()),
        (Room::Readiness, &Method::GET | &Method::HEAD) => Ok(readiness(state)),
        (room, method) => Err(Problem::Method { method: method.clone(), allow: room.allow() }),
    }
}

/// Goes on to read a refused request for a while: were the connection closed on a client that still sends, it would see
/// a broken connection and never the answer. (RFC 9112, 9.6)
fn linger(parts: &Parts, mut body: Body) {
    // Whoever expects a 100 has not begun to send, and reading would ask for it.
    if body.is_end_stream() || parts.headers.contains_key(EXPECT) {
        return;
    }
    tokio::spawn(tokio::time::timeout(LINGER_MAX, async move {
        let mut left = LINGER_BYTES_MAX;
        while let Some(Ok(frame)) = body.frame().await {
            let len = frame.data_ref().map_or(0, |data| data.len() as u64);
            match left.checked_sub(len) {
                Some(less) => left = less,
                None => return,
            }
        }
    }));
}

/// How long, and how far, the rest of a refused request is read.
const LINGER_MAX: Duration = Duration::from_secs(5);
const LINGER_BYTES_MAX: u64 = 64 * 1024 * 1024;
