//! The server answers with garbage, or with lies about what it did.

use crate::server::{Hostile, device, is_warned, live, live_on, said, warnings};
use crate::world::{World, say, texts};
use core::time::Duration;
use futures_executor::block_on;
use rand::rngs::StdRng;
use rand::{Rng, RngExt, SeedableRng};
use std::sync::{Arc, Mutex};
use undertone::Result;
use undertone::client::{EventKind, SecurityKind};
use undertone::transport::{Delivery, EnvelopeId, PrekeyStock, TransportFault, Verdict, Witness};

fn bytes(dice: &mut StdRng, most: usize) -> Vec<u8> {
    let mut bytes = vec![0; dice.random_range(0..most)];
    dice.fill_bytes(&mut bytes);
    bytes
}

/// A server whose every answer is garbage, in a way that follows from `seed`.
fn garbage(seed: u64) -> Hostile {
    let dice = Arc::new(Mutex::new(StdRng::seed_from_u64(seed)));
    let random = |dice: &Arc<Mutex<StdRng>>| {
        let dice = Arc::clone(dice);
        move || {
            let mut dice = dice.lock().unwrap();
            let count = dice.random_range(0..4);
            (0..count).map(|_| bytes(&mut dice, 400)).collect::<Vec<_>>()
        }
    };
    let (lists, bundles, mail) = (random(&dice), random(&dice), random(&dice));
    let calls = Mutex::new(0_u32);
    let (for_verdicts, for_stock, for_witness) = (Arc::clone(&dice), Arc::clone(&dice), dice);
    Hostile {
        lists: Some(Box::new(move |_, _, _| Ok(lists()))),
        bundles: Some(Box::new(move |_, _, _| Ok(bundles()))),
        verdicts: Some(Box::new(move |_, mut honest| {
            let mut dice = for_verdicts.lock().unwrap();
            let all = [Verdict::DevicesChanged, Verdict::NoSuchDevice, Verdict::MailboxFull];
            honest.iter_mut().for_each(|verdict| *verdict = all[dice.random_range(0..3)]);
            if dice.random_bool(0.5) {
                honest.push(Verdict::Accepted)
            } else {
                honest.pop().map_or((), drop)
            }
            honest
        })),
        hands: Some(Box::new(move |_, _| {
            let mut calls = calls.lock().unwrap();
            *calls += 1;
            if (*calls).is_multiple_of(4) {
                return Vec::new();
            }
            mail().into_iter().map(|bytes| Delivery { id: EnvelopeId([7; 16]), bytes }).collect()
        })),
        stock: Some(Box::new(move |_| {
            let mut dice = for_stock.lock().unwrap();
            Ok(PrekeyStock { one_time: dice.random(), one_time_kem: dice.random() })
        })),
        witness: Some(Box::new(move |_, _| {
            let mut dice = for_witness.lock().unwrap();
            Some(Witness { generation: dice.random(), mac: dice.random() })
        })),
        ..Hostile::default()
    }
}

/// I2, I6, I11, I12, B75: while every answer of the server is garbage nothing is believed, nothing is lost and nothing ends; when it is honest again, all arrives once.
#[test]
fn garbage_answers_lose_nothing() {
    for seed in 0..6 {
        let world = World::new();
        let (alice, bob) = (world.person("alice"), world.person("bob"));
        say(&alice, "bob", "before");
        assert_eq!(texts(&bob), ["before"]);
        garbage(seed).over(&world.server);
        for number in 0..5 {
            block_on(alice.send("bob", number.to_string())).unwrap();
            let _ = block_on(alice.send("carol", "to a stranger"));
            let events = live_on(&world, &[&alice, &bob], 2, 40);
            assert!(said(&events[1]).is_empty());
        }
        world.server.tamper(None);
        say(&alice, "bob", "after");
        let events = live_on(&world, &[&alice, &bob], 10, 120);
        let mut read = said(&events[1]);
        read.sort();
        // Control: "after" shows that the server is honest again; the five show that garbage lost nothing.
        assert_eq!(read, ["0", "1", "2", "3", "4", "after"], "seed {seed}");
    }
}

/// I2: as many verdicts as envelopes, or the answer is worth nothing: the envelopes are handed over again.
#[test]
fn a_wrong_count_of_verdicts_is_no_answer() {
    let world = World::new();
    let (alice, bob) = (world.person("alice"), world.person("bob"));
    for change in [(|_| Vec::new()) as fn(Vec<Verdict>) -> Vec<Verdict>, |mut honest| {
        honest.push(Verdict::Accepted);
        honest
    }] {
        let mut hostile = Hostile::takes(|_| Some(Verdict::MailboxFull));
        hostile.verdicts = Some(Box::new(move |_, honest| change(honest)));
        hostile.over(&world.server);
        let sent = block_on(alice.send("bob", "hello")).unwrap();
        assert!(!sent.delivered_to_server);
        assert!(live(&bob).is_empty());
        world.server.tamper(None);
        let events = live_on(&world, &[&alice, &bob], 3, 60);
        // Control: honest, it takes what it was handed before.
        assert_eq!(said(&events[1]), ["hello"]);
    }
}

/// SE-2, I12: "its devices have changed", for ever, "there is no such device", "its mailbox is full": the message waits, without asking for ever, and arrives once.
#[test]
fn lies_about_devices_delay_and_lose_nothing() {
    for lie in [Verdict::DevicesChanged, Verdict::NoSuchDevice, Verdict::MailboxFull] {
        let world = World::new();
        let (alice, bob) = (world.person("alice"), world.person("bob"));
        say(&alice, "bob", "one");
        assert_eq!(texts(&bob), ["one"]);
        Hostile::takes(move |_| Some(lie)).over(&world.server);
        let calls = world.server.calls();
        say(&alice, "bob", "two");
        let events = live_on(&world, &[&alice, &bob], 10, 60);
        assert!(said(&events[1]).is_empty());
        assert!(world.server.calls() - calls < 200, "{lie:?}: {}", world.server.calls() - calls);
        world.server.tamper(None);
        let events = live_on(&world, &[&alice, &bob], 8, 60);
        // Control: the truth sends it on its way.
        assert_eq!(said(&events[1]), ["two"], "{lie:?}");
    }
}

