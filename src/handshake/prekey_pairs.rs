//! The private halves of prekeys, each with its published form. Records hold seeds and signatures only (K-6).

use crate::crypto::Secret;
use crate::crypto::agreement::AgreementSecret;
use crate::crypto::kem::KemSecret;
use crate::error::{Error, Result};
use crate::handshake::{
    HandshakeProfile, LocalDevice, PrekeyKind, PrekeyTerms, PublishedPrekey, SealingSecret, Validity,
};
use crate::profile::{IdentityKeyPair, Statement};
use crate::wire::{Reader, Writer};
use core::fmt;
use rand_core::TryCryptoRng;

/// A signed prekey: an X25519 pair, and in the native profile the sealing key of first messages.
///
/// ```
/// use undertone::handshake::SignedPrekeyPair;
#[doc = include_str!("../../docs/examples/two_devices.txt")]
///
/// let pair = SignedPrekeyPair::generate(&bob, 7, now, &mut rng)?;
/// assert_eq!((pair.id(), pair.published().id, pair.validity().created), (7, 7, now));
/// # Ok::<(), undertone::Error>(())
/// ```
pub struct SignedPrekeyPair<P: HandshakeProfile> {
    secret: AgreementSecret,
    sealing: P::SealingSecret,
    validity: Validity,
    published: PublishedPrekey,
}

impl<P: HandshakeProfile> SignedPrekeyPair<P> {
    /// A new signed prekey, made at `now` (seconds).
    ///
    /// # Errors
    /// `random.failed`.
    pub fn generate(device: &LocalDevice<'_, P>, id: u32, now: u64, rng: &mut impl TryCryptoRng) -> Result<Self> {
        let secret = AgreementSecret::generate(rng)?;
        let sealing = P::SealingSecret::generate(rng)?;
        let validity = Validity::from(now, true);
        let public = Self::encode_public(&secret, &sealing, validity);
        let published = publish(device, PrekeyKind::Signed, id, public, rng)?;
        Ok(Self { secret, sealing, validity, published })
    }

    /// Its id.
    #[must_use]
    pub const fn id(&self) -> u32 {
        self.published.id
    }

    /// What is uploaded.
    #[must_use]
    pub const fn published(&self) -> &PublishedPrekey {
        &self.published
    }

    /// From when and until when peers may use it.
    #[must_use]
    pub const fn validity(&self) -> Validity {
        self.validity
    }

    /// The X25519 private key, lent to the first step of a responder's session (DR-16).
    #[must_use]
    pub const fn agreement_secret(&self) -> &AgreementSecret {
        &self.secret
    }

    /// What opens the seal of first messages.
    #[must_use]
    pub const fn sealing_secret(&self) -> &P::SealingSecret {
        &self.sealing
    }

    /// Writes the pair for a record.
    pub fn encode(&self, out: &mut Writer) {
        out.u32(self.id());
        encode_validity(self.validity, out);
        out.bytes(self.secret.expose());
        self.sealing.encode(out);
        encode_signature(&self.published, out);
    }

    /// Reads what [`encode`](Self::encode) wrote.
    ///
    /// # Errors
    /// The reader's fault.
    pub fn decode(input: &mut Reader<'_>) -> Result<Self> {
        let id = input.u32()?;
        let validity = decode_validity(input)?;
        let secret = AgreementSecret::from_bytes(input.secret()?);
        let sealing = P::SealingSecret::decode(input)?;
        let public = Self::encode_public(&secret, &sealing, validity);
        let published = PublishedPrekey { id, public, signature: decode_signature::<P>(PrekeyKind::Signed, input)? };
        Ok(Self { secret, sealing, validity, published })
    }

    fn encode_public(secret: &AgreementSecret, sealing: &P::SealingSecret, validity: Validity) -> Vec<u8> {
        let terms = PrekeyTerms { last_resort: false, validity: Some(validity) };
        P::encode_signed_prekey(&secret.public(), sealing, &terms)
    }
}

