//! What holds for handshakes and prekeys in both profiles.

use super::*;
use crate::error::{Fault, Result};
use crate::profile::{HandshakeSecrets, IdentityKeyPair, Profile, Suite, Undertone};
use crate::wire::{Address, Reader, Writer};
use rand::SeedableRng;
use rand::rngs::StdRng;

const NOW: u64 = 1_800_000_000;
const DAY: u64 = 86_400;

struct Device<P: HandshakeProfile> {
    identity: P::IdentityKeyPair,
    address: Address,
    prekeys: Prekeys<P>,
    rng: StdRng,
}

impl<P: HandshakeProfile> Device<P> {
    fn new(name: &str, one_time: usize, seed: u64) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let identity = P::IdentityKeyPair::generate(&mut rng).unwrap();
        let address = Address::new(name, 1).unwrap();
        let local = LocalDevice { identity: &identity, address: &address, registration_id: 5 };
        let mut prekeys = Prekeys::generate(&local, NOW, &mut rng).unwrap();
        prekeys.add_one_time(&local, one_time, NOW, &mut rng).unwrap();
        Self { identity, address, prekeys, rng }
    }

    fn local(&self) -> LocalDevice<'_, P> {
        LocalDevice { identity: &self.identity, address: &self.address, registration_id: 5 }
    }

    fn bundle(&self, one_time: bool) -> PrekeyBundle<P> {
        self.prekeys.bundle(&self.local(), one_time).unwrap()
    }

    fn rotate(&mut self, now: u64) {
        let local = LocalDevice { identity: &self.identity, address: &self.address, registration_id: 5 };
        self.prekeys.rotate(&local, now, &mut self.rng).unwrap();
    }
}

fn pair<P: HandshakeProfile>() -> (Device<P>, Device<P>) {
    (
        Device::new("9d0652a3-dcc3-4d11-975f-74d61598733f", 0, 1),
        Device::new("796abedb-ca4e-4f18-8803-1fde5b921f9f", 2, 2),
    )
}

fn first_message<P: HandshakeProfile>(
    alice: &mut Device<P>,
    bob: &Device<P>,
    bundle: &PrekeyBundle<P>,
    policy: HandshakePolicy,
) -> (Initiation<P>, FirstMessage<P>) {
    let local = LocalDevice { identity: &alice.identity, address: &alice.address, registration_id: 5 };
    let initiation = initiate(&local, &bob.address, bundle, policy, NOW, &mut alice.rng).unwrap();
    let (to, message) = (bob.identity.public(), b"session message".to_vec());
    let bytes = P::wrap_first(&local, &bob.address, to, &initiation.offer, message, &mut alice.rng).unwrap();
    let first = FirstMessage::open(&bob.local(), &bytes, &bob.prekeys).unwrap();
    assert_eq!(first.message, b"session message");
    (initiation, first)
}

fn agree<P: Profile>(one: &HandshakeSecrets<P>, other: &HandshakeSecrets<P>) -> bool {
    use crate::profile::HeaderKey;
    one.root == other.root
        && one.post_quantum == other.post_quantum
        && one.initiator_header.tag() == other.initiator_header.tag()
        && one.responder_header.tag() == other.responder_header.tag()
}

fn code<T>(result: Result<T>) -> &'static str {
    result.err().map_or("no error", |error| error.code())
}

/// X3-5, PQ-14, PQ-16: both sides agree with every set of prekeys, over stored and restored ones, and report the same strength.
fn both_sides_agree<P: HandshakeProfile>(combinations: &[(bool, bool, bool)]) {
    let (mut alice, mut bob) = pair::<P>();
    let policy = HandshakePolicy::allow_x3dh_without_post_quantum();
    for &(one_time, one_time_kem, kem) in combinations {
        bob.prekeys = Prekeys::from_bytes(&bob.prekeys.to_bytes()).unwrap();
        let mut bundle = bob.bundle(one_time_kem || one_time);
        if !one_time_kem && one_time {
            let kem = bob.prekeys.last_resort_prekey().cloned();
            let (signed, one_time) = (bundle.signed_prekey().clone(), bundle.one_time_prekey().cloned());
            bundle = PrekeyBundle::from_parts(bob.address.clone(), 5, &bundle.identity_bytes(), signed, kem, one_time)
                .unwrap();
        }
        if !one_time {
            bundle = bundle.without_one_time_prekey();
        }
        if !kem {
            bundle = bundle.without_kem_prekey();
        }
        let bundle = PrekeyBundle::from_bytes(&bundle.to_bytes()).unwrap();
        let (initiation, first) = first_message(&mut alice, &bob, &bundle, policy);
        let acceptance = accept(&bob.local(), &first, &bob.prekeys.lookup(&first).unwrap(), policy).unwrap();
        assert!(agree(&initiation.secrets, &acceptance.secrets));
        assert_eq!(
            initiation.their_ratchet_key,
            bob.prekeys.lookup(&first).unwrap().signed.agreement_secret().public()
        );
        let expected = match (kem, one_time_kem) {
            (false, _) => HandshakeStrength::WithoutPostQuantum,
            (true, true) => HandshakeStrength::OneTime,
            (true, false) => HandshakeStrength::LastResort,
        };
        assert_eq!((acceptance.strength, acceptance.suite), (expected, initiation.suite));
        assert_eq!(first.one_time_prekey_id.is_some(), one_time);
        assert_eq!(first.kem.is_some(), kem);
        assert!(matches!((initiation.suite, kem), (Suite::Pqxdh, true) | (Suite::X3dh, false)));
    }
}

