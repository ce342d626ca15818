//! Devices that were removed from their accounts: what was kept for them is deleted after a time (SE-5).

use super::handle::age;
use super::record_names::{self, Numbered};
use super::transaction::{Operation, Transaction};
use crate::error::{Fault, Result};
use crate::identity::{DeviceChange, DeviceList};
use crate::runtime::async_trait;
use crate::wire::{Address, Reader, Writer};

/// For how many seconds the records of a removed device are kept: what it sent before may still come.
const KEPT: u64 = 30 * 86_400;
/// How many devices are forgotten in one commit: each may have a thousand messages that were kept for it.
const AT_ONCE: usize = 4;

impl Transaction<'_> {
    /// Notes which devices are gone.
    pub(super) async fn note_removed(&mut self, account: &str, changes: &[DeviceChange]) -> Result<()> {
        for change in changes {
            if let DeviceChange::Removed(device) = change {
                self.note_gone(&Address::new(account, *device)?).await?;
            }
        }
        Ok(())
    }

    /// Notes that a whole list was replaced by that of another account key.
    pub(super) async fn note_replaced(&mut self, list: &DeviceList) -> Result<()> {
        let devices: Vec<u8> = list.devices().map(|device| device.device).collect();
        for device in devices {
            self.note_gone(&Address::new(list.name(), device)?).await?;
        }
        Ok(())
    }

    async fn note_gone(&mut self, device: &Address) -> Result<()> {
        let mut row = Writer::with_capacity(64);
        row.u64(self.now);
        device.encode(&mut row);
        self.append(Numbered::Removed, row.into_vec()).await.map(|_| ())
    }

    async fn is_listed(&mut self, own: &str, device: &Address) -> Result<bool> {
        let list = if device.name() == own {
            Some(self.own_list().await?)
        } else {
            self.contact(device.name()).await?.map(|contact| contact.list)
        };
        Ok(list.is_some_and(|list| list.device(device.device()).is_some()))
    }

    async fn forget_device(&mut self, device: &Address) -> Result<()> {
        let own = self.own_device().await?;
        let (_, tags) = self.session(&own, device).await?;
        for tag in &tags {
            self.remove(record_names::tag(tag));
        }
        self.remove(record_names::session(device));
        if self.get(&record_names::peer(device)).await?.is_some() {
            let peer = self.peer(device).await?;
            for sequence in peer.kept_for_resending() {
                self.remove(record_names::resend(device, sequence));
            }
            self.remove(record_names::peer(device));
        }
        Ok(())
    }
}

/// Deletes what is kept for devices that were removed long ago.
pub(super) struct ForgetRemoved;

#[cfg_attr(not(target_family = "wasm"), async_trait)]
#[cfg_attr(target_family = "wasm", async_trait(?Send))]
impl Operation for ForgetRemoved {
    type Output = ();

    async fn plan(&mut self, transaction: &mut Transaction<'_>) -> Result<()> {
        for (number, row) in transaction.rows(Numbered::Removed, None, AT_ONCE).await? {
            let mut input = Reader::new(&row, Fault::RecordCorrupt);
            let (removed, device) = (input.u64()?, Address::decode(&mut input)?);
            if age(transaction.now, removed) <= KEPT {
                return Ok(());
            }
            let own = transaction.own_device().await?;
            // After a change of the account key, the same number may be another device.
            if !transaction.is_listed(own.address.name(), &device).await? {
                transaction.forget_device(&device).await?;
            }
            transaction.remove(Numbered::Removed.row(number));
        }
        Ok(())
    }
}
