//! The server replays, reorders, drops, changes and misdelivers envelopes.

use crate::bundles::fetched;
use crate::puppet::put;
use crate::server::{Hostile, device, is_warned, live, live_on, said, warnings};
use crate::world::{World, link, say, texts};
use core::time::Duration;
use std::sync::{Arc, Mutex};
use undertone::client::{Client, EventKind, SecurityKind};
use undertone::rule::{Rule, without};
use undertone::store::MemoryStore;
use undertone::transport::Verdict;

/// Two who have talked in both directions.
fn acquainted(world: &World) -> (Client, Client) {
    let (alice, bob) = (world.person("alice"), world.person("bob"));
    say(&alice, "bob", "hello");
    assert_eq!(texts(&bob), ["hello"]);
    say(&bob, "alice", "hi");
    assert_eq!(texts(&alice), ["hi"]);
    (alice, bob)
}

/// The bytes of the envelopes that were accepted for a device.
fn envelopes(world: &World, name: &str) -> Vec<Vec<u8>> {
    let accepted = world.server.accepted_envelopes();
    accepted.into_iter().filter(|(to, _)| to.name() == name).map(|(_, bytes)| bytes).collect()
}

/// Messages among the events, and how many of them are warnings of a loss or a failure.
fn is_quiet(events: &[EventKind]) -> bool {
    events.iter().all(|event| matches!(event, EventKind::Message(_)))
}

/// I2, I3, DR-2, B9, B39: every envelope again, at once and ten times later: nothing is told twice, and nothing breaks.
#[test]
fn replayed_envelopes_tell_nothing_twice() {
    let world = World::new();
    let (alice, bob) = acquainted(&world);
    for number in 0..5 {
        say(&alice, "bob", &format!("{number}"));
    }
    assert_eq!(texts(&bob).len(), 5);
    for _ in 0..10 {
        for bytes in envelopes(&world, "bob") {
            put(&world, &device("bob", 1), bytes);
        }
        world.clock.advance(Duration::from_secs(86_400));
        let events = live(&bob);
        assert!(is_quiet(&events) && said(&events).is_empty(), "{events:?}");
    }
    // Control: what is new is told.
    say(&alice, "bob", "new");
    assert_eq!(texts(&bob), ["new"]);
}

/// I3, PQ-20, DR-2, B4, B9: the same bytes after the notes of what was received were pruned: the ratchets and the guard of first messages know them.
#[test]
fn envelopes_replayed_after_their_notes_are_gone_are_refused() {
    let world = World::new();
    let (alice, bob, carol) = (world.person("alice"), world.person("bob"), world.person("carol"));
    say(&alice, "bob", "with a one-time prekey");
    assert_eq!(texts(&bob), ["with a one-time prekey"]);
    // And one without: the guard of the last-resort prekey alone knows it.
    while fetched(&world, "bob", 1).one_time_prekey().is_some() {}
    say(&carol, "bob", "another");
    assert_eq!(texts(&bob), ["another"]);
    let old = envelopes(&world, "bob");
    // Fifty days later the notes are dropped, a few at each commit.
    world.clock.advance(Duration::from_secs(50 * 86_400));
    live_on(&world, &[&bob, &alice], 2, 1);
    for number in 0..5 {
        say(&alice, "bob", &format!("{number}"));
        live_on(&world, &[&bob, &alice], 1, 1);
    }
    for bytes in old.clone() {
        put(&world, &device("bob", 1), bytes);
    }
    let events = live_on(&world, &[&bob, &alice, &carol, &bob], 3, 30);
    assert!(said(&events[0]).is_empty() && said(&events[3]).is_empty());
    // Control: the replay was not passed over as a redelivery: bob looked at it and counted it.
    assert_eq!(old.len(), 2);
    say(&alice, "bob", "still here");
    assert!(said(&live_on(&world, &[&bob], 2, 30)[0]).contains(&"still here".to_owned()));
}

