//! Bad input: each has an error with a code that says what to do, and nothing is lost.

use super::flawed_store::*;
use super::world::*;
use core::time::Duration;
use futures_executor::block_on;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use undertone::Error;
use undertone::client::{Client, ClientBuilder, Event, EventId, EventKind, SecurityKind};
use undertone::content::{Body, MAX_TEXT, MessageId};
use undertone::store::sealed::{Cost, RecordName, SealedStore};
use undertone::store::{MemoryStore, StoreFault, StoreSecret};

const CHEAP: Cost = Cost { memory: 64, passes: 1, lanes: 1 };
const DAY: Duration = Duration::from_secs(86_400);

type Result<T> = core::result::Result<T, Error>;

fn code<T>(result: Result<T>) -> &'static str {
    result.err().expect("an error").code()
}

/// Syncs, and takes what the client says of it, an error included.
fn try_events(client: &Client) -> Result<Vec<EventKind>> {
    block_on(async {
        client.sync(Duration::ZERO).await?;
        let mut events = Vec::new();
        while let Some(event) = client.ready_event().await? {
            assert!(client.confirm(event.id).await?);
            events.push(event.kind);
        }
        Ok(events)
    })
}

#[test]
fn a_wrong_key_or_passphrase_opens_nothing_and_harms_nothing() {
    let world = World::new();
    let (alice, store) = (world.person("alice"), MemoryStore::new());
    let bob = world.open("bob", &store);
    say(&alice, "bob", "before");
    block_on(bob.close()).unwrap();
    for secret in [StoreSecret::key([8; 32]), StoreSecret::passphrase_at("key", CHEAP)] {
        assert_eq!(code(block_on(SealedStore::open(store.clone(), secret))), "store.wrong_key");
    }
    assert_eq!(texts(&world.open("bob", &store)), ["before"]);
}

#[test]
fn the_store_of_another_account_is_refused() {
    let world = World::new();
    let store = MemoryStore::new();
    drop(world.open("alice", &store));
    assert_eq!(code(block_on(world.builder(&store).open("bob"))), "store.account");
    assert_eq!(code(block_on(world.builder(&store).link())), "store.account");
    world.open("alice", &store);
}

#[test]
fn a_newer_record_is_refused_and_kept() {
    let world = World::new();
    let store = MemoryStore::new();
    drop(world.open("alice", &store));
    let name = RecordName::table("own-device");
    let newer = |by: u8| {
        change(&store, &name, |value| {
            let mut value = value.unwrap();
            value[0] = value[0].wrapping_add(by);
            Some(value)
        });
    };
    newer(1);
    assert_eq!(code(block_on(world.builder(&store).open("alice"))), "record.version");
    newer(255);
    world.open("alice", &store);
}

/// C5: after a downgrade of the application, records of a newer version are refused, no envelope is acknowledged that depends on them, and the message is there once
/// the application is up to date again.
#[test]
fn newer_records_lose_no_message() {
    let peers = ["contact", "peer", "session"].map(|table| RecordName::table(table).text(b"alice"));
    let [contact, peer, session] = peers;
    let single = ["prekeys", "counters", "own-list"].map(RecordName::table);
    for name in [contact, peer.number(1), session.number(1)].into_iter().chain(single) {
        let (world, store) = (World::new(), MemoryStore::new());
        let (alice, bob) = (world.person("alice"), world.open("bob", &store));
        say(&alice, "bob", "one");
        assert_eq!(texts(&bob), ["one"]);
        say(&bob, "alice", "two");
        assert_eq!(texts(&alice), ["two"]);
        drop(bob);
        let by = |by: u8| {
            change(&store, &name, |value| {
                let mut value = value.unwrap();
                value[0] = value[0].wrapping_add(by);
                Some(value)
            });
        };
        by(98);
        say(&alice, "bob", "precious");
        say(&world.person("carol"), "bob", "a stranger");
        let refused = match block_on(world.builder(&store).open("bob")) {
            Ok(bob) => block_on(bob.sync(Duration::ZERO)).err(),
            Err(error) => Some(error),
        };
        assert_eq!(refused.map(|error| error.code()), Some("record.version"), "{name:?}");
        by(158);
        let bob = world.open("bob", &store);
        let mut told = Vec::new();
        for _ in 0..6 {
            told.extend(texts(&bob));
            assert!(texts(&alice).is_empty());
            world.clock.advance(Duration::from_secs(60));
        }
        told.sort_unstable();
        assert_eq!(told, ["a stranger", "precious"], "{name:?}");
    }
}

