//! Bad input by name: each kind of it, in both profiles, has its own error kind and code, and leaves everything as it was.
#![allow(missing_docs, reason = "a test binary has no documentation")]

#[allow(dead_code, reason = "shared with the attacks")]
#[path = "attacks/session_world.rs"]
mod session_world;

use session_world::{BOB, CAROL, DAY, NOW, Person, acquainted, strangers};
use undertone::crypto::Secret;
use undertone::crypto::agreement::{AgreementKey, AgreementSecret};
use undertone::crypto::kem::{KemCiphertext, KemPublic, MlKem1024};
use undertone::handshake::internals::parse_first;
use undertone::handshake::{FirstMessage, HandshakePolicy, HandshakeProfile, LocalDevice, PublishedPrekey};
use undertone::profile::Profile;
use undertone::rule::{Rule, without};
use undertone::wire::signal::{
    PreKeySignalMessage, SignalMessage, admit_agreement_key, admit_kem_ciphertext, admit_kem_key, admit_verifying_key,
    post_quantum,
};
use undertone::{
    Address, DidKey, EnvelopeKind, Error, ErrorKind, PrekeyBundle, Prekeys, SessionRecord, Signal, TrustedIdentity,
    Undertone,
};

/// What failed: the kind to act upon and the code to report.
fn told<T>(result: Result<T, Error>) -> (ErrorKind, &'static str) {
    result.err().map(|error| (error.kind(), error.code())).expect("bad input is refused")
}

