//! Curve25519 public keys as they stand on the wire: the type byte and the u-coordinate.

use crate::crypto::agreement::AgreementKey;
use crate::crypto::xeddsa::XeddsaKey;
use crate::error::{Fault, Result};

/// The length of a serialized Curve25519 public key.
pub const PUBLIC_KEY: usize = 33;
const TYPE: u8 = 0x05;

/// `05 ‖ u`.
pub fn encode_agreement_key(key: &AgreementKey) -> [u8; PUBLIC_KEY] {
    let mut out = [TYPE; PUBLIC_KEY];
    if let Some(rest) = out.last_chunk_mut::<32>() {
        *rest = *key.as_bytes();
    }
    out
}

/// Admits a long-lived or handshake key in full: official clients check only the base key of a first message and
/// accept trailing bytes; we check every key, and its length (B7).
///
/// # Errors
/// `key.type`, `key.length`, and what [`AgreementKey::admit`] refuses.
pub fn admit_agreement_key(bytes: &[u8]) -> Result<AgreementKey> {
    AgreementKey::admit(untyped(bytes)?)
}

/// Admits an identity key, or another key that verifies signatures (B7, XE-6).
///
/// # Errors
/// `key.type`, `key.length`, and what [`XeddsaKey::admit`] refuses.
pub fn admit_verifying_key(bytes: &[u8]) -> Result<XeddsaKey> {
    XeddsaKey::admit(untyped(bytes)?)
}

/// Reads an identity key out of a session's record.
///
/// # Errors
/// `key.type`, `key.length`, and what [`XeddsaKey::restore`] refuses.
pub fn restore_verifying_key(bytes: &[u8]) -> Result<XeddsaKey> {
    XeddsaKey::restore(untyped(bytes)?)
}

/// Admits a ratchet key, which an authenticated message vouches for.
///
/// # Errors
/// `key.type`, `key.length`, and what [`AgreementKey::admit_ephemeral`] refuses.
pub fn admit_ephemeral_key(bytes: &[u8]) -> Result<AgreementKey> {
    AgreementKey::admit_ephemeral(untyped(bytes)?)
}

fn untyped(bytes: &[u8]) -> Result<&[u8]> {
    match bytes.split_first() {
        None => Err(Fault::KeyLength.into()),
        Some((&TYPE, key)) if key.len() == PUBLIC_KEY - 1 => Ok(key),
        Some((&TYPE, _)) => Err(Fault::KeyLength.into()),
        Some(_) => Err(Fault::KeyType.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// B7: a key of another length or type is refused, a longer one too, though official clients accept it.
    #[test]
    fn only_33_bytes_of_type_5_are_a_key() {
        let mut bytes = hex::decode("058f40c5adb68f25624ae5b214ea767a6ec94d829d3d7b5e1ad1ba6f3e2138285f").unwrap();
        for admit in [admit_agreement_key, admit_ephemeral_key] {
            let code = |bytes: &[u8]| admit(bytes).unwrap_err().code();
            assert_eq!(encode_agreement_key(&admit(&bytes).unwrap()).to_vec(), bytes);
            assert_eq!(code(&[]), "key.length");
            assert_eq!(code(&bytes[..32]), "key.length");
            assert_eq!(code(&[&bytes[..], &[0]].concat()), "key.length");
            assert_eq!(code(&bytes[1..]), "key.type");
            assert_eq!(code(&[&[5][..], &[0; 32]].concat()), "key.low_order");
        }
        bytes[32] |= 0x80;
        assert_eq!(admit_ephemeral_key(&bytes).unwrap_err().code(), "key.not_canonical");
        assert_eq!(admit_verifying_key(&bytes).unwrap_err().code(), "key.not_canonical");
    }
}
