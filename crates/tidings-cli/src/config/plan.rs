//! What the flags mean together: the settings of a hub, or what stands against it.

use std::net::SocketAddr;
use std::time::Duration;

use thiserror::Error;
use tidings::{
    Access, Cors, Delivery, HistoryLimits, Hub, HubBuilder, Limits, MercureRules, Network, TokenRules, Welcome,
};

use super::flags::{HubFlags, Way};
use super::given::HubSettings;
use super::keys::Keys;
use super::origin::{CorsOrigin, PublishOrigin};
use super::place::Place;
use super::secret::Secret;
use crate::certificate::CertificateFiles;
use crate::exit::Failure;

/// A hub as it is to be: checked, and not yet begun.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// Where readers and publishers come.
    pub(crate) listen: Vec<SocketAddr>,
    /// Where those come who run it.
    pub(crate) admin_listen: Option<SocketAddr>,
    /// What operators bring to it.
    pub(crate) admin_token: Option<Secret>,
    /// Where its certificate is, if it speaks HTTPS.
    pub(crate) certificate: Option<CertificateFiles>,
    /// How long its end may take.
    pub(crate) drain: Duration,
    /// Most connections, if somebody decided it.
    pub(crate) connections_max: Option<usize>,
    /// Where the history is.
    pub(crate) place: Place,
    /// How much is kept.
    pub(crate) history: HistoryLimits,
    limits: Limits,
    heartbeat: Option<Duration>,
    retry: Duration,
    /// By what tokens are checked.
    pub(crate) keys: Keys,
    access: Access,
    tokens: TokenRules,
    mercure: MercureRules,
    cors: Cors,
    publish_origins: Vec<String>,
    trusted_proxies: Vec<Network>,
    delivery: Delivery,
    welcome: Option<Welcome>,
}

/// What a hub is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// To serve, as configured.
    Serve,
    /// To be looked at: in memory, readable by every page, with a greeting.
    Demo,
}

/// Why the flags give no hub. Whoever gave them can mend it.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(crate) enum PlanError {
    #[error(
        "--listen {address} is reachable from other machines, and nothing protects this hub; expected a key, by \
         --publisher-jwt-key, --subscriber-jwt-key or --jwks-url, and with it perhaps --anonymous to let everybody read; or a \
         loopback address such as 127.0.0.1:{port}; or --open to let everybody publish and listen",
        port = .address.port()
    )]
    Exposed { address: SocketAddr },
    #[error("--admin-token is given without --admin-listen; expected both, or neither")]
    TokenForNobody,
    #[error("{given} is given without {missing}; expected both, a certificate and its key, or neither")]
    HalfOfTls { given: &'static str, missing: &'static str },
}

impl From<PlanError> for Failure {
    fn from(error: PlanError) -> Self {
        Self::usage(error)
    }
}

