//! The chains of the post-quantum ratchet: one for each direction in each epoch (Double Ratchet, revision 4, section 5; docs/protocol.md, section 8.1).

use crate::crypto::Secret;
use crate::error::{Fault, Result};
use crate::profile::Profile;
use crate::ratchet::limits::{MAX_FORWARD_JUMP, MAX_SKIPPED_KEYS, StepBudget};
use crate::ratchet::skipped::{SkippedKey, SkippedKeys};
use crate::rule::{self, Rule};
use crate::wire::{Reader, Writer};
use core::marker::PhantomData;

/// How many epochs older than the sending one are kept.
const RETAINED_EPOCHS: u64 = 1;

/// All chains of one session.
pub struct PostQuantumChains<P> {
    is_initiator: bool,
    /// Whether the peer is a device of the same account that may jump without bound.
    own_device: bool,
    root: Secret<32>,
    /// Oldest first, without gaps; the last is the newest epoch. Boxed, so that a vector that grows or shifts leaves no copy of a key behind.
    #[allow(clippy::vec_box, reason = "moving the keys themselves would leave copies of them")]
    epochs: Vec<Box<EpochChains>>,
    first_epoch: u64,
    sending_epoch: u64,
    profile: PhantomData<fn() -> P>,
}

/// The two chains of one epoch, as this side uses them.
struct EpochChains {
    /// Wiped once a newer epoch is sent in.
    sending: Option<SendingChain>,
    receiving: ReceivingChain,
}

struct SendingChain {
    key: Secret<32>,
    /// The last index used.
    index: u32,
}

struct ReceivingChain {
    key: Secret<32>,
    /// The last index used.
    index: u32,
    skipped: SkippedKeys,
}

/// An epoch that was just agreed: its chains, not yet part of the state.
pub struct NewChains {
    epoch: u64,
    root: Secret<32>,
    chains: Box<EpochChains>,
}

/// One epoch of an official client's record: chain keys with the last index used.
#[cfg(feature = "signal")]
pub struct ImportedEpoch {
    /// Absent once it is wiped.
    pub sending: Option<(Secret<32>, u32)>,
    /// The peer's chain.
    pub receiving: (Secret<32>, u32),
    /// Keys passed over, in rising order.
    pub skipped: Vec<SkippedKey>,
}

/// What sending one message changes.
pub struct SendChange {
    epoch: u64,
    key: Secret<32>,
    index: u32,
}

/// What reading one message changes.
pub enum ReceiveChange {
    /// A key of a message passed over is used up.
    UseSkipped { epoch: u64, index: u32 },
    /// The chain moves on to `index`.
    Advance { epoch: u64, index: u32, key: Secret<32>, passed: Option<Vec<SkippedKey>> },
}

impl<P: Profile> PostQuantumChains<P> {
    /// The chains of epoch 0.
    pub fn new(secret: &Secret<32>, is_initiator: bool, own_device: bool) -> Self {
        let [root, of_initiator, of_responder] = P::chain_start(secret);
        let epochs = vec![Box::new(EpochChains::new(of_initiator, of_responder, is_initiator))];
        Self { is_initiator, own_device, root, epochs, first_epoch: 0, sending_epoch: 0, profile: PhantomData }
    }