/// A one-time prekey: an X25519 pair that is erased when used.
///
/// ```
/// use undertone::handshake::OneTimePrekeyPair;
#[doc = include_str!("../../docs/examples/two_devices.txt")]
///
/// let pair = OneTimePrekeyPair::generate(&bob, 7, now, &mut rng)?;
/// assert_eq!((pair.id(), pair.validity().expires), (7, now + 90 * 86_400));
/// # Ok::<(), undertone::Error>(())
/// ```
pub struct OneTimePrekeyPair<P: HandshakeProfile> {
    secret: AgreementSecret,
    validity: Validity,
    published: PublishedPrekey,
    profile: core::marker::PhantomData<P>,
}

impl<P: HandshakeProfile> OneTimePrekeyPair<P> {
    /// A new one-time prekey, made at `now` (seconds).
    ///
    /// # Errors
    /// `random.failed`.
    pub fn generate(device: &LocalDevice<'_, P>, id: u32, now: u64, rng: &mut impl TryCryptoRng) -> Result<Self> {
        let secret = AgreementSecret::generate(rng)?;
        let validity = Validity::from(now, false);
        let public = Self::encode_public(&secret, validity);
        let published = publish(device, PrekeyKind::OneTime, id, public, rng)?;
        Ok(Self { secret, validity, published, profile: core::marker::PhantomData })
    }

    /// Its id.
    #[must_use]
    pub const fn id(&self) -> u32 {
        self.published.id
    }

    /// What is uploaded.
    #[must_use]
    pub const fn published(&self) -> &PublishedPrekey {
        &self.published
    }

    /// From when and until when peers may use it.
    #[must_use]
    pub const fn validity(&self) -> Validity {
        self.validity
    }

    /// The X25519 private key.
    #[must_use]
    pub const fn agreement_secret(&self) -> &AgreementSecret {
        &self.secret
    }

    /// Writes the pair for a record.
    pub fn encode(&self, out: &mut Writer) {
        out.u32(self.id());
        encode_validity(self.validity, out);
        out.bytes(self.secret.expose());
        encode_signature(&self.published, out);
    }

    /// Reads what [`encode`](Self::encode) wrote.
    ///
    /// # Errors
    /// The reader's fault.
    pub fn decode(input: &mut Reader<'_>) -> Result<Self> {
        let id = input.u32()?;
        let validity = decode_validity(input)?;
        let secret = AgreementSecret::from_bytes(input.secret()?);
        let public = Self::encode_public(&secret, validity);
        let published = PublishedPrekey { id, public, signature: decode_signature::<P>(PrekeyKind::OneTime, input)? };
        Ok(Self { secret, validity, published, profile: core::marker::PhantomData })
    }

    fn encode_public(secret: &AgreementSecret, validity: Validity) -> Vec<u8> {
        P::encode_one_time_prekey(&secret.public(), &PrekeyTerms { last_resort: false, validity: Some(validity) })
    }
}

/// A KEM prekey: used once, or kept as the last resort when the one-time ones have run out.
///
/// ```
/// use undertone::handshake::KemPrekeyPair;
#[doc = include_str!("../../docs/examples/two_devices.txt")]
///
/// let pair = KemPrekeyPair::generate(&bob, 7, true, now, &mut rng)?;
/// assert_eq!((pair.is_last_resort(), pair.validity().expires), (true, now + 14 * 86_400));
/// # Ok::<(), undertone::Error>(())
/// ```
pub struct KemPrekeyPair<P: HandshakeProfile> {
    secret: KemSecret<P::Kem>,
    last_resort: bool,
    validity: Validity,
    published: PublishedPrekey,
}

impl<P: HandshakeProfile> KemPrekeyPair<P> {
    /// A new KEM prekey, made at `now` (seconds).
    ///
    /// # Errors
    /// `random.failed`, `key.mismatch`.
    pub fn generate(
        device: &LocalDevice<'_, P>,
        id: u32,
        last_resort: bool,
        now: u64,
        rng: &mut impl TryCryptoRng,
    ) -> Result<Self> {
        let secret = KemSecret::generate(rng)?;
        let validity = Validity::from(now, last_resort);
        let public = Self::encode_public(&secret, last_resort, validity);
        let published = publish(device, PrekeyKind::Kem, id, public, rng)?;
        Ok(Self { secret, last_resort, validity, published })
    }