/// Refuses `bytes` by this name and changes nothing.
fn refused<P: HandshakeProfile>(
    person: &mut Person<P>,
    kind: EnvelopeKind,
    bytes: &[u8],
    name: (ErrorKind, &'static str),
) {
    let before = person.state();
    assert_eq!(told(person.read_as(kind, bytes)), name);
    assert_eq!(person.state(), before);
}

const TRUNCATED: (ErrorKind, &str) = (ErrorKind::InvalidMessage, "message.truncated");
const FIELD: (ErrorKind, &str) = (ErrorKind::InvalidMessage, "message.field");
const VERSION: (ErrorKind, &str) = (ErrorKind::UnsupportedVersion, "message.version");
const LENGTH: (ErrorKind, &str) = (ErrorKind::InvalidKey, "key.length");
const TYPE: (ErrorKind, &str) = (ErrorKind::InvalidKey, "key.type");
const NOT_CANONICAL: (ErrorKind, &str) = (ErrorKind::InvalidKey, "key.not_canonical");
const LOW_ORDER: (ErrorKind, &str) = (ErrorKind::InvalidKey, "key.low_order");
const TORSION: (ErrorKind, &str) = (ErrorKind::InvalidKey, "key.torsion");

/// u = 1, of order 4; u = p + 2, which is no canonical number; u = 2, on the twist.
const BAD_POINTS: [([u8; 32], (ErrorKind, &str)); 3] =
    [(point(1, 0, 0), LOW_ORDER), (point(0xEF, 0xFF, 0x7F), NOT_CANONICAL), (point(2, 0, 0), TORSION)];

const fn point(first: u8, fill: u8, last: u8) -> [u8; 32] {
    let mut bytes = [fill; 32];
    bytes[0] = first;
    bytes[31] = last;
    bytes
}

/// Wrong lengths: a key and a ciphertext that are a byte too short or too long, of every type.
#[test]
fn wrong_lengths() {
    for length in [0, 31, 33, 64] {
        assert_eq!(told(AgreementKey::admit(&vec![9; length])), LENGTH);
        assert_eq!(told(undertone::crypto::ed25519::VerifyingKey::admit(&vec![9; length])), LENGTH);
        assert_eq!(told(undertone::crypto::xeddsa::XeddsaKey::admit(&vec![9; length])), LENGTH);
    }
    for length in [0, 1184, 1567, 1569] {
        assert_eq!(told(KemPublic::<MlKem1024>::admit(&vec![0; length])), LENGTH);
        assert_eq!(told(KemCiphertext::<MlKem1024>::from_slice(&vec![0; length])), FIELD);
    }
    let typed = |kind: u8, length: usize| [&[kind][..], &vec![9; length]].concat();
    for length in [0, 31, 33] {
        assert_eq!(told(admit_agreement_key(&typed(5, length))), LENGTH);
        assert_eq!(told(admit_verifying_key(&typed(5, length))), LENGTH);
    }
    assert_eq!(told(admit_agreement_key(&[])), LENGTH);
    assert_eq!(told(admit_kem_key(&typed(8, 1567))), LENGTH);
    assert_eq!(told(admit_kem_ciphertext(&typed(8, 1567))), FIELD);
}

/// Wrong lengths: what ends before its last field, at every length, and what goes on after it.
#[test]
fn truncated_and_trailing() {
    let (mut alice, mut bob) = acquainted::<Undertone>(200);
    let sent = alice.write(b"text").unwrap().bytes;
    for length in 0..172 {
        refused(&mut bob, EnvelopeKind::Message, &sent[..length], TRUNCATED);
    }
    let trailing = [&sent[..], &[0]].concat();
    refused(&mut bob, EnvelopeKind::Message, &trailing, (ErrorKind::InvalidMessage, "message.authentication"));
    let (mut alice, mut bob) = strangers::<Undertone>(202);
    alice.begin(&bob).unwrap();
    let first = alice.write(b"text").unwrap().bytes;
    for length in 0..1 + 4 + 32 + 1088 + 16 {
        refused(&mut bob, EnvelopeKind::First, &first[..length], TRUNCATED);
    }
    let bundle = bob.prekeys.bundle(&bob.local(), true).unwrap().to_bytes();
    for length in (0..bundle.len()).step_by(3) {
        let (kind, code) = told(PrekeyBundle::<Undertone>::from_bytes(&bundle[..length]));
        assert_eq!((kind, code), (ErrorKind::InvalidMessage, "bundle.field"), "{length} bytes");
    }
    let trailing = [&bundle[..], &[0]].concat();
    assert_eq!(told(PrekeyBundle::<Undertone>::from_bytes(&trailing)), (ErrorKind::InvalidMessage, "bundle.field"));
    for (record, prekeys) in [alice.state(), bob.state()] {
        for length in (0..record.len()).step_by(7) {
            assert_eq!(told(SessionRecord::<Undertone>::from_bytes(&record[..length])).0, ErrorKind::InvalidRecord);
        }
        for length in (0..prekeys.len()).step_by(101) {
            assert_eq!(told(Prekeys::<Undertone>::from_bytes(&prekeys[..length])).0, ErrorKind::InvalidRecord);
        }
    }
}

/// Truncated protobuf: a message of the Signal profile cut anywhere is truncated, lacks a field, or does not authenticate.
#[test]
fn truncated_protobuf() {
    let (mut alice, mut bob) = acquainted::<Signal>(204);
    let sent = alice.write(b"text").unwrap().bytes;
    let mut names = std::collections::BTreeSet::new();
    for length in 0..sent.len() {
        let before = bob.state();
        let (kind, code) = told(bob.read_as(EnvelopeKind::Message, &sent[..length]));
        assert_eq!(kind, ErrorKind::InvalidMessage, "{length} bytes: {code}");
        names.insert(code);
        assert_eq!(bob.state(), before);
    }
    assert!(names.contains("message.truncated") && names.contains("message.field"), "{names:?}");

    let (mut alice, mut bob) = strangers::<Signal>(206);
    alice.begin(&bob).unwrap();
    let first = alice.write(b"text").unwrap().bytes;
    for length in 0..first.len() {
        let (kind, code) = told(bob.read_as(EnvelopeKind::First, &first[..length]));
        let expected = [ErrorKind::InvalidMessage, ErrorKind::UnsupportedVersion, ErrorKind::InvalidKey];
        assert!(expected.contains(&kind), "{length} bytes: {code}");
    }
    refused(&mut bob, EnvelopeKind::First, &[], TRUNCATED);
    refused(&mut bob, EnvelopeKind::First, &[first[0], 0xFF, 0xFF, 0xFF], FIELD);
}

/// Wrong versions: of messages, of the post-quantum part, of records.
#[test]
fn wrong_versions() {
    let (mut alice, mut bob) = acquainted::<Undertone>(208);
    let mut sent = alice.write(b"text").unwrap().bytes;
    for version in [0x02, 0x22, 0xF2] {
        sent[0] = version;
        refused(&mut bob, EnvelopeKind::Message, &sent, VERSION);
    }
    let (mut signal_alice, mut signal_bob) = acquainted::<Signal>(210);
    let mut sent = signal_alice.write(b"text").unwrap().bytes;
    let parsed = SignalMessage::parse(&sent).unwrap();
    let mut part = parsed.fields.pq_ratchet;
    part[0] = 2;
    assert_eq!(told(post_quantum::decode(&part)), (ErrorKind::InvalidMessage, "message.no_post_quantum"));
    for version in [0x33, 0x24, 0x54] {
        sent[0] = version;
        refused(&mut signal_bob, EnvelopeKind::Message, &sent, VERSION);
    }
    let mut record = bob.record.to_bytes();
    record[0] = 99;
    assert_eq!(told(SessionRecord::<Undertone>::from_bytes(&record)), (ErrorKind::InvalidRecord, "record.version"));
    let mut prekeys = bob.prekeys.to_bytes();
    prekeys[0] = 99;
    assert_eq!(told(Prekeys::<Undertone>::from_bytes(&prekeys)), (ErrorKind::InvalidRecord, "record.version"));
}

/// Wrong types: a message of one type where another is expected, a key of one type in the place of another.
#[test]
fn wrong_types() {
    let (mut alice, mut bob) = acquainted::<Undertone>(212);
    let sent = alice.write(b"text").unwrap().bytes;
    let message_type = (ErrorKind::InvalidMessage, "message.type");
    refused(&mut bob, EnvelopeKind::First, &sent, message_type);
    for other in [0x10, 0x11, 0x13, 0x14, 0x1F] {
        refused(&mut bob, EnvelopeKind::Message, &[&[other][..], &sent[1..]].concat(), message_type);
    }
    // Where the types of the three keys of a signed prekey stand, and that of the KEM prekey.
    for (is_kem, at) in [(false, 17), (false, 17 + 33), (false, 17 + 66), (true, 17)] {
        for key_type in [0x00, 0x05, 0x21, 0x25] {
            assert_eq!(told(with_published(&bob, is_kem, |public| public[at] = key_type)), TYPE);
        }
    }
    for key_type in [0, 4, 6, 8] {
        assert_eq!(told(admit_agreement_key(&[&[key_type][..], &[9; 32]].concat())), TYPE);
    }
    assert_eq!(told(admit_kem_key(&[&[5_u8][..], &[0; 1568]].concat())), TYPE);
    assert_eq!(
        told("did:key:zDnaerDaTF5BXEavCrfRZEk316dpbLsfPDZ3WJ5hRTPFU2169".parse::<DidKey>()),
        (ErrorKind::InvalidKey, "did.encoding")
    );
}

/// Bob's bundle with a published prekey changed, as the parser sees it.
fn with_published(
    bob: &Person,
    is_kem: bool,
    change: impl FnOnce(&mut Vec<u8>),
) -> Result<PrekeyBundle<Undertone>, Error> {
    let bundle = bob.prekeys.bundle(&bob.local(), true).unwrap();
    let (mut signed, mut kem) = (bundle.signed_prekey().clone(), bundle.kem_prekey().unwrap().clone());
    change(if is_kem { &mut kem.public } else { &mut signed.public });
    let identity = bundle.identity_bytes();
    PrekeyBundle::from_parts(bundle.address.clone(), bundle.registration_id, &identity, signed, Some(kem), None)
}

/// P-3, PQ-4, PQ-5: non-canonical points, points of low order, points outside the subgroup: in every field of a bundle and of a first message that holds a key.
#[test]
fn bad_points() {
    let (mut alice, bob) = strangers::<Undertone>(214);
    alice.begin(&bob).unwrap();
    let sent = alice.write(b"text").unwrap();
    let first = FirstMessage::open(&bob.local(), &sent.bytes, &bob.prekeys).unwrap();
    let plain = plain_first(&first, &alice.address);
    parse_first(&plain).unwrap();
    let base_key = 1 + 32 + (2 + alice.address.name().len() + 1) + 4;
    for (bytes, name) in BAD_POINTS {
        assert_eq!(told(AgreementKey::admit(&bytes)), name);
        for at in [18, 18 + 33] {
            let bundle = with_published(&bob, false, |public| public[at..at + 32].copy_from_slice(&bytes));
            assert_eq!(told(bundle), name);
        }
        let mut changed = plain.clone();
        changed[base_key..base_key + 32].copy_from_slice(&bytes);
        assert_eq!(told(parse_first(&changed)), name);
        assert_eq!(told(admit_agreement_key(&[&[5][..], &bytes].concat())), name);
    }
    // An identity key: y = 1, y = p + 1, and no point at all.
    let bundle = bob.prekeys.bundle(&bob.local(), true).unwrap();
    let identities =
        [(point(1, 0, 0), LOW_ORDER), (point(0xEE, 0xFF, 0x7F), NOT_CANONICAL), (point(2, 0, 0), NOT_CANONICAL)];
    for (bytes, name) in identities {
        let signed = bundle.signed_prekey().clone();
        let changed = PrekeyBundle::<Undertone>::from_parts(bob.address.clone(), 77, &bytes, signed, None, None);
        assert_eq!(told(changed), name);
        let mut changed = plain.clone();
        changed[1..33].copy_from_slice(&bytes);
        assert_eq!(told(parse_first(&changed)), name);
    }
    // A KEM key with a coefficient outside of its modulus, in both places.
    let modulus = (ErrorKind::InvalidKey, "key.modulus");
    assert_eq!(told(with_published(&bob, true, |public| public[18..21].fill(0xFF))), modulus);
    assert_eq!(told(with_published(&bob, false, |public| public[84..87].fill(0xFF))), modulus);
}

/// `first` of docs/protocol.md, section 4.2.
fn plain_first(first: &FirstMessage<Undertone>, from: &Address) -> Vec<u8> {
    let (kem_id, ciphertext) = first.kem.as_ref().unwrap();
    let name = from.name().as_bytes();
    let identity = undertone::IdentityKey::to_bytes(&first.identity);
    [
        &[1][..],
        &identity,
        &(name.len() as u16).to_be_bytes(),
        name,
        &[from.device()],
        &first.registration_id.to_be_bytes(),
        first.base_key.as_bytes(),
        &first.signed_prekey_id.to_be_bytes(),
        &[1],
        &first.one_time_prekey_id.unwrap().to_be_bytes(),
        &kem_id.to_be_bytes(),
        ciphertext.as_bytes(),
        &first.message,
    ]
    .concat()
}

/// All-zero agreements: where a key of low order gets past admission, the agreement itself refuses.
#[test]
fn all_zero_agreements() {
    let own = AgreementSecret::from_bytes(Secret::new([3; 32]));
    for bytes in [point(0, 0, 0), point(1, 0, 0), point(0xEC, 0xFF, 0x7F)] {
        assert_eq!(told(AgreementKey::admit_ephemeral(&bytes)), LOW_ORDER);
        let admitted = without(Rule::Pq4, || AgreementKey::admit_ephemeral(&bytes)).unwrap();
        assert_eq!(told(own.agree(&admitted)), (ErrorKind::InvalidKey, "key.agreement_zero"));
    }
}

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
    let no_kem = (ErrorKind::UnsupportedVersion, "handshake.no_kem");
    assert_eq!(told(begin(&mut alice, &bundle().without_kem_prekey(), NOW)), no_kem);
    let tablet = Person::<Undertone>::new(BOB, 2, &alice.address, 299);
    let other = tablet.prekeys.bundle(&tablet.local(), true).unwrap();
    assert_eq!(told(begin(&mut alice, &other, NOW)), (ErrorKind::InvalidMessage, "bundle.address"));
    let pinned_to_another = TrustedIdentity::Pinned(undertone::IdentityKeyPair::public(&tablet.identity));
    let local = LocalDevice { identity: &alice.identity, address: &alice.address, registration_id: 77 };
    let refused =
        alice.record.initiate(&local, &bundle(), &pinned_to_another, HandshakePolicy::default(), NOW, &mut alice.rng);
    assert_eq!(told(refused), (ErrorKind::UntrustedIdentity, "session.untrusted_identity"));
}

