//! What operators and probes ask: is it alive, is it ready, what does it count, who is there.
//!
//! Reads the hub's counters; counts nothing itself.

mod ending;
mod exposition;
mod health;
mod metrics;
mod picture;
mod process;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::response::{Redirect, Response};
use axum::routing::{delete, get};
use http::HeaderMap;
use http::request::Parts;

use crate::page::Asset;
use crate::problem::Problem;
use crate::state::HttpState;

pub(crate) use health::{health, readiness};
pub use picture::{Connections, History, Picture, ProcessPicture, Rates, SessionPicture, TopicPicture, Totals};

/// The admin listener: `/metrics`, `/healthz`, `/readyz`, and the page `/top` but for its events, which somebody must
/// feed. Neither guard nor CORS: it is off unless it is asked for.
pub fn admin_router(state: Arc<HttpState>) -> Router {
    Router::new()
        .route("/metrics", get(async |State(state): State<Arc<HttpState>>| metrics::answer(&state)))
        .route("/healthz", get(async || health()))
        .route("/mercure/health/{check}", get(mercure_health))
        .route("/mercure/health/{name}/{check}", get(mercure_health))
        .route("/readyz", get(async |State(state): State<Arc<HttpState>>| readiness(&state)))
        .route("/", get(async || Redirect::temporary("/top")))
        .route("/top", get(async |headers: HeaderMap| Asset::Top.answer(&headers)))
        .route("/top.css", get(async |headers: HeaderMap| Asset::TopStyle.answer(&headers)))
        .route("/top.js", get(async |headers: HeaderMap| Asset::TopScript.answer(&headers)))
        .route("/icon.svg", get(async |headers: HeaderMap| Asset::Icon.answer(&headers)))
        .route("/top/sessions/{name}", delete(end_session))
        .route("/top/topics", delete(end_topic))
        .route("/top/topics/{*topic}", delete(end_topic))
        .method_not_allowed_fallback(wrong_method)
        .fallback(nowhere)
        .with_state(state)
}

async fn end_session(State(state): State<Arc<HttpState>>, parts: Parts) -> Response {
    ending::end_session(&state, &parts).await
}

async fn end_topic(State(state): State<Arc<HttpState>>, parts: Parts) -> Response {
    ending::end_topic(&state, &parts).await
}

/// As Mercure's hubs have it, under whatever name a hub is asked for.
async fn mercure_health(State(state): State<Arc<HttpState>>, request: Request) -> Response {
    match request.uri().path().rsplit('/').next() {
        Some("ready") => health::mercure_readiness(&state),
        Some("live") => health::mercure_health(),
        _ => nowhere(request).await,
    }
}

async fn wrong_method(request: Request) -> Response {
    let allow = if ending::is_its_path(request.uri().path()) { "DELETE" } else { "GET, HEAD" };
    Problem::Method { method: request.method().clone(), allow }.answer(request.version())
}

async fn nowhere(request: Request) -> Response {
    Problem::NoSuchPath { path: request.uri().path().to_owned() }.answer(request.version())
}
