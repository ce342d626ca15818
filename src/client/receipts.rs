//! Receipts: what a user lets others know of their messages (section D4 of the requirements).
//!
//! A receipt is sent for a message that came, to someone who was written to before, and never by itself: the application asks for each. Receipts of one conversation
//! travel together after a random while, padded like any message, so that they tell the network neither when a message came nor that it was read.

use super::event::Message;
use super::handle::{Client, Inner};
use super::intent::{Intent, Task};
use super::own_device::random;
use super::record_names::{self, Numbered};
use super::transaction::{Operation, Transaction};
use crate::content::{Body, MAX_RECEIPT_IDS, MessageId, ReceiptKind};
use crate::error::{Fault, Result};
use crate::runtime::async_trait;
use crate::wire::{Reader, Writer};

const VERSION: u8 = 1;
/// The longest time that a receipt waits for others, in seconds.
const LONGEST_WAIT: u64 = 60;

impl Client {
    /// Lets the sender of `message` know that it was delivered or read, together with others of the same conversation and within a minute. Does nothing where a
    /// receipt has no place: on any device of the account but the first, for one's own messages, for reactions, edits, deletions and receipts, for an account that was never written to, and when receipts are
    /// [switched off](super::ClientBuilder::without_receipts).
    ///
    /// # Errors
    /// `store.*`, `client.unlinked`, `client.closed`.
    #[tracing::instrument(skip_all, err(Debug, level = "debug"))]
    pub async fn receipt(&self, message: &Message, kind: ReceiptKind) -> Result<()> {
        self.check_open()?;
        let is_from_another = message.sender != self.name();
        if self.inner.settings.receipts && is_from_another && is_receipted(&message.body) {
            self.inner.queue_receipt(&message.sender, message.id, kind).await?;
            self.inner.wake.notify(usize::MAX);
        }
        Ok(())
    }
}

/// Whether a message of this kind is receipted.
const fn is_receipted(body: &Body) -> bool {
    matches!(body, Body::Text(_) | Body::Reply { .. } | Body::Attachment(_) | Body::App(_) | Body::Unknown { .. })
}

impl Inner {
    async fn queue_receipt(&self, account: &str, message: MessageId, kind: ReceiptKind) -> Result<()> {
        let jitter = u64::from_be_bytes(random()?) % (LONGEST_WAIT + 1);
        self.transact(QueueReceipt { account, message, kind, jitter }).await.map(|_| ())
    }
}

/// Adds a message to the next receipt of its conversation.
struct QueueReceipt<'a> {
    account: &'a str,
    message: MessageId,
    kind: ReceiptKind,
    jitter: u64,
}

#[cfg_attr(not(target_family = "wasm"), async_trait)]
#[cfg_attr(target_family = "wasm", async_trait(?Send))]
impl Operation for QueueReceipt<'_> {
    type Output = ();

    async fn plan(&mut self, transaction: &mut Transaction<'_>) -> Result<()> {
        let own = transaction.own_device_in_use().await?;
        // D4: on which of their devices someone reads is nobody's business.
        if transaction.own_list().await?.devices().any(|device| device.device < own.address.device()) {
            return Ok(());
        }
        // A stranger does not learn from a receipt that there is someone here.
        if !transaction.contact(self.account).await?.is_some_and(|contact| contact.was_written_to) {
            return Ok(());
        }
        let name = record_names::receipts(self.account, self.kind);
        let waiting = transaction.get(&name).await?;
        let mut ids = waiting.as_deref().map_or_else(|| Ok(Vec::new()), |bytes| decode(bytes))?;
        if ids.contains(&self.message) {
            return Ok(());
        }
        if ids.len() >= MAX_RECEIPT_IDS {
            transaction.send_receipts(self.account, self.kind).await?;
            ids.clear();
        }
        ids.push(self.message);
        if waiting.is_none() {
            let task = Task::SendReceipts { account: self.account.to_owned(), kind: self.kind };
            let intent = Intent::at(transaction.now + self.jitter, task);
            transaction.append(Numbered::Intents, intent.to_bytes()?).await?;
        }
        transaction.put(name, encode(&ids));
        Ok(())
    }
}

impl Transaction<'_> {
    /// Makes one message of the receipts that wait: an own message like any other, to all devices of the account.
    pub(super) async fn send_receipts(&mut self, account: &str, kind: ReceiptKind) -> Result<()> {
        let name = record_names::receipts(account, kind);
        let Some(waiting) = self.get(&name).await? else { return Ok(()) };
        self.remove(name);
        let ids = decode(&waiting)?;
        let message = MessageId(random()?);
        self.keep_sent(message, account, 0, 1, &Body::Receipt { kind, ids }).await?;
        let task = Task::Resolve { account: account.to_owned(), message };
        self.append(Numbered::Intents, Intent::now(task).to_bytes()?).await?;
        Ok(())
    }
}

fn encode(ids: &[MessageId]) -> Vec<u8> {
    let mut out = Writer::with_capacity(1 + ids.len() * 16);
    out.u8(VERSION);
    for id in ids {
        out.bytes(&id.0);
    }
    out.into_vec()
}

fn decode(bytes: &[u8]) -> Result<Vec<MessageId>> {
    let mut input = Reader::new(bytes, Fault::RecordCorrupt);
    if input.u8()? != VERSION {
        return Err(Fault::RecordVersion.into());
    }
    let mut ids = Vec::new();
    while !input.is_empty() {
        ids.push(MessageId(*input.array()?));
    }
    Ok(ids)
}