impl Plan {
    /// The hub that was asked for.
    ///
    /// # Errors
    /// [`PlanError`] when the settings do not go together.
    pub(crate) fn of(settings: &HubSettings, purpose: Purpose) -> Result<Self, PlanError> {
        let HubSettings { flags, topic_bounds, .. } = settings;
        let HubFlags { listening, store, access, streams, limits, logs: _ } = flags;
        let is_loopback = |address: &&SocketAddr| address.ip().to_canonical().is_loopback();
        let exposed = listening.listen.iter().find(|address| !is_loopback(address));
        let keys = Keys::of(access);
        // Of both, keys count: `--open` says what holds without them. So it does with Mercure's defaults, which are closed.
        let is_open = !keys.is_any() && (access.open || !access.mercure_compat);
        if let (Some(&address), true, false) = (exposed, is_open, access.open) {
            return Err(PlanError::Exposed { address });
        }

        let certificate = match (&listening.tls_cert, &listening.tls_key) {
            (Some(certificate), Some(key)) => {
                Some(CertificateFiles { certificate: certificate.clone(), key: key.clone() })
            }
            (None, None) => None,
            (Some(_), None) => return Err(PlanError::HalfOfTls { given: "--tls-cert", missing: "--tls-key" }),
            (None, Some(_)) => return Err(PlanError::HalfOfTls { given: "--tls-key", missing: "--tls-cert" }),
        };
        if listening.admin_token.is_some() && listening.admin_listen.is_none() {
            return Err(PlanError::TokenForNobody);
        }
        let place = Place::of(store, purpose);
        let default = place.default_history();
        Ok(Self {
            listen: listening.listen.clone(),
            admin_listen: listening.admin_listen,
            admin_token: listening.admin_token.clone(),
            certificate,
            drain: listening.drain,
            connections_max: limits.max_connections,
            history: HistoryLimits {
                events_max: store.history_events,
                bytes_max: store.history_bytes.unwrap_or(default.bytes_max),
                age_max: store.history_age.or(default.age_max),
                topic_bounds: topic_bounds.clone(),
                topics_max: limits.max_topics,
                idempotency_keys_max: limits.max_idempotency_keys,
                ..default
            },
            place,
            limits: Limits {
                connections_per_ip_max: limits.max_connections_per_ip,
                connections_per_subject_max: limits.max_connections_per_subject,
                subscribed_topics_max: limits.max_subscribed_topics,
                publish_events_per_second_max: limits.max_publish_events_per_second,
                publish_bytes_per_second_max: limits.max_publish_bytes_per_second,
                event_bytes_max: limits.max_event_bytes,
                incoming_bytes_max: limits.max_incoming_bytes,
                head_bytes_max: limits.max_head_bytes,
                head_timeout: limits.head_timeout,
                body_timeout: limits.body_timeout,
                buffered_bytes_max: limits.max_buffered_bytes,
                lag_bytes_max: limits.max_lag_bytes,
                replays_max: limits.max_replays,
                topics_per_connection_max: limits.max_topics_per_connection,
                catch_up_bytes_per_turn: if limits.catch_up_bytes == 0 { usize::MAX } else { limits.catch_up_bytes },
                slow_client_timeout: unless_zero(limits.slow_client_timeout),
                connection_lifetime: unless_zero(limits.connection_lifetime),
                ..Limits::default()
            },
            heartbeat: unless_zero(streams.heartbeat),
            retry: streams.retry,
            access: Access { is_open, allows_anonymous: access.anonymous, lifts_protection: access.open },
            tokens: TokenRules {
                in_query: access.token_in_query,
                cookie_name: access.cookie_name.clone(),
                ..TokenRules::default()
            },
            mercure: MercureRules {
                subscriptions: access.subscriptions,
                audience: keys.audience.clone(),
                issuers: keys.issuers.clone(),
            },
            keys,
            cors: cors(&access.cors_origin, is_open, purpose),
            publish_origins: access.publish_origin.iter().cloned().map(PublishOrigin::into_text).collect(),
            trusted_proxies: listening.trusted_proxy.clone(),
            delivery: match streams.delivery {
                Way::Auto => Delivery::Auto,
                Way::Direct => Delivery::Direct,
                Way::Body => Delivery::Body,
            },
            welcome: (purpose == Purpose::Demo).then(|| Welcome { data: GREETING.to_owned() }),
        })
    }

    /// How much of everything there may be; of connections as many as `connections_max` says, if it does.
    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Is it open to all, for want of keys?
    pub(crate) fn is_open(&self) -> bool {
        self.access.is_open
    }

    /// May whoever has no token read public events?
    pub(crate) fn allows_anonymous(&self) -> bool {
        self.access.allows_anonymous
    }

    /// Do ids that are times resolve as such? Those of the clock are.
    pub(crate) fn ids_resolve_by_time(&self) -> bool {
        self.welcome.is_some()
    }

    /// The library's settings, for so many connections.
    pub(crate) fn into_builder(self, connections_max: usize) -> HubBuilder {
        let builder = Hub::builder()
            .history(self.history)
            .limits(Limits { connections_max, ..self.limits })
            .heartbeat(self.heartbeat)
            .retry(self.retry)
            .access(self.access)
            .tokens(self.tokens)
            .mercure(self.mercure)
            .cors(self.cors)
            .publish_origins(self.publish_origins)
            .trusted_proxies(self.trusted_proxies)
            .delivery(self.delivery);
        match self.welcome {
            Some(welcome) => builder.demo(welcome),
            None => builder,
        }
    }
}

/// What `demo` says to whoever comes. (CONTRACT.md, section 1)
const GREETING: &str = "Hello, World!";

fn unless_zero(duration: Duration) -> Option<Duration> {
    (!duration.is_zero()).then_some(duration)
}

