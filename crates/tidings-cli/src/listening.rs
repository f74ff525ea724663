//! A hub with its ports and signals: opened, announced, served until it is asked to stop, drained.
//!
//! What it is to be stands in `config::Plan`; what it does is the library's.

use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tidings::{Action, Authority, Hub};
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::certificate::CertificateFiles;
use crate::config::Plan;
use crate::descriptors;
use crate::exit::Failure;
use crate::keys;
use crate::say;
use crate::settings_again::SettingsAgain;
use crate::signals::{HangUps, StopSignals};
use crate::store;

/// A hub whose ports are bound and which serves nobody yet.
pub(crate) struct ListeningHub {
    hub: Hub,
    /// What its listeners speak.
    scheme: &'static str,
    listeners: Vec<Listener>,
    admin: Option<Listener>,
    drain: Duration,
    signals: StopSignals,
    hang_ups: HangUps,
    again: Arc<SettingsAgain>,
}

struct Listener {
    socket: TcpListener,
    /// With the real port.
    address: SocketAddr,
}

impl ListeningHub {
    /// Reads all keys, binds all ports, opens the history and builds the hub. `again` can do the first once more. Must be called within a Tokio runtime, at its start: opening
    /// a long history may take a second or two.
    ///
    /// # Errors
    /// A [`Failure`] that names the port or the directory that cannot be had and what to do, or what else the system
    /// refuses.
    pub(crate) fn open(plan: Plan, again: SettingsAgain) -> Result<Self, Failure> {
        let (signals, hang_ups) = (StopSignals::listen()?, HangUps::listen()?);
        let mut authority = None;
        if !plan.is_open() {
            authority = Some(Arc::new(keys::authority(&plan.keys).map_err(Failure::usage)?));
        }
        let certificate = plan.certificate.as_ref().map(CertificateFiles::read).transpose().map_err(Failure::usage)?;
        let admin_token = plan.admin_token.as_ref().map(keys::admin_token).transpose().map_err(Failure::usage)?;
        let scheme = if certificate.is_some() { "https" } else { "http" };
        let bind_all = plan.listen.iter().map(|&address| Listener::bind("--listen", address));
        let listeners = bind_all.collect::<Result<_, _>>()?;
        let admin = plan.admin_listen.map(|address| Listener::bind("--admin-listen", address)).transpose()?;
        let drain = plan.drain;
        let connections_max = descriptors::connections_max(plan.connections_max);
        // After the ports: a program that cannot have them does not touch the history of the one that has.
        let engine = store::open(&plan.place, &plan.history, plan.ids_resolve_by_time())?;
        warn_of_keys_that_are_missing(&plan, authority.as_deref());
        let mut builder = plan.into_builder(connections_max);
        if let Some(authority) = authority {
            builder = builder.authority(authority);
        }
        if let Some(certificate) = certificate {
            builder = builder.tls(certificate);
        }
        if let Some(admin_token) = admin_token {
            builder = builder.admin_token(admin_token);
        }
        let hub = match engine {
            Some(engine) => builder.engine(engine),
            None => builder,
        };
        let hub = hub.build().map_err(|error| Failure::running(format!("the hub cannot start: {error}")))?;
        Ok(Self { hub, scheme, listeners, admin, drain, signals, hang_ups, again: Arc::new(again) })
    }

    /// The hub itself.
    pub(crate) fn hub(&self) -> &Hub {
        &self.hub
    }

    /// Where it can be reached: its first address, as a person on this machine writes it.
    pub(crate) fn url(&self) -> String {
        let address = self.listeners.first().map(|listener| listener.address);
        let mut address = address.expect("--listen has a default, so there is one");
        if address.ip().is_unspecified() {
            address.set_ip(match address {
                SocketAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
                SocketAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
            });
        }
        format!("{}://{address}", self.scheme)
    }

