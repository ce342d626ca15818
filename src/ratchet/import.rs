//! Taking over the post-quantum ratchet of an official client's session.

use crate::crypto::Secret;
use crate::crypto::split_kem::{CT1, STATE, SplitEncapsulation};
use crate::error::{Error, Fault, Result};
use crate::profile::Signal;
use crate::ratchet::authenticator::Authenticator;
use crate::ratchet::braid::Braid;
use crate::ratchet::braid_keys::{DecapsulationKey, Encapsulation};
use crate::ratchet::braid_state::State;
use crate::ratchet::erasure_code::{Decoder, imported_message};
use crate::ratchet::limits::MAX_SKIPPED_KEYS;
use crate::ratchet::post_quantum::PostQuantumRatchet;
use crate::ratchet::post_quantum_chains::{ImportedEpoch, PostQuantumChains};
use crate::ratchet::skipped::SkippedKey;
use crate::wire::signal::{
    OfficialRecord, StoredBraid, StoredBraidKeys, StoredBraidState, StoredChains, StoredDecoder, StoredDirection, StoredEncoder,
    StoredEpoch, StoredPostQuantum,
};
use std::sync::Arc;

impl PostQuantumRatchet<Signal> {
    /// The ratchet in `bytes`, the post-quantum part of a stored session. `own_device` as for a new session.
    ///
    /// # Errors
    /// `record.corrupt`; `record.version` for a session without a post-quantum ratchet; `key.mismatch`.
    pub fn import_official(bytes: &[u8], own_device: bool) -> Result<Self> {
        let stored = StoredPostQuantum::parse(bytes)?;
        let braid = stored.braid.as_ref().ok_or(Fault::RecordVersion)?;
        let chains = match (&stored.chains, &stored.start) {
            (Some(chains), _) => import_chains(chains, own_device)?,
            // A session in which nothing was sent or read yet: the chains are made with the first message.
            (None, Some(start)) => {
                PostQuantumChains::new(&secret(&start.secret)?, is_initiator(start.direction)?, own_device)
            }
            (None, None) => return Err(Fault::RecordVersion.into()),
        };
        Self::imported(import_braid(braid)?, chains)
    }
}

fn is_initiator(direction: u32) -> Result<bool> {
    match direction {
        0 => Ok(true),
        1 => Ok(false),
        _ => Err(Fault::RecordCorrupt.into()),
    }
}

fn import_chains(stored: &StoredChains, own_device: bool) -> Result<PostQuantumChains<Signal>> {
    let is_initiator = is_initiator(stored.direction)?;
    let epochs = stored.epochs.iter().map(import_epoch).collect::<Result<Vec<_>>>()?;
    let root = secret(&stored.root)?;
    PostQuantumChains::imported(is_initiator, own_device, root, stored.newest, stored.sending, epochs)
}

fn import_epoch(stored: &StoredEpoch) -> Result<ImportedEpoch> {
    let receiving = stored.receiving.as_ref().ok_or(Fault::RecordCorrupt)?;
    let sending = match &stored.sending {
        Some(chain) if !chain.key.is_empty() => Some((secret(&chain.key)?, chain.index)),
        _ => None,
    };
    Ok(ImportedEpoch {
        sending,
        receiving: (secret(&receiving.key)?, receiving.index),
        skipped: import_skipped(receiving)?,
    })
}

/// The keys that are still in the window behind the chain; official records drop the others late.
fn import_skipped(chain: &StoredDirection) -> Result<Vec<SkippedKey>> {
    let (entries, rest) = chain.skipped.as_chunks::<36>();
    let window = u32::try_from(MAX_SKIPPED_KEYS).unwrap_or(u32::MAX);
    let mut keys: Vec<(u32, &[u8])> = entries
        .iter()
        .filter_map(|entry| entry.split_first_chunk())
        .map(|(index, key)| (u32::from_be_bytes(*index), key))
        .filter(|(index, _)| *index >= chain.index.saturating_sub(window))
        .collect();
    keys.sort_unstable_by_key(|(index, _)| *index);
    let distinct = keys.windows(2).all(|pair| matches!(pair, [(a, _), (b, _)] if a < b));
    if !rest.is_empty() || !distinct || keys.last().is_some_and(|(index, _)| *index >= chain.index) {
        return Err(Fault::RecordCorrupt.into());
    }
    keys.into_iter().map(|(index, key)| Ok(SkippedKey::new(index, 0, secret(key)?))).collect()
}

fn import_braid(stored: &StoredBraid) -> Result<Braid> {
    let (state, import) = one_state(stored).ok_or(Fault::RecordCorrupt)?;
    let inner = state.inner.as_ref().ok_or(Fault::RecordCorrupt)?;
    let authenticator = inner.authenticator.as_ref().ok_or(Fault::RecordCorrupt)?;
    let authenticator = Authenticator::imported(secret(&authenticator.root)?, secret(&authenticator.mac)?);
    if inner.epoch == 0 {
        return Err(Fault::RecordCorrupt.into());
    }
    let state = import(state, inner, &authenticator)?;
    Ok(Braid { epoch: inner.epoch, authenticator: Arc::new(authenticator), state })
}

