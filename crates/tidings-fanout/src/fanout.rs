//! The shards of a hub together: where a new session goes, and how all of them end.

use std::fmt;
use std::io;
use std::net::{IpAddr, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::{Buf, Bytes};
use mio::{Poll, Waker};
use tidings_core::session::{Pace, Sent};
use tidings_core::{CommitListener, Counters, Engine, Grants, GroupSpec, Limits, LiveLimits, Sequence};
use tidings_topic::Topic;
use tidings_wire::Chunk;

use crate::inbox::{Inbox, Joining, Message};
use crate::interest::TopicHash;
use crate::lease::{Companion, Hold, Lease};
use crate::outbox::{EventStream, outbox};
use crate::permit::Permit;
use crate::shard::{Shard, WAKER_TOKEN, run};
use crate::socket;
use crate::way::Way;

/// How the shards of a hub work.
#[derive(Clone, Debug)]
pub struct FanoutOptions {
    /// How many shards, each a thread. Default: one for each core.
    pub shards: usize,
    /// The limits that hold for sessions.
    pub limits: Arc<LiveLimits>,
    /// A heartbeat this long after the last byte; `None`: none. Default: 15 s.
    pub heartbeat: Option<Duration>,
    /// The reconnection time that a drained reader is told, spread by ±25 %. Default: 2 s.
    pub retry: Duration,
}

impl Default for FanoutOptions {
    fn default() -> Self {
        Self {
            shards: std::thread::available_parallelism().map_or(1, usize::from),
            limits: Arc::default(),
            heartbeat: Some(Duration::from_secs(15)),
            retry: Duration::from_secs(2),
        }
    }
}

impl FanoutOptions {
    pub(crate) fn pace(&self, limits: &Limits) -> Pace {
        Pace { heartbeat: self.heartbeat, slow_client_timeout: limits.slow_client_timeout }
    }
}

/// A reader whose topics, rights and place are known.
pub struct Subscription {
    /// What it shares with others.
    pub group: GroupSpec,
    /// Its own rights.
    pub grants: Grants,
    /// It gets what is after this place.
    pub cursor: Sequence,
    /// `text/event-stream` bytes that go out before any event, without chunk framing.
    pub opening: Bytes,
    /// What binds it to the token it came with; `None`: nothing, it came without.
    pub lease: Option<Arc<Lease>>,
    /// Dropped when its session is gone, under a shard's lock: that must be quick and must not panic.
    pub companion: Option<Companion>,
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { group, cursor, lease, .. } = self;
        let fields = [("group", group as &dyn fmt::Debug), ("cursor", cursor), ("lease", lease)];
        let mut shown = f.debug_struct("Subscription");
        for (name, value) in fields {
            shown.field(name, value);
        }
        shown.finish_non_exhaustive()
    }
}

/// The running shards. Ends them when it is dropped.
pub struct Fanout {
    handle: FanoutHandle,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

/// A way to bring sessions to the shards.
#[derive(Clone)]
pub struct FanoutHandle {
    shards: Arc<[ShardHandle]>,
    next: Arc<AtomicUsize>,
}

struct ShardHandle {
    inbox: Arc<Inbox>,
    /// Its thread holds the lock for a turn and leaves it while it sleeps.
    shard: Arc<Mutex<Shard>>,
    /// Sessions that are in the shard or on their way to it.
    sessions: Arc<AtomicUsize>,
}

impl Fanout {
    /// Starts the shards; they read from `engine` until they are stopped.
    ///
    /// # Errors
    /// When the system gives no thread or no poll.
    pub fn start(engine: &Arc<dyn Engine>, counters: &Arc<Counters>, options: &FanoutOptions) -> io::Result<Self> {
        let mut shards = Vec::new();
        let mut threads = Vec::new();
        for number in 0..options.shards.max(1) {
            let poll = Poll::new()?;
            let inbox = Arc::new(Inbox::new(Waker::new(poll.registry(), WAKER_TOKEN)?));
            let sessions = Arc::new(AtomicUsize::new(0));
            let (its_inbox, its_count) = (Arc::clone(&inbox), Arc::clone(&sessions));
            let (engine, counters, options) = (Arc::clone(engine), Arc::clone(counters), options.clone());
            let thread = std::thread::Builder::new().name(format!("tidings-shard-{number}"));
            let registry = poll.registry().try_clone()?;
            let shard = Shard::new(registry, its_inbox, its_count, engine, counters, options);
            let shard = Arc::new(Mutex::new(shard));
            let its_shard = Arc::clone(&shard);
            threads.push(thread.spawn(move || run(poll, &its_shard))?);
            shards.push(ShardHandle { inbox, shard, sessions });
        }
        let handle = FanoutHandle { shards: shards.into(), next: Arc::new(AtomicUsize::new(0)) };
        engine.listen(Arc::new(CommitsToShards(Arc::downgrade(&handle.shards))));
        Ok(Self { handle, threads: Mutex::new(threads) })
    }

