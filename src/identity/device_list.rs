//! The devices of an account: an append-only, hash-chained, signed list (docs/protocol.md, section 13).

use super::device_statement::{self, DeviceStatement, Operation};
use crate::error::{Error, Fault, Result};
use crate::identity::{AccountKey, AccountKeyPair, NewDevice};
use crate::profile::UndertoneIdentityKey;
use crate::rule::{self, Rule};
use crate::wire::{Address, Reader, Writer};
use core::fmt;

/// The device that holds the account key: it is the first and is never removed.
const FIRST_DEVICE: u8 = 1;
const LAST_DEVICE: u8 = 127;
const RECORD_VERSION: u8 = 1;

/// The verified device list of one account.
///
/// SE-11, B47: only what is on it is written to, and only the account key can put something on it. The server can withhold statements; it can make none, and
/// cannot take one back unnoticed, since each names the hash of the one before it.
///
/// ```
/// use undertone::identity::{AccountKeyPair, DeviceChange, DeviceList, NewDevice};
/// use undertone::{IdentityKeyPair, UndertoneIdentityKeyPair};
///
/// let (mut rng, now) = (getrandom::SysRng, 1_800_000_000);
/// let account = AccountKeyPair::generate(&mut rng)?;
/// let (phone, laptop) = (UndertoneIdentityKeyPair::generate(&mut rng)?, UndertoneIdentityKeyPair::generate(&mut rng)?);
///
/// let phone = NewDevice::new(&phone, account.public(), "alice", 1, &mut rng)?;
/// let mut devices = DeviceList::create(&account, "alice", phone, now)?;
///
/// // Someone else who knows the list so far learns of the second device.
/// let mut seen = DeviceList::verify("alice", &devices.statements_after(0))?;
/// let laptop = NewDevice::new(&laptop, account.public(), "alice", devices.next_device()?, &mut rng)?;
/// devices.add(&account, laptop, now + 60)?;
/// assert_eq!(seen.extend(&devices.statements_after(seen.number()))?, [DeviceChange::Added(2)]);
/// assert_eq!(seen.hash(), devices.hash());
/// # Ok::<(), undertone::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct DeviceList {
    account: AccountKey,
    name: String,
    devices: Vec<ListedDevice>,
    /// One bit for each number that was ever given to a device.
    used: u128,
    time: u64,
    hash: [u8; 32],
    statements: Vec<Vec<u8>>,
}

/// A device that is on the list.
///
/// ```
/// # use undertone::identity::{AccountKeyPair, DeviceList, NewDevice};
/// # use undertone::{IdentityKeyPair, UndertoneIdentityKeyPair};
/// # let mut rng = getrandom::SysRng;
/// # let account = AccountKeyPair::generate(&mut rng)?;
/// # let identity = UndertoneIdentityKeyPair::generate(&mut rng)?;
/// # let first = NewDevice::new(&identity, account.public(), "alice", 1, &mut rng)?;
/// # let devices = DeviceList::create(&account, "alice", first, 1_800_000_000)?;
/// let numbers: Vec<u8> = devices.devices().map(|device| device.device).collect();
/// assert_eq!(numbers, [1]);
/// # Ok::<(), undertone::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedDevice {
    /// Its number, 1 to 127.
    pub device: u8,
    /// Its identity key: the one that a session with it must have.
    pub identity: UndertoneIdentityKey,
    /// When it was added, in seconds, by the clock of the account's first device.
    pub added: u64,
    /// The number of the statement that added it.
    pub statement: u64,
}

/// What a new statement did.
///
/// ```
/// use undertone::identity::DeviceChange;
///
/// let told = |change| match change {
///     DeviceChange::Added(device) => format!("device {device} was linked"),
///     DeviceChange::Removed(device) => format!("device {device} was removed"),
/// };
/// assert_eq!(told(DeviceChange::Added(2)), "device 2 was linked");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceChange {
    /// The device of this number was added.
    Added(u8),
    /// The device of this number was removed; its number is never given again.
    Removed(u8),
}

impl DeviceList {
    /// The list of a new account, with its first device, which has number 1.
    ///
    /// # Errors
    /// `address.name`; `devices.number` if `first` is not device 1; `devices.signature` if it did not ask for this account; `devices.field` if its identity key is the account key.
    pub fn create(account: &AccountKeyPair, name: &str, first: NewDevice, now: u64) -> Result<Self> {
        let name = Address::new(name, FIRST_DEVICE)?.name().to_owned();
        let mut list = Self::empty(account.public().clone(), name);
        list.add(account, first, now)?;
        Ok(list)
    }

