//! A shard: one thread that owns sockets, groups and deadlines, and carries all that was committed to its sessions.
//!
//! A turn of it: what sockets and others say, what was committed since (`live`), who is behind (`replay`; what is not at
//! hand is `elsewhere`), what is due (`deadlines`). It sleeps only when none of these has anything to do, or for a moment after much work (`rest`);
//! then others may work for it (`outside`).

mod batch;
mod deadlines;
mod elsewhere;
mod fetches;
mod lag;
mod leases;
mod live;
mod look;
mod outside;
mod replay;
mod rest;
mod rights;
mod roster;
mod sample;
mod turns;

use std::collections::VecDeque;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use mio::event::Event;
use mio::{Events, Interest, Poll, Registry, Token};
use tidings_core::session::{Next, Pace, Session, Tick};
use tidings_core::{CloseReason, Counters, Dialect, Engine, Limit, Limits, Rarely, Record, Sequence, Timestamp};
use tidings_wire::{COMMENT, Chunk, LAST_CHUNK, encode_retry};

use self::deadlines::Timers;
use self::elsewhere::{Failures, fetches_max};
pub(crate) use self::fetches::FetchNumber;
use self::fetches::{Fetches, PageStart};
use self::lag::LagMeter;
use self::replay::Pages;
use self::rest::Rest;
use self::roster::{Entry, Leaver, Newcomer, Roster};
use self::sample::Sampler;
use self::turns::Turns;
use crate::fanout::{FanoutOptions, Subscription};
use crate::inbox::{Inbox, Joining, Message, SessionKey};
use crate::lease::Hold;
use crate::socket::{self, Received};
use crate::way::Way;

/// Under this token a poll reports that the shard was woken.
pub(crate) const WAKER_TOKEN: Token = Token(usize::MAX);

const EVENTS_PER_POLL: usize = 1024;
/// Runs a shard on this thread until it is told to stop.
pub(crate) fn run(mut poll: Poll, shard: &Mutex<Shard>) {
    let lock = || shard.lock().unwrap_or_else(PoisonError::into_inner);
    let mut events = Events::with_capacity(EVENTS_PER_POLL);
    let mut timeout = Some(Duration::ZERO);
    loop {
        match poll.poll(&mut events, timeout) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => {
                tracing::error!(%error, "a shard cannot poll its sockets and ends");
                return end(lock());
            }
        }
        let mut shard = lock();
        if !shard.turn(&events) {
            return end(shard);
        }
        timeout = shard.time_to_sleep();
        let left = std::mem::take(&mut shard.left);
        drop(shard);
        drop(left); // what hangs on it may take a while, or come back to the shard
    }
}

fn end(mut shard: MutexGuard<'_, Shard>) {
    let unheard = shard.stop();
    let left = std::mem::take(&mut shard.left);
    drop(shard);
    drop((unheard, left)); // as above
}

/// What a shard knows.
pub(crate) struct Shard {
    registry: Registry,
    inbox: Arc<Inbox>,
    session_count: Arc<AtomicUsize>,
    engine: Arc<dyn Engine>,
    counters: Arc<Counters>,
    options: FanoutOptions,
    pace: Pace,
    /// As they were at the begin of the turn.
    limits: Arc<Limits>,
    limits_version: u64,
    heartbeat: Chunk,
    began: Instant,
    now: Tick,
    roster: Roster,
    timers: Timers,
    /// All up to and with this place was carried to the live sessions.
    position: Sequence,
    /// Who has something to do beside waiting for new events: behind, or with an end to say. Each at most once.
    runnable: VecDeque<SessionKey>,
    pages: Pages,
    fetches: Fetches,
    failures: Failures,
    pinned_bytes: usize,
    drain: Option<Duration>,
    /// Leases of sessions that are gone. The shard's thread drops them once it has left the shard's lock.
    left: Vec<Hold>,
    rest: Rest,
    turns: Turns,
    lag: LagMeter,
    sampler: Sampler,
    /// Its thread looks at the timers again by then.
    sleeps_until: Tick,
    // Room that is used again each turn.
    records: Vec<Arc<Record>>,
    dirty_groups: Vec<u32>,
}

