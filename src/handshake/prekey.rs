//! Published prekeys: what a device uploads and a peer verifies (docs/protocol.md, section 3).

use crate::error::{Fault, Result};
use crate::handshake::HandshakeProfile;
use crate::profile::IdentityKey;
use crate::wire::Address;
use core::fmt;

/// How far ahead a peer's clock may be, in seconds.
pub const CLOCK_SKEW: u64 = 86_400;
/// The lifetime of signed and last-resort prekeys, in seconds.
pub const ROTATED_LIFETIME: u64 = 14 * 86_400;
/// The lifetime of one-time prekeys, in seconds.
pub const ONE_TIME_LIFETIME: u64 = 90 * 86_400;

/// The three kinds of prekeys. Ids are unique within a kind.
///
/// ```
/// use undertone::handshake::PrekeyKind;
///
/// assert_eq!([PrekeyKind::Signed, PrekeyKind::OneTime, PrekeyKind::Kem].map(PrekeyKind::number), [1, 2, 3]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PrekeyKind {
    /// Replaced regularly; takes part in every handshake.
    Signed,
    /// X25519, used once.
    OneTime,
    /// KEM, used once or as a last resort.
    Kem,
}

impl PrekeyKind {
    /// The number in the signed bytes.
    pub const fn number(self) -> u8 {
        match self {
            Self::Signed => 1,
            Self::OneTime => 2,
            Self::Kem => 3,
        }
    }
}

/// One prekey as it stands on the wire.
///
/// ```
/// use undertone::handshake::{PrekeyKind, PublishedPrekey};
#[doc = include_str!("../../docs/examples/two_devices.txt")]
#[doc = include_str!("../../docs/examples/published_prekeys.txt")]
///
/// // A server may check what a device uploads, and keeps it in three columns.
/// let published = prekeys.signed_prekey().expect("there always is one");
/// published.verify::<Undertone>(PrekeyKind::Signed, bobs_key.public(), &bobs, bob.registration_id)?;
/// let PublishedPrekey { id, public, signature } = published.clone();
/// assert_eq!((id, signature.is_some()), (1, true));
///
/// // The signature is for this place alone.
/// let moved = PublishedPrekey { id: 2, public, signature };
/// let refused = moved.verify::<Undertone>(PrekeyKind::Signed, bobs_key.public(), &bobs, bob.registration_id);
/// assert_eq!(refused.unwrap_err().code(), "signature.invalid");
/// # Ok::<(), undertone::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct PublishedPrekey {
    /// Unique within its kind on its device.
    pub id: u32,
    /// The key material, with what the profile publishes beside it.
    pub public: Vec<u8>,
    /// The identity key's signature; absent on one-time prekeys of the Signal profile.
    pub signature: Option<[u8; 64]>,
}

impl PublishedPrekey {
    /// Verifies the signature of `owner` over this prekey as one of `kind`.
    ///
    /// # Errors
    /// `signature.invalid`; `bundle.field` if there must be a signature and there is none, or the reverse.
    pub fn verify<P: HandshakeProfile>(
        &self,
        kind: PrekeyKind,
        identity: &P::IdentityKey,
        owner: &Address,
        registration_id: u32,
    ) -> Result<()> {
        match (P::signs(kind), &self.signature) {
            (true, Some(signature)) => {
                let signed = P::signed_bytes(kind, owner, registration_id, self.id, &self.public);
                identity.verify(&[&signed], signature)
            }
            (false, None) => Ok(()),
            _ => Err(Fault::BundleField.into()),
        }
    }
}

impl fmt::Debug for PublishedPrekey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublishedPrekey({}, {} bytes)", self.id, self.public.len())
    }
}

/// What a published prekey says about itself.
///
/// ```
/// use undertone::handshake::{PrekeyKind, PrekeyTerms, Validity};
///
/// let now = 1_800_000_000;
/// let terms = PrekeyTerms { last_resort: true, validity: Some(Validity::from(now, true)) };
/// terms.check(PrekeyKind::Kem, now)?;
/// assert_eq!(terms.check(PrekeyKind::Kem, now + 14 * 86_400).unwrap_err().code(), "prekey.expired");
/// # Ok::<(), undertone::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PrekeyTerms {
    /// Whether it may be handed out more than once. Where a profile does not say so, it is assumed (PQ-9).
    pub last_resort: bool,
    /// From when and until when it may be used; `None` in a profile that does not say so.
    pub validity: Option<Validity>,
}

/// From when and until when a prekey may be used, in seconds since 1970.
///
/// ```
/// use undertone::handshake::Validity;
///
/// let (rotated, one_time) = (Validity::from(0, true), Validity::from(0, false));
/// assert_eq!((rotated.expires, one_time.expires), (14 * 86_400, 90 * 86_400));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// The first second.
    pub created: u64,
    /// The first second in which it may not be used any more.
    pub expires: u64,
}

impl Validity {
    /// The validity of a prekey made at `now`.
    pub const fn from(now: u64, is_rotated: bool) -> Self {
        let lifetime = if is_rotated { ROTATED_LIFETIME } else { ONE_TIME_LIFETIME };
        Self { created: now, expires: now.saturating_add(lifetime) }
    }
}

impl PrekeyTerms {
    /// Q-1b, B16: refuses a prekey that is stale, not valid yet, or claims to live longer than its kind does.
    ///
    /// # Errors
    /// `prekey.expired`, `prekey.not_yet_valid`, `bundle.field`.
    pub fn check(&self, kind: PrekeyKind, now: u64) -> Result<()> {
        let Some(Validity { created, expires }) = self.validity else { return Ok(()) };
        let is_rotated = kind == PrekeyKind::Signed || self.last_resort;
        if expires <= created || expires > Validity::from(created, is_rotated).expires {
            return Err(Fault::BundleField.into());
        }
        if created > now.saturating_add(CLOCK_SKEW) {
            return Err(Fault::PrekeyNotYetValid.into());
        }
        if now >= expires {
            return Err(Fault::PrekeyExpired.into());
        }
        Ok(())
    }
}