    /// Adds a device.
    ///
    /// # Errors
    /// `devices.account_key` if `account` is not this account's; `devices.number` if the number was used before; `devices.signature` if the device did not ask for this account and number;
    /// `devices.field` if its identity key is on the list already or is the account key.
    pub fn add(&mut self, account: &AccountKeyPair, device: NewDevice, now: u64) -> Result<()> {
        if self.used & bit(device.number()) != 0 || (self.statements.is_empty() && device.number() != FIRST_DEVICE) {
            return Err(Fault::DevicesNumber.into());
        }
        self.state(account, &Operation::Add(Box::new(device)), now)
    }

    /// Removes a device. The first device, which holds the account key, cannot be removed: nobody could change the list again.
    ///
    /// # Errors
    /// `devices.account_key` if `account` is not this account's; `devices.number` if the device is not on the list, or is the first.
    pub fn remove(&mut self, account: &AccountKeyPair, device: u8, now: u64) -> Result<()> {
        if device == FIRST_DEVICE || self.device(device).is_none() {
            return Err(Fault::DevicesNumber.into());
        }
        self.state(account, &Operation::Remove(device), now)
    }

    /// Verifies the whole list of the account `name`, from its first statement on. Whether its account key is the right one is for the caller to say, who pinned it or pins it now.
    ///
    /// # Errors
    /// As [`extend`](Self::extend); `devices.field` when there are no statements.
    pub fn verify(name: &str, statements: &[Vec<u8>]) -> Result<Self> {
        let first = DeviceStatement::read(statements.first().ok_or(Fault::DevicesField)?)?;
        let mut list = Self::empty(AccountKey::admit(first.account)?, name.to_owned());
        list.extend(statements)?;
        Ok(list)
    }

    /// Takes over statements that follow, and tells what they change. Those that are known already are compared and passed over. On an error nothing has changed.
    ///
    /// # Errors
    /// `devices.account` for a statement of another account key, `devices.signature` for one that the account key did not sign or that adds a device which did not ask for it,
    /// `devices.chain` for one that does not follow, `devices.forked` for another one than the one that is known under its number, `devices.field` or a `key.*` code for a malformed one.
    pub fn extend(&mut self, statements: &[Vec<u8>]) -> Result<Vec<DeviceChange>> {
        let mut longer = self.clone();
        let mut changes = Vec::new();
        for statement in statements {
            changes.extend(longer.append(statement, Trust::Nothing)?);
        }
        *self = longer;
        Ok(changes)
    }

    /// The number of the newest statement: 1 for a new account.
    #[must_use]
    pub fn number(&self) -> u64 {
        number_of(self.statements.len())
    }

    /// The hash of the newest statement, and so of the whole list.
    #[must_use]
    pub const fn hash(&self) -> [u8; 32] {
        self.hash
    }

    /// The key that signed the list.
    #[must_use]
    pub const fn account(&self) -> &AccountKey {
        &self.account
    }

    /// The account's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The devices that are on the list now, by number.
    pub fn devices(&self) -> impl Iterator<Item = &ListedDevice> {
        self.devices.iter()
    }

    /// The device of this number, if it is on the list now.
    #[must_use]
    pub fn device(&self, device: u8) -> Option<&ListedDevice> {
        self.devices.iter().find(|listed| listed.device == device)
    }

    /// Whether a device of this number was on the list and is no longer.
    #[must_use]
    pub fn was_removed(&self, device: u8) -> bool {
        self.used & bit(device) != 0 && self.device(device).is_none()
    }

    /// The lowest number that no device ever had.
    ///
    /// # Errors
    /// `devices.full`.
    pub fn next_device(&self) -> Result<u8> {
        let unused = |device: &u8| self.used & bit(*device) == 0;
        (FIRST_DEVICE..=LAST_DEVICE).find(unused).ok_or_else(|| Fault::DevicesFull.into())
    }

    /// The statements after number `number`; all of them for 0.
    #[must_use]
    pub fn statements_after(&self, number: u64) -> Vec<Vec<u8>> {
        let known = usize::try_from(number).unwrap_or(usize::MAX);
        self.statements.iter().skip(known).cloned().collect()
    }

