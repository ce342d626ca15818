//! Receiving: session, prekeys, event and the mark of the envelope change in one commit; only then is the server told to forget it (section C5 of the
//! requirements: I2, M1).

use super::event::{SecurityEvent, SecurityKind};
use super::handle::{Inner, age};
use super::held::{HELD_AGE, HELD_WAIT};
use super::letters::Session;
use super::observe::Note;
use super::own_device::OwnDevice;
use super::record_names::{self, Numbered};
use super::run_intents::is_local;
use super::transaction::{Committed, Operation, Transaction};
use crate::content::{Content, unpad};
use crate::error::{Error, Fault, Result};
use crate::handshake::{FirstMessage, Prekeys};
use crate::profile::{Undertone, UndertoneIdentityKey};
use crate::rule::{self, Rule};
use crate::runtime::async_trait;
use crate::session::{DecryptedBy, TrustedIdentity};
use crate::transport::{Delivery, EnvelopeId};
use crate::wire::{Address, Reader, Writer};
use std::collections::BTreeSet;

/// The first byte of a sealed first message (docs/protocol.md, section 5).
const SEALED_FIRST: u8 = 0x11;
/// For how many seconds an envelope and its message are recognised: longer than a server keeps one.
const RECEIVED_AGE: u64 = 45 * 86_400;
/// How many are recognised at most; beyond, the ratchet alone knows its own.
const RECEIVED_MOST: u64 = 200_000;
/// How many notes are looked at in one commit: more than a commit adds.
const PRUNED_AT_ONCE: usize = 160;
/// A session that was replaced for longer than this is not one of two that began at once.
const SIMULTANEOUS: u64 = 3_600;

/// An envelope that came from the server, or that was held before.
#[derive(Clone)]
pub(super) struct Arrival {
    pub(super) id: EnvelopeId,
    pub(super) bytes: Vec<u8>,
    /// Its row in the table of held ones, and since when it is there, in seconds.
    pub(super) held: Option<(u64, u64)>,
}

/// What became of a batch of envelopes.
#[derive(Default)]
pub(super) struct Received {
    /// To be forgotten by the server.
    pub(super) settled: Vec<EnvelopeId>,
    /// Rows of held envelopes that need not be tried again now.
    tried: BTreeSet<u64>,
    /// Whether some were not looked at.
    is_cut: bool,
    /// To be tried again once more is known of these accounts.
    pub(super) lookups: BTreeSet<String>,
    /// Whether a prekey was used up.
    pub(super) used_prekeys: bool,
    /// For the mutant M3 alone.
    pub(super) prekeys_of_a_second_commit: Option<Vec<u8>>,
}

/// Reads envelopes.
struct Receive<'a> {
    inner: &'a Inner,
    arrivals: &'a [Arrival],
    /// Accounts that were asked about: what is still not known of them is refused.
    asked: &'a BTreeSet<String>,
    /// Accounts that could not be asked about: what depends on them is held.
    unreachable: &'a BTreeSet<String>,
}

/// What became of one envelope that was read.
pub(super) enum Read {
    /// It has been dealt with.
    Settled,
    /// Its sender is to be asked about first.
    Lookup(String),
    /// It cannot be dealt with before the user has decided something about its sender, or the network is there.
    Held(String),
}

impl Inner {
    /// Reads envelopes and has the server forget those that were dealt with.
    pub(super) async fn take_in(&self, deliveries: &[Delivery]) -> Result<()> {
        let arrival = |delivery: &Delivery| Arrival { id: delivery.id, bytes: delivery.bytes.clone(), held: None };
        self.read_all(deliveries.iter().map(arrival).collect()).await?;
        self.ask_about_mentioned().await
    }