/// Replays: of a message, and of a first message with a last-resort prekey after its session is gone.
#[test]
fn replays() {
    fn check<P: HandshakeProfile>(seed: u64) {
        let duplicate = (ErrorKind::Duplicate, "message.duplicate");
        let (mut alice, mut bob) = acquainted::<P>(seed);
        let sent = alice.write(b"text").unwrap();
        bob.read(&sent).unwrap();
        refused(&mut bob, EnvelopeKind::Message, &sent.bytes, duplicate);
        let (mut alice, mut bob) = strangers::<P>(seed + 2);
        // The one-time prekeys are used up, so that the last-resort prekey serves.
        alice.begin(&bob).unwrap();
        let sent = alice.write(b"one-time").unwrap();
        bob.read(&sent).unwrap();
        refused(&mut bob, EnvelopeKind::First, &sent.bytes, duplicate);
        bob.record = SessionRecord::new(&bob.local(), alice.address.clone()).unwrap();
        alice.begin(&bob).unwrap();
        let sent = alice.write(b"last resort").unwrap();
        bob.read(&sent).unwrap();
        bob.record = SessionRecord::new(&bob.local(), alice.address.clone()).unwrap();
        refused(&mut bob, EnvelopeKind::First, &sent.bytes, (ErrorKind::Duplicate, "handshake.replayed"));
    }
    check::<Undertone>(232);
    check::<Signal>(236);
}

