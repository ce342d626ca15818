//! Doing what was put off, each task in a commit that also takes it off the list.

use super::event::{EventKind, SecurityEvent, SecurityKind};
use super::handle::Inner;
use super::intent::{FIRST_WAIT, Intent, LONGEST_WAIT, Task};
use super::letters::{Bundle, Encrypted, Letter, Place, Recipient, address_of};
use super::observe::Note;
use super::own_device::{OwnDevice, random};
use super::record_names::{self, Numbered};
use super::send::SentRow;
use super::transaction::{Operation, Transaction};
use crate::content::{Body, MAX_RANGES, MessageId, MissingRange};
use crate::error::{Error, ErrorKind, Fault, Result};
use crate::identity::DeviceList;
use crate::runtime::async_trait;
use crate::wire::Address;
use std::collections::BTreeMap;

/// How often a delivery is tried before it is given up.
const DELIVERY_ATTEMPTS: u8 = 12;
/// How often missing messages are asked for before they are given up.
const ASKS: u32 = 6;
/// A number that no stream has, for they are odd: what asks for it lacks everything.
const NO_STREAM: u64 = 2;
/// How many are done in one commit.
const AT_ONCE: usize = 64;

/// Does what is due.
struct RunIntents<'a> {
    inner: &'a Inner,
    rows: &'a [(u64, Intent)],
    bundles: &'a Bundles,
}

/// Prekey bundles that were fetched, and why others were not had.
#[derive(Default)]
pub(super) struct Bundles {
    pub(super) fetched: BTreeMap<Address, Bundle>,
    pub(super) refused: BTreeMap<Address, Error>,
    /// Accounts whose devices could not be had.
    pub(super) unknown: BTreeMap<String, Error>,
}

/// What is lacking to go on.
#[derive(Default)]
pub(super) struct Lacking {
    /// Devices whose bundle is needed.
    pub(super) bundles: Vec<Address>,
    /// Accounts whose devices are not known.
    pub(super) accounts: Vec<String>,
}

impl Lacking {
    pub(super) fn is_nothing(&self) -> bool {
        self.bundles.is_empty() && self.accounts.is_empty()
    }
}

impl Inner {
    /// Does what is due; returns when the next thing is, in seconds.
    ///
    /// # Errors
    /// `store.*`. What the network hinders is tried again later.
    pub(super) async fn run_intents(&self) -> Result<Option<u64>> {
        let now = self.clock.now().as_secs();
        let (mut after, mut next) = (None, None::<u64>);
        loop {
            let rows = self.store.scan(&Numbered::Intents.all(), after, AT_ONCE).await?.entries;
            let Some((last, _)) = rows.last() else { break };
            after = Some(*last);
            let mut due = Vec::new();
            for (number, bytes) in &rows {
                let intent = Intent::from_bytes(bytes)?;
                // Nothing is put off for longer: what seems to be was, by a clock that was wrong.
                if intent.not_before <= now || intent.not_before > now + LONGEST_WAIT {
                    due.push((*number, intent));
                } else {
                    next = Some(next.map_or(intent.not_before, |known| known.min(intent.not_before)));
                }
            }
            if !due.is_empty() {
                let later = self.run_due(&due).await?;
                next = match (next, later) {
                    (Some(one), Some(other)) => Some(one.min(other)),
                    (one, other) => one.or(other),
                };
            }
        }
        Ok(next)
    }

    async fn run_due(&self, rows: &[(u64, Intent)]) -> Result<Option<u64>> {
        let mut bundles = Bundles::default();
        for _ in 0..4 {
            let operation = RunIntents { inner: self, rows, bundles: &bundles };
            let (lacking, next) = self.transact(operation).await?.into_inner();
            if lacking.is_nothing() {
                return Ok(next);
            }
            self.supply(&lacking, &mut bundles).await?;
        }
        Ok(None)
    }