    /// A way to bring sessions to the shards.
    pub fn handle(&self) -> &FanoutHandle {
        &self.handle
    }

    /// Ends all sessions, spread over `over`, each between two frames; whoever still comes is ended at once.
    pub fn drain(&self, over: Duration) {
        for shard in &*self.handle.shards {
            shard.inbox.send(Message::Drain(over));
        }
    }

    /// Ends the shards and what is still in them. Waits for their threads.
    pub fn stop(&self) {
        for shard in &*self.handle.shards {
            shard.inbox.send(Message::Stop);
        }
        let threads = std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        for thread in threads {
            if thread.join().is_err() {
                tracing::error!("a shard had ended by a panic");
            }
        }
    }
}

impl Drop for Fanout {
    fn drop(&mut self) {
        self.stop();
    }
}

impl FanoutHandle {
    /// Sessions in the shards, or on their way there.
    pub fn sessions(&self) -> usize {
        self.shards.iter().map(|shard| shard.sessions.load(Ordering::Relaxed)).sum()
    }

    /// Gives a socket to a shard. `head` is the head of the response, up to and with its blank line; the body follows
    /// in chunks. The head and the opening are written here: the reader does not wait until the shard wakes.
    pub fn join_direct(&self, socket: TcpStream, head: &[u8], mut subscription: Subscription, permit: Permit) {
        let Ok(lease) = hold(&mut subscription) else { return };
        if let Some(joining) = greet(mio::net::TcpStream::from_std(socket), head, subscription, lease, permit) {
            self.choose().join(joining);
        }
    }

    /// Gives the reader of the answer, who comes from `address`, to a shard.
    pub fn join_body(&self, mut subscription: Subscription, address: Option<IpAddr>) -> EventStream {
        let shard = self.choose();
        let (outbox, stream) = outbox(Arc::clone(&shard.inbox), address);
        let opening = std::mem::take(&mut subscription.opening);
        if let Ok(lease) = hold(&mut subscription) {
            shard.join(Joining { way: Way::Body(outbox), opening, subscription, lease, permit: None });
        }
        stream
    }

    /// The way to tell a shard something, if there are so many.
    pub(crate) fn inbox(&self, shard: u32) -> Option<&Inbox> {
        self.shards.get(shard as usize).map(|shard| &*shard.inbox)
    }