    pub(super) async fn read_all(&self, mut rest: Vec<Arrival>) -> Result<()> {
        let (mut asked, mut unreachable) = (BTreeSet::new(), BTreeSet::new());
        let mut rounds = 0;
        while !rest.is_empty() && rounds < 3 {
            self.acknowledge_too_early(&rest).await?;
            let receive = Receive { inner: self, arrivals: &rest, asked: &asked, unreachable: &unreachable };
            let received = self.transact(receive).await?;
            let Received { lookups, tried, is_cut, .. } = received.output();
            let (lookups, tried, is_cut) = (lookups.clone(), tried.clone(), *is_cut);
            if received.output().used_prekeys {
                self.forget_prekeys_too_late(received.output()).await?;
                self.upkeep_due.store(true, std::sync::atomic::Ordering::Relaxed);
            }
            let settled = self.acknowledge(received).await?;
            rest.retain(|arrival| match arrival.held {
                Some((row, _)) => !tried.contains(&row),
                None => !settled.contains(&arrival.id),
            });
            if lookups.is_empty() {
                if is_cut {
                    continue;
                }
                break;
            }
            rounds += 1;
            for account in lookups {
                match self.refresh_devices(&account).await {
                    Err(error) if is_local(&error) => return Err(error),
                    Err(error) if error.is_retryable() => {
                        self.retry_held_at(self.clock.now().as_secs() + HELD_WAIT);
                        unreachable.insert(account.clone());
                    }
                    _ => {}
                }
                asked.insert(account);
            }
        }
        Ok(())
    }

    /// Needs the proof that what is acknowledged was committed.
    async fn acknowledge(&self, received: Committed<Received>) -> Result<Vec<EnvelopeId>> {
        let settled = received.into_inner().settled;
        if !settled.is_empty() {
            // Not to reach the server here is no failure: it delivers again, and what comes again is recognised.
            match self.transport.acknowledge(&settled).await {
                Err(error) if !error.is_retryable() => return Err(error),
                _ => {}
            }
        }
        Ok(settled)
    }
}

#[cfg_attr(not(target_family = "wasm"), async_trait)]
#[cfg_attr(target_family = "wasm", async_trait(?Send))]
impl Operation for Receive<'_> {
    type Output = Received;

    async fn plan(&mut self, transaction: &mut Transaction<'_>) -> Result<Received> {
        let own = transaction.own_device_in_use().await?;
        let mut received = Received::default();
        // Another process that writes often would come first for ever, were as much planned each time.
        let most = (self.arrivals.len() >> transaction.conflicts.min(7)).max(1);
        received.is_cut = most < self.arrivals.len();
        for arrival in self.arrivals.iter().take(most) {
            let mark = transaction.keyed_hash("received", &[&arrival.bytes]);
            if let Some((row, _)) = arrival.held {
                if transaction.get(&Numbered::Held.row(row)).await?.is_none() {
                    received.tried.insert(row);
                    continue;
                }
            } else if rule::on(Rule::L6M4) && transaction.get(&record_names::received(&mark)).await?.is_some() {
                // Redelivery after a crash between commit and acknowledgement: neither a failure nor news.
                transaction.notes.push(Note::Redelivered);
                received.settled.push(arrival.id);
                continue;
            }
            let savepoint = transaction.savepoint();
            match self.read(transaction, &own, &arrival.bytes, &mut received).await {
                Ok(Read::Settled) => transaction.settle(arrival, mark, &mut received).await?,
                Ok(Read::Lookup(account)) => {
                    transaction.return_to(savepoint);
                    received.lookups.insert(account);
                }
                Ok(Read::Held(account)) => {
                    transaction.return_to(savepoint);
                    match arrival.held {
                        Some((row, since)) if age(transaction.now, since) <= HELD_AGE => {
                            received.tried.insert(row);
                        }
                        None if transaction.hold(&account, &arrival.bytes).await? => {
                            transaction.settle(arrival, mark, &mut received).await?;
                        }
                        _ => {
                            transaction.note_failure(&Error::from(Fault::MessageNotKept).into()).await?;
                            transaction.settle(arrival, mark, &mut received).await?;
                        }
                    }
                }
                Err(failure) if is_local(&failure.error) => return Err(failure.error),
                Err(failure) => {
                    // I6: what does not authenticate changes a counter and nothing else.
                    transaction.return_to(savepoint);
                    transaction.let_forgery_change_state(&failure);
                    transaction.note_failure(&failure).await?;
                    transaction.settle(arrival, mark, &mut received).await?;
                }
            }
        }
        self.inner.answer_too_early(transaction, &own).await?;
        Ok(received)
    }
}

/// An envelope that could not be read.
pub(super) struct Failure {
    pub(super) error: Error,
    /// The device in whose session it seems to belong, or which it names as its sender.
    pub(super) suspect: Option<Address>,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self { error, suspect: None }
    }
}

type ReadResult = core::result::Result<Read, Failure>;