/// DR-6, I2: whatever the order, everything is told once, and no gap is reported.
#[test]
fn reordered_envelopes_are_all_read() {
    let world = World::new();
    let (alice, bob) = acquainted(&world);
    Hostile::hands(|_, mut mail| {
        mail.reverse();
        mail
    })
    .over(&world.server);
    let sent: Vec<String> = (0..40).map(|number| number.to_string()).collect();
    sent.iter().for_each(|text| say(&alice, "bob", text));
    let events = live_on(&world, &[&bob, &alice], 3, 30);
    assert!(is_quiet(&events[0]));
    let mut read = said(&events[0]);
    // Control: the order was another one.
    assert_ne!(read, sent);
    read.sort_by_key(|text| text.parse::<u32>().unwrap());
    assert_eq!(read, sent);
}

/// I2, I12: the server says that it took envelopes and drops them; the gap is asked about and filled.
#[test]
fn dropped_envelopes_are_sent_again() {
    let world = World::new();
    let (alice, bob) = acquainted(&world);
    Hostile::takes(|envelope| (envelope.to.name() == "bob" && envelope.id.0[0] % 2 == 0).then_some(Verdict::Accepted))
        .over(&world.server);
    let sent: Vec<String> = (0..30).map(|number| number.to_string()).collect();
    sent.iter().for_each(|text| say(&alice, "bob", text));
    let mut read = said(&live(&bob));
    // Control: something was dropped.
    assert!(read.len() < 30);
    world.server.tamper(None);
    say(&alice, "bob", "30");
    let events = live_on(&world, &[&bob, &alice], 12, 60);
    read.extend(said(&events[0]));
    read.sort_by_key(|text| text.parse::<u32>().unwrap());
    assert_eq!(read.len(), 31);
    read.dedup();
    assert_eq!(read.len(), 31);
    assert!(is_quiet(&events[0]));
}

/// I2, I12: the last message of a conversation is dropped, and nobody writes again from that side: it is found out once the other side writes.
#[test]
fn a_dropped_last_message_is_found_out() {
    let world = World::new();
    let (alice, bob) = acquainted(&world);
    Hostile::takes(|envelope| (envelope.to.name() == "bob").then_some(Verdict::Accepted)).over(&world.server);
    say(&alice, "bob", "the last one");
    world.server.tamper(None);
    assert!(texts(&bob).is_empty());
    say(&alice, "bob", "one more");
    let events = live_on(&world, &[&bob, &alice], 6, 60);
    let mut read = said(&events[0]);
    read.sort();
    assert_eq!(read, ["one more", "the last one"]);
    // Control: without the drop there is nothing to ask for.
    let before = world.server.accepted_envelopes().len();
    say(&alice, "bob", "and the end");
    live_on(&world, &[&bob, &alice], 6, 60);
    assert_eq!(world.server.accepted_envelopes().len(), before + 1);
}

/// What becomes of one envelope that the server changes, and of the next that it does not.
fn changed(change: impl Fn(&mut Vec<u8>) + Send + Sync + 'static) -> Vec<EventKind> {
    let world = World::new();
    let (alice, bob) = acquainted(&world);
    let once = Arc::new(Mutex::new(false));
    Hostile::hands(move |to, mut mail| {
        if to.name() == "bob" && !std::mem::replace(&mut *once.lock().unwrap(), true) {
            mail.iter_mut().for_each(|delivery| change(&mut delivery.bytes));
        }
        mail
    })
    .over(&world.server);
    say(&alice, "bob", "one");
    let mut events = live(&bob);
    assert!(said(&events).is_empty(), "what does not authenticate is not read");
    world.server.tamper(None);
    say(&alice, "bob", "two");
    events.extend(live_on(&world, &[&bob, &alice], 6, 60).remove(0));
    let mut read = said(&events);
    read.sort();
    assert_eq!(read, ["one", "two"], "what was changed is asked for again");
    events
}