fn cors(origins: &[CorsOrigin], is_open: bool, purpose: Purpose) -> Cors {
    let mut cors = Cors { any_origin: purpose == Purpose::Demo, origins: Vec::new(), loopback_origins: is_open };
    for origin in origins {
        match origin {
            CorsOrigin::Any => cors.any_origin = true,
            CorsOrigin::One(origin) => cors.origins.push(origin.clone().into_text()),
        }
    }
    cors
}

#[cfg(test)]
mod tests {
    use clap::{Args, Command, FromArgMatches};

    use std::collections::BTreeMap;

    use super::*;

    fn plan(purpose: Purpose, words: &[&str]) -> Result<Plan, PlanError> {
        let command = HubFlags::augment_args(Command::new("hub").no_binary_name(true));
        let matches = command.try_get_matches_from(words).expect("good flags");
        let flags = HubFlags::from_arg_matches(&matches).expect("good flags");
        Plan::of(&HubSettings { flags, topic_bounds: Vec::new(), written: BTreeMap::new() }, purpose)
    }

    fn serve(words: &[&str]) -> Plan {
        plan(Purpose::Serve, &[&["--memory"], words].concat()).expect("a good plan")
    }

    #[test]
    fn without_flags_all_is_as_the_contract_says() {
        let plan = serve(&[]);
        assert_eq!(plan.listen, ["127.0.0.1:3000".parse().expect("an address")]);
        assert_eq!((plan.admin_listen, plan.connections_max), (None, None));
        assert_eq!(plan.drain, Duration::from_secs(10));
        assert_eq!(plan.history, HistoryLimits::default());
        assert_eq!(plan.limits, Limits::default());
        assert_eq!(plan.heartbeat, Some(Duration::from_secs(15)));
        assert_eq!(plan.retry, Duration::from_secs(2));
        assert_eq!(plan.access, Access::default());
        assert_eq!(plan.cors, Cors { loopback_origins: true, ..Cors::default() });
        assert_eq!((plan.publish_origins, plan.welcome), (vec![], None));
        assert_eq!(plan.delivery, Delivery::Auto);
    }

    #[test]
    fn each_flag_arrives() {
        let plan = serve(&[
            "--listen=127.0.0.1:0,[::1]:0",
            "--admin-listen=0.0.0.0:9000",
            "--drain=1s",
            "--history-events=5",
            "--history-bytes=1GiB",
            "--history-age=7d",
            "--open",
            "--cors-origin=https://a.example,*",
            "--publish-origin=https://b.example",
            "--heartbeat=1m",
            "--retry=500ms",
            "--delivery=body",
            "--max-connections=7",
            "--max-event-bytes=2KiB",
            "--max-topics-per-connection=3",
            "--slow-client-timeout=5s",
            "--connection-lifetime=1h",
        ]);
        assert_eq!(plan.listen.len(), 2);
        assert_eq!(plan.admin_listen, "0.0.0.0:9000".parse().ok());
        assert_eq!((plan.drain, plan.connections_max), (Duration::from_secs(1), Some(7)));
        let history = &plan.history;
        assert_eq!((history.events_max, history.bytes_max), (Some(5), 1 << 30));
        assert_eq!(history.age_max, Some(Duration::from_hours(168)));
        assert!(plan.access.lifts_protection);
        assert_eq!((plan.cors.any_origin, &*plan.cors.origins), (true, &["https://a.example".to_owned()][..]));
        assert_eq!(plan.publish_origins, ["https://b.example"]);
        assert_eq!((plan.heartbeat, plan.retry), (Some(Duration::from_mins(1)), Duration::from_millis(500)));
        assert_eq!(plan.delivery, Delivery::Body);
        assert_eq!((plan.limits.event_bytes_max, plan.limits.topics_per_connection_max), (2048, 3));
        assert_eq!(plan.limits.slow_client_timeout, Some(Duration::from_secs(5)));
        assert_eq!(plan.limits.connection_lifetime, Some(Duration::from_hours(1)));
    }

    #[test]
    fn zero_turns_off() {
        let plan = serve(&["--heartbeat=0", "--slow-client-timeout=0s", "--connection-lifetime=0"]);
        assert_eq!(plan.heartbeat, None);
        assert_eq!((plan.limits.slow_client_timeout, plan.limits.connection_lifetime), (None, None));
    }

