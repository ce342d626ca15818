//! B31: a counter that demands more derivations, or more kept keys, than a receiver can afford. Work is counted in derivations, not in time.

use crate::session_world::{Person, acquainted, code, flipped, round};
use undertone::crypto::work::{Work, during};
use undertone::rule::{Rule, without};
use undertone::wire::signal::{SignalMessage, post_quantum};
use undertone::{Envelope, EnvelopeKind, Signal, Undertone};

/// The limit of one jump (docs/protocol.md, section 12), and what all sessions together may spend on one envelope, in each ratchet.
const JUMP: u32 = 25_000;
const PER_ENVELOPE: u64 = 30_000;
/// HMACs of one post-quantum chain step, and of opening one message, at most.
const STEP: u64 = 3;
const MESSAGE: u64 = 40;

/// A forgery with these counters, made from a message that was overheard.
fn forged(overheard: &Envelope, n: u32, index: u32) -> Vec<u8> {
    let parsed = SignalMessage::parse(&overheard.bytes).unwrap();
    let (mut fields, mac) = (parsed.fields, *parsed.mac);
    fields.counter = n;
    let mut header = post_quantum::decode(&fields.pq_ratchet).unwrap();
    header.index = index;
    fields.pq_ratchet = post_quantum::encode(&header);
    fields.encode(|_| mac).unwrap()
}

/// What refusing costs; nothing may change.
fn refuse(bob: &mut Person<Signal>, bytes: &[u8]) -> (&'static str, Work) {
    let before = bob.state();
    let (refused, work) = during(|| code(bob.read_as(EnvelopeKind::Message, bytes)));
    assert_eq!(bob.state(), before);
    (refused, work)
}

/// B31, DR-7, SP-11: a jump beyond the limit costs nothing, in either ratchet; the largest one costs what it says and leaves nothing behind.
#[test]
fn a_forged_jump_is_bounded() {
    let (mut alice, mut bob) = acquainted::<Signal>(31);
    let overheard = alice.write(b"text").unwrap();
    for (n, index) in [(JUMP + 1, 2), (u32::MAX, 2), (u32::MAX - 1, 2)] {
        let (refused, work) = refuse(&mut bob, &forged(&overheard, n, index));
        assert_eq!(refused, "message.too_far_ahead");
        assert!(work.derivations < MESSAGE, "{work:?}");
    }
    for index in [JUMP + 10, u32::MAX - 1, u32::MAX] {
        let (refused, work) = refuse(&mut bob, &forged(&overheard, 0, index));
        assert_eq!(refused, "message.too_far_ahead");
        assert!(work.derivations < MESSAGE, "{work:?}");
    }
    let (refused, work) = refuse(&mut bob, &forged(&overheard, JUMP, JUMP));
    assert_eq!(refused, "message.authentication");
    assert!(
        work.derivations > u64::from(JUMP) && work.derivations < u64::from(JUMP) * (1 + STEP) + MESSAGE,
        "{work:?}"
    );
    assert_eq!(bob.read(&overheard).unwrap().plaintext, b"text");
}

/// B31, DR-7: without the limit the forgery would be walked for as long as it asks.
#[test]
fn without_the_limit_a_jump_is_walked() {
    let (mut alice, mut bob) = acquainted::<Signal>(32);
    let overheard = alice.write(b"text").unwrap();
    let forged = forged(&overheard, JUMP + 2_000, 2);
    assert_eq!(code(bob.read_as(EnvelopeKind::Message, &forged)), "message.too_far_ahead");
    let (refused, work) = during(|| without(Rule::Dr7, || code(bob.read_as(EnvelopeKind::Message, &forged))));
    assert_eq!(refused, "message.authentication");
    assert!(work.derivations > u64::from(JUMP));
}

/// B31, HE-6, SE-10: ten archived sessions on which a forgery is tried in turn cost no more than one envelope may; without that budget each of them is walked.
#[test]
fn archived_sessions_share_one_budget() {
    let (mut alice, mut bob) = acquainted::<Signal>(33);
    for _ in 0..10 {
        alice.begin(&bob).unwrap();
        round(&mut alice, &mut bob);
    }
    assert_eq!(bob.record.status().unwrap().archived, 10);
    // A ratchet key that no session has seen makes each of them take a ratchet step first.
    let overheard = alice.write(b"text").unwrap();
    let forged = forged(&overheard, JUMP, JUMP);
    let (_, work) = refuse(&mut bob, &forged);
    assert!(work.derivations <= PER_ENVELOPE * (1 + STEP) + 11 * MESSAGE, "{work:?}");
    let (_, work) = during(|| without(Rule::B31, || bob.read_as(EnvelopeKind::Message, &forged).is_ok()));
    assert!(work.derivations > 3 * PER_ENVELOPE * (1 + STEP), "{work:?}");
}

/// B31, DR-6: a native message, forged in any byte, costs not a single chain step: its header authenticates it first. With 40 archived sessions neither.
#[test]
fn a_native_forgery_walks_no_chain() {
    let (mut alice, mut bob) = acquainted::<Undertone>(34);
    for sessions in [0, 40] {
        for _ in 0..sessions {
            alice.begin(&bob).unwrap();
            round(&mut alice, &mut bob);
        }
        for _ in 0..100 {
            alice.write(b"lost").unwrap();
        }
        let sent = alice.write(b"text").unwrap();
        let before = bob.state();
        for byte in 0..sent.bytes.len() {
            let forged = flipped(&sent.bytes, byte * 8);
            let (refused, work) = during(|| code(bob.read_as(EnvelopeKind::Message, &forged)));
            assert_ne!(refused, "no error");
            assert_eq!(work.derivations, 0, "byte {byte}");
            assert!(work.header_openings <= 1, "byte {byte}");
        }
        assert_eq!(bob.state(), before);
        let (read, work) = during(|| bob.read(&sent).unwrap().plaintext);
        assert_eq!(read, b"text");
        assert!(work.derivations > 100, "the counter counts: {work:?}");
    }
}

/// B31, DR-7, SP-11: what an authenticated peer can make us keep is bounded, over many jumps and many chains.
#[test]
fn kept_keys_are_bounded() {
    let (mut alice, mut bob) = acquainted::<Undertone>(35);
    for _ in 0..4 {
        for _ in 0..3 {
            for _ in 0..900 {
                alice.write(b"lost").unwrap();
            }
            let sent = alice.write(b"text").unwrap();
            bob.read(&sent).unwrap();
        }
        round(&mut bob, &mut alice);
        let status = bob.record.status().unwrap();
        assert!(status.skipped <= 2_000, "{status:?}");
        let size = bob.record.to_bytes().len();
        assert!(size < 2 * 2_000 * 44 + 8_192, "{size} bytes");
    }
    assert_eq!(bob.record.status().unwrap().skipped, 2_000);
}
