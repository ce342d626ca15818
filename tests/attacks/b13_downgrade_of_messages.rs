//! B13: the post-quantum part of a message, its version or its tag is blanked, downgraded or shortened on the way.

use crate::session_world::{acquainted, code, round};
use undertone::handshake::HandshakeProfile;
use undertone::profile::Profile;
use undertone::rule::{Rule, without};
use undertone::wire::signal::{SignalMessage, post_quantum};
use undertone::{EnvelopeKind, Signal, Undertone};

/// The message again, with another post-quantum part and another tag.
fn with_post_quantum(bytes: &[u8], change: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let parsed = SignalMessage::parse(bytes).unwrap();
    let (mut fields, mac) = (parsed.fields, *parsed.mac);
    change(&mut fields.pq_ratchet);
    fields.encode(|_| mac).unwrap()
}

/// SP-9, B13: at each of the first messages, both ways, a message without its post-quantum part, or with that of another version, is refused by name,
/// and changes nothing.
#[test]
fn the_post_quantum_part_cannot_be_left_out() {
    let (mut alice, mut bob) = acquainted::<Signal>(13);
    for index in 0..6 {
        let (from, to) = if index % 2 == 0 { (&mut alice, &mut bob) } else { (&mut bob, &mut alice) };
        let sent = from.write(b"text").unwrap();
        let before = to.state();
        let blanked = with_post_quantum(&sent.bytes, Vec::clear);
        assert_eq!(code(to.read_as(EnvelopeKind::Message, &blanked)), "message.no_post_quantum");
        for version in (0..=255).filter(|version| *version != 1) {
            let other = with_post_quantum(&sent.bytes, |part| part[0] = version);
            assert_eq!(code(to.read_as(EnvelopeKind::Message, &other)), "message.no_post_quantum", "{version}");
        }
        assert_eq!(to.state(), before);
        to.read(&sent).unwrap();
    }
}

/// SP-9, B13: without the check, an older version would be taken for this one.
#[test]
fn an_older_version_is_not_read() {
    let part = [0, 1, 1, 0];
    assert_eq!(code(post_quantum::decode(&part)), "message.no_post_quantum");
    without(Rule::Sp9, || post_quantum::decode(&part)).unwrap();
}

/// DR-5, DR-13, SP-8, B13: every changed byte of the header and every shortened tag is refused; without the authentication of the header the message would
/// be read with another counter.
#[test]
fn the_header_is_authenticated() {
    let (mut alice, mut bob) = acquainted::<Signal>(14);
    round(&mut alice, &mut bob);
    let sent = alice.write(b"text").unwrap();
    let length = SignalMessage::parse(&sent.bytes).unwrap().fields.pq_ratchet.len();
    let before = bob.state();
    for at in 0..length {
        let changed = with_post_quantum(&sent.bytes, |part| part[at] ^= 1);
        assert!(bob.read_as(EnvelopeKind::Message, &changed).is_err(), "byte {at}");
    }
    for shorter in 1..=sent.bytes.len() {
        let cut = &sent.bytes[..sent.bytes.len() - shorter];
        assert!(bob.read_as(EnvelopeKind::Message, cut).is_err(), "{shorter} bytes shorter");
    }
    assert_eq!(bob.state(), before);
    let parsed = SignalMessage::parse(&sent.bytes).unwrap();
    let (mut fields, mac) = (parsed.fields, *parsed.mac);
    fields.previous_counter += 1;
    let changed = fields.encode(|_| mac).unwrap();
    assert_eq!(code(bob.read_as(EnvelopeKind::Message, &changed)), "message.authentication");
    let read = without(Rule::Dr5, || bob.read_as(EnvelopeKind::Message, &changed));
    assert_eq!(read.unwrap().plaintext, b"text");
}

/// B13, DR-13: in the native profile there is nothing to leave out and one version; every shorter message and every other version byte is refused.
#[test]
fn the_native_form_has_no_options() {
    let (mut alice, mut bob) = acquainted::<Undertone>(15);
    let sent = alice.write(b"text").unwrap();
    let before = bob.state();
    for length in 0..sent.bytes.len() {
        assert!(bob.read_as(EnvelopeKind::Message, &sent.bytes[..length]).is_err(), "{length} bytes");
    }
    for version in (0..=255).filter(|version| *version != sent.bytes[0]) {
        let mut other = sent.bytes.clone();
        other[0] = version;
        let expected = if version >> 4 == 1 { "message.type" } else { "message.version" };
        assert_eq!(code(bob.read_as(EnvelopeKind::Message, &other)), expected);
    }
    assert_eq!(bob.state(), before);
    bob.read(&sent).unwrap();
}

/// DR-13: the parsers take tags of one length.
#[test]
fn tags_have_one_length() {
    fn shortest<P: HandshakeProfile>(bytes: &[u8]) -> usize {
        (0..=bytes.len()).find(|length| <P as Profile>::parse(&bytes[..*length]).is_ok()).unwrap()
    }
    let (mut alice, _) = acquainted::<Undertone>(16);
    let sent = alice.write(b"").unwrap();
    assert_eq!(shortest::<Undertone>(&sent.bytes), sent.bytes.len());
    let (mut alice, _) = acquainted::<Signal>(16);
    let sent = alice.write(b"").unwrap();
    assert!(SignalMessage::parse(&sent.bytes).unwrap().mac.len() == 8);
}