impl Shard {
    pub(crate) fn new(
        registry: Registry,
        inbox: Arc<Inbox>,
        session_count: Arc<AtomicUsize>,
        engine: Arc<dyn Engine>,
        counters: Arc<Counters>,
        options: FanoutOptions,
    ) -> Self {
        let position = engine.tail();
        let limits_version = options.limits.version();
        let limits = options.limits.get();
        inbox.set_carried(position);
        let fetches = Fetches::new(fetches_max(&limits));
        Self {
            roster: Roster::new(Arc::clone(&inbox)),
            registry,
            inbox,
            session_count,
            position,
            engine,
            counters,
            pace: options.pace(&limits),
            limits,
            limits_version,
            options,
            heartbeat: Chunk::build(COMMENT.len(), |out| out.extend_from_slice(COMMENT)),
            began: Instant::now(),
            now: Tick(0),
            timers: Timers::new(),
            runnable: VecDeque::new(),
            pages: Pages::default(),
            fetches,
            failures: Failures::default(),
            pinned_bytes: 0,
            drain: None,
            left: Vec::new(),
            rest: Rest::new(Instant::now()),
            turns: Turns::default(),
            lag: LagMeter::default(),
            sampler: Sampler::default(),
            sleeps_until: Tick(0),
            records: Vec::new(),
            dirty_groups: Vec::new(),
        }
    }

    /// One turn. Answers whether the shard goes on.
    fn turn(&mut self, events: &Events) -> bool {
        self.inbox.stay_awake();
        self.rest.begin_turn(Instant::now());
        self.look_at_limits();
        self.tick();
        for event in events {
            self.on_socket(event);
        }
        let mut messages = self.inbox.take();
        self.inbox.take_news();
        // The place of whoever joins was resolved before this: the shard must not stand before it.
        self.deliver_through(self.engine.tail());
        for message in messages.drain(..) {
            match message {
                Message::Join(joining) => self.on_join(*joining),
                Message::Writable(key) => self.on_writable(key),
                Message::Gone(key) => self.remove(key, CloseReason::Gone),
                Message::Lease(key) => self.on_lease(key),
                Message::Fetched(number, answer) => self.on_fetched(number, answer),
                Message::Drain(over) => self.on_drain(over),
                // Whoever asked may have left meanwhile.
                Message::Look(shard, request, answer) => drop(answer.send(self.look(shard, &request))),
                Message::End(ending, answer) => drop(answer.send(self.end_sessions(&ending))),
                Message::Stop => return false,
            }
        }
        self.replay();
        self.on_deadlines();
        true
    }

    /// Takes new limits over, if there are any. What a session has of the old ones, such as its end of life, it keeps.
    fn look_at_limits(&mut self) {
        let version = self.options.limits.version();
        if version != self.limits_version {
            self.limits_version = version;
            self.limits = self.options.limits.get();
            self.pace = self.options.pace(&self.limits);
        }
    }

    fn time_to_sleep(&mut self) -> Option<Duration> {
        let due = self.timers.next_due();
        self.sleeps_until = due.unwrap_or(Tick::NEVER);
        if !self.runnable.is_empty() || self.timers.has_more_due() {
            return Some(Duration::ZERO);
        }
        let commits_waiting = self.engine.tail().0.saturating_sub(self.position.0);
        if let Some(rest) = self.rest.due(Instant::now(), commits_waiting) {
            let has_messages = self.inbox.fall_asleep_for_a_rest();
            return Some(if has_messages { Duration::ZERO } else { rest.min(self.until(due)) });
        }
        self.inbox.fall_asleep();
        // A publisher that committed before it could see a new topic of ours has not told us.
        let may_have_missed = self.roster.take_is_wider() && self.engine.tail() > self.position;
        if may_have_missed || self.inbox.has_work() {
            return Some(Duration::ZERO);
        }
        due.is_some().then(|| self.until(due))
    }

    fn until(&self, due: Option<Tick>) -> Duration {
        due.map_or(Duration::MAX, |due| Duration::from_millis(due.0.saturating_sub(self.now.0)))
    }

    fn tick(&mut self) {
        self.now = Tick::of(self.began.elapsed());
    }

    fn on_socket(&mut self, event: &Event) {
        if event.token() == WAKER_TOKEN {
            return;
        }
        let key = SessionKey::of_token(event.token());
        // The one it is about may be gone, and another in its place: work is done for a shard while it polls.
        let Some(entry) = self.roster.get(key) else { return };
        if event.is_error() {
            return self.remove(key, CloseReason::Broken);
        }
        if (event.is_readable() || event.is_read_closed())
            && let Some(reason) = reason_to_leave(&mut entry.way, event.is_read_closed())
        {
            return self.remove(key, reason);
        }
        if event.is_writable() {
            self.on_writable(key);
        }
    }

