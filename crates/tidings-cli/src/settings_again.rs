//! The settings of a running hub, made again when the program is told to (SIGHUP): keys, certificate and limits count from
//! then on. If anything is wrong with any of them, all stays as it was.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use thiserror::Error;
use tidings::{Authority, Hub, Limits, TlsIdentity};

use crate::certificate::CertificateFiles;
use crate::config::{Given, HubSettings, Plan, Purpose};
use crate::keys;

/// What the settings were made of.
pub(crate) struct SettingsAgain {
    given: Given,
    purpose: Purpose,
    has_keys: bool,
    has_certificate: bool,
    /// What holds now, as it was written.
    written: Mutex<BTreeMap<String, String>>,
}

/// All that can change while a hub runs, read and parsed.
struct Fresh {
    authority: Option<Authority>,
    certificate: Option<TlsIdentity>,
    limits: Limits,
    connections_max: Option<usize>,
    written: BTreeMap<String, String>,
}

/// What cannot change while a hub runs.
#[derive(Debug, Error)]
enum FixedError {
    #[error("the hub began {} keys and they cannot {} while it runs; start it anew", with(*.0), go(*.0))]
    Keys(bool),
    #[error("the hub began {} a certificate and it cannot {} while it runs; start it anew", with(*.0), go(*.0))]
    Certificate(bool),
}

fn with(has: bool) -> &'static str {
    if has { "with" } else { "without" }
}

fn go(has: bool) -> &'static str {
    if has { "all go" } else { "come" }
}

/// Keys of the file whose values count as soon as they are read again: those of this table, but for some.
const TABLE_READ_AGAIN: &str = "limits";
/// These are the history's, which was told of them when it was opened.
const FIXED_LIMITS: [&str; 2] = ["max-topics", "max-idempotency-keys"];
/// What says which keys there are, beside the secrets themselves.
const OF_KEYS: [&str; 6] =
    ["publisher-jwt-alg", "subscriber-jwt-alg", "jwks-url", "jwt-issuer", "jwt-audience", "jwt-leeway"];
const OF_CERTIFICATE: [&str; 2] = ["tls-cert", "tls-key"];

impl SettingsAgain {
    /// Of the settings that `plan` was made of.
    pub(crate) fn new(given: Given, purpose: Purpose, settings: &HubSettings, plan: &Plan) -> Self {
        Self {
            given,
            purpose,
            has_keys: plan.keys.is_any(),
            has_certificate: plan.certificate.is_some(),
            written: Mutex::new(settings.written.clone()),
        }
    }

    /// Reads the file of settings, all keys and the certificate again and has the hub go by them; if anything is wrong,
    /// it goes on as it was. Says in the log which, what has changed, and what needs a new start.
    pub(crate) async fn read(self: &Arc<Self>, hub: &Hub, connections_max: impl FnOnce(Option<usize>) -> usize) {
        let again = Arc::clone(self);
        match tokio::task::spawn_blocking(move || again.fresh()).await {
            Ok(Ok(fresh)) => self.take_over(hub, fresh, connections_max),
            Ok(Err(reason)) => {
                let reason = in_one_line(&*reason);
                tracing::error!(reason, "the settings were not read again; those of before still count");
            }
            Err(panic) => {
                tracing::error!(%panic, "reading the settings again has failed; those of before still count");
            }
        }
    }

    fn fresh(&self) -> Result<Fresh, Box<dyn fmt::Display + Send>> {
        let settings = self.given.clone().settle().map_err(boxed)?;
        let plan = Plan::of(&settings, self.purpose).map_err(boxed)?;
        if self.has_keys != plan.keys.is_any() {
            return Err(boxed(FixedError::Keys(self.has_keys)));
        }
        if self.has_certificate != plan.certificate.is_some() {
            return Err(boxed(FixedError::Certificate(self.has_certificate)));
        }
        let authority = self.has_keys.then(|| keys::authority(&plan.keys)).transpose().map_err(boxed)?;
        let certificate = plan.certificate.as_ref().map(CertificateFiles::read).transpose().map_err(boxed)?;
        let (limits, connections_max) = (plan.limits().clone(), plan.connections_max);
        Ok(Fresh { authority, certificate, limits, connections_max, written: settings.written })
    }

