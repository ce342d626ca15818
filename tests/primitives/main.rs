//! The primitives against published vectors and independent implementations.

mod curves;
mod kem_oracles;
mod rfc;
mod wycheproof_agreement;
mod wycheproof_kem;
mod wycheproof_symmetric;
