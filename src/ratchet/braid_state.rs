//! The eleven states of the braid: what each sends, and what each makes of what it receives.

use crate::crypto::Secret;
use crate::crypto::split_kem::{CT1, CT2, HEADER, VECTOR};
use crate::error::{Fault, Result};
use crate::profile::{BraidPayload, Chunk, PostQuantumProfile};
use crate::ratchet::authenticator::{Authenticator, MAC, check_mac, epoch_secret};
use crate::ratchet::braid_keys::{DecapsulationKey, Encapsulation};
use crate::ratchet::erasure_code::{CHUNK, Decoder, Message, Progress, chunk};
use std::sync::Arc;

/// A public key's header and its MAC, in chunks.
///
/// BR-11: this and the three below are all of an epoch, 3 + 36 + 30 + 5 chunks: one more would put off healing, and a receiver keeps no more than these.
pub const HEADER_CHUNKS: usize = (HEADER + MAC) / CHUNK;
/// A public key's vector, in chunks.
pub const VECTOR_CHUNKS: usize = VECTOR / CHUNK;
/// The first part of a ciphertext, in chunks.
pub const CT1_CHUNKS: usize = CT1 / CHUNK;
/// The second part of a ciphertext and its MAC, in chunks.
pub const CT2_CHUNKS: usize = (CT2 + MAC) / CHUNK;

/// Where a side stands in an epoch. The first five belong to the side that decapsulates, the others to the one that
/// encapsulates. `next` is the index of the next chunk to send; it wraps at 2^16, which repeats chunks and nothing else.
#[derive(Clone)]
pub enum State {
    /// No key yet; the next message to send draws it.
    KeysUnsampled,
    /// Sends the header.
    KeysSampled {
        /// This epoch's key.
        keys: Arc<DecapsulationKey>,
        /// Into the header.
        next: u16,
    },
    /// Sends the vector; the peer has the header, for ct1 is coming.
    HeaderSent {
        /// This epoch's key.
        keys: Arc<DecapsulationKey>,
        /// Into the vector.
        next: u16,
        /// What has come of ct1.
        ct1: Arc<Decoder<CT1_CHUNKS>>,
    },
    /// Sends the vector still, and says that ct1 is there.
    Ct1Received {
        /// This epoch's key.
        keys: Arc<DecapsulationKey>,
        /// Into the vector.
        next: u16,
        /// The first part of the ciphertext.
        ct1: Arc<[u8; CT1]>,
    },
    /// Waits for ct2; the peer has the vector.
    EkSentCt1Received {
        /// This epoch's key.
        keys: Arc<DecapsulationKey>,
        /// The first part of the ciphertext.
        ct1: Arc<[u8; CT1]>,
        /// What has come of ct2 and its MAC.
        ct2: Arc<Decoder<CT2_CHUNKS>>,
    },
    /// Waits for the header.
    NoHeaderReceived {
        /// What has come of the header and its MAC.
        header: Arc<Decoder<HEADER_CHUNKS>>,
    },
    /// Has the header; the next message to send encapsulates to it.
    HeaderReceived {
        /// The authentic header.
        header: Arc<[u8; HEADER]>,
    },
    /// Sends ct1.
    Ct1Sampled {
        /// This epoch's ciphertext.
        encapsulation: Arc<Encapsulation>,
        /// Into ct1.
        next: u16,
        /// What has come of the vector.
        vector: Arc<Decoder<VECTOR_CHUNKS>>,
    },
    /// Sends ct1 still; the vector is there.
    EkReceivedCt1Sampled {
        /// The first part of the ciphertext; what it was made from is gone.
        ct1: Arc<[u8; CT1]>,
        /// Into ct1.
        next: u16,
        /// The second part of the ciphertext.
        ct2: Arc<[u8; CT2]>,
        /// The MAC over both parts.
        mac: [u8; MAC],
    },
    /// Waits for the rest of the vector; the peer has ct1.
    Ct1Acknowledged {
        /// This epoch's ciphertext.
        encapsulation: Arc<Encapsulation>,
        /// What has come of the vector.
        vector: Arc<Decoder<VECTOR_CHUNKS>>,
    },
    /// Sends ct2.
    Ct2Sampled {
        /// The second part of the ciphertext, and the MAC over both.
        ct2: Arc<Message<CT2_CHUNKS>>,
        /// Into it.
        next: u16,
    },
}

/// What a state makes of a payload.
pub enum Received {
    /// Nothing.
    Unchanged,
    /// The next state.
    State(State),
    /// The whole epoch: its secret, and the authenticator that has taken it in.
    Secret(Secret<32>, Authenticator),
}

