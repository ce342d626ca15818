//! The client: what is shared by all its users, and the door to what it can do.

use super::builder::ClientBuilder;
use super::contacts::{ContactInfo, Decision};
use super::event::{Event, EventId};
use super::events::Events;
use super::incoming::Mentioned;
use super::own_device::OwnDevice;
use super::record_names;
use super::send::Sent;
use super::transaction::Transaction;
use crate::content::{Body, MessageId, Padding};
use crate::error::{Error, Fault, Result};
use crate::handshake::HandshakePolicy;
use crate::identity::{AccountKey, DidKey, Fingerprint, TrustPolicy};
use crate::profile::Undertone;
use crate::runtime::Clock;
use crate::store::SealedStore;
use crate::transport::Transport;
use crate::wire::Address;
use core::fmt;
use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// For how many seconds the clock may go back.
const CLOCK_TOLERANCE: u64 = 86_400;

/// How many seconds ago `then` was. A time far ahead was noted while the clock was wrong, and counts as long ago: nothing waits for it to come again.
pub(super) const fn age(now: u64, then: u64) -> u64 {
    if then > now.saturating_add(CLOCK_TOLERANCE) { u64::MAX } else { now.saturating_sub(then) }
}

/// One device of one account: sends to people, tells what comes from them, and keeps everything in its store.
///
/// It may be cloned and used from many tasks at once, and several processes may open one store. It starts no task of its own: what comes in is taken in while
/// [`next_event`](Self::next_event), [`events`](Self::events) or [`sync`](Self::sync) is awaited.
///
/// ```
#[doc = include_str!("../../docs/examples/two_clients.txt")]
/// let sent = alice.send("bob", "hello").await?;
/// let event = bob.next_event().await?;
/// let EventKind::Message(message) = &event.kind else { panic!("a message was sent") };
/// assert_eq!((message.sender.as_str(), message.id), ("alice", sent.id));
/// assert_eq!(message.body, Body::from("hello"));
/// assert!(bob.confirm(event.id).await?);
#[doc = include_str!("../../docs/examples/end.txt")]
/// ```
#[derive(Clone)]
pub struct Client {
    pub(super) inner: Arc<Inner>,
}

/// What all clones of a client share.
pub(super) struct Inner {
    pub(super) store: SealedStore,
    pub(super) transport: Arc<dyn Transport>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) settings: Settings,
    pub(super) address: Address,
    pub(super) account: AccountKey,
    /// Held from the first read of an operation to its commit: within one process there are no conflicts.
    pub(super) writer: async_lock::Mutex<()>,
    pub(super) flushing: async_lock::Mutex<()>,
    pub(super) keeping_up: async_lock::Mutex<()>,
    pub(super) pumping: async_lock::Mutex<()>,
    pub(super) told: async_lock::Mutex<Told>,
    /// How many callers sync, and what tells that one is done: whoever waits for events lets them go first.
    pub(super) syncing: AtomicUsize,
    pub(super) synced: event_listener::Event,
    /// Wakes whoever waits for events when there is something to do.
    pub(super) wake: event_listener::Event,
    /// How far the store had come when this client opened, what it has committed since, and the highest generation that it showed the server (I7).
    pub(super) opened_at: AtomicU64,
    pub(super) own_commits: AtomicU64,
    pub(super) shown: AtomicU64,
    /// Rows of the outbox below this were there when the client opened.
    pub(super) first_own_envelope: u64,
    pub(super) mentioned: Mutex<Mentioned>,
    /// When held envelopes are tried again, in seconds; `None` waits for a decision.
    pub(super) held_until: Mutex<Option<u64>>,
    pub(super) upkeep_due: AtomicBool,
    pub(super) kept_up: AtomicU64,
    /// How often in a row the server could not be used.
    pub(super) trouble: AtomicU32,
    pub(super) last_trouble: Mutex<Option<Error>>,
    /// Until when the server is left alone.
    pub(super) troubled_until: Mutex<Duration>,
    pub(super) closed: AtomicBool,
    pub(super) settled: Mutex<BTreeSet<u64>>,
    pub(super) postponed: Mutex<BTreeMap<u64, u64>>,
}

