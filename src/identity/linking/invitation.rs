//! The side of the account's first device.

use super::code::{LinkCode, check_time};
use super::link_keys::{LinkKeys, check_commitment};
use super::link_messages::{self, ANSWER, COMPLETION, OFFER};
use crate::crypto::agreement::AgreementSecret;
use crate::error::{Fault, Result};
use crate::identity::{AccountKey, DeviceList, NewDevice};
use crate::wire::{Address, Reader, Writer};
use core::fmt;
use rand_core::TryCryptoRng;

/// An account that has read a link code and invites the device which showed it.
///
/// ```
/// use undertone::identity::{AccountKeyPair, DeviceList, Invitation, LinkCode, LinkRequest, NewDevice};
/// use undertone::{IdentityKeyPair, UndertoneIdentityKeyPair};
///
/// # let (mut rng, now) = (getrandom::SysRng, 1_800_000_000);
/// # let account = AccountKeyPair::generate(&mut rng)?;
/// # let phone = UndertoneIdentityKeyPair::generate(&mut rng)?;
/// # let phone = NewDevice::new(&phone, account.public(), "alice", 1, &mut rng)?;
/// # let mut devices = DeviceList::create(&account, "alice", phone, now)?;
/// // The laptop shows a code, the phone reads it.
/// let mut request = LinkRequest::new(now, &mut rng)?;
/// let code: LinkCode = request.code().to_string().parse()?;
/// let number = devices.next_device()?;
/// let (mut invitation, offer) = Invitation::answer(&code, &devices, number, now, &mut rng)?;
///
/// // The laptop answers; both show six digits, and the user says on the phone that they are the same.
/// let (acceptance, answer) = request.accept(&offer, now, &mut rng)?;
/// let laptop = invitation.finish(&answer, now)?;
/// assert_eq!(invitation.confirmation_code(), Some(acceptance.confirmation_code()));
///
/// // The phone adds the laptop to the list and sends it.
/// devices.add(&account, laptop, now)?;
/// let completion = invitation.complete(&devices, &mut rng)?;
/// assert_eq!(acceptance.confirm(&completion)?.hash(), devices.hash());
/// # Ok::<(), undertone::Error>(())
/// ```
pub struct Invitation {
    keys: LinkKeys,
    commitment: [u8; 32],
    expires: u64,
    offer: Vec<u8>,
    account: AccountKey,
    name: String,
    device: u8,
    known: u64,
    answered: Option<(NewDevice, String)>,
}

impl Invitation {
    /// Answers a code with an offer: to become device `device` of the account whose list this is.
    ///
    /// # Errors
    /// `link.expired`; `devices.number` if the number was used before; `address.device`; `random.failed`.
    pub fn answer(
        code: &LinkCode,
        devices: &DeviceList,
        device: u8,
        now: u64,
        rng: &mut impl TryCryptoRng,
    ) -> Result<(Self, Vec<u8>)> {
        check_time(code.expires, now)?;
        Address::new(devices.name(), device)?;
        if devices.device(device).is_some() || devices.was_removed(device) {
            return Err(Fault::DevicesNumber.into());
        }
        let ephemeral = AgreementSecret::generate(rng)?;
        let keys = LinkKeys::derive(code, &ephemeral, &code.ephemeral, &ephemeral.public())?;
        let mut plaintext = Writer::with_capacity(512);
        plaintext.u8(device).prefixed(devices.name().as_bytes())?;
        link_messages::write_statements(&devices.statements_after(0), &mut plaintext)?;
        let head = [&[OFFER][..], ephemeral.public().as_bytes()].concat();
        let offer = link_messages::seal(&keys.offer, &head, plaintext.as_slice(), rng)?;
        let invitation = Self {
            keys,
            commitment: code.commitment,
            expires: code.expires,
            offer: offer.clone(),
            account: devices.account().clone(),
            name: devices.name().to_owned(),
            device,
            known: devices.number(),
            answered: None,
        };
        Ok((invitation, offer))
    }

    /// Reads the new device's answer: what is added to the device list once the user has compared the digits.
    ///
    /// # Errors
    /// `link.authentication` for an answer of another device than the one that showed the code; `link.expired`; `link.state` if an answer was read before; `devices.number` or `devices.signature` if the device asks for
    /// something else than what it was offered.
    pub fn finish(&mut self, answer: &[u8], now: u64) -> Result<NewDevice> {
        if self.answered.is_some() {
            return Err(Fault::LinkState.into());
        }
        check_time(self.expires, now)?;
        let plaintext = link_messages::open::<1>(&self.keys.answer, ANSWER, answer)?;
        let mut input = Reader::new(&plaintext, Fault::LinkAuthentication);
        let reveal = input.array::<32>()?;
        check_commitment(&self.commitment, reveal)?;
        let device = NewDevice::from_bytes(input.rest())?;
        if device.number() != self.device {
            return Err(Fault::DevicesNumber.into());
        }
        device.verify(&self.account, &self.name)?;
        let digits = self.keys.digits(&self.offer, reveal);
        self.answered = Some((device.clone(), digits));
        Ok(device)
    }

    /// Six digits, which the new device shows as well if no one stands between the two; `None` before its answer was read.
    #[must_use]
    pub fn confirmation_code(&self) -> Option<&str> {
        self.answered.as_ref().map(|(_, digits)| digits.as_str())
    }

    /// The last message: the statements that make the new device part of the account.
    ///
    /// # Errors
    /// `link.state` if no answer was read, or if the device is not on `devices`; `random.failed`.
    pub fn complete(self, devices: &DeviceList, rng: &mut impl TryCryptoRng) -> Result<Vec<u8>> {
        let (device, _) = self.answered.as_ref().ok_or(Fault::LinkState)?;
        let is_listed = devices.device(self.device).is_some_and(|listed| listed.identity == *device.identity());
        if !is_listed {
            return Err(Fault::LinkState.into());
        }
        let mut plaintext = Writer::with_capacity(512);
        link_messages::write_statements(&devices.statements_after(self.known), &mut plaintext)?;
        link_messages::seal(&self.keys.completion, &[COMPLETION], plaintext.as_slice(), rng)
    }
}

impl fmt::Debug for Invitation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Invitation(device {}, answered: {})", self.device, self.answered.is_some())
    }
}
