//! A request's body read to its end: limited in length, in time, and by what all bodies may hold.

use std::sync::Arc;
use std::time::Instant;

use axum::body::{Body, HttpBody as _};
use http::request::Parts;
use http_body_util::BodyExt as _;

use crate::drip::DripWatch;
use crate::incoming::{Held, Incoming, NoRoom};
use crate::state::HttpState;

/// Why there is no whole body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BodyFault {
    /// It is longer than it may be.
    TooLarge,
    /// No byte came for too long, or too few while many bodies were held.
    Stalled,
    /// The connection broke off.
    BrokeOff,
    /// All bodies together hold as much as they may.
    NoRoom,
}

impl From<NoRoom> for BodyFault {
    fn from(_: NoRoom) -> Self {
        Self::NoRoom
    }
}

/// A body of at most `bytes_max` bytes, and what it holds of what all may hold: keep that for as long as the data.
pub(crate) async fn read_whole(
    state: &HttpState,
    parts: &Parts,
    body: &mut Body,
    bytes_max: usize,
) -> Result<(Vec<u8>, Held), BodyFault> {
    if body.size_hint().lower() > bytes_max as u64 {
        return Err(BodyFault::TooLarge);
    }
    let incoming: &Arc<Incoming> = &state.incoming;
    let (mut held, mut bytes, began) = (incoming.begin(), Vec::new(), Instant::now());
    let mut drips = DripWatch::begin(&state.dripping, parts);
    loop {
        let limits = state.limits();
        let next = tokio::time::timeout(limits.body_timeout, body.frame()).await;
        let Some(frame) = next.map_err(|_| BodyFault::Stalled)? else { return Ok((bytes, held)) };
        let Ok(data) = frame.map_err(|_| BodyFault::BrokeOff)?.into_data() else { continue };
        drips.take(data.len(), limits.body_timeout);
        if bytes.len() + data.len() > bytes_max {
            return Err(BodyFault::TooLarge);
        }
        // Who sends a byte now and then never stalls; but a place that others need is not held that way.
        if held.has_shared() && began.elapsed() >= limits.body_timeout && incoming.is_crowded(limits.incoming_bytes_max)
        {
            return Err(BodyFault::Stalled);
        }
        held.push(&mut bytes, &data, bytes_max, limits.incoming_bytes_max)?;
    }
}
