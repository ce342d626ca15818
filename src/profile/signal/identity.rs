//! The Signal profile's identity key: one X25519 key pair, which signs by XEdDSA.

use crate::crypto::agreement::{AgreementKey, AgreementSecret};
use crate::crypto::xeddsa::{XeddsaKey, XeddsaSecret};
use crate::crypto::{Secret, Zeroizing};
use crate::error::Result;
use crate::profile::{IdentityKey, IdentityKeyPair, Statement};
use crate::wire::signal::{PUBLIC_KEY, admit_verifying_key, encode_agreement_key, restore_verifying_key};
use rand_core::TryCryptoRng;

/// A public identity key: 33 bytes on the wire, `05` and the u-coordinate.
///
/// ```
/// use undertone::{IdentityKey, SignalIdentityKey};
#[doc = include_str!("../../../docs/examples/two_signal_devices.txt")]
///
/// let on_the_wire = alices_key.public().wire_bytes();
/// assert_eq!((on_the_wire.len(), on_the_wire[0]), (33, 5));
/// assert_eq!(SignalIdentityKey::admit(&on_the_wire)?, *alices_key.public());
/// # Ok::<(), undertone::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignalIdentityKey {
    verifying: XeddsaKey,
    agreement: AgreementKey,
}

impl SignalIdentityKey {
    /// The 33 bytes of the wire.
    #[must_use]
    pub fn wire_bytes(&self) -> [u8; PUBLIC_KEY] {
        encode_agreement_key(&self.agreement)
    }

    /// The key as a verifier of signatures.
    #[must_use]
    pub const fn verifying_key(&self) -> &XeddsaKey {
        &self.verifying
    }
}

impl From<XeddsaKey> for SignalIdentityKey {
    fn from(verifying: XeddsaKey) -> Self {
        Self { agreement: verifying.agreement_key(), verifying }
    }
}

impl IdentityKey for SignalIdentityKey {
    /// B7, XE-6: exactly 33 bytes, canonical, of the prime-order subgroup. Official clients take any.
    fn admit(bytes: &[u8]) -> Result<Self> {
        admit_verifying_key(bytes).map(Self::from)
    }

    fn restore(bytes: &[u8]) -> Result<Self> {
        restore_verifying_key(bytes).map(Self::from)
    }

    fn to_bytes(&self) -> Vec<u8> {
        self.wire_bytes().to_vec()
    }

    fn agreement_key(&self) -> &AgreementKey {
        &self.agreement
    }

    fn verify(&self, parts: &[&[u8]], signature: &[u8; 64]) -> Result<()> {
        self.verifying.verify(parts, signature)
    }
}

/// The private identity key: a clamped X25519 scalar.
///
/// ```
/// use undertone::{IdentityKeyPair, SignalIdentityKeyPair};
///
/// let pair = SignalIdentityKeyPair::generate(&mut getrandom::SysRng)?;
/// // The 32 bytes are what an official store holds.
/// assert_eq!(SignalIdentityKeyPair::from_bytes(&*pair.to_bytes())?.public(), pair.public());
/// # Ok::<(), undertone::Error>(())
/// ```
pub struct SignalIdentityKeyPair {
    secret: XeddsaSecret,
    public: SignalIdentityKey,
}

impl SignalIdentityKeyPair {
    fn new(secret: XeddsaSecret) -> Self {
        Self { public: SignalIdentityKey::from(*secret.verifying_key()), secret }
    }
}

impl From<AgreementSecret> for SignalIdentityKeyPair {
    /// The identity of an official store, of which only the scalar is taken over (XE-8).
    fn from(secret: AgreementSecret) -> Self {
        Self::new(XeddsaSecret::new(secret))
    }
}

impl IdentityKeyPair for SignalIdentityKeyPair {
    type Public = SignalIdentityKey;

    fn generate(rng: &mut impl TryCryptoRng) -> Result<Self> {
        XeddsaSecret::generate(rng).map(Self::new)
    }

    fn public(&self) -> &SignalIdentityKey {
        &self.public
    }

    fn agreement_secret(&self) -> &AgreementSecret {
        self.secret.agreement_secret()
    }

    fn sign(&self, _statement: Statement, parts: &[&[u8]], rng: &mut impl TryCryptoRng) -> Result<[u8; 64]> {
        self.secret.sign(parts, rng)
    }

    fn to_bytes(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(*self.agreement_secret().expose())
    }

    fn from_bytes(bytes: &[u8]) -> Result<Self> {
        Ok(AgreementSecret::from_bytes(Secret::from_slice(bytes)?).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{SeedableRng, rngs::StdRng};

    fn pair(byte: u8) -> SignalIdentityKeyPair {
        AgreementSecret::from_bytes(Secret::new([byte; 32])).into()
    }

    #[test]
    fn a_pair_survives_its_record() {
        let pair = pair(7);
        let again = SignalIdentityKeyPair::from_bytes(&*pair.to_bytes()).unwrap();
        assert_eq!(again.public(), pair.public());
        assert!(SignalIdentityKeyPair::from_bytes(&[7; 31]).is_err_and(|error| error.code() == "key.length"));
        assert_eq!(SignalIdentityKey::admit(&pair.public().to_bytes()).unwrap(), *pair.public());
    }

    /// XE-8, B20: what is signed verifies under the key's own public half and no other.
    #[test]
    fn signatures_verify_under_their_key_alone() {
        let signature = pair(7).sign(Statement::Prekey, &[b"label", b"message"], &mut StdRng::seed_from_u64(1)).unwrap();
        assert_eq!(pair(7).public().verify(&[b"labelmessage"], &signature), Ok(()));
        assert_eq!(pair(7).public().verify(&[b"labelmessagE"], &signature).unwrap_err().code(), "signature.invalid");
        assert_eq!(pair(8).public().verify(&[b"labelmessage"], &signature).unwrap_err().code(), "signature.invalid");
    }

    /// B7: what is no key of the prime-order subgroup in 33 bytes of type 5 is refused.
    #[test]
    fn a_malformed_key_is_refused_by_name() {
        let good = pair(7).public().to_bytes();
        let code = |bytes: &[u8]| SignalIdentityKey::admit(bytes).unwrap_err().code();
        assert_eq!(code(&good[..32]), "key.length");
        assert_eq!(code(&[&good[..], &[0]].concat()), "key.length");
        assert_eq!(code(&[&[6], &good[1..]].concat()), "key.type");
        assert_eq!(code(&[&[5][..], &[0; 32]].concat()), "key.low_order");
        let mut high = good.clone();
        high[32] |= 0x80;
        assert_eq!(code(&high), "key.not_canonical");
        // The smallest u that lies on the twist.
        let mut twist = [0; 33];
        (twist[0], twist[1]) = (5, 2);
        assert_eq!(code(&twist), "key.torsion");
    }
}
