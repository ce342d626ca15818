//! HMAC-SHA256 (RFC 2104) and HKDF-SHA256 (RFC 5869).
//!
//! They stand on the bare SHA-256 compression function, so that a key schedule which is known beforehand is computed
//! once: a ratchet steps a chain thousands of times under one and the same public salt.

use crate::crypto::secret::{Secret, wipe};
use core::iter::once;
use sha2::block_api::compress256;
use std::sync::LazyLock;

/// HKDF-SHA256: extract with `salt` from the concatenated `ikm`, expand with the concatenated `info` to `N` bytes.
///
/// An empty `salt` stands for 32 zero bytes, as in RFC 5869. P-8: `N` is at most 255 hashes, checked when compiling.
#[must_use]
pub fn hkdf<const N: usize>(salt: &[u8], ikm: &[&[u8]], info: &[&[u8]]) -> Secret<N> {
    const { assert!(N <= 255 * HASH, "HKDF gives at most 255 hashes") };
    let mut out = [0; N];
    expand(&KeySchedule::new(salt).mac_once(ikm), info, &mut out);
    Secret::new(out)
}

/// HMAC-SHA256 of the concatenated `parts`.
///
/// P-12: a key longer than 64 bytes is hashed first, so a key must never be of a length that an attacker chooses.
#[must_use]
pub fn hmac(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    KeySchedule::new(key).mac(parts.iter().copied())
}

/// Two HMACs under one key, whose schedule is computed once: a chain step.
#[must_use]
pub fn hmac_pair(key: &Secret<32>, first: &[&[u8]], second: &[&[u8]]) -> (Secret<32>, Secret<32>) {
    let schedule = KeySchedule::new(key.expose());
    (Secret::new(schedule.mac(first.iter().copied())), Secret::new(schedule.mac(second.iter().copied())))
}

/// HKDF-Extract with one fixed, public salt whose key schedule is computed once.
///
/// For up to 55 bytes of input an extraction costs two compressions, the least possible. Kept in a
/// `static SALT: LazyLock<Extractor>`.
pub struct Extractor(KeySchedule);

impl Extractor {
    /// Computes the key schedule of `salt`; empty stands for 32 zero bytes.
    #[must_use]
    pub fn new(salt: &[u8]) -> Self {
        Self(KeySchedule::new(salt))
    }

    /// HKDF-Extract(salt, concatenated `parts`).
    #[inline]
    #[must_use]
    pub fn extract(&self, parts: &[&[u8]]) -> Secret<32> {
        Secret::new(self.0.mac(parts.iter().copied()))
    }
}

/// HKDF with a salt of 32 zero bytes, 64 bytes of output, as two halves: one step of the sparse post-quantum chain.
#[must_use]
pub fn hkdf_zero_salt_64(ikm: &Secret<32>, info: &[&[u8]]) -> (Secret<32>, Secret<32>) {
    let schedule = zero_salt_schedule(ikm);
    let first = schedule.mac(info.iter().copied().chain(once([1].as_slice())));
    let second = schedule.mac(once(first.as_slice()).chain(info.iter().copied()).chain(once([2].as_slice())));
    (Secret::new(first), Secret::new(second))
}

/// The first half only of [`hkdf_zero_salt_64`].
#[must_use]
pub fn hkdf_zero_salt_first32(ikm: &Secret<32>, info: &[&[u8]]) -> Secret<32> {
    Secret::new(zero_salt_schedule(ikm).mac(info.iter().copied().chain(once([1].as_slice()))))
}

const HASH: usize = 32;
const BLOCK: usize = 64;
/// The longest message whose padding (one byte 0x80 and eight of length) still fits its block.
const ONE_BLOCK: usize = BLOCK - 9;

/// FIPS 180-4, section 5.3.3.
const INITIAL: [u32; 8] =
    [0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19];

static ZERO_SALT: LazyLock<KeySchedule> = LazyLock::new(|| KeySchedule::new(&[0; HASH]));

