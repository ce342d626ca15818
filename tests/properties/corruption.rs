//! What a network or a disk does to bytes.

use crate::schedule::Rng;
use rand::{Rng as _, RngExt};

/// Other bytes than `bytes`: some bits flipped, the end cut off, or something appended.
pub fn corrupted(bytes: &[u8], rng: &mut Rng) -> Vec<u8> {
    let mut out = bytes.to_vec();
    match rng.random_range(0..10) {
        0 => out.truncate(rng.random_range(0..bytes.len())),
        1 => {
            let mut more = vec![0; rng.random_range(1..40)];
            rng.fill_bytes(&mut more);
            out.extend(more);
        }
        2 => {
            let at = rng.random_range(0..out.len());
            out.remove(at);
        }
        _ => {
            for _ in 0..rng.random_range(1..6) {
                flip_one_bit(&mut out, rng);
            }
        }
    }
    // Two flips may undo each other, and a byte removed may be one of equals.
    if out == bytes {
        flip_one_bit(&mut out, rng);
    }
    out
}

/// `bytes` with one bit flipped, each as likely as the others.
pub fn flipped(bytes: &[u8], rng: &mut Rng) -> Vec<u8> {
    let mut out = bytes.to_vec();
    flip_one_bit(&mut out, rng);
    out
}

fn flip_one_bit(bytes: &mut [u8], rng: &mut Rng) {
    let bit = rng.random_range(0..bytes.len() * 8);
    bytes[bit / 8] ^= 1 << (bit % 8);
}
