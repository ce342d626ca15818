//! Secret bytes: zeroized when dropped, never cloned, never printed, compared in constant time.

use crate::crypto::random;
use crate::error::{Fault, Result};
use core::fmt;
use rand_core::TryCryptoRng;
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop, optimization_barrier};

/// `N` secret bytes.
///
/// A copy is made only where the code says so, with `Secret::new(*secret.expose())`.
pub struct Secret<const N: usize>([u8; N]);

impl<const N: usize> Secret<N> {
    /// Takes the bytes over; the caller is left with whatever copy it still holds.
    #[must_use]
    pub const fn new(bytes: [u8; N]) -> Self {
        Self(bytes)
    }

    /// Copies exactly `N` bytes.
    ///
    /// # Errors
    /// `key.length` if `bytes` is of another length.
    pub fn from_slice(bytes: &[u8]) -> Result<Self> {
        bytes.try_into().map(Self).map_err(|_| Fault::KeyLength.into())
    }

    /// Draws a fresh secret.
    ///
    /// # Errors
    /// `random.failed` if the generator fails or is visibly stuck.
    pub fn random(rng: &mut impl TryCryptoRng) -> Result<Self> {
        random::array(rng).map(Self)
    }

    /// The bytes themselves.
    #[must_use]
    pub const fn expose(&self) -> &[u8; N] {
        &self.0
    }

    /// Cuts the secret into `K` secrets of 32 bytes; `K * 32 == N` is checked when compiling.
    #[must_use]
    pub fn pieces<const K: usize>(&self) -> [Secret<32>; K] {
        const { assert!(K * 32 == N, "a secret is cut into 32-byte pieces without a rest") };
        let mut chunks = self.0.as_chunks::<32>().0.iter();
        core::array::from_fn(|_| Secret(chunks.next().copied().unwrap_or_default()))
    }

    /// Cuts the secret in two, of `A` and `B` bytes; `A + B == N` is checked when compiling.
    #[must_use]
    pub fn split<const A: usize, const B: usize>(&self) -> (Secret<A>, Secret<B>) {
        const { assert!(A + B == N, "a secret is cut in two without a rest") };
        let mut head = [0; A];
        let mut tail = [0; B];
        for (slot, byte) in head.iter_mut().chain(tail.iter_mut()).zip(&self.0) {
            *slot = *byte;
        }
        (Secret(head), Secret(tail))
    }
}

impl<const N: usize> Zeroize for Secret<N> {
    fn zeroize(&mut self) {
        wipe(&mut self.0);
    }
}

/// B74: a secret that is out of use would else lie in freed memory for whoever gets that memory next.
impl<const N: usize> Drop for Secret<N> {
    fn drop(&mut self) {
        wipe(&mut self.0);
    }
}

impl<const N: usize> ZeroizeOnDrop for Secret<N> {}

/// B73: a comparison that stops at the first difference tells how much of a guess was right.
impl<const N: usize> PartialEq for Secret<N> {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl<const N: usize> Eq for Secret<N> {}

impl<const N: usize> fmt::Debug for Secret<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// Overwrites secret words; the compiler may not leave it out.
///
/// Wide stores and one barrier, where `Zeroize` for arrays stores byte by byte: a chain step wipes more than it hashes.
#[inline]
pub(in crate::crypto) fn wipe<W: Copy + Default, const N: usize>(words: &mut [W; N]) {
    words.fill(W::default());
    optimization_barrier(words);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_nothing() {
        assert_eq!(format!("{:?}", Secret::new([0x5A; 32])), "Secret(..)");
    }

    #[test]
    fn pieces_and_split_keep_the_order() {
        let secret = Secret::<96>::new(core::array::from_fn(|i| i as u8));
        let [first, second, third] = secret.pieces::<3>();
        assert_eq!(first.expose()[0], 0);
        assert_eq!(second.expose()[0], 32);
        assert_eq!(third.expose()[31], 95);
        let (head, tail) = secret.split::<80, 16>();
        assert_eq!(head.expose()[79], 79);
        assert_eq!(tail.expose()[0], 80);
    }

    #[test]
    fn a_wrong_length_is_refused() {
        assert_eq!(Secret::<32>::from_slice(&[0; 31]), Err(Fault::KeyLength.into()));
        assert_eq!(Secret::<32>::from_slice(&[0; 33]), Err(Fault::KeyLength.into()));
        assert_eq!(Secret::<32>::from_slice(&[7; 32]), Ok(Secret::new([7; 32])));
        assert_ne!(Secret::new([7; 32]), Secret::new([8; 32]));
    }
}