const WITH_KEM: [(bool, bool, bool); 4] =
    [(false, false, true), (true, false, true), (false, true, true), (true, true, true)];

/// X3-5, PQ-14, PQ-24: with every set of prekeys, by either handshake.
#[test]
fn both_sides_agree_natively() {
    both_sides_agree::<Undertone>(&WITH_KEM);
    both_sides_agree::<Undertone>(&[(false, false, false), (true, false, false)]);
}

#[cfg(feature = "signal")]
#[test]
fn both_sides_agree_in_the_signal_profile() {
    both_sides_agree::<crate::profile::Signal>(&WITH_KEM);
}

/// PQ-9: on the wire of the Signal profile no prekey says that it is a one-time one, so the initiator reports the weaker.
#[cfg(feature = "signal")]
#[test]
fn what_is_unknown_is_reported_as_weaker() {
    let (mut alice, bob) = pair::<crate::profile::Signal>();
    let (initiation, _) = first_message(&mut alice, &bob, &bob.bundle(true), HandshakePolicy::default());
    assert_eq!(initiation.strength, HandshakeStrength::LastResort);
}

/// The offer of an unanswered session comes back from its record; a contradiction in it is found.
fn offers_are_stored<P: HandshakeProfile>() {
    let (mut alice, bob) = pair::<P>();
    let (initiation, _) = first_message(&mut alice, &bob, &bob.bundle(true), HandshakePolicy::default());
    let mut stored = Writer::default();
    initiation.offer.encode(&mut stored);
    let read = |bytes: &[u8]| {
        let mut input = Reader::new(bytes, Fault::RecordCorrupt);
        let offer = Offer::<P>::decode(&mut input)?;
        input.finish().map(|()| offer)
    };
    let mut again = Writer::default();
    read(stored.as_slice()).unwrap().encode(&mut again);
    assert_eq!(again.as_slice(), stored.as_slice());
    for length in 0..stored.as_slice().len() {
        assert_eq!(code(read(&stored.as_slice()[..length])), "record.corrupt");
    }
    let mut x3dh_with_kem = stored.as_slice().to_vec();
    x3dh_with_kem[0] = 2;
    assert_eq!(code(read(&x3dh_with_kem)), "record.corrupt");
}

#[test]
fn offers_are_stored_natively() {
    offers_are_stored::<Undertone>();
}

#[cfg(feature = "signal")]
#[test]
fn offers_are_stored_in_the_signal_profile() {
    offers_are_stored::<crate::profile::Signal>();
}

/// P-11: prekeys are stored in one way only, and what is cut short, goes on, or is another profile's is refused.
#[test]
fn prekeys_are_stored_strictly() {
    let (_, mut bob) = pair::<Undertone>();
    bob.rotate(NOW + DAY);
    let stored = bob.prekeys.to_bytes();
    let read = |bytes: &[u8]| Prekeys::<Undertone>::from_bytes(bytes);
    assert_eq!(read(&stored).unwrap().to_bytes(), stored);
    for length in 0..stored.len() {
        assert_eq!(code(read(&stored[..length])), "record.corrupt", "{length}");
    }
    assert_eq!(code(read(&[&stored[..], &[0]].concat())), "record.corrupt");
    for (at, byte) in [(0, 2), (1, 2)] {
        let mut other = stored.clone();
        other[at] = byte;
        assert_eq!(code(read(&other)), "record.version");
    }
}

/// X3-3, PQ-11: what was under way before a rotation still arrives, until the grace is over; each absent prekey has its own error.
#[test]
fn rotation_and_grace() {
    let (mut alice, mut bob) = pair::<Undertone>();
    let bundle = bob.bundle(true);
    let (_, first) = first_message(&mut alice, &bob, &bundle, HandshakePolicy::default());
    let (_, plain) = first_message(&mut alice, &bob, &bob.bundle(false), HandshakePolicy::default());
    assert!(!bob.prekeys.is_rotation_due(NOW + 7 * DAY - 1) && bob.prekeys.is_rotation_due(NOW + 7 * DAY));
    bob.rotate(NOW + 7 * DAY);
    assert!(!bob.prekeys.is_rotation_due(NOW + 7 * DAY));
    bob.prekeys.erase_expired(NOW + 37 * DAY);
    assert!(bob.prekeys.lookup(&first).is_ok());
    assert_ne!(bob.bundle(false).signed_prekey().id, bundle.signed_prekey().id);

    bob.prekeys.consume(&first).unwrap();
    assert_eq!(code(bob.prekeys.lookup(&first)), "prekey.unknown_one_time");
    let without = FirstMessage { one_time_prekey_id: None, ..first };
    assert_eq!(code(bob.prekeys.lookup(&without)), "prekey.unknown_kem");
    assert!(bob.prekeys.lookup(&plain).is_ok());
    bob.rotate(NOW + 37 * DAY + 1);
    assert_eq!(code(bob.prekeys.lookup(&plain)), "prekey.unknown_signed");
}