    /// Serves until a signal asks it to stop, then drains. A second signal ends it at once.
    ///
    /// # Errors
    /// A [`Failure`] when a listener fails, or a second signal cut the drain short.
    pub(crate) async fn serve(self) -> Result<(), Failure> {
        let Self { hub, scheme, listeners, admin, drain, mut signals, mut hang_ups, again } = self;
        let addresses: Vec<_> = listeners.iter().map(|listener| listener.address).collect();
        let admin_address = admin.as_ref().map(|admin| admin.address);

        // Held while the hub serves and drains, so that the admin listener tells of the drain to its end.
        let (drained, when_drained) = oneshot::channel::<()>();
        let admin = admin.map(|admin| tokio::spawn(serve_admin(hub.clone(), admin, when_drained)));

        let (stop, when_stopped) = oneshot::channel::<()>();
        let sockets = listeners.into_iter().map(|listener| listener.socket).collect();
        let mut serving = pin!(hub.serve(sockets, until_closed(when_stopped), drain));
        let asked_twice = async {
            // Serving was polled once when this is: the hub accepts, and only then is the announcement true.
            announce(scheme, &addresses, admin_address);
            signals.next().await;
            tracing::info!(?drain, "asked to stop: streams are being ended; a second signal ends at once");
            drop(stop);
            signals.next().await;
        };
        let reading_again = async {
            loop {
                hang_ups.next().await;
                again.read(&hub, descriptors::connections_max).await;
            }
        };
        tokio::select! {
            biased;
            served = &mut serving => served.map_err(|error| Failure::running(format!("the hub failed: {error}")))?,
            never = reading_again => match never {},
            () = asked_twice => return Err(Failure::running("a second signal ended the hub before its streams had ended")),
        }

        drop(drained);
        if let Some(admin) = admin {
            // Somebody who reads slowly from the admin listener does not keep the program alive.
            let _ = timeout(ADMIN_GRACE, admin).await;
        }
        tracing::info!("stopped");
        Ok(())
    }
}

/// A hub that is closed and has no key for something lets nobody do that: probably somebody's slip.
fn warn_of_keys_that_are_missing(plan: &Plan, authority: Option<&Authority>) {
    let Some(authority) = authority else { return };
    if !authority.can(Action::Publish) {
        tracing::warn!(
            "there is no key for publishers, so nobody may publish; --publisher-jwt-key or --jwks-url gives one"
        );
    }
    if !authority.can(Action::Subscribe) && !plan.allows_anonymous() {
        tracing::warn!(
            "there is no key for readers, so nobody may listen; --subscriber-jwt-key or --jwks-url gives one, and \
             --anonymous lets everybody read public events"
        );
    }
}

/// How long requests to the admin listener may take to end after everything else has.
const ADMIN_GRACE: Duration = Duration::from_millis(500);

/// Ends when the other end of `when_drained` is dropped.
async fn serve_admin(hub: Hub, admin: Listener, when_drained: oneshot::Receiver<()>) {
    if let Err(error) = hub.serve_admin(admin.socket, until_closed(when_drained)).await {
        tracing::error!(%error, "the admin listener failed; the hub goes on without it");
    }
}

async fn until_closed(sender: oneshot::Receiver<()>) {
    // Nothing is ever sent: dropping the other end is the message.
    let _ = sender.await;
}

fn announce(scheme: &str, addresses: &[SocketAddr], admin: Option<SocketAddr>) {
    for address in addresses {
        say::result(format_args!("listening on {scheme}://{address}"));
    }
    if let Some(address) = admin {
        say::result(format_args!("admin listening on http://{address}"));
    }
}

impl Listener {
    fn bind(flag: &str, address: SocketAddr) -> Result<Self, Failure> {
        let listener = || -> io::Result<Self> {
            let socket = TcpListener::bind(address)?;
            // Asked again with more: std's backlog of 128 would turn most of a reconnect storm away. The kernel caps it.
            rustix::net::listen(&socket, BACKLOG)?;
            let address = socket.local_addr()?;
            Ok(Self { socket, address })
        };
        listener().map_err(|error| Failure::running(cannot_listen(flag, address, &error)))
    }
}

/// Connections that the kernel holds while none of them is accepted.
const BACKLOG: i32 = 4096;

/// Why a port cannot be had, and what to do about it.
fn cannot_listen(flag: &str, address: SocketAddr, error: &io::Error) -> String {
    let advice = match error.kind() {
        ErrorKind::AddrInUse => "another program has this port; stop it, or choose another port (0 takes any free one)",
        ErrorKind::PermissionDenied => {
            "ports below 1024 are kept for privileged programs; choose another port, or grant CAP_NET_BIND_SERVICE"
        }
        ErrorKind::AddrNotAvailable => "this machine has no such address; choose one of its own",
        _ => "choose another address or port",
    };
    format!("cannot listen on {address} ({flag}): {error}; {advice}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_that_is_taken_is_named_with_what_to_do() {
        let first = Listener::bind("--listen", "127.0.0.1:0".parse().expect("an address")).expect("a free port");
        let second = Listener::bind("--admin-listen", first.address);
        let failure = second.map(|_| ()).expect_err("the port is taken").to_string();
        assert!(failure.contains(&first.address.to_string()), "{failure}");
        assert!(failure.contains("--admin-listen") && failure.contains("choose another port"), "{failure}");
    }
}
