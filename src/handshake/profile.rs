//! What the two profiles do differently in a handshake.

use crate::crypto::agreement::AgreementKey;
use crate::crypto::kem::KemPublic;
use crate::error::Result;
use crate::handshake::{FirstMessage, LocalDevice, Offer, PrekeyKind, PrekeyTerms, Prekeys};
use crate::profile::Profile;
use crate::wire::{Address, Reader, Writer};
use rand_core::TryCryptoRng;

/// A profile's prekeys and first messages.
///
/// ```
/// use undertone::handshake::{HandshakeProfile, LocalDevice};
/// use undertone::{Prekeys, Result, Undertone};
#[doc = include_str!("../../docs/examples/two_devices.txt")]
///
/// fn new_prekeys<P: HandshakeProfile>(device: &LocalDevice<'_, P>, now: u64) -> Result<Prekeys<P>> {
///     let mut prekeys = Prekeys::generate(device, now, &mut SysRng)?;
///     prekeys.add_one_time(device, 2, now, &mut SysRng)?;
///     Ok(prekeys)
/// }
/// assert_eq!(new_prekeys::<Undertone>(&bob, now)?.one_time_prekeys().count(), 2);
/// # Ok::<(), undertone::Error>(())
/// ```
pub trait HandshakeProfile: Profile {
    /// Whether a policy can allow X3DH at all.
    const KNOWS_X3DH: bool;
    /// Bytes of an identity key on the wire.
    const IDENTITY_KEY: usize;

    /// What a signed prekey publishes for the seal of first messages; a unit where they are not sealed.
    type SealingKey: SealingKey;
    /// Its private half.
    type SealingSecret: SealingSecret<Public = Self::SealingKey>;

    /// Whether prekeys of this kind are signed.
    fn signs(kind: PrekeyKind) -> bool;

    /// The bytes that the identity key signs for a prekey (PQ-12).
    fn signed_bytes(kind: PrekeyKind, owner: &Address, registration_id: u32, id: u32, public: &[u8]) -> Vec<u8>;

    /// The published form of a signed prekey.
    fn encode_signed_prekey(key: &AgreementKey, sealing: &Self::SealingSecret, terms: &PrekeyTerms) -> Vec<u8>;

    /// The published form of a one-time prekey.
    fn encode_one_time_prekey(key: &AgreementKey, terms: &PrekeyTerms) -> Vec<u8>;

    /// The published form of a KEM prekey.
    fn encode_kem_prekey(key: &KemPublic<Self::Kem>, terms: &PrekeyTerms) -> Vec<u8>;

    /// Reads a published signed prekey and admits its keys.
    ///
    /// # Errors
    /// `bundle.field`, and the `key.*` codes.
    fn parse_signed_prekey(public: &[u8]) -> Result<(AgreementKey, Self::SealingKey, PrekeyTerms)>;

    /// Reads a published one-time prekey and admits its key.
    ///
    /// # Errors
    /// `bundle.field`, and the `key.*` codes.
    fn parse_one_time_prekey(public: &[u8]) -> Result<(AgreementKey, PrekeyTerms)>;

    /// Reads a published KEM prekey and admits its key.
    ///
    /// # Errors
    /// `bundle.field`, and the `key.*` codes.
    fn parse_kem_prekey(public: &[u8]) -> Result<(KemPublic<Self::Kem>, PrekeyTerms)>;

    /// Wraps a session message as a first message to `remote`.
    ///
    /// # Errors
    /// `random.failed`, `request.too_large`.
    fn wrap_first(
        device: &LocalDevice<'_, Self>,
        remote: &Address,
        remote_identity: &Self::IdentityKey,
        offer: &Offer<Self>,
        message: Vec<u8>,
        rng: &mut impl TryCryptoRng,
    ) -> Result<Vec<u8>>;

    /// Reads a first message; where it is sealed, with the signed prekey it names.
    ///
    /// # Errors
    /// The `message.*`, `seal.*` and `key.*` codes; `handshake.no_kem`.
    fn open_first(device: &LocalDevice<'_, Self>, bytes: &[u8], prekeys: &Prekeys<Self>) -> Result<FirstMessage<Self>>;
}

/// The public half of what seals first messages.
///
/// ```
/// use undertone::handshake::{FirstSealKey, SealingKey};
#[doc = include_str!("../../docs/examples/two_devices.txt")]
#[doc = include_str!("../../docs/examples/published_prekeys.txt")]
///
/// fn keep<K: SealingKey>(key: &K) -> K {
///     key.duplicate()
/// }
/// let key: FirstSealKey = initiate(&alice, &bobs, &bundle, policy, now, &mut rng)?.offer.sealing;
/// assert_eq!(keep(&key), key);
/// # Ok::<(), undertone::Error>(())
/// ```
pub trait SealingKey: Sized + Send + Sync {
    /// Writes the key for a record.
    fn encode(&self, out: &mut Writer);

    /// Reads what [`encode`](Self::encode) wrote.
    ///
    /// # Errors
    /// The reader's fault.
    fn decode(input: &mut Reader<'_>) -> Result<Self>;

    /// The key again: it stays in the bundle and goes into the session's offer.
    fn duplicate(&self) -> Self;
}

/// The private half of what seals first messages.
///
/// ```
/// use undertone::handshake::{FirstSealSecret, SealingSecret};
///
/// let secret = FirstSealSecret::generate(&mut getrandom::SysRng)?;
/// assert!(format!("{secret:?}").starts_with("FirstSealSecret"));
/// # Ok::<(), undertone::Error>(())
/// ```
pub trait SealingSecret: Sized + Send + Sync {
    /// The public half.
    type Public: SealingKey;

    /// A new one.
    ///
    /// # Errors
    /// `random.failed`.
    fn generate(rng: &mut impl TryCryptoRng) -> Result<Self>;

    /// Writes the seeds for a record.
    fn encode(&self, out: &mut Writer);

    /// Reads what [`encode`](Self::encode) wrote.
    ///
    /// # Errors
    /// The reader's fault.
    fn decode(input: &mut Reader<'_>) -> Result<Self>;
}
