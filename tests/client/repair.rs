//! What was lost is asked for and sent again; what is broken is begun anew; neither goes on for ever.

use super::flawed_store::*;
use super::world::*;
use core::time::Duration;
use futures_executor::block_on;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use undertone::client::{Client, EventKind, SecurityKind};
use undertone::store::MemoryStore;
use undertone::transport::{Delivery, Outbound, Tamper, Verdict};
use undertone::wire::Address;

/// A server that loses what it took.
#[derive(Default)]
struct Loses {
    is_on: AtomicBool,
    /// Whether it loses every second envelope only.
    half: AtomicBool,
    lost: AtomicU32,
    seen: AtomicU32,
    /// Flips a bit of what it hands out to this account.
    garbles: Mutex<Option<String>>,
}

impl Tamper for Loses {
    fn send(&self, envelope: &Outbound) -> Option<Verdict> {
        let _ = envelope;
        let number = self.seen.fetch_add(1, Ordering::SeqCst);
        let is_lost =
            self.is_on.load(Ordering::SeqCst) && (!self.half.load(Ordering::SeqCst) || number.is_multiple_of(2));
        self.lost.fetch_add(u32::from(is_lost), Ordering::SeqCst);
        is_lost.then_some(Verdict::Accepted)
    }

    fn receive(&self, device: &Address, mut honest: Vec<Delivery>) -> Vec<Delivery> {
        if self.garbles.lock().unwrap().as_deref() == Some(device.name()) {
            for delivery in &mut honest {
                *delivery.bytes.last_mut().unwrap() ^= 1;
            }
        }
        honest
    }
}

/// Alice and bob, who know each other, on a server that can be told to lose things.
struct Scene {
    world: World,
    loses: Arc<Loses>,
    alice: Client,
    bob: Client,
    alice_store: MemoryStore,
    bob_store: MemoryStore,
}

impl Scene {
    fn new() -> Self {
        let (world, loses) = (World::new(), Arc::new(Loses::default()));
        let (alice_store, bob_store) = (MemoryStore::new(), MemoryStore::new());
        let (alice, bob) = (world.open("alice", &alice_store), world.open("bob", &bob_store));
        world.server.tamper(Some(loses.clone()));
        let scene = Self { world, loses, alice, bob, alice_store, bob_store };
        for round in 0..2 {
            say(&scene.alice, "bob", &format!("a{round}"));
            assert_eq!(texts(&scene.bob), [format!("a{round}")]);
            say(&scene.bob, "alice", &format!("b{round}"));
            assert_eq!(texts(&scene.alice), [format!("b{round}")]);
        }
        scene
    }

    fn lose(&self, is_on: bool) {
        self.loses.is_on.store(is_on, Ordering::SeqCst);
    }

    /// Lets both go on for `rounds` of `step`. What they were told, sorted.
    fn settle(&self, rounds: u32, step: Duration) -> (Vec<String>, Vec<String>) {
        let (mut alice, mut bob) = (Vec::new(), Vec::new());
        for _ in 0..rounds {
            alice.extend(texts(&self.alice));
            bob.extend(texts(&self.bob));
            self.world.clock.advance(step);
        }
        alice.sort_unstable();
        bob.sort_unstable();
        (alice, bob)
    }

    fn sent(&self) -> u32 {
        self.loses.seen.load(Ordering::SeqCst)
    }
}

const MINUTE: Duration = Duration::from_secs(60);

/// I2, I3: messages that the server lost are noticed by the next one, asked for after a while, and come once.
#[test]
fn lost_messages_are_asked_for_and_come_once() {
    let scene = Scene::new();
    scene.lose(true);
    for number in 1..=5 {
        say(&scene.alice, "bob", &format!("lost {number}"));
    }
    scene.lose(false);
    say(&scene.alice, "bob", "here");
    assert_eq!(texts(&scene.bob), ["here"]);
    let (alice, bob) = scene.settle(6, MINUTE);
    assert_eq!(bob, ["lost 1", "lost 2", "lost 3", "lost 4", "lost 5"]);
    assert!(alice.is_empty());
    // Nothing goes on once all is there.
    let sent = scene.sent();
    scene.settle(5, 10 * MINUTE);
    assert_eq!(scene.sent(), sent);
}

/// I3: an order that was shuffled for a moment is no loss: nobody asks.
#[test]
fn a_short_gap_is_waited_for() {
    let scene = Scene::new();
    scene.lose(true);
    say(&scene.alice, "bob", "late");
    scene.lose(false);
    say(&scene.alice, "bob", "early");
    let sent = scene.sent();
    scene.settle(3, Duration::from_secs(5));
    assert_eq!(scene.sent(), sent);
}

/// I12: when requests or answers are lost too, they are made again, ever more rarely.
#[test]
fn lost_requests_are_made_again() {
    let scene = Scene::new();
    scene.loses.half.store(true, Ordering::SeqCst);
    scene.lose(true);
    for number in 10..30 {
        say(&scene.alice, "bob", &number.to_string());
        say(&scene.bob, "alice", &number.to_string());
    }
    let before = scene.settle(3, MINUTE);
    scene.lose(false);
    say(&scene.alice, "bob", "99");
    say(&scene.bob, "alice", "99");
    let after = scene.settle(20, 5 * MINUTE);
    let expected: Vec<String> = (10..30).chain([99]).map(|number| number.to_string()).collect();
    for (before, after) in [(before.0, after.0), (before.1, after.1)] {
        let mut all = [before, after].concat();
        all.sort_unstable();
        assert_eq!(all, expected);
    }
}

