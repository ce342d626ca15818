//! Many threads on one client, and calls that are dropped before their end.

use super::world::*;
use core::pin::pin;
use core::task::{Context, Poll, Waker};
use core::time::Duration;
use futures_executor::block_on;
use futures_util::future::{Either, poll_immediate, select};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::thread;
use undertone::Error;
use undertone::client::{Client, Event, EventId, EventKind};
use undertone::content::{Body, MessageId};
use undertone::runtime::{Clock, async_trait};
use undertone::store::{Batch, MemoryStore, Reading, Scan, SealedStore, Store, StoreSecret};
use undertone::transport::{
    Delivery, EnvelopeId, Login, MeetingPlace, MemoryTransport, Outbound, PrekeyStock, Publication, Transport, Verdict,
    Witness,
};

const THREADS: usize = 16;
const EACH: usize = 30;

/// I3, I8: sixteen threads send through one client while another takes what comes in; everything comes once, at both ends.
#[test]
fn many_threads_share_one_client() {
    let world = World::new();
    let (alice, bob) = (world.person("alice"), world.person("bob"));
    say(&bob, "alice", "hello");
    let expected: BTreeSet<String> =
        (0..THREADS).flat_map(|thread| (0..EACH).map(move |number| format!("{thread}/{number}"))).collect();
    let (alice, bob) = (&alice, &bob);
    let consume = |client: &Client, parity: usize| {
        let of_thread = |text: &str| text.split('/').next().unwrap().parse::<usize>().unwrap() % 2;
        let mut missing: BTreeSet<_> = expected.iter().filter(|text| of_thread(text) == parity).cloned().collect();
        while !missing.is_empty() {
            for text in texts(client) {
                assert!(text == "hello" || missing.remove(&text), "{text} came twice");
            }
            thread::yield_now();
        }
    };
    thread::scope(|scope| {
        for (client, to) in [(alice, "bob"), (bob, "alice")] {
            for thread in 0..THREADS {
                // Half of the threads are alice's, half of them bob's; each end has all its texts from one side.
                let is_mine = (thread % 2 == 0) == (to == "bob");
                scope.spawn(move || {
                    for number in (0..EACH).filter(|_| is_mine) {
                        say(client, to, &format!("{thread}/{number}"));
                    }
                });
            }
        }
        scope.spawn(|| consume(bob, 0));
        scope.spawn(|| consume(alice, 1));
    });
}

/// A clock on which nobody who sleeps wakes.
struct StillClock(TestClock);

#[async_trait]
impl Clock for StillClock {
    fn now(&self) -> Duration {
        self.0.now()
    }

    async fn sleep(&self, duration: Duration) {
        if !duration.is_zero() {
            core::future::pending().await
        }
    }
}

/// A task that waits for events lets a task that syncs go first, and waits on.
#[test]
fn a_sync_is_done_while_another_task_waits() {
    let world = World::new();
    let alice = world.person("alice");
    let builder = world.builder(&MemoryStore::new()).clock(StillClock(world.clock.clone()));
    let bob = block_on(builder.open("bob")).unwrap();
    block_on(bob.sync(Duration::ZERO)).unwrap();
    let (mut waiting, sync) = (pin!(bob.next_event()), pin!(bob.sync(Duration::ZERO)));
    assert!(block_on(poll_immediate(waiting.as_mut())).is_none());
    let synced = block_on(select(waiting.as_mut(), sync));
    assert!(matches!(synced, Either::Right((Ok(()), _))));
    assert!(block_on(poll_immediate(waiting.as_mut())).is_none());
    say(&alice, "bob", "hello");
    let EventKind::Message(message) = block_on(waiting).unwrap().kind else { panic!("a message was sent") };
    assert_eq!(message.body, Body::from("hello"));
}

