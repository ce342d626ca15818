//! The mask of a frame, which keeps names out of the logs of the libraries below.

use crate::crypto::random;
use crate::error::{Fault, Result};

/// The bytes that [`mask`] puts before a frame.
pub const MASK: usize = 8;

/// A frame as it is handed to a WebSocket library: a mask drawn for it, and the frame XORed with the mask, repeated.
///
/// B76: such libraries write every frame into their log at the level of traces, as text or in hexadecimal, and a frame holds account names. This is no encryption: the
/// mask stands before what it masks, and whoever wants to read the frame takes it off. Against the network there is TLS.
///
/// The highest bit of every byte of the mask is set, so that no ASCII letter stays one, whatever was drawn.
///
/// ```
/// use undertone::transport::protocol::{MASK, mask, unmask};
///
/// let masked = mask(b"alice")?;
/// assert_eq!(masked.len(), MASK + 5);
/// assert!(!masked.is_ascii());
/// assert_eq!(unmask(&masked)?, b"alice");
/// # Ok::<(), undertone::Error>(())
/// ```
///
/// # Errors
/// `random.failed` if the generator of the system fails.
pub fn mask(frame: &[u8]) -> Result<Vec<u8>> {
    let drawn: [u8; MASK] = random::array(&mut getrandom::SysRng)?;
    let mask = drawn.map(|byte| byte | 0x80);
    let mut masked = Vec::with_capacity(MASK + frame.len());
    masked.extend(mask);
    masked.extend(under(&mask, frame));
    Ok(masked)
}

/// The frame that [`mask`] was given; the mask may be any.
///
/// ```
/// use undertone::transport::protocol::unmask;
///
/// assert_eq!(unmask(b"\x81\x82\x83\x84\x85\x86\x87\x88\xE0\xEE")?, b"al");
/// assert_eq!(unmask(b"short").unwrap_err().code(), "transport.malformed");
/// # Ok::<(), undertone::Error>(())
/// ```
///
/// # Errors
/// `transport.malformed` if there are fewer bytes than a mask has.
pub fn unmask(masked: &[u8]) -> Result<Vec<u8>> {
    let (mask, frame) = masked.split_first_chunk::<MASK>().ok_or(Fault::TransportAnswer)?;
    Ok(under(mask, frame).collect())
}

fn under(mask: &[u8; MASK], bytes: &[u8]) -> impl Iterator<Item = u8> {
    bytes.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// B76: of a name nothing stays in its place, whatever was drawn, and a frame looks different every time.
    #[test]
    fn nothing_of_a_text_stays() {
        let text = b"a-name-of-someone-a-name-of-someone";
        for _ in 0..1_000 {
            let masked = mask(text).unwrap();
            assert!(masked.iter().all(|byte| !byte.is_ascii()));
            assert_eq!(unmask(&masked).unwrap(), text);
        }
        assert_ne!(mask(text).unwrap(), mask(text).unwrap());
    }

    #[test]
    fn a_frame_without_a_whole_mask_is_malformed() {
        for length in 0..MASK {
            assert_eq!(unmask(&[0x80; MASK][..length]).unwrap_err().code(), "transport.malformed");
        }
        assert_eq!(unmask(&[0x80; MASK]).unwrap(), b"");
    }
}
