//! B75: bytes from a stranger, or from a damaged store, reach a panic.

use crate::group_world::{Alice, NOW as GROUP_NOW};
use crate::session_world::{BOB, NOW, Person, acquainted, strangers};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use undertone::group::GroupProfile;
use undertone::handshake::internals::parse_first;
use undertone::handshake::{FirstMessage, HandshakeProfile};
use undertone::sealed::{Receiver, SenderCertificate, ServerCertificate, TrustRoots, UnidentifiedContent};
use undertone::wire::signal::{
    DecryptionErrorMessage, OfficialRecord, PlaintextContent, PreKeySignalMessage, RecordStructure,
    ScannableFingerprint, SealedV1, SealedV2, SenderKeyDistributionMessage, SenderKeyMessage, SentMessage,
    SessionStructure, SignalMessage, admit_agreement_key, admit_kem_ciphertext, admit_kem_key, admit_verifying_key,
    post_quantum,
};
use undertone::{
    Address, DidKey, EnvelopeKind, PrekeyBundle, Prekeys, ReceivedSenderKeys, SenderKey, SessionRecord, Signal,
    Undertone,
};

/// Something that reads bytes, and whole messages for it.
type Decoder<'a> = (&'a str, Vec<Vec<u8>>, Box<dyn FnMut(&[u8]) -> bool + 'a>);

/// Cuts, extends, overwrites and splices.
fn mutated(samples: &[Vec<u8>], rng: &mut StdRng) -> Vec<u8> {
    let mut bytes = samples[rng.random_range(0..samples.len())].clone();
    for _ in 0..rng.random_range(1..5) {
        let at = rng.random_range(0..=bytes.len());
        match rng.random_range(0..6) {
            0 => bytes.truncate(at),
            1 => bytes.extend((0..rng.random_range(0..40)).map(|_| rng.random::<u8>())),
            2 => bytes.splice(at..at, (0..rng.random_range(0..9)).map(|_| rng.random::<u8>())).for_each(drop),
            3 => {
                let from = &samples[rng.random_range(0..samples.len())];
                let start = rng.random_range(0..=from.len());
                bytes.splice(at.., from[start..].iter().copied()).for_each(drop);
            }
            4 if at < bytes.len() => bytes[at] = *[0, 1, 0x7F, 0x80, 0xFE, 0xFF].get(rng.random_range(0..6)).unwrap(),
            _ if at < bytes.len() => bytes[at] ^= 1 << rng.random_range(0..8),
            _ => {}
        }
    }
    bytes
}

/// How many of the inputs were read as something.
fn attack((name, samples, decode): &mut Decoder<'_>, rounds: usize) {
    let rng = &mut StdRng::seed_from_u64(75);
    for sample in samples.iter() {
        assert!(decode(sample), "{name} reads what is whole");
        for length in 0..sample.len().min(400) {
            decode(&sample[..length]);
        }
    }
    for round in 0..rounds {
        let random: Vec<u8> = (0..rng.random_range(0..300)).map(|_| rng.random()).collect();
        decode(&random);
        if !samples.is_empty() {
            let mutated = mutated(samples, rng);
            decode(&mutated);
            // The first byte right, the rest at random.
            let start = samples[round % samples.len()].iter().take(1 + round % 3);
            decode(&start.chain(&random).copied().collect::<Vec<u8>>());
        }
    }
}

/// B75: a decoder that panics on some input is found by the same search.
#[test]
fn a_decoder_that_panics_is_found() {
    // Control: it trusts the length that the first byte states.
    let trusting =
        |bytes: &[u8]| bytes.split_first().is_some_and(|(length, rest)| rest[..usize::from(*length)].len() < 9);
    let mut decoder: Decoder<'_> = ("trusting", vec![vec![2, 7, 7]], Box::new(trusting));
    let found = std::panic::catch_unwind(core::panic::AssertUnwindSafe(|| attack(&mut decoder, 10)));
    assert!(found.is_err());
}

