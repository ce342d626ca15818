//! The sparse post-quantum ratchet: the braid that agrees on a secret per epoch, and the chains that turn the secrets into message keys
//! (Double Ratchet, revision 4, section 5; docs/protocol.md, section 8).

use crate::crypto::Secret;
use crate::error::{Fault, Result};
use crate::profile::{PostQuantumHeader, Profile};
use crate::ratchet::braid::{Braid, BraidMessage, NewEpoch};
use crate::ratchet::limits::StepBudget;
use crate::ratchet::post_quantum_chains::{NewChains, PostQuantumChains, ReceiveChange, SendChange};
use crate::wire::{Reader, Writer};
use rand_core::TryCryptoRng;

/// The post-quantum half of a session's state.
pub struct PostQuantumRatchet<P: Profile> {
    braid: Braid,
    chains: PostQuantumChains<P>,
    /// When the newest epoch was completed, in seconds; 0 while none was, or where it is not known.
    epoch_since: u64,
}

/// A message about to be sent: its part of the header, its key, and what sending it changes.
pub struct PostQuantumSend {
    /// The header's part.
    pub header: PostQuantumHeader,
    /// The message's post-quantum key.
    pub key: Secret<32>,
    /// What to apply once the message is final.
    pub change: PostQuantumChange,
}

/// A message being read: its key, and what reading it changes.
pub struct PostQuantumReceive {
    /// The message's post-quantum key.
    pub key: Secret<32>,
    /// What to apply once the message has been authenticated.
    pub change: PostQuantumChange,
}

/// What a message changes, in the braid and in the chains.
pub struct PostQuantumChange {
    braid: Braid,
    new_chains: Option<NewChains>,
    chain: ChainChange,
}

enum ChainChange {
    Send(SendChange),
    Receive(ReceiveChange),
}

impl<P: Profile> PostQuantumRatchet<P> {
    /// The initiator's state, which generates the first key. `own_device` lifts the bound on jumps.
    pub fn initiator(secret: &Secret<32>, own_device: bool) -> Self {
        Self {
            braid: Braid::initiator::<P>(secret),
            chains: PostQuantumChains::new(secret, true, own_device),
            epoch_since: 0,
        }
    }

    /// The responder's state, which encapsulates first.
    pub fn responder(secret: &Secret<32>, own_device: bool) -> Self {
        Self {
            braid: Braid::responder::<P>(secret),
            chains: PostQuantumChains::new(secret, false, own_device),
            epoch_since: 0,
        }
    }

    /// A state put together from an official client's record.
    ///
    /// # Errors
    /// `record.corrupt` if the two contradict each other.
    #[cfg(feature = "signal")]
    pub fn imported(braid: Braid, chains: PostQuantumChains<P>) -> Result<Self> {
        Self::from_parts(braid, chains, 0).ok_or_else(|| Fault::RecordCorrupt.into())
    }

    /// Stages the next message to send.
    ///
    /// # Errors
    /// `session.exhausted`, `random.failed`.
    pub fn send(&self, rng: &mut impl TryCryptoRng) -> Result<PostQuantumSend> {
        let (message, new_epoch, braid) = self.braid.send::<P>(rng)?;
        // An epoch that this very message completes is added before its own key is taken.
        let new_chains = self.stage_epoch(new_epoch)?;
        // SP-6: the peer has completed the epoch before the one that it is known to negotiate.
        let sending_epoch = message.epoch.checked_sub(1).ok_or(Fault::BraidEpoch)?;
        let (key, index, change) = self.chains.stage_send(sending_epoch, new_chains.as_ref())?;
        Ok(PostQuantumSend {
            header: PostQuantumHeader { epoch: message.epoch, index, payload: message.payload },
            key,
            change: PostQuantumChange { braid, new_chains, chain: ChainChange::Send(change) },
        })
    }

    /// Stages the reading of a message.
    ///
    /// # Errors
    /// `message.duplicate`, `message.too_far_ahead`, and the `braid.*` codes.
    pub fn receive(
        &self,
        header: &PostQuantumHeader,
        now: u64,
        budget: &mut StepBudget,
    ) -> Result<PostQuantumReceive> {
        let epoch = header.epoch.checked_sub(1).ok_or(Fault::BraidDecode)?;
        let message = BraidMessage { epoch: header.epoch, payload: header.payload.clone() };
        let (new_epoch, braid) = self.braid.receive::<P>(&message)?;
        let new_chains = self.stage_epoch(new_epoch)?;
        let (key, change) = self.chains.stage_receive(epoch, header.index, new_chains.as_ref(), now, budget)?;
        Ok(PostQuantumReceive {
            key,
            change: PostQuantumChange { braid, new_chains, chain: ChainChange::Receive(change) },
        })
    }

    /// Makes a staged message final.
    pub fn apply(&mut self, change: PostQuantumChange, now: u64) {
        self.braid = change.braid;
        if let Some(new) = change.new_chains {
            self.chains.add_epoch(new);
            self.epoch_since = now;
        }
        match change.chain {
            ChainChange::Send(change) => self.chains.apply_send(change),
            ChainChange::Receive(change) => self.chains.apply_receive(change, now),
        }
    }

    /// The epoch being negotiated, from 1.
    #[cfg(test)]
    pub const fn epoch(&self) -> u64 {
        self.braid.epoch()
    }

    /// How many epochs have been completed on this side (SP-13).
    pub fn epochs_completed(&self) -> u64 {
        self.chains.newest_epoch()
    }

    /// When the newest epoch was completed (SP-13), in seconds; `None` if none was since the session began or was imported.
    pub fn epoch_since(&self) -> Option<u64> {
        (self.epoch_since != 0).then_some(self.epoch_since)
    }

    /// How many keys of messages passed over are held.
    pub fn skipped(&self) -> usize {
        self.chains.skipped()
    }

    /// The roles swap with each epoch, and each epoch that the braid has given has its chains.
    fn from_parts(braid: Braid, chains: PostQuantumChains<P>, epoch_since: u64) -> Option<Self> {
        let decapsulates = chains.is_initiator() == (braid.epoch() % 2 == 1);
        let agree = braid.decapsulates() == decapsulates && braid.newest_epoch() == chains.newest_epoch();
        agree.then_some(Self { braid, chains, epoch_since })
    }

    fn stage_epoch(&self, new: Option<NewEpoch>) -> Result<Option<NewChains>> {
        new.map(|new| self.chains.stage_epoch(new.epoch, &new.secret)).transpose()
    }

    /// Writes the state for a record.
    pub fn encode(&self, out: &mut Writer) {
        self.chains.encode(out);
        self.braid.encode(out);
        out.u64(self.epoch_since);
    }

    /// Reads what [`encode`](Self::encode) wrote.
    ///
    /// # Errors
    /// The reader's fault.
    pub fn decode(input: &mut Reader<'_>) -> Result<Self> {
        let fault = input.fault();
        let chains = PostQuantumChains::decode(input)?;
        let braid = Braid::decode(input)?;
        let epoch_since = input.u64()?;
        if epoch_since != 0 && chains.newest_epoch() == 0 {
            return Err(fault.into());
        }
        Self::from_parts(braid, chains, epoch_since).ok_or_else(|| fault.into())
    }
}
