//! What others learn of their messages, and what they do not.

use super::world::*;
use core::time::Duration;
use futures_executor::block_on;
use undertone::client::{Client, Message};
use undertone::content::{Body, ReceiptKind};
use undertone::store::MemoryStore;

fn read(client: &Client, message: &Message) {
    block_on(client.receipt(message, ReceiptKind::Read)).unwrap();
}

/// What goes to the network within the minute in which receipts gather.
fn settle(world: &World, client: &Client) {
    world.clock.advance(Duration::from_secs(61));
    block_on(client.sync(Duration::ZERO)).unwrap();
}

/// How long a receipt of Bob's waits for others, in steps of five seconds.
fn steps_until_it_leaves(world: &World, alice: &Client, bob: &Client) -> u64 {
    say(alice, "bob", "read this");
    read(bob, &messages(bob).remove(0));
    for steps in 0..=12 {
        block_on(bob.sync(Duration::ZERO)).unwrap();
        if !messages(alice).is_empty() {
            return steps;
        }
        world.clock.advance(Duration::from_secs(5));
    }
    panic!("a receipt did not leave within a minute");
}

/// D4, T-RECEIPT: a receipt waits for a while that nobody can foretell, up to a minute: when it comes says little of when the message was read.
#[test]
fn receipts_wait_a_random_while() {
    let mut waits = std::collections::BTreeSet::new();
    for _ in 0..4 {
        let world = World::new();
        let (alice, bob) = (world.person("alice"), world.person("bob"));
        say(&bob, "alice", "I write to Alice, and so she is no stranger");
        texts(&alice);
        waits.extend((0..8).map(|_| steps_until_it_leaves(&world, &alice, &bob)));
    }
    // Of 13 steps, 32 waits meet most; that they meet fewer than five, or none of the later ones, happens less than once in a million million times.
    assert!(waits.len() >= 5 && waits.last() >= Some(&4), "{waits:?}");
}

/// D4, T-RECEIPT: the receipts of a conversation travel as one message, once.
#[test]
fn receipts_gather() {
    let world = World::new();
    let (alice, bob) = (world.person("alice"), world.person("bob"));
    say(&bob, "alice", "I write to Alice, and so she is no stranger");
    texts(&alice);
    let mut ids = Vec::new();
    for number in 0..5 {
        say(&alice, "bob", &number.to_string());
    }
    for message in messages(&bob) {
        read(&bob, &message);
        read(&bob, &message);
        ids.push(message.id);
    }
    settle(&world, &bob);
    let told = messages(&alice);
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].body, Body::Receipt { kind: ReceiptKind::Read, ids });
}

/// D4: no receipt to a stranger, none for a receipt, none for what changes another message, none when they are switched off.
#[test]
fn a_receipt_has_its_place() {
    let world = World::new();
    let (alice, bob) = (world.person("alice"), world.person("bob"));
    say(&alice, "bob", "are you there?");
    let first = messages(&bob).remove(0);
    read(&bob, &first);
    settle(&world, &bob);
    assert!(texts(&alice).is_empty(), "Bob never wrote to Alice");

    say(&bob, "alice", "yes");
    texts(&alice);
    block_on(alice.send("bob", Body::Reaction { to: first.id, emoji: "+".to_owned() })).unwrap();
    block_on(alice.send("bob", Body::Receipt { kind: ReceiptKind::Read, ids: vec![first.id] })).unwrap();
    for message in messages(&bob) {
        read(&bob, &message);
    }
    settle(&world, &bob);
    assert!(texts(&alice).is_empty());
    // Control: for a message that has a place for it, one is sent.
    read(&bob, &first);
    settle(&world, &bob);
    assert_eq!(messages(&alice).len(), 1);

    let carol = block_on(world.builder(&MemoryStore::new()).without_receipts().open("carol")).unwrap();
    say(&carol, "alice", "I tell nothing");
    texts(&alice);
    say(&alice, "carol", "do you?");
    read(&carol, &messages(&carol).remove(0));
    settle(&world, &carol);
    assert!(texts(&alice).is_empty());
}
