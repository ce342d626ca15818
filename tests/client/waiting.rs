//! What waits, for days or for a decision: nothing of it is forgotten, and waiting costs next to nothing.

use super::many_tasks::{Pausing, begin};
use super::world::*;
use core::time::Duration;
use futures_executor::block_on;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use undertone::Error;
use undertone::client::{Client, EventKind};
use undertone::content::{Body, MessageId};
use undertone::runtime::{Clock, async_trait};
use undertone::store::{MemoryStore, SealedStore, StoreSecret};
use undertone::transport::{Outbound, Tamper, TransportFault, Verdict};

const DAY: Duration = Duration::from_secs(86_400);

/// I2: own messages are kept for 14 days; one that no device was sent yet is kept until it is, even if the next thing that happens is another message.
#[test]
fn a_message_that_waits_for_weeks_is_sent() {
    let (world, store) = (World::new(), MemoryStore::new());
    let (alice, bob) = (world.open("alice", &store), world.person("bob"));
    world.server.set_reachable(false);
    say(&alice, "bob", "first");
    block_on(alice.close()).unwrap();
    world.server.set_reachable(true);
    for _ in 0..3 {
        world.clock.advance(DAY * 5);
        assert!(texts(&bob).is_empty());
    }
    let alice = world.open("alice", &store);
    say(&alice, "bob", "second");
    let mut told = Vec::new();
    for _ in 0..3 {
        assert!(texts(&alice).is_empty());
        told.extend(texts(&bob));
        world.clock.advance(Duration::from_secs(120));
    }
    told.sort_unstable();
    assert_eq!(told, ["first", "second"]);
}

/// Takes nothing.
struct Full;

impl Tamper for Full {
    fn send(&self, _: &Outbound) -> Option<Verdict> {
        Some(Verdict::MailboxFull)
    }
}

/// A clock that counts how often someone sleeps, and from a certain number on wakes nobody.
#[derive(Clone)]
struct CountingClock {
    clock: TestClock,
    left: Arc<AtomicU64>,
}

#[async_trait]
impl Clock for CountingClock {
    fn now(&self) -> Duration {
        self.clock.now()
    }

    async fn sleep(&self, duration: Duration) {
        if self.left.load(Ordering::SeqCst) == 0 {
            core::future::pending::<()>().await;
        }
        self.left.fetch_sub(1, Ordering::SeqCst);
        self.clock.sleep(duration).await;
    }
}

/// A client that waits for events with one envelope that the server does not take rests between two tries: for half a minute at first, then longer.
#[test]
fn an_envelope_that_is_not_taken_costs_no_rest() {
    let world = World::new();
    let clock = CountingClock { clock: world.clock.clone(), left: Arc::new(AtomicU64::new(1_000)) };
    let alice = block_on(world.builder(&MemoryStore::new()).clock(clock.clone()).open("alice")).unwrap();
    let bob = world.person("bob");
    say(&alice, "bob", "one");
    assert_eq!(texts(&bob), ["one"]);
    assert!(texts(&alice).is_empty());
    world.server.tamper(Some(Arc::new(Full)));
    say(&alice, "bob", "two");
    let (calls, before) = (world.server.calls(), world.clock.now());
    clock.left.store(100, Ordering::SeqCst);
    assert!(begin(alice.next_event(), 3).is_none());
    assert_eq!(clock.left.load(Ordering::SeqCst), 0, "it turned a hundred times");
    let rest = (world.clock.now() - before) / 100;
    assert!(rest >= Duration::from_secs(30), "{rest:?} between two turns");
    assert!(world.server.calls() - calls <= 400);
    // Control: once the server takes it, it goes.
    world.server.tamper(None);
    clock.left.store(1_000, Ordering::SeqCst);
    world.clock.advance(Duration::from_secs(400));
    assert!(texts(&alice).is_empty());
    assert_eq!(texts(&bob), ["two"]);
}

/// Says of one account that it asks too much.
struct Busy;

impl Tamper for Busy {
    fn device_list(&self, account: &str, _: u64, honest: Result<Vec<Vec<u8>>, Error>) -> Result<Vec<Vec<u8>>, Error> {
        if account == "alice" { Err(TransportFault::RateLimited.into()) } else { honest }
    }
}

/// I2: an envelope that is held until its sender can be looked up is read in the end, wherever the call that tries it again is dropped.
#[test]
fn a_dropped_retry_of_held_envelopes_is_made_again() {
    for polls in (1..60).step_by(3) {
        let (world, store) = (World::new(), MemoryStore::new());
        let alice = world.person("alice");
        drop(world.open("bob", &store));
        say(&alice, "bob", "held");
        let sealed = block_on(SealedStore::open(Pausing(store.clone()), StoreSecret::key([7; 32]))).unwrap();
        let builder = Client::builder(sealed, world.server.transport()).clock(world.clock.clone());
        let bob = block_on(builder.open("bob")).unwrap();
        world.server.tamper(Some(Arc::new(Busy)));
        assert!(texts(&bob).is_empty());
        world.server.tamper(None);
        world.clock.advance(Duration::from_secs(11));
        drop(begin(bob.sync(Duration::ZERO), polls));
        let mut told = texts(&bob);
        world.clock.advance(Duration::from_secs(11));
        told.extend(texts(&bob));
        assert_eq!(told, ["held"], "dropped after {polls} polls");
    }
}

/// An id names one message: the same again is sent once, another one is refused.
#[test]
fn an_id_is_for_one_message() {
    let world = World::new();
    let (alice, bob, carol) = (world.person("alice"), world.person("bob"), world.person("carol"));
    let id = MessageId([9; 16]);
    for _ in 0..2 {
        block_on(alice.send_as("bob", id, "once")).unwrap();
    }
    for (to, text) in [("carol", "once"), ("bob", "twice")] {
        assert_eq!(block_on(alice.send_as(to, id, text)).unwrap_err().code(), "request.message_id");
    }
    assert_eq!(texts(&bob), ["once"]);
    assert!(texts(&carol).is_empty());
}

/// What only the protocol says cannot be said by an application, and an application's mistake is no warning about its contact.
#[test]
fn an_applications_mistake_is_no_security_event() {
    let world = World::new();
    let (alice, bob) = (world.person("alice"), world.person("bob"));
    say(&alice, "bob", "one");
    let mistakes = [
        Body::Nothing,
        Body::DeviceList(vec![vec![1]]),
        Body::ResendRequest { stream: 1, missing: Vec::new() },
        Body::Unknown { kind: 2, payload: vec![1] },
    ];
    for body in mistakes {
        assert_eq!(block_on(alice.send("bob", body)).unwrap_err().code(), "request.argument");
    }
    assert!(!events(&alice).iter().any(|event| matches!(event, EventKind::Security(_))));
    assert_eq!(texts(&bob), ["one"]);
}