    /// Fetches what is lacking. What cannot be had is noted with its reason; only the store's errors are reported.
    pub(super) async fn supply(&self, lacking: &Lacking, bundles: &mut Bundles) -> Result<()> {
        for account in &lacking.accounts {
            match self.refresh_devices(account).await {
                Err(error) if is_local(&error) => return Err(error),
                Err(error) => drop(bundles.unknown.insert(account.clone(), error)),
                Ok(()) => {}
            }
        }
        self.fetch_bundles(&lacking.bundles, bundles).await
    }
}

/// Whether it is this device's own trouble.
pub(super) fn is_local(error: &Error) -> bool {
    // C5: a record that cannot be read, of a newer version perhaps, is no reason to have the server forget an envelope.
    ["store.", "record.", "random.", "client."].iter().any(|own| error.code().starts_with(own))
}

/// What became of one intent.
enum Done {
    Yes,
    Later,
    /// Later, and not for its own sake: it does not count as a try.
    Unreachable,
    NeedsBundle(Address),
    NeedsAccount(String),
    GivenUp {
        to: Address,
        message: Option<MessageId>,
        code: String,
    },
}

#[cfg_attr(not(target_family = "wasm"), async_trait)]
#[cfg_attr(target_family = "wasm", async_trait(?Send))]
impl Operation for RunIntents<'_> {
    type Output = (Lacking, Option<u64>);

    async fn plan(&mut self, transaction: &mut Transaction<'_>) -> Result<Self::Output> {
        let own = transaction.own_device().await?;
        let own_list = transaction.own_list().await?;
        let (mut lacking, mut next) = (Lacking::default(), None::<u64>);
        for (number, intent) in self.rows {
            let name = Numbered::Intents.row(*number);
            if own.unlinked {
                transaction.remove(name);
                continue;
            }
            if transaction.get(&name).await?.is_none() {
                continue;
            }
            let savepoint = transaction.savepoint();
            match self.run(transaction, &own, &own_list, intent).await {
                Ok(Done::Yes) => transaction.remove(name),
                Ok(done @ (Done::Later | Done::Unreachable)) => {
                    transaction.return_to(savepoint);
                    let again = intent.again(transaction.now, matches!(done, Done::Later));
                    next = Some(next.map_or(again.not_before, |known| known.min(again.not_before)));
                    transaction.put(name, again.to_bytes()?);
                }
                Ok(Done::NeedsBundle(device)) => {
                    transaction.return_to(savepoint);
                    lacking.bundles.push(device);
                }
                Ok(Done::NeedsAccount(account)) => {
                    transaction.return_to(savepoint);
                    lacking.accounts.push(account);
                }
                Ok(Done::GivenUp { to, message, code }) => {
                    transaction.return_to(savepoint);
                    transaction.remove(name);
                    transaction.unwatch(&intent.task).await?;
                    let (account, device) = (to.name().to_owned(), to.device());
                    transaction.tell(EventKind::NotDelivered { account, device, message, code }).await?;
                }
                Err(error) if is_local(&error) => return Err(error),
                Err(error) => {
                    transaction.return_to(savepoint);
                    transaction.notes.push(Note::Refused(error.code()));
                    if let Task::Deliver { to, message, .. } = &intent.task {
                        let (account, device, code) = (to.name().to_owned(), to.device(), error.code().to_owned());
                        let message = Some(*message);
                        transaction.remove(name);
                        transaction.tell(EventKind::NotDelivered { account, device, message, code }).await?;
                    } else if intent.attempts < DELIVERY_ATTEMPTS {
                        let again = intent.again(transaction.now, true);
                        next = Some(next.map_or(again.not_before, |known| known.min(again.not_before)));
                        transaction.put(name, again.to_bytes()?);
                    } else {
                        transaction.remove(name);
                        transaction.unwatch(&intent.task).await?;
                    }
                }
            }
        }
        Ok((lacking, next))
    }
}

