//! Ed25519 (RFC 8032) with strict verification, and the X25519 key that belongs to each Ed25519 key.

use crate::crypto::agreement::{self, AgreementKey, AgreementSecret};
use crate::crypto::edwards;
use crate::crypto::hash::sha512;
use crate::crypto::secret::Secret;
use crate::error::{Fault, Result};
use crate::rule::{self, Rule};
use core::fmt;
use core::hash::{Hash, Hasher};
use curve25519_dalek::edwards::{CompressedEdwardsY, EdwardsPoint};
use ed25519_dalek::hazmat::{ExpandedSecretKey, raw_sign};
use rand_core::TryCryptoRng;
use sha2::Sha512;
use zeroize::Zeroize;

/// An admitted Ed25519 public key, kept with what verification and agreement need of it.
#[derive(Clone, Copy)]
pub struct VerifyingKey {
    encoded: [u8; 32],
    negated: EdwardsPoint,
    agreement: AgreementKey,
}

impl VerifyingKey {
    /// Admits an encoded key.
    ///
    /// P-3, P-4, P-5, B7, B19: the one encoding of a point in the prime-order subgroup. With a component of small order a key would verify messages that
    /// nobody signed, or stand for several keys.
    ///
    /// # Errors
    /// `key.length`, `key.not_canonical` (or no point at all), `key.low_order`, `key.torsion`.
    pub fn admit(bytes: &[u8]) -> Result<Self> {
        let key = Self::restore(bytes)?;
        if rule::on(Rule::P5) && !key.negated.is_torsion_free() {
            return Err(Fault::KeyTorsion.into());
        }
        Ok(key)
    }

    /// A key that a session's record holds as a name: it was admitted before it was stored. What costs little is checked again, the subgroup is not.
    ///
    /// # Errors
    /// `key.length`, `key.not_canonical` (or no point at all), `key.low_order`.
    pub fn restore(bytes: &[u8]) -> Result<Self> {
        let encoded: [u8; 32] = bytes.try_into().map_err(|_| Fault::KeyLength)?;
        if !is_canonical(&encoded) {
            return Err(Fault::KeyNotCanonical.into());
        }
        let point = CompressedEdwardsY(encoded).decompress().ok_or(Fault::KeyNotCanonical)?;
        if rule::on(Rule::P5) && point.is_small_order() {
            return Err(Fault::KeyLowOrder.into());
        }
        Ok(Self::computed(encoded, point))
    }

    /// The encoded point.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.encoded
    }

    /// The X25519 key at the same point: u = (1 + y) / (1 - y), computed once.
    #[must_use]
    pub const fn agreement_key(&self) -> AgreementKey {
        self.agreement
    }

    /// Verifies a signature over the concatenated `parts`.
    ///
    /// P-4, P-5, XE-5, XE-6: strict (s below L, R canonical and not of small order) and cofactorless.
    ///
    /// # Errors
    /// `signature.invalid`.
    pub fn verify(&self, parts: &[&[u8]], signature: &[u8; 64]) -> Result<()> {
        edwards::verify(&self.encoded, &self.negated, parts, signature)
    }

    fn computed(encoded: [u8; 32], point: EdwardsPoint) -> Self {
        Self { encoded, negated: -point, agreement: AgreementKey::computed(point.to_montgomery()) }
    }
}

/// Whether the encoding is the only one of its point: y is below p, and the sign bit is zero where x is, at y = 1 and y = -1.
fn is_canonical(encoded: &[u8; 32]) -> bool {
    let mut y = *encoded;
    let [.., last] = &mut y;
    let sign = *last & 0x80;
    *last &= 0x7F;
    agreement::is_canonical(&y) && (sign == 0 || (y != agreement::ONE && y != agreement::MINUS_ONE))
}

impl PartialEq for VerifyingKey {
    fn eq(&self, other: &Self) -> bool {
        self.encoded == other.encoded
    }
}

impl Eq for VerifyingKey {}

impl Hash for VerifyingKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.encoded.hash(state);
    }
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("VerifyingKey").field(&self.encoded).finish()
    }
}

/// An Ed25519 key pair, grown from its 32-byte seed.
///
/// XE-8, P-6, B20: the public key is always computed here. Signing under a public key from outside would give the
/// private one away.
pub struct SigningSecret {
    seed: Secret<32>,
    expanded: ExpandedSecretKey,
    signer: ed25519_dalek::VerifyingKey,
    public: VerifyingKey,
    agreement: AgreementSecret,
}

impl SigningSecret {
    /// Draws a seed.
    ///
    /// # Errors
    /// `random.failed`.
    pub fn generate(rng: &mut impl TryCryptoRng) -> Result<Self> {
        Secret::random(rng).map(Self::from_seed)
    }