/// A store that has a record of every kind, of a device whose peers know how far it had come.
struct Scene {
    world: World,
    alice: Client,
    carol: Client,
    store: MemoryStore,
}

impl Scene {
    fn new() -> Self {
        let world = World::new();
        let (alice, carol, store) = (world.person("alice"), world.person("carol"), MemoryStore::new());
        let bob = world.open("bob", &store);
        say(&alice, "bob", "one");
        assert_eq!(texts(&bob), ["one"]);
        say(&bob, "alice", "two");
        assert_eq!(texts(&alice), ["two"]);
        say(&alice, "bob", "three");
        block_on(bob.sync(Duration::ZERO)).unwrap();
        world.server.set_reachable(false);
        say(&bob, "alice", "four");
        say(&bob, "carol", "first to carol");
        world.server.set_reachable(true);
        drop(bob);
        Self { world, alice, carol, store }
    }

    /// Opens bob's store and lets everybody go on until all is quiet. What they were told, and the error that stopped bob.
    fn go_on(&self, told: &mut [Vec<String>; 3]) -> Result<()> {
        let bob = block_on(builder_on_checked(&self.world, &self.store)?.open("bob"))?;
        for round in 0..8 {
            if round == 0 && !told[0].iter().any(|text| text == "sent") {
                told[0].push("sent".to_owned());
                for text in ["five", "six", "seven"] {
                    say(&self.alice, "bob", text);
                }
            }
            collect(&mut told[1], &try_events(&bob)?);
            for (slot, client) in [(0, &self.alice), (2, &self.carol)] {
                let events = try_events(client).unwrap();
                collect(&mut told[slot], &events);
            }
            self.world.clock.advance(Duration::from_secs(61));
        }
        block_on(bob.close())
    }
}

fn builder_on_checked(world: &World, store: &MemoryStore) -> Result<ClientBuilder> {
    let sealed = block_on(SealedStore::open(store.clone(), StoreSecret::key([7; 32])))?;
    Ok(Client::builder(sealed, world.server.transport()).clock(world.clock.clone()))
}

fn collect(told: &mut Vec<String>, events: &[EventKind]) {
    for event in events {
        match event {
            EventKind::Message(message) => match &message.body {
                Body::Text(text) => told.push(text.clone()),
                other => panic!("{other:?}"),
            },
            EventKind::MessagesLost { .. } | EventKind::NotDelivered { .. } => told.push("LOST".to_owned()),
            _ => {}
        }
    }
}

/// I3, I11: whichever record is damaged, the device mends it, or refuses with what to do and loses nothing: put right, it goes on.
#[test]
fn each_damaged_record_is_mended_or_refused_without_loss() {
    let count = raw(&Scene::new().store).len();
    let (mut mended, mut refused) = (0, 0);
    for number in 0..count {
        let scene = Scene::new();
        let (name, value) = raw(&scene.store)[number].clone();
        let mut damaged = value.clone();
        *damaged.last_mut().unwrap() ^= 1;
        put_raw(&scene.store, &name, Some(&damaged));
        let mut told = [Vec::new(), Vec::new(), Vec::new()];
        match scene.go_on(&mut told) {
            Ok(()) => mended += 1,
            Err(error) => {
                let known = ["store.corrupt", "record.corrupt", "store.wrong_key"];
                assert!(known.contains(&error.code()), "{}", error.code());
                refused += 1;
                put_raw(&scene.store, &name, Some(&value));
                scene.go_on(&mut told).unwrap();
            }
        }
        told.iter_mut().for_each(|texts| texts.sort_unstable());
        let [alice, bob, carol] = told;
        assert_eq!(bob, ["five", "seven", "six", "three"], "record {number} of {count}");
        assert_eq!((alice, carol), (vec!["four".to_owned(), "sent".to_owned()], vec!["first to carol".to_owned()]));
    }
    println!("{count} records damaged in turn: {mended} mended, {refused} refused");
    assert!(mended > 0 && refused > 0);
}

