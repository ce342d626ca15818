//! Sending: one plan for all devices of the recipient and one's own others, one commit, and only then the network (section C4 of the requirements).

use super::contact::LIST_AGE;
use super::handle::{Inner, age};
use super::intent::{Intent, Task};
use super::letters::{Encrypted, Letter, Place, Recipient, address_of};
use super::own_device::{OwnDevice, random};
use super::record_names::{self, Numbered};
use super::run_intents::{Bundles, Lacking, is_local};
use super::transaction::{Operation, Transaction};
use crate::content::{Body, Content, MessageId};
use crate::error::{Error, Fault, Result};
use crate::handshake::PrekeyBundle;
use crate::identity::DeviceList;
use crate::runtime::async_trait;
use crate::wire::{Address, Reader, Writer};
use std::collections::{BTreeMap, BTreeSet};

const VERSION: u8 = 1;
/// For how many seconds an own message is kept for devices that lack it.
pub(super) const SENT_AGE: u64 = 14 * 86_400;
/// After how many seconds a device that could not be reached is tried again.
const UNREACHABLE_WAIT: u64 = 60;
/// How often what is lacking is fetched before a message is left to be completed later.
const FETCHES: usize = 3;

/// What became of a message that was sent.
///
/// It is durable: what the server does not have yet is handed over when it can be reached.
///
/// ```
#[doc = include_str!("../../docs/examples/two_clients.txt")]
/// let sent: Sent = alice.send("bob", "hello").await?;
/// assert_eq!((sent.devices, sent.later, sent.delivered_to_server), (1, 0, true));
///
/// server.set_reachable(false);
/// assert!(!alice.send("bob", "later").await?.delivered_to_server);
#[doc = include_str!("../../docs/examples/end.txt")]
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sent {
    /// The message's name.
    pub id: MessageId,
    /// How many devices of the recipient it was encrypted to.
    pub devices: usize,
    /// How many devices it will be encrypted to later, since their prekeys could not be had.
    pub later: usize,
    /// Whether the server has taken all that was encrypted.
    pub delivered_to_server: bool,
}

/// An own message as it is kept.
pub(super) struct SentRow {
    pub(super) account: String,
    pub(super) sent_at: u64,
    pub(super) devices: usize,
    pub(super) later: usize,
    /// Whether the server will never take it.
    pub(super) is_refused: bool,
    pub(super) body: Body,
}

impl SentRow {
    fn to_bytes(&self, id: MessageId) -> Result<Vec<u8>> {
        let content = Content::new(id, self.sent_at, self.body.clone()).encode()?;
        let mut out = Writer::with_capacity(content.len() + 300);
        out.u8(VERSION).prefixed(self.account.as_bytes())?;
        out.u16(u16::try_from(self.devices).unwrap_or(u16::MAX)).u16(u16::try_from(self.later).unwrap_or(u16::MAX));
        out.flag(self.is_refused);
        out.prefixed_long(&content)?;
        Ok(out.into_vec())
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let mut input = Reader::new(bytes, Fault::RecordCorrupt);
        if input.u8()? != VERSION {
            return Err(Fault::RecordVersion.into());
        }
        let account = String::from_utf8(input.prefixed()?.to_vec()).map_err(|_| Error::from(Fault::RecordCorrupt))?;
        let (devices, later) = (usize::from(input.u16()?), usize::from(input.u16()?));
        let is_refused = input.flag()?;
        let content = Content::decode(input.prefixed_long()?)?;
        input.finish()?;
        let Content { sent_at, body, .. } = content;
        Ok(Self { account, sent_at, devices, later, is_refused, body })
    }
}

/// Plans one message to all devices.
struct Send<'a> {
    inner: &'a Inner,
    account: &'a str,
    id: MessageId,
    body: &'a Body,
    bundles: &'a Bundles,
    /// Whether to leave to later what is lacking.
    without_waiting: bool,
}

/// What a plan came to.
enum Planned {
    /// It is committed.
    Queued(Sent),
    /// Nothing was changed; this is needed first.
    Lacking(Lacking),
    /// Nothing was changed: the recipient has no device that could be written to, for these reasons.
    Refused(Vec<(Address, Error)>),
}

