//! A device goes on from an older copy of its store: T-ROLLBACK.

use crate::server::{Hostile, is_warned, live, live_on, said};
use crate::stores::copy;
use crate::world::{World, say, texts};
use futures_executor::block_on;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::collections::BTreeSet;
use undertone::client::{Client, SecurityKind};
use undertone::rule::{Rule, without};
use undertone::store::MemoryStore;
use undertone::transport::Verdict;

/// The tags in clear of the session messages to `name`, from number `from` on: each names a chain of a session.
fn tags(world: &World, name: &str, from: usize) -> BTreeSet<Vec<u8>> {
    let accepted = world.server.accepted_envelopes();
    let to = accepted.iter().skip(from).filter(|(to, bytes)| to.name() == name && bytes.first() == Some(&1));
    to.map(|(_, bytes)| bytes[1..17].to_vec()).collect()
}

/// Two talk; alice's store is copied somewhere in the middle; they go on; then she goes on from the copy.
struct RolledBack {
    world: World,
    bob: Client,
    alice: Client,
    /// Envelopes accepted before she went on from the copy.
    before: usize,
    /// What bob wrote that the copy does not know, and that alice never acknowledged.
    unacknowledged: Vec<String>,
}

fn rolled_back(seed: u64) -> RolledBack {
    let mut dice = StdRng::seed_from_u64(seed);
    let (world, store) = (World::new(), MemoryStore::new());
    let (alice, bob) = (world.open("alice", &store), world.person("bob"));
    let talk = |rounds: usize| {
        for number in 0..rounds {
            say(&alice, "bob", &format!("a{number}"));
            live(&bob);
            say(&bob, "alice", &format!("b{number}"));
            live(&alice);
        }
    };
    talk(dice.random_range(1..8));
    let old = copy(&store);
    talk(dice.random_range(1..8));
    // Alice reads these, and says nothing any more.
    let unacknowledged: Vec<String> = (0..dice.random_range(1..5)).map(|number| format!("last {number}")).collect();
    unacknowledged.iter().for_each(|text| say(&bob, "alice", text));
    assert_eq!(texts(&alice), unacknowledged);
    block_on(alice.close()).unwrap();
    let before = world.server.accepted_envelopes().len();
    let alice = world.open("alice", &old);
    RolledBack { world, bob, alice, before, unacknowledged }
}

/// I3: what waited in the copy was sent before the copy was gone back to; under other numbers and another session it is the same message, and told once.
#[test]
fn what_waited_in_the_copy_and_was_sent_is_told_once() {
    let (world, store) = (World::new(), MemoryStore::new());
    let (alice, bob) = (world.open("alice", &store), world.person("bob"));
    say(&alice, "bob", "one");
    live(&bob);
    Hostile::takes(|_| Some(Verdict::MailboxFull)).over(&world.server);
    say(&alice, "bob", "waits");
    let old = copy(&store);
    world.server.tamper(None);
    let events = live_on(&world, &[&alice, &bob], 4, 60);
    assert_eq!(said(&events[1]), ["waits"]);
    say(&alice, "bob", "not in the copy");
    assert_eq!(texts(&bob), ["not in the copy"]);
    block_on(alice.close()).unwrap();
    let before = world.server.accepted_envelopes().len();
    let alice = world.open("alice", &old);
    let events = live_on(&world, &[&alice, &bob], 8, 60);
    assert!(is_warned(&events[0], SecurityKind::StoreRolledBack));
    assert_eq!(said(&events[1]), [""; 0]);
    // Control: it was sent again, and bob reads what comes after it.
    assert!(world.server.accepted_envelopes().len() > before);
    say(&alice, "bob", "goes on");
    assert_eq!(texts(&bob), ["goes on"]);
}

