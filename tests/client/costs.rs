//! What the client asks of its store: little, and no more of it as conversations become many.

use super::counting::*;
use super::world::*;
use core::time::Duration;
use futures_executor::block_on;
use undertone::Client;
use undertone::store::{MemoryStore, SealedStore, StoreSecret};

/// A client of Alice on a store that counts, who has talked with Bob.
struct Counted {
    world: World,
    store: Counting<MemoryStore>,
    sealed: SealedStore,
    alice: Client,
    bob: Client,
}

impl Counted {
    fn new() -> Self {
        let world = World::new();
        let store = Counting::new(MemoryStore::new());
        let sealed = block_on(SealedStore::open(store.clone(), StoreSecret::key([7; 32]))).unwrap();
        let bob = world.person("bob");
        let alice = Self::open(&world, &sealed);
        say(&alice, "bob", "hello");
        assert_eq!(texts(&bob), ["hello"]);
        say(&bob, "alice", "hi");
        assert_eq!(texts(&alice), ["hi"]);
        block_on(alice.sync(Duration::ZERO)).unwrap();
        Self { world, store, sealed, alice, bob }
    }

    fn open(world: &World, sealed: &SealedStore) -> Client {
        let builder = Client::builder(sealed.clone(), world.server.transport()).clock(world.clock.clone());
        block_on(builder.open("alice")).unwrap()
    }
}

/// Opening reads a few records, however many there are.
#[test]
fn opening_reads_as_much_with_a_thousand_conversations_as_with_ten() {
    let counted = Counted::new();
    let opening = |more: usize| {
        add_conversations(&counted.sealed, counted.bob.address(), more);
        counted.store.during(|| Counted::open(&counted.world, &counted.sealed)).0
    };
    let (ten, thousand) = (opening(10), opening(1_000));
    assert_eq!(ten, thousand);
    assert!(thousand.records <= 10 && thousand.commits <= 1, "{thousand:?}");
    // Control: the store counts what is there to be read.
    let all = block_on(counted.sealed.scan_all(&undertone::store::sealed::RecordName::table("contact")));
    assert_eq!(all.unwrap().1.len(), 1_001);
}

/// I8: sending into an established conversation is one commit, for it and for all that goes with it.
#[test]
fn a_message_costs_one_commit() {
    let counted = Counted::new();
    add_conversations(&counted.sealed, counted.bob.address(), 100);
    for text in ["one", "two", "three"] {
        let (counts, sent) = counted.store.during(|| block_on(counted.alice.send("bob", text)).unwrap());
        assert!(sent.delivered_to_server);
        assert_eq!(counts.commits, 1, "{counts:?}");
        assert!(counts.records <= 20, "{counts:?}");
    }
    assert_eq!(texts(&counted.bob), ["one", "two", "three"]);
}

/// I2, I8: what the server hands out together is taken in by one commit, and a confirmation is one more.
#[test]
fn a_batch_that_comes_in_costs_one_commit() {
    let counted = Counted::new();
    for number in 0..5 {
        say(&counted.bob, "alice", &format!("{number}"));
    }
    let (counts, ()) = counted.store.during(|| block_on(counted.alice.sync(Duration::ZERO)).unwrap());
    assert_eq!(counts.commits, 1, "{counts:?}");
    let (counts, messages) = counted.store.during(|| messages(&counted.alice));
    assert_eq!(messages.len(), 5);
    assert_eq!(counts.commits, 5, "{counts:?}");
}
