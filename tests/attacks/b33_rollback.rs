//! B33: a state that was restored from before encrypts a second message under a key that has already been used.

use crate::session_world::{acquainted, code};
use undertone::Undertone;
use undertone::rule::{Rule, without};

/// Where the body of a session message begins (docs/protocol.md, section 6.5), and what its tag takes.
const BODY: usize = 1 + 16 + 24 + 99 + 16;
const TAG: usize = 16;

/// The exclusive or of two messages' bodies, without their tags.
fn difference(one: &[u8], other: &[u8]) -> Vec<u8> {
    let body = |bytes: &[u8]| bytes[BODY..bytes.len() - TAG].to_vec();
    body(one).iter().zip(body(other)).map(|(one, other)| one ^ other).collect()
}

/// What an eavesdropper learns of two messages that were sent from one and the same state.
fn two_from_one_state() -> (Vec<u8>, Vec<u8>) {
    let (mut alice, _) = acquainted::<Undertone>(70);
    alice.write(b"the chain has begun").unwrap();
    let backup = alice.state();
    let first = alice.write(b"attack at dawn, from the east").unwrap();
    alice.restore(&backup);
    let second = alice.write(b"retreat tonight, to the river").unwrap();
    let plain = b"attack at dawn, from the east".iter().zip(b"retreat tonight, to the river").map(|(a, b)| a ^ b);
    (difference(&first.bytes, &second.bytes), plain.collect())
}

/// M-2, P-10, B33: the two do not share a keystream, because the guard in the header is part of the nonce. Without it their difference is that of the texts.
#[test]
fn a_rolled_back_state_repeats_no_keystream() {
    let (seen, plain) = two_from_one_state();
    assert_ne!(seen, plain);
    let (seen, plain) = without(Rule::M2, two_from_one_state);
    assert_eq!(seen, plain);
}

/// DR-2, P-7, B33: the peer reads one of the two and reports the other.
#[test]
fn the_peer_reports_the_second_message() {
    let (mut alice, mut bob) = acquainted::<Undertone>(71);
    alice.write(b"the chain has begun").unwrap();
    let backup = alice.state();
    let first = alice.write(b"first").unwrap();
    alice.restore(&backup);
    let second = alice.write(b"second").unwrap();
    assert_eq!(bob.read(&first).unwrap().plaintext, b"first");
    let before = bob.state();
    assert_eq!(code(bob.read(&second)), "message.duplicate");
    assert_eq!(bob.state(), before);
}
