//! Whoever watches the hub: asks once a second for its metrics and its health, and keeps the curve.

use std::net::SocketAddr;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use super::stage::Stage;
use crate::http::request;
use crate::hub::Metrics;

/// What the hub said of itself at some time.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sample {
    /// Since the beginning.
    pub(super) at: Duration,
    pub(super) resident_bytes: f64,
    pub(super) descriptors: f64,
    pub(super) threads: f64,
    pub(super) connections: f64,
}

/// Watches until it is told to stop.
///
/// # Panics
/// When the hub does not say that it is alive and ready, on each of its listeners.
pub(super) fn watch_until_stopped(stage: &Stage, began: Instant, stop: &Receiver<()>) -> Vec<Sample> {
    let mut curve = vec![Sample::of(&stage.hub.metrics(), began)];
    while stop.recv_timeout(EVERY) == Err(RecvTimeoutError::Timeout) {
        expect_well(stage.hub.address());
        expect_well(stage.hub.admin_address());
        curve.push(Sample::of(&stage.hub.metrics(), began));
    }
    curve
}

fn expect_well(listener: SocketAddr) {
    for target in ["/healthz", "/readyz"] {
        let response = request(listener, "GET", target, &[], b"");
        assert_eq!(response.status, 200, "{target}: {}", response.text());
    }
}

impl Sample {
    fn of(metrics: &Metrics, began: Instant) -> Self {
        Self {
            at: began.elapsed(),
            resident_bytes: metrics.value("process_resident_memory_bytes"),
            descriptors: metrics.value("process_open_fds"),
            threads: metrics.value("process_threads"),
            connections: metrics.value("tidings_connections"),
        }
    }
}

const EVERY: Duration = Duration::from_secs(1);
