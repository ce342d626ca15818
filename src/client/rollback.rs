//! A store that is an older copy of itself: noticed, and never sent from (section C7 of the requirements: I7, B33).
//!
//! Before anything leaves the device, the server is shown how far the store has come, authenticated under the store's own key. If it remembers more than the store
//! does, keys that are still in the store have been used: all sessions and prekeys are thrown away, and new ones are made.

use super::event::{SecurityEvent, SecurityKind};
use super::handle::Inner;
use super::intent::{Intent, Task};
use super::outbox::OutboxRow;
use super::own_device::{random, random_number};
use super::peer::{Peer, Repair};
use super::prekey_upkeep::new_prekeys;
use super::record_names::{self, Numbered};
use super::transaction::{Operation, Transaction};
use crate::error::{Error, Fault, Result};
use crate::runtime::async_trait;
use crate::transport::Witness;

impl Inner {
    /// Shows the server how far the store has come.
    ///
    /// # Errors
    /// `transport.*`; `store.*`. When the store turns out to be an older copy, its sessions are replaced, and the operation goes on.
    pub(super) async fn check_rollback(&self) -> Result<()> {
        let mine = self.witness().await?;
        let Some(seen) = self.transport.witness(&mine).await? else { return Ok(()) };
        if seen.generation <= mine.generation || seen.mac != self.witness_mac(seen.generation) {
            return Ok(());
        }
        // Another process may have committed meanwhile.
        let mine = self.witness().await?;
        if seen.generation <= mine.generation {
            return Ok(());
        }
        self.transact(Quarantine { seen: seen.generation }).await?;
        self.upkeep_due.store(true, std::sync::atomic::Ordering::Relaxed);
        self.transport.witness(&self.witness().await?).await?;
        Err(Fault::ClientRolledBack.into())
    }

    async fn witness(&self) -> Result<Witness> {
        let reading = self.store.read(&[record_names::own_device()]).await?;
        let own = reading.values.into_iter().next().flatten().ok_or(Fault::RecordCorrupt)?;
        let own = super::own_device::OwnDevice::from_bytes(&own)?;
        let generation = reading.generation.saturating_add(own.generations_before);
        Ok(Witness { generation, mac: self.witness_mac(generation) })
    }

    fn witness_mac(&self, generation: u64) -> [u8; 32] {
        self.store.keyed_hash("witness", &[&generation.to_be_bytes()])
    }
}

/// Throws away all that an older copy of the store would use a second time.
struct Quarantine {
    seen: u64,
}

#[cfg_attr(not(target_family = "wasm"), async_trait)]
#[cfg_attr(target_family = "wasm", async_trait(?Send))]
impl Operation for Quarantine {
    type Output = ();

    async fn plan(&mut self, transaction: &mut Transaction<'_>) -> Result<()> {
        let mut own = transaction.own_device().await?;
        let generation = transaction.generation().ok_or(Error::from(Fault::RecordCorrupt))?;
        if generation.saturating_add(own.generations_before) > self.seen {
            return Ok(());
        }
        // From here on, what the server is shown counts on from what it has seen.
        own.generations_before = self.seen.saturating_sub(generation).saturating_add(1);
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
