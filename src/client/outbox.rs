//! Envelopes on their way to the server: written in the commit that advanced their session, sent as they are until the server has them (I1, M2, M5).

use super::event::EventKind;
use super::handle::{Inner, age};
use super::intent::{Intent, Task};
use super::observe;
use super::record_names::Numbered;
use super::run_intents::is_local;
use super::transaction::{Operation, Transaction};
use crate::content::MessageId;
use crate::error::{Fault, Result};
use crate::runtime::async_trait;
use crate::transport::{EnvelopeId, Outbound, Verdict};
use crate::wire::{Address, Reader, Writer};
use std::collections::{BTreeMap, BTreeSet};

const VERSION: u8 = 1;
/// How many envelopes are handed over at once.
const AT_ONCE: usize = 64;
/// For how many seconds an envelope is left to the process that queued it.
const FOREIGN_AGE: u64 = 15;
/// For how many seconds an envelope waits at least that the server does not take now; as long again as it has waited already, up to five minutes.
const REFUSED_WAIT: u64 = 30;
const LONGEST_REFUSED_WAIT: u64 = 300;
/// After how many seconds an envelope is given up that the server does not take.
const REFUSED_AGE: u64 = 30 * 86_400;
/// How often in a row a longer device list is followed.
const REDIRECTIONS: usize = 3;

/// One envelope in the outbox.
pub(super) struct OutboxRow {
    pub(super) id: EnvelopeId,
    pub(super) to: Address,
    /// The recipient's device list when it was encrypted.
    pub(super) list: u64,
    /// The own message in it, if it is one.
    pub(super) message: Option<MessageId>,
    /// When, in seconds.
    pub(super) queued: u64,
    /// Which open client queued it.
    pub(super) writer: u64,
    pub(super) bytes: Vec<u8>,
}

impl OutboxRow {
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut out = Writer::with_capacity(self.bytes.len() + 128);
        out.u8(VERSION).bytes(&self.id.0);
        self.to.encode(&mut out);
        out.u64(self.list).flag(self.message.is_some()).bytes(&self.message.map_or([0; 16], |id| id.0));
        out.u64(self.queued).u64(self.writer).bytes(&self.bytes);
        out.into_vec()
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let mut input = Reader::new(bytes, Fault::RecordCorrupt);
        if input.u8()? != VERSION {
            return Err(Fault::RecordVersion.into());
        }
        let id = EnvelopeId(*input.array()?);
        let to = Address::decode(&mut input)?;
        let list = input.u64()?;
        let has_message = input.flag()?;
        let message = Some(MessageId(*input.array()?)).filter(|_| has_message);
        let (queued, writer) = (input.u64()?, input.u64()?);
        Ok(Self { id, to, list, message, queued, writer, bytes: input.rest().to_vec() })
    }
}

/// What the server did not take.
#[derive(Default)]
struct Refused {
    /// Accounts whose device list has grown.
    stale: BTreeSet<String>,
    /// Rows that will never be taken.
    rejected: Vec<(u64, &'static str)>,
    /// Whether some will be taken later.
    is_waiting: bool,
}

impl Refused {
    fn is_nothing(&self) -> bool {
        self.stale.is_empty() && self.rejected.is_empty() && !self.is_waiting
    }
}

impl Inner {
    /// Hands the outbox to the server. What it takes is forgotten with the next commit. True if it took all there was.
    ///
    /// # Errors
    /// `transport.*`: what was not taken stays. `store.*`.
    pub(super) async fn flush(&self) -> Result<bool> {
        let _one_at_a_time = self.flushing.lock().await;
        for _ in 0..REDIRECTIONS {
            let refused = self.hand_over_all().await?;
            let is_all = refused.is_nothing();
            for (row, code) in refused.rejected {
                self.transact(Reject { row, code }).await?;
            }
            let mut is_moved = false;
            for account in refused.stale {
                is_moved |= self.redirect(&account).await?;
            }
            if !is_moved {
                return Ok(is_all);
            }
        }
        Ok(false)
    }

    async fn hand_over_all(&self) -> Result<Refused> {
        let mut refused = Refused::default();
        let mut after = None;
        let mut is_witnessed = false;
        loop {
            let rows = self.store.scan(&Numbered::Outbox.all(), after, AT_ONCE).await?.entries;
            let Some((last, _)) = rows.last() else { break };
            after = Some(*last);
            let due = self.due(&rows)?;
            if due.is_empty() {
                continue;
            }
            // I7: the server has seen how far this store had come before anything leaves it.
            if !is_witnessed {
                self.check_rollback().await?;
                is_witnessed = true;
            }
            self.hand_over(due, &mut refused).await?;
        }
        Ok(refused)
    }

    fn due(&self, rows: &[(u64, crate::crypto::Zeroizing<Vec<u8>>)]) -> Result<Vec<(u64, OutboxRow)>> {
        let settled = self.settled_envelopes();
        let now = self.clock.now().as_secs();
        let mut due = Vec::new();
        for (number, bytes) in rows {
            if settled.contains(number) || self.is_postponed(*number, now) {
                continue;
            }
            let row = OutboxRow::from_bytes(bytes)?;
            let is_ours = row.writer == self.settings.instance || *number < self.first_own_envelope;
            if is_ours || age(now, row.queued) >= FOREIGN_AGE {
                due.push((*number, row));
            }
        }
        Ok(due)
    }

