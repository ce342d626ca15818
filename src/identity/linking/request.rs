//! The side of the new device.

use super::code::{LinkCode, check_time};
use super::link_keys::{LinkKeys, commitment};
use super::link_messages::{self, ANSWER, COMPLETION, OFFER};
use crate::crypto::agreement::{AgreementKey, AgreementSecret};
use crate::crypto::{Secret, Zeroizing};
use crate::error::{Error, Fault, Result};
use crate::identity::{AccountKey, DeviceList, NewDevice};
use crate::profile::{IdentityKeyPair, UndertoneIdentityKeyPair};
use crate::wire::{Reader, Writer};
use core::fmt;
use rand_core::TryCryptoRng;

/// For how long a link code is valid, in seconds.
const LIFETIME: u64 = 600;
const RECORD_VERSION: u8 = 1;

/// A device that wants to be linked to an account and shows its code.
///
/// ```
/// use undertone::identity::LinkRequest;
///
/// let now = 1_800_000_000;
/// let request = LinkRequest::new(now, &mut getrandom::SysRng)?;
/// assert_eq!(request.code().expires(), now + 600);
/// let stored = request.to_bytes();
/// assert_eq!(LinkRequest::from_bytes(&stored)?.code().to_string(), request.code().to_string());
/// # Ok::<(), undertone::Error>(())
/// ```
pub struct LinkRequest {
    code: LinkCode,
    ephemeral: AgreementSecret,
    reveal: Secret<32>,
    is_answered: bool,
}

impl LinkRequest {
    /// A new request, whose code is valid for ten minutes from `now`.
    ///
    /// # Errors
    /// `random.failed`.
    pub fn new(now: u64, rng: &mut impl TryCryptoRng) -> Result<Self> {
        let (ephemeral, secret) = (AgreementSecret::generate(rng)?, Secret::random(rng)?);
        let reveal = Secret::random(rng)?;
        Ok(Self::assemble(ephemeral, secret, reveal, now.saturating_add(LIFETIME), false))
    }

    /// The code to show.
    #[must_use]
    pub const fn code(&self) -> &LinkCode {
        &self.code
    }

    /// Reads the first device's offer and answers it. The identity key of this device is made here.
    ///
    /// The acceptance is stored before the message leaves, in place of the request. A request is answered once.
    ///
    /// # Errors
    /// `link.authentication` for an offer that was not made for this code; `link.expired`; `link.state` if an offer was accepted before; a `devices.*` code for an offer whose device list is not in
    /// order or whose number is taken; `random.failed`.
    pub fn accept(&mut self, offer: &[u8], now: u64, rng: &mut impl TryCryptoRng) -> Result<(LinkAcceptance, Vec<u8>)> {
        // SN-4: what was promised is revealed to one other side only, or that of a second offer could be fitted to it.
        if self.is_answered {
            return Err(Fault::LinkState.into());
        }
        check_time(self.code.expires, now)?;
        let (_, head) = offer.split_first().ok_or(Fault::LinkAuthentication)?;
        let theirs = head.first_chunk::<32>().ok_or(Fault::LinkAuthentication)?;
        let theirs = AgreementKey::admit(theirs).map_err(|_| Error::from(Fault::LinkAuthentication))?;
        let keys = LinkKeys::derive(&self.code, &self.ephemeral, &theirs, &theirs)?;
        let plaintext = link_messages::open::<33>(&keys.offer, OFFER, offer)?;
        let (device, devices) = read_offer(&plaintext)?;

        let identity = UndertoneIdentityKeyPair::generate(rng)?;
        let new_device = NewDevice::new(&identity, devices.account(), devices.name(), device, rng)?;
        let answer = [self.reveal.expose(), new_device.to_bytes().as_slice()].concat();
        let message = link_messages::seal(&keys.answer, &[ANSWER], &answer, rng)?;
        self.is_answered = true;
        let digits = keys.digits(offer, self.reveal.expose());
        Ok((LinkAcceptance { devices, device, identity, completion: keys.completion, digits }, message))
    }

    /// The request as a record, which is secret.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        let mut out = Writer::with_capacity(106);
        out.u8(RECORD_VERSION).bytes(self.ephemeral.expose()).bytes(self.code.secret.expose());
        out.bytes(self.reveal.expose()).u64(self.code.expires).flag(self.is_answered);
        Zeroizing::new(out.into_vec())
    }

    /// Reads a record that [`to_bytes`](Self::to_bytes) wrote.
    ///
    /// # Errors
    /// `record.corrupt`, `record.version`.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let mut input = record(bytes)?;
        let (ephemeral, secret, reveal) = (input.secret()?, input.secret()?, input.secret()?);
        let (expires, is_answered) = (input.u64()?, input.flag()?);
        input.finish()?;
        Ok(Self::assemble(AgreementSecret::from_bytes(ephemeral), secret, reveal, expires, is_answered))
    }

    fn assemble(
        ephemeral: AgreementSecret,
        secret: Secret<32>,
        reveal: Secret<32>,
        expires: u64,
        is_answered: bool,
    ) -> Self {
        let commitment = commitment(reveal.expose());
        let code = LinkCode { ephemeral: ephemeral.public(), commitment, secret, expires };
        Self { code, ephemeral, reveal, is_answered }
    }
}

impl fmt::Debug for LinkRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LinkRequest({:?}, answered: {})", self.code, self.is_answered)
    }
}