fn zero_salt_schedule(ikm: &Secret<32>) -> KeySchedule {
    let mut pseudorandom_key = ZERO_SALT.mac(once(ikm.expose().as_slice()));
    let schedule = KeySchedule::new(&pseudorandom_key);
    wipe(&mut pseudorandom_key);
    schedule
}

/// RFC 5869, section 2.3.
fn expand(schedule: &KeySchedule, info: &[&[u8]], out: &mut [u8]) {
    let mut previous = Previous { bytes: [0; HASH], length: 0 };
    for (counter, chunk) in (1u8..=255).zip(out.chunks_mut(HASH)) {
        let counter = [counter];
        let parts = once(previous.as_slice()).chain(info.iter().copied()).chain(once(counter.as_slice()));
        previous = Previous { bytes: schedule.mac(parts), length: HASH };
        chunk.iter_mut().zip(&previous.bytes).for_each(|(slot, byte)| *slot = *byte);
    }
}

/// T(i - 1) of HKDF-Expand: empty at first.
struct Previous {
    bytes: [u8; HASH],
    length: usize,
}

impl Drop for Previous {
    fn drop(&mut self) {
        wipe(&mut self.bytes);
    }
}

impl Previous {
    fn as_slice(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}

/// The two SHA-256 states of HMAC after their first block, the padded key.
struct KeySchedule {
    inner: [u32; 8],
    outer: [u32; 8],
}

impl Drop for KeySchedule {
    fn drop(&mut self) {
        wipe(&mut self.inner);
        wipe(&mut self.outer);
    }
}

impl KeySchedule {
    fn new(key: &[u8]) -> Self {
        let mut block = [0; BLOCK];
        match block.get_mut(..key.len()) {
            Some(front) => front.copy_from_slice(key),
            None => {
                let mut hash = Sha256Stream::resume(INITIAL, 0);
                hash.absorb(key);
                block.iter_mut().zip(to_bytes(hash.finish())).for_each(|(slot, byte)| *slot = byte);
            }
        }
        let mut schedule = Self { inner: INITIAL, outer: INITIAL };
        block.iter_mut().for_each(|byte| *byte ^= 0x36);
        compress256(&mut schedule.inner, core::slice::from_ref(&block));
        block.iter_mut().for_each(|byte| *byte ^= 0x36 ^ 0x5C);
        compress256(&mut schedule.outer, core::slice::from_ref(&block));
        wipe(&mut block);
        schedule
    }

    #[inline]
    fn mac<'a>(&self, parts: impl Iterator<Item = &'a [u8]>) -> [u8; HASH] {
        let mut inner = Sha256Stream::resume(self.inner, BLOCK as u64);
        parts.for_each(|part| inner.absorb(part));
        self.outer_hash(&mut inner.finish())
    }

    /// The second hash of HMAC, over the state that the first one ended in.
    #[inline]
    fn outer_hash(&self, inner: &mut [u32; 8]) -> [u8; HASH] {
        let mut block = padded(&to_bytes(*inner), OUTER_LENGTH);
        let mut state = self.outer;
        compress256(&mut state, core::slice::from_ref(&block));
        let hash = to_bytes(state);
        wipe(&mut block);
        wipe(&mut state);
        wipe(inner);
        hash
    }

    /// The key schedule of HKDF-Expand: the extracted key never leaves this function.
    fn mac_once(&self, parts: &[&[u8]]) -> Self {
        let mut pseudorandom_key = self.mac(parts.iter().copied());
        let schedule = Self::new(&pseudorandom_key);
        wipe(&mut pseudorandom_key);
        schedule
    }
}

/// SHA-256 from a given state onwards.
struct Sha256Stream {
    state: [u32; 8],
    block: [u8; BLOCK],
    filled: usize,
    length: u64,
}

impl Drop for Sha256Stream {
    fn drop(&mut self) {
        wipe(&mut self.state);
        wipe(&mut self.block);
    }
}

impl Sha256Stream {
    /// Goes on from `state`, which has absorbed `length` bytes, a multiple of 64.
    #[inline]
    fn resume(state: [u32; 8], length: u64) -> Self {
        Self { state, block: [0; BLOCK], filled: 0, length }
    }