/// L7, I7, I1, B33: the copy is noticed by what the server saw, before anything leaves the device; no chain of the old sessions is written in again; the conversation
/// goes on, and what bob still keeps comes again.
#[test]
fn an_older_copy_is_noticed_and_begins_anew() {
    for seed in 0..12 {
        let RolledBack { world, bob, alice, before, unacknowledged } = rolled_back(seed);
        let old_tags = tags(&world, "bob", 0);
        say(&alice, "bob", "from the copy");
        let events = live_on(&world, &[&alice, &bob], 8, 60);
        assert!(is_warned(&events[0], SecurityKind::StoreRolledBack), "seed {seed}");
        assert_eq!(said(&events[1]), ["from the copy"], "seed {seed}");
        let read: BTreeSet<String> = said(&events[0]).into_iter().collect();
        assert!(unacknowledged.iter().all(|text| read.contains(text)), "seed {seed}: {read:?}");
        for number in 0..3 {
            say(&bob, "alice", &format!("again {number}"));
            say(&alice, "bob", &format!("again {number}"));
        }
        let events = live_on(&world, &[&alice, &bob], 4, 60);
        assert_eq!(said(&events[0]), ["again 0", "again 1", "again 2"], "seed {seed}");
        assert_eq!(said(&events[1]), ["again 0", "again 1", "again 2"], "seed {seed}");
        assert!(!is_warned(&events[0], SecurityKind::StoreRolledBack), "it is told once");
        assert!(
            old_tags.is_disjoint(&tags(&world, "bob", before)),
            "seed {seed}: a chain of an old session was used again"
        );
    }
}

/// What two messages look like that were written from one state: without the server's witness nothing tells the device that its store is old.
fn two_from_one_state() -> (World, Vec<Vec<u8>>) {
    let (world, store) = (World::new(), MemoryStore::new());
    let (alice, bob) = (world.open("alice", &store), world.person("bob"));
    say(&alice, "bob", "one");
    live(&bob);
    say(&bob, "alice", "two");
    live(&alice);
    say(&alice, "bob", "the chain has begun");
    live(&bob);
    let old = copy(&store);
    Hostile::witness(|_, _| None).over(&world.server);
    let before = world.server.accepted_envelopes().len();
    say(&alice, "bob", "attack at dawn");
    live(&bob);
    let alice = world.open("alice", &old);
    say(&alice, "bob", "retreat to the river");
    let sent = world.server.accepted_envelopes().split_off(before);
    let events = live_on(&world, &[&bob, &alice], 1, 30);
    assert!(said(&events[0]).is_empty(), "the second message from one state is not believed");
    assert!(is_warned(&events[0], SecurityKind::CloneEvidence));
    (world, sent.into_iter().filter(|(to, _)| to.name() == "bob").map(|(_, bytes)| bytes).collect())
}

/// I1, M-2, B33: a server that keeps the witness back lets an old copy send in an old session; still no keystream is used twice, and bob does not take the
/// second message for a new one.
#[test]
fn an_older_copy_that_the_server_hides_repeats_no_keystream() {
    let body = |bytes: &[u8]| bytes[1 + 16 + 24 + 99 + 16..].to_vec();
    let common = |sent: &[Vec<u8>]| {
        let (one, other) = (body(&sent[0]), body(&sent[1]));
        // Two contents differ in their texts and ids, and agree in their padding: under one keystream the ends are the same.
        let end = one.len() - 16 - 64..one.len() - 16;
        one[end.clone()] == other[end]
    };
    let (_, sent) = two_from_one_state();
    assert_eq!(sent.len(), 2);
    assert!(!common(&sent));
    // Without the guard in the nonce they are.
    let (_, sent) = without(Rule::M2, two_from_one_state);
    assert!(common(&sent));
}

/// I2, I7, B33: a message that waited in the copy's outbox is not lost by it.
#[test]
fn what_waited_in_the_copy_is_sent() {
    let (world, store) = (World::new(), MemoryStore::new());
    let (alice, bob) = (world.open("alice", &store), world.person("bob"));
    say(&alice, "bob", "one");
    live(&bob);
    Hostile::takes(|_| Some(Verdict::MailboxFull)).over(&world.server);
    say(&alice, "bob", "waits");
    let old = copy(&store);
    say(&alice, "bob", "waits too, and is not in the copy");
    for _ in 0..3 {
        say(&alice, "alice", "a note");
    }
    block_on(alice.close()).unwrap();
    world.server.tamper(None);
    let alice = world.open("alice", &old);
    let events = live_on(&world, &[&alice, &bob], 8, 60);
    assert!(is_warned(&events[0], SecurityKind::StoreRolledBack));
    // Control: what is not in the copy is not sent by it.
    assert_eq!(said(&events[1]), ["waits"]);
}
