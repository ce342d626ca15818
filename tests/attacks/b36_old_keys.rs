//! B36: a stolen state still holds the keys of messages that were read long ago.

use crate::session_world::{DAY, Person, acquainted, code, round};
use std::collections::HashSet;
use undertone::handshake::HandshakeProfile;
use undertone::rule::{Rule, without};
use undertone::{EnvelopeKind, Signal, Undertone};

/// Every window of 16 bytes of a record that looks like a part of a key.
fn windows(record: &[u8]) -> HashSet<&[u8]> {
    let looks_random = |window: &&[u8]| window.iter().collect::<HashSet<_>>().len() >= 10;
    record.windows(16).filter(looks_random).collect()
}

/// The bytes of a record that stay for as long as the session does: whose it is, with whom, and the base key.
fn lasting<P: HandshakeProfile>(person: &Person<P>, fresh: &[u8]) -> HashSet<Vec<u8>> {
    let start = windows(fresh);
    let now = person.record.to_bytes();
    windows(&now).intersection(&start).map(|window| window.to_vec()).collect()
}

/// DR-8, DR-9, SP-5, B36, T-FS-AUDIT: of all the keys that stood in the record at any earlier time, none is in it three epochs later: what is left are
/// names, identity keys and the base key.
#[test]
fn no_key_outlives_its_use() {
    fn check<P: HandshakeProfile>(seed: u64) {
        let (mut alice, mut bob) = acquainted::<P>(seed);
        let mut earlier = vec![bob.record.to_bytes()];
        while bob.record.status().unwrap().post_quantum_epoch < 3 {
            round(&mut alice, &mut bob);
            earlier.push(bob.record.to_bytes());
        }
        // One more epoch, so that nothing of those above is the current or the previous one.
        while bob.record.status().unwrap().post_quantum_epoch < 6 {
            round(&mut alice, &mut bob);
        }
        let lasting = lasting(&bob, &earlier[0]);
        let length: usize = 2 * 33 + 2 * 40 + 32;
        assert!(lasting.len() < length, "{} windows stay", lasting.len());
        let now = bob.record.to_bytes();
        for (age, record) in earlier.iter().enumerate() {
            for window in windows(&now).intersection(&windows(record)) {
                assert!(lasting.contains(*window), "a secret of record {age} is still held");
            }
        }
    }
    check::<Undertone>(90);
    check::<Signal>(91);
}

/// DR-2, DR-8, B36: whoever steals the final state opens none of the messages that were recorded, in order or late; without the rule the late ones open.
#[test]
fn a_stolen_state_opens_no_message_that_was_read() {
    fn late_message_opens_again<P: HandshakeProfile>(seed: u64) -> bool {
        let (mut alice, mut bob) = acquainted::<P>(seed);
        let sent: Vec<_> = (0..6_u8).map(|i| alice.write(&[i]).unwrap()).collect();
        for index in [0, 5, 3, 1, 4, 2] {
            bob.read(&sent[index]).unwrap();
        }
        sent.iter().any(|sent| bob.read_as(EnvelopeKind::Message, &sent.bytes).is_ok())
    }
    assert!(!late_message_opens_again::<Undertone>(92));
    assert!(!late_message_opens_again::<Signal>(92));
    assert!(without(Rule::Dr8, || late_message_opens_again::<Undertone>(92)));
    assert!(without(Rule::Dr8, || late_message_opens_again::<Signal>(92)));
}

/// DR-7, DR-8, B36: the keys of messages that never came are given up after a week in the native profile.
#[test]
fn keys_of_lost_messages_are_given_up() {
    let (mut alice, mut bob) = acquainted::<Undertone>(93);
    let late = alice.write(b"late").unwrap();
    let sent = alice.write(b"text").unwrap();
    bob.read(&sent).unwrap();
    assert_eq!(bob.record.status().unwrap().skipped, 1);
    bob.now += 7 * DAY + 1;
    let sent = alice.write(b"a week later").unwrap();
    bob.read(&sent).unwrap();
    assert_eq!(bob.record.status().unwrap().skipped, 0);
    assert_eq!(code(bob.read(&late)), "message.duplicate");
}

/// PQ-19, X3-3, B36: the one-time prekeys of a session are gone from the record of the prekeys, without the rule they stay.
#[test]
fn used_prekeys_are_gone() {
    let left = || {
        let (_, bob) = acquainted::<Undertone>(94);
        (bob.prekeys.one_time_prekeys().count(), bob.prekeys.one_time_kem_prekeys().count())
    };
    assert_eq!(left(), (0, 0));
    assert_eq!(without(Rule::Pq19, left), (1, 1));
}
