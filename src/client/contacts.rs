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
        Ok(safety_number((self.address.name(), &self.account), &contact))
    }

    /// Whether the decision was about the key that is there now, and is taken.
    pub(super) async fn decide(&self, account: &str, decision: Decision<'_>) -> Result<bool> {
        let decide = Decide { account, own: (self.address.name(), &self.account), decision };
        let is_taken = self.transact(decide).await?.into_inner();
        self.release_held();
        self.wake.notify(usize::MAX);
        Ok(is_taken)
    }
}

fn party<'a>(account: &'a str, key: &'a AccountKey) -> FingerprintParty<'a, Undertone> {
    FingerprintParty { account_id: account.as_bytes(), identity_key: key.fingerprint_key() }
}

fn safety_number(own: (&str, &AccountKey), contact: &Contact) -> Fingerprint<Undertone> {
    let list = contact.changed.as_ref().unwrap_or(&contact.list);
    Fingerprint::new(FingerprintVersion::Two, &party(own.0, own.1), &party(list.name(), list.account()))
}

/// What a user can decide about a contact. Each names the key that it is about: what the server shows may change between the look and the word.
pub(super) enum Decision<'a> {
    /// This safety number was compared aloud.
    Compared(&'a Fingerprint<Undertone>),
    /// This code was scanned.
    Scanned(&'a [u8]),
    /// This key is accepted.
    Accepted(&'a DidKey),
    /// The contact is not to count as verified.
    Doubted,
}

struct Decide<'a> {
    account: &'a str,
    own: (&'a str, &'a AccountKey),
    decision: Decision<'a>,
}

#[cfg_attr(not(target_family = "wasm"), async_trait)]
#[cfg_attr(target_family = "wasm", async_trait(?Send))]
impl Operation for Decide<'_> {
    type Output = bool;

    async fn plan(&mut self, transaction: &mut Transaction<'_>) -> Result<bool> {
        let mut contact: Contact = transaction.contact(self.account).await?.ok_or(Fault::ContactUnknown)?;
        let shown = contact.changed.as_ref().unwrap_or(&contact.list).account().clone();
        let number = safety_number(self.own, &contact);
        let is_verified = match &self.decision {
            // B52, SE-8: the mark is for the key that was compared, and for no other that came since.
            Decision::Compared(compared) if compared.to_scan() != number.to_scan() => {
                return Err(Fault::ContactChanged.into());
            }
            Decision::Accepted(did) if **did != shown.did() => return Err(Fault::ContactChanged.into()),
            Decision::Scanned(scan) if !number.matches_scan(scan)? => return Ok(false),
            Decision::Compared(_) | Decision::Scanned(_) => true,
            Decision::Accepted(_) => false,
            Decision::Doubted => {
                contact.pinned.mark_unverified();
                transaction.put_contact(&contact)?;
                return Ok(true);
            }
        };
        transaction.accept_change(&mut contact).await?;
        if is_verified {
            contact.pinned.mark_verified(&shown)?;
        }
        transaction.put_contact(&contact)?;
        Ok(true)
    }
}
