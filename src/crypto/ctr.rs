//! AES-256-CTR from a zero counter block (32-bit big-endian counter), for sealed sender version 1. It authenticates
//! nothing: a MAC covers its output.

use crate::crypto::secret::Secret;
use aes::Aes256;
use aes::cipher::{KeyIvInit, StreamCipher};

/// Encrypts or decrypts: both are the same. A key serves once.
#[must_use]
pub fn apply(key: &Secret<32>, input: &[u8]) -> Vec<u8> {
    let mut output = input.to_vec();
    ctr::Ctr32BE::<Aes256>::new(key.expose().into(), &[0; 16].into()).apply_keystream(&mut output);
    output
}

#[cfg(test)]
mod tests {
    use super::*;
    use aes::cipher::{BlockCipherEncrypt, KeyInit};

    /// The keystream is AES of the counter blocks 0, 1, 2.
    #[test]
    fn the_keystream_counts_from_zero() {
        let key = Secret::new([0x3C; 32]);
        let keystream = apply(&key, &[0; 40]);
        for (counter, chunk) in (0u8..).zip(keystream.chunks(16)) {
            let mut block = [0; 16];
            block[15] = counter;
            let mut block = block.into();
            Aes256::new(key.expose().into()).encrypt_block(&mut block);
            assert_eq!(chunk, &block[..chunk.len()]);
        }
        assert_eq!(apply(&key, &apply(&key, b"there and back")), b"there and back");
    }
}
