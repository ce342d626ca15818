//! Floor 2: prekeys, and the handshakes PQXDH and X3DH that begin a session (docs/protocol.md, sections 3 to 5).
//!
//! [`initiate`] turns a peer's [`PrekeyBundle`] into the secrets of a session, [`accept`] does so at the other end from the [`FirstMessage`]. Both are
//! pure functions: they keep nothing and erase nothing. [`Prekeys`] holds a device's own prekeys and says when one is used up.
//!
//! What a handshake proves is classical (PQ-21): the peer holds the identity key, and whose key that is only a comparison of safety numbers tells. What it
//! hides stays hidden from a quantum computer of the future; nothing is claimed against one that takes part (PQ-23).

mod bundle;
mod first_message;
mod first_seal;
mod key_agreement;
mod native;
mod policy;
mod prekey;
mod prekey_pairs;
mod prekeys;
mod prekeys_stored;
mod profile;
mod replay_guard;
#[cfg(feature = "signal")]
mod signal;
#[cfg(test)]
mod tests;
mod transcript;

pub use bundle::PrekeyBundle;
pub use first_message::{FirstMessage, Offer};
pub use first_seal::{FirstSealKey, FirstSealSecret};
pub use key_agreement::{Acceptance, AcceptingPrekeys, Initiation, LocalDevice, accept, initiate};
pub use policy::{HandshakePolicy, HandshakeStrength};
pub use prekey::{PrekeyKind, PrekeyTerms, PublishedPrekey, Validity};
pub use prekey_pairs::{KemPrekeyPair, OneTimePrekeyPair, SignedPrekeyPair};
pub use prekeys::Prekeys;
pub use profile::{HandshakeProfile, SealingKey, SealingSecret};
/// The parts that the tests of this repository look at one by one.
#[cfg(feature = "__internals")]
#[doc(hidden)]
pub mod internals {
    pub use super::first_seal::{Recipient, SealedFirst, seal};
    pub use super::native::{encode_first, parse_first};
    pub use super::prekey::{CLOCK_SKEW, ONE_TIME_LIFETIME, ROTATED_LIFETIME};
    pub use super::prekeys::{PREKEY_GRACE, PREKEY_ROTATION};
    pub use super::replay_guard::{REPLAY_GUARD, ReplayGuard};
    pub use super::transcript::{KemUse, Transcript, TranscriptParty};
}
