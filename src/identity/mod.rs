//! Floor 3: how people and programs name and compare identity keys.

mod base58;
mod did_key;
mod fingerprint;
mod fingerprint_form;

pub use did_key::DidKey;
pub use fingerprint::{Fingerprint, FingerprintParty};
pub use fingerprint_form::{FingerprintProfile, FingerprintVersion};
