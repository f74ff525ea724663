//! Keys that another server publishes (RFC 7517): kept by their names, fetched again, and kept on when that fails.
//!
//! Only [`KeySet::keep_fresh`] fetches, in whoever's task runs it: a reader that goes away in the middle stops no fetch that
//! others wait for, and however many unknown names come, there is one fetch at a time and a pause after it.

mod fetch;
mod keys;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use tidings_core::Rarely;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::algorithm::Algorithm;
use crate::error::{TokenError, excerpt};
use crate::key::{KeyError, VerifyingKey};

use fetch::Fetcher;
use keys::Keys;

/// Where a key set is.
#[derive(Clone, Debug)]
pub enum JwksSource {
    /// At an `https://` or `http://` address.
    Url(String),
    /// In a file, which is read again like an address.
    File(PathBuf),
}

/// How a key set is kept.
#[derive(Clone, Copy, Debug)]
pub struct JwksOptions {
    /// How often the set is fetched when nothing asks for it. Default: 5 minutes.
    pub refresh_interval: Duration,
    /// How long after a fetch the next one begins at the earliest, whatever names tokens bring. Default: 10 s.
    pub refresh_pause: Duration,
    /// How long a fetch may take in all. Default: 5 s.
    pub fetch_time_max: Duration,
    /// Whether shared secrets (`oct`) in the set count; a set that others can read must not have any. Default: no.
    pub takes_secrets: bool,
}

impl Default for JwksOptions {
    fn default() -> Self {
        Self {
            refresh_interval: Duration::from_mins(5),
            refresh_pause: Duration::from_secs(10),
            fetch_time_max: Duration::from_secs(5),
            takes_secrets: false,
        }
    }
}

/// Most bytes of a key set. Unit: bytes.
const SET_BYTES_MAX: usize = 256 * 1024;
/// How soon a failed fetch is tried again when nothing asks for it.
const RETRY_INTERVAL_MAX: Duration = Duration::from_secs(30);

/// A key set and its state.
#[derive(Debug)]
pub struct KeySet {
    origin: Origin,
    options: JwksOptions,
    /// `None` until it was there for the first time.
    keys: RwLock<Option<Arc<Keys>>>,
    attempts: Mutex<Attempts>,
    /// Grows with each attempt, good or not.
    round: watch::Sender<u64>,
    wanted: Notify,
    /// Whether it makes sense to wait for a fetch: somebody does it, or will in a moment.
    is_kept: AtomicBool,
    fetches_total: AtomicU64,
    failures_total: AtomicU64,
    /// How often a failure is logged: tokens with unknown names make us fetch.
    said: Rarely,
}

#[derive(Debug)]
enum Origin {
    Url(Fetcher),
    File(PathBuf),
}

#[derive(Debug, Default)]
struct Attempts {
    is_fetching: bool,
    /// When the next one may begin.
    next_at: Option<Instant>,
    /// Why the last one failed.
    fault: Option<String>,
    /// When the last good one ended.
    read_at: Option<Instant>,
}

/// What a key set has to count, for metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KeySetCounts {
    /// Attempts to fetch it.
    pub fetches_total: u64,
    /// Those that failed; the keys of before stayed.
    pub failures_total: u64,
    /// The keys that there are now.
    pub keys: usize,
    /// Keys of the set that are not used: of another purpose, an unknown kind, secret, or broken.
    pub keys_ignored: usize,
    /// How long ago it was fetched; `None`: not since this authority began.
    pub age: Option<Duration>,
}

/// What the set has for a token.
pub(crate) enum Lookup {
    Found(Arc<VerifyingKey>),
    /// No fetch would change that.
    Refused(TokenError),
    /// Perhaps the set has it by now.
    Unknown,
}

