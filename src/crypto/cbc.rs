//! AES-256-CBC with PKCS#7 padding, for the Signal profile. It authenticates nothing: a MAC is verified before.

use crate::crypto::key_uses;
use crate::crypto::secret::Secret;
use crate::error::{Fault, Result};
use aes::Aes256;
use aes::cipher::block_padding::Pkcs7;
use aes::cipher::{BlockModeDecrypt, BlockModeEncrypt, KeyIvInit};
use zeroize::Zeroize;

/// Pads and encrypts; the result is a positive multiple of 16 bytes.
#[must_use]
pub fn encrypt(key: &Secret<32>, iv: &[u8; 16], plaintext: &[u8]) -> Vec<u8> {
    let mut buffer = vec![0; (plaintext.len() / BLOCK + 1) * BLOCK];
    let written = cbc::Encryptor::<Aes256>::new(key.expose().into(), iv.into())
        .encrypt_padded_b2b::<Pkcs7>(plaintext, &mut buffer)
        .is_ok();
    assert!(written, "the buffer has room for the padding");
    key_uses::note(key, iv, &[], plaintext, &buffer);
    buffer
}

/// Decrypts and removes the padding. Call it on authenticated bytes only: what it says about padding is an oracle.
///
/// # Errors
/// `message.padding` if the input is empty or no multiple of 16 bytes, or the padding is malformed.
pub fn decrypt(key: &Secret<32>, iv: &[u8; 16], ciphertext: &[u8]) -> Result<Vec<u8>> {
    if ciphertext.is_empty() || !ciphertext.len().is_multiple_of(BLOCK) {
        return Err(Fault::MessagePadding.into());
    }
    let mut buffer = vec![0; ciphertext.len()];
    let length = cbc::Decryptor::<Aes256>::new(key.expose().into(), iv.into())
        .decrypt_padded_b2b::<Pkcs7>(ciphertext, &mut buffer)
        .map(<[u8]>::len);
    match length {
        Ok(length) => {
            buffer.truncate(length);
            Ok(buffer)
        }
        Err(_) => {
            buffer.zeroize();
            Err(Fault::MessagePadding.into())
        }
    }
}

const BLOCK: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    /// NIST SP 800-38A, F.2.5: the first block; then the round trip of every length with its padding.
    #[test]
    fn known_answer_and_round_trips() {
        let key = Secret::from_slice(
            &hex::decode("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4").unwrap(),
        )
        .unwrap();
        let iv = core::array::from_fn(|i| i as u8);
        let block = hex::decode("6bc1bee22e409f96e93d7e117393172a").unwrap();
        let ciphertext = encrypt(&key, &iv, &block);
        assert_eq!(hex::encode(&ciphertext[..16]), "f58c4c04d6e5f1ba779eabfb5f7bfbd6");
        assert_eq!(ciphertext.len(), 32);
        for length in 0..70 {
            let plaintext = vec![0x5A; length];
            let ciphertext = encrypt(&key, &iv, &plaintext);
            assert_eq!(ciphertext.len(), (length / 16 + 1) * 16);
            assert_eq!(decrypt(&key, &iv, &ciphertext).unwrap(), plaintext);
        }
    }

    #[test]
    fn malformed_padding_is_refused() {
        let (key, iv) = (Secret::new([1; 32]), [2; 16]);
        let refused = Err(Fault::MessagePadding.into());
        assert_eq!(decrypt(&key, &iv, &[]), refused);
        assert_eq!(decrypt(&key, &iv, &[0; 15]), refused);
        assert_eq!(decrypt(&key, &iv, &[0; 33]), refused);
        // With 16 bytes of plaintext the second block is padding alone; without it the first must not end like one.
        let ciphertext = encrypt(&key, &iv, &[0x77; 16]);
        assert_eq!(decrypt(&key, &iv, &ciphertext[..16]), refused);
    }
}
