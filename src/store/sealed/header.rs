//! The one record in clear: which store this is, and how to tell the right key from a wrong one.

use super::secret::{Form, StoreSecret};
use crate::crypto::passphrase::{self, Cost};
use crate::crypto::{ConstantTimeEq, Secret, kdf, random};
use crate::error::{Fault, Result};
use crate::wire::Reader;
use getrandom::SysRng;

/// The raw name of the header. No hidden name begins with its first byte.
pub(super) const NAME: &[u8] = b"undertone";

/// The version of the format that this build reads and writes.
pub(super) const VERSION: u16 = 1;

/// Bytes of a store id.
pub(super) const STORE_ID: usize = 16;

pub(super) struct Header {
    /// Random; what was sealed for one store does not open in another.
    pub(super) store_id: [u8; STORE_ID],
}

impl Header {
    /// A new header, the store key, and the bytes to store.
    pub(super) fn generate(secret: &StoreSecret) -> Result<(Self, Secret<32>, Vec<u8>)> {
        let store_id = random::array::<STORE_ID>(&mut SysRng)?;
        let mut bytes = MAGIC.to_vec();
        bytes.extend_from_slice(&VERSION.to_be_bytes());
        bytes.extend_from_slice(&store_id);
        let key = match &secret.0 {
            Form::Key(key) => {
                bytes.push(KEY);
                Secret::new(*key.expose())
            }
            Form::Passphrase { text, cost } => {
                let salt = random::array::<{ passphrase::SALT }>(&mut SysRng)?;
                bytes.push(ARGON2ID);
                for number in [cost.memory, cost.passes, cost.lanes] {
                    bytes.extend_from_slice(&number.to_be_bytes());
                }
                bytes.extend_from_slice(&salt);
                passphrase::stretch(text, &salt, *cost)?
            }
        };
        let check = check(&key, &store_id, &bytes);
        bytes.extend_from_slice(&check);
        Ok((Self { store_id }, key, bytes))
    }

    /// Reads a stored header and finds the store key.
    ///
    /// # Errors
    /// `store.corrupt`, `store.newer_version`, `store.wrong_key`.
    pub(super) fn open(bytes: &[u8], secret: &StoreSecret) -> Result<(Self, Secret<32>)> {
        let mut reader = Reader::new(bytes, Fault::StoreCorrupt);
        if reader.array()? != MAGIC {
            return Err(Fault::StoreCorrupt.into());
        }
        match reader.u16()? {
            0 => return Err(Fault::StoreCorrupt.into()),
            VERSION => {}
            _ => return Err(Fault::StoreVersion.into()),
        }
        let store_id = *reader.array()?;
        let stretching = match reader.u8()? {
            KEY => None,
            ARGON2ID => {
                let cost = Cost { memory: reader.u32()?, passes: reader.u32()?, lanes: reader.u32()? };
                Some((cost, reader.array::<{ passphrase::SALT }>()?))
            }
            _ => return Err(Fault::StoreCorrupt.into()),
        };
        let checked = bytes.get(..bytes.len().saturating_sub(CHECK)).unwrap_or_default();
        let stored_check = reader.array::<CHECK>()?;
        reader.finish()?;
        let key = match (&secret.0, stretching) {
            (Form::Key(key), None) => Secret::new(*key.expose()),
            (Form::Passphrase { text, .. }, Some((cost, salt))) => {
                // Whoever wrote the header must not be able to stop the device for hours.
                if !cost.is_bearable() {
                    return Err(Fault::StoreCorrupt.into());
                }
                passphrase::stretch(text.as_slice(), salt, cost)?
            }
            _ => return Err(Fault::StoreKey.into()),
        };
        // B73: in constant time.
        if !bool::from(check(&key, &store_id, checked).ct_eq(stored_check)) {
            return Err(Fault::StoreKey.into());
        }
        Ok((Self { store_id }, key))
    }
}

const MAGIC: &[u8; 16] = b"Undertone store\n";
const KEY: u8 = 0;
const ARGON2ID: u8 = 1;
const CHECK: usize = 32;

/// Only who has the key can say it; it covers everything before it, so that the cost of a guess cannot be changed unnoticed.
fn check(key: &Secret<32>, store_id: &[u8; STORE_ID], before: &[u8]) -> [u8; CHECK] {
    let key = kdf::hkdf::<32>(store_id, &[key.expose()], &[b"Undertone_1_store_check"]);
    kdf::hmac(key.expose(), &[before])
}
