//! What the one who runs a hub decides about its HTTP side. Only data; read by the rooms beside it.

use std::time::Duration;

use tidings_auth::SecretText;
use tidings_fanout::Network;

/// How a hub answers requests.
#[derive(Clone, Debug)]
pub struct HttpConfig {
    /// How long a reader waits before it comes back; each gets up to a quarter more or less. Default: 2 s.
    pub retry: Duration,
    /// Who may do what without a token.
    pub access: Access,
    /// Where tokens stand, and what becomes of streams when theirs end.
    pub tokens: TokenRules,
    /// Which web pages may read the answers.
    pub cors: Cors,
    /// Origins whose pages may publish: with a cookie, and on an open loopback hub beside the loopback ones. Default: none.
    pub publish_origins: Vec<String>,
    /// Proxies that are believed when they say for whom they ask (`X-Forwarded-For`, `Forwarded`). Default: none.
    pub trusted_proxies: Vec<Network>,
    /// What the Mercure endpoint offers, and as whom.
    pub mercure: MercureRules,
    /// Whoever brings this to the admin listener may end streams: `--admin-token`. Default: none, and nobody may.
    pub admin_token: Option<SecretText>,
    /// Which way out plain HTTP/1.1 takes.
    pub delivery: Delivery,
    /// The greeting for whoever reads the topic `default` alone. Default: none; `tidings demo` has one.
    pub demo: Option<Welcome>,
}

impl Default for HttpConfig {
    fn default() -> Self {
        Self {
            retry: Duration::from_secs(2),
            access: Access::default(),
            tokens: TokenRules::default(),
            cors: Cors { loopback_origins: true, ..Cors::default() },
            publish_origins: Vec::new(),
            trusted_proxies: Vec::new(),
            mercure: MercureRules::default(),
            admin_token: None,
            delivery: Delivery::default(),
            demo: None,
        }
    }
}

/// Whether a hub is open, and whether it protects the person at the keyboard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access {
    /// No key is set: all may publish and subscribe. Default: yes. A hub that is not open and knows no key refuses both.
    pub is_open: bool,
    /// Who brings no token to a hub that is not open may read public events. Default: no.
    pub allows_anonymous: bool,
    /// An open hub answers any host name, behind any proxy, to any page: `--open`. Default: no.
    pub lifts_protection: bool,
}

impl Access {
    /// Does the hub answer loopback requests only?
    pub fn is_protected(self) -> bool {
        self.is_open && !self.lifts_protection
    }
}

impl Default for Access {
    fn default() -> Self {
        Self { is_open: true, allows_anonymous: false, lifts_protection: false }
    }
}

/// Where tokens stand on plain channels, and what becomes of streams when theirs end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenRules {
    /// A token may stand in the address: `?access_token=`. Default: no, for addresses are logged.
    pub in_query: bool,
    /// The cookie that may bring one. Default: `tidings_token`.
    pub cookie_name: String,
    /// How long before its end a stream is told of it. Default: 60 s.
    pub expiring_notice: Duration,
}

impl Default for TokenRules {
    fn default() -> Self {
        Self { in_query: false, cookie_name: "tidings_token".to_owned(), expiring_notice: Duration::from_mins(1) }
    }
}

/// What the Mercure endpoint offers, and as whom it shows itself to OAuth clients.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MercureRules {
    /// Who is subscribed can be asked for, and is published: `--subscriptions`. Default: no.
    pub subscriptions: bool,
    /// What tokens call this hub: `--jwt-audience`. Default: none; then it is its address, as each request has it.
    pub audience: Option<String>,
    /// Who issues tokens for it: `--jwt-issuer`. Default: nobody that is told.
    pub issuers: Vec<String>,
}

/// Which web pages may read the answers: Cross-Origin Resource Sharing. The default allows none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cors {
    /// Any page, without credentials: `*`, also to a request without an `Origin`.
    pub any_origin: bool,
    /// These origins, with credentials. As a browser writes them: `https://example.org`.
    pub origins: Vec<String>,
    /// Pages from loopback hosts with any port, without credentials.
    pub loopback_origins: bool,
}

/// Which way out plain HTTP/1.1 takes: `--delivery`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Delivery {
    /// What is best here: direct, where it exists.
    #[default]
    Auto,
    /// A shard owns the socket.
    Direct,
    /// The HTTP library owns the socket and polls a body.
    Body,
}

/// A greeting that comes before the first event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Welcome {
    /// Its data.
    pub data: String,
}