/// What a device reads from the network and from its store, in either profile.
fn devices<P: HandshakeProfile + GroupProfile>(seed: u64) {
    let (mut alice, mut bob) = acquainted::<P>(seed);
    let message = alice.write(b"text").unwrap();
    let (mut carol, mut stranger) = strangers::<P>(seed + 2);
    carol.begin(&stranger).unwrap();
    let first = carol.write(b"text").unwrap();
    let bundle = bob.prekeys.bundle(&bob.local(), true).unwrap().to_bytes();
    let (record, prekeys) = bob.state();

    let read = |person: &mut Person<P>, kind, bytes: &[u8]| {
        let before = person.state();
        let result = person.read_as(kind, bytes).is_ok();
        if result {
            person.restore(&before);
        }
        result
    };
    let decoders: Vec<Decoder<'_>> = vec![
        ("session message", vec![message.bytes], Box::new(|bytes| read(&mut bob, EnvelopeKind::Message, bytes))),
        ("first message", vec![first.bytes.clone()], Box::new(|bytes| read(&mut stranger, EnvelopeKind::First, bytes))),
        ("bundle", vec![bundle], Box::new(|bytes| PrekeyBundle::<P>::from_bytes(bytes).is_ok())),
        ("session record", vec![record], Box::new(|bytes| SessionRecord::<P>::from_bytes(bytes).is_ok())),
        ("prekey record", vec![prekeys], Box::new(|bytes| Prekeys::<P>::from_bytes(bytes).is_ok())),
    ];
    for mut decoder in decoders {
        attack(&mut decoder, 400);
    }
}

/// B75: messages, bundles and records of a device.
#[test]
fn devices_do_not_panic() {
    devices::<Undertone>(130);
    devices::<Signal>(134);
}

/// B75: sender keys, identities, and what stands inside the seal of a first message.
#[test]
fn groups_and_identities_do_not_panic() {
    let mut alice = Alice::new();
    let mut sender = alice.sender_key();
    let distribution = sender.distribution();
    let group_message = sender.encrypt(b"to all members", &mut alice.rng).unwrap();
    let reader = alice.reader(&distribution).to_bytes();
    let (mut carol, stranger) = strangers::<Undertone>(138);
    carol.begin(&stranger).unwrap();
    let sealed = carol.write(b"text").unwrap();
    let opened = FirstMessage::open(&stranger.local(), &sealed.bytes, &stranger.prekeys).unwrap();
    let did = b"did:key:z6MkiTBz1ymuepAQ4HEHYSF1H8quG5GLVVQR3djdX3mDooWp".to_vec();
    let read = |record: &[u8]| ReceivedSenderKeys::<Undertone>::from_bytes(record);
    let decoders: Vec<Decoder<'_>> = vec![
        (
            "distribution",
            vec![distribution],
            Box::new(|bytes| {
                let mut fresh = ReceivedSenderKeys::<Undertone>::new(&alice.address, &alice.identity);
                fresh.process_distribution(&alice.address, &alice.identity, bytes).is_ok()
            }),
        ),
        (
            "group message",
            vec![group_message],
            Box::new(|bytes| read(&reader).unwrap().decrypt(bytes, GROUP_NOW).is_ok()),
        ),
        ("received record", vec![reader.clone()], Box::new(|bytes| read(bytes).is_ok())),
        ("sender record", vec![sender.to_bytes()], Box::new(|bytes| SenderKey::<Undertone>::from_bytes(bytes).is_ok())),
        ("first", Vec::new(), Box::new(|bytes| parse_first(bytes).is_ok())),
        ("session message inside", vec![], Box::new(|bytes| bytes == opened.message)),
        (
            "did:key",
            vec![did],
            Box::new(|bytes| core::str::from_utf8(bytes).is_ok_and(|text| text.parse::<DidKey>().is_ok())),
        ),
    ];
    for mut decoder in decoders {
        attack(&mut decoder, 3_000);
    }
}

