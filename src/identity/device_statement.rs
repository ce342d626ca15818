//! One statement of a device list as bytes (docs/protocol.md, section 13).

use crate::crypto::hash;
use crate::error::{Error, Fault, Result};
use crate::identity::{AccountKey, AccountKeyPair, NewDevice};
use crate::wire::{Address, Reader, Writer};

/// The first byte of a statement: version 1, type 5.
const DEVICE_STATEMENT: u8 = 0x15;
const LABEL: &[u8] = b"Undertone_1_device_list";
const SIGNATURE: usize = 64;

const ADD: u8 = 1;
const REMOVE: u8 = 2;

/// What a statement changes.
#[derive(Clone, PartialEq, Eq)]
pub enum Operation {
    /// A device joins the account.
    Add(Box<NewDevice>),
    /// The device of this number leaves it.
    Remove(u8),
}

/// A statement with its fields read, in front of its signature.
pub struct DeviceStatement<'a> {
    /// The account's name.
    pub name: &'a str,
    /// The account key that it claims to be signed by; not admitted.
    pub account: &'a [u8; 32],
    /// Its place in the list, from 1.
    pub number: u64,
    /// The hash of the statement before it; zero for the first.
    pub previous: &'a [u8; 32],
    /// When it was made, in seconds.
    pub time: u64,
    /// What it changes.
    pub operation: Operation,
    signed: &'a [u8],
    signature: &'a [u8; SIGNATURE],
}

impl<'a> DeviceStatement<'a> {
    /// Makes and signs a statement. The name has been checked.
    pub fn sign(
        account: &AccountKeyPair,
        name: &str,
        number: u64,
        previous: &[u8; 32],
        time: u64,
        operation: &Operation,
    ) -> Result<Vec<u8>> {
        let mut out = Writer::with_capacity(300 + name.len());
        out.u8(DEVICE_STATEMENT).prefixed(name.as_bytes())?;
        out.bytes(account.public().as_bytes()).u64(number).bytes(previous).u64(time);
        match operation {
            Operation::Add(device) => device.encode(out.u8(ADD)),
            Operation::Remove(device) => {
                out.u8(REMOVE).u8(*device);
            }
        }
        // XE-7: the label keeps this apart from all that any other key of the account signs.
        let signature = account.sign_statement(&[LABEL, out.as_slice()]);
        out.bytes(&signature);
        Ok(out.into_vec())
    }

    /// Reads a statement; nothing is verified yet.
    pub fn read(bytes: &'a [u8]) -> Result<Self> {
        let (signed, signature) = bytes.split_last_chunk::<SIGNATURE>().ok_or(Fault::DevicesField)?;
        let mut input = Reader::new(signed, Fault::DevicesField);
        if input.u8()? != DEVICE_STATEMENT {
            return Err(Fault::DevicesField.into());
        }
        let name = core::str::from_utf8(input.prefixed()?).map_err(|_| Error::from(Fault::DevicesField))?;
        if name.is_empty() || name.len() > Address::MAX_NAME {
            return Err(Fault::DevicesField.into());
        }
        let (account, number, previous, time) = (input.array()?, input.u64()?, input.array()?, input.u64()?);
        let operation = match input.u8()? {
            ADD => Operation::Add(Box::new(NewDevice::decode(&mut input)?)),
            REMOVE => Operation::Remove(input.u8()?),
            _ => return Err(Fault::DevicesField.into()),
        };
        input.finish()?;
        Ok(Self { name, account, number, previous, time, operation, signed, signature })
    }

    /// Verifies the account's signature.
    pub fn verify(&self, account: &AccountKey) -> Result<()> {
        account.verify(&[LABEL, self.signed], self.signature).map_err(|_| Fault::DevicesSignature.into())
    }
}

/// The hash by which the next statement names this one: over all of it, the signature included.
pub fn hash(statement: &[u8]) -> [u8; 32] {
    hash::sha256(&[statement])
}
