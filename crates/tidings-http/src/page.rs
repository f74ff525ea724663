//! The page at `/` and the browser helper: files that are part of the program, and how a browser is to treat them.

use axum::body::Body;
use axum::response::Response;
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, HeaderName, IF_NONE_MATCH, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderValue, StatusCode};

/// One file of the page, or of the helper for other pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asset {
    Index,
    Style,
    Script,
    Icon,
    Helper,
    HelperTypes,
    Top,
    TopStyle,
    TopScript,
}

impl Asset {
    /// The file, or 304 for a browser that has it already. To HEAD the HTTP library sends no body.
    pub(crate) fn answer(self, request: &HeaderMap) -> Response {
        let (text, content_type, etag) = match self {
            Self::Index => (INDEX, "text/html; charset=utf-8", const { Etag::of(INDEX) }),
            Self::Style => (STYLE, "text/css; charset=utf-8", const { Etag::of(STYLE) }),
            Self::Script => (SCRIPT, "text/javascript; charset=utf-8", const { Etag::of(SCRIPT) }),
            Self::Icon => (ICON, "image/svg+xml", const { Etag::of(ICON) }),
            Self::Helper => (HELPER, "text/javascript; charset=utf-8", const { Etag::of(HELPER) }),
            Self::HelperTypes => (HELPER_TYPES, "text/plain; charset=utf-8", const { Etag::of(HELPER_TYPES) }),
            Self::Top => (TOP, "text/html; charset=utf-8", const { Etag::of(TOP) }),
            Self::TopStyle => (TOP_STYLE, "text/css; charset=utf-8", const { Etag::of(TOP_STYLE) }),
            Self::TopScript => (TOP_SCRIPT, "text/javascript; charset=utf-8", const { Etag::of(TOP_SCRIPT) }),
        };
        let etag = etag.to_header();
        let is_known = request.get(IF_NONE_MATCH).is_some_and(|known| names(known, &etag));
        let mut response = if is_known { Response::new(Body::empty()) } else { Response::new(Body::from(text)) };
        if is_known {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
        }
        let headers = response.headers_mut();
        headers.insert(ETAG, etag);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache")); // ask each time: a new program has a new page
        headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(self.policy()));
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
        headers.insert(CROSS_ORIGIN_RESOURCE_POLICY, HeaderValue::from_static("same-origin"));
        response
    }

    /// A worker goes by the policy of its own file, and a page's helper may talk to a hub of another origin.
    fn policy(self) -> &'static str {
        match self {
            Self::Helper => HELPER_POLICY,
            _ => POLICY,
        }
    }
}

const INDEX: &str = include_str!("../page/index.html");
const STYLE: &str = include_str!("../page/page.css");
const SCRIPT: &str = include_str!("../page/page.js");
const ICON: &str = include_str!("../page/icon.svg");
const HELPER: &str = include_str!("../page/tidings.js");
const HELPER_TYPES: &str = include_str!("../page/tidings.d.ts");
const TOP: &str = include_str!("../page/top.html");
const TOP_STYLE: &str = include_str!("../page/top.css");
const TOP_SCRIPT: &str = include_str!("../page/top.js");

/// Only what comes from here runs, and it talks to nobody else.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const HELPER_POLICY: &str = "default-src 'none'; connect-src *";

const CROSS_ORIGIN_RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// A fingerprint of a file (FNV-1a), made by the compiler.
#[derive(Clone, Copy)]
struct Etag(u64);

impl Etag {
    const fn of(text: &str) -> Self {
        let bytes = text.as_bytes();
        let (mut hash, mut at) = (0xcbf2_9ce4_8422_2325_u64, 0);
        while at < bytes.len() {
            hash = (hash ^ bytes[at] as u64).wrapping_mul(0x0100_0000_01b3);
            at += 1;
        }
        Self(hash)
    }

    fn to_header(self) -> HeaderValue {
        HeaderValue::from_str(&format!("\"{:016x}\"", self.0)).expect("hex digits in quotes")
    }
}

fn names(known: &HeaderValue, etag: &HeaderValue) -> bool {
    let tags = known.as_bytes().split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
    let mut bare = tags.map(|tag| tag.strip_prefix(b"W/").unwrap_or(tag));
    bare.any(|tag| tag == b"*" || tag == etag.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browser_that_has_the_file_is_told_so() {
        for asset in
            [Asset::Index, Asset::Style, Asset::Script, Asset::Icon, Asset::Helper, Asset::HelperTypes, Asset::Top]
        {
            let fresh = asset.answer(&HeaderMap::new());
            assert_eq!(fresh.status(), StatusCode::OK);
            let etag = fresh.headers().get(ETAG).expect("every file has one").clone();
            let weak =
                HeaderValue::from_str(&format!("\"x\", W/{}", etag.to_str().expect("ASCII"))).expect("a good header");
            for known in [etag, weak] {
                let again = asset.answer(&HeaderMap::from_iter([(IF_NONE_MATCH, known)]));
                assert_eq!(again.status(), StatusCode::NOT_MODIFIED, "{asset:?}");
            }
            let other = HeaderMap::from_iter([(IF_NONE_MATCH, HeaderValue::from_static("\"x\""))]);
            assert_eq!(asset.answer(&other).status(), StatusCode::OK);
        }
    }

    #[test]
    fn the_page_keeps_its_own_policy() {
        for forbidden in ["<style", "style=", "onclick=", "onload=", "javascript:", "http://", "https://"] {
            for (name, page) in [("index.html", INDEX), ("top.html", TOP)] {
                assert!(!page.contains(forbidden), "{name} has {forbidden}");
            }
        }
        for (page, script) in [(INDEX, "page.js"), (TOP, "top.js")] {
            let own = format!(r#"<script type="module" src="{script}">"#);
            assert!(page.contains(&own) && !page.replace(&own, "").contains("<script"), "an inline script");
        }
    }
}
