//! How a braid is stored: seeds instead of keys, received chunks instead of polynomials (BR-12, BR-13, SP-12).

use crate::crypto::split_kem::{CT2, HEADER};
use crate::error::Result;
use crate::ratchet::authenticator::{Authenticator, MAC};
use crate::ratchet::braid::Braid;
use crate::ratchet::braid_keys::{DecapsulationKey, Encapsulation};
use crate::ratchet::braid_state::{CT2_CHUNKS, State, in_chunks};
use crate::ratchet::erasure_code::Decoder;
use crate::wire::{Reader, Writer};
use std::sync::Arc;

impl Braid {
    /// Whether this side holds, or will draw, the key of the epoch being negotiated.
    pub const fn decapsulates(&self) -> bool {
        match &self.state {
            State::KeysUnsampled
            | State::KeysSampled { .. }
            | State::HeaderSent { .. }
            | State::Ct1Received { .. }
            | State::EkSentCt1Received { .. } => true,
            State::NoHeaderReceived { .. }
            | State::HeaderReceived { .. }
            | State::Ct1Sampled { .. }
            | State::EkReceivedCt1Sampled { .. }
            | State::Ct1Acknowledged { .. }
            | State::Ct2Sampled { .. } => false,
        }
    }

    /// The newest epoch whose secret this side knows.
    pub const fn newest_epoch(&self) -> u64 {
        match &self.state {
            State::Ct1Sampled { .. }
            | State::EkReceivedCt1Sampled { .. }
            | State::Ct1Acknowledged { .. }
            | State::Ct2Sampled { .. } => self.epoch,
            _ => self.epoch.saturating_sub(1),
        }
    }

    /// Writes the braid for a record.
    pub fn encode(&self, out: &mut Writer) {
        out.u64(self.epoch);
        self.authenticator.encode(out);
        match &self.state {
            State::KeysUnsampled => {
                out.u8(KEYS_UNSAMPLED);
            }
            State::KeysSampled { keys, next } => {
                out.u8(KEYS_SAMPLED).u16(*next);
                keys.encode(out);
            }
            State::HeaderSent { keys, next, ct1 } => {
                out.u8(HEADER_SENT).u16(*next);
                keys.encode(out);
                ct1.encode(out);
            }
            State::Ct1Received { keys, next, ct1 } => {
                out.u8(CT1_RECEIVED).u16(*next);
                keys.encode(out);
                out.bytes(ct1.as_slice());
            }
            State::EkSentCt1Received { keys, ct1, ct2 } => {
                out.u8(EK_SENT_CT1_RECEIVED);
                keys.encode(out);
                out.bytes(ct1.as_slice());
                ct2.encode(out);
            }
            State::NoHeaderReceived { header } => {
                out.u8(NO_HEADER_RECEIVED);
                header.encode(out);
            }
            State::HeaderReceived { header } => {
                out.u8(HEADER_RECEIVED).bytes(header.as_slice());
            }
            State::Ct1Sampled { encapsulation, next, vector } => {
                out.u8(CT1_SAMPLED).u16(*next);
                encapsulation.encode(out);
                vector.encode(out);
            }
            State::EkReceivedCt1Sampled { ct1, next, ct2, mac } => {
                out.u8(EK_RECEIVED_CT1_SAMPLED).u16(*next).bytes(ct1.as_slice()).bytes(ct2.as_slice()).bytes(mac);
            }
            State::Ct1Acknowledged { encapsulation, vector } => {
                out.u8(CT1_ACKNOWLEDGED);
                encapsulation.encode(out);
                vector.encode(out);
            }
            State::Ct2Sampled { ct2, next } => {
                out.u8(CT2_SAMPLED).u16(*next).bytes(ct2.as_flattened());
            }
        }
    }

    /// Reads what [`encode`](Self::encode) wrote.
    ///
    /// # Errors
    /// The reader's fault.
    pub fn decode(input: &mut Reader<'_>) -> Result<Self> {
        let fault = input.fault();
        let epoch = input.u64()?;
        if epoch == 0 {
            return Err(fault.into());
        }
        let authenticator = Arc::new(Authenticator::decode(input)?);
        let state = match input.u8()? {
            KEYS_UNSAMPLED => State::KeysUnsampled,
            KEYS_SAMPLED => State::KeysSampled { next: input.u16()?, keys: decode_keys(input)? },
            HEADER_SENT => State::HeaderSent {
                next: input.u16()?,
                keys: decode_keys(input)?,
                ct1: Arc::new(Decoder::decode(input)?),
            },
            CT1_RECEIVED => {
                State::Ct1Received { next: input.u16()?, keys: decode_keys(input)?, ct1: Arc::new(*input.array()?) }
            }
            EK_SENT_CT1_RECEIVED => State::EkSentCt1Received {
                keys: decode_keys(input)?,
                ct1: Arc::new(*input.array()?),
                ct2: Arc::new(Decoder::decode(input)?),
            },
            NO_HEADER_RECEIVED => State::NoHeaderReceived { header: Arc::new(Decoder::decode(input)?) },
            HEADER_RECEIVED => State::HeaderReceived { header: Arc::new(*input.array::<HEADER>()?) },
            CT1_SAMPLED => State::Ct1Sampled {
                next: input.u16()?,
                encapsulation: Arc::new(Encapsulation::decode(input)?),
                vector: Arc::new(Decoder::decode(input)?),
            },
            EK_RECEIVED_CT1_SAMPLED => State::EkReceivedCt1Sampled {
                next: input.u16()?,
                ct1: Arc::new(*input.array()?),
                ct2: Arc::new(*input.array()?),
                mac: *input.array()?,
            },
            CT1_ACKNOWLEDGED => State::Ct1Acknowledged {
                encapsulation: Arc::new(Encapsulation::decode(input)?),
                vector: Arc::new(Decoder::decode(input)?),
            },
            CT2_SAMPLED => {
                let next = input.u16()?;
                let ct2 = input.array::<{ CT2 + MAC }>()?;
                State::Ct2Sampled { ct2: Arc::new(in_chunks::<CT2_CHUNKS>(&[ct2])), next }
            }
            _ => return Err(fault.into()),
        };
        Ok(Self { epoch, authenticator, state })
    }
}

const KEYS_UNSAMPLED: u8 = 1;
const KEYS_SAMPLED: u8 = 2;
const HEADER_SENT: u8 = 3;
const CT1_RECEIVED: u8 = 4;
const EK_SENT_CT1_RECEIVED: u8 = 5;
const NO_HEADER_RECEIVED: u8 = 6;
const HEADER_RECEIVED: u8 = 7;
const CT1_SAMPLED: u8 = 8;
const EK_RECEIVED_CT1_SAMPLED: u8 = 9;
const CT1_ACKNOWLEDGED: u8 = 10;
const CT2_SAMPLED: u8 = 11;

fn decode_keys(input: &mut Reader<'_>) -> Result<Arc<DecapsulationKey>> {
    DecapsulationKey::decode(input).map(Arc::new)
}