impl Receive<'_> {
    async fn read(
        &self,
        transaction: &mut Transaction<'_>,
        own: &OwnDevice,
        bytes: &[u8],
        received: &mut Received,
    ) -> ReadResult {
        if bytes.first() == Some(&SEALED_FIRST) {
            self.read_first(transaction, own, bytes, received).await
        } else {
            self.read_message(transaction, own, bytes).await
        }
    }

    async fn read_first(
        &self,
        transaction: &mut Transaction<'_>,
        own: &OwnDevice,
        bytes: &[u8],
        received: &mut Received,
    ) -> ReadResult {
        let mut prekeys = transaction.prekeys().await?;
        let first = FirstMessage::<Undertone>::open(&own.local(), bytes, &prekeys)?;
        let Some(sender) = first.address.clone() else { return Err(Error::from(Fault::MessageAddress).into()) };
        let identity = match self.listed(transaction, own, &sender, Some(&first.identity)).await? {
            Listed::Yes(identity) => identity,
            Listed::No(error) => return Err(Failure { error, suspect: None }),
            Listed::Ask => return Ok(Read::Lookup(sender.name().to_owned())),
            Listed::Wait => return Ok(Read::Held(sender.name().to_owned())),
        };
        let blame = |error| Failure { error, suspect: Some(sender.clone()) };
        let (mut session, tags) = transaction.session(own, &sender).await?;
        let trusted = TrustedIdentity::Pinned(&*identity);
        let (now, policy) = (transaction.now, self.inner.settings.handshake);
        let decrypted = session.accept(&own.local(), &first, &mut prekeys, &trusted, policy, now).map_err(blame)?;
        if let DecryptedBy::New(strength) = decrypted.by {
            // I4, M3: the one-time prekeys are gone in the commit that makes the session.
            let prekeys = prekeys.to_bytes();
            if rule::on(Rule::L6M3) {
                transaction.put(record_names::prekeys(), prekeys);
            } else {
                received.prekeys_of_a_second_commit = Some(prekeys);
            }
            received.used_prekeys = true;
            transaction.report_strength(&sender, strength).await?;
        }
        transaction.put_session(&session, &tags)?;
        let is_new = matches!(decrypted.by, DecryptedBy::New(_));
        self.take(transaction, own, &sender, &decrypted.plaintext, is_new).await.map_err(blame)
    }

    async fn read_message(&self, transaction: &mut Transaction<'_>, own: &OwnDevice, bytes: &[u8]) -> ReadResult {
        let tag: &[u8; 16] =
            bytes.get(1..17).and_then(|tag| tag.try_into().ok()).ok_or(Error::from(Fault::MessageTruncated))?;
        let Some(found) = transaction.get(&record_names::tag(tag)).await? else {
            return Err(Error::from(Fault::NoSession).into());
        };
        let sender = Address::decode(&mut Reader::new(&found, Fault::RecordCorrupt))?;
        let identity = match self.listed(transaction, own, &sender, None).await? {
            Listed::Yes(identity) => identity,
            Listed::No(error) => return Err(error.into()),
            Listed::Ask => return Ok(Read::Lookup(sender.name().to_owned())),
            Listed::Wait => return Ok(Read::Held(sender.name().to_owned())),
        };
        let blame = |error| Failure { error, suspect: Some(sender.clone()) };
        let (mut session, tags): (Session, _) = transaction.session(own, &sender).await?;
        let trusted = TrustedIdentity::Pinned(&*identity);
        let epoch = session.status().map_or(0, |status| status.post_quantum_epoch);
        let decrypted = session.decrypt(&own.local(), bytes, &trusted, transaction.now).map_err(blame)?;
        if let Some(status) = session.status().filter(|status| status.post_quantum_epoch > epoch) {
            transaction.notes.push(Note::Epoch(status.post_quantum_epoch));
        }
        transaction.put_session(&session, &tags)?;
        if decrypted.by == DecryptedBy::Archived {
            let peer = transaction.peer(&sender).await?;
            // B34: after both sides began at once this is expected; later it means that an old state is in use.
            if transaction.now.saturating_sub(peer.began) > SIMULTANEOUS {
                let event = SecurityEvent::of(SecurityKind::OldSession, "session.archived");
                transaction.warn(event.about(sender.name(), Some(sender.device()))).await?;
            }
        }
        self.take(transaction, own, &sender, &decrypted.plaintext, false).await.map_err(blame)
    }

    /// The content of a message that authenticated.
    async fn take(
        &self,
        transaction: &mut Transaction<'_>,
        own: &OwnDevice,
        sender: &Address,
        plaintext: &[u8],
        is_new_session: bool,
    ) -> Result<Read> {
        let content = Content::decode(unpad(plaintext)?)?;
        transaction.take_content(self.inner, own, sender, content, is_new_session).await?;
        Ok(Read::Settled)
    }

    /// Whether a device may write: SE-11, B47, B38: the key in its session is the one that its account's signed list has under its number.
    async fn listed(
        &self,
        transaction: &mut Transaction<'_>,
        own: &OwnDevice,
        device: &Address,
        shown: Option<&UndertoneIdentityKey>,
    ) -> Result<Listed> {
        let account = device.name();
        let is_asked = self.asked.contains(account);
        if self.unreachable.contains(account) {
            return Ok(Listed::Wait);
        }
        let known = if account == own.address.name() {
            Some((transaction.own_list().await?, true))
        } else {
            let contact = transaction.contact(account).await?;
            contact.map(|contact| {
                let is_waiting = contact.changed.as_ref().is_some_and(|changed| {
                    let listed = changed.device(device.device());
                    listed.is_some_and(|listed| shown == Some(&listed.identity))
                });
                (contact.list, !is_waiting)
            })
        };
        let Some((list, is_settled)) = known else {
            return Ok(if is_asked { Listed::No(Fault::DevicesUnlisted.into()) } else { Listed::Ask });
        };
        let listed = list.device(device.device());
        match listed {
            Some(listed) if shown.is_none_or(|shown| *shown == listed.identity) => {
                Ok(Listed::Yes(Box::new(listed.identity.clone())))
            }
            // SE-8: a changed account key that the user has not accepted yet.
            _ if !is_settled => Ok(Listed::Wait),
            _ if !is_asked => Ok(Listed::Ask),
            _ => Ok(Listed::No(Fault::DevicesUnlisted.into())),
        }
    }
}

