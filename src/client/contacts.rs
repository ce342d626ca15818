//! What an application asks and decides about its contacts.

use super::contact::Contact;
use super::handle::Inner;
use super::transaction::{Operation, Transaction};
use crate::error::{Fault, Result};
use crate::identity::{AccountKey, DidKey, Fingerprint, FingerprintParty, FingerprintVersion, Verification};
use crate::profile::Undertone;
use crate::runtime::async_trait;
use core::fmt;

/// What is known of an account.
///
/// ```
#[doc = include_str!("../../docs/examples/two_clients.txt")]
/// # use undertone::identity::Verification;
/// alice.send("bob", "hello").await?;
/// let contact: ContactInfo = alice.contact("bob").await?;
/// assert_eq!((contact.did, contact.devices), (bob.did(), vec![1]));
/// assert_eq!(contact.verification, Verification::Unverified);
#[doc = include_str!("../../docs/examples/end.txt")]
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct ContactInfo {
    /// The account's name.
    pub account: String,
    /// The pinned account key.
    pub did: DidKey,
    /// Whether it was compared.
    pub verification: Verification,
    /// The changed key that waits to be accepted.
    pub changed: Option<DidKey>,
    /// The numbers of its devices.
    pub devices: Vec<u8>,
}

/// Shows no name.
impl fmt::Debug for ContactInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ContactInfo")
            .field("verification", &self.verification)
            .field("has_changed", &self.changed.is_some())
            .field("devices", &self.devices)
            .finish_non_exhaustive()
    }
}

impl Inner {
    pub(super) async fn contact_info(&self, account: &str) -> Result<ContactInfo> {
        let contact = self.transaction().contact(account).await?.ok_or(Fault::ContactUnknown)?;
        Ok(ContactInfo {
            account: account.to_owned(),
            did: contact.list.account().did(),
            verification: contact.pinned.verification(),
            changed: contact.changed.as_ref().map(|changed| changed.account().did()),
            devices: contact.list.devices().map(|device| device.device).collect(),
        })
    }

    /// Of the account keys: that of the changed one, if there is one, for that is what is to be compared.
    pub(super) async fn safety_number(&self, account: &str) -> Result<Fingerprint<Undertone>> {
        let contact = self.transaction().contact(account).await?.ok_or(Fault::ContactUnknown)?;
        let list = contact.changed.as_ref().unwrap_or(&contact.list);
        let local = party(self.address.name(), &self.account);
        Ok(Fingerprint::new(FingerprintVersion::Two, &local, &party(account, list.account())))
    }

    pub(super) async fn mark_verified(&self, account: &str) -> Result<()> {
        self.transact(Decide { account, decision: Decision::Verified }).await?;
        self.release_held();
        self.wake.notify(usize::MAX);
        Ok(())
    }

    pub(super) async fn accept_identity(&self, account: &str) -> Result<()> {
        self.transact(Decide { account, decision: Decision::Accept }).await?;
        self.release_held();
        self.wake.notify(usize::MAX);
        Ok(())
    }
}

fn party<'a>(account: &'a str, key: &'a AccountKey) -> FingerprintParty<'a, Undertone> {
    FingerprintParty { account_id: account.as_bytes(), identity_key: key.fingerprint_key() }
}

enum Decision {
    Verified,
    Accept,
}

/// What the user decided about a contact.
struct Decide<'a> {
    account: &'a str,
    decision: Decision,
}

#[cfg_attr(not(target_family = "wasm"), async_trait)]
#[cfg_attr(target_family = "wasm", async_trait(?Send))]
impl Operation for Decide<'_> {
    type Output = ();

    async fn plan(&mut self, transaction: &mut Transaction<'_>) -> Result<()> {
        let mut contact: Contact = transaction.contact(self.account).await?.ok_or(Fault::ContactUnknown)?;
        transaction.accept_change(&mut contact).await?;
        if matches!(self.decision, Decision::Verified) {
            let key = contact.list.account().clone();
            contact.pinned.mark_verified(&key)?;
        }
        transaction.put_contact(&contact)
    }
}
