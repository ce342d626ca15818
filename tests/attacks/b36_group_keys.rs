//! B36: keys that are kept for ever open old messages to whoever steals the state.

use crate::group_world::{Alice, NOW, code};
use undertone::rule::{Rule, without};

/// DR-8, B36: at most 2 000 keys of messages passed over stay, for at most seven days.
#[test]
fn skipped_keys_are_given_up() {
    let mut alice = Alice::new();
    let mut sender = alice.sender_key();
    let mut reader = alice.reader(&sender.distribution());
    let old = sender.encrypt(b"old", &mut alice.rng).unwrap();
    let mut jump_twice = |reader: &mut undertone::ReceivedSenderKeys<_>| {
        let mut sender = undertone::SenderKey::<undertone::profile::Undertone>::from_bytes(&sender.to_bytes()).unwrap();
        for next in [2_500, 5_000] {
            sender.walk_to(next);
            reader.decrypt(&sender.encrypt(b"jump", &mut alice.rng).unwrap(), NOW).unwrap();
        }
        reader.skipped()
    };
    let mut hoarder = undertone::ReceivedSenderKeys::from_bytes(&reader.to_bytes()).unwrap();
    assert_eq!(jump_twice(&mut reader), 2_000);
    assert_eq!(code(reader.decrypt(&old, NOW)), "message.duplicate");
    assert_eq!(without(Rule::Dr8, || jump_twice(&mut hoarder)), 4_000);

    reader.forget_old_keys(NOW + 7 * 86_400);
    assert_eq!(reader.skipped(), 2_000);
    reader.forget_old_keys(NOW + 7 * 86_400 + 1);
    assert_eq!(reader.skipped(), 0);
}

/// DR-8, B36: no record holds the chain key from which a message that was sent or read can be derived.
#[test]
fn used_keys_leave_the_records() {
    let mut alice = Alice::new();
    let mut sender = alice.sender_key();
    let mut reader = alice.reader(&sender.distribution());
    for _ in 0..5 {
        let distribution = sender.distribution();
        let chain_key = &distribution[distribution.len() - 96..distribution.len() - 64];
        let holds = |record: &[u8]| record.windows(32).any(|window| window == chain_key);
        assert!(holds(&sender.to_bytes()) && holds(&reader.to_bytes()));
        let message = sender.encrypt(b"text", &mut alice.rng).unwrap();
        assert!(!holds(&sender.to_bytes()) && holds(&reader.to_bytes()));
        reader.decrypt(&message, NOW).unwrap();
        assert!(!holds(&reader.to_bytes()));
    }
}
