//! What operators and probes ask: is it alive, is it ready, what does it count.
//!
//! Reads the hub's counters; counts nothing itself.

mod health;
mod metrics;
mod process;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::get;

use crate::problem::Problem;
use crate::state::HttpState;

pub(crate) use health::{health, readiness};

/// The admin listener: `/metrics`, `/healthz` and `/readyz`. Neither guard nor CORS: it is off unless it is asked for.
pub fn admin_router(state: Arc<HttpState>) -> Router {
    Router::new()
        .route("/metrics", get(async |State(state): State<Arc<HttpState>>| metrics::answer(&state)))
        .route("/healthz", get(async || health()))
        .route("/mercure/health/{check}", get(mercure_health))
        .route("/mercure/health/{name}/{check}", get(mercure_health))
        .route("/readyz", get(async |State(state): State<Arc<HttpState>>| readiness(&state)))
        .method_not_allowed_fallback(wrong_method)
        .fallback(nowhere)
        .with_state(state)
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
    Problem::Method { method: request.method().clone(), allow: "GET, HEAD" }.answer(request.version())
}

async fn nowhere(request: Request) -> Response {
    Problem::NoSuchPath { path: request.uri().path().to_owned() }.answer(request.version())
}