    /// The chains of an official client's record: `epochs` go up to `newest`, each with its sending chain, if it has one, its receiving chain, and
    /// the keys passed over in it.
    ///
    /// # Errors
    /// `record.corrupt` if they contradict each other.
    #[cfg(feature = "signal")]
    pub fn imported(
        is_initiator: bool,
        own_device: bool,
        root: Secret<32>,
        newest: u64,
        sending_epoch: u64,
        epochs: Vec<ImportedEpoch>,
    ) -> Result<Self> {
        let behind = u64::try_from(epochs.len()).ok().and_then(|count| count.checked_sub(1));
        let first_epoch = behind.and_then(|behind| newest.checked_sub(behind)).ok_or(Fault::RecordCorrupt)?;
        if !(first_epoch..=newest).contains(&sending_epoch) || newest == u64::MAX {
            return Err(Fault::RecordCorrupt.into());
        }
        let epochs = (first_epoch..).zip(epochs).map(|(epoch, imported)| {
            let (key, index) = imported.receiving;
            let mut receiving = ReceivingChain { key, index, skipped: SkippedKeys::default() };
            receiving.skipped.extend(imported.skipped);
            let sending = imported.sending.map(|(key, index)| SendingChain { key, index });
            // The chains behind the sending epoch are wiped, those from it on are not.
            let agrees = sending.is_some() || epoch < sending_epoch;
            let sending = sending.filter(|_| epoch >= sending_epoch);
            agrees.then(|| Box::new(EpochChains { sending, receiving }))
        });
        let epochs = epochs.collect::<Option<Vec<_>>>().ok_or(Fault::RecordCorrupt)?;
        Ok(Self { is_initiator, own_device, root, epochs, first_epoch, sending_epoch, profile: PhantomData })
    }

    /// Stages the chains of the next epoch (SP-1: epochs come strictly in order).
    ///
    /// # Errors
    /// `braid.epoch`.
    pub fn stage_epoch(&self, epoch: u64, secret: &Secret<32>) -> Result<NewChains> {
        if epoch != self.newest_epoch() + 1 {
            return Err(Fault::BraidEpoch.into());
        }
        let [root, of_initiator, of_responder] = P::chain_add_epoch(&self.root, secret);
        let chains = Box::new(EpochChains::new(of_initiator, of_responder, self.is_initiator));
        Ok(NewChains { epoch, root, chains })
    }

    /// Makes a staged epoch part of the state.
    pub fn add_epoch(&mut self, new: NewChains) {
        self.root = new.root;
        self.epochs.push(new.chains);
    }

    /// Stages the key of the next message sent in `epoch`, which may be `new`.
    ///
    /// # Errors
    /// `braid.epoch` for an epoch that was left behind or is not known, `session.exhausted`.
    pub fn stage_send(&self, epoch: u64, new: Option<&NewChains>) -> Result<(Secret<32>, u32, SendChange)> {
        // SP-6: the sending epoch is the newest that the peer is known to have, and never goes back.
        if epoch < self.sending_epoch {
            return Err(Fault::BraidEpoch.into());
        }
        let chains = match new {
            Some(new) if new.epoch == epoch => new.chains.as_ref(),
            _ => self.epoch(epoch)?,
        };
        let chain = chains.sending.as_ref().ok_or(Fault::BraidEpoch)?;
        // DR-15: the last index is never reached.
        let index = chain.index.checked_add(1).filter(|index| *index != u32::MAX).ok_or(Fault::SessionExhausted)?;
        let (key, message_key) = P::chain_step(&chain.key, index);
        Ok((message_key, index, SendChange { epoch, key, index }))
    }

    /// Makes the sending of a message final. Moving to a newer epoch wipes the sending chains behind it and all but one epoch (SP-5).
    pub fn apply_send(&mut self, change: SendChange) {
        let SendChange { epoch, key, index } = change;
        if epoch > self.sending_epoch {
            self.sending_epoch = epoch;
            let oldest = epoch.saturating_sub(RETAINED_EPOCHS);
            while self.first_epoch < oldest && self.epochs.len() > 1 {
                self.epochs.remove(0);
                self.first_epoch += 1;
            }
            let behind = usize::try_from(epoch.saturating_sub(self.first_epoch)).unwrap_or(usize::MAX);
            self.epochs.iter_mut().take(behind).for_each(|chains| chains.sending = None);
        }
        if let Some(chains) = self.epoch_mut(epoch) {
            chains.sending = Some(SendingChain { key, index });
        }
    }

