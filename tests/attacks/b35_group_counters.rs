//! B35: a message counter that overflows comes back to a number that was used, and to its key.

use crate::group_world::{Alice, NOW, code};
use undertone::rule::{Rule, without};
use undertone::{ReceivedSenderKeys, Undertone};

/// DR-15, B35: from two below the ceiling, one message goes out and the next does not.
#[test]
fn the_counter_of_a_sender_key_ends() {
    let mut alice = Alice::new();
    let mut sender = alice.sender_key();
    sender.jump_to(u32::MAX - 1);
    let mut reader = alice.reader(&sender.distribution());
    let last = sender.encrypt(b"last", &mut alice.rng).unwrap();
    assert_eq!(reader.decrypt(&last, NOW).unwrap().number, u32::MAX - 1);
    assert_eq!(code(sender.encrypt(b"more", &mut alice.rng)), "group.exhausted");
    let mut late = ReceivedSenderKeys::<Undertone>::new(&alice.address, &alice.identity);
    let ended = late.process_distribution(&alice.address, &alice.identity, &sender.distribution());
    assert_eq!(code(ended.map(|_| ())), "message.field", "a chain that has ended is not handed out");

    // Without the ceiling the counter wraps: number 0 comes a second time.
    let wrapped = without(Rule::Dr15, || sender.encrypt(b"more", &mut alice.rng)).unwrap();
    assert_eq!(sender.sent(), 0);
    let before = reader.to_bytes();
    assert_eq!(code(reader.decrypt(&wrapped, NOW)), "message.too_far_ahead");
    assert_eq!(reader.to_bytes(), before);
}

/// DR-7, B31: a genuine signature does not buy an unbounded walk.
#[test]
fn a_jump_is_bounded() {
    let mut alice = Alice::new();
    let mut sender = alice.sender_key();
    let mut reader = alice.reader(&sender.distribution());
    sender.walk_to(25_001);
    let far = sender.encrypt(b"far", &mut alice.rng).unwrap();
    assert_eq!(code(reader.decrypt(&far, NOW)), "message.too_far_ahead");
    assert_eq!(without(Rule::Dr7, || reader.decrypt(&far, NOW)).unwrap().number, 25_001);
}