impl State {
    /// What a message says in this state, and the state after it. `header_mac` makes the MAC over a header.
    pub fn emit(&self, header_mac: impl FnOnce(&[u8; HEADER]) -> [u8; MAC]) -> (BraidPayload, Self) {
        let mut after = self.clone();
        let payload = match &mut after {
            Self::KeysUnsampled
            | Self::NoHeaderReceived { .. }
            | Self::HeaderReceived { .. }
            | Self::Ct1Acknowledged { .. } => BraidPayload::None,
            Self::KeysSampled { keys, next } => {
                let mac = header_mac(keys.header());
                let message: Message<HEADER_CHUNKS> = in_chunks(&[keys.header(), &mac]);
                BraidPayload::Hdr(emit_chunk::<HEADER_CHUNKS>(message.as_flattened(), next))
            }
            Self::HeaderSent { keys, next, .. } => BraidPayload::Ek(emit_chunk::<VECTOR_CHUNKS>(keys.vector(), next)),
            Self::Ct1Received { keys, next, .. } => {
                BraidPayload::EkCt1Ack(emit_chunk::<VECTOR_CHUNKS>(keys.vector(), next))
            }
            Self::EkSentCt1Received { .. } => BraidPayload::Ct1Ack,
            Self::Ct1Sampled { encapsulation, next, .. } => {
                BraidPayload::Ct1(emit_chunk::<CT1_CHUNKS>(encapsulation.ct1(), next))
            }
            Self::EkReceivedCt1Sampled { ct1, next, .. } => {
                BraidPayload::Ct1(emit_chunk::<CT1_CHUNKS>(ct1.as_slice(), next))
            }
            Self::Ct2Sampled { ct2, next } => BraidPayload::Ct2(emit_chunk::<CT2_CHUNKS>(ct2.as_flattened(), next)),
        };
        (payload, after)
    }

    /// What this state makes of a payload of its own epoch. A kind of payload that it does not wait for is ignored.
    ///
    /// # Errors
    /// `braid.conflict`, `braid.authentication`, `braid.key`.
    pub fn receive<P: PostQuantumProfile>(
        &self,
        payload: &BraidPayload,
        epoch: u64,
        authenticator: &Authenticator,
    ) -> Result<Received> {
        match (self, payload) {
            (Self::KeysSampled { keys, .. }, BraidPayload::Ct1(chunk)) => receive_ct1(keys, 0, &Decoder::empty(), chunk),
            (Self::HeaderSent { keys, next, ct1 }, BraidPayload::Ct1(chunk)) => receive_ct1(keys, *next, ct1, chunk),
            (Self::Ct1Received { keys, ct1, .. }, BraidPayload::Ct2(chunk)) => {
                receive_ct2::<P>(keys, ct1, &Decoder::empty(), chunk, epoch, authenticator)
            }
            (Self::EkSentCt1Received { keys, ct1, ct2 }, BraidPayload::Ct2(chunk)) => {
                receive_ct2::<P>(keys, ct1, ct2, chunk, epoch, authenticator)
            }
            (Self::NoHeaderReceived { header }, BraidPayload::Hdr(chunk)) => {
                receive_header::<P>(header, chunk, epoch, authenticator)
            }
            (Self::Ct1Sampled { encapsulation, next, vector }, BraidPayload::Ek(chunk)) => {
                Ok(match vector.with(chunk)? {
                    Progress::Unchanged => Received::Unchanged,
                    Progress::Partial(vector) => Received::State(Self::Ct1Sampled {
                        encapsulation: Arc::clone(encapsulation),
                        next: *next,
                        vector: Arc::new(vector),
                    }),
                    Progress::Complete(vector) => {
                        let (ct2, mac) = finish::<P>(encapsulation, &vector, epoch, authenticator)?;
                        let (ct1, next) = (Arc::new(*encapsulation.ct1()), *next);
                        Received::State(Self::EkReceivedCt1Sampled { ct1, next, ct2: Arc::new(ct2), mac })
                    }
                })
            }
            (Self::Ct1Sampled { encapsulation, vector, .. }, BraidPayload::EkCt1Ack(chunk))
            | (
                Self::Ct1Acknowledged { encapsulation, vector },
                BraidPayload::Ek(chunk) | BraidPayload::EkCt1Ack(chunk),
            ) => {
                let vector = match vector.with(chunk)? {
                    Progress::Unchanged => Arc::clone(vector),
                    Progress::Partial(vector) => Arc::new(vector),
                    Progress::Complete(vector) => {
                        let (ct2, mac) = finish::<P>(encapsulation, &vector, epoch, authenticator)?;
                        return Ok(Received::State(Self::ct2_sampled(&ct2, &mac)));
                    }
                };
                Ok(Received::State(Self::Ct1Acknowledged { encapsulation: Arc::clone(encapsulation), vector }))
            }
            // BR-10: the acknowledgement without a chunk is accepted here.
            (Self::EkReceivedCt1Sampled { ct2, mac, .. }, BraidPayload::Ct1Ack | BraidPayload::EkCt1Ack(_)) => {
                Ok(Received::State(Self::ct2_sampled(ct2, mac)))
            }
            _ => Ok(Received::Unchanged),
        }
    }