    /// Stages the key of the received message `index` of `epoch`, which may be `new`. Nothing has changed yet (DR-6, SP-10).
    ///
    /// # Errors
    /// `message.duplicate` for an index used before or fallen out, `message.too_far_ahead`, `braid.epoch` for an epoch not held.
    pub fn stage_receive(
        &self,
        epoch: u64,
        index: u32,
        new: Option<&NewChains>,
        now: u64,
        budget: &mut StepBudget,
    ) -> Result<(Secret<32>, ReceiveChange)> {
        let chain = match new {
            Some(new) if new.epoch == epoch => &new.chains.receiving,
            _ => &self.epoch(epoch)?.receiving,
        };
        if index <= chain.index {
            let key = chain.skipped.get(index).ok_or(Fault::MessageDuplicate)?;
            return Ok((Secret::new(*key.expose()), ReceiveChange::UseSkipped { epoch, index }));
        }
        if index == u32::MAX {
            return Err(Fault::MessageTooFarAhead.into());
        }
        let jump = index - chain.index;
        if !self.own_device {
            if rule::on(Rule::Sp11) && jump > MAX_FORWARD_JUMP {
                return Err(Fault::MessageTooFarAhead.into());
            }
            budget.post_quantum(jump)?;
        }
        let (key, passed) = if P::AUTHENTICATES_HEADER_FIRST {
            let (key, passed) = walk_and_keep::<P>(&chain.key, chain.index, index, now);
            (key, Some(passed))
        } else {
            (walk::<P>(&chain.key, chain.index, index), None)
        };
        let (key, message_key) = P::chain_step(&key, index);
        Ok((message_key, ReceiveChange::Advance { epoch, index, key, passed }))
    }

    /// Makes the reading of a message final.
    pub fn apply_receive(&mut self, change: ReceiveChange, now: u64) {
        match change {
            ReceiveChange::UseSkipped { epoch, index } => {
                // DR-2, DR-8: a key opens one message and is gone.
                if let Some(chains) = self.epoch_mut(epoch)
                    && rule::on(Rule::Dr8)
                {
                    chains.receiving.skipped.remove(index);
                }
            }
            ReceiveChange::Advance { epoch, index, key, passed } => {
                if let Some(chains) = self.epoch_mut(epoch) {
                    let chain = &mut chains.receiving;
                    let passed = passed.unwrap_or_else(|| walk_and_keep::<P>(&chain.key, chain.index, index, now).1);
                    chain.skipped.extend(passed);
                    chain.skipped.drop_oldest(chain.skipped.len().saturating_sub(MAX_SKIPPED_KEYS));
                    chain.key = key;
                    chain.index = index;
                    // An index that has fallen out of the window opens nothing any more (SP-5, DR-8).
                    let window = u32::try_from(MAX_SKIPPED_KEYS).unwrap_or(u32::MAX);
                    chain.skipped.drop_below(index.saturating_sub(window));
                }
            }
        }
        if let Some(age) = P::SKIPPED_KEY_AGE {
            let oldest = now.saturating_sub(age);
            self.epochs.iter_mut().for_each(|chains| chains.receiving.skipped.drop_older_than(oldest));
        }
    }

    /// Whether this side began the session.
    pub const fn is_initiator(&self) -> bool {
        self.is_initiator
    }

    /// The newest epoch agreed upon; 0 before the first.
    pub fn newest_epoch(&self) -> u64 {
        self.first_epoch + u64::try_from(self.epochs.len()).unwrap_or(0).saturating_sub(1)
    }

    /// How many keys of messages passed over are held.
    pub fn skipped(&self) -> usize {
        self.epochs.iter().map(|chains| chains.receiving.skipped.len()).sum()
    }

    fn position(&self, epoch: u64) -> Option<usize> {
        usize::try_from(epoch.checked_sub(self.first_epoch)?).ok()
    }

    fn epoch(&self, epoch: u64) -> Result<&EpochChains> {
        // A message of an epoch that was given up can only be an old one.
        let position = self.position(epoch).ok_or(Fault::MessageDuplicate)?;
        self.epochs.get(position).map(Box::as_ref).ok_or_else(|| Fault::BraidEpoch.into())
    }

