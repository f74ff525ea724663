//! What the one who runs a hub decides about its HTTP side. Only data; read by the rooms beside it.

use std::time::Duration;

use tidings_core::Limits;

/// How a hub answers requests.
#[derive(Clone, Debug)]
pub struct HttpConfig {
    /// What may grow, and how far.
    pub limits: Limits,
    /// How long a reader waits before it comes back; each gets up to a quarter more or less. Default: 2 s.
    pub retry: Duration,
    /// Who may do what when nobody has a key.
    pub access: Access,
    /// Which web pages may read the answers.
    pub cors: Cors,
    /// Origins whose pages may publish on an open loopback hub, beside the loopback ones. Default: none.
    pub publish_origins: Vec<String>,
    /// Which way out plain HTTP/1.1 takes.
    pub delivery: Delivery,
    /// The greeting for whoever reads the topic `default` alone. Default: none; `tidings demo` has one.
    pub demo: Option<Welcome>,
}

impl Default for HttpConfig {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            retry: Duration::from_secs(2),
            access: Access::default(),
            cors: Cors { loopback_origins: true, ..Cors::default() },
            publish_origins: Vec::new(),
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
        Self { is_open: true, lifts_protection: false }
    }
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
