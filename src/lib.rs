//! Undertone: client-side end-to-end encryption.
#![forbid(unsafe_code)]
#![deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing))]

#[cfg(feature = "__internals")]
#[doc(hidden)]
pub mod crypto;
#[cfg(not(feature = "__internals"))]
mod crypto;
mod error;
pub mod handshake;
#[cfg(feature = "__internals")]
#[doc(hidden)]
pub mod group;
#[cfg(not(feature = "__internals"))]
#[allow(dead_code, unused_imports, reason = "the floors above are being built")]
mod group;
#[cfg(feature = "__internals")]
#[doc(hidden)]
pub mod identity;
#[cfg(not(feature = "__internals"))]
#[allow(dead_code, unused_imports, reason = "the floors above are being built")]
mod identity;
#[cfg(feature = "__internals")]
#[doc(hidden)]
pub mod profile;
#[cfg(not(feature = "__internals"))]
#[allow(dead_code, unused_imports, reason = "the floors above are being built")]
mod profile;
#[cfg(feature = "__internals")]
#[doc(hidden)]
pub mod ratchet;
#[cfg(not(feature = "__internals"))]
#[allow(dead_code, unused_imports, reason = "the floors above are being built")]
mod ratchet;
#[cfg(feature = "__internals")]
#[doc(hidden)]
pub mod rule;
#[cfg(not(feature = "__internals"))]
mod rule;
#[cfg(all(feature = "signal", feature = "__internals"))]
#[doc(hidden)]
pub mod sealed;
#[cfg(all(feature = "signal", not(feature = "__internals")))]
#[allow(dead_code, unused_imports, reason = "the floors above are being built")]
mod sealed;
#[cfg(feature = "__internals")]
#[doc(hidden)]
pub mod wire;
#[cfg(not(feature = "__internals"))]
mod wire;

#[cfg(feature = "__internals")]
#[doc(hidden)]
pub use error::Fault;

pub use error::{Error, ErrorKind, Result};
pub use group::{GroupContext, GroupId, GroupPlaintext, ReceivedSenderKeys, SenderKey};
pub use identity::{DidKey, Fingerprint, FingerprintParty, FingerprintVersion};
pub use wire::Address;
