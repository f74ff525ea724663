//! A subscriber's presence: while it lives, its subscriptions are in the table; when it comes and when it goes, a private
//! update for each of them says so.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

use tidings_core::{AppendError, Appended, Counters, Engine, EngineError, Publication};
use tidings_topic::Topic;
use tidings_wire::{EventId, EventType};
use tokio::runtime::Handle;

use crate::auth::Caller;
use crate::mercure::active::{Active, ActiveSubscriptions, Subscriber};
use crate::mercure::caller::{new_subscriber_id, new_update_id};
use crate::mercure::dialect::Dialect;
use crate::mercure::document::{subscription, subscription_id};
use crate::mercure::parameters::Matcher;
use crate::state::{HttpState, wall_clock};

/// One subscriber, for as long as its session lives. It is dropped with the session, on whatever thread that ends.
pub(super) struct Presence {
    table: Arc<ActiveSubscriptions>,
    engine: Arc<dyn Engine>,
    counters: Arc<Counters>,
    /// Where its last updates are published: dropping must not wait.
    runtime: Handle,
    matchers: Vec<Matcher>,
    subscriber: Arc<Subscriber>,
    is_announced: bool,
}

impl Presence {
    /// A subscriber that is not announced yet; nothing while active subscriptions are off.
    pub(super) fn of(state: &HttpState, caller: &Caller, matchers: &[Matcher]) -> Option<Self> {
        if !state.config.mercure.subscriptions {
            return None;
        }
        Some(Self {
            table: Arc::clone(&state.active),
            engine: Arc::clone(&state.engine),
            counters: Arc::clone(&state.counters),
            runtime: Handle::current(),
            matchers: matchers.to_vec(),
            subscriber: Arc::new(Subscriber { id: new_subscriber_id().into(), identity: caller.identity().cloned() }),
            is_announced: false,
        })
    }

    /// Puts it into the table, and publishes that it is there.
    ///
    /// # Errors
    /// When the history takes nothing.
    pub(super) async fn announce(&mut self) -> Result<(), EngineError> {
        self.table.enter(&self.matchers, &self.subscriber);
        self.is_announced = true; // from here on whatever happens, its going is told
        publish(&*self.engine, &self.counters, updates(&self.matchers, &self.subscriber, true)).await
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        if !self.is_announced {
            return;
        }
        self.table.leave(&self.matchers, &self.subscriber);
        let (engine, counters) = (Arc::clone(&self.engine), Arc::clone(&self.counters));
        let (matchers, subscriber) = (std::mem::take(&mut self.matchers), Arc::clone(&self.subscriber));
        // One task for each session that ends, so there are no more of them than connections. Where the runtime is gone
        // the hub is too, and nobody is told.
        self.runtime.spawn(async move {
            let updates = updates(&matchers, &subscriber, false);
            if let Err(error) = publish(&*engine, &counters, updates).await {
                tracing::debug!(%error, "that a subscriber has gone was not published");
            }
        });
    }
}

/// An update for each subscription of a subscriber.
fn updates(matchers: &[Matcher], subscriber: &Arc<Subscriber>, is_active: bool) -> Vec<Publication> {
    let actives =
        matchers.iter().map(|matcher| Active { matcher: matcher.clone(), subscriber: Arc::clone(subscriber) });
    actives.filter_map(|active| update(&active, is_active)).collect()
}

/// What is published of a subscription; nothing when its id is too long to be a topic.
fn update(active: &Active, is_active: bool) -> Option<Publication> {
    let topic = Topic::parse(&subscription_id(active)).ok()?;
    let document = String::from_utf8(subscription(active, is_active, None)).ok()?;
    let event_type = match active.matcher.kind.dialect() {
        Dialect::Zero => None,
        Dialect::One => Some(EventType::parse("mercure").expect("a plain word")),
    };
    Some(Publication {
        event_type,
        id: Some(EventId::parse(&new_update_id(wall_clock())).expect("a UUID has only plain characters")),
        takes_any_id: true,
        private: true,
        ..Publication::new(topic, document)
    })
}

/// Publishes all, side by side: each may wait for the disk.
async fn publish(engine: &dyn Engine, counters: &Counters, updates: Vec<Publication>) -> Result<(), EngineError> {
    type Append<'a> = Pin<Box<dyn Future<Output = Result<Appended, AppendError>> + Send + 'a>>;
    let mut appends: Vec<Append<'_>> = Vec::with_capacity(updates.len());
    for update in updates {
        let bytes = update.data.len() as u64;
        let append = engine.append(update, wall_clock());
        appends.push(Box::pin(async move {
            let appended = append.await?;
            counters.published.increment();
            counters.published_bytes.add(bytes);
            Ok(appended)
        }));
    }
    let mut outcome = Ok(());
    poll_fn(|cx| {
        appends.retain_mut(|append| match append.as_mut().poll(cx) {
            Poll::Pending => true,
            Poll::Ready(answer) => {
                if let Err(AppendError::Engine(error)) = answer {
                    outcome = Err(error);
                }
                false
            }
        });
        if appends.is_empty() { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    outcome
}
