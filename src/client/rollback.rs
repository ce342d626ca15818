//! A store that is an older copy of itself: noticed, and never sent from (section C7 of the requirements: I7, B33).
//!
//! Before anything leaves the device, the server is shown how far the store has come, authenticated under the store's own key. If it remembers more than the store
//! does, keys that are still in the store have been used: all sessions and prekeys are thrown away, and new ones are made.

use super::event::{SecurityEvent, SecurityKind};
use super::handle::Inner;
use super::intent::{Intent, Task};
use super::outbox::OutboxRow;
use super::own_device::{OwnDevice, random, random_number};
use super::peer::{Peer, Repair};
use super::prekey_upkeep::new_prekeys;
use super::record_names::{self, Numbered};
use super::transaction::{Operation, Transaction};
use crate::error::{Error, Fault, Result};
use crate::runtime::async_trait;
use crate::transport::Witness;
use std::sync::atomic::Ordering;

impl Inner {
    /// Shows the server how far the store has come.
    ///
    /// # Errors
    /// `transport.*`; `store.*`. When the store turns out to be an older copy, its sessions are replaced, and the operation goes on.
    pub(super) async fn check_rollback(&self) -> Result<()> {
        let known = self.shown_before().await?;
        let mine = self.witness().await?;
        self.shown.fetch_max(mine.generation, Ordering::SeqCst);
        let Some(seen) = self.transport.witness(&mine).await? else { return Ok(()) };
        if seen.generation <= known || seen.mac != self.witness_mac(seen.generation) {
            return Ok(());
        }
        // Another process may have committed meanwhile.
        if !self.is_alone().await? && seen.generation <= self.witness().await?.generation {
            return Ok(());
        }
        self.transact(Quarantine { seen: seen.generation, before: self.generations_before().await? }).await?;
        self.upkeep_due.store(true, Ordering::Relaxed);
        self.begin_to_count().await?;
        self.transport.witness(&self.witness().await?).await?;
        Err(Fault::ClientRolledBack.into())
    }

    /// Notes how far the store had come when this client opened it.
    pub(super) async fn begin_to_count(&self) -> Result<()> {
        let reading = self.store.read(&[record_names::own_device()]).await?;
        self.own_commits.store(0, Ordering::SeqCst);
        let before = match reading.values.into_iter().next().flatten() {
            Some(own) => OwnDevice::from_bytes(&own)?.generations_before,
            None => 0,
        };
        let generation = reading.generation.saturating_add(before);
        self.opened_at.store(generation, Ordering::SeqCst);
        self.shown.store(generation, Ordering::SeqCst);
        Ok(())
    }

    /// The highest generation that the server can have been shown. An older copy that was written to since could otherwise pass for newer than what it is a copy of:
    /// so what counts is how far the store had come before this client wrote, unless another process writes as well.
    async fn shown_before(&self) -> Result<u64> {
        if self.is_alone().await? {
            return Ok(self.shown.load(Ordering::SeqCst));
        }
        Ok(self.witness().await?.generation)
    }

    /// Whether nobody else has committed since this client opened.
    async fn is_alone(&self) -> Result<bool> {
        let own_commits = self.own_commits.load(Ordering::SeqCst);
        let opened_at = self.opened_at.load(Ordering::SeqCst);
        Ok(self.witness().await?.generation == opened_at.saturating_add(own_commits))
    }

    async fn generations_before(&self) -> Result<u64> {
        Ok(self.transaction().own_device().await?.generations_before)
    }

    async fn witness(&self) -> Result<Witness> {
        let reading = self.store.read(&[record_names::own_device()]).await?;
        let own = reading.values.into_iter().next().flatten().ok_or(Fault::RecordCorrupt)?;
        let own = OwnDevice::from_bytes(&own)?;
        let generation = reading.generation.saturating_add(own.generations_before);
        Ok(Witness { generation, mac: self.witness_mac(generation) })
    }

    fn witness_mac(&self, generation: u64) -> [u8; 32] {
        self.store.keyed_hash("witness", &[&generation.to_be_bytes()])
    }
}

/// Throws away all that an older copy of the store would use a second time.
struct Quarantine {
    /// What the server remembers.
    seen: u64,
    /// What was added to the store's generation until now: another process may have come first.
    before: u64,
}

#[cfg_attr(not(target_family = "wasm"), async_trait)]
#[cfg_attr(target_family = "wasm", async_trait(?Send))]
impl Operation for Quarantine {
    type Output = ();

    async fn plan(&mut self, transaction: &mut Transaction<'_>) -> Result<()> {
        let mut own = transaction.own_device().await?;
        let generation = transaction.generation().ok_or(Error::from(Fault::RecordCorrupt))?;
        if own.generations_before != self.before {
            return Ok(());
        }
        // From here on, what the server is shown counts on from what it has seen.
        own.generations_before = self.seen.saturating_sub(generation).max(self.before).saturating_add(1);
        own.registration_id = u32::from_be_bytes(random()?);
        transaction.put(record_names::own_device(), own.to_bytes()?);

        for bytes in transaction.all(&record_names::peers()).await? {
            let known = Peer::from_bytes(&bytes)?;
            let (session, tags) = transaction.session(&own, &known.address).await?;
            for tag in &tags {
                transaction.remove(record_names::tag(tag));
            }
            drop(session);
            transaction.remove(record_names::session(&known.address));
            // Numbers of the old stream may have been given to messages that this copy does not know.
            let peer = Peer { stream: random_number()?, next: 1, acknowledged: 0, repair: Repair::default(), ..known };
            transaction.put_peer(&peer);
            let task = Task::Renew { to: peer.address.clone() };
            transaction.append(Numbered::Intents, Intent::now(task).to_bytes()?).await?;
        }
        let mut after = None;
        loop {
            let rows = transaction.rows(Numbered::Outbox, after, 64).await?;
            let Some((last, _)) = rows.last() else { break };
            after = Some(*last);
            for (number, bytes) in &rows {
                let row = OutboxRow::from_bytes(bytes)?;
                transaction.remove(Numbered::Outbox.row(*number));
                if let Some(message) = row.message {
                    let task = Task::Deliver { to: row.to, message, sequence: 0 };
                    transaction.append(Numbered::Intents, Intent::now(task).to_bytes()?).await?;
                }
            }
        }
        new_prekeys(transaction, &own).await?;
        let code = Error::from(Fault::ClientRolledBack).code();
        transaction.warn(SecurityEvent::of(SecurityKind::StoreRolledBack, code)).await
    }
}