/// I1, I3: a full disk refuses the message before anything has left; with room again, the same call sends it once.
#[test]
fn a_full_disk_loses_and_repeats_nothing() {
    let world = World::new();
    let (bob, store) = (world.person("bob"), FlawedStore::new());
    let alice = block_on(builder_on(&world, store.clone()).open("alice")).unwrap();
    say(&alice, "bob", "one");
    let (refused, id) = (Arc::new(AtomicU32::new(0)), MessageId([5; 16]));
    // From the first, the second, … commit on there is no room.
    for first in 0..4_u32 {
        let (commits, refused) = (AtomicU32::new(0), Arc::clone(&refused));
        store.plan(move || {
            let is_full = commits.fetch_add(1, Ordering::SeqCst) >= first;
            refused.fetch_add(u32::from(is_full), Ordering::SeqCst);
            is_full.then_some(Flaw::Refused(StoreFault::Full))
        });
        let id = MessageId([first as u8; 16]);
        let sent = block_on(alice.send_as("bob", id, format!("text {first}")));
        let after = block_on(alice.send_as("bob", id, format!("text {first}")));
        if first == 0 {
            assert_eq!((code(sent), code(after)), ("store.full", "store.full"));
            assert_eq!(texts(&bob), ["one"], "nothing left the device");
        } else {
            sent.expect("what is committed is sent, whatever comes after");
        }
        store.mend();
        block_on(alice.send_as("bob", id, format!("text {first}"))).unwrap();
        assert_eq!(texts(&bob), [format!("text {first}")]);
    }
    assert!(refused.load(Ordering::SeqCst) >= 2);
    // A receiver without room lets the server keep what comes.
    say(&bob, "alice", "to a full device");
    store.plan(|| Some(Flaw::Refused(StoreFault::Full)));
    assert_eq!(code(block_on(alice.sync(Duration::ZERO))), "store.full");
    store.mend();
    assert_eq!(texts(&alice), ["to a full device"]);
    assert_eq!(block_on(alice.send_as("bob", id, "last")).unwrap().devices, 1);
}

/// M9, I3: a commit of unknown outcome is looked into; whatever it came to, a message goes once, comes once and is confirmed once.
#[test]
fn commits_of_unknown_outcome_lose_and_repeat_nothing() {
    for flaw in [Flaw::DoneBut(StoreFault::Io), Flaw::Refused(StoreFault::Io)] {
        let world = World::new();
        let (bob, store) = (world.person("bob"), FlawedStore::new());
        let every_other = || {
            let mut commits = 0;
            move || {
                commits += 1;
                (commits % 2 == 1).then_some(flaw)
            }
        };
        let builder = builder_on(&world, store.clone());
        store.plan(every_other());
        let alice = block_on(builder.open("alice")).unwrap();
        for number in 0..5 {
            store.plan(every_other());
            say(&alice, "bob", &format!("to bob {number}"));
            assert_eq!(texts(&bob), [format!("to bob {number}")]);
            say(&bob, "alice", &format!("to alice {number}"));
            store.plan(every_other());
            // The confirmation says truly that it was the first.
            assert_eq!(texts(&alice), [format!("to alice {number}")]);
        }
    }
}

/// I12: without a server a device opens, sends and is told what it has; the messages go once when there is one.
#[test]
fn without_a_server_everything_waits() {
    let world = World::new();
    let (alice, bob) = (world.person("alice"), world.person("bob"));
    say(&alice, "bob", "known");
    assert_eq!(texts(&bob), ["known"]);

    world.server.set_reachable(false);
    let store = MemoryStore::new();
    let carol = world.open("carol", &store);
    for number in 0..3 {
        for (from, name) in [(&alice, "alice"), (&carol, "carol")] {
            let sent = block_on(from.send("bob", format!("{name} {number}"))).unwrap();
            assert!(!sent.delivered_to_server);
        }
    }
    assert_eq!(code(block_on(carol.sync(Duration::ZERO))), "transport.unreachable");
    assert!(block_on(carol.ready_event()).unwrap().is_none());
    drop(carol);
    let carol = world.open("carol", &store);
    assert_eq!(code(block_on(carol.sync(Duration::ZERO))), "transport.unreachable");

    world.server.set_reachable(true);
    let mut told = Vec::new();
    for _ in 0..5 {
        for client in [&alice, &carol] {
            assert!(texts(client).is_empty());
        }
        told.extend(texts(&bob));
        world.clock.advance(Duration::from_secs(120));
    }
    told.sort_unstable();
    assert_eq!(told, ["alice 0", "alice 1", "alice 2", "carol 0", "carol 1", "carol 2"]);
}

