//! One receiving chain: the messages that the peer sends between two of its ratchet steps.

use crate::crypto::Secret;
use crate::crypto::agreement::AgreementKey;
use crate::error::{Fault, Result};
use crate::profile::{HeaderKey, Profile};
use crate::ratchet::limits::{MAX_FORWARD_JUMP, MAX_SKIPPED_KEYS, StepBudget};
use crate::ratchet::skipped::{SkippedKey, SkippedKeys};
use crate::rule::{self, Rule};
use crate::wire::{Reader, Writer};

/// A chain of the peer's messages: the next key, and the keys of messages passed over.
pub struct ReceivingChain<P: Profile> {
    /// The peer's ratchet key in this chain.
    pub ratchet_key: AgreementKey,
    /// The key its headers are encrypted under.
    pub header: P::HeaderKey,
    /// The chain key at `next`; gone once the chain has ended. An absent key is never an input of a KDF (B11).
    key: Option<Secret<32>>,
    next: u32,
    /// The number of messages in the chain, once the peer has told it.
    end: Option<u32>,
    skipped: SkippedKeys,
}

/// What reading one message changes in its chain.
pub enum ChainChange {
    /// The key of a message passed over is used up.
    UseSkipped(u32),
    /// The chain moves on to the message after `n`.
    Advance {
        /// The message's number.
        n: u32,
        /// The chain key after it.
        key: Secret<32>,
        /// The keys passed over, where they were derived at once; else they are derived when the change is applied.
        passed: Option<Vec<SkippedKey>>,
    },
}

impl<P: Profile> ReceivingChain<P> {
    /// A chain at its first message.
    pub fn new(ratchet_key: AgreementKey, header: P::HeaderKey, key: Secret<32>) -> Self {
        Self { ratchet_key, header, key: Some(key), next: 0, end: None, skipped: SkippedKeys::default() }
    }

    /// A chain as an official client's record holds it: at message `next`, with seeds of messages passed over.
    #[cfg(feature = "signal")]
    pub fn imported(
        ratchet_key: AgreementKey,
        header: P::HeaderKey,
        key: Secret<32>,
        next: u32,
        passed: Vec<SkippedKey>,
    ) -> Self {
        let mut skipped = SkippedKeys::default();
        skipped.extend(passed);
        Self { ratchet_key, header, key: Some(key), next, end: None, skipped }
    }

    /// The seed of message `n` and what taking it changes. Nothing has changed yet (DR-6).
    ///
    /// # Errors
    /// `message.duplicate` for a message read before, `message.too_far_ahead` beyond the limits.
    pub fn stage(
        &self,
        n: u32,
        own_device: bool,
        now: u64,
        budget: &mut StepBudget,
    ) -> Result<(Secret<32>, ChainChange)> {
        if n < self.next {
            // P-7: a repeat is known by its place in the chain; another ciphertext in the same place is one, too.
            let seed = self.skipped.get(n).ok_or(Fault::MessageDuplicate)?;
            return Ok((Secret::new(*seed.expose()), ChainChange::UseSkipped(n)));
        }
        if self.end.is_some_and(|end| n >= end) {
            return Err(Fault::MessageField.into());
        }
        let Some(key) = &self.key else { return Err(Fault::MessageDuplicate.into()) };
        // DR-15: the last number is never reached, so `next` cannot wrap. Nobody sends it, so this says nothing of the session.
        if n == u32::MAX {
            return Err(Fault::MessageTooFarAhead.into());
        }
        let jump = n - self.next;
        if !own_device {
            if rule::on(Rule::Dr7) && jump > MAX_FORWARD_JUMP {
                return Err(Fault::MessageTooFarAhead.into());
            }
            budget.classical(jump)?;
        }
        let (key, passed) = if P::AUTHENTICATES_HEADER_FIRST {
            let (key, passed) = walk_and_keep::<P>(key, self.next, n, now);
            (key, Some(passed))
        } else {
            (walk::<P>(key, self.next, n), None)
        };
        let (key, seed) = P::classical_step(&key, n);
        Ok((seed, ChainChange::Advance { n, key, passed }))
    }

