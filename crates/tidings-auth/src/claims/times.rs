//! From when until when a token is good: `nbf` and `exp`, in seconds since 1970 that may have a fraction.

use std::time::Duration;

use serde_json::{Map, Value};
use tidings_core::Timestamp;

use crate::error::TokenError;
use crate::jws::wrong_type;

/// Checks that a token is good at `now`; says when it ends, the leeway included.
///
/// # Errors
/// [`TokenError::Expired`] from the very instant of `exp`, [`TokenError::NotYet`] before `nbf`.
pub(super) fn check(
    claims: &Map<String, Value>,
    leeway: Duration,
    now: Timestamp,
) -> Result<Option<Timestamp>, TokenError> {
    let expires_at = instant(claims, "exp")?.map(|exp| exp.saturating_add(leeway));
    if let Some(end) = expires_at.filter(|end| now >= *end) {
        return Err(TokenError::Expired { ago: now.since(end.saturating_sub(leeway)) });
    }
    if let Some(start) = instant(claims, "nbf")?.filter(|start| now.saturating_add(leeway) < *start) {
        return Err(TokenError::NotYet { wait: start.since(now) });
    }
    Ok(expires_at)
}

fn instant(claims: &Map<String, Value>, name: &str) -> Result<Option<Timestamp>, TokenError> {
    let Some(value) = claims.get(name) else { return Ok(None) };
    let expected = "a number of seconds since 1970";
    let Value::Number(number) = value else { return Err(wrong_type(name, value, expected)) };
    let ms = if let Some(seconds) = number.as_u64() {
        seconds.saturating_mul(1000)
    } else {
        millis(number.as_f64().unwrap_or_default())
    };
    Ok(Some(Timestamp::from_millis(ms)))
}

/// Before 1970 is 1970, and what is beyond the end of time its end.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a cast of a float stays at the bounds of the integer"
)]
fn millis(seconds: f64) -> u64 {
    (seconds * 1000.0) as u64
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const NOW: u64 = 1_000_000;

    /// The claims, the leeway in seconds, and what comes of it at second 1,000.
    fn check_at_1000(claims: Value, leeway: u64) -> Result<Option<u64>, String> {
        let Value::Object(claims) = claims else { panic!("an object") };
        let end = check(&claims, Duration::from_secs(leeway), Timestamp::from_millis(NOW));
        end.map(|end| end.map(Timestamp::as_millis)).map_err(|error| error.to_string())
    }

    #[test]
    fn a_token_is_good_from_nbf_until_just_before_exp() {
        for (claims, leeway, want) in [
            (json!({}), 0, Ok(None)),
            (json!({"exp": 1001}), 0, Ok(Some(1_001_000))),
            (json!({"exp": 1000.001}), 0, Ok(Some(1_000_001))),
            (json!({"exp": 1000}), 0, Err("token expired less than a second ago (exp)")),
            (json!({"exp": 1000}), 1, Ok(Some(1_001_000))),
            (json!({"exp": 999}), 1, Err("token expired 1 s ago (exp)")),
            (json!({"exp": 820}), 0, Err("token expired 3 min ago (exp)")),
            (json!({"exp": 0}), 0, Err("token expired 16 min ago (exp)")),
            (json!({"exp": -5}), 0, Err("token expired 16 min ago (exp)")),
            (json!({"exp": u64::MAX}), 60, Ok(Some(u64::MAX))),
            (json!({"exp": 1e300}), 60, Ok(Some(u64::MAX))),
            (json!({"nbf": 1000}), 0, Ok(None)),
            (json!({"nbf": 1000.5}), 0, Err("token is not valid yet, but in less than a second (nbf)")),
            (json!({"nbf": 1060}), 59, Err("token is not valid yet, but in 1 min (nbf)")),
            (json!({"nbf": 1060}), 60, Ok(None)),
            (json!({"exp": "1001"}), 0, Err("claim exp that is a string; expected a number")),
            (json!({"exp": null}), 0, Err("claim exp that is null; expected a number")),
            (json!({"nbf": []}), 0, Err("claim nbf that is an array; expected a number")),
        ] {
            let got = check_at_1000(claims.clone(), leeway);
            match (&got, want) {
                (Ok(got), Ok(want)) => assert_eq!(*got, want, "{claims}"),
                (Err(got), Err(want)) => assert!(got.contains(want), "{claims}: {got}, want {want}"),
                (got, want) => panic!("{claims}: {got:?}, want {want:?}"),
            }
        }
    }
}
