//! B44: somebody who was removed still holds the chains that were handed out before.

use crate::group_world::{Alice, NOW, code, context};
use undertone::SenderKey;
use undertone::profile::Undertone;

/// D7, B44: after a removal the members' new chains are of a new epoch, which the old chain says nothing about; a message under the old epoch is
/// told apart, and refused once the epoch is closed.
#[test]
fn an_old_epoch_is_told_apart_and_closed() {
    let mut alice = Alice::new();
    let mut old = alice.sender_key();
    let (mut member, mut removed) = (alice.reader(&old.distribution()), alice.reader(&old.distribution()));
    let mut new =
        SenderKey::<Undertone>::create(context(6), &alice.address, &alice.identity, NOW, &mut alice.rng).unwrap();
    member.process_distribution(&alice.address, &alice.identity, &new.distribution()).unwrap();

    let message = new.encrypt(b"without you", &mut alice.rng).unwrap();
    assert_eq!(code(removed.decrypt(&message, NOW)), "group.no_sender_key");
    assert_eq!(member.decrypt(&message, NOW).unwrap().context, context(6));

    let in_flight = old.encrypt(b"in flight", &mut alice.rng).unwrap();
    assert_eq!(member.decrypt(&in_flight, NOW).unwrap().context, context(5));
    let later = old.encrypt(b"too late", &mut alice.rng).unwrap();
    member.close_before(context(5).id(), 6);
    assert_eq!(code(member.decrypt(&later, NOW)), "group.no_sender_key");
}
