//! Several devices of one account.

use super::world::*;
use core::time::Duration;
use futures_executor::block_on;
use futures_util::future::try_join;
use undertone::client::EventKind;
use undertone::identity::LinkCode;
use undertone::store::sealed::RecordName;
use undertone::store::{MemoryStore, SealedStore, StoreSecret};

/// SE-2: a message goes to every device of the recipient and to the sender's other ones.
#[test]
fn a_message_reaches_every_device() {
    let world = World::new();
    let (phone, bob) = (world.person("alice"), world.person("bob"));
    let tablet = link(&world, &phone, &MemoryStore::new());
    say(&bob, "alice", "to both");
    assert_eq!(texts(&phone), ["to both"]);
    assert_eq!(texts(&tablet), ["to both"]);

    say(&tablet, "bob", "from the tablet");
    assert_eq!(texts(&bob), ["from the tablet"]);
    let copies = messages(&phone);
    assert_eq!(copies.len(), 1);
    assert_eq!((copies[0].sender.as_str(), copies[0].device, copies[0].conversation.as_str()), ("alice", 2, "bob"));
    say(&phone, "alice", "a note to myself");
    assert_eq!(messages(&tablet)[0].conversation, "alice");
}

/// SE-2: a device that is added later is found out by the server's refusal of the old list; one that is removed is not written to.
#[test]
fn a_device_that_comes_or_goes_is_noticed_at_the_next_message() {
    let world = World::new();
    let (phone, bob) = (world.person("alice"), world.person("bob"));
    say(&bob, "alice", "one");
    assert_eq!(texts(&phone), ["one"]);
    let tablet = link(&world, &phone, &MemoryStore::new());
    say(&bob, "alice", "two");
    assert!(events(&bob).iter().any(|event| matches!(event, EventKind::DevicesChanged { added, .. } if added == &[2])));
    block_on(bob.sync(Duration::ZERO)).unwrap();
    assert_eq!(texts(&phone), ["two"]);
    assert_eq!(texts(&tablet), ["two"], "the new device is told what was on its way");

    block_on(phone.unlink(2)).unwrap();
    say(&bob, "alice", "three");
    let removed = |event: &EventKind| matches!(event, EventKind::DevicesChanged { removed, .. } if removed == &[2]);
    assert!(events(&bob).iter().any(removed));
    assert_eq!(texts(&phone), ["three"]);
    assert_eq!(block_on(bob.contact("alice")).unwrap().devices, [1]);
}

/// A link that was interrupted after the new device had answered can be begun anew on the same store, and only then.
#[test]
fn an_interrupted_link_starts_over() {
    let world = World::new();
    let (phone, store) = (world.person("alice"), MemoryStore::new());
    let begin = || block_on(world.builder(&store).link()).unwrap();
    let linking = begin();
    let code: LinkCode = linking.code().to_string().parse().unwrap();
    // The phone crashes before its user confirms.
    drop(block_on(try_join(phone.link(&code), linking.accept())).unwrap());
    let failed = block_on(try_join(phone.link(&code), begin().accept())).err().unwrap();
    assert_eq!(failed.code(), "link.authentication");
    let anew = block_on(begin().start_over()).unwrap();
    assert_ne!(anew.code().to_string(), code.to_string());
    assert_eq!(link(&world, &phone, &store).address().device(), 2);
}

/// SE-5: the session with a device that was removed stays for a month, for what it sent before, and is deleted then; that with its account's other device stays.
#[test]
fn records_of_removed_devices_go_after_a_time() {
    let (world, store) = (World::new(), MemoryStore::new());
    let (phone, bob) = (world.person("alice"), world.open("bob", &store));
    let tablet = link(&world, &phone, &MemoryStore::new());
    say(&tablet, "bob", "hello");
    say(&phone, "bob", "hello");
    assert_eq!(texts(&bob).len(), 2);
    block_on(phone.unlink(2)).unwrap();
    say(&phone, "bob", "the tablet is gone");
    assert_eq!(texts(&bob).len(), 1);
    let sealed = block_on(SealedStore::open(store.clone(), StoreSecret::key([7; 32]))).unwrap();
    let records = || {
        let count = |table| block_on(sealed.scan_all(&RecordName::table(table))).unwrap().1.len();
        [count("session"), count("peer"), count("tag"), count("resend")]
    };
    let all = records();
    assert_eq!(&all[..2], [2, 2]);
    for (days, is_kept) in [(1, true), (28, true), (2, false)] {
        world.clock.advance(Duration::from_secs(days * 86_400));
        events(&bob);
        let left = records();
        assert_eq!(left[..2], if is_kept { [2, 2] } else { [1, 1] }, "after {days} days more");
        assert_eq!(left[2] < all[2], !is_kept);
    }
    say(&phone, "bob", "still here");
    assert_eq!(texts(&bob), ["still here"]);
}

/// SE-2: a message to someone whose devices could not be asked for when it was sent reaches the sender's other devices too.
#[test]
fn a_message_that_waits_for_the_recipients_devices_reaches_the_own_other_ones() {
    let world = World::new();
    let (phone, bob) = (world.person("alice"), world.person("bob"));
    let tablet = link(&world, &phone, &MemoryStore::new());
    world.server.set_reachable(false);
    say(&phone, "bob", "later");
    world.server.set_reachable(true);
    world.clock.advance(Duration::from_secs(60));
    assert!(texts(&phone).is_empty());
    assert_eq!(texts(&bob), ["later"]);
    assert_eq!(texts(&tablet), ["later"]);
}
