//! Floor 3: conversations between two devices, over a handshake and a ratchet.
//!
//! A [`SessionRecord`] holds all that one device keeps about one device of a peer: a current session and the archived ones. Everything is sans-IO:
//! the caller keeps the record, hands in time and randomness, and stores the record after every call that changed it, before any byte leaves.
//!
//! ```
//! use undertone::handshake::FirstMessage;
//! use undertone::{SessionRecord, TrustedIdentity};
#![doc = include_str!("../../docs/examples/two_devices.txt")]
#![doc = include_str!("../../docs/examples/published_prekeys.txt")]
//!
//! // Alice begins a session from Bob's bundle, and Bob accepts its first message. Both pin the identity key that they saw.
//! let mut with_bob = SessionRecord::new(&alice, bobs.clone())?;
//! with_bob.initiate(&alice, &bundle, &TrustedIdentity::FirstUse, policy, now, &mut rng)?;
//! let is_bob = TrustedIdentity::Pinned(&bundle.identity);
//! let hello = with_bob.encrypt(&alice, b"hello", &is_bob, now, &mut rng)?;
//!
//! let first = FirstMessage::open(&bob, &hello.bytes, &prekeys)?;
//! let mut with_alice = SessionRecord::new(&bob, alices.clone())?;
//! let read = with_alice.accept(&bob, &first, &mut prekeys, &TrustedIdentity::FirstUse, policy, now)?;
//! assert_eq!(read.plaintext, b"hello");
//!
//! // From the answer on, both send messages of the session.
//! let is_alice = TrustedIdentity::Pinned(&read.sender);
//! let answer = with_alice.encrypt(&bob, b"hi", &is_alice, now, &mut rng)?;
//! assert_eq!(with_bob.decrypt(&alice, &answer.bytes, &is_bob, now)?.plaintext, b"hi");
//! assert_eq!((with_bob.remote(), with_bob.remote_identity()), (&bobs, Some(bobs_key.public())));
//! # Ok::<(), undertone::Error>(())
//! ```

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
