//! The server, or whoever it lets in, sends garbage without end, or keeps two devices from understanding each other.

use crate::puppet::{Puppet, put};
use crate::server::{Hostile, device, is_warned, live, live_on, said, warnings};
use crate::stores::size;
use crate::world::{World, say, texts};
use core::time::Duration;
use rand::rngs::StdRng;
use rand::{Rng, RngExt, SeedableRng};
use undertone::client::{Client, SecurityKind};
use undertone::content::{Body, Content, MessageId};
use undertone::store::MemoryStore;

/// The first byte of an envelope that begins a session.
const BEGINS: u8 = 0x11;

/// Alice, and bob on a store that can be measured, who have talked.
fn acquainted(world: &World) -> (Client, Client, MemoryStore) {
    let store = MemoryStore::new();
    let (alice, bob) = (world.person("alice"), world.open("bob", &store));
    say(&alice, "bob", "hello");
    assert_eq!(texts(&bob), ["hello"]);
    say(&bob, "alice", "hi");
    assert_eq!(texts(&alice), ["hi"]);
    (alice, bob, store)
}

/// How many envelopes for `name` were accepted, and how many of them begin a session.
fn traffic(world: &World, name: &str) -> (usize, usize) {
    let accepted = world.server.accepted_envelopes();
    let to: Vec<_> = accepted.iter().filter(|(to, _)| to.name() == name).collect();
    (to.len(), to.iter().filter(|(_, bytes)| bytes.first() == Some(&BEGINS)).count())
}

/// I6, B32: a thousand pieces of garbage are told as one burst, cost a bounded place in the store, and cause no envelope.
#[test]
fn a_flood_of_garbage_is_one_event() {
    let world = World::new();
    let (alice, bob, store) = acquainted(&world);
    let mut dice = StdRng::seed_from_u64(1);
    let before = (size(&store), world.server.accepted_envelopes().len());
    for _ in 0..1_000 {
        let mut bytes = vec![0; dice.random_range(0..600)];
        dice.fill_bytes(&mut bytes);
        put(&world, &device("bob", 1), bytes);
    }
    let events = live(&bob);
    assert_eq!(events.len(), 1, "{events:?}");
    assert!(is_warned(&events, SecurityKind::FailureBurst));
    assert_eq!(world.server.accepted_envelopes().len(), before.1, "nobody is answered");
    let grown = (size(&store) - before.0) / 1_000;
    assert!(grown < 512, "{grown} bytes for each");
    // Control: among the garbage, what alice writes is read.
    say(&alice, "bob", "still here");
    assert_eq!(said(&live(&bob)), ["still here"]);
}

/// SE-11, B47, B38: first messages that name a listed device and are not from it, without end: each is refused, a few are told, and none begins a session or causes one.
#[test]
fn a_flood_of_forged_first_messages_is_bounded() {
    let world = World::new();
    let (alice, bob, store) = acquainted(&world);
    let before = (size(&store), world.server.accepted_envelopes().len(), world.server.calls());
    let content = Content::new(MessageId([1; 16]), 1, Body::Text("I am alice".to_owned()));
    let mut events = Vec::new();
    for _ in 0..100 {
        for (name, number) in [("alice", 1), ("alice", 9), ("nobody", 1)] {
            let mut forger = Puppet::unlisted(&world, name, number);
            let bytes = forger.write(&world, &device("bob", 1), &content);
            put(&world, &device("bob", 1), bytes);
        }
        events.extend(live(&bob));
    }
    assert!(said(&events).is_empty());
    assert!(is_warned(&events, SecurityKind::UnlistedDevice));
    assert!(is_warned(&events, SecurityKind::FailureBurst));
    assert!(events.len() < 30, "{} events for 300 forgeries", events.len());
    assert_eq!(world.server.accepted_envelopes().len(), before.1, "nobody is answered");
    assert!(size(&store) - before.0 < 300 * 512);
    // Control: alice herself is read.
    say(&alice, "bob", "it was not me");
    assert_eq!(said(&live(&bob)), ["it was not me"]);
}

