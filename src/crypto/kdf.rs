//! HMAC-SHA256 (RFC 2104) and HKDF-SHA256 (RFC 5869).
//!
//! What comes out is a [`Secret`], wiped when dropped; the hash crates wipe their own states.

use crate::crypto::secret::{Secret, wipe};
use crate::crypto::work;
use ::hkdf::Hkdf;
use ::hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::sync::LazyLock;

/// HKDF-SHA256: extract with `salt` from the concatenated `ikm`, expand with the concatenated `info` to `N` bytes.
///
/// An empty `salt` stands for 32 zero bytes, as in RFC 5869. P-8: `N` is at most 255 hashes, checked when compiling.
#[must_use]
pub fn hkdf<const N: usize>(salt: &[u8], ikm: &[&[u8]], info: &[&[u8]]) -> Secret<N> {
    const { assert!(N <= 255 * HASH, "HKDF gives at most 255 hashes") };
    let extract = if salt.is_empty() { ZERO_SALT.clone() } else { keyed(salt) };
    let mut out = [0; N];
    expand(&finish(extract, ikm), info, &mut out);
    let okm = Secret::new(out);
    wipe(&mut out);
    okm
}

/// HMAC-SHA256 of the concatenated `parts`.
///
/// P-12: a key longer than 64 bytes is hashed first, so a key must never be of a length that an attacker chooses.
#[must_use]
pub fn hmac(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    *finish(keyed(key), parts).expose()
}

/// Two HMACs under one key, whose schedule is computed once: a chain step.
#[must_use]
pub fn hmac_pair(key: &Secret<32>, first: &[&[u8]], second: &[&[u8]]) -> (Secret<32>, Secret<32>) {
    let keyed = keyed(key.expose());
    (finish(keyed.clone(), first), finish(keyed, second))
}

/// HKDF with a salt of 32 zero bytes, 64 bytes of output, as two halves: one step of the sparse post-quantum chain.
#[must_use]
pub fn hkdf_zero_salt_64(ikm: &Secret<32>, info: &[&[u8]]) -> (Secret<32>, Secret<32>) {
    hkdf::<64>(&[], &[ikm.expose()], info).split()
}

/// The first half only of [`hkdf_zero_salt_64`].
#[must_use]
pub fn hkdf_zero_salt_first32(ikm: &Secret<32>, info: &[&[u8]]) -> Secret<32> {
    hkdf(&[], &[ikm.expose()], info)
}

const HASH: usize = 32;

static ZERO_SALT: LazyLock<Hmac<Sha256>> = LazyLock::new(|| keyed(&[]));

#[inline]
#[allow(clippy::expect_used, reason = "the error of the trait; HMAC has none, for it takes keys of any length")]
fn keyed(key: &[u8]) -> Hmac<Sha256> {
    Hmac::new_from_slice(key).expect("HMAC takes keys of any length")
}

#[inline]
fn finish(mut keyed: Hmac<Sha256>, parts: &[&[u8]]) -> Secret<32> {
    work::derivation();
    parts.iter().for_each(|part| keyed.update(part));
    let mut mac: [u8; HASH] = keyed.finalize().into_bytes().into();
    let secret = Secret::new(mac);
    wipe(&mut mac);
    secret
}

#[allow(clippy::expect_used, reason = "the key is one hash long, and `hkdf` checks the output's length when compiling")]
fn expand(pseudorandom_key: &Secret<32>, info: &[&[u8]], out: &mut [u8]) {
    Hkdf::<Sha256>::from_prk(pseudorandom_key.expose())
        .expect("the key is one hash long")
        .expand_multi_info(info, out)
        .expect("at most 255 hashes");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::hash::sha256;

    /// RFC 2104, section 2, word for word.
    fn oracle_hmac(key: &[u8], message: &[u8]) -> [u8; 32] {
        let mut block = [0; 64];
        if key.len() > block.len() {
            block[..32].copy_from_slice(&sha256(&[key]));
        } else {
            block[..key.len()].copy_from_slice(key);
        }
        sha256(&[&block.map(|byte| byte ^ 0x5C), &sha256(&[&block.map(|byte| byte ^ 0x36), message])])
    }

    /// RFC 5869, section 2, word for word.
    fn oracle_hkdf<const N: usize>(salt: &[u8], ikm: &[u8], info: &[u8]) -> [u8; N] {
        let pseudorandom_key = oracle_hmac(salt, ikm);
        let (mut out, mut previous) = (Vec::new(), Vec::new());
        for counter in 1..=N.div_ceil(32) {
            previous = oracle_hmac(&pseudorandom_key, &[&previous, info, &[counter as u8]].concat()).to_vec();
            out.extend_from_slice(&previous);
        }
        out[..N].try_into().unwrap()
    }

    /// P-12: HMAC agrees with its definition for keys and messages on both sides of every block boundary.
    #[test]
    fn hmac_agrees_with_its_definition() {
        let bytes: Vec<u8> = (0..400u32).map(|i| (i * 7 + 3) as u8).collect();
        for key_length in [0, 1, 31, 32, 33, 63, 64, 65, 128, 200] {
            for length in (0..=135).chain([191, 192, 193, 400]) {
                let (key, message) = (&bytes[..key_length], &bytes[..length]);
                let expected = oracle_hmac(key, message);
                for cut in [0, length / 3, length / 2, length] {
                    let (left, right) = message.split_at(cut);
                    assert_eq!(hmac(key, &[left, right]), expected, "key {key_length}, message {length}, cut {cut}");
                }
            }
        }
    }

    /// P-8: HKDF agrees with its definition.
    #[test]
    fn hkdf_agrees_with_its_definition() {
        let ikm = [0x42; 96];
        assert_eq!(*hkdf::<42>(b"salt", &[&ikm], &[b"in", b"fo"]).expose(), oracle_hkdf(b"salt", &ikm, b"info"));
        assert_eq!(*hkdf::<96>(&[], &[&ikm[..5], &ikm[5..]], &[]).expose(), oracle_hkdf(&[0; 32], &ikm, b""));
        assert_eq!(*hkdf::<8160>(&[1; 100], &[], &[&[9; 80]]).expose(), oracle_hkdf(&[1; 100], &[], &[9; 80]));
        assert_eq!(*hkdf::<0>(&[], &[&ikm], &[]).expose(), [0u8; 0]);
    }

    #[test]
    fn the_fast_paths_agree_with_the_plain_ones() {
        let key = Secret::new([0x17; 32]);
        let (first, second) = hmac_pair(&key, &[&[1]], &[&[2], b"more"]);
        assert_eq!(first.expose(), &hmac(key.expose(), &[&[1]]));
        assert_eq!(second.expose(), &hmac(key.expose(), &[b"\x02more"]));

        let info: [&[u8]; 2] = [&[0, 0, 0, 9], b"Chain Next"];
        let [t1, t2] = hkdf::<64>(&[], &[key.expose()], &info).pieces::<2>();
        assert_eq!(hkdf_zero_salt_64(&key, &info), (t1, t2));
        assert_eq!(hkdf_zero_salt_first32(&key, &info), hkdf_zero_salt_64(&key, &info).0);
    }
}
