//! B15: after a restart a new prekey takes the id of one that was handed out (vodozemac, issue 382).

use crate::handshake_world::{DAY, Device, NOW, code, fresh_rng, handshake};
use std::collections::HashSet;
use undertone::handshake::{LocalDevice, Prekeys};
use undertone::profile::Undertone;
use undertone::rule::{Rule, without};

/// Every id that the device publishes: (kind, id).
fn ids(bob: &Device) -> Vec<(u8, u32)> {
    let prekeys = &bob.prekeys;
    let signed = prekeys.signed_prekey().map(|prekey| (1, prekey.id));
    let one_time = prekeys.one_time_prekeys().map(|prekey| (2, prekey.id));
    let kem = prekeys.last_resort_prekey().into_iter().chain(prekeys.one_time_kem_prekeys());
    signed.into_iter().chain(one_time).chain(kem.map(|prekey| (3, prekey.id))).collect()
}

/// PQ-9, B15: generate, use up, erase, rotate, store, restore, generate: no id of a kind comes twice.
#[test]
fn an_id_is_given_out_once() {
    let mut alice: Device = Device::new("alice", 1, 0, 1);
    let mut bob: Device = Device::new("bob", 1, 3, 2);
    let mut seen: HashSet<(u8, u32)> = ids(&bob).into_iter().collect();
    let mut held = ids(&bob);
    for round in 1..=12 {
        // The newest are used up: a counter taken from what is left would give their ids again.
        let bundle = bob.bundle();
        let (_, first, _) = handshake(&mut alice, &bob, &bundle);
        bob.prekeys.consume(&first).unwrap();
        bob.prekeys = Prekeys::from_bytes(&bob.prekeys.to_bytes()).unwrap();
        let Device { identity, address, prekeys, rng } = &mut bob;
        let local = LocalDevice { identity, address, registration_id: 77 };
        prekeys.add_one_time(&local, 2, NOW, rng).unwrap();
        if round % 3 == 0 {
            prekeys.rotate(&local, NOW, rng).unwrap();
            prekeys.erase_expired(NOW + 31 * DAY);
        }
        let now_held = ids(&bob);
        for id in now_held.iter().filter(|id| !held.contains(id)) {
            assert!(seen.insert(*id), "round {round}: {id:?} was given out before");
        }
        held = now_held;
    }
}

/// B15: a stored state whose counter lies behind its prekeys, or in which two have one id, is refused.
#[test]
fn a_counter_behind_its_ids_is_corrupt() {
    let bob: Device = Device::new("bob", 1, 2, 2);
    let stored = bob.prekeys.to_bytes();
    // version, profile, identity, address, registration id
    let next = 1 + 1 + 32 + 2 + 3 + 1 + 4;
    for counter in 0..3 {
        let last = next + 8 * counter + 7;
        assert_eq!(stored[last - 7..last], [0; 7]);
        let mut behind = stored.clone();
        behind[last] -= 1;
        assert_eq!(code(Prekeys::<Undertone>::from_bytes(&behind)), "record.corrupt");
    }

    // The counter of the one-time prekeys, set back by one: a new one takes the place of one that was handed out.
    let mut behind = stored;
    behind[next + 15] -= 1;
    let lost = bob.prekeys.one_time_prekeys().last().unwrap();
    let mut back = without(Rule::B15, || Prekeys::<Undertone>::from_bytes(&behind)).unwrap();
    let local = LocalDevice { identity: &bob.identity, address: &bob.address, registration_id: 77 };
    assert_eq!(code(back.add_one_time(&local, 1, NOW, &mut fresh_rng())), "prekey.exists");
    without(Rule::B15, || back.add_one_time(&local, 1, NOW, &mut fresh_rng())).unwrap();
    let newest = back.one_time_prekeys().last().unwrap();
    assert!(newest.id == lost.id && newest.public != lost.public);
}

/// B15, B35: ids end; they never begin again.
#[test]
fn ids_do_not_wrap() {
    let mut bob: Device = Device::new("bob", 1, 0, 2);
    let mut stored = bob.prekeys.to_bytes();
    let one_time = 1 + 1 + 32 + 2 + 3 + 1 + 4 + 8;
    stored[one_time..one_time + 8].copy_from_slice(&u64::from(u32::MAX).to_be_bytes());
    bob.prekeys = Prekeys::from_bytes(&stored).unwrap();
    let Device { identity, address, prekeys, rng } = &mut bob;
    let local = LocalDevice { identity, address, registration_id: 77 };
    assert_eq!(code(prekeys.add_one_time(&local, 2, NOW, rng)), "prekey.ids_exhausted");
    assert_eq!(prekeys.to_bytes(), stored, "nothing changed");
    prekeys.add_one_time(&local, 1, NOW, rng).unwrap();
    assert_eq!(prekeys.one_time_prekeys().next().unwrap().id, u32::MAX);
    assert_eq!(code(prekeys.add_one_time(&local, 1, NOW, rng)), "prekey.ids_exhausted");
}