    fn epoch_mut(&mut self, epoch: u64) -> Option<&mut EpochChains> {
        let position = self.position(epoch)?;
        self.epochs.get_mut(position).map(Box::as_mut)
    }

    /// Writes the chains for a record.
    pub fn encode(&self, out: &mut Writer) {
        out.flag(self.is_initiator).flag(self.own_device).bytes(self.root.expose());
        out.u64(self.first_epoch).u64(self.sending_epoch).u8(u8::try_from(self.epochs.len()).unwrap_or(u8::MAX));
        for chains in &self.epochs {
            out.flag(chains.sending.is_some());
            if let Some(chain) = &chains.sending {
                out.bytes(chain.key.expose()).u32(chain.index);
            }
            out.bytes(chains.receiving.key.expose()).u32(chains.receiving.index);
            chains.receiving.skipped.encode(out);
        }
    }

    /// Reads what [`encode`](Self::encode) wrote.
    pub fn decode(input: &mut Reader<'_>) -> Result<Self> {
        let fault = input.fault();
        let (is_initiator, own_device, root) = (input.flag()?, input.flag()?, input.secret()?);
        let (first_epoch, sending_epoch, count) = (input.u64()?, input.u64()?, input.u8()?);
        let newest = first_epoch.checked_add(u64::from(count)).and_then(|end| end.checked_sub(1)).ok_or(fault)?;
        if count == 0 || newest == u64::MAX || !(first_epoch..=newest).contains(&sending_epoch) {
            return Err(fault.into());
        }
        let mut epochs = Vec::with_capacity(usize::from(count));
        for epoch in first_epoch..=newest {
            let sending =
                if input.flag()? { Some(SendingChain { key: input.secret()?, index: input.u32()? }) } else { None };
            // The chains behind the sending epoch are wiped, those from it on are not.
            if sending.is_some() != (epoch >= sending_epoch) {
                return Err(fault.into());
            }
            let (key, index) = (input.secret()?, input.u32()?);
            let skipped = SkippedKeys::decode(input, MAX_SKIPPED_KEYS, index)?;
            epochs.push(Box::new(EpochChains { sending, receiving: ReceivingChain { key, index, skipped } }));
        }
        Ok(Self { is_initiator, own_device, root, epochs, first_epoch, sending_epoch, profile: PhantomData })
    }
}

impl EpochChains {
    fn new(of_initiator: Secret<32>, of_responder: Secret<32>, is_initiator: bool) -> Self {
        let (sending, receiving) =
            if is_initiator { (of_initiator, of_responder) } else { (of_responder, of_initiator) };
        Self {
            sending: Some(SendingChain { key: sending, index: 0 }),
            receiving: ReceivingChain { key: receiving, index: 0, skipped: SkippedKeys::default() },
        }
    }
}

/// The chain key before index `to`, from the one after index `from`.
///
/// SP-4: it stops before `to`, whose key is the one step more that the caller makes. A walk through `to` would derive the key of the message after it.
fn walk<P: Profile>(key: &Secret<32>, from: u32, to: u32) -> Secret<32> {
    (from + 1..to).fold(Secret::new(*key.expose()), |key, index| P::chain_walk(&key, index))
}

/// The chain key before index `to`, and the keys of the newest messages passed over.
fn walk_and_keep<P: Profile>(key: &Secret<32>, from: u32, to: u32, now: u64) -> (Secret<32>, Vec<SkippedKey>) {
    let passed_over = to - from - 1;
    let kept = passed_over.min(u32::try_from(MAX_SKIPPED_KEYS).unwrap_or(u32::MAX));
    let first_kept = to - kept;
    let mut key = walk::<P>(key, from, first_kept);
    let mut passed = Vec::with_capacity(usize::try_from(kept).unwrap_or(0));
    for index in first_kept..to {
        let (next, message_key) = P::chain_step(&key, index);
        passed.push(SkippedKey::new(index, now, message_key));
        key = next;
    }
    (key, passed)
}
