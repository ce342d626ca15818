//! L7: a thief has a copy of a device's store, and uses it beside the device: T-PCS-E2E.

use crate::server::{Hostile, is_warned, live, live_on, said};
use crate::stores::copy;
use crate::world::{World, say, texts};
use core::time::Duration;
use futures_executor::block_on;
use undertone::client::{Client, SecurityKind};
use undertone::store::MemoryStore;

/// Bob's store is copied; then alice and bob exchange messages for `rounds` round trips; then the thief opens the copy, on a server that helps him.
fn stolen(rounds: usize) -> (World, Client, Client, Client) {
    let (world, store) = (World::new(), MemoryStore::new());
    let (alice, bob) = (world.person("alice"), world.open("bob", &store));
    say(&alice, "bob", "hello");
    assert_eq!(texts(&bob), ["hello"]);
    say(&bob, "alice", "hi");
    assert_eq!(texts(&alice), ["hi"]);
    let stolen = copy(&store);
    for number in 0..rounds {
        say(&alice, "bob", &number.to_string());
        live(&bob);
        say(&bob, "alice", &number.to_string());
        live(&alice);
    }
    Hostile::witness(|_, _| None).over(&world.server);
    let thief = world.open("bob", &stolen);
    (world, alice, bob, thief)
}

/// SE-10, DR-3, B34: after one round trip a clone is locked out of the session that it was taken from: what it writes there is not read.
#[test]
fn a_clone_is_locked_out_of_the_session() {
    for rounds in [1, 2, 5] {
        let (world, alice, bob, thief) = stolen(rounds);
        say(&thief, "alice", "I am bob");
        assert!(said(&live(&alice)).is_empty(), "after {rounds}");
        // And bob goes on in his session.
        say(&bob, "alice", "I am");
        let events = live_on(&world, &[&alice], 1, 30);
        assert_eq!(said(&events[0]), ["I am"]);
    }
    // Control: before any round trip the clone is bob, as far as anyone can tell.
    let (_, alice, _, thief) = stolen(0);
    say(&thief, "alice", "I am bob");
    assert_eq!(said(&live(&alice)), ["I am bob"]);
}

/// I7, SE-10, B34: a clone that begins a session of its own has bob's keys and is believed; but bob finds out at his next message, for the server was shown a later
/// state than his, and is read again.
#[test]
fn a_clone_that_begins_anew_is_noticed() {
    let (world, alice, bob, thief) = stolen(2);
    begin_anew(&world, &thief);
    assert!(said(&live(&alice)).contains(&"in a new session".to_owned()));
    // Control: until then bob has noticed nothing.
    assert!(!is_warned(&live(&bob), SecurityKind::StoreRolledBack));
    say(&bob, "alice", "no, I am");
    let events = live_on(&world, &[&bob, &alice], 6, 60);
    assert!(is_warned(&events[0], SecurityKind::StoreRolledBack));
    assert!(said(&events[1]).contains(&"no, I am".to_owned()));
}

/// The thief's client learns from the server that its store is old, throws its sessions away and begins one.
fn begin_anew(world: &World, thief: &Client) {
    world.server.tamper(None);
    block_on(thief.sync(Duration::ZERO)).ok();
    let _ = block_on(thief.send("alice", "in a new session"));
    live_on(world, &[thief], 2, 1);
}

/// I7, B34: on a server that does not help the thief, the copy finds out that it is one, throws its sessions away, and says so.
#[test]
fn a_clone_on_an_honest_server_finds_out() {
    let (world, _alice, _bob, thief) = stolen(3);
    world.server.tamper(None);
    say(&thief, "alice", "I am bob");
    // Control: with the witness kept back, as in the tests above, it does not.
    assert!(is_warned(&live(&thief), SecurityKind::StoreRolledBack));
}
