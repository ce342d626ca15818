//! The three messages of a linking as bytes.

use crate::crypto::{Secret, Zeroizing, aead, random};
use crate::error::{Error, Fault, Result};
use crate::wire::{Reader, Writer};
use rand_core::TryCryptoRng;

/// First device to new device: the account and the number that is offered.
pub const OFFER: u8 = 0x16;
/// New device to first device: its key, and its signature.
pub const ANSWER: u8 = 0x17;
/// First device to new device: the statements that add it.
pub const COMPLETION: u8 = 0x18;

/// More statements than a device list can have are not read.
const MAX_STATEMENTS: usize = 253;
const NONCE: usize = 12;

/// `head ‖ nonce ‖ Seal(key, nonce, head, plaintext)`; the head begins with the message's type.
pub fn seal(key: &Secret<32>, head: &[u8], plaintext: &[u8], rng: &mut impl TryCryptoRng) -> Result<Vec<u8>> {
    let nonce: [u8; NONCE] = random::array(rng)?;
    let mut message = [head, &nonce].concat();
    aead::seal(key, &nonce, head, plaintext, &mut message);
    Ok(message)
}

/// Opens what [`seal`] made, behind a head of `HEAD` bytes that begins with `kind`.
pub fn open<const HEAD: usize>(key: &Secret<32>, kind: u8, message: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
    let mut input = Reader::new(message, Fault::LinkAuthentication);
    let (head, nonce) = (input.array::<HEAD>()?, input.array::<NONCE>()?);
    if head.first() != Some(&kind) {
        return Err(Fault::LinkAuthentication.into());
    }
    let plaintext = aead::open(key, nonce, head, input.rest()).map_err(|_| Error::from(Fault::LinkAuthentication))?;
    Ok(Zeroizing::new(plaintext))
}

/// Appends each statement behind its length.
pub fn write_statements(statements: &[Vec<u8>], out: &mut Writer) -> Result<()> {
    statements.iter().try_for_each(|statement| out.prefixed(statement).map(|_| ()))
}

/// Reads statements up to the end.
pub fn read_statements(input: &mut Reader<'_>) -> Result<Vec<Vec<u8>>> {
    let mut statements = Vec::new();
    while !input.is_empty() {
        if statements.len() == MAX_STATEMENTS {
            return Err(input.malformed().into());
        }
        statements.push(input.prefixed()?.to_vec());
    }
    Ok(statements)
}
