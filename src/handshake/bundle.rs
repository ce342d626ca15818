//! Prekey bundles: all that an initiator needs to know of a device it has never spoken to.

use crate::crypto::agreement::AgreementKey;
use crate::crypto::kem::KemPublic;
use crate::error::{Fault, Result};
use crate::handshake::{
    HandshakePolicy, HandshakeProfile, HandshakeStrength, PrekeyKind, PrekeyTerms, PublishedPrekey,
};
use crate::profile::{IdentityKey, Suite};
use crate::rule::{self, Rule};
use crate::wire::{Address, Reader, Writer};
use core::fmt;

/// The public keys of one device, parsed and admitted. Its signatures are verified when it is used.
///
/// ```
/// use undertone::{PrekeyBundle, Undertone};
#[doc = include_str!("../../docs/examples/two_devices.txt")]
#[doc = include_str!("../../docs/examples/published_prekeys.txt")]
///
/// let uploaded = bundle.to_bytes();
/// let fetched = PrekeyBundle::<Undertone>::from_bytes(&uploaded)?;
/// assert_eq!((fetched.address, fetched.identity), (bobs.clone(), bobs_key.public().clone()));
/// # Ok::<(), undertone::Error>(())
/// ```
pub struct PrekeyBundle<P: HandshakeProfile> {
    /// The device that the bundle belongs to.
    pub address: Address,
    /// The device's registration id: it changes when the device starts afresh under the same address.
    pub registration_id: u32,
    /// The device's identity key, to be compared with the one that is trusted.
    pub identity: P::IdentityKey,
    signed: Admitted<(AgreementKey, P::SealingKey)>,
    kem: Option<Admitted<KemPublic<P::Kem>>>,
    one_time: Option<Admitted<AgreementKey>>,
}

/// A published prekey and what was read in it.
struct Admitted<K> {
    published: PublishedPrekey,
    key: K,
    terms: PrekeyTerms,
}

/// The keys of a bundle that was verified.
pub(super) struct VerifiedBundle<'a, P: HandshakeProfile> {
    pub suite: Suite,
    pub strength: HandshakeStrength,
    pub signed_prekey: &'a AgreementKey,
    pub sealing: &'a P::SealingKey,
    pub one_time_prekey: Option<&'a AgreementKey>,
    pub kem_prekey: Option<&'a KemPublic<P::Kem>>,
}

impl<P: HandshakeProfile> PrekeyBundle<P> {
    /// A bundle of its parts as they stand on the wire. Every key is admitted here (B7); signatures and dates are looked at when the bundle is used.
    ///
    /// # Errors
    /// `bundle.field` for a part that is malformed; the `key.*` codes.
    ///
    /// # Example
    /// ```
    #[doc = include_str!("../../docs/examples/two_devices.txt")]
    #[doc = include_str!("../../docs/examples/published_prekeys.txt")]
    /// // A server keeps what devices uploaded, and makes a bundle of it for each peer that asks.
    /// let bundle = PrekeyBundle::<Undertone>::from_parts(
    ///     bobs.clone(),
    ///     bob.registration_id,
    ///     &bobs_key.public().to_bytes(),
    ///     prekeys.signed_prekey().expect("there always is one").clone(),
    ///     prekeys.one_time_kem_prekeys().next().or(prekeys.last_resort_prekey()).cloned(),
    ///     prekeys.one_time_prekeys().next().cloned(),
    /// )?;
    /// assert_eq!(bundle.one_time_prekey().map(|prekey| prekey.id), Some(1));
    /// # Ok::<(), undertone::Error>(())
    /// ```
    pub fn from_parts(
        address: Address,
        registration_id: u32,
        identity: &[u8],
        signed_prekey: PublishedPrekey,
        kem_prekey: Option<PublishedPrekey>,
        one_time_prekey: Option<PublishedPrekey>,
    ) -> Result<Self> {
        let identity = P::IdentityKey::admit(identity)?;
        let (key, sealing, terms) = P::parse_signed_prekey(&signed_prekey.public)?;
        let signed = Admitted { published: signed_prekey, key: (key, sealing), terms };
        let kem = kem_prekey
            .map(|published| {
                let (key, terms) = P::parse_kem_prekey(&published.public)?;
                Result::Ok(Admitted { published, key, terms })
            })
            .transpose()?;
        let one_time = one_time_prekey
            .map(|published| {
                let (key, terms) = P::parse_one_time_prekey(&published.public)?;
                Result::Ok(Admitted { published, key, terms })
            })
            .transpose()?;
        Ok(Self { address, registration_id, identity, signed, kem, one_time })
    }

