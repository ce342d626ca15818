//! What is known of another account: its pinned key, its device list, and what has become of them.

use super::event::{EventKind, SecurityEvent, SecurityKind};
use super::handle::Inner;
use super::record_names;
use super::transaction::{Operation, Transaction};
use crate::error::{Error, Fault, Result};
use crate::identity::{DeviceChange, DeviceList, PinnedAccount, Seen, TrustPolicy};
use crate::runtime::async_trait;
use crate::wire::{Reader, Writer};

const VERSION: u8 = 1;
/// After how many seconds a device list is asked for again before a message is sent. Between, the server says when it has grown.
pub(super) const LIST_AGE: u64 = 86_400;

/// Another account.
pub(super) struct Contact {
    pub(super) pinned: PinnedAccount,
    /// The devices under the pinned key.
    pub(super) list: DeviceList,
    /// The devices under a key that the user has not accepted yet.
    pub(super) changed: Option<DeviceList>,
    /// When the list was last asked for, in seconds.
    pub(super) checked: u64,
    /// Whether this account ever wrote to it.
    pub(super) was_written_to: bool,
}

impl Contact {
    pub(super) fn to_bytes(&self) -> Result<Vec<u8>> {
        let mut out = Writer::with_capacity(1024);
        out.u8(VERSION).u64(self.checked).flag(self.was_written_to);
        out.prefixed_long(&self.pinned.to_bytes())?.prefixed_long(&self.list.to_bytes())?;
        out.flag(self.changed.is_some());
        if let Some(changed) = &self.changed {
            out.prefixed_long(&changed.to_bytes())?;
        }
        Ok(out.into_vec())
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let mut input = Reader::new(bytes, Fault::RecordCorrupt);
        if input.u8()? != VERSION {
            return Err(Fault::RecordVersion.into());
        }
        let (checked, was_written_to) = (input.u64()?, input.flag()?);
        let pinned = PinnedAccount::from_bytes(input.prefixed_long()?)?;
        let list = DeviceList::from_bytes(input.prefixed_long()?)?;
        let changed = if input.flag()? { Some(DeviceList::from_bytes(input.prefixed_long()?)?) } else { None };
        input.finish()?;
        Ok(Self { pinned, list, changed, checked, was_written_to })
    }
}

impl Transaction<'_> {
    pub(super) async fn contact(&mut self, account: &str) -> Result<Option<Contact>> {
        self.get(&record_names::contact(account)).await?.map(|bytes| Contact::from_bytes(&bytes)).transpose()
    }

    /// Takes a changed key for the contact's, with its devices.
    pub(super) async fn accept_change(&mut self, contact: &mut Contact) -> Result<()> {
        contact.pinned.accept_change();
        if let Some(changed) = contact.changed.take() {
            self.note_replaced(&contact.list).await?;
            contact.list = changed;
        }
        Ok(())
    }

    pub(super) fn put_contact(&mut self, contact: &Contact) -> Result<()> {
        self.put(record_names::contact(contact.list.name()), contact.to_bytes()?);
        Ok(())
    }

    pub(super) async fn own_list(&mut self) -> Result<DeviceList> {
        let stored = self.get(&record_names::own_list()).await?.ok_or(Fault::RecordCorrupt)?;
        DeviceList::from_bytes(&stored)
    }
}

/// What became of the statements that a server gave.
pub(super) enum Learned {
    /// The list is as the server says, now.
    UpToDate,
    /// They do not continue what is known: the whole list has to be seen.
    Discontinued,
    /// They are refused, and the application is told.
    Refused(Error),
}

/// Takes statements of an account's device list from the server: SE-11, B47: nothing in them is believed but what the account key signed, in an order
/// that continues the one that was seen.
pub(super) struct Learn<'a> {
    pub(super) account: &'a str,
    pub(super) statements: &'a [Vec<u8>],
    /// Whether they begin with the first one.
    pub(super) whole: bool,
    pub(super) policy: TrustPolicy,
}

#[cfg_attr(not(target_family = "wasm"), async_trait)]
#[cfg_attr(target_family = "wasm", async_trait(?Send))]
impl Operation for Learn<'_> {
    type Output = Learned;

    async fn plan(&mut self, transaction: &mut Transaction<'_>) -> Result<Learned> {
        let own = transaction.own_device().await?;
        if own.address.name() == self.account {
            return self.learn_own(transaction, own).await;
        }
        match transaction.contact(self.account).await? {
            None if !self.whole => Ok(Learned::Discontinued),
            None => self.learn_first(transaction).await,
            Some(contact) => self.learn_more(transaction, contact).await,
        }
    }
}