    /// Its id.
    #[must_use]
    pub const fn id(&self) -> u32 {
        self.published.id
    }

    /// What is uploaded.
    #[must_use]
    pub const fn published(&self) -> &PublishedPrekey {
        &self.published
    }

    /// Whether it may be handed out more than once.
    #[must_use]
    pub const fn is_last_resort(&self) -> bool {
        self.last_resort
    }

    /// From when and until when peers may use it.
    #[must_use]
    pub const fn validity(&self) -> Validity {
        self.validity
    }

    /// The decapsulation key.
    #[must_use]
    pub const fn kem_secret(&self) -> &KemSecret<P::Kem> {
        &self.secret
    }

    /// Writes the pair for a record.
    pub fn encode(&self, out: &mut Writer) {
        out.u32(self.id()).flag(self.last_resort);
        encode_validity(self.validity, out);
        out.bytes(self.secret.seed().expose());
        encode_signature(&self.published, out);
    }

    /// Reads what [`encode`](Self::encode) wrote.
    ///
    /// # Errors
    /// The reader's fault.
    pub fn decode(input: &mut Reader<'_>) -> Result<Self> {
        let id = input.u32()?;
        let last_resort = input.flag()?;
        let validity = decode_validity(input)?;
        let seed: Secret<64> = input.secret()?;
        let secret = KemSecret::from_seed(seed);
        let public = Self::encode_public(&secret, last_resort, validity);
        let published = PublishedPrekey { id, public, signature: decode_signature::<P>(PrekeyKind::Kem, input)? };
        Ok(Self { secret, last_resort, validity, published })
    }

    fn encode_public(secret: &KemSecret<P::Kem>, last_resort: bool, validity: Validity) -> Vec<u8> {
        P::encode_kem_prekey(secret.public(), &PrekeyTerms { last_resort, validity: Some(validity) })
    }
}

/// Shows what is published: never the private half.
macro_rules! debug_by_published {
    ($($pair:ident)*) => { $(
        impl<P: HandshakeProfile> fmt::Debug for $pair<P> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($pair), "({})"), self.id())
            }
        }
    )* };
}

debug_by_published!(SignedPrekeyPair OneTimePrekeyPair KemPrekeyPair);

/// Signs the published form, where the profile signs this kind (PQ-10).
fn publish<P: HandshakeProfile>(
    device: &LocalDevice<'_, P>,
    kind: PrekeyKind,
    id: u32,
    public: Vec<u8>,
    rng: &mut impl TryCryptoRng,
) -> Result<PublishedPrekey> {
    let signature = if P::signs(kind) {
        let signed = P::signed_bytes(kind, device.address, device.registration_id, id, &public);
        Some(device.identity.sign(Statement::Prekey, &[&signed], rng)?)
    } else {
        None
    };
    Ok(PublishedPrekey { id, public, signature })
}

fn encode_validity(validity: Validity, out: &mut Writer) {
    out.u64(validity.created).u64(validity.expires);
}

fn decode_validity(input: &mut Reader<'_>) -> Result<Validity> {
    let validity = Validity { created: input.u64()?, expires: input.u64()? };
    if validity.expires < validity.created {
        return Err(Error::from(input.fault()));
    }
    Ok(validity)
}

fn encode_signature(published: &PublishedPrekey, out: &mut Writer) {
    if let Some(signature) = &published.signature {
        out.bytes(signature);
    }
}

fn decode_signature<P: HandshakeProfile>(kind: PrekeyKind, input: &mut Reader<'_>) -> Result<Option<[u8; 64]>> {
    if P::signs(kind) { input.array().map(|signature| Some(*signature)) } else { Ok(None) }
}