impl Inner {
    /// Sends `body` to all devices of `account` and the own other ones.
    pub(super) async fn send(&self, account: &str, id: Option<MessageId>, body: &Body) -> Result<Sent> {
        Address::new(account, 1)?;
        if matches!(body, Body::Nothing | Body::ResendRequest { .. } | Body::DeviceList(_)) {
            return Err(Fault::Argument.into());
        }
        let id = match id {
            Some(id) => id,
            None => MessageId(random()?),
        };
        self.refresh_if_old(account).await?;
        let mut bundles = Bundles::default();
        let mut queued = None;
        for fetches in 0..=FETCHES {
            let without_waiting = fetches == FETCHES;
            let send = Send { inner: self, account, id, body, bundles: &bundles, without_waiting };
            match self.transact(send).await?.into_inner() {
                Planned::Queued(sent) => {
                    queued = Some(sent);
                    break;
                }
                Planned::Lacking(lacking) => self.supply_for_send(&lacking, &mut bundles).await?,
                Planned::Refused(reasons) => {
                    let error =
                        reasons.first().map_or_else(|| Fault::ContactNoDevices.into(), |(_, error)| error.clone());
                    self.transact(WarnOfBundles { reasons }).await?;
                    return Err(error);
                }
            }
        }
        let mut sent = queued.ok_or(Fault::ContactNoDevices)?;
        self.wake.notify(usize::MAX);
        // The message is durable: an error here would have it sent again. What is wrong is told where events are waited for.
        if let Ok(is_all) = self.flush().await {
            // Another task may have handed it over and been refused.
            let kept = self.transaction().sent(sent.id).await;
            let is_refused = kept.is_ok_and(|kept| kept.is_some_and(|kept| kept.is_refused));
            sent.delivered_to_server = is_all && sent.later == 0 && !is_refused;
        }
        Ok(sent)
    }

    /// Asks for the recipient's device list once a day; the rest of the time the server says when it has grown.
    async fn refresh_if_old(&self, account: &str) -> Result<()> {
        let mut transaction = self.transaction();
        let is_old = match transaction.contact(account).await? {
            Some(contact) => age(transaction.now, contact.checked) >= LIST_AGE,
            None => false,
        };
        drop(transaction);
        if !is_old {
            return Ok(());
        }
        match self.refresh_devices(account).await {
            Err(error) if is_local(&error) => Err(error),
            _ => Ok(()),
        }
    }

    /// Fetches what is lacking. An account that does not exist and a device list that is refused are the caller's to know; a network that is down is not.
    async fn supply_for_send(&self, lacking: &Lacking, bundles: &mut Bundles) -> Result<()> {
        for account in &lacking.accounts {
            match self.refresh_devices(account).await {
                Err(error) if error.is_retryable() && !is_local(&error) => {
                    bundles.unknown.insert(account.clone(), error);
                }
                Err(error) => return Err(error),
                Ok(()) => {}
            }
        }
        self.fetch_bundles(&lacking.bundles, bundles).await
    }

    /// Fetches prekey bundles; why one was not had stands beside those that were.
    pub(super) async fn fetch_bundles(&self, wanted: &[Address], bundles: &mut Bundles) -> Result<()> {
        let mut by_account: BTreeMap<&str, Vec<u8>> = BTreeMap::new();
        for address in wanted {
            by_account.entry(address.name()).or_default().push(address.device());
        }
        for (account, devices) in by_account {
            let mut reason = Error::from(Fault::ContactNoDevices);
            match self.transport.fetch(account, &devices).await {
                Ok(answers) => {
                    for answer in answers.iter().take(devices.len()) {
                        match PrekeyBundle::from_bytes(answer) {
                            Ok(bundle) if wanted.contains(&bundle.address) => {
                                bundles.fetched.insert(bundle.address.clone(), bundle);
                            }
                            Ok(_) => reason = Fault::BundleAddress.into(),
                            Err(error) => reason = error,
                        }
                    }
                }
                Err(error) if is_local(&error) => return Err(error),
                Err(error) => reason = error,
            }
            for device in devices {
                let address = Address::new(account, device)?;
                if !bundles.fetched.contains_key(&address) {
                    bundles.refused.insert(address, reason.clone());
                }
            }
        }
        Ok(())
    }
}