type Import = fn(&StoredBraidState, &StoredBraidKeys, &Authenticator) -> Result<State>;

/// The state that is there, and how it is read.
fn one_state(stored: &StoredBraid) -> Option<(&StoredBraidState, Import)> {
    let states: [(&Option<StoredBraidState>, Import); 11] = [
        (&stored.keys_unsampled, |_, _, _| Ok(State::KeysUnsampled)),
        (&stored.keys_sampled, |state, inner, _| {
            Ok(State::KeysSampled { keys: keys(&inner.fourth)?, next: next(&state.first_part)? })
        }),
        (&stored.header_sent, |state, inner, _| {
            let ct1 = decoder(&state.second_part)?;
            Ok(State::HeaderSent { keys: keys(&inner.third)?, next: next(&state.first_part)?, ct1 })
        }),
        (&stored.ct1_received, |state, inner, _| {
            let ct1 = array(&inner.fourth)?;
            Ok(State::Ct1Received { keys: keys(&inner.third)?, next: next(&state.first_part)?, ct1 })
        }),
        (&stored.ek_sent_ct1_received, |state, inner, _| {
            let ct2 = decoder(&state.second_part)?;
            Ok(State::EkSentCt1Received { keys: keys(&inner.third)?, ct1: array(&inner.fourth)?, ct2 })
        }),
        (&stored.no_header_received, |state, _, _| Ok(State::NoHeaderReceived { header: decoder(&state.first_part)? })),
        (&stored.header_received, |_, inner, _| Ok(State::HeaderReceived { header: array(&inner.third)? })),
        (&stored.ct1_sampled, |state, inner, _| {
            let vector = decoder(&state.second_part)?;
            Ok(State::Ct1Sampled { encapsulation: encapsulation(inner)?, next: next(&state.first_part)?, vector })
        }),
        (&stored.ek_received_ct1_sampled, import_ek_received),
        (&stored.ct1_acknowledged, |state, inner, _| {
            let vector = decoder(&state.first_part)?;
            Ok(State::Ct1Acknowledged { encapsulation: encapsulation(inner)?, vector })
        }),
        (&stored.ct2_sampled, |state, _, _| {
            let encoder = StoredEncoder::parse(&state.first_part)?;
            let ct2 = Arc::new(imported_message(&encoder.values, &encoder.polynomials)?);
            Ok(State::Ct2Sampled { ct2, next: next(&state.first_part)? })
        }),
    ];
    let mut present = states.into_iter().filter_map(|(state, import)| Some((state.as_ref()?, import)));
    let state = present.next();
    if present.next().is_some() { None } else { state }
}

/// The one state that has the vector and not yet used it: here it is used at once.
fn import_ek_received(
    state: &StoredBraidState,
    inner: &StoredBraidKeys,
    authenticator: &Authenticator,
) -> Result<State> {
    let ct1: Arc<[u8; CT1]> = array(&inner.fifth)?;
    let ct2 = SplitEncapsulation::finish_official(bytes(&inner.third)?, bytes(&inner.fourth)?)?;
    let mac = authenticator.ciphertext_mac::<Signal>(inner.epoch, &ct1, &ct2);
    Ok(State::EkReceivedCt1Sampled { ct1, next: next(&state.first_part)?, ct2: Arc::new(ct2), mac })
}

/// The record ends with m of FIPS 203, from which we regenerate the rest (BR-12); ct1 in the record shows that we may.
fn encapsulation(inner: &StoredBraidKeys) -> Result<Arc<Encapsulation>> {
    // m stands behind the polynomials.
    let state: &[u8; STATE] = bytes(&inner.fourth)?;
    let message = state.last_chunk::<32>().ok_or(Fault::RecordCorrupt)?;
    let encapsulation = Encapsulation::resume(*bytes(&inner.third)?, Secret::new(*message));
    if encapsulation.ct1().as_slice() != inner.fifth {
        return Err(Fault::RecordCorrupt.into());
    }
    Ok(Arc::new(encapsulation))
}

fn keys(expanded: &[u8]) -> Result<Arc<DecapsulationKey>> {
    Ok(Arc::new(DecapsulationKey::from_expanded(bytes(expanded)?)?))
}

fn next(encoder: &[u8]) -> Result<u16> {
    // Their index runs on beyond 16 bits; what a chunk carries of it does not.
    let [_, _, high, low] = StoredEncoder::parse(encoder)?.next.to_be_bytes();
    Ok(u16::from_be_bytes([high, low]))
}

