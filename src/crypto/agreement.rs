//! X25519 (RFC 7748): admitted public keys, clamped secrets, and the only Diffie-Hellman of the crate.

use crate::crypto::random;
use crate::crypto::secret::Secret;
use crate::error::{Fault, Result};
use crate::rule::{self, Rule};
use core::fmt;
use curve25519_dalek::montgomery::MontgomeryPoint;
use curve25519_dalek::scalar::clamp_integer;
use rand_core::TryCryptoRng;
use subtle::ConstantTimeEq;
use zeroize::Zeroize;

/// An admitted X25519 public key: the 32 bytes of a canonical u-coordinate that is not of low order.
///
/// ```
/// use undertone::AgreementKey;
///
/// // The base point of RFC 7748, and a point of low order.
/// let (mut base_point, low_order) = ([0; 32], [0; 32]);
/// base_point[0] = 9;
/// assert_eq!(AgreementKey::admit(&base_point)?.as_bytes(), &base_point);
/// assert_eq!(AgreementKey::admit(&low_order).unwrap_err().code(), "key.low_order");
/// # Ok::<(), undertone::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct AgreementKey([u8; 32]);

impl AgreementKey {
    /// Admits an identity key or a prekey.
    ///
    /// PQ-4, P-3, B7: two encodings of one key, or two keys that differ by a torsion component, would agree on the same
    /// secrets under different names; a key of low order would agree on a known one.
    ///
    /// # Errors
    /// `key.length`, `key.not_canonical`, `key.low_order`, or `key.torsion` for a point outside the prime-order
    /// subgroup (or on the twist).
    pub fn admit(bytes: &[u8]) -> Result<Self> {
        let key = Self::admit_ephemeral(bytes)?;
        let in_subgroup = || MontgomeryPoint(key.0).to_edwards(0).is_some_and(|point| point.is_torsion_free());
        if rule::on(Rule::Pq4) && !in_subgroup() {
            return Err(Fault::KeyTorsion.into());
        }
        Ok(key)
    }

    /// Admits a ratchet key: canonical and not of low order.
    ///
    /// It serves only inside an authenticated message and only for agreements, whose clamped scalar clears torsion;
    /// the check of the subgroup would cost a third of a ratchet step.
    ///
    /// # Errors
    /// `key.length`, `key.not_canonical` or `key.low_order`.
    pub fn admit_ephemeral(bytes: &[u8]) -> Result<Self> {
        let bytes: [u8; 32] = bytes.try_into().map_err(|_| Fault::KeyLength)?;
        if rule::on(Rule::Pq4) {
            if !is_canonical(&bytes) {
                return Err(Fault::KeyNotCanonical.into());
            }
            if LOW_ORDER.contains(&bytes) {
                return Err(Fault::KeyLowOrder.into());
            }
        }
        Ok(Self(bytes))
    }

    /// The u-coordinate, little-endian.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The u-coordinate of a point that was computed here, so that nothing about it can be wrong.
    pub(in crate::crypto) const fn computed(point: MontgomeryPoint) -> Self {
        Self(point.0)
    }
}

/// A clamped X25519 scalar with its public key.
pub struct AgreementSecret {
    scalar: Secret<32>,
    public: AgreementKey,
}

impl AgreementSecret {
    /// Draws a fresh key pair.
    ///
    /// # Errors
    /// `random.failed`.
    pub fn generate(rng: &mut impl TryCryptoRng) -> Result<Self> {
        Ok(Self::from_bytes(Secret::new(random::array(rng)?)))
    }

    /// Clamps the bytes and computes the public key (P-1: what a multiplication takes is always a clamped scalar, whatever the bytes were).
    #[must_use]
    pub fn from_bytes(bytes: Secret<32>) -> Self {
        let scalar = Secret::new(clamp_integer(*bytes.expose()));
        let public = AgreementKey::computed(MontgomeryPoint::mul_base_clamped(*scalar.expose()));
        Self { scalar, public }
    }

    /// Puts a stored key pair together again without computing the public key.
    ///
    /// Both halves must come from one authentic record of our own: nothing here checks that they belong together.
    #[must_use]
    pub fn from_parts(secret: Secret<32>, public: AgreementKey) -> Self {
        Self { scalar: Secret::new(clamp_integer(*secret.expose())), public }
    }

    /// The clamped scalar, for a record.
    #[must_use]
    pub const fn expose(&self) -> &[u8; 32] {
        self.scalar.expose()
    }

    /// The public key.
    #[must_use]
    pub const fn public(&self) -> AgreementKey {
        self.public
    }

    /// X25519 with a peer's key. The only Diffie-Hellman of the crate.
    ///
    /// P-1: the multiplication masks and reduces what it is given, as RFC 7748 says; which keys are let in is a question of admission.
    ///
    /// # Errors
    /// P-2, PQ-14, DR-11, B22: `key.agreement_zero` if the result is zero, found out in constant time.
    pub fn agree(&self, peer: &AgreementKey) -> Result<Secret<32>> {
        let mut point = MontgomeryPoint(peer.0).mul_clamped(*self.scalar.expose());
        let shared = Secret::new(point.0);
        point.zeroize();
        let is_zero = bool::from(shared.expose().ct_eq(&[0; 32]));
        if is_zero && rule::on(Rule::P2) {
            return Err(Fault::AgreementZero.into());
        }
        Ok(shared)
    }
}

impl fmt::Debug for AgreementSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AgreementSecret(.., {:?})", self.public)
    }
}

