//! B41: a field of an envelope that nothing authenticates is changed on the way, and shown to the user.

use crate::session_world::{Person, code, flipped, strangers};
use undertone::handshake::HandshakeProfile;
use undertone::rule::{Rule, without};
use undertone::wire::signal::{PreKeySignalMessage, SignalMessage};
use undertone::{Envelope, EnvelopeKind, IdentityKeyPair, Signal, Undertone};

/// Turns bits of a first message; every one is refused, or changes nothing of what is read and of whose it is. How many were refused.
fn turn_bits<P: HandshakeProfile>(seed: u64, step: usize) -> (usize, usize) {
    let (mut alice, mut bob) = strangers::<P>(seed);
    alice.begin(&bob).unwrap();
    let sent: Envelope = alice.write(b"text").unwrap();
    let before = bob.state();
    let (mut refused, mut read) = (0, 0);
    for bit in (0..sent.bytes.len() * 8).step_by(step) {
        match bob.read_as(EnvelopeKind::First, &flipped(&sent.bytes, bit)) {
            Err(_) => refused += 1,
            Ok(decrypted) => {
                assert_eq!(decrypted.plaintext, b"text", "bit {bit}");
                assert!(decrypted.sender == *alice.identity.public() && decrypted.address == alice.address);
                read += 1;
                bob.restore(&before);
            }
        }
    }
    assert_eq!(bob.state(), before);
    (refused, read)
}

/// B41, DR-5: of a native first message every bit counts: none can be turned.
#[test]
fn no_bit_of_a_native_first_message_can_be_turned() {
    assert_eq!(turn_bits::<Undertone>(120, 5).1, 0);
}

/// B41: in the Signal profile the wire format leaves the registration id and the encoding itself outside of what is authenticated; no text and no sender
/// can be changed by them.
#[test]
fn no_bit_of_a_signal_first_message_changes_what_is_read() {
    let (refused, read) = turn_bits::<Signal>(121, 5);
    assert!(refused > 20 * read, "{refused} refused, {read} read");
}

/// X3-6, DR-5, B41: every field of the message inside is under the tag; without it each could be another.
#[test]
fn every_field_inside_is_authenticated() {
    fn changed(bytes: &[u8], field: usize) -> Vec<u8> {
        let mut first = PreKeySignalMessage::parse(bytes).unwrap();
        let inner = first.message.clone();
        let parsed = SignalMessage::parse(&inner).unwrap();
        let (mut fields, mac) = (parsed.fields, *parsed.mac);
        match field {
            0 => fields.previous_counter += 1,
            1 => fields.ciphertext[3] ^= 1,
            2 => fields.addresses = None,
            _ => fields.addresses.as_mut().unwrap()[20] ^= 1,
        }
        first.message = fields.encode(|_| mac).unwrap();
        first.encode().unwrap()
    }
    let world = || -> (Person<Signal>, Envelope) {
        let (mut alice, bob) = strangers::<Signal>(122);
        alice.begin(&bob).unwrap();
        let sent = alice.write(b"a text that is longer than a block").unwrap();
        (bob, sent)
    };
    for field in 0..4 {
        let (mut bob, sent) = world();
        let refused = code(bob.read_as(EnvelopeKind::First, &changed(&sent.bytes, field)));
        assert_eq!(refused, "message.authentication", "field {field}");
    }
    let (mut bob, sent) = world();
    let read = without(Rule::Dr5, || bob.read_as(EnvelopeKind::First, &changed(&sent.bytes, 1))).unwrap();
    assert_ne!(read.plaintext, b"a text that is longer than a block");
}
