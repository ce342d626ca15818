//! Floor 2: the triple ratchet. [`double`] steps the classical root and its chains, [`post_quantum`] braids an ML-KEM
//! agreement into the messages, and [`triple`] gives each message a key from both.

mod authenticator;
mod braid;
mod braid_keys;
mod braid_record;
mod braid_state;
#[cfg(test)]
mod braid_tests;
mod chain;
pub mod double;
#[cfg(test)]
mod double_tests;
pub mod erasure_code;
#[cfg(feature = "signal")]
mod import;
pub mod limits;
pub mod post_quantum;
mod post_quantum_chains;
mod skipped;
pub mod triple;

#[cfg(feature = "signal")]
pub use chain::ReceivingChain;
#[cfg(feature = "signal")]
pub use limits::MAX_RECEIVING_CHAINS;
pub use limits::{MAX_SKIPPED_KEYS, StepBudget};
#[cfg(feature = "signal")]
pub use post_quantum::PostQuantumRatchet;
pub use skipped::{SkippedKey, SkippedKeys};
pub use triple::{Ratchet, Received, Sent};