/// 1 as an element of the field.
pub(in crate::crypto) const ONE: [u8; 32] = {
    let mut one = [0; 32];
    one[0] = 1;
    one
};
/// -1 as an element of the field.
pub(in crate::crypto) const MINUS_ONE: [u8; 32] = {
    let mut minus_one = [0xFF; 32];
    minus_one[0] = 0xEC;
    minus_one[31] = 0x7F;
    minus_one
};

/// The canonical u-coordinates of order 1, 2, 4 and 8 on the curve and on its twist: 0, 1, -1 and two of order 8.
const LOW_ORDER: [[u8; 32]; 5] = [
    [0; 32],
    ONE,
    MINUS_ONE,
    [
        0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3, 0xfa, 0xf1, 0x9f, 0xc4, 0x6a, 0xda, 0x09,
        0x8d, 0xeb, 0x9c, 0x32, 0xb1, 0xfd, 0x86, 0x62, 0x05, 0x16, 0x5f, 0x49, 0xb8, 0x00,
    ],
    [
        0x5f, 0x9c, 0x95, 0xbc, 0xa3, 0x50, 0x8c, 0x24, 0xb1, 0xd0, 0xb1, 0x55, 0x9c, 0x83, 0xef, 0x5b, 0x04, 0x44,
        0x5c, 0xc4, 0x58, 0x1c, 0x8e, 0x86, 0xd8, 0x22, 0x4e, 0xdd, 0xd0, 0x9f, 0x11, 0x57,
    ],
];

/// Below p = 2^255 - 19, whose little-endian bytes are ED, thirty FF and 7F.
pub(in crate::crypto) fn is_canonical(bytes: &[u8; 32]) -> bool {
    let [first, middle @ .., last] = bytes;
    *last < 0x7F || (*last == 0x7F && (*first < 0xED || middle.iter().any(|byte| *byte != 0xFF)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use curve25519_dalek::constants::EIGHT_TORSION;
    use curve25519_dalek::edwards::EdwardsPoint;

    fn secret(byte: u8) -> AgreementSecret {
        AgreementSecret::from_bytes(Secret::new([byte; 32]))
    }

    fn unhex(text: &str) -> [u8; 32] {
        hex::decode(text).unwrap().try_into().unwrap()
    }

    /// RFC 7748, section 6.1.
    #[test]
    fn rfc_7748_agreement() {
        let alice = AgreementSecret::from_bytes(Secret::new(unhex(
            "77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a",
        )));
        let bob =
            AgreementKey::admit(&unhex("de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f")).unwrap();
        assert_eq!(
            alice.public().as_bytes(),
            &unhex("8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a")
        );
        assert_eq!(
            alice.agree(&bob).unwrap().expose(),
            &unhex("4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742")
        );
    }

    /// P-2, PQ-14, B22: whatever the admission let through, an agreement never gives zero.
    #[test]
    fn a_zero_agreement_is_refused() {
        for point in LOW_ORDER {
            assert_eq!(secret(7).agree(&AgreementKey(point)), Err(Fault::AgreementZero.into()));
        }
    }

    /// PQ-4, P-3, B7: other encodings, low order and torsion are each refused by name.
    #[test]
    fn admission() {
        let honest = *secret(9).public().as_bytes();
        assert_eq!(AgreementKey::admit(&honest).unwrap(), secret(9).public());
        assert_eq!(AgreementKey::admit(&honest[1..]), Err(Fault::KeyLength.into()));
        assert_eq!(AgreementKey::admit(&[&honest[..], &[0]].concat()), Err(Fault::KeyLength.into()));

        let mut high_bit = honest;
        high_bit[31] |= 0x80;
        assert_eq!(AgreementKey::admit(&high_bit), Err(Fault::KeyNotCanonical.into()));
        for excess in 0..19 {
            let mut reducible = [0xFF; 32];
            reducible[0] = 0xED + excess;
            reducible[31] = 0x7F;
            assert_eq!(AgreementKey::admit(&reducible), Err(Fault::KeyNotCanonical.into()), "p + {excess}");
            assert_eq!(AgreementKey::admit_ephemeral(&reducible), Err(Fault::KeyNotCanonical.into()));
        }
        for point in LOW_ORDER {
            assert_eq!(AgreementKey::admit(&point), Err(Fault::KeyLowOrder.into()));
            assert_eq!(AgreementKey::admit_ephemeral(&point), Err(Fault::KeyLowOrder.into()));
        }
        for torsion in EIGHT_TORSION.iter().skip(1) {
            let honest: EdwardsPoint = MontgomeryPoint(honest).to_edwards(0).unwrap();
            let mixed = (honest + torsion).to_montgomery().0;
            assert_eq!(AgreementKey::admit(&mixed), Err(Fault::KeyTorsion.into()));
            let admitted = AgreementKey::admit_ephemeral(&mixed).unwrap();
            assert_eq!(secret(3).agree(&admitted).unwrap(), secret(3).agree(&secret(9).public()).unwrap());
        }
        let twist: [u8; 32] = core::array::from_fn(|i| if i == 0 { 2 } else { 0 });
        assert_eq!(AgreementKey::admit(&twist), Err(Fault::KeyTorsion.into()));
    }

    #[test]
    fn stored_parts_make_the_same_pair() {
        let original = secret(5);
        let again = AgreementSecret::from_parts(Secret::new(*original.expose()), original.public());
        assert_eq!(again.agree(&secret(6).public()), original.agree(&secret(6).public()));
    }
}