/// I6, B32, B75: truncated at any place, an envelope is refused, changes nothing, and is sent again.
#[test]
fn truncated_envelopes_are_sent_again() {
    for length in [0, 1, 16, 17, 40, 140, 200] {
        let events = changed(move |bytes| bytes.truncate(length));
        assert!(is_quiet(&events));
    }
    // Control: cut off behind its end, it is read at once.
    let world = World::new();
    let (alice, bob) = acquainted(&world);
    Hostile::hands(|_, mut mail| {
        mail.iter_mut().for_each(|delivery| delivery.bytes.truncate(usize::MAX));
        mail
    })
    .over(&world.server);
    say(&alice, "bob", "whole");
    assert_eq!(texts(&bob), ["whole"]);
}

/// I6, B32, B41: with a bit changed anywhere, an envelope is refused, changes nothing, and is sent again.
#[test]
fn flipped_bits_are_noticed() {
    for bit in [0, 3, 8 * 5, 8 * 20, 8 * 60, 8 * 141, 8 * 180] {
        let events = changed(move |bytes| bytes[bit / 8] ^= 1 << (bit % 8));
        assert!(is_quiet(&events));
    }
    let events = changed(|bytes| *bytes.last_mut().unwrap() ^= 1);
    assert!(is_quiet(&events));
    // Control: `changed` itself shows that the next envelope, which is not changed, is read.
}

/// B41: the fields of an envelope that the server could change are its name and its place in the queue: neither means anything.
#[test]
fn what_the_server_calls_an_envelope_means_nothing() {
    let world = World::new();
    let (alice, bob) = acquainted(&world);
    let calls = Arc::new(Mutex::new(0_u8));
    Hostile::hands(move |_, mut mail| {
        let mut calls = calls.lock().unwrap();
        *calls = calls.saturating_add(1);
        if *calls < 20 {
            mail.iter_mut().for_each(|delivery| delivery.id.0 = [*calls; 16]);
        }
        mail
    })
    .over(&world.server);
    say(&alice, "bob", "one");
    // Under a name that the server does not know itself nothing is forgotten: it comes again and again, and is told once.
    assert_eq!(texts(&bob), ["one"]);
    world.server.tamper(None);
    // Control: with the names as they were, the next is told as well.
    say(&alice, "bob", "two");
    assert_eq!(texts(&bob), ["two"]);
}

/// DR-7, B75: ten megabytes are refused like any other garbage, and what a client sends itself is never that large.
#[test]
fn an_enormous_envelope_is_refused() {
    let world = World::new();
    let (alice, bob) = acquainted(&world);
    for first in [0x01_u8, 0x11, 0x00, 0xFF] {
        let mut bytes = vec![0x5A; 10 << 20];
        bytes[0] = first;
        put(&world, &device("bob", 1), bytes);
    }
    assert!(said(&live(&bob)).is_empty());
    let error = futures_executor::block_on(alice.send("bob", "x".repeat(10 << 20))).unwrap_err();
    assert_eq!(error.code(), "request.too_large");
    // Control: the conversation goes on.
    say(&alice, "bob", "small");
    assert_eq!(texts(&bob), ["small"]);
}

/// B39, SS-5: alice's envelopes to bob come to carol, to alice herself, and to alice's other device: none is read there, and bob still gets his.
#[test]
fn misdelivered_envelopes_are_read_by_nobody() {
    let world = World::new();
    let (alice, bob) = acquainted(&world);
    let carol = world.person("carol");
    let tablet = link(&world, &alice, &MemoryStore::new());
    say(&carol, "bob", "I am here as well");
    live_on(&world, &[&alice, &bob, &carol, &tablet], 3, 30);
    Hostile::takes(|envelope| (envelope.to.name() == "bob").then_some(Verdict::MailboxFull)).over(&world.server);
    let kept = Arc::new(Mutex::new(Vec::new()));
    let keep = Arc::clone(&kept);
    Hostile::takes(move |envelope| {
        (envelope.to.name() == "bob").then(|| {
            keep.lock().unwrap().push(envelope.bytes.clone());
            Verdict::Accepted
        })
    })
    .over(&world.server);
    say(&alice, "bob", "for bob alone");
    world.server.tamper(None);
    let bytes = kept.lock().unwrap().remove(0);
    for (name, number) in [("carol", 1), ("alice", 1), ("alice", 2)] {
        put(&world, &device(name, number), bytes.clone());
    }
    for (client, own) in [(&carol, false), (&alice, false), (&tablet, true)] {
        let events = live(client);
        let read = said(&events);
        assert_eq!(read.len(), usize::from(own), "the tablet has its copy, and no one else anything");
    }
    put(&world, &device("bob", 1), bytes);
    assert_eq!(texts(&bob), ["for bob alone"]);
}

