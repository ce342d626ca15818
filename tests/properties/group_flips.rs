//! Flipped bits in group messages and distribution messages.

use crate::corruption::flipped;
use crate::device::{Pair, START};
use crate::group_members::Owner;
use crate::in_both_profiles;
use crate::schedule::Rng;
use crate::wire_profile::WireProfile;
use rand::SeedableRng;
use undertone::Envelope;

in_both_profiles! {
    /// DR-6, B32: 9 000 flips in group messages.
    flips_in_group_messages;
    /// DR-6, B32: 2 000 flips in distribution messages on their way, inside a session.
    flips_in_distributions_on_their_way;
    /// DR-6: 3 000 flips in distribution messages handed in as they are.
    flips_in_bare_distributions;
}

fn flips_in_group_messages<P: WireProfile>() {
    let mut rng = Rng::seed_from_u64(1);
    let mut owner = Owner::<P>::new(1, &mut rng);
    let mut reader = owner.reader();
    for epoch in 0..30 {
        reader.process(&owner.rotate(1, epoch, START, &mut rng)).unwrap();
        let late = owner.encrypt(1, b"late", &mut rng);
        let newer = owner.encrypt(1, b"newer", &mut rng);
        assert_eq!(reader.read(&newer, START).unwrap().plaintext, b"newer");
        let next = owner.encrypt(1, b"next", &mut rng);
        for message in [&late, &next] {
            for _ in 0..150 {
                assert!(reader.read(&flipped(message, &mut rng), START).is_err(), "a flipped bit was read");
            }
        }
        assert_eq!(reader.read(&late, START).unwrap().plaintext, b"late");
        assert_eq!(reader.read(&next, START).unwrap().plaintext, b"next");
    }
}

fn flips_in_distributions_on_their_way<P: WireProfile>() {
    let mut pair = Pair::<P>::answered(2);
    let mut rng = Rng::seed_from_u64(2);
    let mut owner = Owner::<P>::new(1, &mut rng);
    let mut reader = owner.reader();
    for epoch in 0..10 {
        let distribution = owner.rotate(1, epoch, START, &mut rng);
        let envelope = pair.alice_says(&distribution);
        for _ in 0..200 {
            let bytes = flipped(&envelope.bytes, &mut rng);
            assert!(pair.bob_reads(&Envelope { kind: envelope.kind, bytes }).is_err());
        }
        reader.process(&pair.bob_reads(&envelope).unwrap()).unwrap();
        let message = owner.encrypt(1, b"for all", &mut rng);
        assert_eq!(reader.read(&message, START).unwrap().plaintext, b"for all");
    }
}

/// A distribution message does not authenticate itself: the session it travels in does, and nothing hands it in bare. A chain key is secret and
/// random, so one with a flipped bit is a chain key like any other. A native message does not open under it. A group message of the Signal profile
/// has a signature, which says nothing of the chain key, and no MAC: under a wrong key it reads as noise where that happens to end in a padding,
/// one time in 255. This is all that the format leaves open: a flip anywhere else is refused, or is of no account.
fn flips_in_bare_distributions<P: WireProfile>() {
    let mut rng = Rng::seed_from_u64(3);
    let mut owner = Owner::<P>::new(1, &mut rng);
    let (mut in_chain_key, mut wrong) = (0, 0);
    for epoch in 0..30 {
        let distribution = owner.rotate(1, epoch, START, &mut rng);
        let message = owner.encrypt(1, b"for all", &mut rng);
        for _ in 0..100 {
            let mut reader = owner.reader();
            let flipped = flipped(&distribution, &mut rng);
            let is_chain_key = P::chain_key_in(&distribution).contains(&first_difference(&flipped, &distribution));
            in_chain_key += usize::from(is_chain_key);
            // `process` and `read` compare the state before and after a refusal.
            if reader.process(&flipped).is_err() {
                assert!(reader.keys.is_empty());
            } else if let Ok(read) = reader.read(&message, START)
                && read.plaintext != b"for all"
            {
                assert!(is_chain_key && !P::AUTHENTICATES_ALL, "a message was read as another");
                wrong += 1;
            }
        }
    }
    assert!(in_chain_key > 300, "{in_chain_key} of 3000 flips");
    // Four times what is to be expected, which no seed in 100 000 goes beyond.
    assert!(wrong * 64 <= in_chain_key, "{wrong} of {in_chain_key} messages read as others");
}

fn first_difference(one: &[u8], other: &[u8]) -> usize {
    one.iter().zip(other).position(|(one, other)| one != other).expect("they differ")
}
