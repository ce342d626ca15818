//! Floor 0: typed keys and secrets over audited primitives. The only place that names a third-party cryptography
//! crate.

#![allow(dead_code, reason = "some functions serve one profile or the tests only")]

pub mod aead;
pub mod agreement;
#[cfg(feature = "signal")]
pub mod cbc;
pub mod chain;
#[cfg(feature = "signal")]
pub mod ctr;
pub mod ed25519;
mod edwards;
#[cfg(feature = "signal")]
pub mod gcm_siv;
pub mod hash;
pub mod kdf;
pub mod kem;
pub mod key_uses;
pub mod passphrase;
pub mod random;
pub mod secret;
pub mod split_kem;
pub mod work;
#[cfg(feature = "signal")]
pub mod xeddsa;

pub use secret::Secret;
pub use subtle::ConstantTimeEq;
pub use zeroize::Zeroizing;
#[cfg(feature = "signal")]
pub use zeroize::{Zeroize, ZeroizeOnDrop};