/// B39: an answer of bob's that is reflected to him is not taken for alice's: each direction has keys of its own.
#[test]
fn reflected_envelopes_are_refused() {
    let reflect = || {
        let world = World::new();
        let (alice, bob) = acquainted(&world);
        say(&bob, "alice", "my own words");
        assert_eq!(texts(&alice), ["my own words"]);
        for bytes in envelopes(&world, "alice") {
            put(&world, &device("bob", 1), bytes);
        }
        let events = live(&bob);
        assert!(said(&events).is_empty());
        // Control: what alice writes herself is read.
        say(&alice, "bob", "mine");
        said(&live(&bob))
    };
    assert_eq!(reflect(), ["mine"]);
    // With both directions under one label the keys still differ, for each side has a ratchet of its own: two locks, either is enough.
    assert_eq!(without(Rule::B39, reflect), ["mine"]);
}

/// B38, B41: envelopes that are exchanged between two devices of one account are read by neither.
#[test]
fn envelopes_swapped_between_devices_are_refused() {
    let world = World::new();
    let (alice, bob) = (world.person("alice"), world.person("bob"));
    let tablet = link(&world, &bob, &MemoryStore::new());
    say(&alice, "bob", "begin");
    live_on(&world, &[&alice, &bob, &tablet], 3, 30);
    type Queues = Arc<Mutex<Vec<(u8, Vec<u8>)>>>;
    let queues = Queues::default();
    let taken = Arc::clone(&queues);
    Hostile::takes(move |envelope| {
        (envelope.to.name() == "bob").then(|| {
            taken.lock().unwrap().push((envelope.to.device(), envelope.bytes.clone()));
            Verdict::Accepted
        })
    })
    .over(&world.server);
    say(&alice, "bob", "to both");
    world.server.tamper(None);
    let kept = queues.lock().unwrap().clone();
    assert_eq!(kept.len(), 2);
    for (number, bytes) in &kept {
        put(&world, &device("bob", 3 - number), bytes.clone());
    }
    assert!(said(&live(&bob)).is_empty() && said(&live(&tablet)).is_empty());
    // Control: each to its own device, they are read.
    for (number, bytes) in kept {
        put(&world, &device("bob", number), bytes);
    }
    assert_eq!((said(&live(&bob)), said(&live(&tablet))), (vec!["to both".to_owned()], vec!["to both".to_owned()]));
}

/// B14, I12: a server that never forgets what was acknowledged makes work and nothing else.
#[test]
fn a_server_that_never_forgets_tells_nothing_twice() {
    let world = World::new();
    let (alice, bob) = acquainted(&world);
    let rounds = Arc::new(Mutex::new(0));
    let count = Arc::clone(&rounds);
    // It hands out the same for fifty calls, then rests.
    let hands = move |_: &undertone::Address, mail: Vec<undertone::transport::Delivery>| {
        let mut count = count.lock().unwrap();
        *count += 1;
        if *count % 50 == 0 { Vec::new() } else { mail }
    };
    Hostile { hands: Some(Box::new(hands)), never_forgets: true, ..Hostile::default() }.over(&world.server);
    let mut read = Vec::new();
    for number in 0..5 {
        say(&alice, "bob", &number.to_string());
        let events = live(&bob);
        assert!(is_quiet(&events));
        read.extend(said(&events));
    }
    assert_eq!(read, ["0", "1", "2", "3", "4"]);
    assert!(*rounds.lock().unwrap() >= 250);
    // Control: nothing was forgotten.
    assert!(world.server.waiting_envelopes(&device("bob", 1)) >= 5);
    assert!(!is_warned(&live(&alice), SecurityKind::Replay) && warnings(&live(&alice)).is_empty());
}
