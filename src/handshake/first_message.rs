//! The first message of a session: the initiator's half of the handshake around a session message, and what the initiator keeps to repeat it.

use crate::crypto::agreement::AgreementKey;
use crate::crypto::kem::{KemCiphertext, KemScheme};
use crate::error::{Error, Result};
use crate::handshake::{HandshakeProfile, LocalDevice, Prekeys, SealingKey};
use crate::profile::Suite;
use crate::wire::{Address, Reader, Writer};
use core::fmt;

/// A first message, unsealed and parsed. Nothing in it is authenticated until the session message inside decrypts.
///
/// ```
/// use undertone::handshake::FirstMessage;
#[doc = include_str!("../../docs/examples/two_devices.txt")]
#[doc = include_str!("../../docs/examples/published_prekeys.txt")]
#[doc = include_str!("../../docs/examples/first_message.txt")]
///
/// // The record to accept it with is that of the address it names; whether it tells the truth, `accept` finds out.
/// let first = FirstMessage::open(&bob, &envelope.bytes, &prekeys)?;
/// assert_eq!((first.address.as_ref(), &first.identity), (Some(&alices), alices_key.public()));
/// assert_eq!((first.signed_prekey_id, first.one_time_prekey_id, first.kem_prekey_id()), (1, Some(1), Some(2)));
/// # Ok::<(), undertone::Error>(())
/// ```
pub struct FirstMessage<P: HandshakeProfile> {
    /// Which handshake it is.
    pub suite: Suite,
    /// The initiator's identity key.
    pub identity: P::IdentityKey,
    /// The initiator's address, in the native profile.
    pub address: Option<Address>,
    /// The initiator's registration id.
    pub registration_id: u32,
    /// The initiator's base key, admitted in full.
    pub base_key: AgreementKey,
    /// The signed prekey it used.
    pub signed_prekey_id: u32,
    /// The one-time prekey it used.
    pub one_time_prekey_id: Option<u32>,
    /// The KEM prekey it used, and the ciphertext to it; `None` in X3DH.
    pub kem: Option<(u32, KemCiphertext<P::Kem>)>,
    /// The session message.
    pub message: Vec<u8>,
}

impl<P: HandshakeProfile> FirstMessage<P> {
    /// Reads a first message to `device`. In the native profile that means to open its seal with one of `prekeys`.
    ///
    /// # Errors
    /// The `message.*` and `key.*` codes of malformed bytes; `seal.unknown_key`, `seal.authentication`; `handshake.no_kem`.
    pub fn open(device: &LocalDevice<'_, P>, bytes: &[u8], prekeys: &Prekeys<P>) -> Result<Self> {
        P::open_first(device, bytes, prekeys)
    }

    /// The id of the KEM prekey.
    #[must_use]
    pub fn kem_prekey_id(&self) -> Option<u32> {
        self.kem.as_ref().map(|(id, _)| *id)
    }
}

impl<P: HandshakeProfile> fmt::Debug for FirstMessage<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FirstMessage")
            .field("suite", &self.suite)
            .field("signed_prekey_id", &self.signed_prekey_id)
            .field("one_time_prekey_id", &self.one_time_prekey_id)
            .field("kem_prekey_id", &self.kem_prekey_id())
            .finish_non_exhaustive()
    }
}

/// What the initiator repeats in every message until the peer answers: any of them may be the first to arrive (SE-7). It holds no secret.
///
/// ```
#[doc = include_str!("../../docs/examples/two_devices.txt")]
#[doc = include_str!("../../docs/examples/published_prekeys.txt")]
/// let offer = initiate(&alice, &bobs, &bundle, policy, now, &mut rng)?.offer;
/// assert_eq!((offer.suite, offer.signed_prekey_id, offer.created), (Suite::Pqxdh, 1, now));
/// # Ok::<(), undertone::Error>(())
/// ```
pub struct Offer<P: HandshakeProfile> {
    /// Which handshake it is.
    pub suite: Suite,
    /// The initiator's base key.
    pub base_key: AgreementKey,
    /// The peer's signed prekey.
    pub signed_prekey_id: u32,
    /// The peer's one-time prekey, if one was used.
    pub one_time_prekey_id: Option<u32>,
    /// The peer's KEM prekey, and the ciphertext to it; `None` in X3DH.
    pub kem: Option<(u32, KemCiphertext<P::Kem>)>,
    /// When the bundle was processed, in seconds.
    pub created: u64,
    /// The key that first messages to the peer are sealed with.
    pub sealing: P::SealingKey,
}

impl<P: HandshakeProfile> Offer<P> {
    /// Writes the offer for a record.
    pub fn encode(&self, out: &mut Writer) {
        out.u8(self.suite.number()).bytes(self.base_key.as_bytes()).u32(self.signed_prekey_id);
        out.flag(self.one_time_prekey_id.is_some()).u32(self.one_time_prekey_id.unwrap_or(0));
        out.flag(self.kem.is_some());
        if let Some((id, ciphertext)) = &self.kem {
            out.u32(*id).bytes(ciphertext.as_bytes());
        }
        out.u64(self.created);
        self.sealing.encode(out);
    }

    /// Reads what [`encode`](Self::encode) wrote.
    ///
    /// # Errors
    /// The reader's fault.
    pub fn decode(input: &mut Reader<'_>) -> Result<Self> {
        let fault = input.fault();
        let suite = Suite::from_number(input.u8()?).ok_or(fault)?;
        let base_key = AgreementKey::admit_ephemeral(input.array::<32>()?).map_err(|_| fault)?;
        let signed_prekey_id = input.u32()?;
        let has_one_time = input.flag()?;
        let one_time_prekey_id = input.u32()?;
        let kem = if input.flag()? {
            let id = input.u32()?;
            Some((id, KemCiphertext::from_slice(input.bytes(P::Kem::CIPHERTEXT)?).map_err(|_| fault)?))
        } else {
            None
        };
        if kem.is_some() != (suite == Suite::Pqxdh) || (!has_one_time && one_time_prekey_id != 0) {
            return Err(Error::from(fault));
        }
        Ok(Self {
            suite,
            base_key,
            signed_prekey_id,
            one_time_prekey_id: has_one_time.then_some(one_time_prekey_id),
            kem,
            created: input.u64()?,
            sealing: P::SealingKey::decode(input)?,
        })
    }
}
