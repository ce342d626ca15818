//! The native identity key: one Ed25519 key pair, whose X25519 form takes part in the handshake.

use crate::crypto::agreement::{AgreementKey, AgreementSecret};
use crate::crypto::ed25519::{SigningSecret, VerifyingKey};
use crate::crypto::{Secret, Zeroizing};
use crate::error::Result;
use crate::profile::{IdentityKey, IdentityKeyPair, Statement};
use rand_core::TryCryptoRng;

/// A public identity key: 32 bytes, an Ed25519 key of the prime-order subgroup, whose X25519 form agrees (XE-10).
///
/// ```
/// use undertone::{DidKey, IdentityKey, UndertoneIdentityKey};
///
/// let did: DidKey = "did:key:z6MkiTBz1ymuepAQ4HEHYSF1H8quG5GLVVQR3djdX3mDooWp".parse()?;
/// let key = UndertoneIdentityKey::admit(did.identity_key().as_bytes())?;
/// assert_eq!(DidKey::new(key), did);
/// # Ok::<(), undertone::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UndertoneIdentityKey {
    verifying: VerifyingKey,
    agreement: AgreementKey,
}

impl UndertoneIdentityKey {
    /// The 32 bytes of the Ed25519 key.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        self.verifying.as_bytes()
    }

    fn new(verifying: VerifyingKey) -> Self {
        Self { agreement: verifying.agreement_key(), verifying }
    }
}

impl IdentityKey for UndertoneIdentityKey {
    fn admit(bytes: &[u8]) -> Result<Self> {
        VerifyingKey::admit(bytes).map(Self::new)
    }

    fn restore(bytes: &[u8]) -> Result<Self> {
        VerifyingKey::restore(bytes).map(Self::new)
    }

    fn to_bytes(&self) -> Vec<u8> {
        self.as_bytes().to_vec()
    }

    fn agreement_key(&self) -> &AgreementKey {
        &self.agreement
    }

    fn verify(&self, parts: &[&[u8]], signature: &[u8; 64]) -> Result<()> {
        self.verifying.verify(parts, signature)
    }
}

/// The private identity key, kept as its 32-byte seed.
///
/// ```
/// use undertone::{DidKey, IdentityKeyPair, UndertoneIdentityKeyPair};
///
/// // The seed 00…00 of the did:key test vectors. A key of one's own comes from `generate`.
/// let pair = UndertoneIdentityKeyPair::from_bytes(&[0; 32])?;
/// let name = DidKey::new(pair.public().clone()).to_string();
/// assert_eq!(name, "did:key:z6MkiTBz1ymuepAQ4HEHYSF1H8quG5GLVVQR3djdX3mDooWp");
/// assert_eq!(*pair.to_bytes(), [0; 32]);
/// # Ok::<(), undertone::Error>(())
/// ```
pub struct UndertoneIdentityKeyPair {
    secret: SigningSecret,
    public: UndertoneIdentityKey,
}

impl UndertoneIdentityKeyPair {
    fn new(secret: SigningSecret) -> Self {
        Self { public: UndertoneIdentityKey::new(*secret.verifying_key()), secret }
    }

    /// [`sign`](IdentityKeyPair::sign) without the randomness that Ed25519 does not need.
    pub(crate) fn sign_statement(&self, _statement: Statement, parts: &[&[u8]]) -> [u8; 64] {
        self.secret.sign(parts)
    }
}

impl IdentityKeyPair for UndertoneIdentityKeyPair {
    type Public = UndertoneIdentityKey;

    fn generate(rng: &mut impl TryCryptoRng) -> Result<Self> {
        SigningSecret::generate(rng).map(Self::new)
    }

    fn public(&self) -> &UndertoneIdentityKey {
        &self.public
    }

    fn agreement_secret(&self) -> &AgreementSecret {
        self.secret.agreement_secret()
    }

    fn sign(&self, statement: Statement, parts: &[&[u8]], _rng: &mut impl TryCryptoRng) -> Result<[u8; 64]> {
        Ok(self.sign_statement(statement, parts))
    }

    fn to_bytes(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(*self.secret.seed().expose())
    }

    fn from_bytes(bytes: &[u8]) -> Result<Self> {
        Ok(Self::new(SigningSecret::from_seed(Secret::from_slice(bytes)?)))
    }
}
