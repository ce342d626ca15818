//! What both profiles ask of an identity key.

use crate::crypto::Zeroizing;
use crate::crypto::agreement::{AgreementKey, AgreementSecret};
use crate::error::Result;
use core::fmt::Debug;
use rand_core::TryCryptoRng;

/// A public identity key: names a device's owner, verifies its prekeys, and takes part in the handshake.
///
/// ```
/// use undertone::{IdentityKey, UndertoneIdentityKey};
#[doc = include_str!("../../docs/examples/two_devices.txt")]
///
/// let on_the_wire = alices_key.public().to_bytes();
/// assert_eq!(UndertoneIdentityKey::admit(&on_the_wire)?, *alices_key.public());
/// assert_eq!(UndertoneIdentityKey::admit(&on_the_wire[1..]).unwrap_err().code(), "key.length");
/// # Ok::<(), undertone::Error>(())
/// ```
pub trait IdentityKey: Clone + PartialEq + Eq + Debug + Send + Sync {
    /// Admits a key as it stands on the wire (B7, T-KEY-ADMIT).
    ///
    /// # Errors
    /// A `key.*` code for a wrong length or type, a key that is not canonical, of low order, or outside the prime-order subgroup.
    fn admit(bytes: &[u8]) -> Result<Self>;

    /// Reads a key out of a session's record, which holds it as a name and came to it after it was admitted: the subgroup is not checked again,
    /// which would be most of the time of reading a session. Any other stored key is admitted.
    ///
    /// # Errors
    /// As [`admit`](Self::admit), but for the subgroup.
    fn restore(bytes: &[u8]) -> Result<Self>;

    /// The key as it stands on the wire.
    fn to_bytes(&self) -> Vec<u8>;

    /// Its X25519 form.
    fn agreement_key(&self) -> &AgreementKey;

    /// Verifies a signature over the concatenation of `parts`, strictly.
    ///
    /// # Errors
    /// `signature.invalid`.
    fn verify(&self, parts: &[&[u8]], signature: &[u8; 64]) -> Result<()>;
}

/// What an identity key signs: these kinds of statements and no others, each with a form that no other has. Applications cannot name this
/// type, and so cannot have the key sign bytes of theirs (XE-7). The same key agrees on secrets in the handshake, which is safe only while no one else
/// chooses what it signs (B5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Statement {
    /// A prekey of this device.
    Prekey,
    /// A change of the account's device list, by the account key.
    DeviceList,
    /// That the device is the one that an account adds to its list.
    Device,
    /// That the device is the one that connects to a server.
    Login,
    /// A certificate of sealed sender, by a key that is a server's or a trust root's.
    #[cfg(feature = "signal")]
    Certificate,
}

/// The private half of an [`IdentityKey`].
///
/// ```
/// use undertone::{IdentityKeyPair, UndertoneIdentityKeyPair};
///
/// let pair = UndertoneIdentityKeyPair::generate(&mut getrandom::SysRng)?;
/// let stored = pair.to_bytes();
/// assert_eq!(UndertoneIdentityKeyPair::from_bytes(&*stored)?.public(), pair.public());
/// # Ok::<(), undertone::Error>(())
/// ```
pub trait IdentityKeyPair: Send + Sync {
    /// The public half.
    type Public: IdentityKey;

    /// A new key pair.
    ///
    /// # Errors
    /// `random.failed`.
    fn generate(rng: &mut impl TryCryptoRng) -> Result<Self>
    where
        Self: Sized;

    /// The public half.
    fn public(&self) -> &Self::Public;

    /// The X25519 private key for the handshake.
    fn agreement_secret(&self) -> &AgreementSecret;

    /// Signs the concatenation of `parts` as a statement of its kind. The public key is never taken from outside (XE-8, B20).
    ///
    /// # Errors
    /// `random.failed`.
    fn sign(&self, statement: Statement, parts: &[&[u8]], rng: &mut impl TryCryptoRng) -> Result<[u8; 64]>
    where
        Self: Sized;

    /// The private key as 32 bytes, for a store that seals them.
    fn to_bytes(&self) -> Zeroizing<[u8; 32]>;

    /// The key pair of a private key that [`to_bytes`](Self::to_bytes) gave.
    ///
    /// # Errors
    /// `key.length`.
    fn from_bytes(bytes: &[u8]) -> Result<Self>
    where
        Self: Sized;
}
