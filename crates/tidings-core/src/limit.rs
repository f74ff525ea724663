//! The limits that can be reached, by name. Each is a metric label, a flag, a line of the log and a row of
//! docs/limits.md. How far each goes stands in [`crate::Limits`] and [`crate::HistoryLimits`].

use std::fmt;

macro_rules! limits {
    ($($(#[$doc:meta])* $variant:ident = $label:literal, $flag:expr, $advice:literal;)+) => {
        /// A limit that somebody may reach.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Limit { $($(#[$doc])* $variant),+ }

        impl Limit {
            /// Every limit, in the order of the metric.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The label under which it is counted and logged.
            pub const fn label(self) -> &'static str {
                match self { $(Self::$variant => $label),+ }
            }

            /// The flag of `tidings serve` that moves it; `None`: it is fixed.
            pub const fn flag(self) -> Option<&'static str> {
                match self { $(Self::$variant => $flag),+ }
            }

            /// What happened to whom, and what an operator can do about it.
            pub const fn advice(self) -> &'static str {
                match self { $(Self::$variant => $advice),+ }
            }
        }
    };
}

limits! {
    /// Connections in all.
    Connections = "connections", Some("--max-connections"),
        "new connections were told to come back later; raise --max-connections and the limit of open files, or add a hub";
    /// Connections from one address; of IPv6, from one /64.
    ConnectionsPerIp = "connections_per_ip", Some("--max-connections-per-ip"),
        "new connections from an address were told to come back later; if it is a proxy, name it by --trusted-proxy, else raise --max-connections-per-ip";
    /// Streams of one subject of tokens.
    ConnectionsPerSubject = "connections_per_subject", Some("--max-connections-per-subject"),
        "new streams of a token's subject were told to come back later; look for a client that forgets to close, or raise --max-connections-per-subject";
    /// Topics and patterns of one connection.
    TopicsPerConnection = "topics_per_connection", Some("--max-topics-per-connection"),
        "requests with too many topics were refused; have the client use a pattern, or raise --max-topics-per-connection";
    /// Topics and patterns that are listened to, in all.
    SubscribedTopics = "subscribed_topics", Some("--max-subscribed-topics"),
        "new streams were told to come back later, for too many different topics are listened to; raise --max-subscribed-topics if there is memory";
    /// Topics with history, in all.
    Topics = "topics", Some("--max-topics"),
        "publications to new topics were refused; shorten the history, or raise --max-topics if there is memory";
    /// Bytes of one event's data.
    EventBytes = "event_bytes", Some("--max-event-bytes"),
        "publications were too long and refused; publish a link in place of the data, or raise --max-event-bytes";
    /// Bytes of the bodies that are being read, or wait for the history, in all.
    IncomingBytes = "incoming_bytes", Some("--max-incoming-bytes"),
        "publications longer than 16 KiB were refused, for too many are under way; raise --max-incoming-bytes if there is memory, or look for clients that send slowly";
    /// Bytes of a request's head.
    HeadBytes = "head_bytes", Some("--max-head-bytes"),
        "requests with too long a head were refused; look for large cookies, or raise --max-head-bytes";
    /// The time a request's head may take.
    HeadTime = "head_timeout", Some("--head-timeout"),
        "connections that did not send a whole request in time were closed; many at once are an attack, or a health check that only connects";
    /// The time a request's body may go without a byte.
    BodyTime = "body_timeout", Some("--body-timeout"),
        "publications whose body stalled were given up; many at once are an attack or a broken network";
    /// Events that one publisher may publish in a second.
    PublishEvents = "publish_events_per_second", Some("--max-publish-events-per-second"),
        "a publisher was told to slow down; if it should not, raise --max-publish-events-per-second";
    /// Bytes of data that one publisher may publish in a second.
    PublishBytes = "publish_bytes_per_second", Some("--max-publish-bytes-per-second"),
        "a publisher was told to slow down; if it should not, raise --max-publish-bytes-per-second";
    /// Idempotency keys kept.
    IdempotencyKeys = "idempotency_keys", Some("--max-idempotency-keys"),
        "publications with a new idempotency key were refused; raise --max-idempotency-keys if there is memory";
    /// Connect tickets kept.
    Tickets = "tickets", None,
        "no ticket was issued, for too many are kept; look for a page that asks for one again and again";
    /// Bytes a reader may be behind.
    LagBytes = "lag_bytes", Some("--max-lag-bytes"),
        "readers that were too far behind were closed; they come back where they were; raise --max-lag-bytes if they should not";
    /// The time a reader may take no byte.
    SlowClient = "slow_client_timeout", Some("--slow-client-timeout"),
        "readers that took no byte for too long were closed; they come back where they were";
    /// Bytes that half-written buffers and bodies hold, in all.
    BufferedBytes = "buffered_bytes", Some("--max-buffered-bytes"),
        "the slowest readers were closed to free memory; they come back where they were; raise --max-buffered-bytes if there is memory";
    /// Readers that are replayed history at a time.
    Replays = "replays", Some("--max-replays"),
        "readers wait for their turn to be replayed history, and get live events after that; raise --max-replays if disk and network are idle";
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.label())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_limit_has_a_row_in_the_docs() {
        let docs = include_str!("../../../docs/limits.md");
        for limit in Limit::ALL {
            let has_row = docs.lines().any(|line| {
                line.starts_with('|')
                    && line.contains(&format!("`{limit}`"))
                    && limit.flag().is_none_or(|flag| line.contains(&format!("`{flag}`")))
            });
            assert!(has_row, "docs/limits.md has no row with `{limit}` and {:?}", limit.flag());
        }
    }
}