/// What an application decided when it opened the client.
#[derive(Clone, Copy)]
pub(super) struct Settings {
    pub(super) trust: TrustPolicy,
    pub(super) padding: Padding,
    pub(super) handshake: HandshakePolicy,
    pub(super) trust_clock: bool,
    pub(super) receipts: bool,
    /// Which open client this is: a random number.
    pub(super) instance: u64,
}

/// Events that were read from the store.
#[derive(Default)]
pub(super) struct Told {
    pub(super) ready: VecDeque<Event>,
    /// The last one that was read.
    pub(super) after: Option<u64>,
}

impl Client {
    /// Begins to open a client on `store`, which talks to its server through `transport`.
    #[must_use]
    pub fn builder(store: SealedStore, transport: impl Transport) -> ClientBuilder {
        ClientBuilder::new(store, Arc::new(transport))
    }

    /// The account's name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.inner.address.name()
    }

    /// The address of this device.
    #[must_use]
    pub fn address(&self) -> &Address {
        &self.inner.address
    }

    /// The account key's name.
    #[must_use]
    pub fn did(&self) -> DidKey {
        self.inner.account.did()
    }

    /// Sends `body` to every device of `account`, and to one's own other devices. Sending to one's own account is a note to one's other devices.
    ///
    /// On `Ok` the message is durable and goes out as soon as the server can be reached. It may then be forgotten by the caller.
    ///
    /// # Errors
    /// `contact.identity_changed`, `contact.no_devices`; the reason for which the recipient's only bundle was refused; `transport.unknown_account`; `devices.*` for a device list
    /// that was refused; `request.too_large`; `address.name`; `client.clock`, `client.unlinked`, `client.closed`; `store.*`.
    #[tracing::instrument(skip_all, err(Debug, level = "debug"))]
    pub async fn send(&self, account: &str, body: impl Into<Body>) -> Result<Sent> {
        self.check_open()?;
        self.inner.send(account, None, &body.into()).await
    }

    /// As [`send`](Self::send), under a name that the caller chose. A message with a name that was sent before is not sent again: after a crash, an application may repeat the call.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    ///
    /// ```
    #[doc = include_str!("../../docs/examples/two_clients.txt")]
    /// use undertone::content::MessageId;
    /// let id = MessageId::random(&mut getrandom::SysRng)?;
    /// alice.send_as("bob", id, "hello").await?;
    /// alice.send_as("bob", id, "hello").await?;
    /// bob.sync(core::time::Duration::ZERO).await?;
    /// assert!(bob.ready_event().await?.is_some());
    /// assert!(bob.ready_event().await?.is_none());
    #[doc = include_str!("../../docs/examples/end.txt")]
    /// ```
    #[tracing::instrument(skip_all, err(Debug, level = "debug"))]
    pub async fn send_as(&self, account: &str, id: MessageId, body: impl Into<Body>) -> Result<Sent> {
        self.check_open()?;
        self.inner.send(account, Some(id), &body.into()).await
    }

    /// The next event. Waits for one, and meanwhile does all that the client has to do: takes in, sends what waits, publishes prekeys.
    ///
    /// # Errors
    /// `store.*`, `client.unlinked`, `client.closed`, `transport.unauthorized`. A network that is down is no error: it is waited for.
    #[tracing::instrument(skip_all, err(Debug, level = "debug"))]
    pub async fn next_event(&self) -> Result<Event> {
        self.inner.next_event().await
    }

    /// The next event, if one is there. Does nothing else: [`sync`](Self::sync) brings them.
    ///
    /// # Errors
    /// `store.*`, `client.closed`.
    #[tracing::instrument(skip_all, err(Debug, level = "debug"))]
    pub async fn ready_event(&self) -> Result<Option<Event>> {
        self.check_open()?;
        self.inner.take_event().await
    }

    /// The events as a stream. It ends when the client is closed, or after an error of [`next_event`](Self::next_event).
    #[must_use]
    pub fn events(&self) -> Events {
        Events::new(self.clone())
    }

    /// Says that the application has taken care of an event: it will not be told again. False if it was confirmed before, by whatever process.
    ///
    /// # Errors
    /// `event.unknown`, `store.*`, `client.closed`.
    #[tracing::instrument(skip_all, err(Debug, level = "debug"))]
    pub async fn confirm(&self, event: EventId) -> Result<bool> {
        self.check_open()?;
        self.inner.confirm(event).await
    }

    /// Does all that can be done now, and returns once nothing has come from the server for `patience`: for a program that is woken for a moment. Whoever waits in
    /// [`next_event`](Self::next_event) lets it go first. A server that sends without end is left after a thousand batches.
    ///
    /// # Errors
    /// As [`next_event`](Self::next_event); what kept the server from being used, such as `transport.*`.
    #[tracing::instrument(skip_all, err(Debug, level = "debug"))]
    pub async fn sync(&self, patience: Duration) -> Result<()> {
        self.check_open()?;
        self.inner.sync(patience).await
    }

    /// What is known of an account.
    ///
    /// # Errors
    /// `contact.unknown`, `store.*`, `client.closed`.
    #[tracing::instrument(skip_all, err(Debug, level = "debug"))]
    pub async fn contact(&self, account: &str) -> Result<ContactInfo> {
        self.check_open()?;
        self.inner.contact_info(account).await
    }

    /// The safety number with an account: the same on both sides, if no one stands between.
    ///
    /// # Errors
    /// As [`contact`](Self::contact).
    #[tracing::instrument(skip_all, err(Debug, level = "debug"))]
    pub async fn safety_number(&self, account: &str) -> Result<Fingerprint<Undertone>> {
        self.check_open()?;
        self.inner.safety_number(account).await
    }

    /// Marks a contact as verified: `number` is the safety number that its user and this one compared aloud. A changed account key is accepted by it.
    ///
    /// # Errors
    /// As [`contact`](Self::contact); `contact.identity_changed` if the contact has another account key by now: the numbers are to be compared again.
    #[tracing::instrument(skip_all, err(Debug, level = "debug"))]
    pub async fn mark_verified(&self, account: &str, number: &Fingerprint<Undertone>) -> Result<()> {
        self.check_open()?;
        self.inner.decide(account, Decision::Compared(number)).await.map(|_| ())
    }

    /// Takes a verified mark back.
    ///
    /// # Errors
    /// As [`contact`](Self::contact).
    #[tracing::instrument(skip_all, err(Debug, level = "debug"))]
    pub async fn mark_unverified(&self, account: &str) -> Result<()> {
        self.check_open()?;
        self.inner.decide(account, Decision::Doubted).await.map(|_| ())
    }

    /// Compares a scanned safety number, and marks the contact as verified if it matches.
    ///
    /// # Errors
    /// As [`contact`](Self::contact); `fingerprint.*` for a code that is malformed or of another version.
    ///
    /// ```
    #[doc = include_str!("../../docs/examples/two_clients.txt")]
    /// # use undertone::identity::Verification;
    /// alice.send("bob", "hello").await?;
    /// # bob.next_event().await?;
    /// let on_bobs_screen = bob.safety_number("alice").await?.to_scan();
    /// assert!(alice.verify_scan("bob", &on_bobs_screen).await?);
    /// assert_eq!(alice.contact("bob").await?.verification, Verification::Verified);
    #[doc = include_str!("../../docs/examples/end.txt")]
    /// ```
    #[tracing::instrument(skip_all, err(Debug, level = "debug"))]
    pub async fn verify_scan(&self, account: &str, scan: &[u8]) -> Result<bool> {
        self.check_open()?;
        self.inner.decide(account, Decision::Scanned(scan)).await
    }

    /// Accepts a contact's changed account key: the one that [`ContactInfo::changed`] shows. The contact is unverified from then on.
    ///
    /// # Errors
    /// As [`contact`](Self::contact); `contact.identity_changed` if the contact shows another key by now.
    #[tracing::instrument(skip_all, err(Debug, level = "debug"))]
    pub async fn accept_identity(&self, account: &str, key: &DidKey) -> Result<()> {
        self.check_open()?;
        self.inner.decide(account, Decision::Accepted(key)).await.map(|_| ())
    }

    /// Ends the client: what waits stays in the store, and every later call fails with `client.closed`.
    ///
    /// # Errors
    /// `store.*`.
    #[tracing::instrument(skip_all, err(Debug, level = "debug"))]
    pub async fn close(&self) -> Result<()> {
        if self.inner.closed.swap(true, Ordering::SeqCst) {
            return Ok(());
        }
        self.inner.wake.notify(usize::MAX);
        let forgotten = self.inner.forget_delivered().await;
        self.inner.transport.close().await;
        self.inner.store.close().await?;
        forgotten
    }

    pub(super) fn check_open(&self) -> Result<()> {
        self.inner.check_open()
    }
}

