//! What can be wrong with a request, and with whom the fault lies. With which status that is answered stands in `respond`.

use std::borrow::Cow;
use std::time::Duration;

use http::Method;
use tidings_core::rate::TooFast;
use tidings_core::{AppendError, EngineError, Limit};

use crate::auth::AuthProblem;

/// What a request said wrong: where, what, and what would have been right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    /// The parameter, header or key at fault; `body` and `topic` for these.
    pub(crate) field: Cow<'static, str>,
    /// What came, cut to [`VALUE_BYTES_MAX`].
    pub(crate) value: Option<String>,
    /// What is wrong with it.
    pub(crate) detail: Cow<'static, str>,
    /// What would have been right.
    pub(crate) expected: Cow<'static, str>,
    /// The limit that it is over, if that is the fault.
    pub(crate) limit: Option<Limit>,
}

impl Fault {
    /// A fault in `field`, whose value needs no repeating.
    pub(crate) fn new(
        field: impl Into<Cow<'static, str>>,
        detail: impl Into<Cow<'static, str>>,
        expected: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self { field: field.into(), value: None, detail: detail.into(), expected: expected.into(), limit: None }
    }

    /// The same fault: it is over this limit.
    pub(crate) fn over(self, limit: Limit) -> Self {
        Self { limit: Some(limit), ..self }
    }

    /// The same fault, with the value that came.
    pub(crate) fn with_value(self, value: &str) -> Self {
        Self { value: Some(cut(value)), ..self }
    }
}

/// Why an operator does not end a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum OperatorProblem {
    /// 403: there is no token that would do.
    NoToken,
    /// 401: not with that token, or without one.
    NotTheToken,
    /// 404: there is no session of this name.
    NoSuchSession {
        /// That name.
        name: String,
    },
}

/// Why a request is not answered as it wished.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Problem {
    /// 400: it cannot be understood.
    Invalid(Fault),
    /// 401, or 403 when it is known who sends it: it may not do that.
    Denied(AuthProblem),
    /// 403: the fresh token of a renewal is of another subject, or grants more.
    Renewal(Fault),
    /// 403: it came through a proxy, and an open loopback hub would be exposed by it.
    Proxied {
        /// The header that says so.
        header: String,
    },
    /// 403: a page of another site wants to publish.
    ForeignOrigin {
        /// That site.
        origin: String,
    },
    /// 404: there is no such path.
    NoSuchPath {
        /// That path.
        path: String,
    },
    /// An operator's wish that is not followed.
    Operator(OperatorProblem),
    /// 404: there is no stream of this name to renew.
    NoSuchStream,
    /// 401: there is no such ticket, or no more.
    NoSuchTicket,
    /// 404: there is nothing of this topic.
    NoSuchTopic {
        /// That topic.
        topic: String,
    },
    /// 405: the path has no such method.
    Method {
        /// That method.
        method: Method,
        /// What it has.
        allow: &'static str,
    },
    /// 406: it does not take what there is.
    NotAcceptable {
        /// What it takes.
        accept: String,
    },
    /// 408: its body stalled.
    BodyTimeout {
        /// How long it may.
        timeout: Duration,
    },
    /// 413: its data are too long.
    TooLarge {
        /// How long they may be.
        bytes_max: usize,
    },
    /// 415: its body is compressed.
    Encoded {
        /// How.
        encoding: String,
    },
    /// 421: it is for another host than this machine's own.
    Misdirected {
        /// That host.
        host: String,
    },
    /// The history did not take it: see [`AppendError`].
    Append(AppendError),
    /// 503: the history cannot be asked.
    Engine(EngineError),
    /// 503: the hub is being shut down.
    Draining {
        /// When to try again, or elsewhere.
        retry_after: Duration,
    },
    /// 503: there is no place for one more.
    Full {
        /// What of it there is too much.
        what: &'static str,
        /// When to try again.
        retry_after: Duration,
    },
    /// 503: the bodies of all requests together hold as much as they may.
    IncomingFull,
    /// 503: as many tickets are kept as may be.
    TicketsFull {
        /// When to try again.
        retry_after: Duration,
    },
    /// 429: this address has too many.
    TooMany {
        /// What of it there is too much.
        what: &'static str,
        /// When to try again.
        retry_after: Duration,
    },
    /// 429: its publisher publishes faster than it may.
    TooFast(TooFast),
}

impl From<TooFast> for Problem {
    fn from(too_fast: TooFast) -> Self {
        Self::TooFast(too_fast)
    }
}

impl From<OperatorProblem> for Problem {
    fn from(problem: OperatorProblem) -> Self {
        Self::Operator(problem)
    }
}

impl From<Fault> for Problem {
    fn from(fault: Fault) -> Self {
        Self::Invalid(fault)
    }
}

impl From<AuthProblem> for Problem {
    fn from(problem: AuthProblem) -> Self {
        Self::Denied(problem)
    }
}

impl From<AppendError> for Problem {
    fn from(error: AppendError) -> Self {
        Self::Append(error)
    }
}

impl From<EngineError> for Problem {
    fn from(error: EngineError) -> Self {
        Self::Engine(error)
    }
}

/// Most bytes of a request's own value that an answer repeats.
pub(crate) const VALUE_BYTES_MAX: usize = 100;

/// `value`, no longer than [`VALUE_BYTES_MAX`].
pub(crate) fn cut(value: &str) -> String {
    if value.len() <= VALUE_BYTES_MAX {
        return value.to_owned();
    }
    let mut text = value[..value.floor_char_boundary(VALUE_BYTES_MAX - ELLIPSIS.len())].to_owned();
    text.push_str(ELLIPSIS);
    text
}

const ELLIPSIS: &str = "…";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_value_is_cut_between_two_characters() {
        assert_eq!(cut(&"é".repeat(50)), "é".repeat(50));
        assert_eq!(cut(&"é".repeat(51)), format!("{}…", "é".repeat(48)));
    }
}