/// A message to someone who could not be looked up when it was sent waits as long as the server cannot be reached, however long that is; once the server can
/// be asked and knows nobody of that name, it is tried some times more and then given up, with the reason.
#[test]
fn a_message_to_nobody_is_given_up_and_one_to_someone_far_away_is_not() {
    let world = World::new();
    let (alice, bob) = (world.person("alice"), world.person("bob"));
    world.server.set_reachable(false);
    say(&alice, "bob", "far away");
    let lost = block_on(alice.send("nobody", "to nobody")).unwrap();
    for _ in 0..100 {
        world.clock.advance(Duration::from_secs(3600));
        assert_eq!(code(block_on(alice.sync(Duration::ZERO))), "transport.unreachable");
    }
    world.server.set_reachable(true);
    let mut told = Vec::new();
    for _ in 0..20 {
        told.extend(try_events(&alice).unwrap_or_default());
        world.clock.advance(Duration::from_secs(6 * 3600));
    }
    assert_eq!(texts(&bob), ["far away"]);
    let given_up = |event: &EventKind| match event {
        EventKind::NotDelivered { account, message, code, .. } => Some((account.clone(), *message, code.clone())),
        _ => None,
    };
    let given_up: Vec<_> = told.iter().filter_map(given_up).collect();
    assert_eq!(given_up, [("nobody".to_owned(), Some(lost.id), "transport.unknown_account".to_owned())]);
}

/// A clock that was set back is noticed before it makes expired keys valid again; the user may say that it is right.
#[test]
fn a_clock_set_back_a_year_is_refused_until_it_is_trusted() {
    let world = World::new();
    let (store, bob_store) = (MemoryStore::new(), MemoryStore::new());
    let (alice, bob) = (world.open("alice", &store), world.open("bob", &bob_store));
    say(&alice, "bob", "one");
    say(&bob, "alice", "two");
    assert_eq!(texts(&alice), ["two"]);
    // Something is left to be done later.
    world.server.set_reachable(false);
    say(&alice, "carol", "to carol");
    world.server.set_reachable(true);

    world.clock.set_back(365 * DAY);
    assert_eq!(code(block_on(alice.send("bob", "three"))), "client.clock");
    drop(alice);
    assert_eq!(code(block_on(world.builder(&store).open("alice"))), "client.clock");
    let alice = block_on(world.builder(&store).trust_clock().open("alice")).unwrap();
    drop(bob);
    let bob = block_on(world.builder(&bob_store).trust_clock().open("bob")).unwrap();
    let carol = world.person("carol");
    say(&alice, "bob", "three");
    assert_eq!(texts(&bob), ["one", "three"]);
    say(&bob, "alice", "four");
    assert_eq!(texts(&alice), ["four"]);
    assert_eq!(texts(&carol), ["to carol"], "what was to be done then is done now");
    // Having been trusted, the clock is right: no more is said.
    drop(alice);
    let alice = world.open("alice", &store);
    say(&alice, "bob", "five");
    assert_eq!(texts(&bob), ["five"]);
}

