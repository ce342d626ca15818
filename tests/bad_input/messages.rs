//! Session messages and first messages.

use crate::protobuf::Fields;
use crate::session_world::{CAROL, Person, acquainted, strangers};
use crate::{FIELD, NO_KEM, TRUNCATED, VERSION, refused, told};
use undertone::handshake::HandshakeProfile;
use undertone::profile::Profile;
use undertone::wire::signal::{SignalMessage, post_quantum};
use undertone::{EnvelopeKind, ErrorKind, PrekeyBundle, Prekeys, SessionRecord, Signal, Undertone};

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

/// Truncated protobuf: a message of the Signal profile cut anywhere has one name for each place where it is cut.
#[test]
fn truncated_protobuf() {
    let (mut alice, mut bob) = acquainted::<Signal>(204);
    let sent = alice.write(b"text").unwrap().bytes;
    let ends = Fields::read(&sent[1..sent.len() - 8]).ends();
    let ciphertext = 1 + ends.iter().find(|(tag, _)| *tag == 4).unwrap().1;
    assert_eq!(ends.last().unwrap().0, 5, "the post-quantum part comes last");
    for length in 0..sent.len() {
        let name = match length {
            0..=8 => TRUNCATED,
            // The last eight bytes, whatever they are, are taken for the MAC.
            _ if length - 8 == ciphertext => (ErrorKind::InvalidMessage, "message.no_post_quantum"),
            _ => FIELD,
        };
        refused(&mut bob, EnvelopeKind::Message, &sent[..length], name);
    }
    assert_eq!(bob.read_as(EnvelopeKind::Message, &sent).unwrap().plaintext, b"text");

    let (mut alice, mut bob) = strangers::<Signal>(206);
    alice.begin(&bob).unwrap();
    let first = alice.write(b"text").unwrap().bytes;
    let ends = Fields::read(&first[1..]).ends();
    assert_eq!(ends.iter().map(|(tag, _)| *tag).collect::<Vec<_>>(), [1, 2, 3, 4, 5, 6, 7, 8]);
    let signed_prekey_id = ends[5].1;
    for length in 0..first.len() {
        let name = match length {
            0 => TRUNCATED,
            // With all fields but those of the KEM it looks like a message of a former version.
            _ if length == 1 + signed_prekey_id => NO_KEM,
            _ => FIELD,
        };
        refused(&mut bob, EnvelopeKind::First, &first[..length], name);
    }
    refused(&mut bob, EnvelopeKind::First, &[first[0], 0xFF, 0xFF, 0xFF], FIELD);
    assert_eq!(bob.read_as(EnvelopeKind::First, &first).unwrap().plaintext, b"text");
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

/// Wrong types: a message of one type where another is expected.
#[test]
fn wrong_types() {
    let (mut alice, mut bob) = acquainted::<Undertone>(212);
    let sent = alice.write(b"text").unwrap().bytes;
    let message_type = (ErrorKind::InvalidMessage, "message.type");
    refused(&mut bob, EnvelopeKind::First, &sent, message_type);
    for other in [0x10, 0x11, 0x13, 0x14, 0x1F] {
        refused(&mut bob, EnvelopeKind::Message, &[&[other][..], &sent[1..]].concat(), message_type);
    }
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

/// Signal messages and first messages without a field, each by itself.
#[test]
fn signal_messages_without_a_field() {
    let (mut alice, mut bob) = strangers::<Signal>(256);
    alice.begin(&bob).unwrap();
    let first = alice.write(b"text").unwrap().bytes;
    let fields = Fields::read(&first[1..]);
    for tag in [2, 3, 4, 6, 7, 8] {
        refused(&mut bob, EnvelopeKind::First, &[&first[..1], &fields.without(tag)].concat(), FIELD);
    }
    let without_kem = Fields::read(&fields.without(7)).without(8);
    refused(&mut bob, EnvelopeKind::First, &[&first[..1], &without_kem].concat(), NO_KEM);
    assert_eq!(bob.read_as(EnvelopeKind::First, &first).unwrap().plaintext, b"text");

    let (mut alice, mut bob) = acquainted::<Signal>(258);
    let sent = alice.write(b"text").unwrap().bytes;
    let (version, mac) = (&sent[..1], &sent[sent.len() - 8..]);
    let fields = Fields::read(&sent[1..sent.len() - 8]);
    for tag in [1, 2, 4] {
        refused(&mut bob, EnvelopeKind::Message, &[version, &fields.without(tag), mac].concat(), FIELD);
    }
    let no_post_quantum = (ErrorKind::InvalidMessage, "message.no_post_quantum");
    refused(&mut bob, EnvelopeKind::Message, &[version, &fields.without(5), mac].concat(), no_post_quantum);
    assert_eq!(bob.read_as(EnvelopeKind::Message, &sent).unwrap().plaintext, b"text");
}
