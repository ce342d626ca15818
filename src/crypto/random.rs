//! The one way in which the crate draws randomness.

use crate::error::{Fault, Result};
use crate::rule::{self, Rule};
use rand_core::TryCryptoRng;
use zeroize::Zeroize;

/// Draws of fewer bytes are not checked: an honest generator would be refused too often.
const CHECKED_FROM: usize = 12;
/// Draws of at least this many bytes, if even, must not repeat their first half.
const HALVES_CHECKED_FROM: usize = 16;

/// Fills `out`; on an error it holds zeros.
///
/// PQ-26, B18: a dead generator would make every key guessable, so a draw that consists of one repeated byte, or of
/// one half twice, is refused. An honest generator gives such a draw with a probability below 2^-63.
///
/// # Errors
/// `random.failed` if the generator fails or the draw is visibly stuck.
pub fn fill(rng: &mut impl TryCryptoRng, out: &mut [u8]) -> Result<()> {
    if rng.try_fill_bytes(out).is_err() || (rule::on(Rule::Pq26) && is_stuck(out)) {
        out.zeroize();
        return Err(Fault::Rng.into());
    }
    Ok(())
}

/// Draws `N` bytes; see [`fill`].
///
/// # Errors
/// `random.failed`, as for [`fill`].
pub fn array<const N: usize>(rng: &mut impl TryCryptoRng) -> Result<[u8; N]> {
    let mut out = [0; N];
    fill(rng, &mut out)?;
    Ok(out)
}

fn is_stuck(draw: &[u8]) -> bool {
    let Some((first, rest)) = draw.split_first() else { return false };
    let one_byte_repeated = draw.len() >= CHECKED_FROM && rest.iter().fold(0, |seen, byte| seen | (byte ^ first)) == 0;
    let (left, right) = draw.split_at(draw.len() / 2);
    let one_half_twice = draw.len() >= HALVES_CHECKED_FROM
        && left.len() == right.len()
        && left.iter().zip(right).fold(0, |seen, (l, r)| seen | (l ^ r)) == 0;
    one_byte_repeated || one_half_twice
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::convert::Infallible;
    use rand_core::{TryCryptoRng, TryRng};

    /// Repeats a pattern for ever.
    struct Stuck(&'static [u8]);

    impl TryRng for Stuck {
        type Error = Infallible;
        fn try_next_u32(&mut self) -> core::result::Result<u32, Infallible> {
            unreachable!("the crate draws bytes only")
        }
        fn try_next_u64(&mut self) -> core::result::Result<u64, Infallible> {
            unreachable!("the crate draws bytes only")
        }
        fn try_fill_bytes(&mut self, out: &mut [u8]) -> core::result::Result<(), Infallible> {
            out.iter_mut().zip(self.0.iter().cycle()).for_each(|(slot, byte)| *slot = *byte);
            Ok(())
        }
    }
    impl TryCryptoRng for Stuck {}

    struct Broken;

    impl TryRng for Broken {
        type Error = core::fmt::Error;
        fn try_next_u32(&mut self) -> core::result::Result<u32, Self::Error> {
            Err(core::fmt::Error)
        }
        fn try_next_u64(&mut self) -> core::result::Result<u64, Self::Error> {
            Err(core::fmt::Error)
        }
        fn try_fill_bytes(&mut self, out: &mut [u8]) -> core::result::Result<(), Self::Error> {
            out.fill(0xAA);
            Err(core::fmt::Error)
        }
    }
    impl TryCryptoRng for Broken {}

    /// PQ-26, B18: a generator that is stuck or fails gives an error, never a key.
    #[test]
    fn a_dead_generator_is_refused() {
        assert_eq!(array::<32>(&mut Stuck(&[0])), Err(Fault::Rng.into()));
        assert_eq!(array::<12>(&mut Stuck(&[0xC3])), Err(Fault::Rng.into()));
        assert_eq!(array::<16>(&mut Stuck(b"eight ok")), Err(Fault::Rng.into()));
        assert_eq!(array::<64>(&mut Stuck(b"eight ok")), Err(Fault::Rng.into()));
        let mut out = [1; 24];
        assert_eq!(fill(&mut Broken, &mut out), Err(Fault::Rng.into()));
        assert_eq!(out, [0; 24]);
    }

    #[test]
    fn an_honest_draw_passes() {
        assert_eq!(array::<8>(&mut Stuck(b"eight ok")), Ok(*b"eight ok"));
        assert_eq!(array::<4>(&mut Stuck(&[0])), Ok([0; 4]));
        assert_eq!(array::<15>(&mut Stuck(b"eight ok")), Ok(*b"eight okeight o"));
    }
}
