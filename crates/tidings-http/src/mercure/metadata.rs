//! What an OAuth client has to know to get a token for this hub. (RFC 9728)

use axum::body::Body;
use axum::response::Response;
use http::HeaderValue;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::request::Parts;
use serde::Serialize;

use crate::mercure::place::resource;
use crate::state::HttpState;

/// The document, as of this request: its address may be the hub's name.
pub(super) fn answer(state: &HttpState, parts: &Parts) -> Response {
    let document = Document {
        resource: resource(&state.config, parts),
        bearer_methods_supported: ["header"],
        authorization_servers: &state.config.mercure.issuers,
        authorization_details_types_supported: ["https://mercure.rocks/authorization-detail"],
        mercure_cookie: "__Secure-mercure_access_token",
        mercure_subscriptions: state.config.mercure.subscriptions,
        mercure_matcher_types_supported: ["exact", "urlpattern"],
    };
    let json = serde_json::to_vec(&document).expect("texts are always JSON");
    let mut response = Response::new(Body::from(json));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    // It may be asked for by another name of the hub next.
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

#[derive(Serialize)]
struct Document<'a> {
    resource: String,
    bearer_methods_supported: [&'static str; 1],
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    authorization_servers: &'a [String],
    authorization_details_types_supported: [&'static str; 1],
    mercure_cookie: &'static str,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    mercure_subscriptions: bool,
    mercure_matcher_types_supported: [&'static str; 2],
}