    /// Makes a staged change final.
    pub fn apply(&mut self, change: ChainChange, now: u64) {
        match change {
            // DR-2, DR-8: a key opens one message and is gone.
            ChainChange::UseSkipped(n) if rule::on(Rule::Dr8) => self.skipped.remove(n),
            ChainChange::UseSkipped(_) => {}
            ChainChange::Advance { n, key, passed } => {
                let passed = passed.unwrap_or_else(|| match &self.key {
                    Some(key) => walk_and_keep::<P>(key, self.next, n, now).1,
                    None => Vec::new(),
                });
                self.skipped.extend(passed);
                self.skipped.drop_oldest(self.skipped.len().saturating_sub(MAX_SKIPPED_KEYS));
                self.next = n + 1;
                self.key = Some(key);
                self.forget_ended_key();
            }
        }
    }

    /// Notes how many messages the chain had, as the header of the next chain tells.
    ///
    /// # Errors
    /// `message.field` if more were read already.
    pub fn check_end(&self, end: u32) -> Result<()> {
        if end < self.next || self.end.is_some_and(|known| known != end) {
            return Err(Fault::MessageField.into());
        }
        Ok(())
    }

    /// Closes the chain at `end` messages.
    pub fn close(&mut self, end: u32) {
        self.end = Some(end);
        self.forget_ended_key();
    }

    /// Whether every message of the chain has been read.
    pub fn is_finished(&self) -> bool {
        self.key.is_none() && self.skipped.is_empty()
    }

    /// The keys held for messages passed over.
    pub const fn skipped(&self) -> &SkippedKeys {
        &self.skipped
    }

    /// The keys held for messages passed over, to give some up.
    pub const fn skipped_mut(&mut self) -> &mut SkippedKeys {
        &mut self.skipped
    }

    /// Writes the chain for a record.
    pub fn encode(&self, out: &mut Writer) {
        out.bytes(self.ratchet_key.as_bytes());
        self.header.encode(out);
        out.flag(self.key.is_some());
        if let Some(key) = &self.key {
            out.bytes(key.expose());
        }
        out.u32(self.next).flag(self.end.is_some()).u32(self.end.unwrap_or(0));
        self.skipped.encode(out);
    }

    /// Reads what [`encode`](Self::encode) wrote.
    pub fn decode(input: &mut Reader<'_>) -> Result<Self> {
        let fault = input.fault();
        let ratchet_key = AgreementKey::admit_ephemeral(input.array::<32>()?).map_err(|_| fault)?;
        let header = P::HeaderKey::decode(input)?;
        let key = if input.flag()? { Some(input.secret()?) } else { None };
        let next = input.u32()?;
        let ended = input.flag()?;
        let end = input.u32()?;
        if (!ended && end != 0) || (ended && end < next) || (key.is_none() && !(ended && end == next)) {
            return Err(fault.into());
        }
        let skipped = SkippedKeys::decode(input, MAX_SKIPPED_KEYS, next)?;
        Ok(Self { ratchet_key, header, key, next, end: ended.then_some(end), skipped })
    }

    /// Past its last message a chain key opens nothing and is not kept (DR-8).
    fn forget_ended_key(&mut self) {
        if self.end == Some(self.next) {
            self.key = None;
        }
    }
}

/// The chain key at `to`, from the one at `from`.
fn walk<P: Profile>(key: &Secret<32>, from: u32, to: u32) -> Secret<32> {
    (from..to).fold(Secret::new(*key.expose()), |key, n| P::classical_walk(&key, n))
}

/// The chain key at `to`, and the seeds of the newest messages passed over.
fn walk_and_keep<P: Profile>(key: &Secret<32>, from: u32, to: u32, now: u64) -> (Secret<32>, Vec<SkippedKey>) {
    let kept = usize::try_from(to - from).unwrap_or(usize::MAX).min(MAX_SKIPPED_KEYS);
    let first_kept = to - u32::try_from(kept).unwrap_or(0);
    let mut key = walk::<P>(key, from, first_kept);
    let mut passed = Vec::with_capacity(kept);
    for n in first_kept..to {
        let (next, seed) = P::classical_step(&key, n);
        passed.push(SkippedKey::new(n, now, seed));
        key = next;
    }
    (key, passed)
}