impl KeySet {
    /// Takes a source; reads it if it is a file.
    ///
    /// # Errors
    /// [`KeyError`] when the address is none, or the file cannot be read or has no key.
    pub(crate) fn new(source: JwksSource, options: JwksOptions) -> Result<Self, KeyError> {
        let (origin, keys) = match source {
            JwksSource::Url(url) => (Origin::Url(Fetcher::new(&url)?), None),
            JwksSource::File(path) => match read_file(&path, &options) {
                Ok(keys) if keys.len() > 0 => (Origin::File(path), Some(Arc::new(keys))),
                Ok(_) => return Err(KeyError::File { path, fault: "it has no key to check tokens with".to_owned() }),
                Err(fault) => return Err(KeyError::File { path, fault }),
            },
        };
        // Whoever has an address will fetch it, though perhaps not at this instant; a file is good without that.
        let is_kept = matches!(origin, Origin::Url(_));
        Ok(Self {
            origin,
            options,
            keys: RwLock::new(keys),
            attempts: Mutex::default(),
            round: watch::Sender::new(0),
            wanted: Notify::new(),
            is_kept: AtomicBool::new(is_kept),
            fetches_total: AtomicU64::new(0),
            failures_total: AtomicU64::new(0),
            said: Rarely::new(),
        })
    }

    /// What there is to count.
    pub fn counts(&self) -> KeySetCounts {
        let keys = self.keys();
        KeySetCounts {
            fetches_total: self.fetches_total.load(Ordering::Relaxed),
            failures_total: self.failures_total.load(Ordering::Relaxed),
            keys: keys.as_ref().map_or(0, |keys| keys.len()),
            keys_ignored: keys.as_ref().map_or(0, |keys| keys.ignored()),
            age: self.attempts().read_at.map(|at| at.elapsed()),
        }
    }

    /// Takes the keys of `old` until the first fetch, if they are of the same address and were read by the same rule.
    pub(crate) fn take_keys_of(&self, old: &Self) {
        let (Origin::Url(ours), Origin::Url(theirs)) = (&self.origin, &old.origin) else { return };
        if ours.is_same_address(theirs) && self.options.takes_secrets == old.options.takes_secrets {
            let mut keys = self.keys.write().unwrap_or_else(PoisonError::into_inner);
            if keys.is_none() {
                *keys = old.keys();
            }
        }
    }

    /// The key of a token that names `key_id` and is signed with `algorithm`.
    pub(crate) fn look_up(&self, key_id: Option<&str>, algorithm: Algorithm) -> Lookup {
        // No set of public keys can have one for it: it is not even worth a fetch.
        if algorithm.is_symmetric() && !self.options.takes_secrets {
            let expected = "an algorithm of the key set, whose keys are public".to_owned();
            return Lookup::Refused(TokenError::WrongAlgorithm { found: algorithm, expected });
        }
        self.keys().map_or(Lookup::Unknown, |keys| keys.look_up(key_id, algorithm))
    }

    /// As [`look_up`](Self::look_up), after the set has been fetched anew; at once if that was done a moment ago.
    ///
    /// # Errors
    /// [`TokenError`] when the set has no such key, or cannot be had.
    pub(crate) async fn fetched_for(
        &self,
        key_id: Option<&str>,
        algorithm: Algorithm,
    ) -> Result<Arc<VerifyingKey>, TokenError> {
        let mut round = self.round.subscribe();
        if self.asks() {
            // The fetch has its own limit; this one is for a task that does not run.
            let limit = self.options.fetch_time_max + Duration::from_secs(1);
            let _ = timeout(limit, round.changed()).await;
        }
        match self.look_up(key_id, algorithm) {
            Lookup::Found(key) => Ok(key),
            Lookup::Refused(error) => Err(error),
            Lookup::Unknown => Err(self.unknown(key_id)),
        }
    }

    /// Fetches for ever. See [`Authority::keep_keys_fresh`](crate::Authority::keep_keys_fresh).
    pub(crate) async fn keep_fresh(&self) {
        let _kept = Kept::begin(&self.is_kept);
        loop {
            let is_good = self.fetch().await;
            let interval = self.options.refresh_interval;
            let asked = async {
                sleep(self.options.refresh_pause).await;
                self.wanted.notified().await;
            };
            tokio::select! {
                () = asked => {}
                () = sleep(if is_good { interval } else { interval.min(RETRY_INTERVAL_MAX) }) => {}
            }
            let begins = self.attempts().next_at;
            if let Some(begins) = begins {
                sleep_until(begins).await;
            }
        }
    }

