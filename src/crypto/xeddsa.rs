//! XEdDSA as official Signal clients compute it: signatures with X25519 keys, the sign of the Edwards point carried in
//! the top bit of the last byte.
//!
//! XE-9: a variant of the published XEdDSA, for the Signal profile only. Verification is stricter than the official
//! one, which honest signatures never notice.

use crate::crypto::agreement::{AgreementKey, AgreementSecret};
use crate::crypto::edwards;
use crate::crypto::random;
use crate::crypto::secret::Secret;
use crate::error::{Fault, Result};
use crate::rule::{self, Rule};
use core::fmt;
use curve25519_dalek::edwards::EdwardsPoint;
use curve25519_dalek::montgomery::MontgomeryPoint;
use curve25519_dalek::scalar::Scalar;
use rand_core::TryCryptoRng;
use zeroize::Zeroize;

/// An admitted X25519 public key that verifies signatures; its Edwards point is kept.
#[derive(Clone, Copy)]
pub struct XeddsaKey {
    agreement: AgreementKey,
    /// The encoding of the point with sign bit 0; the other point differs in the top bit only.
    encoded: [u8; 32],
    /// The negative of the point with sign bit 0.
    negated: EdwardsPoint,
}

impl XeddsaKey {
    /// Admits the 32 bytes of a u-coordinate.
    ///
    /// # Errors
    /// As for [`AgreementKey::admit`].
    pub fn admit(bytes: &[u8]) -> Result<Self> {
        Self::new(&AgreementKey::admit_ephemeral(bytes)?)
    }

    /// Completes an agreement key; checks the subgroup, because not every agreement key was.
    ///
    /// # Errors
    /// XE-6, B19: `key.torsion` if the point is on the twist or outside the prime-order subgroup: such a key verifies messages that nobody signed.
    pub fn new(key: &AgreementKey) -> Result<Self> {
        let key = Self::completed(key)?;
        if rule::on(Rule::Xe6) && !key.negated.is_torsion_free() {
            return Err(Fault::KeyTorsion.into());
        }
        Ok(key)
    }

    /// A key that a session's record holds as a name: it was admitted before it was stored. What costs little is checked again, the subgroup is not.
    ///
    /// # Errors
    /// `key.length`, `key.not_canonical`, `key.low_order`, or `key.torsion` for a point on the twist.
    pub fn restore(bytes: &[u8]) -> Result<Self> {
        Self::completed(&AgreementKey::admit_ephemeral(bytes)?)
    }

    /// The key for agreements.
    #[must_use]
    pub const fn agreement_key(&self) -> AgreementKey {
        self.agreement
    }

    /// Verifies a signature over the concatenated `parts`.
    ///
    /// # Errors
    /// XE-5, XE-6: `signature.invalid`, also for s >= L and for an R that is not canonical or of small order.
    pub fn verify(&self, parts: &[&[u8]], signature: &[u8; 64]) -> Result<()> {
        let mut signature = *signature;
        let [.., last] = &mut signature;
        let sign = *last & SIGN;
        *last &= !SIGN;
        let mut encoded = self.encoded;
        let [.., last] = &mut encoded;
        *last |= sign;
        let negated = if sign == 0 { self.negated } else { -self.negated };
        edwards::verify(&encoded, &negated, parts, &signature)
    }

    fn completed(key: &AgreementKey) -> Result<Self> {
        let point = MontgomeryPoint(*key.as_bytes()).to_edwards(0).ok_or(Fault::KeyTorsion)?;
        Ok(Self::computed(*key, point))
    }

    /// `point` must have sign bit 0.
    fn computed(agreement: AgreementKey, point: EdwardsPoint) -> Self {
        Self { agreement, encoded: point.compress().0, negated: -point }
    }
}

impl PartialEq for XeddsaKey {
    fn eq(&self, other: &Self) -> bool {
        self.agreement == other.agreement
    }
}

impl Eq for XeddsaKey {}

impl fmt::Debug for XeddsaKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("XeddsaKey").field(self.agreement.as_bytes()).finish()
    }
}

/// An X25519 key pair that signs; its Edwards public key is kept, which halves the cost of a signature.
pub struct XeddsaSecret {
    agreement: AgreementSecret,
    /// The encoded Edwards public key, with its own sign bit.
    encoded: [u8; 32],
    public: XeddsaKey,
}

impl XeddsaSecret {
    /// Draws a fresh key pair.
    ///
    /// # Errors
    /// `random.failed`.
    pub fn generate(rng: &mut impl TryCryptoRng) -> Result<Self> {
        AgreementSecret::generate(rng).map(Self::new)
    }

    /// Completes a key pair. XE-8: the Edwards public key is computed from the scalar, never taken from outside.
    #[must_use]
    pub fn new(agreement: AgreementSecret) -> Self {
        let point = EdwardsPoint::mul_base_clamped(*agreement.expose());
        let encoded = point.compress().0;
        let with_sign_0 = if encoded.last().is_some_and(|last| last & SIGN != 0) { -point } else { point };
        let public = XeddsaKey::computed(agreement.public(), with_sign_0);
        Self { agreement, encoded, public }
    }

    /// The key pair for agreements.
    #[must_use]
    pub const fn agreement_secret(&self) -> &AgreementSecret {
        &self.agreement
    }

    /// The public key.
    #[must_use]
    pub const fn verifying_key(&self) -> &XeddsaKey {
        &self.public
    }