    fn on_writable(&mut self, key: SessionKey) {
        let Some(entry) = self.roster.get(key) else { return };
        if entry.session.is_blocked() {
            self.update(key, Session::on_writable);
            self.make_runnable(key);
        }
    }

    fn on_join(&mut self, joining: Joining) {
        let Joining { way, opening, subscription, lease, permit } = joining;
        let Subscription { group: spec, grants, cursor, companion, .. } = subscription;
        let counters = Arc::clone(&self.counters);
        match way {
            Way::Direct(_) => {
                counters.joined_direct.increment();
                counters.sessions_direct.add(1);
            }
            Way::Body(_) => {
                counters.joined_body.increment();
                counters.sessions_body.add(1);
            }
        }
        let lifetime = self.limits.connection_lifetime.map(|longest| {
            let spread = longest.mul_f64(0.9 + 0.1 * fastrand::f64());
            (self.now.after(spread), CloseReason::Lifetime)
        });
        let mut session = Session::new(cursor, lifetime, self.now);
        session.owe(opening);
        self.pinned_bytes += session.pinned_bytes();
        counters.pinned_bytes.add(session.pinned_bytes() as u64);
        let key = self.roster.insert(
            Newcomer { session, way, spec, grants, lease, companion, permit, joins_at: self.position },
            &counters,
        );
        let Some(entry) = self.roster.get(key) else { return };
        let is_there = match &mut entry.way {
            Way::Body(outbox) => outbox.attach(key),
            Way::Direct(stream) => self.registry.register(stream, key.to_token(), Interest::READABLE).is_ok(),
        };
        if !is_there {
            return self.remove(key, CloseReason::Gone);
        }
        self.schedule(key);
        if let Some(over) = self.drain {
            self.end_within(key, over);
        }
        self.attach_lease(key);
        self.advance(key);
    }

    /// Does for a session what can be done now; what remains is done in its turn.
    fn advance(&mut self, key: SessionKey) {
        loop {
            let Some(entry) = self.roster.get(key) else { return };
            match entry.session.next(self.position) {
                Next::Wait | Next::Live => return,
                Next::Flush => self.flush(key),
                Next::Join => {
                    self.gives_turn_back(key);
                    self.roster.join_live(key, &self.counters);
                }
                Next::Read(_) => return self.make_runnable(key),
                Next::Close(reason) => return self.remove(key, reason),
            }
        }
    }

    /// Writes what a session still owes.
    fn flush(&mut self, key: SessionKey) {
        let outbox_bytes_max = self.limits.batch_bytes_max;
        let Some(entry) = self.roster.get(key) else { return };
        let Some(pending) = entry.session.pending() else { return };
        match entry.way.send(pending, outbox_bytes_max) {
            Ok(sent) => {
                let now = self.now;
                self.update(key, |session| session.on_pending_sent(sent, now));
            }
            Err(_) => self.remove(key, CloseReason::Broken),
        }
    }

    /// Changes a session and keeps all that hangs on it true: its group, what it pins, its deadline.
    fn update(&mut self, key: SessionKey, change: impl FnOnce(&mut Session)) {
        let Some(entry) = self.roster.get(key) else { return };
        let (slot, pinned) = (entry.session.slot(), entry.session.pinned_bytes());
        let was_blocked = entry.session.is_blocked();
        change(&mut entry.session);
        let (slot_after, pinned_after) = (entry.session.slot(), entry.session.pinned_bytes());
        self.pinned_bytes = self.pinned_bytes - pinned + pinned_after;
        self.counters.pinned_bytes.add(pinned_after as u64);
        self.counters.pinned_bytes.subtract(pinned as u64);
        if let (Some(slot), None) = (slot, slot_after) {
            self.roster.leave_live(key, slot, &self.counters);
        }
        let Some(entry) = self.roster.get(key) else { return };
        if entry.session.is_blocked() && !was_blocked || entry.session.is_closing() {
            self.gives_turn_back(key);
        }
        // After the accounts above, which a removal relies on.
        let Some(entry) = self.roster.get(key) else { return };
        if entry.session.is_blocked()
            && !was_blocked
            && let Way::Direct(stream) = &mut entry.way
        {
            // Asked for only when it matters: else each new socket, which is writable, would wake the shard.
            let interest = Interest::READABLE | Interest::WRITABLE;
            if let Err(error) = self.registry.reregister(stream, key.to_token(), interest) {
                static SAID: Rarely = Rarely::new();
                if let Some(unsaid_before) = SAID.admit(Instant::now()) {
                    tracing::error!(%error, unsaid_before, "a slow reader cannot be watched and is closed");
                }
                return self.remove(key, CloseReason::Broken);
            }
        }
        while pinned_after > pinned && self.pinned_bytes > self.buffered_bytes_max() {
            // Those who have taken nothing for longest make room: each holds half a frame, so nothing more can be said
            // to it. One that is only busy with a large event is not among them.
            let Some(slowest) = self.roster.longest_stalled() else { break };
            self.counters.reach(Limit::BufferedBytes);
            self.remove(slowest, CloseReason::Lagged);
        }
        self.schedule(key);
    }

