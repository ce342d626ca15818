//! The primitives against published vectors and independent implementations.

mod curves;
// One of the oracles is C.
#[cfg(not(target_family = "wasm"))]
mod kem_oracles;
mod rfc;
mod wycheproof_agreement;
mod wycheproof_kem;
mod wycheproof_symmetric;