impl Learn<'_> {
    async fn learn_first(&self, transaction: &mut Transaction<'_>) -> Result<Learned> {
        if self.statements.is_empty() {
            return Ok(Learned::Refused(Fault::TransportUnknown.into()));
        }
        match DeviceList::verify(self.account, self.statements) {
            Ok(list) => {
                let mut pinned = PinnedAccount::default();
                pinned.see(list.account());
                let contact = Contact { pinned, list, changed: None, checked: transaction.now, was_written_to: false };
                transaction.put_contact(&contact)?;
                Ok(Learned::UpToDate)
            }
            Err(error) => self.refuse(transaction, error).await,
        }
    }

    async fn learn_more(&self, transaction: &mut Transaction<'_>, mut contact: Contact) -> Result<Learned> {
        contact.checked = transaction.now;
        match contact.list.extend(self.statements) {
            Ok(changes) => {
                contact.pinned.see(contact.list.account());
                contact.changed = None;
                transaction.note_devices(self.account, &changes).await?;
                transaction.put_contact(&contact)?;
                Ok(Learned::UpToDate)
            }
            Err(_) if !self.whole => Ok(Learned::Discontinued),
            Err(error) => match DeviceList::verify(self.account, self.statements) {
                Ok(list) if list.account() != contact.list.account() => {
                    self.change_identity(transaction, contact, list).await
                }
                Ok(_) | Err(_) => self.refuse(transaction, error).await,
            },
        }
    }

    /// SE-8: another account key under the same name.
    async fn change_identity(
        &self,
        transaction: &mut Transaction<'_>,
        mut contact: Contact,
        list: DeviceList,
    ) -> Result<Learned> {
        let (is_news, key) = (contact.pinned.see(list.account()) == Seen::Changed, list.account().did());
        contact.changed = Some(list);
        let may_send = contact.pinned.may_send(self.policy);
        if is_news {
            let account = self.account.to_owned();
            transaction.tell(EventKind::IdentityChanged { account, key, blocked: !may_send }).await?;
        }
        if may_send {
            transaction.accept_change(&mut contact).await?;
        }
        transaction.put_contact(&contact)?;
        Ok(Learned::UpToDate)
    }

    async fn learn_own(
        &self,
        transaction: &mut Transaction<'_>,
        mut own: super::own_device::OwnDevice,
    ) -> Result<Learned> {
        let mut list = transaction.own_list().await?;
        match list.extend(self.statements) {
            Ok(changes) if changes.is_empty() => Ok(Learned::UpToDate),
            Ok(changes) => {
                transaction.put(record_names::own_list(), list.to_bytes());
                transaction.note_devices(self.account, &changes).await?;
                if list.was_removed(own.address.device()) && !own.unlinked {
                    own.unlinked = true;
                    transaction.put(record_names::own_device(), own.to_bytes()?);
                    transaction.tell(EventKind::Unlinked).await?;
                }
                Ok(Learned::UpToDate)
            }
            Err(error) => self.refuse(transaction, error).await,
        }
    }

    async fn refuse(&self, transaction: &mut Transaction<'_>, error: Error) -> Result<Learned> {
        let event = SecurityEvent::of(SecurityKind::DeviceListRefused, error.code()).about(self.account, None);
        transaction.warn(event).await?;
        Ok(Learned::Refused(error))
    }
}

impl Transaction<'_> {
    async fn note_devices(&mut self, account: &str, changes: &[DeviceChange]) -> Result<()> {
        if changes.is_empty() {
            return Ok(());
        }
        self.note_removed(account, changes).await?;
        let (mut added, mut removed) = (Vec::new(), Vec::new());
        for change in changes {
            match change {
                DeviceChange::Added(device) => added.push(*device),
                DeviceChange::Removed(device) => removed.push(*device),
            }
        }
        self.tell(EventKind::DevicesChanged { account: account.to_owned(), added, removed }).await
    }
}

impl Inner {
    /// Asks the server for what is new in an account's device list.
    ///
    /// # Errors
    /// What the server's answer was refused for, `transport.*`, `store.*`.
    pub(super) async fn refresh_devices(&self, account: &str) -> Result<()> {
        // One read: two may be of different moments where another process writes.
        let mut transaction = self.transaction();
        let after = if self.address.name() == account {
            transaction.own_list().await?.number()
        } else {
            transaction.contact(account).await?.map_or(0, |contact| contact.list.number())
        };
        drop(transaction);
        // SE-8: the newest statement that is known is asked for again: of an account that was made anew, there may be no statements after it.
        let after = after.saturating_sub(1);
        let statements = self.transport.device_list(account, after).await?;
        match self.learn(account, &statements, after == 0).await? {
            Learned::UpToDate => Ok(()),
            Learned::Refused(error) => Err(error),
            Learned::Discontinued => {
                let statements = self.transport.device_list(account, 0).await?;
                match self.learn(account, &statements, true).await? {
                    Learned::UpToDate => Ok(()),
                    Learned::Refused(error) => Err(error),
                    Learned::Discontinued => Err(Fault::DevicesChain.into()),
                }
            }
        }
    }

    pub(super) async fn learn(&self, account: &str, statements: &[Vec<u8>], whole: bool) -> Result<Learned> {
        let policy = self.settings.trust;
        Ok(self.transact(Learn { account, statements, whole, policy }).await?.into_inner())
    }
}
