//! Both sides begin at once, and the network loses and reorders: every way in which it can.

use crate::puppet::put;
use crate::server::{Hostile, live, live_on, said};
use crate::stores::copy;
use crate::world::{World, say};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use undertone::Address;
use undertone::store::MemoryStore;
use undertone::transport::Verdict;

/// The first byte of an envelope that begins a session.
const BEGINS: u8 = 0x11;

/// Two strangers who have each written to the other, and what is under way between them.
struct Crossed {
    world: World,
    stores: [MemoryStore; 2],
    under_way: Vec<(Address, Vec<u8>)>,
}

/// Each side writes `count` messages before it hears of the other.
fn crossed(count: usize) -> Crossed {
    let world = World::new();
    let stores = [MemoryStore::new(), MemoryStore::new()];
    let clients = [world.open("alice", &stores[0]), world.open("bob", &stores[1])];
    let under_way: Arc<Mutex<Vec<_>>> = Arc::default();
    let taken = Arc::clone(&under_way);
    let mut hostile = Hostile::takes(move |envelope| {
        taken.lock().unwrap().push((envelope.to.clone(), envelope.bytes.clone()));
        Some(Verdict::Accepted)
    });
    hostile.witness = Some(Box::new(|_, _| None));
    hostile.over(&world.server);
    for number in 0..count {
        say(&clients[0], "bob", &format!("a{number}"));
        say(&clients[1], "alice", &format!("b{number}"));
    }
    clients.iter().for_each(|client| drop(live(client)));
    let under_way = under_way.lock().unwrap().clone();
    assert_eq!(under_way.len(), 2 * count);
    Crossed { world, stores, under_way }
}

/// Every choice of some of `count` things, in every order.
fn schedules(count: usize) -> Vec<Vec<usize>> {
    let mut all = vec![Vec::new()];
    let mut grown = 0;
    while grown < all.len() {
        for next in 0..count {
            if !all[grown].contains(&next) {
                let mut longer = all[grown].clone();
                longer.push(next);
                all.push(longer);
            }
        }
        grown += 1;
    }
    all
}

/// What arrives arrives in this order, the rest is lost; then the network heals.
fn converges(crossed: &Crossed, count: usize, schedule: &[usize]) {
    let Crossed { world, stores, under_way } = crossed;
    Hostile::witness(|_, _| None).over(&world.server);
    let clients = [world.open("alice", &copy(&stores[0])), world.open("bob", &copy(&stores[1]))];
    let mut read = [Vec::new(), Vec::new()];
    for &index in schedule {
        let (to, bytes) = under_way[index].clone();
        let side = usize::from(to.name() == "bob");
        put(world, &to, bytes);
        read[side].extend(said(&live(&clients[side])));
    }
    for (round, names) in [("first", ["bob", "alice"]), ("second", ["bob", "alice"])] {
        for (client, to) in clients.iter().zip(names) {
            say(client, to, round);
            let events = live_on(world, &[&clients[0], &clients[1]], 1, 1);
            read.iter_mut().zip(&events).for_each(|(read, events)| read.extend(said(events)));
        }
    }
    let events = live_on(world, &[&clients[0], &clients[1]], 6, 60);
    read.iter_mut().zip(&events).for_each(|(read, events)| read.extend(said(events)));
    for (read, other) in read.iter().zip(["b", "a"]) {
        let mut expected: Vec<String> = (0..count).map(|number| format!("{other}{number}")).collect();
        expected.extend(["first", "second"].map(str::to_owned));
        let unique: BTreeSet<&String> = read.iter().collect();
        assert_eq!(unique.len(), read.len(), "{schedule:?}: something was told twice: {read:?}");
        assert_eq!(unique, expected.iter().collect(), "{schedule:?}");
    }
    // They have met in one session: neither side begins one any more.
    let before = world.server.accepted_envelopes().len();
    say(&clients[0], "bob", "met");
    say(&clients[1], "alice", "met");
    let sent = world.server.accepted_envelopes().split_off(before);
    assert!(sent.iter().all(|(_, bytes)| bytes.first() != Some(&BEGINS)), "{schedule:?}");
    live_on(world, &[&clients[0], &clients[1]], 1, 1);
}

/// SE-3, SE-7, SE-12, I12, B40: two and two messages cross, in every order, with every loss: all are told once, and both sides meet in one session.
#[test]
fn four_crossed_messages_always_converge() {
    let crossed = crossed(2);
    let all = schedules(4);
    // Control: every subset in every order: the sum of 4! / k! for k from 0 to 4.
    assert_eq!(all.len(), 65);
    for schedule in &all {
        converges(&crossed, 2, schedule);
    }
}

/// SE-3, SE-7, SE-12, I12, B40: three and three, in every order, with every loss. The two sides are alike: what arrives first is for bob.
#[test]
fn six_crossed_messages_always_converge() {
    let crossed = crossed(3);
    let all = schedules(6);
    // Control: every subset in every order.
    assert_eq!(all.len(), 1_957);
    let is_for_bob =
        |schedule: &&Vec<usize>| schedule.first().is_none_or(|first| crossed.under_way[*first].0.name() == "bob");
    for schedule in all.iter().filter(is_for_bob) {
        converges(&crossed, 3, schedule);
    }
}