fn decoder<const N: usize>(stored: &[u8]) -> Result<Arc<Decoder<N>>> {
    Ok(Arc::new(Decoder::imported(&StoredDecoder::parse(stored)?.points)?))
}

fn bytes<const N: usize>(field: &[u8]) -> Result<&[u8; N]> {
    field.try_into().map_err(corrupt)
}

fn array<const N: usize>(field: &[u8]) -> Result<Arc<[u8; N]>> {
    bytes(field).map(|bytes| Arc::new(*bytes))
}

fn secret(field: &[u8]) -> Result<Secret<32>> {
    Secret::from_slice(field).map_err(corrupt)
}

fn corrupt<E>(_: E) -> Error {
    Fault::RecordCorrupt.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ratchet::limits::StepBudget;
    use crate::wire::{Reader, Writer};
    use base64::prelude::{BASE64_STANDARD, Engine};
    use rand::SeedableRng;
    use rand::rngs::StdRng;
    use serde_json::Value;

    fn cases() -> Vec<Value> {
        let document = include_str!("../../tests/vectors/signal-pq-records.json");
        let mut document: Value = serde_json::from_str(document).unwrap();
        document["cases"].take().as_array().unwrap().clone()
    }

    fn record(case: &Value, side: &str) -> Vec<u8> {
        BASE64_STANDARD.decode(case[side].as_str().unwrap()).unwrap()
    }

    fn import(bytes: &[u8]) -> PostQuantumRatchet<Signal> {
        PostQuantumRatchet::import_official(bytes, false).unwrap()
    }

    fn reload(ratchet: &mut PostQuantumRatchet<Signal>) {
        let mut out = Writer::default();
        ratchet.encode(&mut out);
        *ratchet = PostQuantumRatchet::decode(&mut Reader::new(out.as_slice(), Fault::RecordCorrupt)).unwrap();
    }

    /// BR-12, B27: both ends of official conversations, taken over in each of the eleven states, understand each other for further epochs.
    #[test]
    fn official_records_go_on() {
        let mut states = [false; 12];
        for case in cases() {
            let mut ends = [import(&record(&case, "initiator")), import(&record(&case, "responder"))];
            let skipped: usize = ends.iter().map(PostQuantumRatchet::skipped).sum();
            assert_eq!(skipped as u64, case["skipped"].as_u64().unwrap());
            for state in case["states"].as_array().unwrap() {
                states[usize::try_from(state.as_u64().unwrap()).unwrap()] = true;
            }
            let mut rng = StdRng::seed_from_u64(1);
            let completed = ends[0].epochs_completed();
            for _ in 0..140 {
                for _ in 0..2 {
                    ends.iter_mut().for_each(reload);
                    let sent = ends[0].send(&mut rng).unwrap();
                    let received = ends[1].receive(&sent.header, 0, &mut StepBudget::full()).unwrap();
                    assert_eq!(sent.key, received.key, "{}", case["states"]);
                    ends[0].apply(sent.change, 0);
                    ends[1].apply(received.change, 0);
                    ends.swap(0, 1);
                }
            }
            assert!(ends[0].epochs_completed() >= completed + 3);
        }
        assert_eq!(states.iter().filter(|state| **state).count(), 11);
    }

    /// A record that is cut short, has none or two states, or whose keys contradict each other is refused.
    #[test]
    fn corrupt_official_records_are_refused() {
        let refusal = |bytes: &[u8]| PostQuantumRatchet::import_official(bytes, false).map(|_| ()).unwrap_err();
        assert_eq!(refusal(&[]), Fault::RecordVersion.into());
        for case in cases() {
            let whole = record(&case, "responder");
            for length in (1..whole.len()).step_by(61) {
                refusal(&whole[..length]);
            }
            let mut stored = StoredPostQuantum::parse(&whole).unwrap();
            let braid = stored.braid.as_mut().unwrap();
            braid.keys_unsampled = Some(StoredBraidState::default());
            braid.ct2_sampled = Some(StoredBraidState::default());
            assert_eq!(refusal(&prost::Message::encode_to_vec(&stored)), Fault::RecordCorrupt.into());

            let mut stored = StoredPostQuantum::parse(&whole).unwrap();
            let chains = stored.chains.as_mut().unwrap();
            chains.direction = 1 - chains.direction;
            assert_eq!(refusal(&prost::Message::encode_to_vec(&stored)), Fault::RecordCorrupt.into());

            let mut stored = StoredPostQuantum::parse(&whole).unwrap();
            if let Some(state) = &mut stored.braid.as_mut().unwrap().ct1_sampled {
                state.inner.as_mut().unwrap().fifth[7] ^= 1;
                assert_eq!(refusal(&prost::Message::encode_to_vec(&stored)), Fault::RecordCorrupt.into());
            }
        }
    }
}
