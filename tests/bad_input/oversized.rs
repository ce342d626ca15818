//! What is larger than its limit.

use crate::groups::Group;
use crate::protobuf::Fields;
use crate::seals::Sealer;
use crate::session_world::{BOB, acquainted, strangers};
use crate::{FIELD, LENGTH, TOO_LARGE, refused, told};
use undertone::handshake::HandshakeProfile;
use undertone::sealed::{SenderCertificate, ServerCertificate, UnidentifiedContent};
use undertone::wire::signal::{MAX_FIELD, MAX_MESSAGE, SentMessage, SignalMessage};
use undertone::{
    Address, DecryptionErrorMessage, EnvelopeKind, ErrorKind, PlaintextContent, SessionRecord, Signal, Undertone,
};

/// Oversized: plaintexts, messages, names, devices; and addresses of the same device.
#[test]
fn oversized_requests_and_messages() {
    fn plaintext<P: HandshakeProfile>(seed: u64) {
        let (mut alice, _) = acquainted::<P>(seed);
        let before = alice.state();
        let huge = vec![0; (16 << 20) + 1];
        assert_eq!(told(alice.write(&huge)), (ErrorKind::InvalidRequest, "request.too_large"));
        assert_eq!(alice.state(), before);
    }
    plaintext::<Undertone>(244);
    plaintext::<Signal>(246);
    let (_, mut bob) = acquainted::<Undertone>(248);
    let bytes = vec![0x12; 156 + (16 << 20) + 17];
    refused(&mut bob, EnvelopeKind::Message, &bytes, TOO_LARGE);
    let (_, mut bob) = acquainted::<Signal>(250);
    refused(&mut bob, EnvelopeKind::Message, &vec![0x44; MAX_MESSAGE + 1], TOO_LARGE);
    refused(&mut bob, EnvelopeKind::First, &vec![0x44; MAX_MESSAGE + 1], TOO_LARGE);

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

/// What no field holds that has a limit of its own.
const LARGE: [u8; MAX_FIELD + 1] = [5; MAX_FIELD + 1];

/// What makes the whole larger than the largest message, whatever else is in it.
fn huge() -> Vec<u8> {
    vec![5; MAX_MESSAGE]
}

/// Oversized fields of a session message: ratchet key, ciphertext, post-quantum part, addresses.
#[test]
fn oversized_fields_of_signal_messages() {
    let (mut alice, mut bob) = acquainted::<Signal>(260);
    let sent = alice.write(b"text").unwrap().bytes;
    let (fields, mac) = (Fields::read(&sent[1..sent.len() - 8]), &sent[sent.len() - 8..]);
    for (tag, content, name) in [
        (1, LARGE.to_vec(), LENGTH),
        (4, huge(), TOO_LARGE),
        (5, LARGE.to_vec(), TOO_LARGE),
        (6, LARGE.to_vec(), TOO_LARGE),
    ] {
        let bytes = [&sent[..1], &fields.with(tag, &content), mac].concat();
        refused(&mut bob, EnvelopeKind::Message, &bytes, name);
    }
    assert_eq!(bob.read_as(EnvelopeKind::Message, &sent).unwrap().plaintext, b"text");
}

/// Oversized fields of a first message: base key, identity key, the message within and its fields, KEM ciphertext.
#[test]
fn oversized_fields_of_signal_first_messages() {
    let (mut alice, mut bob) = strangers::<Signal>(262);
    alice.begin(&bob).unwrap();
    let first = alice.write(b"text").unwrap().bytes;
    let fields = Fields::read(&first[1..]);
    let message = fields.bytes(4);
    let (inner, mac) = (Fields::read(&message[1..message.len() - 8]), &message[message.len() - 8..]);
    let within = |tag| [&message[..1], &inner.with(tag, &LARGE), mac].concat();
    for (tag, content, name) in [
        (2, LARGE.to_vec(), LENGTH),
        (3, LARGE.to_vec(), LENGTH),
        (4, huge(), TOO_LARGE),
        (4, within(1), LENGTH),
        (4, within(5), TOO_LARGE),
        (4, within(6), TOO_LARGE),
        (8, [&[8][..], &LARGE].concat(), FIELD),
    ] {
        refused(&mut bob, EnvelopeKind::First, &[&first[..1], &fields.with(tag, &content)].concat(), name);
    }
    assert_eq!(bob.read_as(EnvelopeKind::First, &first).unwrap().plaintext, b"text");
}

/// Oversized fields of sender-key messages and of distribution messages: distribution id, ciphertext, chain key, signing key.
#[test]
fn oversized_fields_of_sender_keys() {
    let mut group = Group::<Signal>::joined(264);
    let sent = group.write(b"text");
    let (fields, signature) = (Fields::read(&sent[1..sent.len() - 64]), &sent[sent.len() - 64..]);
    for (tag, content, name) in [(1, LARGE.to_vec(), FIELD), (4, huge(), TOO_LARGE)] {
        group.refuses(&[&[0x33][..], &fields.with(tag, &content), signature].concat(), name);
    }
    let fields = Fields::read(&group.distribution()[1..]);
    for (tag, content, name) in [
        (1, LARGE.to_vec(), FIELD),
        (4, LARGE.to_vec(), FIELD),
        (5, LARGE.to_vec(), LENGTH),
        // A field that nobody knows counts for the size of the whole.
        (9, huge(), TOO_LARGE),
    ] {
        group.refuses_distribution(&[&[0x33][..], &fields.with(tag, &content)].concat(), name);
    }
    let mut group = Group::<Undertone>::joined(266);
    group.refuses(&vec![0x13; 1 + 16 + 24 + 16 + 16 + (16 << 20) + 17 + 64], TOO_LARGE);
}

/// Oversized fields of sealed messages: ephemeral key, sealed identity key, sealed content, and the same for many.
#[test]
fn oversized_fields_of_seals() {
    let world = Sealer::new();
    let sealed = world.first_version();
    let fields = Fields::read(&sealed[1..]);
    for (tag, content, name) in [(1, LARGE.to_vec(), LENGTH), (2, LARGE.to_vec(), TOO_LARGE), (3, huge(), TOO_LARGE)] {
        world.refuses(&[&sealed[..1], &fields.with(tag, &content)].concat(), name);
    }
    world.refuses(&[&world.second_version()[..], &huge()].concat(), TOO_LARGE);
    assert_eq!(told(SentMessage::parse(&[&[0x23, 0][..], &huge()].concat())), TOO_LARGE);
}

/// Oversized fields of what a seal holds: certificate, content, group id.
#[test]
fn oversized_fields_of_sealed_contents() {
    let world = Sealer::new();
    let fields = Fields::read(&world.content(world.certificate()).to_bytes());
    for (tag, content) in [(2, LARGE.to_vec()), (3, huge()), (5, LARGE.to_vec())] {
        assert_eq!(told(UnidentifiedContent::parse(&fields.with(tag, &content))), TOO_LARGE, "field {tag}");
    }
    assert!(UnidentifiedContent::parse(&fields.with(5, &LARGE[1..])).is_ok());
}

/// Oversized certificates, and their fields: signature, keys, the name as bytes, the certificate within.
#[test]
fn oversized_fields_of_certificates() {
    let world = Sealer::new();
    let malformed = (ErrorKind::InvalidMessage, "certificate.field");
    // The limit of the whole comes first; what stays within it meets the length of its field.
    let large = [5; 4_000];
    let server = Fields::read(&world.server_certificate());
    let sender = Fields::read(&world.certificate().to_bytes());
    let of_server = |bytes: &[u8], name| assert_eq!(told(ServerCertificate::parse(bytes)), name);
    let of_sender = |bytes: &[u8], name| assert_eq!(told(SenderCertificate::parse(bytes)), name);
    for tag in [1, 2] {
        of_server(&server.with(tag, &LARGE), TOO_LARGE);
        of_sender(&sender.with(tag, &LARGE), TOO_LARGE);
    }
    of_server(&server.with(2, &large), malformed);
    of_sender(&sender.with(2, &large), malformed);
    let inner = Fields::read(&server.bytes(1));
    of_server(&server.with(1, &inner.with(2, &large)), LENGTH);
    let inner = Fields::read(&sender.bytes(1));
    of_sender(&sender.with(1, &inner.with(4, &large)), LENGTH);
    of_sender(&sender.with(1, &inner.with(5, &large)), malformed);
    of_sender(&sender.with(1, &Fields::read(&inner.without(6)).with(7, &large)), malformed);
}

/// A name that is longer than an address takes: the certificate parses, and its sender is refused.
#[test]
fn an_oversized_name_in_a_certificate() {
    let world = Sealer::new();
    let outer = Fields::read(&world.certificate().to_bytes());
    let long = Fields::read(&outer.bytes(1)).with(6, &[b'n'; 256]);
    let certificate = SenderCertificate::parse(&outer.with(1, &long)).unwrap();
    assert_eq!(told(certificate.address()), (ErrorKind::InvalidMessage, "certificate.field"));
}

/// Oversized errors about messages that could not be read: the whole, and the ratchet key in it.
#[test]
fn oversized_decryption_errors() {
    let (mut alice, _) = acquainted::<Signal>(268);
    let sent = alice.write(b"text").unwrap().bytes;
    let ratchet_key = Some(SignalMessage::parse(&sent).unwrap().fields.ratchet_key);
    let error = DecryptionErrorMessage { ratchet_key, timestamp: 7, device: 1 };
    let fields = Fields::read(&error.encode());
    assert_eq!(told(DecryptionErrorMessage::parse(&fields.with(1, &LARGE))), TOO_LARGE);
    assert_eq!(told(DecryptionErrorMessage::parse(&fields.with(1, &LARGE[..4_000]))), LENGTH);
    assert_eq!(told(PlaintextContent::parse(&[&[0xC0][..], &LARGE].concat())), TOO_LARGE);
}
