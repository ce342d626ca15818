//! What makes this device the one that it is.

use crate::error::{Fault, Result};
use crate::handshake::LocalDevice;
use crate::identity::{AccountKeyPair, sign_login};
use crate::profile::{IdentityKeyPair, Undertone, UndertoneIdentityKeyPair};
use crate::transport::Login;
use crate::wire::{Address, Reader, Writer};
use getrandom::SysRng;

const VERSION: u8 = 1;

/// This device's keys and address.
pub(super) struct OwnDevice {
    pub(super) address: Address,
    pub(super) identity: UndertoneIdentityKeyPair,
    pub(super) registration_id: u32,
    /// The account's private key, on the account's first device.
    pub(super) account: Option<AccountKeyPair>,
    /// Whether it was taken off its account's device list.
    pub(super) unlinked: bool,
    /// What is added to the store's generation when it is shown to the server: an older copy of the store goes on above what the server has seen.
    pub(super) generations_before: u64,
}

impl OwnDevice {
    /// As the engine wants it.
    pub(super) const fn local(&self) -> LocalDevice<'_, Undertone> {
        LocalDevice { identity: &self.identity, address: &self.address, registration_id: self.registration_id }
    }

    pub(super) fn to_bytes(&self) -> Result<Vec<u8>> {
        let mut out = Writer::with_capacity(400);
        out.u8(VERSION);
        self.address.encode(&mut out);
        out.bytes(&*self.identity.to_bytes()).u32(self.registration_id).flag(self.unlinked);
        out.u64(self.generations_before);
        out.flag(self.account.is_some());
        if let Some(account) = &self.account {
            out.bytes(&*account.to_bytes());
        }
        Ok(out.into_vec())
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let mut input = Reader::new(bytes, Fault::RecordCorrupt);
        if input.u8()? != VERSION {
            return Err(Fault::RecordVersion.into());
        }
        let address = Address::decode(&mut input)?;
        let identity = UndertoneIdentityKeyPair::from_bytes(input.bytes(32)?)?;
        let registration_id = input.u32()?;
        let (unlinked, generations_before) = (input.flag()?, input.u64()?);
        let account = if input.flag()? { Some(AccountKeyPair::from_bytes(input.bytes(32)?)?) } else { None };
        input.finish()?;
        Ok(Self { address, identity, registration_id, account, unlinked, generations_before })
    }

    /// What signs this device in at the server.
    pub(super) fn login(&self) -> Result<DeviceLogin> {
        Ok(DeviceLogin {
            address: self.address.clone(),
            identity: UndertoneIdentityKeyPair::from_bytes(&*self.identity.to_bytes())?,
        })
    }
}

/// Signs challenges of the server.
pub(super) struct DeviceLogin {
    address: Address,
    identity: UndertoneIdentityKeyPair,
}

impl Login for DeviceLogin {
    fn address(&self) -> &Address {
        &self.address
    }

    fn sign(&self, challenge: &[u8; 32]) -> Result<[u8; 64]> {
        sign_login(&self.identity, &self.address, challenge, &mut SysRng)
    }
}

/// Random bytes of the system.
pub(super) fn random<const N: usize>() -> Result<[u8; N]> {
    crate::crypto::random::array(&mut SysRng)
}

/// A number that names one of many: a stream, an instance. Never 0.
pub(super) fn random_number() -> Result<u64> {
    Ok(u64::from_be_bytes(random::<8>()?) | 1)
}
