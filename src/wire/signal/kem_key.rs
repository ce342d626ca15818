//! Kyber-1024 keys and ciphertexts as they stand on the wire: the type byte and the raw bytes.

use crate::crypto::kem::{KemCiphertext, KemPublic, Kyber1024};
use crate::error::{Fault, Result};

/// Kyber-1024 round 3, the only KEM of shipped official clients. ML-KEM keys are as long and stand behind another byte, which is refused (PQ-7).
const TYPE: u8 = 0x08;

/// `08 ‖ public key`: also what the identity key signs.
pub fn encode_kem_key(key: &KemPublic<Kyber1024>) -> Vec<u8> {
    typed(key.as_bytes())
}

/// Admits a public key.
///
/// # Errors
/// `key.type`, `key.length`.
pub fn admit_kem_key(bytes: &[u8]) -> Result<KemPublic<Kyber1024>> {
    KemPublic::admit(untyped(bytes)?)
}

/// `08 ‖ ciphertext`.
pub fn encode_kem_ciphertext(ciphertext: &KemCiphertext<Kyber1024>) -> Vec<u8> {
    typed(ciphertext.as_bytes())
}

/// Admits a ciphertext.
///
/// # Errors
/// `key.type`, `message.field` for a wrong length, `key.length` for an empty one.
pub fn admit_kem_ciphertext(bytes: &[u8]) -> Result<KemCiphertext<Kyber1024>> {
    KemCiphertext::from_slice(untyped(bytes)?)
}

fn typed(raw: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(1 + raw.len());
    out.push(TYPE);
    out.extend_from_slice(raw);
    out
}

fn untyped(bytes: &[u8]) -> Result<&[u8]> {
    match bytes.split_first() {
        None => Err(Fault::KeyLength.into()),
        Some((&TYPE, raw)) => Ok(raw),
        Some(_) => Err(Fault::KeyType.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// K-3: another KEM's key or a key of another length is refused.
    #[test]
    fn only_kyber_1024_is_admitted() {
        let key = [vec![8], vec![1; 1568]].concat();
        assert_eq!(encode_kem_key(&admit_kem_key(&key).unwrap()), key);
        assert_eq!(encode_kem_ciphertext(&admit_kem_ciphertext(&key).unwrap()), key);
        for (bytes, of_key, of_ciphertext) in [
            (vec![], "key.length", "key.length"),
            (vec![8; 1568], "key.length", "message.field"),
            (vec![8; 1570], "key.length", "message.field"),
            (vec![7; 1185], "key.type", "key.type"),
            (vec![10; 1569], "key.type", "key.type"),
        ] {
            assert_eq!(admit_kem_key(&bytes).err().unwrap().code(), of_key);
            assert_eq!(admit_kem_ciphertext(&bytes).err().unwrap().code(), of_ciphertext);
        }
    }
}
