//! What a device hands to its account in order to be added to the device list.

use crate::error::{Fault, Result};
use crate::identity::AccountKey;
use crate::profile::{IdentityKey, IdentityKeyPair, Statement, UndertoneIdentityKey, UndertoneIdentityKeyPair};
use crate::wire::{Address, Reader, Writer};
use core::fmt;
use rand_core::TryCryptoRng;

const LABEL: &[u8] = b"Undertone_1_new_device";

/// A device that asks to be on an account's list: its number, its identity key, and its own signature that says so.
///
/// The signature proves that the device holds its key and wants to be this very device of this very account: an account cannot claim another's device.
///
/// ```
/// use undertone::identity::{AccountKeyPair, NewDevice};
/// use undertone::{IdentityKeyPair, UndertoneIdentityKeyPair};
///
/// let mut rng = getrandom::SysRng;
/// let (account, identity) = (AccountKeyPair::generate(&mut rng)?, UndertoneIdentityKeyPair::generate(&mut rng)?);
/// let device = NewDevice::new(&identity, account.public(), "alice", 2, &mut rng)?;
/// assert_eq!((device.number(), device.identity()), (2, identity.public()));
/// assert_eq!(NewDevice::from_bytes(&device.to_bytes())?, device);
/// # Ok::<(), undertone::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct NewDevice {
    number: u8,
    identity: UndertoneIdentityKey,
    possession: [u8; 64],
}

impl NewDevice {
    /// The device with the identity key pair `identity`, as number `device` (1 to 127) of the account `name`.
    ///
    /// # Errors
    /// `address.name`, `address.device`, `random.failed`.
    pub fn new(
        identity: &UndertoneIdentityKeyPair,
        account: &AccountKey,
        name: &str,
        device: u8,
        rng: &mut impl TryCryptoRng,
    ) -> Result<Self> {
        let address = Address::new(name, device)?.to_bytes();
        let possession = identity.sign(Statement::Device, &[LABEL, account.as_bytes(), &address], rng)?;
        Ok(Self { number: device, identity: identity.public().clone(), possession })
    }

    /// Its number in the account.
    #[must_use]
    pub const fn number(&self) -> u8 {
        self.number
    }

    /// Its identity key.
    #[must_use]
    pub const fn identity(&self) -> &UndertoneIdentityKey {
        &self.identity
    }

    /// Checks that the device asked for this account and this number.
    ///
    /// # Errors
    /// `devices.signature`.
    pub fn verify(&self, account: &AccountKey, name: &str) -> Result<()> {
        let address = Address::new(name, self.number)?.to_bytes();
        let signed = self.identity.verify(&[LABEL, account.as_bytes(), &address], &self.possession);
        signed.map_err(|_| Fault::DevicesSignature.into())
    }

    /// Its form on the wire: `u8 number ‖ identity key ‖ signature`, 97 bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Writer::with_capacity(97);
        self.encode(&mut out);
        out.into_vec()
    }

    /// Reads what [`to_bytes`](Self::to_bytes) wrote. The signature is checked by [`verify`](Self::verify).
    ///
    /// # Errors
    /// `devices.field`; a `key.*` code.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let mut input = Reader::new(bytes, Fault::DevicesField);
        let device = Self::decode(&mut input)?;
        input.finish()?;
        Ok(device)
    }

    pub(super) fn encode(&self, out: &mut Writer) {
        out.u8(self.number).bytes(self.identity.as_bytes()).bytes(&self.possession);
    }

    pub(super) fn decode(input: &mut Reader<'_>) -> Result<Self> {
        let number = input.u8()?;
        if !(1..=127).contains(&number) {
            return Err(input.malformed().into());
        }
        Ok(Self { number, identity: UndertoneIdentityKey::admit(input.array::<32>()?)?, possession: *input.array()? })
    }
}

impl fmt::Debug for NewDevice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NewDevice({}, {:?})", self.number, self.identity)
    }
}