/// Shows the device's number and no name.
impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("device", &self.inner.address.device()).finish_non_exhaustive()
    }
}

impl Inner {
    pub(super) fn check_open(&self) -> Result<()> {
        if self.closed.load(Ordering::SeqCst) { Err(Fault::ClientClosed.into()) } else { Ok(()) }
    }

    /// Rows of the outbox that the server has, and that are still in the store.
    pub(super) fn settled_envelopes(&self) -> BTreeSet<u64> {
        self.settled.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn settle(&self, number: u64) {
        self.settled.lock().unwrap_or_else(PoisonError::into_inner).insert(number);
    }

    pub(super) fn forget_settled(&self, numbers: &BTreeSet<u64>) {
        self.settled.lock().unwrap_or_else(PoisonError::into_inner).retain(|number| !numbers.contains(number));
        self.postponed.lock().unwrap_or_else(PoisonError::into_inner).retain(|number, _| !numbers.contains(number));
    }

    pub(super) fn postpone(&self, number: u64, until: u64) {
        self.postponed.lock().unwrap_or_else(PoisonError::into_inner).insert(number, until);
    }

    pub(super) fn is_postponed(&self, number: u64, now: u64) -> bool {
        self.postponed_until(number).is_some_and(|until| now < until)
    }

    pub(super) fn postponed_until(&self, number: u64) -> Option<u64> {
        self.postponed.lock().unwrap_or_else(PoisonError::into_inner).get(&number).copied()
    }
}

impl Transaction<'_> {
    /// This device.
    pub(super) async fn own_device(&mut self) -> Result<OwnDevice> {
        let stored = self.get(&record_names::own_device()).await?.ok_or(Fault::RecordCorrupt)?;
        OwnDevice::from_bytes(&stored)
    }

    /// This device, if it is still part of its account.
    pub(super) async fn own_device_in_use(&mut self) -> Result<OwnDevice> {
        let own = self.own_device().await?;
        if own.unlinked { Err(Fault::ClientUnlinked.into()) } else { Ok(own) }
    }

    /// A clock that was set back would make expired prekeys valid again, and new ones invalid.
    pub(super) async fn check_clock(&mut self, settings: &Settings) -> Result<()> {
        let now = self.now;
        let counters = self.counters().await?;
        if now.saturating_add(CLOCK_TOLERANCE) >= counters.newest() {
            counters.saw_time(now);
            return Ok(());
        }
        if !settings.trust_clock {
            return Err(Fault::ClientClock.into());
        }
        counters.set_time(now);
        Ok(())
    }
}