/// Two tasks that wait for events at once are each told of some, none of both.
#[test]
fn events_are_shared_among_those_who_wait() {
    let world = World::new();
    let (alice, bob) = (world.person("alice"), world.person("bob"));
    for number in 0..100 {
        say(&alice, "bob", &number.to_string());
    }
    let take = |client: Client| {
        thread::spawn(move || {
            let mut told = Vec::new();
            while told.len() < 50 {
                let event = block_on(client.next_event()).unwrap();
                assert!(block_on(client.confirm(event.id)).unwrap());
                told.push(event.id);
            }
            told
        })
    };
    let (one, other) = (take(bob.clone()), take(bob));
    let all: BTreeSet<EventId> = one.join().unwrap().into_iter().chain(other.join().unwrap()).collect();
    assert_eq!(all.len(), 100);
}

/// Pends once.
async fn pause() {
    let mut is_done = false;
    core::future::poll_fn(|context| {
        context.waker().wake_by_ref();
        if core::mem::replace(&mut is_done, true) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

/// A store that can be abandoned before and after each call.
pub struct Pausing<T>(pub T);

#[async_trait]
impl Store for Pausing<MemoryStore> {
    async fn read(&self, names: &[Vec<u8>]) -> Result<Reading, Error> {
        pause().await;
        let reading = self.0.read(names).await;
        pause().await;
        reading
    }

    async fn scan(&self, prefix: &[u8], after: Option<&[u8]>, limit: usize) -> Result<Scan, Error> {
        pause().await;
        let scan = self.0.scan(prefix, after, limit).await;
        pause().await;
        scan
    }

    async fn commit(&self, batch: &Batch, expected_generation: u64) -> Result<u64, Error> {
        pause().await;
        let committed = self.0.commit(batch, expected_generation).await;
        pause().await;
        committed
    }

    async fn close(&self) -> Result<(), Error> {
        self.0.close().await
    }
}

/// Awaits a call between two pauses.
macro_rules! paused {
    ($call:expr) => {{
        pause().await;
        let answer = $call.await;
        pause().await;
        answer
    }};
}

#[async_trait]
impl Transport for Pausing<MemoryTransport> {
    async fn attach(&self, login: Arc<dyn Login>) -> Result<(), Error> {
        paused!(self.0.attach(login))
    }
    async fn publish(&self, publication: &Publication) -> Result<PrekeyStock, Error> {
        paused!(self.0.publish(publication))
    }
    async fn device_list(&self, account: &str, after: u64) -> Result<Vec<Vec<u8>>, Error> {
        paused!(self.0.device_list(account, after))
    }
    async fn fetch(&self, account: &str, devices: &[u8]) -> Result<Vec<Vec<u8>>, Error> {
        paused!(self.0.fetch(account, devices))
    }
    async fn send(&self, envelopes: &[Outbound]) -> Result<Vec<Verdict>, Error> {
        paused!(self.0.send(envelopes))
    }
    async fn receive(&self) -> Result<Vec<Delivery>, Error> {
        self.0.receive().await
    }
    async fn acknowledge(&self, ids: &[EnvelopeId]) -> Result<(), Error> {
        paused!(self.0.acknowledge(ids))
    }
    async fn witness(&self, mine: &Witness) -> Result<Option<Witness>, Error> {
        paused!(self.0.witness(mine))
    }
    async fn leave(&self, place: &MeetingPlace, number: u8, message: &[u8]) -> Result<(), Error> {
        paused!(self.0.leave(place, number, message))
    }
    async fn collect(&self, place: &MeetingPlace, number: u8) -> Result<Vec<u8>, Error> {
        paused!(self.0.collect(place, number))
    }
    async fn close(&self) {
        self.0.close().await;
    }
}

/// Polls a future so many times, and drops it.
pub fn begin<F: Future>(future: F, polls: usize) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    (0..polls).find_map(|_| match future.as_mut().poll(&mut context) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    })
}

/// An application that drops its calls at random.
struct Restless {
    client: Client,
    peer: &'static str,
    /// What it means to send, under the names it chose.
    unsent: Vec<MessageId>,
    /// Events it was told and has not confirmed.
    unconfirmed: BTreeSet<EventId>,
    /// The texts it was told, by event.
    told: BTreeMap<EventId, String>,
    dropped: u32,
}

impl Restless {
    fn step(&mut self, random: &mut StdRng) {
        let polls = random.random_range(1..80);
        match random.random_range(0..4) {
            0 if !self.unsent.is_empty() => {
                let id = self.unsent[random.random_range(0..self.unsent.len())];
                match begin(self.client.send_as(self.peer, id, format!("{:?}", id.0)), polls) {
                    Some(sent) => {
                        sent.unwrap();
                        self.unsent.retain(|unsent| *unsent != id);
                    }
                    None => self.dropped += 1,
                }
            }
            1 => match begin(self.client.sync(Duration::ZERO), 5 * polls) {
                Some(synced) => synced.unwrap(),
                None => self.dropped += 1,
            },
            2 => match begin(self.client.ready_event(), polls) {
                Some(event) => self.take(event.unwrap()),
                None => self.dropped += 1,
            },
            _ => {
                let Some(id) = self.unconfirmed.first().copied() else { return };
                match begin(self.client.confirm(id), polls) {
                    // It may be false: the call that was dropped before did it.
                    Some(confirmed) => {
                        confirmed.unwrap();
                        self.unconfirmed.remove(&id);
                    }
                    None => self.dropped += 1,
                }
            }
        }
    }

    fn take(&mut self, event: Option<Event>) {
        let Some(Event { id, kind: EventKind::Message(message) }) = event else { return };
        let Body::Text(text) = message.body else { panic!("no text") };
        assert!(self.told.insert(id, text).is_none(), "told twice by one client");
        self.unconfirmed.insert(id);
    }
}

/// I2, I3: whatever call is dropped at whatever point where it waits, no message is lost and none comes twice.
#[test]
fn dropped_calls_lose_and_repeat_nothing() {
    let mut dropped = 0;
    for seed in 0..12 {
        let world = World::new();
        let mut random = StdRng::seed_from_u64(seed);
        let mut stores = Vec::new();
        let mut open = |name: &str, peer, first: u8| {
            let store = MemoryStore::new();
            drop(world.open(name, &store));
            let sealed = SealedStore::open(Pausing(store.clone()), StoreSecret::key([7; 32]));
            let builder = Client::builder(block_on(sealed).unwrap(), Pausing(world.server.transport()));
            let client = block_on(builder.clock(world.clock.clone()).open(name)).unwrap();
            stores.push(store);
            let unsent = (0..30).map(|number| MessageId([first + number; 16])).collect();
            Restless { client, peer, unsent, unconfirmed: BTreeSet::new(), told: BTreeMap::new(), dropped: 0 }
        };
        let mut people = [open("alice", "bob", 0), open("bob", "alice", 100)];
        for _ in 0..2_500 {
            people[random.random_range(0..2)].step(&mut random);
        }
        // Now nothing is dropped any more.
        for round in 0..6 {
            for person in &mut people {
                for id in core::mem::take(&mut person.unsent) {
                    block_on(person.client.send_as(person.peer, id, format!("{:?}", id.0))).unwrap();
                }
                block_on(person.client.sync(Duration::ZERO)).unwrap();
                while let Some(event) = block_on(person.client.ready_event()).unwrap() {
                    person.take(Some(event));
                }
            }
            if round > 2 {
                world.clock.advance(Duration::from_secs(30));
            }
        }
        for (person, first) in people.iter().zip([100, 0_u8]) {
            let mut told: Vec<&String> = person.told.values().collect();
            told.sort_unstable();
            let mut expected: Vec<String> = (0..30).map(|number| format!("{:?}", [first + number; 16])).collect();
            expected.sort_unstable();
            assert_eq!(told, expected.iter().collect::<Vec<_>>(), "seed {seed}");
            dropped += person.dropped;
        }
        // A restart tells what was not confirmed, and nothing else.
        for (person, store) in people.iter().zip(&stores) {
            let again = world.open(person.client.name(), store);
            let mut retold = BTreeSet::new();
            while let Some(event) = block_on(again.ready_event()).unwrap() {
                if matches!(event.kind, EventKind::Message(_)) {
                    retold.insert(event.id);
                }
            }
            let confirmed: BTreeSet<EventId> =
                person.told.keys().filter(|id| !person.unconfirmed.contains(id)).copied().collect();
            assert!(retold.is_disjoint(&confirmed));
            assert!(retold.is_subset(&person.unconfirmed));
        }
    }
    println!("{dropped} calls dropped");
    assert!(dropped > 500);
}