/// I6, B32, SE-3: envelopes in the name of a session, that do not authenticate, for a day: new sessions are begun ever more rarely, and the conversation goes on.
#[test]
fn a_forger_causes_few_new_sessions() {
    let world = World::new();
    let (alice, bob, _) = acquainted(&world);
    let mut read = Vec::new();
    for hour in 0_u32..24 {
        say(&alice, "bob", &hour.to_string());
        let latest = world.server.accepted_envelopes().pop().unwrap().1;
        for number in 0_u8..20 {
            let mut bytes = latest.clone();
            *bytes.last_mut().unwrap() ^= number + 1;
            put(&world, &device("bob", 1), bytes);
        }
        for _ in 0..3 {
            read.extend(said(&live(&bob)));
            live(&alice);
            world.clock.advance(Duration::from_secs(1_200));
        }
    }
    // Control: some were begun, for the client cannot tell a forger from a broken session.
    let (_, begun) = traffic(&world, "alice");
    assert!((1..=15).contains(&begun), "{begun} sessions in a day");
    read.sort_by_key(|text| text.parse::<u32>().unwrap());
    assert_eq!(read, (0..24).map(|hour| hour.to_string()).collect::<Vec<_>>());
}

/// I12, D4: two devices that understand nothing of each other do not talk for ever: in a month they exchange few envelopes, and then they are still.
#[test]
fn two_broken_devices_fall_silent() {
    let world = World::new();
    let (alice, bob, _) = acquainted(&world);
    Hostile::hands(|_, mut mail| {
        mail.iter_mut().for_each(|delivery| *delivery.bytes.last_mut().unwrap() ^= 1);
        mail
    })
    .over(&world.server);
    for number in 0..20 {
        say(&alice, "bob", &number.to_string());
        say(&bob, "alice", &number.to_string());
    }
    let before = world.server.accepted_envelopes().len();
    let mut by_day = Vec::new();
    for _ in 0..30 {
        let start = world.server.accepted_envelopes().len();
        live_on(&world, &[&alice, &bob], 24, 3_600);
        by_day.push(world.server.accepted_envelopes().len() - start);
    }
    let all = world.server.accepted_envelopes().len() - before;
    assert!(all < 300, "{all} envelopes: {by_day:?}");
    assert!(by_day[20..].iter().all(|day| *day <= 10), "{by_day:?}");
    // Control: healed, they understand each other again, and then are silent.
    world.server.tamper(None);
    say(&alice, "bob", "again");
    let events = live_on(&world, &[&bob, &alice], 48, 3_600);
    assert!(said(&events[0]).contains(&"again".to_owned()));
    let start = world.server.accepted_envelopes().len();
    live_on(&world, &[&bob, &alice], 24, 3_600);
    assert_eq!(world.server.accepted_envelopes().len(), start, "there is nothing left to say");
}

/// I12, D4: requests to send again, from a peer that never has enough, are answered every few seconds at most.
#[test]
fn requests_to_send_again_are_answered_rarely() {
    let world = World::new();
    let bob = world.person("bob");
    let mut mallory = Puppet::listed(&world, "mallory");
    for number in 0..5 {
        say(&bob, "mallory", &number.to_string());
    }
    live(&bob);
    let before = world.server.accepted_envelopes().len();
    let all = undertone::content::MissingRange { from: 1, to: u64::MAX };
    for number in 0..200 {
        let body = Body::ResendRequest { stream: 1, missing: vec![all] };
        let bytes = mallory.write(&world, &device("bob", 1), &Content::new(MessageId([number; 16]), 1, body));
        put(&world, &device("bob", 1), bytes);
        live(&bob);
    }
    let sent = world.server.accepted_envelopes().len() - before;
    assert!(sent <= 10, "{sent} envelopes for 200 requests within a second");
    // Control: the first was answered, with each message once.
    assert!(sent >= 5);
    assert!(warnings(&live(&bob)).is_empty());
}
