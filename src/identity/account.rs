//! The key of an account, which signs its device list and nothing else.

use crate::crypto::Zeroizing;
use crate::error::Result;
use crate::identity::DidKey;
use crate::profile::{IdentityKey, IdentityKeyPair, Statement, UndertoneIdentityKey, UndertoneIdentityKeyPair};
use core::fmt;
use rand_core::TryCryptoRng;

/// The public key of an account: what a contact pins, what a safety number compares, and what every statement of the account's device list is signed with.
///
/// It is a type of its own, so that it is never taken for the identity key of a device (B50).
///
/// ```
/// use undertone::identity::{AccountKey, AccountKeyPair};
///
/// let pair = AccountKeyPair::generate(&mut getrandom::SysRng)?;
/// let on_the_wire = pair.public().to_bytes();
/// assert_eq!(AccountKey::admit(&on_the_wire)?, *pair.public());
/// assert!(pair.public().did().to_string().starts_with("did:key:z6Mk"));
/// # Ok::<(), undertone::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct AccountKey(UndertoneIdentityKey);

impl AccountKey {
    /// Admits a key as it stands on the wire: 32 bytes.
    ///
    /// # Errors
    /// `key.length`, `key.not_canonical`, `key.low_order`, `key.torsion`.
    pub fn admit(bytes: &[u8]) -> Result<Self> {
        UndertoneIdentityKey::admit(bytes).map(Self)
    }

    /// The 32 bytes of the Ed25519 key.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; 32] {
        *self.as_bytes()
    }

    /// The 32 bytes of the Ed25519 key.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }

    /// The account's name for machines.
    #[must_use]
    pub fn did(&self) -> DidKey {
        DidKey::new(self.0.clone())
    }

    /// The key as a [`Fingerprint`](crate::Fingerprint) takes it: what a safety number compares are account keys.
    #[must_use]
    pub fn fingerprint_key(&self) -> &UndertoneIdentityKey {
        &self.0
    }

    /// Verifies a signature over the concatenated `parts`.
    pub(super) fn verify(&self, parts: &[&[u8]], signature: &[u8; 64]) -> Result<()> {
        self.0.verify(parts, signature)
    }
}

impl fmt::Debug for AccountKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AccountKey({})", self.did())
    }
}

/// The private key of an account. The account's first device holds it.
///
/// XE-7: it signs statements of a [`DeviceList`](crate::identity::DeviceList) and cannot be made to sign anything else; it is no identity key of a device and takes part
/// in no handshake.
///
/// ```
/// use undertone::identity::AccountKeyPair;
///
/// let pair = AccountKeyPair::generate(&mut getrandom::SysRng)?;
/// let stored = pair.to_bytes();
/// assert_eq!(AccountKeyPair::from_bytes(&*stored)?.public(), pair.public());
/// assert_eq!(AccountKeyPair::from_bytes(&stored[1..]).unwrap_err().code(), "key.length");
/// # Ok::<(), undertone::Error>(())
/// ```
pub struct AccountKeyPair {
    pair: UndertoneIdentityKeyPair,
    public: AccountKey,
}

impl AccountKeyPair {
    /// A new key pair.
    ///
    /// # Errors
    /// `random.failed`.
    pub fn generate(rng: &mut impl TryCryptoRng) -> Result<Self> {
        UndertoneIdentityKeyPair::generate(rng).map(Self::new)
    }

    /// The public half.
    #[must_use]
    pub const fn public(&self) -> &AccountKey {
        &self.public
    }

    /// The private key as 32 bytes, for a store that seals them.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<[u8; 32]> {
        self.pair.to_bytes()
    }

    /// The key pair of a private key that [`to_bytes`](Self::to_bytes) gave.
    ///
    /// # Errors
    /// `key.length`.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        UndertoneIdentityKeyPair::from_bytes(bytes).map(Self::new)
    }

    /// Signs the concatenated `parts` of a statement of a device list.
    pub(super) fn sign_statement(&self, parts: &[&[u8]]) -> [u8; 64] {
        self.pair.sign_statement(Statement::DeviceList, parts)
    }

    fn new(pair: UndertoneIdentityKeyPair) -> Self {
        Self { public: AccountKey(pair.public().clone()), pair }
    }
}

impl fmt::Debug for AccountKeyPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AccountKeyPair({:?}, ..)", self.public)
    }
}
