//! Makes tokens: for `tidings token`, for tests, for programs that embed the hub.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};
use thiserror::Error;
use tidings_core::Timestamp;
use tidings_topic::Selector;

use crate::key::{KeyError, KeySource, SigningKey};
use crate::standing::StandingId;

/// What a new token says. By default nothing: no grant and no end.
///
/// A topic of the lists is a topic, a pattern (`chat/*`, `chat/**`), a URI template (`https://example.com/books/{id}`), or
/// `*` alone for every topic.
#[derive(Clone, Debug, Default)]
pub struct Claims {
    /// Where its holder may publish.
    pub publish: Vec<String>,
    /// What its holder may read, private events included.
    pub subscribe: Vec<String>,
    /// Whom it is about (`sub`).
    pub subject: Option<String>,
    /// When it was made (`iat`); whole seconds count.
    pub issued_at: Option<Timestamp>,
    /// When it ends (`exp`); whole seconds count.
    pub expires_at: Option<Timestamp>,
    /// Who makes it (`iss`). With this or the audience it becomes a token of Mercure 1.0.
    pub issuer: Option<String>,
    /// Whom it is for (`aud`).
    pub audience: Option<String>,
    /// What the documents of its subscriptions say of its holder.
    pub payload: Option<Value>,
}

/// Why a token cannot be made.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum MintError {
    /// The key cannot sign.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// A topic of the lists is none.
    #[error("{list} {topic:?} cannot be granted: {fault}")]
    Topic {
        /// `publish` or `subscribe`.
        list: &'static str,
        /// What was given.
        topic: String,
        /// What is wrong with it.
        fault: String,
    },
    /// A Mercure 1.0 token needs more than was given.
    #[error("a Mercure 1.0 token needs {0}")]
    Incomplete(&'static str),
    /// The system gave no randomness.
    #[error("the token cannot be signed: the system gives no randomness")]
    Unsigned,
}

/// Makes a token and signs it.
///
/// Without issuer and audience it has the claims `mercure` (0.x) and `tidings`; with them it is an access token (`at+jwt`)
/// that has `authorization_details` (1.0) and `tidings`.
///
/// # Errors
/// [`MintError`] when the key cannot sign with its algorithm, a topic is none, or one of issuer, audience and end is missing.
pub fn mint(claims: &Claims, key: &KeySource) -> Result<String, MintError> {
    let key = SigningKey::parse(key)?;
    let publish = Granted::read("publish", &claims.publish)?;
    let subscribe = Granted::read("subscribe", &claims.subscribe)?;
    let is_mercure_1 = claims.issuer.is_some() || claims.audience.is_some();

    let mut header = json!({ "alg": key.algorithm().name(), "typ": "JWT" });
    let mut body = Map::new();
    let mut put = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            body.insert(name.to_owned(), value);
        }
    };
    put("sub", claims.subject.clone().map(Value::from));
    put("iat", claims.issued_at.map(seconds));
    put("exp", claims.expires_at.map(seconds));
    put("iss", claims.issuer.clone().map(Value::from));
    put("aud", claims.audience.clone().map(Value::from));
    let tidings = lists(&publish.tidings, &subscribe.tidings);
    if !tidings.is_empty() {
        put("tidings", Some(Value::Object(tidings)));
    }
    if is_mercure_1 {
        claims.check_mercure_1()?;
        header["typ"] = "at+jwt".into();
        put("jti", Some(StandingId::random().to_string().into()));
        put("authorization_details", Some(details(&publish, &subscribe, claims.payload.as_ref())?));
    } else {
        let mut mercure = lists(&publish.mercure, &subscribe.mercure);
        if let Some(payload) = &claims.payload {
            mercure.insert("payload".to_owned(), payload.clone());
        }
        put("mercure", Some(Value::Object(mercure)));
    }

    let encode = |part: &str| URL_SAFE_NO_PAD.encode(part);
    let signed = format!("{}.{}", encode(&header.to_string()), encode(&Value::Object(body).to_string()));
    let signature = key.sign(signed.as_bytes()).ok_or(MintError::Unsigned)?;
    Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
}

impl Claims {
    fn check_mercure_1(&self) -> Result<(), MintError> {
        let given = [
            (self.issuer.is_some(), "an issuer beside its audience"),
            (self.audience.is_some(), "an audience beside its issuer"),
            (self.expires_at.is_some(), "an end"),
        ];
        given.iter().try_for_each(|(given, what)| if *given { Ok(()) } else { Err(MintError::Incomplete(what)) })
    }
}

/// One list, as each claim writes it.
#[derive(Default)]
struct Granted {
    list: &'static str,
    tidings: Vec<String>,
    mercure: Vec<String>,
}

impl Granted {
    /// Sorts each topic to the claims that can say it.
    fn read(list: &'static str, topics: &[String]) -> Result<Self, MintError> {
        let mut granted = Self { list, ..Self::default() };
        for topic in topics {
            let fault = |fault: String| MintError::Topic { list, topic: topic.clone(), fault };
            let for_mercure = Selector::mercure_0(topic).map_err(|error| fault(error.to_string()))?;
            match (for_mercure, Selector::parse(topic)) {
                // Every topic: one star for Mercure, two for us.
                (Selector::Any, _) => granted.add(Some("**"), Some("*")),
                (_, Ok(_)) if topic == "**" => granted.add(Some("**"), Some("*")),
                (Selector::Template(_), _) => granted.add(None, Some(topic)),
                (_, Ok(Selector::Glob(_))) => granted.add(Some(topic), None),
                (_, Ok(_)) => granted.add(Some(topic), Some(topic)),
                (_, Err(error)) => return Err(fault(error.to_string())),
            }
        }
        Ok(granted)
    }

    fn add(&mut self, tidings: Option<&str>, mercure: Option<&str>) {
        self.tidings.extend(tidings.map(str::to_owned));
        self.mercure.extend(mercure.map(str::to_owned));
    }
}

fn lists(publish: &[String], subscribe: &[String]) -> Map<String, Value> {
    let lists = [("publish", publish), ("subscribe", subscribe)];
    let given = lists.into_iter().filter(|(_, list)| !list.is_empty());
    given.map(|(name, list)| (name.to_owned(), Value::from(list.to_vec()))).collect()
}

fn details(publish: &Granted, subscribe: &Granted, payload: Option<&Value>) -> Result<Value, MintError> {
    let mut details = Vec::new();
    for (action, granted) in [("publish", publish), ("subscribe", subscribe)] {
        if granted.mercure.is_empty() {
            continue;
        }
        let mut topics = Vec::new();
        for topic in &granted.mercure {
            if matches!(Selector::mercure_0(topic), Ok(Selector::Template(_))) {
                let fault =
                    "Mercure 1.0 has no URI templates; grant topics or a pattern such as \"books/*\"".to_owned();
                return Err(MintError::Topic { list: granted.list, topic: topic.clone(), fault });
            }
            topics.push(json!({ "match": topic }));
        }
        let mut detail = json!({
            "type": "https://mercure.rocks/authorization-detail",
            "actions": [action],
            "topics": topics,
        });
        if let Some(payload) = payload.filter(|_| action == "subscribe") {
            detail["payload"] = payload.clone();
        }
        details.push(detail);
    }
    Ok(Value::Array(details))
}

fn seconds(at: Timestamp) -> Value {
    (at.as_millis() / 1000).into()
}