    fn take_over(&self, hub: &Hub, fresh: Fresh, connections_max: impl FnOnce(Option<usize>) -> usize) {
        let Fresh { authority, certificate, limits, connections_max: asked, written } = fresh;
        let before =
            std::mem::replace(&mut *self.written.lock().unwrap_or_else(PoisonError::into_inner), written.clone());
        if let Some(authority) = authority {
            hub.replace_authority(Arc::new(authority));
            tracing::info!("the keys were read again and count from now on");
        } else {
            tracing::info!("asked to read the keys again, and there are none");
        }
        if let Some(certificate) = certificate {
            hub.replace_tls(certificate);
            tracing::info!("the certificate was read again and is shown to new connections from now on");
        }
        hub.replace_limits(Limits { connections_max: connections_max(asked), ..limits });
        let (counting, waiting): (Vec<_>, Vec<_>) =
            changes(&before, &written).into_iter().partition(Change::counts_at_once);
        tracing::info!(changes = listed(&counting), "the limits were read again and count from now on");
        if !waiting.is_empty() {
            tracing::warn!(
                changes = listed(&waiting),
                "settings have changed that count only when the hub is started anew"
            );
        }
    }
}

/// A key whose value is another one than before.
#[derive(Debug, PartialEq, Eq)]
struct Change<'a> {
    key: &'a str,
    before: Option<&'a str>,
    after: Option<&'a str>,
}

impl Change<'_> {
    fn counts_at_once(&self) -> bool {
        let table = crate::config::table_of(self.key);
        let is_limit = table.as_deref() == Some(TABLE_READ_AGAIN) && !FIXED_LIMITS.contains(&self.key);
        is_limit || OF_KEYS.contains(&self.key) || OF_CERTIFICATE.contains(&self.key)
    }
}

impl fmt::Display for Change<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const DEFAULT: &str = "its default";
        write!(f, "{}: {} -> {}", self.key, self.before.unwrap_or(DEFAULT), self.after.unwrap_or(DEFAULT))
    }
}

fn changes<'a>(before: &'a BTreeMap<String, String>, after: &'a BTreeMap<String, String>) -> Vec<Change<'a>> {
    let mut keys: Vec<_> = before.keys().chain(after.keys()).map(String::as_str).collect();
    keys.sort_unstable();
    keys.dedup();
    let change = |key| {
        let of = |written: &'a BTreeMap<String, String>| written.get(key).map(String::as_str);
        Change { key, before: of(before), after: of(after) }
    };
    keys.into_iter().map(change).filter(|change| change.before != change.after).collect()
}

fn listed(changes: &[Change<'_>]) -> String {
    match changes {
        [] => "none".to_owned(),
        changes => changes.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "),
    }
}

/// A fault for each line of a file is a line of its own; the log has one for all.
fn in_one_line(reason: &dyn fmt::Display) -> String {
    reason.to_string().lines().map(str::trim).collect::<Vec<_>>().join(" ")
}

fn boxed(error: impl fmt::Display + Send + 'static) -> Box<dyn fmt::Display + Send> {
    Box::new(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_changed_is_told_by_its_key() {
        let written = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
            pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
        };
        let before = written(&[("max-connections", "5"), ("listen", "127.0.0.1:1"), ("retry", "2s")]);
        let after = written(&[("max-connections", "6"), ("listen", "127.0.0.1:1"), ("max-topics", "9")]);
        let changes = changes(&before, &after);
        assert_eq!(listed(&changes), "max-connections: 5 -> 6; max-topics: its default -> 9; retry: 2s -> its default");
        let at_once: Vec<_> = changes.iter().map(Change::counts_at_once).collect();
        assert_eq!(at_once, [true, false, false]);
        assert_eq!(listed(&[]), "none");
    }
}