    /// Signs the concatenated `parts`.
    ///
    /// XE-3, PQ-8: the nonce depends on the key, the message and 64 random bytes, so that a bad generator alone does not
    /// give the key away.
    ///
    /// # Errors
    /// `random.failed`.
    pub fn sign(&self, parts: &[&[u8]], rng: &mut impl TryCryptoRng) -> Result<[u8; 64]> {
        let randomness = Secret::new(random::array(rng)?);
        Ok(self.sign_with(parts, &randomness))
    }

    /// Signs with chosen randomness, for test vectors only.
    #[cfg(any(test, feature = "__internals"))]
    #[must_use]
    pub fn sign_deterministic(&self, parts: &[&[u8]], randomness: [u8; 64]) -> [u8; 64] {
        self.sign_with(parts, &Secret::new(randomness))
    }

    fn sign_with(&self, parts: &[&[u8]], randomness: &Secret<64>) -> [u8; 64] {
        let mut private = Scalar::from_bytes_mod_order(*self.agreement.expose());
        let hashed: Vec<&[u8]> = parts.iter().copied().chain([randomness.expose().as_slice()]).collect();
        let mut nonce = edwards::hash_to_scalar(&[&NONCE_PREFIX, self.agreement.expose()], &hashed);
        let commitment = EdwardsPoint::mul_base(&nonce).compress().0;
        let response = edwards::challenge(&commitment, &self.encoded, parts) * private + nonce;
        private.zeroize();
        nonce.zeroize();

        let mut signature = [0; 64];
        signature.iter_mut().zip(commitment.iter().chain(response.as_bytes())).for_each(|(slot, byte)| *slot = *byte);
        if let (Some(last), Some(key)) = (signature.last_mut(), self.encoded.last()) {
            *last |= key & SIGN;
        }
        signature
    }
}

impl fmt::Debug for XeddsaSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "XeddsaSecret(.., {:?})", self.public)
    }
}

/// The top bit of an encoding's last byte: the sign of the x-coordinate.
const SIGN: u8 = 0x80;

/// XE-2: 2^256 - 2, little-endian, which no honest encoding begins with.
const NONCE_PREFIX: [u8; 32] = {
    let mut prefix = [0xFF; 32];
    prefix[0] = 0xFE;
    prefix
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::hash::sha256;

    fn known_answer(private: [u8; 32], public: &str, signature: &str) {
        let secret = XeddsaSecret::new(AgreementSecret::from_bytes(Secret::new(private)));
        assert_eq!(hex::encode(secret.agreement_secret().public().as_bytes()), public);
        let signed = secret.sign_deterministic(&[b"libsignal", b"-kat"], [0; 64]);
        assert_eq!(hex::encode(signed), signature);

        let key = XeddsaKey::admit(secret.agreement_secret().public().as_bytes()).unwrap();
        assert_eq!(key, *secret.verifying_key());
        assert_eq!((key.encoded, key.negated), (secret.public.encoded, secret.public.negated));
        assert_eq!(key.verify(&[b"libsignal-kat"], &signed), Ok(()));
        assert_eq!(key.verify(&[b"libsignal-kaT"], &signed), Err(Fault::Signature.into()));
        for byte in [0, 31, 32, 63] {
            for bit in [0x01, 0x80] {
                let mut forged = signed;
                forged[byte] ^= bit;
                assert_eq!(key.verify(&[b"libsignal-kat"], &forged), Err(Fault::Signature.into()), "{byte} {bit}");
            }
        }
    }

    /// XE-2, XE-3, XE-9: signatures that the official client accepted, for both signs of the Edwards point.
    #[test]
    fn known_answers() {
        known_answer(
            core::array::from_fn(|i| i as u8),
            "8f40c5adb68f25624ae5b214ea767a6ec94d829d3d7b5e1ad1ba6f3e2138285f",
            "6bbccecaa514a0ca76d428414cf416233e2af24f20bda93ce89e58a266d6723e690baa2ae922098afbe8eb81d14b7c9152ce1089719a14fa907f35907e49b504",
        );
        known_answer(
            sha256(&[&[1]]),
            "1fbecfcede5636a406600be3ab8b8dd8c087f8850910ef08be5e64ba5ce5f503",
            "34a8080c3ecd0183ce9bd3f1a00a43a720bf5ef1ed1d221a2a82aa541114a134643db2bf4b866ee1019a5feec039740c96eda9e5c52604256df74fc91cbfe480",
        );
    }

    /// PQ-8, XE-3: every signature draws 64 bytes of its own, and they are what its nonce is made of.
    #[test]
    fn each_signature_draws_64_bytes() {
        use rand::{Rng, SeedableRng, rngs::StdRng};
        let secret = XeddsaSecret::new(AgreementSecret::from_bytes(Secret::new([7; 32])));
        let (mut rng, mut same) = (StdRng::seed_from_u64(8), StdRng::seed_from_u64(8));
        let mut signatures = Vec::new();
        for _ in 0..3 {
            let mut drawn = [0; 64];
            same.fill_bytes(&mut drawn);
            let signature = secret.sign(&[b"message"], &mut rng).unwrap();
            assert_eq!(signature, secret.sign_deterministic(&[b"message"], drawn));
            assert!(!signatures.contains(&signature));
            signatures.push(signature);
        }
        assert_eq!(rng, same, "nothing more was drawn");
    }
}
