//! B34: a clone of a device speaks on where the device was when it was copied.

use crate::session_world::{DAY, acquainted, code, round};
use undertone::rule::{Rule, without};
use undertone::{DecryptedBy, SessionRecord, Undertone};

/// DR-10, B34: once the honest parties have gone on for a round, the session has healed: what the clone sends in it is refused.
#[test]
fn a_clone_is_locked_out_of_the_session() {
    let (mut alice, mut bob) = acquainted::<Undertone>(80);
    let copied = bob.state();
    for rounds in 1..4 {
        round(&mut alice, &mut bob);
        let now = bob.state();
        bob.restore(&copied);
        let from_clone = bob.write(b"it is me").unwrap();
        bob.restore(&now);
        let before = alice.state();
        let refused = code(alice.read(&from_clone));
        assert!(
            ["message.duplicate", "message.authentication", "message.field"].contains(&refused),
            "{rounds}: {refused}"
        );
        assert_eq!(alice.state(), before);
    }
}

/// DR-10: nor can the clone read what is said once the device that was copied has taken part in a ratchet step.
#[test]
fn a_clone_reads_nothing_after_a_round() {
    let (mut alice, mut bob) = acquainted::<Undertone>(81);
    let copied = bob.state();
    round(&mut alice, &mut bob);
    let sent = alice.write(b"for bob alone").unwrap();
    let now = bob.state();
    bob.restore(&copied);
    assert!(bob.read(&sent).is_err());
    bob.restore(&now);
    assert_eq!(bob.read(&sent).unwrap().plaintext, b"for bob alone");
}

/// A session is given up for a new one; a copy of it speaks on in the old one. What Alice is told.
fn old_session_speaks() -> DecryptedBy {
    let (mut alice, mut bob) = acquainted::<Undertone>(82);
    let copied = bob.state();
    alice.begin(&bob).unwrap();
    round(&mut alice, &mut bob);
    bob.restore(&copied);
    let from_clone = bob.write(b"it is me").unwrap();
    alice.read(&from_clone).unwrap().by
}

/// SE-10, B34: a message of an archived session is never taken in silence: the caller is told which session came back.
#[test]
fn an_old_session_comes_back_with_notice() {
    assert_eq!(old_session_speaks(), DecryptedBy::Archived);
    assert_eq!(without(Rule::Se10, old_session_speaks), DecryptedBy::Current, "the caller would not know");
}

/// SE-10: after its age an archived session receives no more, and no more than 40 are kept.
#[test]
fn archived_sessions_die() {
    let (mut alice, mut bob) = acquainted::<Undertone>(83);
    let copied = bob.state();
    alice.begin(&bob).unwrap();
    round(&mut alice, &mut bob);
    let now = bob.state();
    bob.restore(&copied);
    let from_clone = bob.write(b"it is me").unwrap();
    bob.restore(&now);
    alice.now += 30 * DAY + 1;
    assert_eq!(code(alice.read(&from_clone)), "message.authentication");
    alice.now -= 30 * DAY + 1;
    for _ in 0..50 {
        alice.begin(&bob).unwrap();
        round(&mut alice, &mut bob);
    }
    assert_eq!(alice.record.status().unwrap().archived, 40);
    assert!(SessionRecord::<Undertone>::from_bytes(&alice.record.to_bytes()).is_ok());
}

/// P-7, B34: a duplicate is known by its place in the chain, not by its bytes: another ciphertext in the same place is reported as well.
#[test]
fn two_messages_in_one_place_are_noticed() {
    let (mut alice, mut bob) = acquainted::<Undertone>(84);
    alice.write(b"the chain has begun").unwrap();
    let copied = alice.state();
    let one = alice.write(b"one").unwrap();
    alice.restore(&copied);
    let other = alice.write(b"another").unwrap();
    bob.read(&one).unwrap();
    for repeated in [&one, &other] {
        assert_eq!(code(bob.read(repeated)), "message.duplicate");
    }
}