    /// The bundle in bytes (docs/protocol.md, section 3).
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Writer::with_capacity(4096);
        self.address.encode(&mut out);
        out.u32(self.registration_id).bytes(&self.identity.to_bytes());
        write_entry(&self.signed.published, &mut out);
        for optional in [self.kem_prekey(), self.one_time_prekey()] {
            out.flag(optional.is_some());
            if let Some(published) = optional {
                write_entry(published, &mut out);
            }
        }
        out.into_vec()
    }

    /// Reads a bundle that [`to_bytes`](Self::to_bytes) wrote.
    ///
    /// # Errors
    /// As [`from_parts`](Self::from_parts).
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let mut input = Reader::new(bytes, Fault::BundleField);
        let address = Address::decode(&mut input)?;
        let registration_id = input.u32()?;
        let identity = input.bytes(P::IDENTITY_KEY)?;
        let signed = read_entry::<P>(PrekeyKind::Signed, &mut input)?;
        let kem = if input.flag()? { Some(read_entry::<P>(PrekeyKind::Kem, &mut input)?) } else { None };
        let one_time = if input.flag()? { Some(read_entry::<P>(PrekeyKind::OneTime, &mut input)?) } else { None };
        input.finish()?;
        Self::from_parts(address, registration_id, identity, signed, kem, one_time)
    }

    /// The identity key as it stands on the wire.
    #[must_use]
    pub fn identity_bytes(&self) -> Vec<u8> {
        self.identity.to_bytes()
    }

    /// The signed prekey.
    #[must_use]
    pub const fn signed_prekey(&self) -> &PublishedPrekey {
        &self.signed.published
    }

    /// The KEM prekey.
    #[must_use]
    pub fn kem_prekey(&self) -> Option<&PublishedPrekey> {
        self.kem.as_ref().map(|admitted| &admitted.published)
    }

    /// The one-time prekey.
    #[must_use]
    pub fn one_time_prekey(&self) -> Option<&PublishedPrekey> {
        self.one_time.as_ref().map(|admitted| &admitted.published)
    }

    /// The bundle of a device that has no KEM, for a handshake by X3DH.
    ///
    /// ```
    #[doc = include_str!("../../docs/examples/two_devices.txt")]
    #[doc = include_str!("../../docs/examples/published_prekeys.txt")]
    /// let classical = bundle.without_kem_prekey();
    /// let refused = initiate(&alice, &bobs, &classical, policy, now, &mut rng);
    /// assert_eq!(refused.err().map(|error| error.code()), Some("handshake.no_kem"));
    /// let allowing = HandshakePolicy::allow_x3dh_without_post_quantum();
    /// assert_eq!(initiate(&alice, &bobs, &classical, allowing, now, &mut rng)?.suite, Suite::X3dh);
    /// # Ok::<(), undertone::Error>(())
    /// ```
    #[must_use]
    pub fn without_kem_prekey(self) -> Self {
        Self { kem: None, ..self }
    }

    /// The bundle without its one-time prekey, as a server hands it out that has none left.
    ///
    /// ```
    #[doc = include_str!("../../docs/examples/two_devices.txt")]
    #[doc = include_str!("../../docs/examples/published_prekeys.txt")]
    /// assert!(bundle.one_time_prekey().is_some());
    /// assert!(bundle.without_one_time_prekey().one_time_prekey().is_none());
    /// # Ok::<(), undertone::Error>(())
    /// ```
    #[must_use]
    pub fn without_one_time_prekey(self) -> Self {
        Self { one_time: None, ..self }
    }

    /// All that section 3 asks of an initiator before any agreement or encapsulation (X3-4, X3-9, PQ-13, PQ-22).
    pub(super) fn verify(&self, remote: &Address, policy: HandshakePolicy, now: u64) -> Result<VerifiedBundle<'_, P>> {
        if rule::on(Rule::B16) && self.address != *remote {
            return Err(Fault::BundleAddress.into());
        }
        let (suite, strength) = self.suite(policy)?;
        self.check(PrekeyKind::Signed, &self.signed, now)?;
        if let Some(kem) = &self.kem {
            self.check(PrekeyKind::Kem, kem, now)?;
        }
        if let Some(one_time) = &self.one_time {
            self.check(PrekeyKind::OneTime, one_time, now)?;
        }
        let (signed_prekey, sealing) = &self.signed.key;
        Ok(VerifiedBundle {
            suite,
            strength,
            signed_prekey,
            sealing,
            one_time_prekey: self.one_time.as_ref().map(|admitted| &admitted.key),
            kem_prekey: self.kem.as_ref().map(|admitted| &admitted.key),
        })
    }

    /// X3-12, B12: without a KEM prekey there is no handshake, unless the caller named the policy that allows it.
    fn suite(&self, policy: HandshakePolicy) -> Result<(Suite, HandshakeStrength)> {
        match &self.kem {
            // X3-10, B14: whoever empties a device's stock is seen to have done it.
            Some(kem) if kem.terms.last_resort && rule::on(Rule::X310) => {
                Ok((Suite::Pqxdh, HandshakeStrength::LastResort))
            }
            Some(_) => Ok((Suite::Pqxdh, HandshakeStrength::OneTime)),
            None if P::KNOWS_X3DH && (policy.allows_x3dh() || !rule::on(Rule::X312)) => {
                Ok((Suite::X3dh, HandshakeStrength::WithoutPostQuantum))
            }
            None => Err(Fault::NoKem.into()),
        }
    }

    fn check<K>(&self, kind: PrekeyKind, admitted: &Admitted<K>, now: u64) -> Result<()> {
        if rule::on(Rule::Pq13) {
            admitted.published.verify::<P>(kind, &self.identity, &self.address, self.registration_id)?;
        }
        admitted.terms.check(kind, now)
    }
}

impl<P: HandshakeProfile> fmt::Debug for PrekeyBundle<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PrekeyBundle")
            .field("address", &self.address)
            .field("signed_prekey", &self.signed.published)
            .field("kem_prekey", &self.kem_prekey())
            .field("one_time_prekey", &self.one_time_prekey())
            .finish_non_exhaustive()
    }
}

fn write_entry(published: &PublishedPrekey, out: &mut Writer) {
    out.u32(published.id).u32(u32::try_from(published.public.len()).unwrap_or(u32::MAX)).bytes(&published.public);
    if let Some(signature) = &published.signature {
        out.bytes(signature);
    }
}

fn read_entry<P: HandshakeProfile>(kind: PrekeyKind, input: &mut Reader<'_>) -> Result<PublishedPrekey> {
    let id = input.u32()?;
    let public = input.prefixed_long()?.to_vec();
    let signature = if P::signs(kind) { Some(*input.array()?) } else { None };
    Ok(PublishedPrekey { id, public, signature })
}