    async fn hand_over(&self, rows: Vec<(u64, OutboxRow)>, refused: &mut Refused) -> Result<()> {
        let mut numbers = Vec::with_capacity(rows.len());
        let mut envelopes = Vec::with_capacity(rows.len());
        for (number, mut row) in rows {
            self.encrypt_again(&mut row).await?;
            numbers.push((number, row.to.name().to_owned(), row.queued));
            envelopes.push(Outbound { id: row.id, to: row.to, device_list: row.list, bytes: row.bytes });
        }
        let verdicts = self.transport.send(&envelopes).await?;
        if verdicts.len() != envelopes.len() {
            return Err(Fault::TransportAnswer.into());
        }
        self.trouble.store(0, std::sync::atomic::Ordering::Relaxed);
        let now = self.clock.now().as_secs();
        for ((number, account, queued), verdict) in numbers.into_iter().zip(verdicts) {
            let waited = age(now, queued);
            let later = now + waited.clamp(REFUSED_WAIT, LONGEST_REFUSED_WAIT);
            match verdict {
                Verdict::Accepted => self.settle(number),
                Verdict::TooLarge => refused.rejected.push((number, "transport.too_large")),
                _ if (REFUSED_AGE..u64::MAX).contains(&waited) => refused.rejected.push((number, "transport.refused")),
                Verdict::DevicesChanged | Verdict::NoSuchDevice => {
                    self.postpone(number, later);
                    refused.stale.insert(account);
                }
                Verdict::MailboxFull => {
                    self.postpone(number, later);
                    refused.is_waiting = true;
                }
            }
        }
        observe::sent(envelopes.len());
        Ok(())
    }

    /// Brings waiting envelopes to the devices that the account has now (SE-2). True if some may go on.
    async fn redirect(&self, account: &str) -> Result<bool> {
        match self.refresh_devices(account).await {
            Ok(()) => {
                let moved = self.transact(Redirect { account }).await?.into_inner();
                moved.iter().for_each(|number| self.postpone(*number, 0));
                Ok(!moved.is_empty())
            }
            // What the server says of the list is refused, and the application was told: the envelopes wait.
            Err(error) if !error.is_retryable() && !is_local(&error) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

/// Takes an envelope out that the server will never take.
struct Reject {
    row: u64,
    code: &'static str,
}

#[cfg_attr(not(target_family = "wasm"), async_trait)]
#[cfg_attr(target_family = "wasm", async_trait(?Send))]
impl Operation for Reject {
    type Output = ();

    async fn plan(&mut self, transaction: &mut Transaction<'_>) -> Result<()> {
        let name = Numbered::Outbox.row(self.row);
        let Some(bytes) = transaction.get(&name).await? else { return Ok(()) };
        let row = OutboxRow::from_bytes(&bytes)?;
        transaction.remove(name);
        if let Some(message) = row.message {
            transaction.mark_refused(message).await?;
        }
        let (account, device) = (row.to.name().to_owned(), row.to.device());
        let code = self.code.to_owned();
        transaction.tell(EventKind::NotDelivered { account, device, message: row.message, code }).await
    }
}

/// Drops waiting envelopes to devices that are gone, lets those go that are for devices that are still there, and has the new devices told as well. Their places
/// in the ratchets are used up: nothing is encrypted there again.
struct Redirect<'a> {
    account: &'a str,
}

#[cfg_attr(not(target_family = "wasm"), async_trait)]
#[cfg_attr(target_family = "wasm", async_trait(?Send))]
impl Operation for Redirect<'_> {
    type Output = Vec<u64>;

    async fn plan(&mut self, transaction: &mut Transaction<'_>) -> Result<Vec<u64>> {
        let own = transaction.own_device().await?;
        let list = if own.address.name() == self.account {
            transaction.own_list().await?
        } else {
            match transaction.contact(self.account).await? {
                Some(contact) => contact.list,
                None => return Ok(Vec::new()),
            }
        };
        let mut moved = Vec::new();
        let mut messages: BTreeMap<MessageId, u64> = BTreeMap::new();
        let mut after = None;
        loop {
            let rows = transaction.rows(Numbered::Outbox, after, AT_ONCE).await?;
            let Some((last, _)) = rows.last() else { break };
            after = Some(*last);
            for (number, bytes) in &rows {
                let mut row = OutboxRow::from_bytes(bytes)?;
                if row.to.name() != self.account || row.list >= list.number() {
                    continue;
                }
                if let Some(message) = row.message {
                    messages.entry(message).and_modify(|known| *known = row.list.min(*known)).or_insert(row.list);
                }
                if list.device(row.to.device()).is_some() {
                    row.list = list.number();
                    transaction.put(Numbered::Outbox.row(*number), row.to_bytes());
                    moved.push(*number);
                } else {
                    transaction.remove(Numbered::Outbox.row(*number));
                }
            }
        }
        for (message, known) in messages {
            for device in list.devices().filter(|device| device.statement > known) {
                let to = super::letters::address_of(self.account, device)?;
                if to != own.address {
                    let task = Task::Deliver { to, message, sequence: 0 };
                    transaction.append(Numbered::Intents, Intent::now(task).to_bytes()?).await?;
                }
            }
        }
        Ok(moved)
    }
}
