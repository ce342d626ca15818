//! What bounds the work and the memory that one message, or one session, can cost (DR-7, SP-11, B31): constants of the protocol, not options (DR-14).

use crate::error::{Fault, Result};
use crate::rule::{self, Rule};

/// How far ahead of the last message of a chain a message may be. The number of official Signal clients, which a native
/// session keeps so that both profiles and both ratchets refuse the same messages (SP-11).
pub const MAX_FORWARD_JUMP: u32 = 25_000;

/// How many keys of messages passed over are kept. Two thousand messages out of order are more than any transport
/// reorders, and cost 80 KB.
pub const MAX_SKIPPED_KEYS: usize = 2_000;

/// How many classical receiving chains are kept. A message that is late by more than four of the peer's ratchet steps
/// is lost; official clients keep as many.
pub const MAX_RECEIVING_CHAINS: usize = 5;

/// How many chain steps of each ratchet one envelope may cost over all sessions it is tried on: one full jump, and
/// room for the ordinary gaps of the others. A forger then gains nothing from many archived sessions.
pub const MAX_STEPS_PER_ENVELOPE: u32 = 30_000;

/// The chain steps that one envelope may still cost.
#[derive(Debug)]
pub struct StepBudget {
    classical: u32,
    post_quantum: u32,
}

impl StepBudget {
    /// The budget of an envelope that was not tried on any session yet.
    pub const fn full() -> Self {
        Self { classical: MAX_STEPS_PER_ENVELOPE, post_quantum: MAX_STEPS_PER_ENVELOPE }
    }

    /// Spends steps of a chain of the double ratchet.
    ///
    /// # Errors
    /// `message.too_far_ahead` when too few are left; nothing is spent then.
    pub fn classical(&mut self, steps: u32) -> Result<()> {
        self.classical = spend(self.classical, steps)?;
        Ok(())
    }

    /// Spends steps of a chain of the post-quantum ratchet.
    ///
    /// # Errors
    /// `message.too_far_ahead` when too few are left; nothing is spent then.
    pub fn post_quantum(&mut self, steps: u32) -> Result<()> {
        self.post_quantum = spend(self.post_quantum, steps)?;
        Ok(())
    }
}

fn spend(left: u32, steps: u32) -> Result<u32> {
    match left.checked_sub(steps) {
        None if rule::on(Rule::B31) => Err(Fault::MessageTooFarAhead.into()),
        left => Ok(left.unwrap_or(0)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// B31, HE-6: the budget is spent over all attempts, separately for the two ratchets.
    #[test]
    fn the_budget_is_shared_by_all_attempts() {
        let mut budget = StepBudget::full();
        budget.classical(MAX_FORWARD_JUMP).unwrap();
        assert_eq!(budget.classical(MAX_FORWARD_JUMP), Err(Fault::MessageTooFarAhead.into()));
        budget.classical(MAX_STEPS_PER_ENVELOPE - MAX_FORWARD_JUMP).unwrap();
        assert_eq!(budget.classical(1), Err(Fault::MessageTooFarAhead.into()));
        budget.post_quantum(MAX_STEPS_PER_ENVELOPE).unwrap();
        assert_eq!(budget.post_quantum(1), Err(Fault::MessageTooFarAhead.into()));
    }
}
