//! A device that the suite makes, with an account of its own.

use super::{equal, told};
use crate::crypto::random;
use crate::error::Result;
use crate::handshake::{LocalDevice, Prekeys};
use crate::identity::{AccountKeyPair, DeviceList, NewDevice, sign_login};
use crate::profile::{IdentityKey, IdentityKeyPair, Undertone, UndertoneIdentityKeyPair};
use crate::runtime::{Clock, SystemClock};
use crate::transport::{
    Delivery, EnvelopeId, Login, Outbound, PrekeyStock, PrekeyUpload, Publication, Transport, Verdict,
};
use crate::wire::Address;
use getrandom::SysRng;
use std::sync::Arc;

pub(super) struct Participant<T> {
    pub(super) transport: T,
    pub(super) account: Arc<AccountKeyPair>,
    pub(super) list: DeviceList,
    pub(super) identity: Arc<UndertoneIdentityKeyPair>,
    pub(super) address: Address,
    pub(super) registration_id: u32,
    pub(super) prekeys: Prekeys<Undertone>,
    pub(super) stock: PrekeyStock,
}

/// Signs in as `address` with the key that it was given.
pub(super) struct Key {
    pub(super) address: Address,
    pub(super) identity: Arc<UndertoneIdentityKeyPair>,
}

impl Login for Key {
    fn address(&self) -> &Address {
        &self.address
    }

    fn sign(&self, challenge: &[u8; 32]) -> Result<[u8; 64]> {
        sign_login(&self.identity, &self.address, challenge, &mut SysRng)
    }
}

type Told<T> = core::result::Result<T, String>;

impl<T: Transport> Participant<T> {
    pub(super) async fn register(transport: T, one_time: usize) -> Told<Self> {
        let mut registered = told("making a participant", Self::new(transport, one_time))?;
        registered.attach().await?;
        let publication = told("making a publication", registered.publication(0))?;
        registered.stock = told("publishing", registered.transport.publish(&publication).await)?;
        Ok(registered)
    }

    /// Adds a device to the account, which publishes itself on `transport`.
    pub(super) async fn link(&mut self, transport: T) -> Told<Self> {
        let mut linked = told("adding a device", self.new_device(transport))?;
        linked.attach().await?;
        let publication = told("making a publication", linked.publication(0))?;
        linked.stock = told("publishing", linked.transport.publish(&publication).await)?;
        Ok(linked)
    }

    pub(super) async fn attach(&self) -> Told<()> {
        told("attaching", self.transport.attach(self.login()).await)
    }

    pub(super) fn login(&self) -> Arc<Key> {
        Arc::new(Key { address: self.address.clone(), identity: Arc::clone(&self.identity) })
    }

    /// All prekeys, and the statements after number `after`.
    pub(super) fn publication(&self, after: u64) -> Result<Publication> {
        let prekeys = self.prekeys.signed_prekey().zip(self.prekeys.last_resort_prekey());
        let identity = <[u8; 32]>::try_from(self.identity.public().to_bytes()).unwrap_or_default();
        Ok(Publication {
            id: random::array(&mut SysRng)?,
            device: self.address.clone(),
            statements: self.list.statements_after(after),
            prekeys: prekeys.map(|(signed, last_resort)| PrekeyUpload {
                registration_id: self.registration_id,
                identity,
                signed_prekey: signed.clone(),
                last_resort_prekey: last_resort.clone(),
                one_time_prekeys: self.prekeys.one_time_prekeys().cloned().collect(),
                one_time_kem_prekeys: self.prekeys.one_time_kem_prekeys().cloned().collect(),
            }),
        })
    }

    pub(super) fn envelope(&self, bytes: &[u8]) -> Told<Outbound> {
        Ok(Outbound {
            id: EnvelopeId(told("drawing an id", random::array(&mut SysRng))?),
            to: self.address.clone(),
            device_list: self.list.number(),
            bytes: bytes.to_vec(),
        })
    }

    /// Sends `envelope` on `from`, which must be accepted.
    pub(super) async fn is_sent(&self, from: &T, envelope: &Outbound) -> Told<()> {
        let verdicts = told("sending", from.send(core::slice::from_ref(envelope)).await)?;
        equal("the verdict", verdicts, vec![Verdict::Accepted])
    }

    /// Receives once; whatever comes twice counts once.
    pub(super) async fn received(&self) -> Told<Vec<Delivery>> {
        let mut deliveries = told("receiving", self.transport.receive().await)?;
        deliveries.sort_by_key(|delivery| delivery.id);
        deliveries.dedup();
        Ok(deliveries)
    }

    pub(super) async fn acknowledge(&self, ids: &[EnvelopeId]) -> Told<()> {
        told("acknowledging", self.transport.acknowledge(ids).await)
    }

    pub(super) fn start_afresh(&mut self, one_time: usize) -> Result<()> {
        self.registration_id ^= 1;
        self.prekeys = new_prekeys(&self.identity, &self.address, self.registration_id, one_time)?;
        Ok(())
    }

    fn new(transport: T, one_time: usize) -> Result<Self> {
        let account = AccountKeyPair::generate(&mut SysRng)?;
        let identity = UndertoneIdentityKeyPair::generate(&mut SysRng)?;
        let suffix: [u8; 12] = random::array(&mut SysRng)?;
        let name = suffix.iter().fold("conformance-".to_owned(), |name, byte| format!("{name}{byte:02x}"));
        let first = NewDevice::new(&identity, account.public(), &name, 1, &mut SysRng)?;
        let list = DeviceList::create(&account, &name, first, now())?;
        let address = Address::new(name, 1)?;
        let prekeys = new_prekeys(&identity, &address, 1, one_time)?;
        Ok(Self {
            transport,
            account: Arc::new(account),
            list,
            identity: Arc::new(identity),
            address,
            registration_id: 1,
            prekeys,
            stock: PrekeyStock::default(),
        })
    }

    fn new_device(&mut self, transport: T) -> Result<Self> {
        let identity = UndertoneIdentityKeyPair::generate(&mut SysRng)?;
        let (name, number) = (self.address.name(), self.list.next_device()?);
        let device = NewDevice::new(&identity, self.account.public(), name, number, &mut SysRng)?;
        self.list.add(&self.account, device, now())?;
        let address = Address::new(name, number)?;
        let prekeys = new_prekeys(&identity, &address, 1, 0)?;
        Ok(Self {
            transport,
            account: Arc::clone(&self.account),
            list: self.list.clone(),
            identity: Arc::new(identity),
            address,
            registration_id: 1,
            prekeys,
            stock: PrekeyStock::default(),
        })
    }
}

pub(super) fn now() -> u64 {
    SystemClock.now().as_secs()
}

fn new_prekeys(
    identity: &UndertoneIdentityKeyPair,
    address: &Address,
    registration_id: u32,
    one_time: usize,
) -> Result<Prekeys<Undertone>> {
    let device = LocalDevice { identity, address, registration_id };
    let mut prekeys = Prekeys::generate(&device, now(), &mut SysRng)?;
    prekeys.add_one_time(&device, one_time, now(), &mut SysRng)?;
    Ok(prekeys)
}