    /// The list as a record for a store that authenticates what it holds.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Writer::with_capacity(3 + self.statements.iter().map(|one| one.len() + 2).sum::<usize>());
        out.u8(RECORD_VERSION);
        for statement in &self.statements {
            // A statement is far shorter than 65 536 bytes.
            out.u16(u16::try_from(statement.len()).unwrap_or(u16::MAX)).bytes(statement);
        }
        out.into_vec()
    }

    /// Reads a record that [`to_bytes`](Self::to_bytes) wrote. The signatures were verified before it was stored and are not verified again.
    ///
    /// # Errors
    /// `record.corrupt`, `record.version`.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let mut input = Reader::new(bytes, Fault::RecordCorrupt);
        if input.u8()? != RECORD_VERSION {
            return Err(Fault::RecordVersion.into());
        }
        let mut list: Option<Self> = None;
        while !input.is_empty() {
            let statement = input.prefixed()?;
            let read = || -> Result<Self> {
                let first = DeviceStatement::read(statement)?;
                Ok(Self::empty(AccountKey::admit(first.account)?, first.name.to_owned()))
            };
            let mut longer = list.map_or_else(read, Ok).map_err(|_| Error::from(Fault::RecordCorrupt))?;
            let change = longer.append(statement, Trust::Signatures).map_err(|_| Error::from(Fault::RecordCorrupt))?;
            change.ok_or(Fault::RecordCorrupt)?;
            list = Some(longer);
        }
        list.ok_or_else(|| Fault::RecordCorrupt.into())
    }

    const fn empty(account: AccountKey, name: String) -> Self {
        Self { account, name, devices: Vec::new(), used: 0, time: 0, hash: [0; 32], statements: Vec::new() }
    }

    fn state(&mut self, account: &AccountKeyPair, operation: &Operation, now: u64) -> Result<()> {
        if account.public() != &self.account {
            return Err(Fault::DevicesKey.into());
        }
        // A clock that was set back does not make the list unreadable.
        let time = now.max(self.time);
        let statement = DeviceStatement::sign(account, &self.name, self.number() + 1, &self.hash, time, operation)?;
        self.append(&statement, Trust::Nothing).map(|_| ())
    }

    /// Appends one statement; `None` if it was known.
    fn append(&mut self, bytes: &[u8], trust: Trust) -> Result<Option<DeviceChange>> {
        let statement = DeviceStatement::read(bytes)?;
        if statement.name != self.name {
            return Err(Fault::DevicesField.into());
        }
        if statement.account != self.account.as_bytes() {
            return Err(Fault::DevicesAccount.into());
        }
        let index = statement.number.checked_sub(1).and_then(|index| usize::try_from(index).ok());
        let known = self.statements.get(index.ok_or(Fault::DevicesField)?);
        if known.is_some_and(|known| known == bytes) {
            return Ok(None);
        }
        if trust == Trust::Nothing && rule::on(Rule::Se11) {
            statement.verify(&self.account)?;
        }
        // A second signed statement under one number: the account, or who has its key, tells two stories.
        if known.is_some() {
            return Err(Fault::DevicesForked.into());
        }
        let follows = statement.number == self.number() + 1 && statement.previous == &self.hash;
        if !follows || statement.time < self.time {
            return Err(Fault::DevicesChain.into());
        }
        let change = self.apply(statement.operation, statement.time, trust)?;
        self.time = statement.time;
        self.hash = device_statement::hash(bytes);
        self.statements.push(bytes.to_vec());
        Ok(Some(change))
    }

    fn apply(&mut self, operation: Operation, time: u64, trust: Trust) -> Result<DeviceChange> {
        match operation {
            Operation::Add(device) => {
                let number = device.number();
                let is_next = self.used & bit(number) == 0 && (self.used != 0 || number == FIRST_DEVICE);
                // B50: a device whose key is that of another device, or of the account, could be taken for it.
                let is_taken = device.identity().as_bytes() == self.account.as_bytes()
                    || self.devices.iter().any(|listed| listed.identity == *device.identity());
                if !is_next || is_taken {
                    return Err(Fault::DevicesField.into());
                }
                if trust == Trust::Nothing {
                    device.verify(&self.account, &self.name)?;
                }
                self.used |= bit(number);
                let at = self.devices.partition_point(|listed| listed.device < number);
                let listed = ListedDevice {
                    device: number,
                    identity: device.identity().clone(),
                    added: time,
                    statement: self.number() + 1,
                };
                self.devices.insert(at, listed);
                Ok(DeviceChange::Added(number))
            }
            Operation::Remove(number) => {
                if number == FIRST_DEVICE || self.device(number).is_none() {
                    return Err(Fault::DevicesField.into());
                }
                self.devices.retain(|listed| listed.device != number);
                Ok(DeviceChange::Removed(number))
            }
        }
    }
}

/// Shows no name.
impl fmt::Debug for DeviceList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let numbers: Vec<u8> = self.devices().map(|listed| listed.device).collect();
        write!(f, "DeviceList({:?}, number {}, devices {numbers:?})", self.account, self.number())
    }
}

/// How far the bytes of a statement are believed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Trust {
    /// They came from a server.
    Nothing,
    /// Their signatures were made or verified here before.
    Signatures,
}

fn bit(device: u8) -> u128 {
    1_u128.checked_shl(u32::from(device)).unwrap_or(0)
}

/// At most 127 devices come and go, so a list has at most 253 statements.
fn number_of(statements: usize) -> u64 {
    u64::try_from(statements).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
