//! B32: a forged message moves the state on, and the next honest one no longer opens.

use crate::session_world::{Person, acquainted, code, flipped, strangers};
use undertone::handshake::{HandshakeProfile, PrekeyBundle};
use undertone::rule::{Rule, without};
use undertone::wire::signal::SignalMessage;
use undertone::{Envelope, EnvelopeKind, Prekeys, SessionRecord, Signal, Undertone};

/// Turns every bit of `sent` on its way to `to`: nothing changes, and the message itself is read afterwards.
fn turn_every_bit<P: HandshakeProfile>(to: &mut Person<P>, sent: &Envelope, step: usize) {
    let before = to.state();
    for bit in (0..sent.bytes.len() * 8).step_by(step) {
        let read = to.read_as(sent.kind, &flipped(&sent.bytes, bit));
        assert!(read.is_err(), "bit {bit}");
        if bit % 64 == 0 || bit / 8 < 64 {
            assert_eq!(to.state(), before, "bit {bit}");
        }
    }
    assert_eq!(to.state(), before);
    assert_eq!(to.read(sent).unwrap().plaintext, b"the message");
}

/// DR-6, SP-10, SE-4, B32: whichever bit of a session message is turned, the record stays byte for byte what it was.
#[test]
fn a_forged_message_changes_nothing() {
    let (mut alice, mut bob) = acquainted::<Undertone>(60);
    turn_every_bit(&mut bob, &alice.write(b"the message").unwrap(), 1);
    let (mut alice, mut bob) = acquainted::<Signal>(61);
    turn_every_bit(&mut bob, &alice.write(b"the message").unwrap(), 1);
}

/// PQ-18, X3-7, DR-6, B32: nor does a forged first message change the record, or use up a prekey. (In the native profile every bit is under the seal.)
#[test]
fn a_forged_first_message_changes_nothing() {
    let (mut alice, mut bob) = strangers::<Undertone>(62);
    alice.begin(&bob).unwrap();
    turn_every_bit(&mut bob, &alice.write(b"the message").unwrap(), 7);
}

/// DR-6, B32: without the rule a forgery moves the chain on, and the honest message is taken for a repetition.
#[test]
fn without_the_rule_the_honest_message_is_lost() {
    let (mut alice, mut bob) = acquainted::<Signal>(63);
    let sent = alice.write(b"the message").unwrap();
    let parsed = SignalMessage::parse(&sent.bytes).unwrap();
    let (mut fields, mac) = (parsed.fields, *parsed.mac);
    fields.ciphertext[0] ^= 1;
    let forged = fields.encode(|_| mac).unwrap();
    let before = bob.state();
    assert_eq!(code(bob.read_as(EnvelopeKind::Message, &forged)), "message.authentication");
    assert_eq!(bob.state(), before);
    let _ = without(Rule::Dr6, || bob.read_as(EnvelopeKind::Message, &forged));
    assert_ne!(bob.state(), before);
    assert_eq!(code(bob.read(&sent)), "message.duplicate");
}

/// PQ-13, B32: whichever bit of a native bundle is turned, no session begins. Without its signatures some would.
#[test]
fn a_changed_bundle_begins_no_session() {
    let (mut alice, bob) = strangers::<Undertone>(64);
    let bytes = bob.prekeys.bundle(&bob.local(), true).unwrap().to_bytes();
    let before = alice.state();
    let mut begin = |bit: usize| {
        let bundle = PrekeyBundle::<Undertone>::from_bytes(&flipped(&bytes, bit))?;
        let policy = undertone::handshake::HandshakePolicy::default();
        let local = undertone::handshake::LocalDevice {
            identity: &alice.identity,
            address: &alice.address,
            registration_id: 77,
        };
        let mut record = SessionRecord::<Undertone>::from_bytes(&before.0)?;
        let trusted = undertone::TrustedIdentity::FirstUse;
        record.initiate(&local, &bundle, &trusted, policy, alice.now, &mut alice.rng).map(|_| ())
    };
    for bit in (0..bytes.len() * 8).step_by(11) {
        assert!(begin(bit).is_err(), "bit {bit}");
    }
    // A bit in the last signature.
    let last = bytes.len() * 8 - 1;
    assert!(begin(last).is_err());
    without(Rule::Pq13, || begin(last)).unwrap();
}

/// B32, B75: a stored record with a bit turned is refused or is another state that still works or fails by name; reading it never panics.
#[test]
fn a_changed_record_is_refused_or_fails_by_name() {
    fn check<P: HandshakeProfile>(seed: u64) {
        let (mut alice, mut bob) = acquainted::<P>(seed);
        let sent = alice.write(b"the message").unwrap();
        let (record, prekeys) = bob.state();
        let mut refused = 0;
        for bit in (0..record.len() * 8).step_by(3) {
            let Ok(changed) = SessionRecord::<P>::from_bytes(&flipped(&record, bit)) else {
                refused += 1;
                continue;
            };
            if bit % 31 == 0 {
                bob.record = changed;
                if let Ok(read) = bob.read(&sent) {
                    assert_eq!(read.plaintext, b"the message", "bit {bit}");
                }
            }
        }
        assert!(refused > 100);
        for bit in (0..prekeys.len() * 8).step_by(17) {
            let _ = Prekeys::<P>::from_bytes(&flipped(&prekeys, bit));
        }
    }
    check::<Undertone>(65);
    check::<Signal>(66);
}