#[cfg_attr(not(target_family = "wasm"), async_trait)]
#[cfg_attr(target_family = "wasm", async_trait(?Send))]
impl Operation for Send<'_> {
    type Output = Planned;

    async fn plan(&mut self, transaction: &mut Transaction<'_>) -> Result<Planned> {
        let own = transaction.own_device_in_use().await?;
        transaction.check_clock(&self.inner.settings).await?;
        if let Some(before) = transaction.sent(self.id).await? {
            if before.account != self.account || before.body != *self.body {
                return Err(Fault::MessageIdUsed.into());
            }
            let (devices, later) = (before.devices, before.later);
            return Ok(Planned::Queued(Sent { id: self.id, devices, later, delivered_to_server: false }));
        }
        let own_list = transaction.own_list().await?;
        let mut recipients = Vec::new();
        if self.account != own.address.name() {
            match transaction.contact(self.account).await? {
                None => return self.plan_unknown(transaction).await,
                Some(contact) if !contact.pinned.may_send(self.inner.settings.trust) => {
                    return Err(Fault::ContactChanged.into());
                }
                Some(contact) => recipients.push((contact.list, false)),
            }
        }
        recipients.push((own_list.clone(), true));
        self.plan_to(transaction, &own, &own_list, &recipients).await
    }
}

impl Send<'_> {
    /// The recipient's devices are not known, and cannot be asked for now: the message waits.
    async fn plan_unknown(&self, transaction: &mut Transaction<'_>) -> Result<Planned> {
        let is_asked = self.bundles.unknown.contains_key(self.account);
        if !is_asked && !self.without_waiting {
            let accounts = vec![self.account.to_owned()];
            return Ok(Planned::Lacking(Lacking { accounts, ..Lacking::default() }));
        }
        let task = Task::Resolve { account: self.account.to_owned(), message: self.id };
        transaction.append(Numbered::Intents, Intent::at(transaction.now, task).to_bytes()?).await?;
        self.keep(transaction, 0, 1).await
    }

    async fn plan_to(
        &self,
        transaction: &mut Transaction<'_>,
        own: &OwnDevice,
        own_list: &DeviceList,
        recipients: &[(DeviceList, bool)],
    ) -> Result<Planned> {
        let nothing = transaction.savepoint();
        let sent_at = transaction.now_ms;
        let (mut lacking, mut refused, mut later) = (Lacking::default(), Vec::new(), Vec::new());
        let mut reached = 0;
        for (list, is_own) in recipients {
            let conversation = is_own.then_some(self.account);
            let letter = Letter { id: self.id, sent_at, conversation, body: self.body, place: Place::Next };
            for device in list.devices() {
                let address = address_of(list.name(), device)?;
                if address == own.address {
                    continue;
                }
                let bundle = self.bundles.fetched.get(&address);
                let recipient = Recipient {
                    address: &address,
                    identity: &device.identity,
                    list: list.number(),
                    bundle,
                    renew: false,
                };
                let savepoint = transaction.savepoint();
                let settings = &self.inner.settings;
                match transaction.encrypt(settings, own, own_list, &recipient, &letter).await {
                    Ok(Encrypted::Queued) => reached += usize::from(!is_own),
                    Ok(Encrypted::NeedsBundle) => match self.bundles.refused.get(&address) {
                        Some(error) => {
                            later.push(address.clone());
                            refused.push((address, error.clone()));
                        }
                        None if self.without_waiting => later.push(address),
                        None => lacking.bundles.push(address),
                    },
                    Err(error) if is_local(&error) || error.code() == "request.too_large" => return Err(error),
                    Err(error) => {
                        transaction.return_to(savepoint);
                        transaction.warn_of_bundle(&address, &error).await?;
                        refused.push((address, error));
                    }
                }
            }
        }
        if !lacking.is_nothing() {
            transaction.return_to(nothing);
            return Ok(Planned::Lacking(lacking));
        }
        let is_note_to_self = recipients.len() == 1;
        let waits = refused.iter().all(|(_, error)| error.is_retryable()) && !later.is_empty();
        if reached == 0 && !is_note_to_self && !waits {
            transaction.return_to(nothing);
            return Ok(Planned::Refused(refused));
        }
        for to in &later {
            let task = Task::Deliver { to: to.clone(), message: self.id, sequence: 0 };
            let intent = Intent::at(transaction.now + UNREACHABLE_WAIT, task);
            transaction.append(Numbered::Intents, intent.to_bytes()?).await?;
        }
        self.keep(transaction, reached, later.len()).await
    }

    /// Keeps the message for devices that lack it, and under its id, so that an application that sends it again sends it once.
    async fn keep(&self, transaction: &mut Transaction<'_>, devices: usize, later: usize) -> Result<Planned> {
        transaction.keep_sent(self.id, self.account, devices, later, self.body).await?;
        if let Some(mut contact) = transaction.contact(self.account).await?.filter(|contact| !contact.was_written_to) {
            contact.was_written_to = true;
            transaction.put_contact(&contact)?;
        }
        Ok(Planned::Queued(Sent { id: self.id, devices, later, delivered_to_server: false }))
    }
}

