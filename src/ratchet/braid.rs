//! The ML-KEM Braid: a key agreement spread over the messages of a conversation, one chunk in each
//! (ML-KEM Braid, revision 1; docs/protocol.md, section 8.2).
//!
//! Everything here is a function from one state to the next. The caller adopts the next state once the message around
//! it has been sealed or authenticated, and else forgets it; what is heavy is shared between the two.

use crate::crypto::Secret;
use crate::crypto::random;
use crate::error::{Fault, Result};
use crate::profile::{BraidPayload, PostQuantumProfile};
use crate::ratchet::authenticator::{Authenticator, epoch_secret};
use crate::ratchet::braid_keys::{DecapsulationKey, Encapsulation};
use crate::ratchet::braid_state::{Received, State};
use crate::ratchet::erasure_code::Decoder;
use core::cmp::Ordering;
use rand_core::TryCryptoRng;
use std::sync::Arc;

/// The state of a braid.
#[derive(Clone)]
pub struct Braid {
    pub(super) epoch: u64,
    pub(super) authenticator: Arc<Authenticator>,
    pub(super) state: State,
}

/// What one message says about the agreement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BraidMessage {
    /// The epoch being negotiated, from 1.
    pub epoch: u64,
    /// What it brings.
    pub payload: BraidPayload,
}

/// The outcome of one epoch.
#[derive(Debug, PartialEq, Eq)]
pub struct NewEpoch {
    /// Its number, from 1; they come in order, each exactly once (SP-1).
    pub epoch: u64,
    /// The secret both sides have now.
    pub secret: Secret<32>,
}

impl Braid {
    /// The state of the side that makes the key of epoch 1.
    pub fn initiator<P: PostQuantumProfile>(secret: &Secret<32>) -> Self {
        Self { epoch: 1, authenticator: Arc::new(Authenticator::new::<P>(secret)), state: State::KeysUnsampled }
    }

    /// The state of the side that encapsulates in epoch 1.
    pub fn responder<P: PostQuantumProfile>(secret: &Secret<32>) -> Self {
        let state = State::NoHeaderReceived { header: Arc::new(Decoder::empty()) };
        Self { epoch: 1, authenticator: Arc::new(Authenticator::new::<P>(secret)), state }
    }

    /// The epoch being negotiated.
    pub const fn epoch(&self) -> u64 {
        self.epoch
    }

    /// What the next message says, the epoch that sending it completes on this side, and the state after it.
    ///
    /// # Errors
    /// `random.failed`.
    pub fn send<P: PostQuantumProfile>(
        &self,
        rng: &mut impl TryCryptoRng,
    ) -> Result<(BraidMessage, Option<NewEpoch>, Self)> {
        let (sampled, new_epoch) = self.sample::<P>(rng)?;
        let (payload, state) = sampled.state.emit(|header| sampled.authenticator.header_mac::<P>(self.epoch, header));
        Ok((BraidMessage { epoch: self.epoch, payload }, new_epoch, Self { state, ..sampled }))
    }

    /// Takes in what a message says: the epoch that it completes on this side, and the state after it.
    ///
    /// BR-6: a message of an earlier epoch changes nothing.
    ///
    /// # Errors
    /// `braid.epoch` for a later epoch; `braid.conflict` (BR-7); `braid.authentication` (BR-5); `braid.key` (BR-2). The caller keeps the
    /// state it has, and refuses the message.
    pub fn receive<P: PostQuantumProfile>(&self, message: &BraidMessage) -> Result<(Option<NewEpoch>, Self)> {
        match message.epoch.cmp(&self.epoch) {
            Ordering::Less => return Ok((None, self.clone())),
            Ordering::Equal => {}
            Ordering::Greater => {
                let next = self.epoch.checked_add(1).ok_or(Fault::SessionExhausted)?;
                // The peer can be in the next epoch only once it has the whole ciphertext.
                if !matches!(self.state, State::Ct2Sampled { .. }) || message.epoch != next {
                    return Err(Fault::BraidEpoch.into());
                }
                let authenticator = Arc::clone(&self.authenticator);
                return Ok((None, Self { epoch: next, authenticator, state: State::KeysUnsampled }));
            }
        }
        let received = self.state.receive::<P>(&message.payload, self.epoch, &self.authenticator)?;
        let authenticator = Arc::clone(&self.authenticator);
        Ok(match received {
            Received::Unchanged => (None, self.clone()),
            Received::State(state) => (None, Self { epoch: self.epoch, authenticator, state }),
            Received::Secret(secret, authenticator) => {
                let epoch = self.epoch.checked_add(1).ok_or(Fault::SessionExhausted)?;
                let state = State::NoHeaderReceived { header: Arc::new(Decoder::empty()) };
                let new_epoch = NewEpoch { epoch: self.epoch, secret };
                (Some(new_epoch), Self { epoch, authenticator: Arc::new(authenticator), state })
            }
        })
    }

    /// Draws the keys that the state is waiting for, if any.
    fn sample<P: PostQuantumProfile>(&self, rng: &mut impl TryCryptoRng) -> Result<(Self, Option<NewEpoch>)> {
        match &self.state {
            State::KeysUnsampled => {
                let keys = Arc::new(DecapsulationKey::from_seed(Secret::random(rng)?));
                let state = State::KeysSampled { keys, next: 0 };
                Ok((Self { epoch: self.epoch, authenticator: Arc::clone(&self.authenticator), state }, None))
            }
            State::HeaderReceived { header } => {
                let (encapsulation, shared) = Encapsulation::begin(header, Secret::new(random::array(rng)?));
                let secret = epoch_secret::<P>(self.epoch, &shared);
                let authenticator = Arc::new(self.authenticator.updated::<P>(self.epoch, &secret));
                let encapsulation = Arc::new(encapsulation);
                let state = State::Ct1Sampled { encapsulation, next: 0, vector: Arc::new(Decoder::empty()) };
                Ok((Self { epoch: self.epoch, authenticator, state }, Some(NewEpoch { epoch: self.epoch, secret })))
            }
            _ => Ok((self.clone(), None)),
        }
    }
}
