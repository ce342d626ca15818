//! Floor 2: the triple ratchet. [`double`] steps the classical root and its chains, [`post_quantum`] braids an ML-KEM
//! agreement into the messages, and [`triple`] gives each message a key from both.

mod erasure_code;
pub mod limits;

pub use limits::StepBudget;