impl RunIntents<'_> {
    async fn run(
        &self,
        transaction: &mut Transaction<'_>,
        own: &OwnDevice,
        own_list: &DeviceList,
        intent: &Intent,
    ) -> Result<Done> {
        match &intent.task {
            Task::Resolve { account, message } => {
                self.resolve(transaction, (own, own_list), account, *message, intent).await
            }
            Task::Deliver { to, message, sequence } => {
                let Some(sent) = transaction.sent(*message).await? else {
                    let code = Error::from(Fault::MessageForgotten).code().to_owned();
                    return Ok(Done::GivenUp { to: to.clone(), message: Some(*message), code });
                };
                // The application was told already.
                if sent.is_refused {
                    return Ok(Done::Yes);
                }
                let place = if *sequence == 0 { Place::Next } else { Place::Again(*sequence) };
                let is_own = to.name() == own.address.name();
                let conversation = is_own.then_some(sent.account.as_str());
                let letter = Letter { id: *message, sent_at: sent.sent_at, conversation, body: &sent.body, place };
                self.say(transaction, (own, own_list), to, &letter, intent, false).await
            }
            Task::SendReceipts { account, kind } => {
                transaction.send_receipts(account, *kind).await?;
                Ok(Done::Yes)
            }
            Task::TellDevices { to } => {
                let body = Body::DeviceList(own_list.statements_after(0));
                let letter = control(&body, transaction.now_ms)?;
                self.say(transaction, (own, own_list), to, &letter, intent, false).await
            }
            Task::AskForMissing { to } => {
                let mut peer = transaction.peer(to).await?;
                let missing = peer.newest().map(super::peer::Incoming::missing).unwrap_or_default();
                if missing.is_empty() {
                    (peer.repair.asks, peer.repair.watched) = (0, 0);
                    transaction.put_peer(&peer);
                    return Ok(Done::Yes);
                }
                if peer.repair.asks >= ASKS {
                    let count = peer.give_up();
                    (peer.repair.asks, peer.repair.watched) = (0, 0);
                    transaction.put_peer(&peer);
                    let (account, device) = (to.name().to_owned(), to.device());
                    transaction.tell(EventKind::MessagesLost { account, device, count }).await?;
                    return Ok(Done::Yes);
                }
                let stream = peer.newest().map_or(0, |incoming| incoming.stream);
                peer.repair.asks += 1;
                peer.repair.asked = transaction.now;
                let wait = FIRST_WAIT << peer.repair.asks.min(8);
                transaction.put_peer(&peer);
                let body = Body::ResendRequest { stream, missing: ranges(&missing) };
                let letter = control(&body, transaction.now_ms)?;
                let done = self.say(transaction, (own, own_list), to, &letter, intent, false).await?;
                if matches!(done, Done::Yes) {
                    let again = Intent::at(transaction.now + wait, intent.task.clone());
                    transaction.append(Numbered::Intents, again.to_bytes()?).await?;
                }
                Ok(done)
            }
            Task::Renew { to } => {
                let peer = transaction.peer(to).await?;
                let (stream, mut missing) =
                    peer.newest().map_or((NO_STREAM, Vec::new()), |incoming| (incoming.stream, incoming.missing()));
                // What came after the last one that is here is not known: everything from there on.
                missing.truncate(MAX_RANGES - 1);
                missing.push((peer.newest().map_or(1, super::peer::Incoming::next), u64::MAX));
                let body = Body::ResendRequest { stream, missing: ranges(&missing) };
                let letter = control(&body, transaction.now_ms)?;
                self.say(transaction, (own, own_list), to, &letter, intent, true).await
            }
        }
    }

    /// A message to an account that was unknown when it was sent: one delivery to each of its devices, and to each of the own other ones (SE-2).
    async fn resolve(
        &self,
        transaction: &mut Transaction<'_>,
        (own, own_list): (&OwnDevice, &DeviceList),
        account: &str,
        message: MessageId,
        intent: &Intent,
    ) -> Result<Done> {
        let Some(contact) = transaction.contact(account).await? else {
            return Ok(match self.bundles.unknown.get(account) {
                None => Done::NeedsAccount(account.to_owned()),
                Some(error) if error.is_retryable() => Done::Unreachable,
                Some(_) if intent.attempts < DELIVERY_ATTEMPTS => Done::Later,
                Some(error) => {
                    let to = Address::new(account, 1)?;
                    Done::GivenUp { to, message: Some(message), code: error.code().to_owned() }
                }
            });
        };
        if !contact.pinned.may_send(self.inner.settings.trust) {
            return Ok(Done::Later);
        }
        let recipients = contact.list.devices().map(|device| (account, device));
        for (name, device) in recipients.chain(own_list.devices().map(|device| (own_list.name(), device))) {
            let to = address_of(name, device)?;
            if to != own.address {
                let task = Task::Deliver { to, message, sequence: 0 };
                transaction.append(Numbered::Intents, Intent::now(task).to_bytes()?).await?;
            }
        }
        Ok(Done::Yes)
    }

    async fn say(
        &self,
        transaction: &mut Transaction<'_>,
        (own, own_list): (&OwnDevice, &DeviceList),
        to: &Address,
        letter: &Letter<'_>,
        intent: &Intent,
        renew: bool,
    ) -> Result<Done> {
        let contact;
        let list = if to.name() == own.address.name() {
            own_list
        } else {
            let Some(found) = transaction.contact(to.name()).await? else { return Ok(Done::Yes) };
            if !found.pinned.may_send(self.inner.settings.trust) {
                return Ok(Done::Later);
            }
            contact = found;
            &contact.list
        };
        let Some(listed) = list.device(to.device()) else { return Ok(Done::Yes) };
        let bundle = self.bundles.fetched.get(to);
        let recipient = Recipient { address: to, identity: &listed.identity, list: list.number(), bundle, renew };
        let settings = &self.inner.settings;
        match transaction.encrypt(settings, own, own_list, &recipient, letter).await {
            Ok(Encrypted::Queued) => Ok(Done::Yes),
            Ok(Encrypted::NeedsBundle) => match self.bundles.refused.get(to) {
                None => Ok(Done::NeedsBundle(to.clone())),
                Some(error) if error.is_retryable() => Ok(Done::Unreachable),
                Some(_) if intent.attempts < DELIVERY_ATTEMPTS => Ok(Done::Later),
                Some(error) => {
                    let message = (letter.place != Place::Outside).then_some(letter.id);
                    Ok(Done::GivenUp { to: to.clone(), message, code: error.code().to_owned() })
                }
            },
            Err(error) if is_local(&error) => Err(error),
            Err(error) => {
                transaction.warn_of_bundle(to, &error).await?;
                Err(error)
            }
        }
    }
}