    /// The state that sends the second part of the ciphertext.
    fn ct2_sampled(ct2: &[u8; CT2], mac: &[u8; MAC]) -> Self {
        Self::Ct2Sampled { ct2: Arc::new(in_chunks(&[ct2, mac])), next: 0 }
    }
}

/// Cuts a message into chunks.
pub fn in_chunks<const N: usize>(parts: &[&[u8]]) -> Message<N> {
    let mut message = [[0; CHUNK]; N];
    let bytes = parts.iter().copied().flatten();
    message.as_flattened_mut().iter_mut().zip(bytes).for_each(|(slot, byte)| *slot = *byte);
    message
}

/// The first `N` bytes of a message of chunks; the lengths are constants of this floor.
pub fn head_of<const N: usize>(message: &[[u8; CHUNK]]) -> Result<&[u8; N]> {
    message.as_flattened().first_chunk().ok_or_else(|| Fault::BraidDecode.into())
}

fn emit_chunk<const N: usize>(message: &[u8], next: &mut u16) -> Chunk {
    let Some(message) = message.as_chunks().0.first_chunk::<N>() else {
        unreachable!("every message here is an array whose length is a constant of this floor");
    };
    let index = *next;
    *next = next.wrapping_add(1);
    chunk(message, index)
}

fn receive_ct1(keys: &Arc<DecapsulationKey>, next: u16, ct1: &Decoder<CT1_CHUNKS>, chunk: &Chunk) -> Result<Received> {
    let keys = Arc::clone(keys);
    Ok(match ct1.with(chunk)? {
        Progress::Unchanged => Received::Unchanged,
        Progress::Partial(ct1) => Received::State(State::HeaderSent { keys, next, ct1: Arc::new(ct1) }),
        Progress::Complete(ct1) => {
            Received::State(State::Ct1Received { keys, next, ct1: Arc::new(*head_of(ct1.as_slice())?) })
        }
    })
}

/// BR-8: on this side nothing of the epoch exists before its MAC has been checked.
fn receive_ct2<P: PostQuantumProfile>(
    keys: &Arc<DecapsulationKey>,
    ct1: &Arc<[u8; CT1]>,
    ct2: &Decoder<CT2_CHUNKS>,
    chunk: &Chunk,
    epoch: u64,
    authenticator: &Authenticator,
) -> Result<Received> {
    let ct2 = match ct2.with(chunk)? {
        Progress::Unchanged => return Ok(Received::Unchanged),
        Progress::Partial(ct2) => {
            let (keys, ct1) = (Arc::clone(keys), Arc::clone(ct1));
            return Ok(Received::State(State::EkSentCt1Received { keys, ct1, ct2: Arc::new(ct2) }));
        }
        Progress::Complete(ct2) => ct2,
    };
    let mac = ct2.last().ok_or(Fault::BraidDecode)?;
    let ct2 = head_of(ct2.as_slice())?;
    let secret = epoch_secret::<P>(epoch, &keys.decapsulate(ct1, ct2));
    let authenticator = authenticator.updated::<P>(epoch, &secret);
    check_mac(authenticator.ciphertext_mac::<P>(epoch, ct1, ct2), *mac)?;
    Ok(Received::Secret(secret, authenticator))
}

fn receive_header<P: PostQuantumProfile>(
    header: &Decoder<HEADER_CHUNKS>,
    chunk: &Chunk,
    epoch: u64,
    authenticator: &Authenticator,
) -> Result<Received> {
    Ok(match header.with(chunk)? {
        Progress::Unchanged => Received::Unchanged,
        Progress::Partial(header) => Received::State(State::NoHeaderReceived { header: Arc::new(header) }),
        Progress::Complete(whole) => {
            let header = head_of(whole.as_slice())?;
            check_mac(authenticator.header_mac::<P>(epoch, header), *whole.last().ok_or(Fault::BraidDecode)?)?;
            Received::State(State::HeaderReceived { header: Arc::new(*header) })
        }
    })
}

/// Makes ct2, once the vector is complete and is the one that the header names (BR-2), and the MAC over the ciphertext.
fn finish<P: PostQuantumProfile>(
    encapsulation: &Encapsulation,
    vector: &Message<VECTOR_CHUNKS>,
    epoch: u64,
    authenticator: &Authenticator,
) -> Result<([u8; CT2], [u8; MAC])> {
    let ct2 = encapsulation.finish(head_of(vector)?)?;
    let mac = authenticator.ciphertext_mac::<P>(epoch, encapsulation.ct1(), &ct2);
    Ok((ct2, mac))
}
