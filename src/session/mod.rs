//! Floor 3: conversations between two devices, over a handshake and a ratchet.
//!
//! A [`SessionRecord`] holds all that one device keeps about one device of a peer: a current session and the archived ones. Everything is sans-IO:
//! the caller keeps the record, hands in time and randomness, and stores the record after every call that changed it, before any byte leaves.

mod candidates;
#[cfg(feature = "signal")]
mod import;
mod one_session;
mod record;
mod stored;

/// The limits, for the tests of this repository.
#[cfg(feature = "__internals")]
#[doc(hidden)]
pub mod internals {
    pub use super::one_session::MAX_UNANSWERED;
    pub use super::record::MAX_ARCHIVED_SESSIONS;
}

pub use record::{Decrypted, DecryptedBy, Envelope, EnvelopeKind, SessionRecord, SessionStatus, TrustedIdentity};
