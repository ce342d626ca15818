//! Waiting for events, and doing meanwhile all that there is to do. No task is spawned: whoever waits drives the client.

use super::event::Event;
use super::handle::{Client, Inner};
use super::observe;
use super::own_device::random;
use super::record_names::Numbered;
use super::run_intents::is_local;
use super::transaction::{Operation, Transaction};
use crate::error::{Error, ErrorKind, Fault, Result};
use crate::runtime::async_trait;
use crate::transport::Delivery;
use core::pin::{Pin, pin};
use core::task::{Context, Poll};
use core::time::Duration;
use futures_util::future::{Either, select};
use futures_util::stream::{Stream, StreamExt, unfold};
use std::sync::atomic::Ordering;
use std::sync::{MutexGuard, PoisonError};

/// The longest wait before the client looks after itself, in seconds.
const LONGEST_WAIT: u64 = 3_600;
/// The first wait after the server could not be used, in milliseconds, doubled each time.
const FIRST_BACKOFF: u64 = 500;
const LONGEST_BACKOFF: u64 = 60_000;
/// How often mail is taken in at most before a sync ends: a server that sends without end does not keep it.
const BATCHES: usize = 1_024;

/// A client's events, one after the other; see [`Client::events`].
///
/// ```
#[doc = include_str!("../../docs/examples/two_clients.txt")]
/// alice.send("bob", "hello").await?;
/// let mut events: Events = bob.events();
/// let event = events.next().await.expect("the client is open")?;
/// bob.confirm(event.id).await?;
/// bob.close().await?;
/// assert!(events.next().await.is_none());
#[doc = include_str!("../../docs/examples/end.txt")]
/// ```
pub struct Events {
    #[cfg(not(target_family = "wasm"))]
    stream: Pin<Box<dyn Stream<Item = Result<Event>> + Send>>,
    #[cfg(target_family = "wasm")]
    stream: Pin<Box<dyn Stream<Item = Result<Event>>>>,
}

impl Events {
    pub(super) fn new(client: Client) -> Self {
        let stream = unfold(Some(client), async |client| {
            let client = client?;
            match client.next_event().await {
                Err(error)
                    if error.kind() == ErrorKind::Closed && error.code() == Error::from(Fault::ClientClosed).code() =>
                {
                    None
                }
                Err(error) => Some((Err(error), None)),
                Ok(event) => Some((Ok(event), Some(client))),
            }
        });
        Self { stream: Box::pin(stream) }
    }

    /// The next event; `None` after the client was closed, or after an error.
    ///
    /// # Errors
    /// As [`Client::next_event`]: what the network hinders is no error, and what remains does not go away by waiting.
    pub async fn next(&mut self) -> Option<Result<Event>> {
        self.stream.next().await
    }
}

impl Stream for Events {
    type Item = Result<Event>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.stream.as_mut().poll_next(context)
    }
}

impl Inner {
    pub(super) async fn next_event(&self) -> Result<Event> {
        loop {
            self.check_open()?;
            if let Some(event) = self.take_event().await? {
                return Ok(event);
            }
            self.give_precedence().await;
            let _one_at_a_time = self.pumping.lock().await;
            if let Some(event) = self.take_event().await? {
                return Ok(event);
            }
            self.turn().await?;
        }
    }

    /// One turn of the wheel: do what is due, then wait for something.
    async fn turn(&self) -> Result<()> {
        let woken = self.wake.listen();
        self.check_open()?;
        if self.syncing.load(Ordering::SeqCst) > 0 {
            return Ok(());
        }
        let wait = self.do_what_is_due().await?;
        let receive = pin!(self.transport.receive());
        let sleep = self.clock.sleep(wait);
        let wait = pin!(async {
            let (woken, sleep) = (pin!(woken), pin!(sleep));
            select(woken, sleep).await;
        });
        match select(receive, wait).await {
            Either::Left((Ok(deliveries), _)) => {
                self.trouble.store(0, Ordering::Relaxed);
                self.take_in(&deliveries).await
            }
            Either::Left((Err(error), _)) if error.is_retryable() || error.kind() == ErrorKind::InvalidAnswer => {
                self.check_open()?;
                let woken = self.wake.listen();
                let backoff = self.note_trouble(&error);
                select(pin!(woken), self.clock.sleep(backoff)).await;
                Ok(())
            }
            Either::Left((Err(error), _)) => self.explain(error).await,
            Either::Right(_) => Ok(()),
        }
    }