impl Transaction<'_> {
    /// A gap that nobody asks about any more is watched anew from the next message on.
    async fn unwatch(&mut self, task: &Task) -> Result<()> {
        if let Task::AskForMissing { to } = task {
            let mut peer = self.peer(to).await?;
            (peer.repair.asks, peer.repair.watched) = (0, 0);
            self.put_peer(&peer);
        }
        Ok(())
    }

    /// Tells of a bundle that was refused.
    pub(super) async fn warn_of_bundle(&mut self, device: &Address, error: &Error) -> Result<()> {
        if error.kind() == ErrorKind::InvalidRequest {
            return Ok(());
        }
        let kind = match error.code() {
            "handshake.no_kem" | "handshake.x3dh_not_allowed" => SecurityKind::Downgrade,
            _ => SecurityKind::BundleRefused,
        };
        self.warn(SecurityEvent::of(kind, error.code()).about(device.name(), Some(device.device()))).await
    }

    /// An own message that is still kept.
    pub(super) async fn sent(&mut self, id: MessageId) -> Result<Option<SentRow>> {
        self.get(&record_names::sent(id)).await?.map(|bytes| SentRow::from_bytes(&bytes)).transpose()
    }
}

/// A message about the streams themselves.
fn control(body: &Body, sent_at: u64) -> Result<Letter<'_>> {
    Ok(Letter { id: MessageId(random()?), sent_at, conversation: None, body, place: Place::Outside })
}

fn ranges(missing: &[(u64, u64)]) -> Vec<MissingRange> {
    missing.iter().take(MAX_RANGES).map(|(from, to)| MissingRange { from: *from, to: *to }).collect()
}