    #[test]
    fn a_history_on_disk_is_larger_and_of_a_week() {
        let history = plan(Purpose::Serve, &["--data=d"]).expect("a good plan").history;
        assert_eq!((history.events_max, history.bytes_max), (None, 1 << 30));
        assert_eq!(history.age_max, Some(Duration::from_hours(168)));
        let shorter = plan(Purpose::Serve, &["--history-age=1h", "--history-bytes=5MiB"]).expect("a good plan").history;
        assert_eq!((shorter.bytes_max, shorter.age_max), (5 << 20, Some(Duration::from_hours(1))));
    }

    #[test]
    fn a_demo_is_in_memory_and_greets_every_page() {
        let plan = plan(Purpose::Demo, &[]).expect("a good plan");
        assert!(plan.cors.any_origin);
        assert_eq!(plan.welcome, Some(Welcome { data: "Hello, World!".to_owned() }));
    }

    #[test]
    fn only_open_listens_beyond_this_machine() {
        for (listen, want) in [
            ("127.0.0.1:0", true),
            ("127.8.0.1:0", true),
            ("[::1]:0", true),
            ("[::ffff:127.0.0.1]:0", true),
            ("0.0.0.0:0", false),
            ("[::]:0", false),
            ("192.168.0.7:0", false),
            ("127.0.0.1:0,0.0.0.0:0", false),
        ] {
            for purpose in [Purpose::Serve, Purpose::Demo] {
                let got = plan(purpose, &["--memory", "--listen", listen]);
                assert_eq!(got.is_ok(), want, "{listen}");
                assert!(got.err().is_none_or(|error| error.to_string().contains("--open")), "{listen}");
                assert!(plan(purpose, &["--memory", "--open", "--listen", listen]).is_ok(), "{listen}");
            }
        }
    }

    #[test]
    fn a_key_closes_the_hub_and_opens_it_to_other_machines() {
        let check = |words: &[&str], is_open: bool| {
            let plan = plan(Purpose::Serve, &[&["--memory"], words].concat()).expect("a good plan");
            assert_eq!((plan.access.is_open, plan.cors.loopback_origins), (is_open, is_open), "{words:?}");
        };
        let everywhere = "--listen=0.0.0.0:0";
        check(&[], true);
        check(&["--anonymous"], true);
        check(&["--publisher-jwt-key=k", everywhere], false);
        check(&["--subscriber-jwt-key=k", everywhere], false);
        check(&["--jwks-url=file:///jwks.json", everywhere], false);
        check(&["--publisher-jwt-key=k", "--open", everywhere], false);
        check(&["--mercure-compat", everywhere], false);
        check(&["--mercure-compat", "--open", everywhere], true);
        let error =
            plan(Purpose::Serve, &["--anonymous", everywhere]).expect_err("everybody could publish").to_string();
        for flag in ["--publisher-jwt-key", "--subscriber-jwt-key", "--jwks-url", "--anonymous", "--open"] {
            assert!(error.contains(flag), "{flag}: {error}");
        }
    }

    #[test]
    fn each_flag_of_access_arrives() {
        let plan = serve(&[
            "--publisher-jwt-key=p",
            "--publisher-jwt-alg=HS512",
            "--subscriber-jwt-key=file:///s",
            "--subscriber-jwt-alg=EdDSA",
            "--jwks-url=https://id.example/jwks",
            "--anonymous",
            "--jwt-issuer=https://a,https://b",
            "--jwt-audience=https://hub",
            "--jwt-leeway=5s",
            "--token-in-query",
            "--cookie-name=auth",
            "--subscriptions",
        ]);
        let algorithms =
            [&plan.keys.publisher, &plan.keys.subscriber].map(|key| key.as_ref().expect("given").algorithm);
        assert_eq!(algorithms, [tidings::Algorithm::Hs512, tidings::Algorithm::EdDsa]);
        assert!(plan.keys.jwks.is_some() && plan.allows_anonymous() && plan.mercure.subscriptions);
        assert_eq!((plan.keys.issuers.len(), plan.mercure.issuers.len()), (2, 2));
        assert_eq!(plan.mercure.audience.as_deref(), Some("https://hub"));
        assert_eq!(plan.keys.leeway, Duration::from_secs(5));
        assert_eq!((plan.tokens.in_query, &*plan.tokens.cookie_name), (true, "auth"));
    }
}
