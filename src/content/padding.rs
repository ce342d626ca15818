//! Padding: what a message's length says about its content (docs/content.md, section 4).
//!
//! D2, B58: lengths come from a small set, so that a reaction, a receipt and a short text look alike.

use crate::crypto::Zeroizing;
use crate::error::{Fault, Result};

/// How much of a message's length is hidden.
///
/// ```
/// use undertone::content::{Padding, pad, unpad};
///
/// let (short, long) = (pad(b"ok", Padding::Padme), pad(&[7; 200], Padding::Padme));
/// assert_eq!((short.len(), long.len()), (256, 256));
/// assert_eq!(unpad(&short)?, b"ok");
/// # Ok::<(), undertone::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Padding {
    /// To 256, 512 or 1024 bytes; above, to a multiple of 256 that Padmé chooses: at most an eighth and 256 bytes more.
    #[default]
    Padme,
    /// Not at all: the server sees the length of every message.
    None,
}

const UNIT: usize = 256;
const MARK: u8 = 0x80;

/// The content, the byte 0x80, and zeros.
///
/// ```
/// use undertone::content::{Padding, pad};
///
/// assert_eq!(pad(&[7; 1024], Padding::Padme).len(), 1280);
/// assert_eq!(pad(&[7; 1024], Padding::None).len(), 1025);
/// ```
#[must_use]
pub fn pad(content: &[u8], padding: Padding) -> Zeroizing<Vec<u8>> {
    let marked = content.len() + 1;
    let length = match padding {
        Padding::Padme => bucket(marked),
        Padding::None => marked,
    };
    let mut padded = Zeroizing::new(Vec::with_capacity(length));
    padded.extend_from_slice(content);
    padded.push(MARK);
    padded.resize(length, 0);
    padded
}

/// The content of what [`pad`] made.
///
/// M-1: any other padding is refused, so that one content has one length. How long the content is does not show in the time that this takes, as far as the last bucket goes.
///
/// # Errors
/// `message.padding`.
///
/// ```
/// use undertone::content::unpad;
///
/// assert_eq!(unpad(&[1, 2, 0x80])?, [1, 2]);
/// assert_eq!(unpad(&[1, 2, 0x80, 0]).unwrap_err().code(), "message.padding");
/// # Ok::<(), undertone::Error>(())
/// ```
pub fn unpad(padded: &[u8]) -> Result<&[u8]> {
    let window = padded.len().min((padded.len() / 8 + UNIT).max(4 * UNIT));
    let mut zeros = 0_usize;
    let mut still_zeros = 1_u32;
    let mut is_marked = 0_u32;
    for byte in padded.iter().rev().take(window) {
        is_marked |= still_zeros & is_equal(*byte, MARK);
        still_zeros &= is_equal(*byte, 0);
        zeros += usize::from(still_zeros == 1);
    }
    let length = padded.len().checked_sub(zeros + 1).filter(|_| is_marked == 1).ok_or(Fault::MessagePadding)?;
    // No padding at all is the other form that a sender may choose.
    if padded.len() != bucket(length + 1) && zeros != 0 {
        return Err(Fault::MessagePadding.into());
    }
    padded.get(..length).ok_or_else(|| Fault::MessagePadding.into())
}

/// Padmé: the length rounded up so far that it tells no more than O(log log) bits; 0, 1 and 2 are left as they are.
///
/// ```
/// use undertone::content::padme;
///
/// assert_eq!([9, 1000, 1025].map(padme), [10, 1024, 1088]);
/// ```
#[must_use]
pub fn padme(length: usize) -> usize {
    let Some(exponent) = length.checked_ilog2().filter(|exponent| *exponent > 0) else { return length };
    let kept = exponent.ilog2() + 1;
    let mask = (1_usize << (exponent - kept.min(exponent))) - 1;
    length.saturating_add(mask) & !mask
}

/// The length that `length` bytes, the mark among them, are padded to.
fn bucket(length: usize) -> usize {
    match length {
        0..=256 => 256,
        257..=512 => 512,
        513..=1024 => 1024,
        _ => padme(length.div_ceil(UNIT)).saturating_mul(UNIT),
    }
}

/// 1 if the bytes are equal, else 0, without a branch.
const fn is_equal(one: u8, other: u8) -> u32 {
    ((one ^ other) as u32).wrapping_sub(1) >> 31
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// D2: the check values of Padmé, as published and as computed for this project.
    #[test]
    fn check_values_of_padme() {
        for (length, padded) in [
            (0, 0),
            (1, 1),
            (2, 2),
            (9, 10),
            (15, 16),
            (33, 36),
            (65, 72),
            (100, 104),
            (129, 144),
            (257, 272),
            (1000, 1024),
            (1025, 1088),
            (4097, 4352),
            (65_537, 67_584),
            (1_000_000, 1_015_808),
            (100_000_001, 100_663_296),
        ] {
            assert_eq!(padme(length), padded, "{length}");
        }
    }

    /// D2, B58: few lengths, and all that is short has the same one.
    #[test]
    fn lengths_come_from_a_small_set() {
        let lengths: std::collections::BTreeSet<usize> = (0..1 << 16).map(|length| bucket(length + 1)).collect();
        assert_eq!(lengths.iter().copied().take(5).collect::<Vec<_>>(), [256, 512, 1024, 1280, 1536]);
        assert_eq!(lengths.len(), 43);
        assert_eq!(pad(&[7; 255], Padding::Padme).len(), 256);
        assert_eq!(pad(&[7; 256], Padding::Padme).len(), 512);
        // Control: without padding, every content has a length of its own.
        assert_eq!(
            (0..300).map(|length| pad(&vec![7; length], Padding::None).len()).collect::<Vec<_>>(),
            (1..=300).collect::<Vec<_>>()
        );
        assert!(bucket(super::super::MAX_CONTENT + 1) <= crate::profile::MAX_PLAINTEXT);
    }

    /// D2, M-1: what was not padded by the rule is refused.
    #[test]
    fn other_padding_is_refused() {
        let padded = pad(b"hello", Padding::Padme).to_vec();
        let mut longer = padded.clone();
        longer.push(0);
        let mut larger = padded.clone();
        larger.resize(512, 0);
        let shorter = &padded[..255];
        let mut unmarked = padded.clone();
        unmarked[5] = 0;
        let mut marked_otherwise = padded.clone();
        marked_otherwise[5] = 0x40;
        let mut dirty = padded.clone();
        dirty[255] = 1;
        for bytes in [&longer[..], &larger, shorter, &unmarked, &marked_otherwise, &dirty, &[], &[0; 256]] {
            assert_eq!(unpad(bytes).unwrap_err().code(), "message.padding", "{}", bytes.len());
        }
        assert_eq!(unpad(&padded), Ok(&b"hello"[..]));
    }

    proptest! {
        #[test]
        fn unpadding_undoes_padding(content in proptest::collection::vec(any::<u8>(), 0..6000), short in 0_usize..40, plain in any::<bool>()) {
            let padding = if plain { Padding::None } else { Padding::Padme };
            for content in [&content[..], &content[..short.min(content.len())], &vec![0x80; short], &vec![0; short * 97]] {
                let padded = pad(content, padding);
                prop_assert_eq!(unpad(&padded), Ok(content));
            }
        }

        /// D2: the overhead stays in its bounds, and the window of `unpad` reaches the mark.
        #[test]
        fn padding_costs_little(length in 1025_usize..20_000_000) {
            let padded = bucket(length);
            prop_assert!(padded >= length && padded.is_multiple_of(UNIT));
            prop_assert!(padded - length < padded / 8 + UNIT);
        }
    }
}
