//! Floor 0: typed keys and secrets over audited primitives. The only place that names a third-party cryptography
//! crate.

pub mod hash;
pub mod kdf;
pub mod random;
pub mod secret;