/// DR-7, DR-14, SP-11: jumps over the limit, which is one and the same everywhere: one message further than 25 000 ahead is refused, the last one within is read.
#[test]
fn jumps_over_the_limit() {
    fn check<P: HandshakeProfile>(seed: u64) {
        let (mut alice, mut bob) = acquainted::<P>(seed);
        let mut sent = alice.write(b"text").unwrap();
        for _ in 0..24_999 {
            sent = alice.write(b"text").unwrap();
        }
        let over = [alice.write(b"text").unwrap(), alice.write(b"text").unwrap()];
        refused(&mut bob, EnvelopeKind::Message, &over[1].bytes, (ErrorKind::TooFarAhead, "message.too_far_ahead"));
        bob.read(&sent).unwrap();
        bob.read(&over[1]).unwrap();
    }
    check::<Undertone>(240);
    check::<Signal>(242);
}

/// Oversized fields: plaintexts, messages, names, devices, addresses of the same device.
#[test]
fn oversized_fields() {
    fn plaintext<P: HandshakeProfile>(seed: u64) {
        let (mut alice, _) = acquainted::<P>(seed);
        let before = alice.state();
        let huge = vec![0; (16 << 20) + 1];
        assert_eq!(told(alice.write(&huge)), (ErrorKind::InvalidRequest, "request.too_large"));
        assert_eq!(alice.state(), before);
    }
    plaintext::<Undertone>(244);
    plaintext::<Signal>(246);
    let large = (ErrorKind::InvalidMessage, "message.too_large");
    let (_, mut bob) = acquainted::<Undertone>(248);
    let bytes = vec![0x12; 156 + (16 << 20) + 17];
    refused(&mut bob, EnvelopeKind::Message, &bytes, large);
    let (mut alice, mut bob) = acquainted::<Signal>(250);
    let sent = alice.write(b"text").unwrap();
    let parsed = SignalMessage::parse(&sent.bytes).unwrap();
    let (mut fields, mac) = (parsed.fields, *parsed.mac);
    fields.pq_ratchet.resize(100_000, 0);
    refused(&mut bob, EnvelopeKind::Message, &fields.encode(|_| mac).unwrap(), large);
    refused(&mut bob, EnvelopeKind::Message, &vec![0x44; (16 << 20) + (1 << 20)], large);

    let kind = ErrorKind::InvalidRequest;
    assert_eq!(told(Address::new("", 1)), (kind, "address.name"));
    assert_eq!(told(Address::new("n".repeat(256), 1)), (kind, "address.name"));
    for device in [0, 128, 255] {
        assert_eq!(told(Address::new("name", device)), (kind, "address.device"));
    }
    assert_eq!(told(SessionRecord::<Signal>::new(&bob.local(), bob.address.clone())), (kind, "session.self"));
    // In the Signal profile a name in capitals is the same account; in the native one it is another.
    let capitals = Address::new(BOB.to_uppercase(), 1).unwrap();
    assert_eq!(told(SessionRecord::<Signal>::new(&bob.local(), capitals.clone())), (kind, "session.self"));
    let (_, bob) = strangers::<Undertone>(251);
    assert_eq!(told(SessionRecord::<Undertone>::new(&bob.local(), bob.address.clone())), (kind, "session.self"));
    assert!(SessionRecord::<Undertone>::new(&bob.local(), capitals).is_ok());
}