    /// The shard with the fewest sessions; among equals, each in turn.
    fn choose(&self) -> &ShardHandle {
        let first = self.next.fetch_add(1, Ordering::Relaxed);
        (0..self.shards.len())
            .map(|offset| &self.shards[first.wrapping_add(offset) % self.shards.len()])
            .min_by_key(|shard| shard.sessions.load(Ordering::Relaxed))
            .expect("there is at least one shard")
    }
}

/// Writes the head and the opening of a stream; what is not taken, the session owes. Nothing when the reader is gone.
fn greet(
    mut stream: mio::net::TcpStream,
    head: &[u8],
    subscription: Subscription,
    lease: Option<Hold>,
    permit: Permit,
) -> Option<Joining> {
    let opening = Chunk::build(subscription.opening.len(), |out| out.extend_from_slice(&subscription.opening));
    let mut opening = Bytes::from([head, opening.wire()].concat());
    match socket::send(&mut stream, &opening).ok()? {
        Sent::All => opening.clear(),
        Sent::Part(taken) => opening.advance(taken),
        Sent::Nothing => {}
    }
    Some(Joining { way: Way::Direct(stream), opening, subscription, lease, permit: Some(permit) })
}

/// Takes up the lease of a session, if it has one. A lease is for one session: the second with it is ended unheard.
fn hold(subscription: &mut Subscription) -> Result<Option<Hold>, LeaseTaken> {
    let Some(lease) = subscription.lease.take() else { return Ok(None) };
    let hold = Hold::of(lease).ok_or(LeaseTaken);
    if hold.is_err() {
        tracing::error!("a session came with the lease of another one and is ended");
    }
    hold.map(Some)
}

struct LeaseTaken;

/// Tells the shards of commits for as long as they are there. It does not keep them: they keep the engine.
struct CommitsToShards(Weak<[ShardHandle]>);

impl CommitListener for CommitsToShards {
    fn on_commit(&self, topic: &Topic, tail: Sequence) {
        let Some(shards) = self.0.upgrade() else { return };
        let hash = [TopicHash::of(topic.as_str())];
        for shard in &*shards {
            if shard.inbox.concerns(&hash, tail) {
                shard.deliver_or_tell(topic);
            }
        }
    }

    fn on_group_commit(&self, topics: &[Topic], tail: Sequence) {
        let Some(shards) = self.0.upgrade() else { return };
        let hashes: Vec<_> = topics.iter().map(|topic| TopicHash::of(topic.as_str())).collect();
        for shard in &*shards {
            if shard.inbox.concerns(&hashes, tail) {
                // Whatever it concerns, no publisher that comes by writes it: a group is the work of many.
                shard.inbox.tell_big_news();
            }
        }
    }
}

impl ShardHandle {
    /// Takes a session in at once if the shard sleeps: waking a thread costs more than the work. Else the shard, which
    /// is awake, finds it in its inbox.
    fn join(&self, joining: Joining) {
        self.sessions.fetch_add(1, Ordering::Relaxed);
        let sleeping = self.shard.try_lock().ok().filter(|_| !self.inbox.has_work());
        match sleeping {
            Some(mut shard) => shard.join_from_outside(joining),
            // The lock is left: a shard that has ended drops the session here, and what hangs on it.
            None => self.inbox.send(Message::Join(Box::new(joining))),
        }
    }

    /// Delivers on this thread what was just committed, if the shard sleeps and few readers want it: a publisher does not
    /// wait for a fan-out, but waking a thread costs more than one or two writes. Else the shard is told.
    fn deliver_or_tell(&self, topic: &Topic) {
        match self.shard.try_lock() {
            Ok(mut shard) => {
                if self.inbox.has_only_small_news() && shard.deliver_from_outside(topic) {
                    return;
                }
                self.inbox.tell_big_news();
            }
            // Whoever has it, the shard's thread or another publisher, looks for news before it leaves.
            Err(_) => self.inbox.tell_news(),
        }
    }
}

#[cfg(test)]
mod tests {
    use tidings_core::{Epoch, MemoryEngine, MemoryOptions};

    use super::*;

    /// The engine kept the shards, which keep the engine: a hub that was dropped stayed for ever.
    #[test]
    fn shards_that_are_dropped_leave_the_engine_alone() {
        let memory = MemoryEngine::new(Epoch::from_unix_micros(0), MemoryOptions::default());
        let engine: Arc<dyn Engine> = Arc::new(memory);
        let options = FanoutOptions { shards: 2, ..FanoutOptions::default() };
        let fanout = Fanout::start(&engine, &Arc::default(), &options).expect("there are threads");
        assert_eq!(Arc::strong_count(&engine), 3, "each shard has it");
        drop(fanout);
        assert_eq!(Arc::strong_count(&engine), 1);
    }
}
