//! B9: a first message is delivered again, so that two sessions share their keys (Cheval, Jacomme and Richards, IEEE S&P 2026).

use crate::handshake_world::{DAY, Device, NOW, agree, code, handshake};
use undertone::handshake::internals::REPLAY_GUARD;
use undertone::handshake::{FirstMessage, HandshakePolicy, LocalDevice, PrekeyBundle, Prekeys};
use undertone::profile::Undertone;
use undertone::rule::{Rule, without};
use undertone::{Address, Decrypted, DecryptedBy, Envelope, Result, SessionRecord, TrustedIdentity};

fn deliver(bob: &mut Device, first: &FirstMessage<Undertone>) -> Result<()> {
    let policy = HandshakePolicy::allow_x3dh_without_post_quantum();
    bob.accept(first, policy)?;
    bob.prekeys.consume(first)
}

fn restart(bob: &mut Device) {
    bob.prekeys = Prekeys::from_bytes(&bob.prekeys.to_bytes()).unwrap();
}

fn rotate(bob: &mut Device) {
    let Device { identity, address, prekeys, rng } = bob;
    prekeys.rotate(&LocalDevice { identity, address, registration_id: 77 }, NOW, rng).unwrap();
}

/// The first message of a session that Alice began with `bundle`.
fn first_with(alice: &mut Device, bob: &Device, bundle: &PrekeyBundle<Undertone>) -> FirstMessage<Undertone> {
    let policy = HandshakePolicy::allow_x3dh_without_post_quantum();
    let initiation = alice.initiate(&bob.address, bundle, policy).unwrap();
    bob.open(&alice.wrap(bob, &initiation)).unwrap()
}

/// PQ-20, B9: delivered again at once, after a restart, after a rotation; with one-time prekeys, with the last-resort one, and without any KEM.
#[test]
fn a_first_message_is_accepted_once() {
    let mut alice: Device = Device::new("alice", 1, 0, 1);
    let mut bob: Device = Device::new("bob", 1, 2, 2);
    for (bundle, refusal) in [
        (bob.bundle(), "prekey.unknown_one_time"),
        (bob.bundle().without_one_time_prekey(), "prekey.unknown_kem"),
        (bob.last_resort_bundle(), "handshake.replayed"),
        (bob.last_resort_bundle().without_kem_prekey(), "handshake.replayed"),
    ] {
        let bundle = if refusal == "prekey.unknown_kem" { bob.bundle().without_one_time_prekey() } else { bundle };
        let first = first_with(&mut alice, &bob, &bundle);
        deliver(&mut bob, &first).unwrap();
        assert_eq!(code(deliver(&mut bob, &first)), refusal, "at once");
        restart(&mut bob);
        assert_eq!(code(deliver(&mut bob, &first)), refusal, "after a restart");
        rotate(&mut bob);
        assert_eq!(code(deliver(&mut bob, &first)), refusal, "after a rotation");
    }
}

/// PQ-20, B9: the guard never forgets while its prekey lives; full, it refuses everyone until the prekeys are rotated.
#[test]
fn the_guard_fails_closed() {
    let mut alice: Device = Device::new("alice", 1, 0, 1);
    let mut bob: Device = Device::new("bob", 1, 0, 2);
    let bundle = bob.last_resort_bundle();
    let mut delivered = Vec::new();
    for _ in 0..REPLAY_GUARD {
        let first = first_with(&mut alice, &bob, &bundle);
        bob.prekeys.check_replay(&first).unwrap();
        bob.prekeys.consume(&first).unwrap();
        delivered.push(first);
    }
    assert!(bob.prekeys.is_rotation_due(NOW));
    restart(&mut bob);
    for first in &delivered {
        assert_eq!(code(deliver(&mut bob, first)), "handshake.replayed");
    }
    let one_more = first_with(&mut alice, &bob, &bundle);
    let before = bob.prekeys.to_bytes();
    assert_eq!(code(deliver(&mut bob, &one_more)), "handshake.replay_guard_full");
    assert_eq!(bob.prekeys.to_bytes(), before);

    rotate(&mut bob);
    assert_eq!(code(deliver(&mut bob, &one_more)), "handshake.replay_guard_full");
    let fresh = bob.last_resort_bundle();
    let fresh = first_with(&mut alice, &bob, &fresh);
    deliver(&mut bob, &fresh).unwrap();
    bob.prekeys.erase_expired(NOW + 31 * DAY);
    assert_eq!(code(deliver(&mut bob, &one_more)), "prekey.unknown_signed");
}

/// B9: without the guard, the second delivery gives a second session with the very same keys.
#[test]
fn without_the_guard_two_sessions_share_their_keys() {
    let deliver_twice = || {
        let mut alice: Device = Device::new("alice", 1, 0, 1);
        let mut bob: Device = Device::new("bob", 1, 0, 2);
        let bundle = bob.last_resort_bundle();
        let (_, first, once) = handshake(&mut alice, &bob, &bundle);
        bob.prekeys.consume(&first).unwrap();
        let again = bob.accept(&first, HandshakePolicy::default())?;
        Result::Ok(agree(&once.secrets, &again.secrets))
    };
    assert_eq!(code(deliver_twice()), "handshake.replayed");
    assert_eq!(without(Rule::Pq20, deliver_twice), Ok(true));
}