    #[inline]
    fn absorb(&mut self, part: &[u8]) {
        self.length += part.len() as u64;
        // The usual case, and the only one in a ratchet's chain step: the part fits into the open block.
        if let Some(slot) = self.block.get_mut(self.filled..self.filled + part.len())
            && self.filled + part.len() < BLOCK
        {
            slot.copy_from_slice(part);
            self.filled += part.len();
            return;
        }
        self.absorb_over_blocks(part);
    }

    fn absorb_over_blocks(&mut self, part: &[u8]) {
        let mut rest = part;
        if self.filled > 0 {
            let (front, behind) = part.split_at(part.len().min(BLOCK - self.filled));
            self.block.iter_mut().skip(self.filled).zip(front).for_each(|(slot, byte)| *slot = *byte);
            compress256(&mut self.state, core::slice::from_ref(&self.block));
            rest = behind;
        }
        let (blocks, tail) = rest.as_chunks::<BLOCK>();
        compress256(&mut self.state, blocks);
        self.block.iter_mut().zip(tail).for_each(|(slot, byte)| *slot = *byte);
        self.filled = tail.len();
    }

    #[inline]
    fn finish(&mut self) -> [u32; 8] {
        if let Some(padding) = self.block.get_mut(self.filled..) {
            padding.fill(0);
        }
        if let Some(marker) = self.block.get_mut(self.filled) {
            *marker = 0x80;
        }
        if self.filled > ONE_BLOCK {
            compress256(&mut self.state, core::slice::from_ref(&self.block));
            self.block.fill(0);
        }
        if let Some(bits) = self.block.last_chunk_mut::<8>() {
            *bits = (self.length * 8).to_be_bytes();
        }
        compress256(&mut self.state, core::slice::from_ref(&self.block));
        self.state
    }
}

/// The bits that the outer hash of HMAC covers: one padded key and one hash.
const OUTER_LENGTH: u64 = (BLOCK + HASH) as u64 * 8;

/// The last block of a message that ends in 32 bytes and has `bits` bits in all.
#[inline]
fn padded(tail: &[u8; HASH], bits: u64) -> [u8; BLOCK] {
    let mut block = [0; BLOCK];
    if let Some((front, padding)) = block.split_first_chunk_mut::<HASH>() {
        *front = *tail;
        if let Some(marker) = padding.first_mut() {
            *marker = 0x80;
        }
        if let Some(length) = padding.last_chunk_mut::<8>() {
            *length = bits.to_be_bytes();
        }
    }
    block
}

#[inline]
fn to_bytes(state: [u32; 8]) -> [u8; HASH] {
    let mut out = [0; HASH];
    out.as_chunks_mut::<4>().0.iter_mut().zip(state).for_each(|(slot, word)| *slot = word.to_be_bytes());
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use ::hmac::{Hmac, KeyInit, Mac};
    use sha2::Sha256;

    fn oracle_hmac(key: &[u8], message: &[u8]) -> [u8; 32] {
        Hmac::<Sha256>::new_from_slice(key).unwrap().chain_update(message).finalize().into_bytes().into()
    }

    fn oracle_hkdf<const N: usize>(salt: &[u8], ikm: &[u8], info: &[u8]) -> [u8; N] {
        let mut out = [0; N];
        ::hkdf::Hkdf::<Sha256>::new(Some(salt), ikm).expand(info, &mut out).unwrap();
        out
    }

    /// P-12: our HMAC agrees with an independent one for keys and messages on both sides of every block boundary.
    #[test]
    fn hmac_agrees_with_the_oracle() {
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

    /// P-8: our HKDF agrees with an independent one.
    #[test]
    fn hkdf_agrees_with_the_oracle() {
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

        let extractor = Extractor::new(b"Undertone public salt");
        for length in [0, 1, 32, 55, 56, 64, 200] {
            let input = vec![0xEE; length];
            assert_eq!(extractor.extract(&[&input]).expose(), &hmac(b"Undertone public salt", &[&input]));
        }
    }
}