/// I2: what its sender has not kept is given up after a bounded number of requests, and the application is told how much is missing.
#[test]
fn what_cannot_be_had_is_given_up_and_told() {
    let scene = Scene::new();
    scene.lose(true);
    say(&scene.alice, "bob", "gone 1");
    say(&scene.alice, "bob", "gone 2");
    scene.lose(false);
    say(&scene.alice, "bob", "here");
    assert_eq!(texts(&scene.bob), ["here"]);
    let before = scene.sent();
    // Alice does not come back.
    let mut lost = Vec::new();
    for _ in 0..60 {
        lost.extend(events(&scene.bob));
        scene.world.clock.advance(10 * MINUTE);
    }
    assert!(matches!(&lost[..], [EventKind::MessagesLost { device: 1, count: 2, .. }]), "{lost:?}");
    let asked = scene.sent() - before;
    assert!((2..=6).contains(&asked), "{asked} requests");
    // What comes after all is not told twice, and new messages are.
    say(&scene.alice, "bob", "new");
    let (_, bob) = scene.settle(10, MINUTE);
    assert_eq!(bob, ["new"]);
}

/// I11: a session record that is gone or cannot be read, on either side or both, is replaced; what was on its way comes all the same, once.
#[test]
fn lost_sessions_heal() {
    type Damage = fn(Option<Vec<u8>>) -> Option<Vec<u8>>;
    let damages: [Damage; 2] = [|_| None, |value| value.map(|value| value[..value.len() / 2].to_vec())];
    for damage in damages {
        for (at_alice, at_bob) in [(true, false), (false, true), (true, true)] {
            for speaks in 0..3 {
                let scene = Scene::new();
                if at_alice {
                    change(&scene.alice_store, &session_record("bob", 1), damage);
                }
                if at_bob {
                    change(&scene.bob_store, &session_record("alice", 1), damage);
                }
                if speaks != 1 {
                    say(&scene.alice, "bob", "from alice");
                }
                if speaks != 0 {
                    say(&scene.bob, "alice", "from bob");
                }
                let (mut alice, mut bob) = scene.settle(12, MINUTE);
                let place = format!("gone at alice {at_alice}, at bob {at_bob}, {speaks}");
                let (to_alice, to_bob) = (usize::from(speaks != 0), usize::from(speaks != 1));
                // Where both began to speak at once, one may be heard only with the next word.
                assert!(speaks == 2 || (alice.len(), bob.len()) == (to_alice, to_bob), "{place}");
                say(&scene.alice, "bob", "from alice too");
                say(&scene.bob, "alice", "from bob too");
                let (after_alice, after_bob) = scene.settle(12, MINUTE);
                alice.extend(after_alice);
                bob.extend(after_bob);
                alice.sort_unstable();
                bob.sort_unstable();
                assert_eq!(alice, ["from bob", "from bob too"][1 - to_alice..], "{place}");
                assert_eq!(bob, ["from alice", "from alice too"][1 - to_bob..], "{place}");
            }
        }
    }
}

/// I11: the application is told that a record could not be read.
#[test]
fn a_record_that_was_replaced_is_told_of() {
    let scene = Scene::new();
    change(&scene.bob_store, &session_record("alice", 1), |record| {
        record.map(|bytes| bytes[..bytes.len() / 2].to_vec())
    });
    say(&scene.bob, "alice", "anyway");
    assert_eq!(texts(&scene.alice), ["anyway"]);
    let lost = |event: &EventKind| matches!(event, EventKind::Security(event) if event.kind == SecurityKind::RecordLost && event.device == Some(1));
    assert!(events(&scene.bob).iter().any(lost));
}

/// Neither a forger nor two devices that cannot understand each other keep anybody busy: new sessions are begun ever more rarely.
#[test]
fn repairs_are_rate_limited() {
    let scene = Scene::new();
    *scene.loses.garbles.lock().unwrap() = Some("bob".to_owned());
    let before = scene.sent();
    let mut spoken = 0;
    for number in 0..200 {
        say(&scene.alice, "bob", &format!("garbled {number}"));
        spoken += 1;
        assert!(texts(&scene.bob).is_empty());
        block_on(scene.alice.sync(Duration::ZERO)).unwrap();
        scene.world.clock.advance(Duration::from_secs(10));
    }
    let extra = scene.sent() - before - spoken;
    println!("{extra} envelopes to mend what cannot be mended, over {spoken} messages");
    assert!(extra < 400, "{extra}");
    // The line is good again: all comes, once.
    *scene.loses.garbles.lock().unwrap() = None;
    say(&scene.alice, "bob", "garbled 200");
    let (_, bob) = scene.settle(40, 10 * MINUTE);
    let mut expected: Vec<String> = (0..=200).map(|number| format!("garbled {number}")).collect();
    expected.sort_unstable();
    assert_eq!(bob, expected);
}
