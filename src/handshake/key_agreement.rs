//! PQXDH and X3DH (docs/protocol.md, sections 4.1 and 4.3; PQXDH revision 3, X3DH revision 1).

use crate::crypto::Secret;
use crate::crypto::agreement::{AgreementKey, AgreementSecret};
use crate::error::{Fault, Result};
use crate::handshake::transcript::{KemUse, Transcript, TranscriptParty};
use crate::handshake::{
    FirstMessage, HandshakePolicy, HandshakeProfile, HandshakeStrength, KemPrekeyPair, Offer, OneTimePrekeyPair,
    PrekeyBundle, PublishedPrekey, SealingKey, SignedPrekeyPair,
};
use crate::profile::{HandshakeSecrets, IdentityKey, IdentityKeyPair, Profile, Suite};
use crate::rule::{self, Rule};
use crate::wire::Address;
use rand_core::TryCryptoRng;

/// The device that this program runs on.
///
/// ```
/// use undertone::handshake::LocalDevice;
/// use undertone::{Address, IdentityKeyPair, Prekeys, Undertone, UndertoneIdentityKeyPair};
///
/// # let (now, mut rng) = (1_800_000_000, getrandom::SysRng);
/// let (identity, address) = (UndertoneIdentityKeyPair::generate(&mut rng)?, Address::new("alice", 1)?);
/// let device = LocalDevice::<Undertone> { identity: &identity, address: &address, registration_id: 4711 };
/// let bundle = Prekeys::generate(&device, now, &mut rng)?.bundle(&device, false)?;
/// assert_eq!((bundle.identity, bundle.registration_id), (identity.public().clone(), 4711));
/// # Ok::<(), undertone::Error>(())
/// ```
pub struct LocalDevice<'a, P: Profile> {
    /// Its identity key.
    pub identity: &'a P::IdentityKeyPair,
    /// Its address.
    pub address: &'a Address,
    /// Its registration id: a new one whenever the device starts afresh under the same address.
    pub registration_id: u32,
}

impl<P: Profile> Clone for LocalDevice<'_, P> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<P: Profile> Copy for LocalDevice<'_, P> {}

/// What [`initiate`] gives.
///
/// ```
/// use undertone::handshake::{HandshakeStrength, Initiation, initiate};
#[doc = include_str!("../../docs/examples/two_devices.txt")]
#[doc = include_str!("../../docs/examples/published_prekeys.txt")]
///
/// let Initiation { strength, offer, .. } = initiate(&alice, &bobs, &bundle, policy, now, &mut rng)?;
/// assert_eq!((strength, offer.one_time_prekey_id), (HandshakeStrength::OneTime, Some(1)));
/// # Ok::<(), undertone::Error>(())
/// ```
pub struct Initiation<P: HandshakeProfile> {
    /// The secrets of the session.
    pub secrets: HandshakeSecrets<P>,
    /// Which handshake was made.
    pub suite: Suite,
    /// How strong it is.
    pub strength: HandshakeStrength,
    /// The peer's first ratchet key: its signed prekey.
    pub their_ratchet_key: AgreementKey,
    /// What every message says until the peer answers.
    pub offer: Offer<P>,
}

/// The prekeys that a first message names, as [`Prekeys::lookup`](crate::handshake::Prekeys::lookup) or an application's own store finds them.
///
/// ```
/// use undertone::handshake::AcceptingPrekeys;
#[doc = include_str!("../../docs/examples/two_devices.txt")]
#[doc = include_str!("../../docs/examples/published_prekeys.txt")]
#[doc = include_str!("../../docs/examples/first_message.txt")]
///
/// let AcceptingPrekeys { signed, one_time, kem } = prekeys.lookup(&first)?;
/// assert_eq!((signed.id(), one_time.map(|pair| pair.id()), kem.map(|pair| pair.id())), (1, Some(1), Some(2)));
/// # Ok::<(), undertone::Error>(())
/// ```
pub struct AcceptingPrekeys<'a, P: HandshakeProfile> {
    /// The signed prekey.
    pub signed: &'a SignedPrekeyPair<P>,
    /// The one-time prekey, if the message names one.
    pub one_time: Option<&'a OneTimePrekeyPair<P>>,
    /// The KEM prekey, if the message names one.
    pub kem: Option<&'a KemPrekeyPair<P>>,
}