    /// Grows the key pair of a seed.
    #[must_use]
    pub fn from_seed(seed: Secret<32>) -> Self {
        let mut hash = sha512(&[seed.expose()]);
        let expanded = ExpandedSecretKey::from_bytes(&hash);
        let signer = ed25519_dalek::VerifyingKey::from(&expanded);
        let public = VerifyingKey::computed(signer.to_bytes(), signer.to_edwards());
        let [scalar, _] = Secret::<64>::new(hash).pieces::<2>();
        hash.zeroize();
        let agreement = AgreementSecret::from_parts(scalar, public.agreement_key());
        Self { seed, expanded, signer, public, agreement }
    }

    /// What a record stores.
    #[must_use]
    pub const fn seed(&self) -> &Secret<32> {
        &self.seed
    }

    /// The public key.
    #[must_use]
    pub const fn verifying_key(&self) -> &VerifyingKey {
        &self.public
    }

    /// The X25519 key pair at the same point: the scalar is the clamped first half of SHA-512(seed).
    #[must_use]
    pub const fn agreement_secret(&self) -> &AgreementSecret {
        &self.agreement
    }

    /// Signs the concatenated `parts`.
    #[must_use]
    pub fn sign(&self, parts: &[&[u8]]) -> [u8; 64] {
        raw_sign::<Sha512>(&self.expanded, &parts.concat(), &self.signer).to_bytes()
    }
}

impl fmt::Debug for SigningSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningSecret(.., {:?})", self.public)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use curve25519_dalek::constants::EIGHT_TORSION;

    fn unhex<const N: usize>(text: &str) -> [u8; N] {
        hex::decode(text).unwrap().try_into().unwrap()
    }

    /// RFC 8032, section 7.1, test 3.
    #[test]
    fn rfc_8032_signature() {
        let secret = SigningSecret::from_seed(Secret::new(unhex(
            "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
        )));
        assert_eq!(
            secret.verifying_key().as_bytes(),
            &unhex("fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025")
        );
        let signature = secret.sign(&[&[0xaf], &[0x82]]);
        assert_eq!(
            signature,
            unhex(
                "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"
            )
        );
        let key = VerifyingKey::admit(secret.verifying_key().as_bytes()).unwrap();
        assert_eq!(key.verify(&[&[0xaf, 0x82]], &signature), Ok(()));
        assert_eq!(key.verify(&[&[0xaf, 0x83]], &signature), Err(Fault::Signature.into()));
        for byte in [0, 31, 32, 63] {
            let mut forged = signature;
            forged[byte] ^= 0x10;
            assert_eq!(key.verify(&[&[0xaf, 0x82]], &forged), Err(Fault::Signature.into()));
        }
    }

    /// P-4, P-5: what a record holds is read as it was admitted, and what is no key is refused; only the subgroup is taken for granted.
    #[test]
    fn a_stored_key_is_checked_but_for_its_subgroup() {
        let secret = SigningSecret::from_seed(Secret::new([0x33; 32]));
        let point = CompressedEdwardsY(*secret.verifying_key().as_bytes()).decompress().unwrap();
        let restored = VerifyingKey::restore(&point.compress().0).unwrap();
        assert_eq!(restored, *secret.verifying_key());
        assert_eq!(restored.agreement_key(), secret.verifying_key().agreement_key());
        for torsion in EIGHT_TORSION {
            let low = torsion.compress().0;
            assert_eq!(VerifyingKey::restore(&low), Err(Fault::KeyLowOrder.into()));
            let mixed = (point + torsion).compress().0;
            assert!(VerifyingKey::restore(&mixed).is_ok());
            assert_eq!(VerifyingKey::admit(&mixed).is_ok(), low == EIGHT_TORSION[0].compress().0);
        }
        let other_sign = |mut bytes: [u8; 32]| {
            bytes[31] ^= 0x80;
            bytes
        };
        let mut above = [0xFF; 32];
        (above[0], above[31]) = (0xF0, 0x7F);
        for bytes in [other_sign(agreement::ONE), other_sign(agreement::MINUS_ONE), above, other_sign(above)] {
            assert_eq!(VerifyingKey::restore(&bytes), Err(Fault::KeyNotCanonical.into()));
            assert_eq!(VerifyingKey::admit(&bytes), Err(Fault::KeyNotCanonical.into()));
        }
        assert_eq!(VerifyingKey::restore(&[0; 31]), Err(Fault::KeyLength.into()));
    }

    /// XE-10: the two halves of the birational map agree: the secret's X25519 key is the public key's.
    #[test]
    fn the_agreement_keys_belong_together() {
        let secret = SigningSecret::from_seed(Secret::new([0x33; 32]));
        let admitted = VerifyingKey::admit(secret.verifying_key().as_bytes()).unwrap();
        let computed = AgreementSecret::from_bytes(Secret::new(*secret.agreement_secret().expose()));
        assert_eq!(computed.public(), admitted.agreement_key());
        assert_eq!(AgreementKey::admit(admitted.agreement_key().as_bytes()), Ok(computed.public()));
    }
}