/// Whether a device is on its account's list.
enum Listed {
    Yes(Box<UndertoneIdentityKey>),
    No(Error),
    Ask,
    Wait,
}

impl Transaction<'_> {
    /// All prekeys of this device.
    pub(super) async fn prekeys(&mut self) -> Result<Prekeys<Undertone>> {
        let stored = self.get(&record_names::prekeys()).await?.ok_or(Fault::RecordCorrupt)?;
        Prekeys::from_bytes(&stored)
    }

    /// An envelope needs no more to be done for it.
    async fn settle(&mut self, arrival: &Arrival, mark: [u8; 32], received: &mut Received) -> Result<()> {
        match arrival.held {
            Some((row, _)) => {
                self.remove(Numbered::Held.row(row));
                received.tried.insert(row);
                Ok(())
            }
            None => {
                received.settled.push(arrival.id);
                self.mark_received(mark).await
            }
        }
    }

    /// Notes that an envelope was dealt with or a message told, and forgets the oldest notes, a few at a time.
    pub(super) async fn mark_received(&mut self, mark: [u8; 32]) -> Result<()> {
        let mut order = Writer::with_capacity(40);
        order.u64(self.now).bytes(&mark);
        self.put(record_names::received(&mark), Vec::new());
        self.append(Numbered::ReceivedOrder, order.into_vec()).await?;
        let next = self.counters().await?.next(Numbered::ReceivedOrder);
        if self.is_pruned {
            return Ok(());
        }
        self.is_pruned = true;
        let is_over = |number: u64, received: u64, now: u64| {
            now.saturating_sub(received) > RECEIVED_AGE || next.saturating_sub(number) > RECEIVED_MOST
        };
        for limit in [1, PRUNED_AT_ONCE] {
            for (number, bytes) in self.rows(Numbered::ReceivedOrder, None, limit).await? {
                let mut input = Reader::new(&bytes, Fault::RecordCorrupt);
                let (received, hash) = (input.u64()?, input.array::<32>()?);
                if !is_over(number, received, self.now) {
                    return Ok(());
                }
                self.remove(record_names::received(hash));
                self.remove(Numbered::ReceivedOrder.row(number));
            }
        }
        Ok(())
    }
}
