//! Floor 0: typed keys and secrets over audited primitives. The only place that names a third-party cryptography
//! crate.

#![allow(dead_code, reason = "some functions serve one profile or the tests only")]

pub mod agreement;
pub mod ed25519;
mod edwards;
pub mod hash;
pub mod kdf;
pub mod kem;
pub mod random;
pub mod secret;
pub mod split_kem;
#[cfg(feature = "signal")]
pub mod xeddsa;

pub use secret::Secret;
pub use zeroize::Zeroizing;
