//! The hub that is looked into.

pub(crate) use tidings_e2e::eventually;
use tidings_e2e::{Hub, NeverReads, RawStream};

pub(crate) const TOKEN: &str = "0123456789abcdef";
pub(crate) const OPERATOR: &str = "Authorization: Bearer 0123456789abcdef";

/// A hub that operators may end streams of, with nobody in it.
#[track_caller]
pub(crate) fn hub(flags: &[&str]) -> Hub {
    let own = ["serve", "--memory", "--admin-listen", "127.0.0.1:0", "--slow-client-timeout", "0"];
    Hub::start_to_return(&[&own, flags].concat())
}

/// The same with somebody in it.
pub(crate) struct World {
    pub(crate) hub: Hub,
    /// Three of `prices/eur` and one of `chat/*`.
    pub(crate) live: Vec<RawStream>,
    /// Of `video`; it takes no byte though there are megabytes.
    pub(crate) blocked: NeverReads,
    /// Of `archive`, from its beginning; it takes no byte of its history.
    pub(crate) replaying: NeverReads,
}

impl World {
    #[track_caller]
    pub(crate) fn start() -> Self {
        let hub = hub(&["--admin-token", TOKEN]);
        let data = "x".repeat(512 * 1024);
        for _ in 0..8 {
            hub.publish("/events/archive", &data);
        }
        let blocked = NeverReads::start(hub.address(), "/events/video");
        let replaying = NeverReads::start(hub.address(), "/events/archive?since=earliest");
        let topics = ["prices/eur", "prices/eur", "prices/eur", "?topic=chat/*"];
        let path =
            |topic: &str| if topic.starts_with('?') { format!("/events{topic}") } else { format!("/events/{topic}") };
        let mut live: Vec<_> = topics.iter().map(|topic| RawStream::get(hub.address(), &path(topic), &[])).collect();
        for reader in &mut live {
            reader.wait_for_text("retry:");
        }
        eventually("six readers", || sessions(&hub) == 6);
        for _ in 0..8 {
            hub.publish("/events/video", &data);
        }
        Self { hub, live, blocked, replaying }
    }

    /// So much happens between two looks.
    pub(crate) fn publish_some(&self) {
        for number in 0..3 {
            self.hub.publish("/events/prices/eur", &format!("1.08{number}"));
        }
        self.hub.publish("/events/chat/42", "hello");
    }

    pub(crate) fn admin_url(&self) -> String {
        format!("http://{}", self.hub.admin_address())
    }
}

/// How many sessions are open.
#[track_caller]
pub(crate) fn sessions(hub: &Hub) -> u64 {
    count(hub, "tidings_sessions{way=\"direct\"}") + count(hub, "tidings_sessions{way=\"body\"}")
}

/// How many sessions were ended by an operator.
#[track_caller]
pub(crate) fn ended(hub: &Hub) -> u64 {
    count(hub, "tidings_sessions_closed_total{reason=\"operator\"}")
}

#[track_caller]
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a test counts some few")]
fn count(hub: &Hub, series: &str) -> u64 {
    hub.metric(series) as u64
}

/// A text as a part of a path or a query, whatever it holds.
pub(crate) fn escaped(text: &str) -> String {
    text.bytes().fold(String::new(), |escaped, byte| escaped + &format!("%{byte:02X}"))
}