/// B75: every decoder of the Signal wire format, sealed sender and the records of official clients included.
#[test]
fn the_signal_wire_format_does_not_panic() {
    let (mut alice, bob) = acquainted::<Signal>(140);
    let message = alice.write(b"text").unwrap().bytes;
    let (mut carol, stranger) = strangers::<Signal>(142);
    carol.begin(&stranger).unwrap();
    let first = carol.write(b"text").unwrap().bytes;
    let part = SignalMessage::parse(&message).unwrap().fields.pq_ratchet;
    let trust = TrustRoots::new(Vec::new());
    let address = Address::new(BOB, 1).unwrap();
    let receiver =
        Receiver { identity: &bob.identity, address: &address, e164: None, trust: &trust, now_ms: NOW * 1_000 };
    let local = bob.local();
    let decoders: Vec<Decoder<'_>> = vec![
        ("message", vec![message], Box::new(|bytes| SignalMessage::parse(bytes).is_ok())),
        ("first message", vec![first], Box::new(|bytes| PreKeySignalMessage::parse(bytes).is_ok())),
        ("post-quantum part", vec![part], Box::new(|bytes| post_quantum::decode(bytes).is_ok())),
        ("sender key message", vec![], Box::new(|bytes| SenderKeyMessage::parse(bytes).is_ok())),
        ("distribution", vec![], Box::new(|bytes| SenderKeyDistributionMessage::parse(bytes).is_ok())),
        ("decryption error", vec![], Box::new(|bytes| DecryptionErrorMessage::parse(bytes).is_ok())),
        ("plaintext content", vec![], Box::new(|bytes| PlaintextContent::parse(bytes).is_ok())),
        ("fingerprint", vec![], Box::new(|bytes| ScannableFingerprint::parse(bytes).is_ok())),
        ("sealed 1", vec![], Box::new(|bytes| SealedV1::parse(bytes).is_ok())),
        ("sealed 2", vec![], Box::new(|bytes| SealedV2::parse(bytes).is_ok())),
        ("sent", vec![], Box::new(|bytes| SentMessage::parse(bytes).is_ok())),
        ("content", vec![], Box::new(|bytes| UnidentifiedContent::parse(bytes).is_ok())),
        ("sender certificate", vec![], Box::new(|bytes| SenderCertificate::parse(bytes).is_ok())),
        ("server certificate", vec![], Box::new(|bytes| ServerCertificate::parse(bytes).is_ok())),
        ("seal", vec![], Box::new(|bytes| undertone::sealed::open(bytes, &receiver).is_ok())),
        ("record", vec![], Box::new(|bytes| RecordStructure::parse(bytes).is_ok())),
        ("session", vec![], Box::new(|bytes| SessionStructure::parse(bytes).is_ok())),
        (
            "official record",
            vec![],
            Box::new(|bytes| SessionRecord::<Signal>::import_official(&local, alice.address.clone(), bytes).is_ok()),
        ),
        (
            "keys",
            vec![],
            Box::new(|bytes| {
                admit_agreement_key(bytes).is_ok()
                    || admit_verifying_key(bytes).is_ok()
                    || admit_kem_key(bytes).is_ok()
                    || admit_kem_ciphertext(bytes).is_ok()
            }),
        ),
    ];
    for mut decoder in decoders {
        attack(&mut decoder, 3_000);
    }
    // Known version bytes before whatever comes.
    let rng = &mut StdRng::seed_from_u64(76);
    for version in [0x11, 0x22, 0x23, 0x33, 0x44] {
        for _ in 0..2_000 {
            let rest: Vec<u8> = (0..rng.random_range(0..300)).map(|_| rng.random()).collect();
            let bytes = [&[version][..], &rest].concat();
            let _ = undertone::sealed::open(&bytes, &receiver);
            let _ = SentMessage::parse(&bytes);
            let _ = SenderKeyMessage::parse(&bytes);
            let _ = SenderKeyDistributionMessage::parse(&bytes);
        }
    }
}
