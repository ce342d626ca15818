//! The own account's devices: listed, and taken off the list.

use super::handle::{Client, Inner};
use super::intent::{Intent, Task};
use super::letters::address_of;
use super::own_device::OwnDevice;
use super::prekey_upkeep::publish_list;
use super::record_names::{self, Numbered};
use super::transaction::{Operation, Transaction};
use crate::error::{Fault, Result};
use crate::identity::{DeviceChange, DeviceList, NewDevice};
use crate::runtime::async_trait;

/// The own account's devices.
///
/// ```
#[doc = include_str!("../../docs/examples/two_clients.txt")]
/// let devices: OwnDevices = alice.devices().await?;
/// assert_eq!(devices, OwnDevices { this: 1, all: vec![1], holds_account_key: true });
#[doc = include_str!("../../docs/examples/end.txt")]
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnDevices {
    /// This device's number.
    pub this: u8,
    /// The numbers of all, this one included.
    pub all: Vec<u8>,
    /// Whether this device holds the account key, and so may link and unlink others.
    pub holds_account_key: bool,
}

impl Client {
    /// The devices of the own account.
    ///
    /// # Errors
    /// `store.*`, `client.closed`.
    #[tracing::instrument(skip_all, err(Debug, level = "debug"))]
    pub async fn devices(&self) -> Result<OwnDevices> {
        self.check_open()?;
        let (own, list) = self.inner.own_account().await?;
        let all = list.devices().map(|device| device.device).collect();
        Ok(OwnDevices { this: own.address.device(), all, holds_account_key: own.account.is_some() })
    }

    /// Takes a device off the account's list: nobody writes to it any more, and its messages are refused.
    ///
    /// # Errors
    /// `devices.account_key` on a device that does not hold the account key; `devices.number`; `store.*`, `client.*`. A server that cannot be reached is told later.
    #[tracing::instrument(skip_all, err(Debug, level = "debug"))]
    pub async fn unlink(&self, device: u8) -> Result<()> {
        self.check_open()?;
        self.inner.transact(Unlink { device }).await?;
        self.inner.publish_soon().await
    }
}

impl Inner {
    /// This device and its account's list, of one moment.
    pub(super) async fn own_account(&self) -> Result<(OwnDevice, DeviceList)> {
        Ok(self.transact(ReadOwnAccount).await?.into_inner())
    }

    /// Publishes now if the server can be reached, and later if not.
    pub(super) async fn publish_soon(&self) -> Result<()> {
        self.upkeep_due.store(true, std::sync::atomic::Ordering::Relaxed);
        let published = self.upkeep().await;
        self.wake.notify(usize::MAX);
        self.tolerate(published)
    }
}

/// Reads again if another process wrote in between.
struct ReadOwnAccount;

#[cfg_attr(not(target_family = "wasm"), async_trait)]
#[cfg_attr(target_family = "wasm", async_trait(?Send))]
impl Operation for ReadOwnAccount {
    type Output = (OwnDevice, DeviceList);

    async fn plan(&mut self, transaction: &mut Transaction<'_>) -> Result<Self::Output> {
        Ok((transaction.own_device().await?, transaction.own_list().await?))
    }
}

/// Signs a statement that removes a device.
struct Unlink {
    device: u8,
}

#[cfg_attr(not(target_family = "wasm"), async_trait)]
#[cfg_attr(target_family = "wasm", async_trait(?Send))]
impl Operation for Unlink {
    type Output = ();

    async fn plan(&mut self, transaction: &mut Transaction<'_>) -> Result<()> {
        let own = transaction.own_device_in_use().await?;
        let account = own.account.as_ref().ok_or(Fault::DevicesKey)?;
        let mut list = transaction.own_list().await?;
        if list.was_removed(self.device) {
            return Ok(());
        }
        list.remove(account, self.device, transaction.now)?;
        transaction.note_removed(list.name(), &[DeviceChange::Removed(self.device)]).await?;
        transaction.put_own_list(&own, &list).await
    }
}

/// Signs a statement that adds a device.
pub(super) struct AddDevice {
    pub(super) device: NewDevice,
}

#[cfg_attr(not(target_family = "wasm"), async_trait)]
#[cfg_attr(target_family = "wasm", async_trait(?Send))]
impl Operation for AddDevice {
    type Output = DeviceList;

    async fn plan(&mut self, transaction: &mut Transaction<'_>) -> Result<DeviceList> {
        let own = transaction.own_device_in_use().await?;
        let account = own.account.as_ref().ok_or(Fault::DevicesKey)?;
        let mut list = transaction.own_list().await?;
        let is_there =
            list.device(self.device.number()).is_some_and(|listed| listed.identity == *self.device.identity());
        if !is_there {
            list.add(account, self.device.clone(), transaction.now)?;
            transaction.put_own_list(&own, &list).await?;
        }
        Ok(list)
    }
}

impl Transaction<'_> {
    /// Stages a longer device list, its publication, and word of it to the own other devices.
    async fn put_own_list(&mut self, own: &OwnDevice, list: &DeviceList) -> Result<()> {
        self.put(record_names::own_list(), list.to_bytes());
        publish_list(self, own).await?;
        for device in list.devices() {
            let to = address_of(list.name(), device)?;
            if to != own.address {
                self.append(Numbered::Intents, Intent::now(Task::TellDevices { to }).to_bytes()?).await?;
            }
        }
        Ok(())
    }
}
