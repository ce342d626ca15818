//! Floor 0: typed keys and secrets over audited primitives. The only place that names a third-party cryptography
//! crate.

#![allow(dead_code, reason = "some functions serve one profile or the tests only")]

pub mod hash;
pub mod kdf;
pub mod kem;
pub mod random;
pub mod secret;
pub mod split_kem;

pub use secret::Secret;
pub use zeroize::Zeroizing;
