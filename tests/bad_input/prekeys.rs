//! Prekeys and bundles.

use crate::session_world::{BOB, DAY, NOW, Person, strangers};
use crate::{NO_KEM, refused, told};
use undertone::handshake::{FirstMessage, HandshakePolicy, HandshakeProfile, LocalDevice, PublishedPrekey};
use undertone::{EnvelopeKind, ErrorKind, PrekeyBundle, Signal, TrustedIdentity, Undertone};

/// Wrong signatures: on each kind of prekey, changed in R, in s, or missing; and the signature of another identity.
#[test]
fn wrong_signatures() {
    fn check<P: HandshakeProfile>(seed: u64) {
        let (mut alice, bob) = strangers::<P>(seed);
        let bundle = bob.prekeys.bundle(&bob.local(), true).unwrap();
        let parts = || {
            (
                bundle.signed_prekey().clone(),
                bundle.kem_prekey().unwrap().clone(),
                bundle.one_time_prekey().unwrap().clone(),
            )
        };
        let mut begin = |(signed, kem, one_time): (PublishedPrekey, PublishedPrekey, PublishedPrekey)| {
            let identity = bundle.identity_bytes();
            let changed =
                PrekeyBundle::<P>::from_parts(bob.address.clone(), 77, &identity, signed, Some(kem), Some(one_time))?;
            let local = LocalDevice { identity: &alice.identity, address: &alice.address, registration_id: 77 };
            let (policy, any) = (HandshakePolicy::default(), TrustedIdentity::FirstUse);
            alice.record.initiate(&local, &changed, &any, policy, NOW, &mut alice.rng)
        };
        let invalid = (ErrorKind::InvalidSignature, "signature.invalid");
        for at in [0, 31, 32, 62] {
            let mut changed = parts();
            changed.0.signature.as_mut().unwrap()[at] ^= 1;
            assert_eq!(told(begin(changed)), invalid);
            let mut changed = parts();
            changed.1.signature.as_mut().unwrap()[at] ^= 1;
            assert_eq!(told(begin(changed)), invalid);
            let mut changed = parts();
            if let Some(signature) = changed.2.signature.as_mut() {
                signature[at] ^= 1;
                assert_eq!(told(begin(changed)), invalid);
            }
        }
        let mut unsigned = parts();
        unsigned.0.signature = None;
        assert_eq!(told(begin(unsigned)), (ErrorKind::InvalidMessage, "bundle.field"));
        let (_, other) = strangers::<P>(seed + 9);
        let mut foreign = parts();
        foreign.0 = other.prekeys.signed_prekey().unwrap().clone();
        assert_eq!(told(begin(foreign)), invalid);
        begin(parts()).unwrap();
        assert_eq!(alice.record.status().unwrap().archived, 0, "nothing began before");
    }
    check::<Undertone>(216);
    check::<Signal>(220);
}

/// Unknown prekeys: each kind has its own code, and so has a seal for an unknown key. Nothing is used up.
#[test]
fn unknown_prekeys() {
    fn check<P: HandshakeProfile>(seed: u64) {
        let (mut alice, mut bob) = strangers::<P>(seed);
        alice.begin(&bob).unwrap();
        let sent = alice.write(b"text").unwrap();
        let before = bob.state();
        let unknown = |change: fn(&mut FirstMessage<P>), bob: &mut Person<P>| {
            let mut first = FirstMessage::open(&bob.local(), &sent.bytes, &bob.prekeys).unwrap();
            change(&mut first);
            let local = LocalDevice { identity: &bob.identity, address: &bob.address, registration_id: 77 };
            let (policy, any) = (HandshakePolicy::default(), TrustedIdentity::FirstUse);
            told(bob.record.accept(&local, &first, &mut bob.prekeys, &any, policy, NOW))
        };
        let kind = ErrorKind::UnknownPrekey;
        assert_eq!(unknown(|first| first.signed_prekey_id += 9, &mut bob), (kind, "prekey.unknown_signed"));
        assert_eq!(unknown(|first| first.one_time_prekey_id = Some(999), &mut bob), (kind, "prekey.unknown_one_time"));
        assert_eq!(unknown(|first| first.kem.as_mut().unwrap().0 += 99, &mut bob), (kind, "prekey.unknown_kem"));
        assert_eq!(bob.state(), before);
        assert_eq!(bob.read(&sent).unwrap().plaintext, b"text");
    }
    check::<Undertone>(224);
    check::<Signal>(226);
    let (mut alice, mut bob) = strangers::<Undertone>(228);
    alice.begin(&bob).unwrap();
    let mut sent = alice.write(b"text").unwrap().bytes;
    sent[4] ^= 0x40;
    refused(&mut bob, EnvelopeKind::First, &sent, (ErrorKind::UnknownPrekey, "seal.unknown_key"));
    sent[4] ^= 0x40;
    sent[1200] ^= 1;
    refused(&mut bob, EnvelopeKind::First, &sent, (ErrorKind::InvalidMessage, "seal.authentication"));
}

/// Bundles that are stale, not valid yet, or another device's; without a KEM prekey.
#[test]
fn bad_bundles() {
    let (mut alice, bob) = strangers::<Undertone>(230);
    let begin = |alice: &mut Person, bundle: &PrekeyBundle<Undertone>, now| {
        let local = LocalDevice { identity: &alice.identity, address: &alice.address, registration_id: 77 };
        let any = TrustedIdentity::FirstUse;
        alice.record.initiate(&local, bundle, &any, HandshakePolicy::default(), now, &mut alice.rng)
    };
    let bundle = || bob.prekeys.bundle(&bob.local(), true).unwrap();
    assert_eq!(told(begin(&mut alice, &bundle(), NOW + 15 * DAY)), (ErrorKind::Expired, "prekey.expired"));
    assert_eq!(told(begin(&mut alice, &bundle(), NOW - 2 * DAY)), (ErrorKind::Expired, "prekey.not_yet_valid"));
    assert_eq!(told(begin(&mut alice, &bundle().without_kem_prekey(), NOW)), NO_KEM);
    let tablet = Person::<Undertone>::new(BOB, 2, &alice.address, 299);
    let other = tablet.prekeys.bundle(&tablet.local(), true).unwrap();
    assert_eq!(told(begin(&mut alice, &other, NOW)), (ErrorKind::InvalidMessage, "bundle.address"));
    let pinned_to_another = TrustedIdentity::Pinned(undertone::IdentityKeyPair::public(&tablet.identity));
    let local = LocalDevice { identity: &alice.identity, address: &alice.address, registration_id: 77 };
    let refused =
        alice.record.initiate(&local, &bundle(), &pinned_to_another, HandshakePolicy::default(), NOW, &mut alice.rng);
    assert_eq!(told(refused), (ErrorKind::UntrustedIdentity, "session.untrusted_identity"));
}
