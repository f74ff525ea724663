//! What all requests of a hub share. The only place of this crate that reads the clock.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use tidings_core::phase::PhaseLatch;
use tidings_core::{Counters, Engine, Limits, LiveLimits, Timestamp};
use tidings_fanout::{AddressBlock, FanoutHandle, Shares};

use crate::auth::Auth;
use crate::config::HttpConfig;
use crate::drip::Dripping;
use crate::incoming::Incoming;
use crate::mercure::ActiveSubscriptions;
use crate::publishers::Publishers;
use crate::tls::Tls;

/// One hub, as its HTTP side sees it.
pub struct HttpState {
    /// Where events are put and found again.
    pub engine: Arc<dyn Engine>,
    /// Where streams join.
    pub fanout: FanoutHandle,
    /// What the hub counts of itself.
    pub counters: Arc<Counters>,
    /// Where the hub is in its life.
    pub phase: Arc<PhaseLatch>,
    /// What it knows of those who come.
    pub auth: Auth,
    /// Who is subscribed on the Mercure endpoint, while that is of interest.
    pub active: Arc<ActiveSubscriptions>,
    /// Whom it shows itself as to those who come by HTTPS; `None`: all come by plain HTTP.
    pub tls: Option<Tls>,
    /// Who has how many streams, where that is limited.
    pub streams: StreamShares,
    /// Who publishes how fast, where that is limited.
    pub publishers: Publishers,
    /// What the bodies of requests hold.
    pub incoming: Arc<Incoming>,
    /// Those bodies that drip.
    pub dripping: Dripping,
    /// What may grow, and how far.
    pub limits: Arc<LiveLimits>,
    /// How it answers.
    pub config: HttpConfig,
}

impl HttpState {
    /// The limits that hold now.
    pub fn limits(&self) -> Arc<Limits> {
        self.limits.get()
    }

    /// The wall clock.
    pub fn now(&self) -> Timestamp {
        wall_clock()
    }
}

/// Who has how many streams, where that is limited.
#[derive(Default)]
pub struct StreamShares {
    pub(crate) by_subject: Arc<Shares<Arc<str>>>,
    /// Of those who come through a proxy; others are counted by their connections.
    pub(crate) by_address: Arc<Shares<AddressBlock>>,
}

/// The wall clock, for what outlives a request.
pub(crate) fn wall_clock() -> Timestamp {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(u64::try_from(since_1970.as_millis()).unwrap_or(u64::MAX))
}
