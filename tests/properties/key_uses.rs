//! No message key serves twice.

use crate::device::Pair;
use crate::device::START;
use crate::group_members::Owner;
use crate::in_both_profiles;
use crate::schedule::{Rng, happens, on_schedules, one_of};
use crate::wire_profile::WireProfile;
use rand::RngExt;
use std::collections::BTreeSet;
use undertone::crypto::key_uses::{self, KeyUse};
use undertone::group::SenderKey;
use undertone::rule::{self, Rule};

in_both_profiles! {
    /// P-10, DR-8: over loss, restarts and turns, in sessions and groups, no key encrypts two messages.
    no_key_encrypts_two_messages;
    /// M-2, B33: devices whose store was rolled back repeat keys, and in the native profile never with the same nonce.
    a_rolled_back_state_repeats_no_nonce;
}

fn no_key_encrypts_two_messages<P: WireProfile>() {
    let mut messages = 0;
    on_schedules(25, |rng| {
        let ((), uses) = key_uses::record(|| talk::<P>(rng));
        let keys: BTreeSet<[u8; 32]> = uses.iter().map(|encryption| encryption.key).collect();
        assert_eq!(keys.len(), uses.len(), "a key has encrypted twice");
        messages += uses.len();
    });
    println!("{}: {messages} encryptions, each under a key of its own", P::NAME);
    assert!(messages > 0, "the recorder saw nothing");
}

fn talk<P: WireProfile>(rng: &mut Rng) {
    let mut pair = Pair::<P>::answered(rng.random());
    let mut owner = Owner::<P>::new(1, rng);
    owner.rotate(1, 0, START, rng);
    for _ in 0..rng.random_range(20..200) {
        let alice_sends: bool = rng.random();
        for _ in 0..*one_of(&[1, 1, 5], rng) {
            let envelope = if alice_sends { pair.alice_says(b"same") } else { pair.bob_says(b"same") };
            if happens(80, rng) {
                let read = if alice_sends { pair.bob_reads(&envelope) } else { pair.alice_reads(&envelope) };
                read.unwrap();
            }
        }
        match rng.random_range(0..20) {
            0 => pair.alice.restart(),
            1 => pair.bob.restart(),
            2 => owner.restart(),
            3 => drop(owner.rotate(1, 1, START, rng)),
            4 => {
                // Both sides begin anew at once.
                let bundle = pair.bob.bundle(happens(50, rng), pair.now, rng);
                pair.alice.begin(&bundle, pair.now, rng).unwrap();
            }
            _ => drop(owner.encrypt(1, b"same", rng)),
        }
    }
}

fn a_rolled_back_state_repeats_no_nonce<P: WireProfile>() {
    if P::GUARDS_NONCES {
        assert_eq!(repeats_after_rolling_back::<P>(), 0, "a key has encrypted twice under one nonce");
        assert!(rule::without(Rule::M2, repeats_after_rolling_back::<P>) > 0, "without the guard it would have");
    } else {
        // The wire format leaves no room for a guard: the store has to prevent that it is rolled back.
        assert!(repeats_after_rolling_back::<P>() > 0);
    }
}

fn repeats_after_rolling_back<P: WireProfile>() -> usize {
    let mut pair = Pair::<P>::answered(1);
    let mut owner = Owner::<P>::new(1, &mut pair.rng);
    owner.rotate(1, 0, START, &mut pair.rng);
    let old_key = owner.keys[&1].to_bytes();
    // In the middle of a chain: a chain that begins is random in itself.
    pair.alice_says(b"first of the chain");
    let old = pair.alice.store();
    let ((), uses) = key_uses::record(|| {
        for _ in 0..5 {
            pair.alice_says(b"same");
            pair.alice_says(b"same");
            pair.alice.restore(&old);
            owner.encrypt(1, b"same", &mut pair.rng);
            owner.keys.insert(1, SenderKey::from_bytes(&old_key).unwrap());
        }
    });
    uses.len() - uses.iter().collect::<BTreeSet<&KeyUse>>().len()
}
