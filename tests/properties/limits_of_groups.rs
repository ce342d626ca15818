//! The limits of sender keys, each met exactly and exceeded by one.

use crate::device::START;
use crate::group_members::Owner;
use crate::in_both_profiles;
use crate::schedule::Rng;
use crate::wire_profile::WireProfile;
use rand::SeedableRng;
use undertone::ErrorKind;

in_both_profiles! {
    /// DR-7, B31: 25 000 group messages lost in a row are bridged, 25 001 are not.
    up_to_25_000_group_messages_may_be_lost_in_a_row;
    /// DR-7, DR-8, B36: the keys of the newest 2 000 group messages passed over are kept.
    the_newest_2000_skipped_group_keys_are_kept;
    /// Five chains per owner and group are kept.
    five_chains_per_owner_and_group_are_kept;
    /// A chain is due for replacement after 1 000 messages or seven days.
    a_sender_key_is_replaced_after_1000_messages_or_seven_days;
}

fn up_to_25_000_group_messages_may_be_lost_in_a_row<P: WireProfile>() {
    let mut rng = Rng::seed_from_u64(1);
    let mut owner = Owner::<P>::new(1, &mut rng);
    let mut reader = owner.reader();
    reader.process(&owner.rotate(1, 0, START, &mut rng)).unwrap();
    for _ in 0..25_000 {
        owner.encrypt(1, b"lost", &mut rng);
    }
    let reached = owner.encrypt(1, b"reached", &mut rng);
    let beyond = owner.encrypt(1, b"beyond", &mut rng);
    let error = reader.read(&beyond, START).unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::TooFarAhead, "message.too_far_ahead"));
    assert_eq!(reader.read(&reached, START).unwrap().plaintext, b"reached");
    assert_eq!(reader.read(&beyond, START).unwrap().plaintext, b"beyond");
}

fn the_newest_2000_skipped_group_keys_are_kept<P: WireProfile>() {
    let mut rng = Rng::seed_from_u64(2);
    let mut owner = Owner::<P>::new(1, &mut rng);
    let mut reader = owner.reader();
    reader.process(&owner.rotate(1, 0, START, &mut rng)).unwrap();
    let late: Vec<Vec<u8>> = (0..2_003).map(|_| owner.encrypt(1, b"late", &mut rng)).collect();
    reader.read(&owner.encrypt(1, b"newest", &mut rng), START).unwrap();
    assert_eq!(reader.keys.skipped(), 2_000);
    reader.restart();
    let (lost, kept) = late.split_at(3);
    for message in lost {
        assert_eq!(reader.read(message, START).unwrap_err().kind(), ErrorKind::Duplicate);
    }
    for message in kept {
        assert_eq!(reader.keys.decrypt(message, START).unwrap().plaintext, b"late");
    }
    assert_eq!(reader.keys.skipped(), 0);
}

fn five_chains_per_owner_and_group_are_kept<P: WireProfile>() {
    let mut rng = Rng::seed_from_u64(3);
    let mut owner = Owner::<P>::new(1, &mut rng);
    let mut reader = owner.reader();
    let mut messages = Vec::new();
    for epoch in 0..6 {
        reader.process(&owner.rotate(1, epoch, START, &mut rng)).unwrap();
        messages.push(owner.encrypt(1, b"late", &mut rng));
        // Another group has five chains of its own.
        reader.process(&owner.rotate(2, epoch, START, &mut rng)).unwrap();
    }
    reader.restart();
    assert_eq!(reader.keys.contexts().count(), 10);
    assert_eq!(reader.read(&messages[0], START).unwrap_err().kind(), ErrorKind::NoSenderKey);
    for message in &messages[1..] {
        assert_eq!(reader.read(message, START).unwrap().plaintext, b"late");
    }
}

fn a_sender_key_is_replaced_after_1000_messages_or_seven_days<P: WireProfile>() {
    let mut rng = Rng::seed_from_u64(4);
    let mut owner = Owner::<P>::new(1, &mut rng);
    owner.rotate(1, 0, START, &mut rng);
    assert!(!owner.keys[&1].needs_rotation(START + 7 * 86_400 - 1));
    assert!(owner.keys[&1].needs_rotation(START + 7 * 86_400));
    for _ in 0..999 {
        owner.encrypt(1, b"on", &mut rng);
    }
    assert!(!owner.keys[&1].needs_rotation(START));
    owner.encrypt(1, b"on", &mut rng);
    assert!(owner.keys[&1].needs_rotation(START));
}
