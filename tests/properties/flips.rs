//! Flipped bits in messages, first messages and bundles: no panic, no wrong plaintext, no change of state.
//!
//! Over this module, `group_flips` and `flips_of_records`: 50 000 flips per profile.

use crate::corruption::flipped;
use crate::device::Pair;
use crate::in_both_profiles;
use crate::schedule::Rng;
use crate::wire_profile::WireProfile;
use rand::{RngExt, SeedableRng};
use undertone::{Envelope, PrekeyBundle};

in_both_profiles! {
    /// DR-6, B32: 12 000 flips in session messages.
    flips_in_messages;
    /// DR-6, PQ-18, B32: 6 000 flips in first messages.
    flips_in_first_messages;
    /// PQ-13, X3-4, B16: 6 000 flips in prekey bundles.
    flips_in_bundles;
}

fn flips_in_messages<P: WireProfile>() {
    let mut pair = Pair::<P>::answered(1);
    let mut rng = Rng::seed_from_u64(1);
    for _ in 0..60 {
        // One that is late, one that follows the newest, and one that begins a new chain.
        let late = pair.alice_says(b"a message that comes late");
        let newer = pair.alice_says(b"newer");
        pair.bob_reads(&newer).unwrap();
        let next = pair.alice_says(b"next");
        let answer = pair.bob_says(b"answer");
        pair.alice_reads(&answer).unwrap();
        let turn = pair.alice_says(b"turn");
        for envelope in [&late, &next, &turn] {
            assert_flips_are_refused(&mut pair, envelope, 66, &mut rng);
        }
        for (envelope, plaintext) in [(late, &b"a message that comes late"[..]), (next, b"next"), (turn, b"turn")] {
            assert_flips_are_refused(&mut pair, &envelope, 1, &mut rng);
            assert_eq!(pair.bob_reads(&envelope).unwrap(), plaintext);
        }
        for _ in 0..rng.random_range(0..5) {
            pair.exchange();
        }
    }
}

fn assert_flips_are_refused<P: WireProfile>(pair: &mut Pair<P>, envelope: &Envelope, flips: usize, rng: &mut Rng) {
    for _ in 0..flips {
        let bytes = flipped(&envelope.bytes, rng);
        let kind = envelope.kind;
        let error = pair.bob_reads(&Envelope { kind, bytes }).expect_err("a message with a flipped bit was read");
        assert!(!error.code().is_empty());
    }
}

fn flips_in_first_messages<P: WireProfile>() {
    let mut rng = Rng::seed_from_u64(2);
    let mut read = 0;
    for seed in 0..30 {
        let mut pair = Pair::<P>::begun(seed);
        let first = pair.alice_says(b"first");
        let before = pair.bob.store();
        for _ in 0..200 {
            let bytes = flipped(&first.bytes, &mut rng);
            match pair.bob_reads(&Envelope { kind: first.kind, bytes }) {
                Err(_) => {}
                Ok(plaintext) => {
                    // The Signal profile does not authenticate the registration id, nor fields that it does not know.
                    assert!(!P::AUTHENTICATES_ALL, "a first message with a flipped bit was read");
                    assert_eq!(plaintext, b"first");
                    pair.bob.restore(&before);
                    pair.bob.pins.clear();
                    read += 1;
                }
            }
        }
        assert_eq!(pair.bob_reads(&first).unwrap(), b"first");
    }
    println!("{}: {read} of 6000 first messages with a flipped bit read as sent", P::NAME);
}

fn flips_in_bundles<P: WireProfile>() {
    let mut rng = Rng::seed_from_u64(3);
    let mut used = 0;
    for seed in 0..20 {
        let mut pair = Pair::<P>::strangers(seed);
        let bundle = pair.bob.bundle(seed % 4 != 0, pair.now, &mut pair.rng).to_bytes();
        let bob = pair.bob.store();
        for _ in 0..300 {
            let Ok(bundle) = PrekeyBundle::<P>::from_bytes(&flipped(&bundle, &mut rng)) else { continue };
            // `begin_with` compares the record before and after a refusal.
            if pair.alice.begin_with(&pair.bob.address, &bundle, pair.now, &mut pair.rng).is_err() {
                assert!(pair.alice.sessions.is_empty());
                continue;
            }
            // The Signal profile signs neither the registration id, nor the ids of prekeys, nor the one-time prekey.
            assert!(!P::AUTHENTICATES_ALL, "a bundle with a flipped bit was used");
            used += 1;
            let first = pair.alice_says(b"first");
            if let Ok(plaintext) = pair.bob_reads(&first) {
                assert_eq!(plaintext, b"first");
                pair.bob.restore(&bob);
                pair.bob.pins.clear();
            }
            pair.alice.sessions.clear();
            pair.alice.pins.clear();
        }
        let bundle = PrekeyBundle::<P>::from_bytes(&bundle).unwrap();
        pair.alice.begin(&bundle, pair.now, &mut pair.rng).unwrap();
        pair.exchange();
    }
    println!("{}: {used} of 6000 bundles with a flipped bit in what the profile does not sign were used", P::NAME);
}