    /// A server that does not know this device any more: perhaps it was removed from its account, and the account's list says so.
    async fn explain(&self, error: Error) -> Result<()> {
        if error.code() != Error::from(Fault::TransportLogin).code() {
            return Err(error);
        }
        if self.transaction().own_device().await?.unlinked {
            return Err(Fault::ClientUnlinked.into());
        }
        let asked = self.refresh_devices(self.address.name()).await;
        self.tolerate(asked)?;
        if self.transaction().own_device().await?.unlinked { Ok(()) } else { Err(error) }
    }

    pub(super) async fn sync(&self, patience: Duration) -> Result<()> {
        let _before_whoever_waits = Precedence::take(self);
        let _one_at_a_time = self.pumping.lock().await;
        self.last_trouble().take();
        for _ in 0..BATCHES {
            self.check_open()?;
            self.do_what_is_due().await?;
            let trouble = self.last_trouble().take();
            if let Some(error) = trouble {
                return Err(error);
            }
            match self.receive_within(patience).await {
                Ok(Some(deliveries)) => self.take_in(&deliveries).await?,
                Ok(None) => break,
                Err(error) => {
                    self.explain(error).await?;
                    break;
                }
            }
        }
        self.forget_delivered().await
    }

    /// Waits until nobody syncs.
    async fn give_precedence(&self) {
        loop {
            let synced = self.synced.listen();
            if self.syncing.load(Ordering::SeqCst) == 0 {
                return;
            }
            synced.await;
        }
    }

    fn last_trouble(&self) -> MutexGuard<'_, Option<Error>> {
        self.last_trouble.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn receive_within(&self, patience: Duration) -> Result<Option<Vec<Delivery>>> {
        let receive = pin!(self.transport.receive());
        let sleep = pin!(self.clock.sleep(patience));
        match select(receive, sleep).await {
            Either::Left((deliveries, _)) => deliveries.map(Some),
            Either::Right(_) => Ok(None),
        }
    }

    /// I12: publishes, encrypts and sends what is due. Returns how long nothing else will be.
    async fn do_what_is_due(&self) -> Result<Duration> {
        let now = self.clock.now().as_secs();
        let kept_up = self.kept_up.load(Ordering::Relaxed);
        if self.upkeep_due.load(Ordering::Relaxed) || self.settings.is_upkeep_due(kept_up, now) {
            let is_round = self.settings.is_upkeep_due(kept_up, now);
            let done = self.upkeep().await;
            self.tolerate(done)?;
            // A device that slept while others were linked or removed learns of it here.
            if is_round {
                let asked = self.refresh_devices(self.address.name()).await;
                self.tolerate(asked)?;
            }
        }
        self.retry_held(now).await?;
        let next = self.run_intents().await?;
        for _ in 0..2 {
            match self.flush().await {
                // The store was an older copy; with its new sessions it goes on.
                Err(error) if error.code() == Error::from(Fault::ClientRolledBack).code() => {
                    let done = self.upkeep().await;
                    self.tolerate(done)?;
                    self.run_intents().await?;
                }
                flushed => {
                    self.tolerate(flushed.map(|_| ()))?;
                    break;
                }
            }
        }
        let asked = self.ask_about_mentioned().await;
        self.tolerate(asked)?;
        let mut wait = Duration::from_secs(LONGEST_WAIT);
        if let Some(next) = next {
            wait = wait.min(Duration::from_secs(next.saturating_sub(self.clock.now().as_secs())));
        }
        if let Some(waiting) = self.waiting_for().await? {
            wait = wait.min(waiting);
        }
        if let Some(due) = self.held_until() {
            wait = wait.min(Duration::from_secs(due.saturating_sub(self.clock.now().as_secs()).max(1)));
        }
        Ok(wait)
    }