    /// Asks for a fetch; returns whether there will be one to wait for.
    fn asks(&self) -> bool {
        if !self.is_kept.load(Ordering::Acquire) {
            return false;
        }
        let attempts = self.attempts();
        if attempts.is_fetching {
            return true;
        }
        let is_due = attempts.next_at.is_none_or(|next| next <= Instant::now());
        if is_due {
            self.wanted.notify_one();
        }
        is_due
    }

    async fn fetch(&self) -> bool {
        self.attempts().is_fetching = true;
        // Set back if this future is dropped in the middle, or nobody would ever ask again.
        let _fetching = Fetching(self);
        let result = match &self.origin {
            Origin::Url(fetcher) => match fetcher.fetch(self.options.fetch_time_max).await {
                Ok(bytes) => Keys::parse(&bytes, self.options.takes_secrets),
                Err(fault) => Err(fault),
            },
            Origin::File(path) => read_file(path, &self.options),
        };
        self.fetches_total.fetch_add(1, Ordering::Relaxed);
        let fault = match result {
            Ok(keys) => {
                tracing::debug!(keys = keys.len(), ignored = keys.ignored(), "key set read");
                *self.keys.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(keys));
                None
            }
            Err(fault) => {
                self.failures_total.fetch_add(1, Ordering::Relaxed);
                if let Some(unsaid_before) = self.said.admit(std::time::Instant::now()) {
                    tracing::warn!(fault, unsaid_before, "key set cannot be read; the keys of before stay");
                }
                Some(fault)
            }
        };
        let is_good = fault.is_none();
        let mut attempts = self.attempts();
        attempts.fault = fault;
        if is_good {
            attempts.read_at = Some(Instant::now());
        }
        attempts.next_at = Some(Instant::now() + self.options.refresh_pause);
        drop(attempts);
        is_good
    }

    fn unknown(&self, key_id: Option<&str>) -> TokenError {
        if self.keys().is_none() {
            let fault = self.attempts().fault.clone();
            return TokenError::KeysUnavailable(fault.map_or_else(
                || "the key set has not been fetched yet".to_owned(),
                |fault| format!("the key set cannot be fetched ({fault})"),
            ));
        }
        TokenError::UnknownKey { kid: excerpt(key_id.unwrap_or_default()) }
    }

    fn keys(&self) -> Option<Arc<Keys>> {
        self.keys.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn attempts(&self) -> MutexGuard<'_, Attempts> {
        self.attempts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// While it lives, somebody fetches.
struct Kept<'a>(&'a AtomicBool);

impl<'a> Kept<'a> {
    fn begin(is_kept: &'a AtomicBool) -> Self {
        is_kept.store(true, Ordering::Release);
        Self(is_kept)
    }
}

impl Drop for Kept<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

/// While it lives, a fetch is on its way; with it all that wait for one go on.
struct Fetching<'a>(&'a KeySet);

impl Drop for Fetching<'_> {
    fn drop(&mut self) {
        self.0.attempts().is_fetching = false;
        self.0.round.send_modify(|round| *round += 1);
    }
}

/// A small file of this machine: reading it holds up nobody for long.
fn read_file(path: &Path, options: &JwksOptions) -> Result<Keys, String> {
    use std::io::Read;
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(|error| format!("it cannot be opened: {error}"))?;
    let limit = SET_BYTES_MAX as u64 + 1;
    file.take(limit).read_to_end(&mut bytes).map_err(|error| format!("it cannot be read: {error}"))?;
    if bytes.len() > SET_BYTES_MAX {
        return Err(too_large());
    }
    Keys::parse(&bytes, options.takes_secrets)
}

fn too_large() -> String {
    format!("it has more than {} KiB", SET_BYTES_MAX / 1024)
}