/// One-time prekeys outlive every bundle that has them, and their grace, and no longer.
#[test]
fn one_time_prekeys_end() {
    let (_, mut bob) = pair::<Undertone>();
    bob.prekeys.erase_expired(NOW + 120 * DAY);
    assert_eq!((bob.prekeys.one_time_prekeys().count(), bob.prekeys.one_time_kem_prekeys().count()), (2, 2));
    bob.prekeys.erase_expired(NOW + 120 * DAY + 1);
    assert_eq!((bob.prekeys.one_time_prekeys().count(), bob.prekeys.one_time_kem_prekeys().count()), (0, 0));
    assert!(bob.bundle(true).one_time_prekey().is_none(), "a bundle without is still one");
}

/// Prekeys belong to one device: another would hand out what no peer accepts. And they are not lent to a message that names others.
#[test]
fn prekeys_have_one_owner() {
    let (mut alice, mut bob) = pair::<Undertone>();
    assert_eq!(code(bob.prekeys.bundle(&alice.local(), true)), "key.mismatch");
    assert_eq!(code(bob.prekeys.rotate(&alice.local(), NOW, &mut StdRng::seed_from_u64(3))), "key.mismatch");
    let (_, first) = first_message(&mut alice, &bob, &bob.bundle(true), HandshakePolicy::default());
    let right = bob.prekeys.lookup(&first).unwrap();
    let wrong = |prekeys: AcceptingPrekeys<'_, Undertone>| {
        code(accept(&bob.local(), &first, &prekeys, HandshakePolicy::default()))
    };
    assert_eq!(wrong(AcceptingPrekeys { one_time: None, ..right }), "prekey.unknown_one_time");
    let right = bob.prekeys.lookup(&first).unwrap();
    assert_eq!(wrong(AcceptingPrekeys { kem: None, ..right }), "prekey.unknown_kem");
    let right = bob.prekeys.lookup(&first).unwrap();
    let local = bob.local();
    let other = SignedPrekeyPair::generate(&local, 9, NOW, &mut StdRng::seed_from_u64(3)).unwrap();
    assert_eq!(wrong(AcceptingPrekeys { signed: &other, ..right }), "prekey.unknown_signed");
}

/// B32: whatever happens to a sealed first message, it is refused and never read as another.
#[test]
fn a_damaged_first_message_is_refused() {
    let (mut alice, bob) = pair::<Undertone>();
    let (initiation, _) = first_message(&mut alice, &bob, &bob.bundle(true), HandshakePolicy::default());
    let local = LocalDevice { identity: &alice.identity, address: &alice.address, registration_id: 5 };
    let (to, message) = (bob.identity.public(), b"session message".to_vec());
    let bytes = Undertone::wrap_first(&local, &bob.address, to, &initiation.offer, message, &mut alice.rng).unwrap();
    for at in 0..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[at] ^= 1 << (at % 8);
        let refusal = code(FirstMessage::open(&bob.local(), &damaged, &bob.prekeys));
        let expected = match at {
            0 => refusal == "message.type" || refusal == "message.version",
            1..=4 => refusal == "seal.unknown_key",
            5..=36 => refusal.starts_with("key.") || refusal == "seal.authentication",
            _ => refusal == "seal.authentication",
        };
        assert!(expected, "byte {at}: {refusal}");
    }
    for length in 0..bytes.len() {
        let refusal = code(FirstMessage::open(&bob.local(), &bytes[..length], &bob.prekeys));
        assert!(matches!(refusal, "message.truncated" | "seal.authentication"), "{length}: {refusal}");
    }
}

/// PQ-17: the two ends of the seal's contents: every field is needed, every value has its range.
#[test]
fn a_malformed_first_message_is_named() {
    use super::native::{encode_first, parse_first};
    let (mut alice, bob) = pair::<Undertone>();
    let (initiation, _) = first_message(&mut alice, &bob, &bob.bundle(true), HandshakePolicy::default());
    let first = encode_first(&alice.local(), &initiation.offer, b"");
    for length in 0..first.len() {
        assert_eq!(code(parse_first(&first[..length])), "message.truncated", "{length}");
    }
    let has_one_time = 1 + 32 + 2 + 36 + 1 + 4 + 32 + 4;
    for (at, value, expected) in
        [(0, 0, "message.version"), (0, 3, "message.version"), (has_one_time, 2, "message.field")]
    {
        let mut malformed = first.clone();
        malformed[at] = value;
        assert_eq!(code(parse_first(&malformed)), expected);
    }
}