/// What [`accept`] gives. It is worth nothing until the session message inside the first message decrypts.
///
/// ```
/// use undertone::handshake::{HandshakeStrength, accept};
#[doc = include_str!("../../docs/examples/two_devices.txt")]
#[doc = include_str!("../../docs/examples/published_prekeys.txt")]
#[doc = include_str!("../../docs/examples/first_message.txt")]
///
/// let acceptance = accept(&bob, &first, &prekeys.lookup(&first)?, policy)?;
/// assert_eq!((acceptance.suite, acceptance.strength), (Suite::Pqxdh, HandshakeStrength::OneTime));
/// # Ok::<(), undertone::Error>(())
/// ```
pub struct Acceptance<P: HandshakeProfile> {
    /// The secrets of the session.
    pub secrets: HandshakeSecrets<P>,
    /// Which handshake was made.
    pub suite: Suite,
    /// How strong it is.
    pub strength: HandshakeStrength,
}

/// Begins a session with the device at `remote`, which published `bundle`. `now` is in seconds.
///
/// Everything in the bundle is verified before anything of it is used (X3-4, PQ-13).
///
/// # Errors
/// `session.self`, `bundle.address`, `bundle.field`, `handshake.no_kem`, `signature.invalid`, `prekey.expired`, `prekey.not_yet_valid`, `key.agreement_zero`,
/// `random.failed`.
///
/// # Example
/// ```
/// use undertone::handshake::initiate;
#[doc = include_str!("../../docs/examples/two_devices.txt")]
#[doc = include_str!("../../docs/examples/published_prekeys.txt")]
///
/// assert!(initiate(&alice, &bobs, &bundle, policy, now, &mut rng).is_ok());
/// // Nobody else is reached with it, and nobody is after it has expired.
/// let other = initiate(&alice, &Address::new("carol", 1)?, &bundle, policy, now, &mut rng);
/// assert_eq!(other.err().map(|error| error.code()), Some("bundle.address"));
/// let late = initiate(&alice, &bobs, &bundle, policy, now + 15 * 86_400, &mut rng);
/// assert_eq!(late.err().map(|error| error.code()), Some("prekey.expired"));
/// # Ok::<(), undertone::Error>(())
/// ```
pub fn initiate<P: HandshakeProfile>(
    local: &LocalDevice<'_, P>,
    remote: &Address,
    bundle: &PrekeyBundle<P>,
    policy: HandshakePolicy,
    now: u64,
    rng: &mut impl TryCryptoRng,
) -> Result<Initiation<P>> {
    if local.address == remote {
        return Err(Fault::SelfAddress.into());
    }
    let verified = bundle.verify(remote, policy, now)?;
    let base = AgreementSecret::generate(rng)?;
    let base_key = base.public();
    let their_identity = bundle.identity.agreement_key();
    let agreements = Agreements {
        identity_to_signed: local.identity.agreement_secret().agree(verified.signed_prekey)?,
        base_to_identity: base.agree(their_identity)?,
        base_to_signed: base.agree(verified.signed_prekey)?,
        base_to_one_time: verified.one_time_prekey.map(|key| base.agree(key)).transpose()?,
    };
    let kem = match (verified.kem_prekey, bundle.kem_prekey()) {
        (Some(key), Some(published)) => {
            let (ciphertext, shared) = key.encapsulate(rng)?;
            Some((published, ciphertext, shared))
        }
        _ => None,
    };
    let transcript = Transcript {
        suite: verified.suite,
        initiator: TranscriptParty {
            identity: &local.identity.public().to_bytes(),
            address: &local.address.to_bytes(),
            registration_id: local.registration_id,
        },
        responder: TranscriptParty {
            identity: &bundle.identity.to_bytes(),
            address: &bundle.address.to_bytes(),
            registration_id: bundle.registration_id,
        },
        signed_prekey: id_and_public(bundle.signed_prekey()),
        one_time_prekey: bundle.one_time_prekey().map(id_and_public),
        base_key: base_key.as_bytes(),
        kem: kem.as_ref().map(|(published, ciphertext, _)| KemUse {
            id: published.id,
            public: &published.public,
            ciphertext: ciphertext.as_bytes(),
        }),
    };
    let shared = kem.as_ref().map(|(_, _, shared)| shared);
    let secrets = agreements.derive::<P>(shared, &transcript);
    Ok(Initiation {
        secrets,
        suite: verified.suite,
        strength: verified.strength,
        their_ratchet_key: *verified.signed_prekey,
        offer: Offer {
            suite: verified.suite,
            base_key,
            signed_prekey_id: bundle.signed_prekey().id,
            one_time_prekey_id: bundle.one_time_prekey().map(|prekey| prekey.id),
            kem: kem.map(|(published, ciphertext, _)| (published.id, ciphertext)),
            created: now,
            sealing: verified.sealing.duplicate(),
        },
    })
}