    /// How long what waits in the outbox, or to be published, is best left alone.
    async fn waiting_for(&self) -> Result<Option<Duration>> {
        let rows = self.store.scan(&Numbered::Outbox.all(), None, 256).await?.entries;
        let (now, mut wait) = (self.clock.now().as_secs(), None::<Duration>);
        let settled = self.settled_envelopes();
        let mut waiting = 0;
        for (number, _) in rows.iter().filter(|(number, _)| !settled.contains(number)) {
            waiting += 1;
            let until = self.postponed_until(*number).unwrap_or_default();
            let left = Duration::from_secs(until.saturating_sub(now)).max(self.backoff());
            wait = Some(wait.map_or(left, |known| known.min(left)));
        }
        observe::outbox(waiting);
        if self.upkeep_due.load(Ordering::Relaxed) {
            wait = Some(self.backoff());
        }
        Ok(wait)
    }

    /// What the network hinders is tried again; anything else is the caller's to know.
    pub(super) fn tolerate(&self, done: Result<()>) -> Result<()> {
        match done {
            Ok(()) => Ok(()),
            Err(error) if is_local(&error) => Err(error),
            Err(error) => {
                self.note_trouble(&error);
                Ok(())
            }
        }
    }

    fn note_trouble(&self, error: &Error) -> Duration {
        observe::trouble(error.code());
        *self.last_trouble() = Some(error.clone());
        // One step for each wait, however many calls fail meanwhile: whoever sends much while the server is away does not wait longer for its return.
        let now = self.clock.now();
        let mut until = self.troubled_until.lock().unwrap_or_else(PoisonError::into_inner);
        if now < *until && *until - now <= Duration::from_millis(LONGEST_BACKOFF) {
            return *until - now;
        }
        self.trouble.fetch_add(1, Ordering::Relaxed);
        let backoff = self.backoff();
        *until = now + backoff;
        backoff
    }

    /// Exponential, with full jitter: many clients of a server that comes back do not all come at once.
    fn backoff(&self) -> Duration {
        let doublings = self.trouble.load(Ordering::Relaxed).min(16);
        let most = (FIRST_BACKOFF << doublings).min(LONGEST_BACKOFF);
        let jitter = random::<8>().map_or(most, |bytes| u64::from_be_bytes(bytes) % most);
        Duration::from_millis(jitter.max(50))
    }

    /// Removes envelopes that the server has from the store, where no other commit took them along.
    pub(super) async fn forget_delivered(&self) -> Result<()> {
        if self.settled_envelopes().is_empty() {
            return Ok(());
        }
        self.transact(ForgetDelivered).await.map(|_| ())
    }
}

/// While one is there, whoever waits for events lets go of the client.
struct Precedence<'a>(&'a Inner);

impl<'a> Precedence<'a> {
    fn take(inner: &'a Inner) -> Self {
        inner.syncing.fetch_add(1, Ordering::SeqCst);
        inner.wake.notify(usize::MAX);
        Self(inner)
    }
}

impl Drop for Precedence<'_> {
    fn drop(&mut self) {
        self.0.syncing.fetch_sub(1, Ordering::SeqCst);
        self.0.synced.notify(usize::MAX);
    }
}

struct ForgetDelivered;

#[cfg_attr(not(target_family = "wasm"), async_trait)]
#[cfg_attr(target_family = "wasm", async_trait(?Send))]
impl Operation for ForgetDelivered {
    type Output = ();

    async fn plan(&mut self, transaction: &mut Transaction<'_>) -> Result<()> {
        transaction.counters().await?.touch();
        Ok(())
    }
}
