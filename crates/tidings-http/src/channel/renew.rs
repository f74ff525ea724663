//! `POST /renew/NAME`: a stream goes on with a fresh token. Its reader alone was told the name, by `tidings.expiring`.

use axum::response::Response;
use http::StatusCode;
use http::request::Parts;
use serde::Serialize;
use tidings_auth::Action;

use crate::auth::{AuthProblem, Endpoint, RENEW_PATH, Renewed, authenticate};
use crate::channel::tickets::json;
use crate::problem::{Fault, Problem};
use crate::state::HttpState;
use crate::time_text::rfc_3339;

/// Answers when the stream ends now.
pub(crate) async fn renew(state: &HttpState, parts: &Parts) -> Result<Response, Problem> {
    let caller = authenticate(state, parts, Action::Subscribe, Endpoint::Plain).await?;
    let name = parts.uri.path().strip_prefix(RENEW_PATH).and_then(|name| name.parse().ok());
    let name = name.ok_or(Problem::NoSuchStream)?;
    let Some(fresh) = caller.identity() else {
        // At a hub that is open to all no stream has a token that could be followed by another.
        if state.config.access.is_open {
            return Err(Problem::NoSuchStream);
        }
        return Err(AuthProblem::NoToken { action: Action::Subscribe, has_key: true }.into());
    };
    let ticket = match state.auth.renewals.renew(&name, fresh) {
        Renewed::Done { ticket } => ticket,
        Renewed::Unknown => return Err(Problem::NoSuchStream),
        Renewed::OtherSubject => {
            let detail = "the token is of another subject (sub) than that of the stream";
            return Err(Problem::Renewal(Fault::new("authorization", detail, "a fresh token of the same subject")));
        }
        Renewed::Wider => {
            let detail = "the token grants more than that of the stream, and a stream's rights never grow";
            return Err(Problem::Renewal(Fault::new("authorization", detail, "the same grants or fewer")));
        }
    };
    if let Some(ticket) = ticket {
        state.auth.tickets().renew(&ticket, fresh.as_ref().clone(), state.now());
    }
    Ok(json(StatusCode::OK, &Answer { expires: fresh.expires_at.map(rfc_3339) }))
}

/// Until when the stream goes on; `null`: for ever.
#[derive(Serialize)]
struct Answer {
    expires: Option<String>,
}