/// The other end of [`initiate`]: the secrets of the session that `first` offers. Nothing is changed and nothing is used up.
///
/// # Errors
/// `handshake.x3dh_not_allowed`, `handshake.no_kem`, `message.reflected`, `message.field`, `prekey.unknown_*` if `prekeys` are not the ones named,
/// `key.agreement_zero`.
///
/// # Example
/// ```
/// use undertone::handshake::accept;
#[doc = include_str!("../../docs/examples/two_devices.txt")]
#[doc = include_str!("../../docs/examples/published_prekeys.txt")]
#[doc = include_str!("../../docs/examples/first_message.txt")]
///
/// accept(&bob, &first, &prekeys.lookup(&first)?, policy)?;
/// // What it rests on is gone once the first message has been read.
/// prekeys.consume(&first)?;
/// assert_eq!(prekeys.lookup(&first).err().map(|error| error.code()), Some("prekey.unknown_one_time"));
/// # Ok::<(), undertone::Error>(())
/// ```
pub fn accept<P: HandshakeProfile>(
    local: &LocalDevice<'_, P>,
    first: &FirstMessage<P>,
    prekeys: &AcceptingPrekeys<'_, P>,
    policy: HandshakePolicy,
) -> Result<Acceptance<P>> {
    check_suite(first, policy)?;
    check_prekeys(first, prekeys)?;
    if first.address.as_ref() == Some(local.address) {
        return Err(Fault::MessageReflected.into());
    }
    let signed = prekeys.signed.agreement_secret();
    let agreements = Agreements {
        identity_to_signed: signed.agree(first.identity.agreement_key())?,
        base_to_identity: local.identity.agreement_secret().agree(&first.base_key)?,
        base_to_signed: signed.agree(&first.base_key)?,
        base_to_one_time: prekeys.one_time.map(|pair| pair.agreement_secret().agree(&first.base_key)).transpose()?,
    };
    let kem = prekeys.kem.zip(first.kem.as_ref()).map(|(pair, (_, ciphertext))| (pair, ciphertext));
    let shared = kem.map(|(pair, ciphertext)| pair.kem_secret().decapsulate(ciphertext));
    let transcript = Transcript {
        suite: first.suite,
        initiator: TranscriptParty {
            identity: &first.identity.to_bytes(),
            address: &first.address.as_ref().map(Address::to_bytes).unwrap_or_default(),
            registration_id: first.registration_id,
        },
        responder: TranscriptParty {
            identity: &local.identity.public().to_bytes(),
            address: &local.address.to_bytes(),
            registration_id: local.registration_id,
        },
        signed_prekey: id_and_public(prekeys.signed.published()),
        one_time_prekey: prekeys.one_time.map(|pair| id_and_public(pair.published())),
        base_key: first.base_key.as_bytes(),
        kem: kem.map(|(pair, ciphertext)| KemUse {
            id: pair.id(),
            public: &pair.published().public,
            ciphertext: ciphertext.as_bytes(),
        }),
    };
    let strength = match prekeys.kem {
        Some(pair) if pair.is_last_resort() => HandshakeStrength::LastResort,
        Some(_) => HandshakeStrength::OneTime,
        None => HandshakeStrength::WithoutPostQuantum,
    };
    Ok(Acceptance { secrets: agreements.derive::<P>(shared.as_ref(), &transcript), suite: first.suite, strength })
}