/// a device whose prekeys have expired is not written to until it comes back; the others are.
#[test]
fn an_expired_device_is_passed_over_until_it_publishes() {
    let world = World::new();
    let phone = world.person("alice");
    let tablet = link(&world, &phone, &MemoryStore::new());
    let lonely = world.person("lonely");
    world.clock.advance(15 * DAY);
    block_on(phone.sync(Duration::ZERO)).unwrap();

    let bob = world.person("bob");
    assert_eq!(block_on(bob.send("alice", "one")).unwrap().devices, 1);
    assert_eq!(texts(&phone), ["one"]);
    let refused = |event: &EventKind| matches!(event, EventKind::Security(event) if event.kind == SecurityKind::BundleRefused && event.code == "prekey.expired" && event.device == Some(2));
    assert!(events(&bob).iter().any(refused));
    assert_eq!(code(block_on(bob.send("lonely", "two"))), "prekey.expired");

    for client in [&tablet, &lonely] {
        assert!(texts(client).is_empty());
    }
    assert_eq!(block_on(bob.send("alice", "three")).unwrap().devices, 2);
    say(&bob, "lonely", "four");
    assert_eq!((texts(&phone), texts(&tablet), texts(&lonely)), (one("three"), one("three"), one("four")));
}

fn one(text: &str) -> Vec<String> {
    vec![text.to_owned()]
}

#[test]
fn what_cannot_be_addressed_or_carried_is_refused() {
    let world = World::new();
    let (alice, bob) = (world.person("alice"), world.person("bob"));
    let long = "n".repeat(256);
    for name in ["", &long] {
        assert_eq!(code(block_on(world.builder(&MemoryStore::new()).open(name))), "address.name");
        assert_eq!(code(block_on(alice.send(name, "text"))), "address.name");
        assert_eq!(code(block_on(alice.contact(name))), "contact.unknown");
    }
    let longest = world.person(&long[..255]);
    say(&alice, &long[..255], "a long name");
    assert_eq!(texts(&longest), ["a long name"]);
    assert_eq!(code(block_on(alice.send("nobody", "text"))), "transport.unknown_account");

    say(&alice, "bob", "first");
    assert_eq!(code(block_on(alice.send("bob", "t".repeat(MAX_TEXT + 1)))), "request.too_large");
    say(&alice, "bob", &"t".repeat(MAX_TEXT));
    let told = texts(&bob);
    assert_eq!((told.len(), told[1].len()), (2, MAX_TEXT), "nothing was sent in its place");
}

#[test]
fn a_message_is_sent_and_an_event_confirmed_once() {
    let world = World::new();
    let (alice, bob) = (world.person("alice"), world.person("bob"));
    let id = MessageId([9; 16]);
    for _ in 0..3 {
        assert_eq!(block_on(alice.send_as("bob", id, "once")).unwrap().id, id);
    }
    block_on(bob.sync(Duration::ZERO)).unwrap();
    let Event { id, .. } = block_on(bob.ready_event()).unwrap().unwrap();
    assert!(block_on(bob.ready_event()).unwrap().is_none());
    assert!(block_on(bob.confirm(id)).unwrap());
    assert!(!block_on(bob.confirm(id)).unwrap());
    assert_eq!(code(block_on(bob.confirm(EventId(u64::MAX)))), "event.unknown");
}

#[test]
fn a_closed_client_and_an_unlinked_device_say_so() {
    let world = World::new();
    let (phone, bob, store) = (world.person("alice"), world.person("bob"), MemoryStore::new());
    let tablet = link(&world, &phone, &store);
    block_on(phone.unlink(2)).unwrap();
    assert!(events(&tablet).contains(&EventKind::Unlinked));
    assert_eq!(code(block_on(tablet.send("bob", "late"))), "client.unlinked");
    assert_eq!(code(block_on(tablet.next_event())), "client.unlinked");
    drop(tablet);
    if let Ok(tablet) = block_on(world.builder(&store).open("alice")) {
        assert_eq!(code(block_on(tablet.send("bob", "later"))), "client.unlinked");
    }

    block_on(phone.close()).unwrap();
    block_on(phone.close()).unwrap();
    assert_eq!(code(block_on(phone.send("bob", "x"))), "client.closed");
    assert_eq!(code(block_on(phone.next_event())), "client.closed");
    assert_eq!(code(block_on(phone.ready_event())), "client.closed");
    assert_eq!(code(block_on(phone.confirm(EventId(0)))), "client.closed");
    assert_eq!(code(block_on(phone.sync(Duration::ZERO))), "client.closed");
    assert_eq!(code(block_on(phone.contact("bob"))), "client.closed");
    assert_eq!(code(block_on(phone.devices())), "client.closed");
    assert!(block_on(phone.events().next()).is_none());
    assert!(texts(&bob).is_empty());
}