/// A device that has answered an offer and waits to be added to the account's device list.
///
/// It shows [`confirmation_code`](Self::confirmation_code) until it is added. [`Invitation`](crate::identity::Invitation) has an example of the whole exchange.
///
/// ```
/// # use undertone::identity::{AccountKeyPair, DeviceList, Invitation, LinkAcceptance, LinkRequest, NewDevice};
/// # use undertone::{IdentityKeyPair, UndertoneIdentityKeyPair};
/// # let (mut rng, now) = (getrandom::SysRng, 1_800_000_000);
/// # let account = AccountKeyPair::generate(&mut rng)?;
/// # let phone = UndertoneIdentityKeyPair::generate(&mut rng)?;
/// # let phone = NewDevice::new(&phone, account.public(), "alice", 1, &mut rng)?;
/// # let devices = DeviceList::create(&account, "alice", phone, now)?;
/// # let mut request = LinkRequest::new(now, &mut rng)?;
/// # let (_, offer) = Invitation::answer(request.code(), &devices, 2, now, &mut rng)?;
/// let (acceptance, answer) = request.accept(&offer, now, &mut rng)?;
/// assert_eq!((acceptance.name(), acceptance.device()), ("alice", 2));
/// let again = LinkAcceptance::from_bytes(&acceptance.to_bytes())?;
/// assert_eq!(again.confirmation_code(), acceptance.confirmation_code());
/// # Ok::<(), undertone::Error>(())
/// ```
pub struct LinkAcceptance {
    devices: DeviceList,
    device: u8,
    identity: UndertoneIdentityKeyPair,
    completion: Secret<32>,
    digits: String,
}

impl LinkAcceptance {
    /// The account that the device is being linked to.
    #[must_use]
    pub fn name(&self) -> &str {
        self.devices.name()
    }

    /// The key of that account.
    #[must_use]
    pub const fn account(&self) -> &AccountKey {
        self.devices.account()
    }

    /// The account's device list as it was offered, without this device.
    #[must_use]
    pub const fn device_list(&self) -> &DeviceList {
        &self.devices
    }

    /// The number that this device is to have.
    #[must_use]
    pub const fn device(&self) -> u8 {
        self.device
    }

    /// The identity key pair of this device.
    #[must_use]
    pub const fn identity(&self) -> &UndertoneIdentityKeyPair {
        &self.identity
    }

    /// Six digits, which the first device shows as well if no one stands between the two.
    #[must_use]
    pub fn confirmation_code(&self) -> &str {
        &self.digits
    }

    /// Reads the first device's last message: the account's device list with this device on it.
    ///
    /// # Errors
    /// `link.authentication`; the errors of [`confirm_statements`](Self::confirm_statements).
    pub fn confirm(&self, completion: &[u8]) -> Result<DeviceList> {
        let plaintext = link_messages::open::<1>(&self.completion, COMPLETION, completion)?;
        let mut input = Reader::new(&plaintext, Fault::DevicesField);
        self.confirm_statements(&link_messages::read_statements(&mut input)?)
    }

    /// The same from statements that came another way, such as from the server: the account key is known, and signed them.
    ///
    /// # Errors
    /// `devices.number` if this device is not on the list under its number with its key; the errors of [`DeviceList::extend`].
    pub fn confirm_statements(&self, statements: &[Vec<u8>]) -> Result<DeviceList> {
        let mut devices = self.devices.clone();
        devices.extend(statements)?;
        // SE-11: the list, and not whoever brings it, says that this device is part of the account.
        let is_listed = devices.device(self.device).is_some_and(|listed| listed.identity == *self.identity.public());
        if is_listed { Ok(devices) } else { Err(Fault::DevicesNumber.into()) }
    }

    /// The acceptance as a record, which is secret.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        let devices = self.devices.to_bytes();
        let mut out = Writer::with_capacity(72 + devices.len());
        out.u8(RECORD_VERSION).u8(self.device).bytes(&*self.identity.to_bytes()).bytes(self.completion.expose());
        out.bytes(self.digits.as_bytes()).bytes(&devices);
        Zeroizing::new(out.into_vec())
    }

    /// Reads a record that [`to_bytes`](Self::to_bytes) wrote.
    ///
    /// # Errors
    /// `record.corrupt`, `record.version`.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let mut input = record(bytes)?;
        let (device, identity, completion) = (input.u8()?, input.secret::<32>()?, input.secret()?);
        let digits = input.array::<6>()?;
        if !digits.iter().all(u8::is_ascii_digit) || !(1..=127).contains(&device) {
            return Err(Fault::RecordCorrupt.into());
        }
        Ok(Self {
            devices: DeviceList::from_bytes(input.rest())?,
            device,
            identity: UndertoneIdentityKeyPair::from_bytes(identity.expose())?,
            completion,
            digits: digits.iter().map(|digit| char::from(*digit)).collect(),
        })
    }
}

impl fmt::Debug for LinkAcceptance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LinkAcceptance(device {}, {:?})", self.device, self.devices)
    }
}

/// `u8 device ‖ u16 length ‖ name ‖ statements`
fn read_offer(plaintext: &[u8]) -> Result<(u8, DeviceList)> {
    let mut input = Reader::new(plaintext, Fault::DevicesField);
    let device = input.u8()?;
    let name = core::str::from_utf8(input.prefixed()?).map_err(|_| Error::from(Fault::DevicesField))?;
    let devices = DeviceList::verify(name, &link_messages::read_statements(&mut input)?)?;
    if devices.device(device).is_some() || devices.was_removed(device) {
        return Err(Fault::DevicesNumber.into());
    }
    Ok((device, devices))
}

fn record(bytes: &[u8]) -> Result<Reader<'_>> {
    let mut input = Reader::new(bytes, Fault::RecordCorrupt);
    if input.u8()? == RECORD_VERSION { Ok(input) } else { Err(Fault::RecordVersion.into()) }
}
