//! How far a reader has come in one chain.

use super::form::GroupProfile;
use crate::crypto::Secret;
use crate::error::{Fault, Result};
use crate::ratchet::limits::MAX_FORWARD_JUMP;
use crate::ratchet::{MAX_SKIPPED_KEYS, SkippedKey, SkippedKeys};
use crate::rule::{self, Rule};
use crate::wire::{Reader, Writer};
use core::marker::PhantomData;

/// A reader's place in a chain: the next key, and the keys of messages passed over.
pub struct ReadingPlace<P> {
    key: Secret<32>,
    next: u32,
    skipped: SkippedKeys,
    profile: PhantomData<P>,
}

/// What reading one message changes.
pub enum PlaceChange {
    /// The key of a message passed over is used up.
    UseSkipped(u32),
    /// The place moves behind message `n`.
    Advance {
        /// The message's number.
        n: u32,
        /// The chain key after it.
        key: Secret<32>,
        /// The keys of the messages passed over.
        passed: Vec<SkippedKey>,
    },
}

impl<P: GroupProfile> ReadingPlace<P> {
    /// Before message `next`.
    pub fn new(key: Secret<32>, next: u32) -> Self {
        Self { key, next, skipped: SkippedKeys::default(), profile: PhantomData }
    }

    /// The seed of message `n`, whose signature has been verified, and what taking it changes. Nothing has changed yet (DR-6).
    ///
    /// # Errors
    /// `message.duplicate` for a message read before, given up, or sent before the chain was handed out; `message.too_far_ahead`.
    pub fn stage(&self, n: u32, now: u64) -> Result<(Secret<32>, PlaceChange)> {
        if n < self.next {
            let seed = self.skipped.get(n).ok_or(Fault::MessageDuplicate)?;
            return Ok((Secret::new(*seed.expose()), PlaceChange::UseSkipped(n)));
        }
        // DR-15: the last number is never used, so `next` cannot wrap (B35).
        if n == u32::MAX {
            return Err(Fault::MessageTooFarAhead.into());
        }
        let jump = n - self.next;
        if rule::on(Rule::Dr7) && jump > MAX_FORWARD_JUMP {
            return Err(Fault::MessageTooFarAhead.into());
        }
        let kept = usize::try_from(jump).unwrap_or(usize::MAX).min(MAX_SKIPPED_KEYS);
        let first_kept = n - u32::try_from(kept).unwrap_or(0);
        let mut key = (self.next..first_kept).fold(Secret::new(*self.key.expose()), |key, at| P::group_walk(&key, at));
        let mut passed = Vec::with_capacity(kept);
        for at in first_kept..n {
            let (next, seed) = P::group_step(&key, at);
            passed.push(SkippedKey::new(at, now, seed));
            key = next;
        }
        let (key, seed) = P::group_step(&key, n);
        Ok((seed, PlaceChange::Advance { n, key, passed }))
    }

    /// Makes a staged change final.
    pub fn apply(&mut self, change: PlaceChange) {
        match change {
            PlaceChange::UseSkipped(n) => self.skipped.remove(n),
            PlaceChange::Advance { n, key, passed } => {
                if !passed.is_empty() {
                    self.skipped.extend(passed);
                }
                // DR-7, DR-8, B36: the newest are kept.
                if rule::on(Rule::Dr8) {
                    self.skipped.drop_oldest(self.skipped.len().saturating_sub(MAX_SKIPPED_KEYS));
                }
                self.next = n + 1;
                self.key = key;
            }
        }
    }

    /// Gives up the keys of messages that were passed over too long ago (DR-8, B36).
    pub fn forget_old_keys(&mut self, now: u64) {
        if let Some(age) = P::SKIPPED_KEY_AGE {
            self.skipped.drop_older_than(now.saturating_sub(age));
        }
    }

    /// How many keys of messages passed over are held.
    pub fn skipped(&self) -> usize {
        self.skipped.len()
    }

    /// Writes the place for a record.
    pub fn encode(&self, out: &mut Writer) {
        out.bytes(self.key.expose()).u32(self.next);
        self.skipped.encode(out);
    }

    /// Reads what [`encode`](Self::encode) wrote.
    pub fn decode(input: &mut Reader<'_>) -> Result<Self> {
        let (key, next) = (input.secret()?, input.u32()?);
        Ok(Self { key, next, skipped: SkippedKeys::decode(input, MAX_SKIPPED_KEYS, next)?, profile: PhantomData })
    }
}