/// The Diffie-Hellman results, DH1 to DH4, each of them checked (PQ-14) and none but DH4 ever absent (X3-9); they are wiped on drop (X3-5, PQ-15).
///
/// DH1 is what a thief of the responder's identity key lacks who writes to him in another's name: it takes the initiator's identity key or the signed prekey
/// (B17). With the latter he has it too, which is why signed prekeys are replaced and erased (PQ-11).
struct Agreements {
    identity_to_signed: Secret<32>,
    base_to_identity: Secret<32>,
    base_to_signed: Secret<32>,
    /// Absent when the peer's stock had run out (PQ-24).
    base_to_one_time: Option<Secret<32>>,
}

impl Agreements {
    fn derive<P: HandshakeProfile>(
        &self,
        shared: Option<&Secret<32>>,
        transcript: &Transcript<'_>,
    ) -> HandshakeSecrets<P> {
        let agreed = [&self.identity_to_signed, &self.base_to_identity, &self.base_to_signed];
        let secrets: Vec<&[u8]> = agreed
            .into_iter()
            .chain(&self.base_to_one_time)
            .chain(shared)
            .map(|secret| secret.expose().as_slice())
            .collect();
        P::handshake_secrets(transcript.suite, &secrets, &transcript.encode())
    }
}

/// X3-12, B12: a first message without a KEM is as little welcome as a bundle without one.
fn check_suite<P: HandshakeProfile>(first: &FirstMessage<P>, policy: HandshakePolicy) -> Result<()> {
    match (first.suite, &first.kem) {
        (Suite::Pqxdh, Some(_)) => Ok(()),
        (Suite::Pqxdh, None) => Err(Fault::NoKem.into()),
        (Suite::X3dh, _) if !P::KNOWS_X3DH => Err(Fault::NoKem.into()),
        (Suite::X3dh, Some(_)) => Err(Fault::MessageField.into()),
        (Suite::X3dh, None) if policy.allows_x3dh() || !rule::on(Rule::X312) => Ok(()),
        (Suite::X3dh, None) => Err(Fault::X3dhNotAllowed.into()),
    }
}

/// An application's own store may hand over other prekeys than the message names.
fn check_prekeys<P: HandshakeProfile>(first: &FirstMessage<P>, prekeys: &AcceptingPrekeys<'_, P>) -> Result<()> {
    if prekeys.signed.id() != first.signed_prekey_id {
        return Err(Fault::UnknownSignedPrekey.into());
    }
    if prekeys.one_time.map(OneTimePrekeyPair::id) != first.one_time_prekey_id {
        return Err(Fault::UnknownOneTimePrekey.into());
    }
    if prekeys.kem.map(KemPrekeyPair::id) != first.kem_prekey_id() {
        return Err(Fault::UnknownKemPrekey.into());
    }
    Ok(())
}

fn id_and_public(published: &PublishedPrekey) -> (u32, &[u8]) {
    (published.id, &published.public)
}