impl Transaction<'_> {
    /// Stages an own message, to be sent now or later.
    pub(super) async fn keep_sent(
        &mut self,
        id: MessageId,
        account: &str,
        devices: usize,
        later: usize,
        body: &Body,
    ) -> Result<()> {
        let row = SentRow {
            account: account.to_owned(),
            sent_at: self.now_ms,
            devices,
            later,
            is_refused: false,
            body: body.clone(),
        };
        self.put(record_names::sent(id), row.to_bytes(id)?);
        self.forget_old_messages().await?;
        self.note_sent(id).await
    }

    /// Notes that the server will never take a message: it is not sent again.
    pub(super) async fn mark_refused(&mut self, id: MessageId) -> Result<()> {
        if let Some(mut row) = self.sent(id).await? {
            row.is_refused = true;
            self.put(record_names::sent(id), row.to_bytes(id)?);
        }
        Ok(())
    }

    /// Forgets own messages whose time is over, a few at a time. One that a device still waits for is kept as long again.
    async fn forget_old_messages(&mut self) -> Result<()> {
        let mut wanted = None;
        for (number, bytes) in self.rows(Numbered::SentOrder, None, 2).await? {
            let mut input = Reader::new(&bytes, Fault::RecordCorrupt);
            let (sent, id) = (input.u64()?, MessageId(*input.array()?));
            if self.now.saturating_sub(sent) <= SENT_AGE {
                break;
            }
            if wanted.is_none() {
                wanted = Some(self.wanted_messages().await?);
            }
            if wanted.as_ref().is_some_and(|wanted| wanted.contains(&id)) {
                self.note_sent(id).await?;
            } else {
                self.remove(record_names::sent(id));
            }
            self.remove(Numbered::SentOrder.row(number));
        }
        Ok(())
    }

    /// Own messages that some device has still to be sent.
    async fn wanted_messages(&mut self) -> Result<BTreeSet<MessageId>> {
        let (mut wanted, mut after) = (BTreeSet::new(), None);
        loop {
            let rows = self.rows(Numbered::Intents, after, 256).await?;
            let Some((last, _)) = rows.last() else { return Ok(wanted) };
            after = Some(*last);
            for (_, bytes) in &rows {
                wanted.extend(Intent::from_bytes(bytes)?.message());
            }
        }
    }

    /// Notes that a message was sent, so that it is forgotten in its turn.
    async fn note_sent(&mut self, id: MessageId) -> Result<()> {
        let mut order = Writer::with_capacity(24);
        order.u64(self.now).bytes(&id.0);
        self.append(Numbered::SentOrder, order.into_vec()).await.map(|_| ())
    }
}

/// Tells of bundles for the sake of which nothing could be sent.
struct WarnOfBundles {
    reasons: Vec<(Address, Error)>,
}

#[cfg_attr(not(target_family = "wasm"), async_trait)]
#[cfg_attr(target_family = "wasm", async_trait(?Send))]
impl Operation for WarnOfBundles {
    type Output = ();

    async fn plan(&mut self, transaction: &mut Transaction<'_>) -> Result<()> {
        for (address, error) in &self.reasons {
            if error.code() != Error::from(Fault::ContactNoDevices).code() && !error.is_retryable() {
                transaction.warn_of_bundle(address, error).await?;
            }
        }
        Ok(())
    }
}
