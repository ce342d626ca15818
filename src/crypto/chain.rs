//! One step of a symmetric chain in the native profile: the block function of ChaCha20 (RFC 8439, section 2.3) under the chain key.
//!
//! DR-1: a chain asks of its step that it be a pseudorandom generator (double ratchet, section 2.2), which is what the messages' AEAD asks of the same
//! function already. One block is the next chain key and the message's seed, at half the time of two HMACs: a gap of 2 000 messages is 4 000 steps.

use crate::crypto::secret::{Secret, wipe};
use crate::crypto::work;
use chacha20::ChaCha20;
use chacha20::cipher::{KeyIvInit, StreamCipher};

/// What tells the chains of one kind from those of another.
pub type Label = [u8; 8];

/// The next chain key, and the seed at position `n` (SP-2: from the chain key and the counter).
#[inline]
#[must_use]
pub fn step(key: &Secret<32>, label: Label, n: u32) -> (Secret<32>, Secret<32>) {
    work::derivation();
    let mut nonce = [0; 12];
    let (name, position) = nonce.split_at_mut(label.len());
    name.copy_from_slice(&label);
    position.copy_from_slice(&n.to_be_bytes());
    let mut block = [0; 64];
    ChaCha20::new(key.expose().into(), &nonce.into()).apply_keystream(&mut block);
    let [next, seed] = Secret::new(block).pieces();
    wipe(&mut block);
    (next, seed)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8439, section 2.3, word for word.
    fn oracle(key: &[u8; 32], nonce: &[u8; 12]) -> [u8; 64] {
        let word = |bytes: &[u8]| u32::from_le_bytes(bytes.try_into().unwrap());
        let mut start = [0x6170_7865, 0x3320_646E, 0x7962_2D32, 0x6B20_6574, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        key.chunks(4).enumerate().for_each(|(i, bytes)| start[4 + i] = word(bytes));
        nonce.chunks(4).enumerate().for_each(|(i, bytes)| start[13 + i] = word(bytes));
        let mut state: [u32; 16] = start;
        let mut quarter = |a: usize, b: usize, c: usize, d: usize| {
            for (left, right) in [(16, 12), (8, 7)] {
                state[a] = state[a].wrapping_add(state[b]);
                state[d] = (state[d] ^ state[a]).rotate_left(left);
                state[c] = state[c].wrapping_add(state[d]);
                state[b] = (state[b] ^ state[c]).rotate_left(right);
            }
        };
        for _ in 0..10 {
            (0..4).for_each(|i| quarter(i, 4 + i, 8 + i, 12 + i));
            (0..4).for_each(|i| quarter(i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4));
        }
        let words = state.iter().zip(start).flat_map(|(end, start)| end.wrapping_add(start).to_le_bytes());
        words.collect::<Vec<_>>().try_into().unwrap()
    }

    /// The step agrees with the block function's definition, and with the RFC's first vector for a zero key and nonce.
    #[test]
    fn a_step_is_one_block() {
        let (next, seed) = step(&Secret::new([0; 32]), [0; 8], 0);
        assert_eq!(hex::encode(next.expose()), "76b8e0ada0f13d90405d6ae55386bd28bdd219b8a08ded1aa836efcc8b770dc7");
        assert_eq!(hex::encode(seed.expose()), "da41597c5157488d7724e03fb8d84a376a43b8f41518a11cc387b669b2ee6586");
        let key: [u8; 32] = core::array::from_fn(|i| i as u8);
        for n in [0, 1, 0x0102_0304, u32::MAX] {
            let nonce = [b"a chain!".as_slice(), &n.to_be_bytes()].concat().try_into().unwrap();
            let (next, seed) = step(&Secret::new(key), *b"a chain!", n);
            assert_eq!([*next.expose(), *seed.expose()].concat(), oracle(&key, &nonce));
        }
    }

    /// SP-2, SP-3: the key, the label and the counter each change both outputs.
    #[test]
    fn every_input_counts() {
        let outputs = [(1, *b"chain  A", 5), (2, *b"chain  A", 5), (1, *b"chain  B", 5), (1, *b"chain  A", 6)]
            .map(|(key, label, n)| step(&Secret::new([key; 32]), label, n));
        let all: Vec<_> = outputs.iter().flat_map(|(next, seed)| [next.expose(), seed.expose()]).collect();
        for (i, one) in all.iter().enumerate() {
            assert!(all.iter().skip(i + 1).all(|other| one != other));
        }
    }
}