/// Messages for nobody: no session, another session, the own one.
#[test]
fn messages_without_a_session() {
    let (mut alice, bob) = acquainted::<Undertone>(252);
    let sent = alice.write(b"text").unwrap().bytes;
    let mut nobody = Person::<Undertone>::new(CAROL, 1, &bob.address, 254);
    refused(&mut nobody, EnvelopeKind::Message, &sent, (ErrorKind::NoSession, "session.none"));
    assert_eq!(told(nobody.write(b"text")), (ErrorKind::NoSession, "session.none"));
    refused(&mut alice, EnvelopeKind::Message, &sent, (ErrorKind::InvalidMessage, "message.authentication"));
    assert!(<Undertone as Profile>::parse(&sent).is_ok());
}

/// Signal first messages without the fields that the handshake needs.
#[test]
fn a_signal_first_message_without_its_kem() {
    let (mut alice, mut bob) = strangers::<Signal>(256);
    alice.begin(&bob).unwrap();
    let sent = alice.write(b"text").unwrap().bytes;
    let encoded = PreKeySignalMessage::parse(&sent).unwrap().kyber_ciphertext;
    // The ciphertext is the last field; the id stands before it in two or three bytes behind its key, 0x38.
    let field = sent.windows(64).position(|window| window == &encoded.as_bytes()[..64]).unwrap();
    let without_ciphertext = &sent[..field - 4];
    assert_eq!(told(bob.read_as(EnvelopeKind::First, without_ciphertext)), FIELD);
    let key = without_ciphertext.iter().rposition(|byte| *byte == 0x38).unwrap();
    let no_kem = (ErrorKind::UnsupportedVersion, "handshake.no_kem");
    refused(&mut bob, EnvelopeKind::First, &without_ciphertext[..key], no_kem);
}
