//! The model with something wrong in it: what it is there to notice, it notices.

use super::*;

/// What is wrong with the client, if anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutant {
    None,
    /// M1.
    AcknowledgesBeforeCommit,
    /// M2.
    SendsBeforeCommit,
    /// M3.
    RemovesPrekeyLater,
    /// M4: envelopes are not marked, though the ratchet still knows its own.
    ForgetsMarks,
    /// M4: neither marks, nor the ratchet, nor the stream know what came before.
    RecognisesNothing,
    /// M5.
    EncryptsAgainOnRetry,
    /// M9: the caller is told of a failure, and says it again.
    BelievesIoFailed,
    /// M11.
    IgnoresGeneration,
}

/// The model notices what it is there to notice: each mutant breaks the rule that its order is there for.
#[test]
fn every_mutant_is_caught() {
    let one = World::new(2, 1);
    one.is_caught(Mutant::AcknowledgesBeforeCommit, I2);
    one.is_caught(Mutant::SendsBeforeCommit, I1);
    one.is_caught(Mutant::SendsBeforeCommit, I7);
    one.is_caught(Mutant::RemovesPrekeyLater, I4);
    one.is_caught(Mutant::ForgetsMarks, C5);
    one.is_caught(Mutant::RecognisesNothing, I3);
    one.is_caught(Mutant::EncryptsAgainOnRetry, I1);
    one.is_caught(Mutant::BelievesIoFailed, I3);
    let two = World::new(2, 2);
    two.is_caught(Mutant::AcknowledgesBeforeCommit, I2);
    two.is_caught(Mutant::SendsBeforeCommit, I1);
    World { senders: 2, ..one }.is_caught(Mutant::IgnoresGeneration, I1);
    World { receivers: 2, ..one }.is_caught(Mutant::IgnoresGeneration, I2);
}
