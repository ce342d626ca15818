//! B9: a first message is delivered again, so that two sessions share their keys (Cheval, Jacomme and Richards, IEEE S&P 2026).

use crate::handshake_world::{DAY, Device, NOW, agree, code, handshake};
use undertone::Result;
use undertone::handshake::internals::REPLAY_GUARD;
use undertone::handshake::{FirstMessage, HandshakePolicy, LocalDevice, PrekeyBundle, Prekeys};
use undertone::profile::Undertone;
use undertone::rule::{Rule, without};

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
