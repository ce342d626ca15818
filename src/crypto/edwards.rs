//! The strict verification that Ed25519 and XEdDSA share.
//!
//! P-5, B21: one function, cofactorless and without batches, so that every verifier gives the same verdict.

use crate::error::{Fault, Result};
use crate::rule::{self, Rule};
use curve25519_dalek::edwards::EdwardsPoint;
use curve25519_dalek::scalar::Scalar;
use sha2::{Digest, Sha512};

/// Verifies `R || s` over the concatenated `parts` under the key A, given by its encoding and by -A.
///
/// A must be in the prime-order subgroup and not of small order: the caller admitted it.
///
/// # Errors
/// `signature.invalid`.
pub fn verify(encoded: &[u8; 32], negated: &EdwardsPoint, parts: &[&[u8]], signature: &[u8; 64]) -> Result<()> {
    let (halves, _) = signature.as_chunks::<32>();
    let [encoded_commitment, response] = halves else { return Err(Fault::Signature.into()) };

    // P-4, XE-4, XE-5, B19: s and s + L would be two signatures of one message.
    let canonical: Option<Scalar> = Scalar::from_canonical_bytes(*response).into();
    let response = match canonical {
        Some(response) => response,
        None if !rule::on(Rule::Xe5) => Scalar::from_bytes_mod_order(*response),
        None => return Err(Fault::Signature.into()),
    };
    let challenge = challenge(encoded_commitment, encoded, parts);
    let commitment = EdwardsPoint::vartime_double_scalar_mul_basepoint(&challenge, negated, &response);

    // P-4, XE-4: R is compared as bytes, so an encoding that is not canonical never matches.
    // XE-6: an R of small order would let one signature stand for many messages.
    if commitment.compress().as_bytes() != encoded_commitment || (commitment.is_small_order() && rule::on(Rule::Xe6)) {
        return Err(Fault::Signature.into());
    }
    Ok(())
}

/// SHA-512(R || A || message) mod L.
pub fn challenge(commitment: &[u8; 32], key: &[u8; 32], parts: &[&[u8]]) -> Scalar {
    hash_to_scalar(&[commitment, key], parts)
}

/// SHA-512(prefix || message) mod L, over parts each.
pub fn hash_to_scalar(prefix: &[&[u8]], parts: &[&[u8]]) -> Scalar {
    let mut hasher = Sha512::new();
    prefix.iter().chain(parts).for_each(|part| hasher.update(part));
    Scalar::from_bytes_mod_order_wide(&hasher.finalize().into())
}