    /// This shard's part of what may be held for readers.
    fn buffered_bytes_max(&self) -> usize {
        self.limits.buffered_bytes_max / self.options.shards.max(1)
    }

    /// Ends a session in good order: what is pending, the end of the body, the end of the connection.
    fn close(&mut self, key: SessionKey, reason: CloseReason) {
        let dialect = self.roster.group_of(key).map_or(Dialect::Plain, |group| group.spec.dialect);
        let retry = (reason == CloseReason::Drain && dialect == Dialect::Plain).then(|| self.jittered_retry());
        let retry = Chunk::build(32, |out| {
            if let Some(ms) = retry {
                encode_retry(ms, out);
            }
        });
        let Some(entry) = self.roster.get(key) else { return };
        let farewell: Bytes = match entry.way {
            Way::Direct(_) => [retry.wire(), LAST_CHUNK].concat().into(),
            Way::Body(_) => retry.payload(),
        };
        self.update(key, |session| session.close(reason, &farewell));
        self.advance(key);
    }

    /// Takes a session out, whatever state it is in.
    fn remove(&mut self, key: SessionKey, reason: CloseReason) {
        let Some(leaver) = self.roster.remove(key, &self.counters) else { return };
        let Leaver { session, way, group, lease, turn, .. } = leaver;
        self.turn_is_over(turn);
        self.left.extend(lease);
        if session.awaits_page() {
            self.fetches.leave(PageStart { group, cursor: session.cursor(self.position) }, key);
        }
        self.pinned_bytes -= session.pinned_bytes();
        self.counters.pinned_bytes.subtract(session.pinned_bytes() as u64);
        self.counters.closed(reason).increment();
        match way {
            Way::Direct(_) => self.counters.sessions_direct.subtract(1),
            Way::Body(_) => self.counters.sessions_body.subtract(1),
        }
        self.session_count.fetch_sub(1, Ordering::Relaxed);
        if session.pending().is_none() {
            way.end();
        }
    }

    fn make_runnable(&mut self, key: SessionKey) {
        if let Some(entry) = self.roster.get(key)
            && !entry.is_runnable
        {
            entry.is_runnable = true;
            self.runnable.push_back(key);
        }
    }

    fn on_drain(&mut self, over: Duration) {
        self.drain = Some(Duration::ZERO);
        for key in self.roster.keys() {
            self.end_within(key, over);
        }
    }

    fn end_within(&mut self, key: SessionKey, over: Duration) {
        let at = self.now.after(over.mul_f64(fastrand::f64()));
        self.update(key, |session| session.end_by(at, CloseReason::Drain));
    }

    /// Ends it. Answers what it was told and has not heard.
    fn stop(&mut self) -> Option<Vec<Message>> {
        let unheard = self.inbox.close();
        for key in self.roster.keys() {
            self.remove(key, CloseReason::Drain);
        }
        unheard
    }

    fn jittered_retry(&self) -> u64 {
        let ms = self.options.retry.mul_f64(0.75 + fastrand::f64() * 0.5).as_millis();
        u64::try_from(ms).unwrap_or(u64::MAX)
    }

    fn wall_clock() -> Timestamp {
        let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_millis(u64::try_from(since_1970.as_millis()).unwrap_or(u64::MAX))
    }
}

/// A reader says nothing after its request: what its socket has for us can only be its end, or a mistake.
fn reason_to_leave(way: &mut Way, is_read_closed: bool) -> Option<CloseReason> {
    let Way::Direct(stream) = way else { return None };
    let mut buffer = [0; 256];
    match socket::receive(stream, &mut buffer) {
        Ok(Received::Nothing) => is_read_closed.then_some(CloseReason::Gone),
        Ok(Received::End) => Some(CloseReason::Gone),
        Ok(Received::Bytes(_)) => Some(CloseReason::UnexpectedBytes),
        Err(_) => Some(CloseReason::Broken),
    }
}