/// I2: "it is too large" is final: the application is told that the message did not go out.
#[test]
fn a_lie_about_the_size_is_told() {
    let world = World::new();
    let (alice, bob) = (world.person("alice"), world.person("bob"));
    Hostile::takes(|_| Some(Verdict::TooLarge)).over(&world.server);
    say(&alice, "bob", "small");
    let told = |events: &[EventKind]| {
        events
            .iter()
            .any(|event| matches!(event, EventKind::NotDelivered { code, .. } if code == "transport.too_large"))
    };
    assert!(told(&live(&alice)));
    // Control: what the server takes is not reported.
    world.server.tamper(None);
    say(&alice, "bob", "smaller");
    assert!(!told(&live(&alice)));
    assert!(said(&live(&bob)).contains(&"smaller".to_owned()));
}

/// I7, B33: a witness that this device did not make changes nothing, however high its number.
#[test]
fn a_forged_witness_is_passed_over() {
    let world = World::new();
    let (alice, bob) = (world.person("alice"), world.person("bob"));
    say(&alice, "bob", "one");
    assert_eq!(texts(&bob), ["one"]);
    let seen: Arc<Mutex<Option<Witness>>> = Arc::default();
    let real = Arc::clone(&seen);
    Hostile::witness(move |_, honest| {
        *real.lock().unwrap() = honest;
        honest.map(|honest| Witness { generation: honest.generation + 1_000, mac: honest.mac })
    })
    .over(&world.server);
    say(&alice, "bob", "two");
    assert!(warnings(&live(&alice)).is_empty());
    // Control: the server did show it, and the same number under the device's own MAC would be believed (`rollback.rs`).
    assert!(seen.lock().unwrap().is_some());
    assert_eq!(said(&live(&bob)), ["two"]);
}

/// I7: an older witness, another device's, or none: nothing happens, and nothing is sent that would not have been.
#[test]
fn an_old_or_foreign_witness_is_passed_over() {
    let world = World::new();
    let (alice, bob) = (world.person("alice"), world.person("bob"));
    say(&alice, "bob", "one");
    assert_eq!(texts(&bob), ["one"]);
    let all: Arc<Mutex<Vec<(u8, Witness)>>> = Arc::default();
    let kept = Arc::clone(&all);
    Hostile::witness(move |who, honest| {
        let mut kept = kept.lock().unwrap();
        let name = u8::from(who.name() == "bob");
        kept.extend(honest.map(|honest| (name, honest)));
        kept.iter().rev().find(|(whose, _)| *whose != name).map(|(_, witness)| *witness)
    })
    .over(&world.server);
    for _ in 0..10 {
        say(&bob, "alice", "pushes his number up");
        live(&alice);
    }
    say(&alice, "bob", "two");
    assert!(!is_warned(&live(&alice), SecurityKind::StoreRolledBack));
    let kept = Arc::clone(&all);
    Hostile::witness(move |_, _| kept.lock().unwrap().first().map(|(_, witness)| *witness)).over(&world.server);
    say(&alice, "bob", "three");
    Hostile::witness(|_, _| None).over(&world.server);
    say(&alice, "bob", "four");
    assert!(!is_warned(&live(&alice), SecurityKind::StoreRolledBack));
    // Control: witnesses were asked for and kept.
    assert!(!all.lock().unwrap().is_empty());
    assert_eq!(said(&live(&bob)), ["two", "three", "four"]);
}

/// B14, I9: "you have no prekeys", for ever: a client does not make them without end.
#[test]
fn a_lie_about_the_stock_makes_no_prekeys_without_end() {
    let world = World::new();
    let bob = world.person("bob");
    let asked = Arc::new(Mutex::new(0_u32));
    let count = Arc::clone(&asked);
    let stock = move |_: Result<PrekeyStock>| {
        *count.lock().unwrap() += 1;
        Ok(PrekeyStock::default())
    };
    Hostile { stock: Some(Box::new(stock)), ..Hostile::default() }.over(&world.server);
    let before = *asked.lock().unwrap();
    for _ in 0..30 {
        live(&bob);
        world.clock.advance(Duration::from_secs(7 * 3600));
    }
    assert!(*asked.lock().unwrap() - before < 100);
    world.server.tamper(None);
    let mut left = 0;
    while crate::bundles::fetched(&world, "bob", 1).one_time_prekey().is_some() {
        left += 1;
        assert!(left < 1_000);
    }
    // Control: some were made.
    assert!(left > 50, "{left}");
}

/// A server that cannot be reached, is busy, refuses or does not know the account: an error with a code, and nothing is lost.
#[test]
fn refusals_are_reported_and_lose_nothing() {
    for fault in [TransportFault::Unreachable, TransportFault::RateLimited, TransportFault::Malformed] {
        let world = World::new();
        let (alice, bob) = (world.person("alice"), world.person("bob"));
        Hostile::lists(move |_, _, _| Err(fault.into())).over(&world.server);
        let sent = block_on(alice.send("bob", "hello"));
        world.server.tamper(None);
        let events = live_on(&world, &[&alice, &bob], 5, 60);
        // Control: what was promised arrives, and what was refused does not.
        assert_eq!(said(&events[1]).len(), usize::from(sent.is_ok()), "{fault:?}");
        let _ = device("bob", 1);
    }
}