/// PQ-18, PQ-19: nothing is used up before the message inside has been decrypted, and a failed `consume` changes nothing.
#[test]
fn accepting_uses_nothing_up() {
    let mut alice: Device = Device::new("alice", 1, 0, 1);
    let mut bob: Device = Device::new("bob", 1, 1, 2);
    let bundle = bob.bundle();
    let before = bob.prekeys.to_bytes();
    let (_, first, _) = handshake(&mut alice, &bob, &bundle);
    assert_eq!(bob.prekeys.to_bytes(), before);
    bob.prekeys.consume(&first).unwrap();
    assert_eq!(bob.prekeys.one_time_prekeys().count() + bob.prekeys.one_time_kem_prekeys().count(), 0);
    let after = bob.prekeys.to_bytes();
    assert_eq!(code(bob.prekeys.consume(&first)), "prekey.unknown_one_time");
    assert_eq!(bob.prekeys.to_bytes(), after);
}

/// Alice's record with Bob, and the first message that she wrote in it.
fn begin(alice: &mut Device, bob: &Device) -> (SessionRecord<Undertone>, Envelope) {
    let Device { identity, address, rng, .. } = alice;
    let local = LocalDevice { identity, address, registration_id: 77 };
    let mut record = SessionRecord::new(&local, bob.address.clone()).unwrap();
    let (trusted, policy) = (TrustedIdentity::FirstUse, HandshakePolicy::default());
    record.initiate(&local, &bob.last_resort_bundle(), &trusted, policy, NOW, rng).unwrap();
    let envelope = record.encrypt(&local, b"hello", &trusted, NOW, rng).unwrap();
    (record, envelope)
}

fn accept_in(
    record: &mut SessionRecord<Undertone>,
    bob: &mut Device,
    first: &FirstMessage<Undertone>,
) -> Result<Decrypted<Undertone>> {
    let Device { identity, address, prekeys, .. } = bob;
    let local = LocalDevice { identity, address, registration_id: 77 };
    record.accept(&local, first, prekeys, &TrustedIdentity::FirstUse, HandshakePolicy::default(), NOW)
}

/// PQ-20, B9: in the record that has its session a first message is a duplicate; in a record that was lost it is a replay; neither begins a session.
#[test]
fn a_second_delivery_begins_no_session() {
    let attack = || {
        let mut alice: Device = Device::new("alice", 1, 0, 1);
        let mut bob: Device = Device::new("bob", 1, 0, 2);
        let (_, envelope) = begin(&mut alice, &bob);
        let first = bob.open(&envelope.bytes).unwrap();
        let from_alice = || Address::new("alice", 1).unwrap();
        let mut record = SessionRecord::new(&bob.local(), from_alice()).unwrap();
        assert!(matches!(accept_in(&mut record, &mut bob, &first).unwrap().by, DecryptedBy::New(_)));
        let stored = (record.to_bytes(), bob.prekeys.to_bytes());
        assert_eq!(code(accept_in(&mut record, &mut bob, &first)), "message.duplicate");
        assert_eq!((record.to_bytes(), bob.prekeys.to_bytes()), stored);
        let mut lost = SessionRecord::new(&bob.local(), from_alice()).unwrap();
        let result = accept_in(&mut lost, &mut bob, &first).map(|decrypted| decrypted.plaintext);
        assert_eq!(lost.status().is_some(), result.is_ok());
        result
    };
    assert_eq!(code(attack()), "handshake.replayed");
    assert_eq!(without(Rule::Pq20, attack).unwrap(), b"hello");
}

/// X3-7, PQ-18, B32: a first message whose session message does not decrypt begins nothing and uses nothing up.
#[test]
fn a_first_message_that_does_not_decrypt_changes_nothing() {
    let mut alice: Device = Device::new("alice", 1, 0, 1);
    let mut bob: Device = Device::new("bob", 1, 1, 2);
    let (_, envelope) = begin(&mut alice, &bob);
    let genuine = bob.open(&envelope.bytes).unwrap();
    let bundle = bob.bundle();
    for at in [1, 20, 60, 150, genuine.message.len() - 1] {
        let mut forged = first_with(&mut alice, &bob, &bundle);
        forged.message = genuine.message.clone();
        forged.message[at] ^= 1;
        let mut record = SessionRecord::new(&bob.local(), alice.address.clone()).unwrap();
        let before = (record.to_bytes(), bob.prekeys.to_bytes());
        assert_eq!(code(accept_in(&mut record, &mut bob, &forged)), "message.authentication");
        assert_eq!((record.to_bytes(), bob.prekeys.to_bytes()), before);
    }
}
