//! Why a request may not do what it asks for. Nothing here holds a token.

use std::fmt;

use tidings_auth::{Action, PlaceError, TokenError};

/// Why a request may not do what it asks for. Each endpoint has its own status for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum AuthProblem {
    /// It brings no token and needs one.
    NoToken {
        /// What it wants.
        action: Action,
        /// Is there a key by which a token for that could be checked? If not, the hub is closed to all for it.
        has_key: bool,
    },
    /// It brings a token where none can be read: two headers, another scheme.
    Misplaced(PlaceError),
    /// Its token is not accepted.
    BadToken(TokenError),
    /// It brings its token in a cookie, and the page that sends it is not known.
    ForeignCookie {
        /// That page's origin, if it says so.
        origin: Option<String>,
    },
    /// Its token is good and does not grant this.
    NoGrant {
        /// What it wants.
        action: Action,
        /// On which topic; `None`: on any.
        topic: Option<String>,
    },
}

impl AuthProblem {
    /// What is wrong, for the developer.
    pub(crate) fn detail(&self) -> String {
        let text = self.to_string();
        // A token's error names what is expected itself; an answer has a place of its own for it.
        text.split_once("; expected").map_or(text.clone(), |(detail, _)| detail.to_owned())
    }

    /// What would have been right.
    pub(crate) fn expected(&self) -> String {
        match self {
            Self::NoToken { action, has_key: true } => {
                format!("a token that may {}, as in `Authorization: Bearer TOKEN`", action.verb())
            }
            Self::NoToken { action, has_key: false } => {
                format!("a hub with a key to {} with, as --{}-jwt-key gives it", action.verb(), role(*action))
            }
            Self::ForeignCookie { .. } => "a page of an origin that --publish-origin names".to_owned(),
            Self::NoGrant { action, topic } => format!(
                "a claim tidings or mercure whose {} {}",
                action.verb(),
                if topic.is_some() { "names or covers the topic" } else { "names topics" }
            ),
            Self::Misplaced(_) | Self::BadToken(_) => {
                let text = self.to_string();
                text.split_once("; expected ")
                    .map_or("a token that is good here".to_owned(), |(_, expected)| expected.to_owned())
            }
        }
    }
}

fn role(action: Action) -> &'static str {
    match action {
        Action::Publish => "publisher",
        Action::Subscribe => "subscriber",
    }
}

/// All of it on one line: for the log.
impl fmt::Display for AuthProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoToken { action, has_key: true } => {
                write!(f, "the request brings no token, and to {} takes one", action.verb())
            }
            Self::NoToken { action, has_key: false } => {
                write!(f, "nobody may {} here: the hub has no key for that", action.verb())
            }
            Self::Misplaced(error) => error.fmt(f),
            Self::BadToken(error) => error.fmt(f),
            Self::ForeignCookie { origin: Some(_) } => f.write_str(
                "the token came in a cookie, and the page that sent it is of an origin that may not publish",
            ),
            Self::ForeignCookie { origin: None } => {
                f.write_str("the token came in a cookie, and the request does not say by an origin which page sent it")
            }
            Self::NoGrant { action, topic: Some(topic) } => {
                write!(f, "the token has no {} grant for the topic {topic:?}", action.verb())
            }
            Self::NoGrant { action, topic: None } => write!(f, "the token has no {} grant", action.verb()),
        }
    }
}
