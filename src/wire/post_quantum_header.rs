//! What the post-quantum ratchet says in a message, in either profile.

/// The post-quantum ratchet's part of a message header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PostQuantumHeader {
    /// The epoch being negotiated, from 1. The message's key comes from the chains of the epoch before.
    pub epoch: u64,
    /// The message's place in the chain, from 1.
    pub index: u32,
    /// What it brings to the negotiation.
    pub payload: BraidPayload,
}

/// One step of the key agreement that is braided into the messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BraidPayload {
    /// Nothing.
    None,
    /// A chunk of the header of the public key, and its MAC.
    Hdr(Chunk),
    /// A chunk of the vector of the public key.
    Ek(Chunk),
    /// The same, and the first part of the ciphertext has arrived.
    EkCt1Ack(Chunk),
    /// The first part of the ciphertext has arrived.
    Ct1Ack,
    /// A chunk of the first part of the ciphertext.
    Ct1(Chunk),
    /// A chunk of the second part of the ciphertext, and its MAC.
    Ct2(Chunk),
}

/// One chunk of the erasure code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// Its place in the code.
    pub index: u16,
    /// Its content.
    pub bytes: [u8; 32],
}

impl BraidPayload {
    /// The number that stands for the kind of payload on the wire, 0 to 6.
    pub const fn kind(&self) -> u8 {
        match self {
            Self::None => 0,
            Self::Hdr(_) => 1,
            Self::Ek(_) => 2,
            Self::EkCt1Ack(_) => 3,
            Self::Ct1Ack => 4,
            Self::Ct1(_) => 5,
            Self::Ct2(_) => 6,
        }
    }

    /// The chunk it carries, if its kind has one.
    pub const fn chunk(&self) -> Option<&Chunk> {
        match self {
            Self::None | Self::Ct1Ack => None,
            Self::Hdr(chunk) | Self::Ek(chunk) | Self::EkCt1Ack(chunk) | Self::Ct1(chunk) | Self::Ct2(chunk) => {
                Some(chunk)
            }
        }
    }

    /// Whether payloads of this kind carry a chunk. `None`: there is no such kind.
    pub const fn has_chunk(kind: u8) -> Option<bool> {
        match kind {
            0 | 4 => Some(false),
            1..=3 | 5 | 6 => Some(true),
            _ => None,
        }
    }

    /// The payload of this kind. `None`: there is no such kind, or it has a chunk and none is given, or the reverse (BR-10).
    pub const fn from_parts(kind: u8, chunk: Option<Chunk>) -> Option<Self> {
        match (kind, chunk) {
            (0, None) => Some(Self::None),
            (1, Some(chunk)) => Some(Self::Hdr(chunk)),
            (2, Some(chunk)) => Some(Self::Ek(chunk)),
            (3, Some(chunk)) => Some(Self::EkCt1Ack(chunk)),
            (4, None) => Some(Self::Ct1Ack),
            (5, Some(chunk)) => Some(Self::Ct1(chunk)),
            (6, Some(chunk)) => Some(Self::Ct2(chunk)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// BR-10: there are seven kinds, each with a chunk or without, and no other.
    #[test]
    fn kinds_go_both_ways() {
        let chunk = Chunk { index: 7, bytes: [9; 32] };
        for kind in 0..=u8::MAX {
            let with = BraidPayload::from_parts(kind, Some(chunk.clone()));
            let without = BraidPayload::from_parts(kind, None);
            assert_eq!(with.is_some(), BraidPayload::has_chunk(kind) == Some(true));
            assert_eq!(without.is_some(), BraidPayload::has_chunk(kind) == Some(false));
            for payload in [with, without].into_iter().flatten() {
                assert_eq!(payload.kind(), kind);
                assert_eq!(BraidPayload::from_parts(kind, payload.chunk().cloned()), Some(payload));
            }
        }
    }
}
