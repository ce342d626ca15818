//! The post-quantum ratchet's message inside a `SignalMessage`, version 1.

use crate::error::{Fault, Result};
use crate::rule::{self, Rule};
use crate::wire::{BraidPayload, Chunk, PostQuantumHeader};

/// Writes the message: version, epoch, index, kind and chunk.
pub fn encode(header: &PostQuantumHeader) -> Vec<u8> {
    let mut out = Vec::with_capacity(LONGEST);
    out.push(VERSION);
    push_varint(&mut out, header.epoch);
    push_varint(&mut out, header.index.into());
    out.push(header.payload.kind());
    if let Some(chunk) = header.payload.chunk() {
        push_varint(&mut out, chunk.index.into());
        out.extend_from_slice(&chunk.bytes);
    }
    out
}

/// Reads a message. Bytes behind it are reserved for later versions and ignored.
///
/// # Errors
/// SP-9, B13: `message.no_post_quantum` for an absent message, for any other version, and for one that names no key;
/// `braid.decode` for a malformed one.
pub fn decode(bytes: &[u8]) -> Result<PostQuantumHeader> {
    let (&version, mut rest) = bytes.split_first().ok_or(Fault::MessageNoPostQuantum)?;
    if rule::on(Rule::Sp9) && version != VERSION {
        return Err(Fault::MessageNoPostQuantum.into());
    }
    let epoch = take_varint(&mut rest)?;
    let index = u32::try_from(take_varint(&mut rest)?).map_err(|_| Fault::BraidDecode)?;
    if epoch == 0 {
        return Err(Fault::BraidDecode.into());
    }
    if index == 0 {
        return Err(Fault::MessageNoPostQuantum.into());
    }
    let (&kind, mut rest) = rest.split_first().ok_or(Fault::BraidDecode)?;
    let chunk = match BraidPayload::has_chunk(kind) {
        Some(true) => {
            let index = u16::try_from(take_varint(&mut rest)?).map_err(|_| Fault::BraidDecode)?;
            let (bytes, _) = rest.split_first_chunk().ok_or(Fault::BraidDecode)?;
            Some(Chunk { index, bytes: *bytes })
        }
        Some(false) | None => None,
    };
    let payload = BraidPayload::from_parts(kind, chunk).ok_or(Fault::BraidDecode)?;
    Ok(PostQuantumHeader { epoch, index, payload })
}

const VERSION: u8 = 1;
const LONGEST: usize = 1 + 10 + 5 + 1 + 3 + 32;

fn push_varint(out: &mut Vec<u8>, mut value: u64) {
    while value > 0x7F {
        out.push(0x80 | u8::try_from(value & 0x7F).unwrap_or(0));
        value >>= 7;
    }
    out.push(u8::try_from(value).unwrap_or(0));
}

/// LEB128, at most ten bytes.
fn take_varint(bytes: &mut &[u8]) -> Result<u64> {
    let mut value: u128 = 0;
    for shift in (0..70).step_by(7) {
        let (&byte, rest) = bytes.split_first().ok_or(Fault::BraidDecode)?;
        *bytes = rest;
        value |= u128::from(byte & 0x7F) << shift;
        if byte & 0x80 == 0 {
            return u64::try_from(value).map_err(|_| Fault::BraidDecode.into());
        }
    }
    Err(Fault::BraidDecode.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples() -> Vec<PostQuantumHeader> {
        let mut all = Vec::new();
        for kind in 0..=6 {
            for (epoch, index, place) in
                [(1, 1, 0), (127, 128, 127), (300, 25_000, 128), (u64::MAX, u32::MAX, u16::MAX)]
            {
                let chunk = Chunk { index: place, bytes: [kind; 32] };
                let chunk = (BraidPayload::has_chunk(kind) == Some(true)).then_some(chunk);
                let payload = BraidPayload::from_parts(kind, chunk).unwrap();
                all.push(PostQuantumHeader { epoch, index, payload });
            }
        }
        all
    }

    /// BR-10, SP-8: every message reads back, with bytes behind it too, and none of its prefixes reads.
    #[test]
    fn messages_read_back() {
        for header in samples() {
            let mut bytes = encode(&header);
            assert!(bytes.len() <= LONGEST);
            assert_eq!(decode(&bytes), Ok(header));
            for length in 0..bytes.len() {
                assert!(decode(&bytes[..length]).is_err());
            }
            let expected = decode(&bytes);
            bytes.extend_from_slice(b"reserved");
            assert_eq!(decode(&bytes), expected);
        }
        assert_eq!(encode(&samples()[0]), [1, 1, 1, 0]);
    }

    /// SP-9, B13: no other version, and no message without a key, is taken for a message without a post-quantum part.
    #[test]
    fn downgrades_are_refused() {
        for bytes in [&[][..], &[0], &[0, 1, 1, 0], &[2, 1, 1, 0], &[255, 1, 1, 0], &[1, 1, 0, 0]] {
            assert_eq!(decode(bytes), Err(Fault::MessageNoPostQuantum.into()), "{bytes:?}");
        }
    }

    /// BR-10: malformed numbers and kinds are refused.
    #[test]
    fn malformed_messages_are_refused() {
        let endless = [&[1][..], &[0x80; 10], &[1, 1, 0]].concat();
        let over_64_bits = [&[1][..], &[0xFF; 9], &[0x02, 1, 0]].concat();
        let mut wide_place = [&[1, 1, 1, 1, 0x80, 0x80, 0x04][..], &[0; 32]].concat();
        for bytes in [
            &[1, 0, 1, 0][..],
            &[1, 1, 1, 7],
            &endless,
            &over_64_bits,
            &[1, 1, 0x80, 0x80, 0x80, 0x80, 0x10, 0],
            &wide_place,
        ] {
            assert_eq!(decode(bytes), Err(Fault::BraidDecode.into()), "{bytes:?}");
        }
        wide_place.splice(4..7, [0xFF, 0xFF, 0x03]);
        assert!(decode(&wide_place).is_ok());
    }
}
