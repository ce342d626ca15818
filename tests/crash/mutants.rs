//! L6: C8-M1, C8-M2, C8-M3, C8-M4, C8-M5, C8-M6, C8-M9, C8-M11, C8-M12, C8-M13: each rule on the order of things is broken once, in memory, and an oracle names what became of it. With the rule in force the same lives break nothing.

use crate::chronicle::Host;
use crate::faults::{Armed, Judge};
use crate::life::{Life, TestClock, run};
use crate::memory::{World, exhaust};
use crate::report::Outcome;
use crate::scenes::Scene;
use std::sync::{Arc, Mutex};
use undertone::Address;
use undertone::rule::{Rule, without};
use undertone::store::sealed::RecordName;
use undertone::store::{SealedStore, StoreSecret};
use undertone::transport::{Delivery, EnvelopeId, Tamper};

/// A mutant, the scene that shows it, and the oracles one of which must notice.
///
/// M7 (a skipped key that is not deleted) is covered by `tests/properties`, M10 (SQLite without its syncs) by `tests/store`, M15 (the post-quantum ratchet in a
/// record of its own) cannot be written: a session is one record. M8 and M14 concern groups and attachments, which the client does not have yet.
const MUTANTS: [(Rule, &str, Played, &[&str]); 10] = [
    (Rule::L6M1, "M1: acknowledge before the commit", Played::Scene(Scene::Talk), &["I2"]),
    (Rule::L6M2, "M2: transmit before the commit", Played::Scene(Scene::Talk), &["I1"]),
    (Rule::L6M3, "M3: delete a one-time prekey in a second commit", Played::Scene(Scene::FirstContact), &["I4"]),
    (Rule::L6M4, "M4: recognise nothing that comes again", Played::Alone(late_original), &["I3"]),
    (Rule::L6M5, "M5: encrypt again on a retry", Played::Scene(Scene::Talk), &["I1"]),
    (Rule::L6M6, "M6: keep what a forgery did", Played::Alone(forgery), &["I6"]),
    (Rule::L6M9, "M9: take an unknown outcome for a failure", Played::Alone(impatient), &["I3"]),
    (Rule::L6M11, "M11: ask for no generation", Played::Alone(rival), &["I1", "I3", "I7"]),
    (Rule::L6M12, "M12: publish prekeys before they are stored", Played::Scene(Scene::FirstContact), &["I9"]),
    (Rule::L6M13, "M13: send answers while reading the question", Played::Alone(crash_while_answering), &["I12"]),
];

/// How a mutant is shown.
#[derive(Clone, Copy)]
enum Played {
    /// Every fault of a scene, until an oracle notices.
    Scene(Scene),
    /// A few lives of its own.
    Alone(fn(&Arc<World>, &TestClock)),
}

/// Whether every mutant whose name contains `filter` is noticed; one outcome for each.
pub fn run_all(filter: impl Fn(&str) -> bool) -> Vec<Outcome> {
    MUTANTS.iter().filter(|(_, name, ..)| filter(name)).map(|mutant| run_one(*mutant)).collect()
}

fn run_one((rule, name, played, oracles): (Rule, &str, Played, &[&str])) -> Outcome {
    let (honest, mutated) = match played {
        // What the scene does with the rule in force is shown by itself.
        Played::Scene(scene) => {
            let found = without(rule, || exhaust(scene, |outcome| is_noticed(&outcome.broken, oracles)));
            (Vec::new(), found.broken)
        }
        Played::Alone(lives) => (play_alone(lives), without(rule, || play_alone(lives))),
    };
    let mut outcome = Outcome::new(name.to_owned());
    for (oracle, what) in honest {
        outcome.broken.push((oracle, format!("with the rule in force: {what}")));
    }
    if is_noticed(&mutated, oracles) {
        outcome.noticed = mutated.into_iter().find(|(oracle, _)| oracles.contains(&oracle.as_str()));
    } else {
        outcome.broken.push(("no oracle".to_owned(), format!("noticed {name}; found: {mutated:?}")));
    }
    outcome
}

fn is_noticed(broken: &[(String, String)], oracles: &[&str]) -> bool {
    broken.iter().any(|(oracle, _)| oracles.contains(&oracle.as_str()))
}

fn play_alone(lives: fn(&Arc<World>, &TestClock)) -> Vec<(String, String)> {
    let clock = TestClock::at(1_800_000_000_000);
    let world = World::new(&clock);
    lives(&world, &clock);
    let mut chronicle = world.chronicle.lock().unwrap();
    chronicle.end_round();
    chronicle.broken()
}

/// Runs one life with all four devices open; false if it was killed.
fn live(world: &Arc<World>, clock: &TestClock, armed: Option<Armed>, action: impl AsyncFnOnce(&mut Life)) -> bool {
    let host: Arc<dyn Host> = Arc::<World>::clone(world);
    let judge = Arc::new(Judge::new(host, armed));
    let mut life = Life::new(Arc::clone(&judge), clock.clone());
    run(&judge, async {
        for device in ["alice-1", "alice-2", "bob-1", "bob-2"] {
            life.open(device).await;
            life.sync(device).await;
        }
        judge.restart();
        action(&mut life).await;
    })
    .is_some()
}

/// Withholds the next envelope to a device until it is let go.
struct Withheld {
    from: Address,
    id: Mutex<Option<EnvelopeId>>,
}

impl Tamper for Withheld {
    fn receive(&self, device: &Address, mut honest: Vec<Delivery>) -> Vec<Delivery> {
        if *device == self.from {
            let mut id = self.id.lock().unwrap();
            let withheld = *id.get_or_insert_with(|| honest.first().map_or(EnvelopeId([0; 16]), |first| first.id));
            honest.retain(|delivery| delivery.id != withheld);
        }
        honest
    }
}

fn address(device: &str) -> Address {
    let (name, number) = device.split_once('-').unwrap();
    Address::new(name, number.parse().unwrap()).unwrap()
}

/// Both have heard of each other: what follows is no first message.
async fn talk_until_answered(life: &mut Life, round: u32) {
    life.say("bob-1", "alice", &format!("question {round}")).await;
    life.quiesce().await;
    life.say("alice-1", "bob", &format!("answer {round}")).await;
    life.quiesce().await;
}

/// An envelope is late by so much that its recipient asks for it.
async fn lose_one_and_ask(world: &Arc<World>, life: &mut Life, round: u32) {
    talk_until_answered(life, round).await;
    life.say("alice-1", "bob", &format!("late {round}")).await;
    let withheld = Withheld { from: address("bob-1"), id: Mutex::default() };
    world.server.tamper(Some(Arc::new(withheld)));
    life.sync("bob-1").await;
    life.say("alice-1", "bob", &format!("in time {round}")).await;
    life.sync("bob-1").await;
    life.clock.advance(25);
    life.sync("bob-1").await;
}

/// M4: the answer comes, and then the original.
fn late_original(world: &Arc<World>, clock: &TestClock) {
    live(world, clock, None, async |life| {
        lose_one_and_ask(world, life, 0).await;
        life.sync("alice-1").await;
        life.sync("bob-1").await;
        world.server.tamper(None);
        life.quiesce().await;
    });
}

/// M13: killed at every point while the question is answered. An answer that left before the commit began a sending chain that its sender does not know any more.
fn crash_while_answering(world: &Arc<World>, clock: &TestClock) {
    for point in 0..40 {
        live(world, clock, None, async |life| lose_one_and_ask(world, life, point).await);
        let host: Arc<dyn Host> = Arc::<World>::clone(world);
        let judge = Arc::new(Judge::new(host, Some(Armed { point, kind: 0 })));
        let mut life = Life::new(Arc::clone(&judge), clock.clone());
        run(&judge, async {
            life.open("alice-1").await;
            life.sync("alice-1").await;
        });
        drop(life);
        world.server.tamper(None);
        live(world, clock, None, async |life| life.quiesce().await);
        if judge.struck().is_none() {
            return;
        }
    }
}

/// M6, I6: someone sends an envelope that ends in another byte, and the session is as it was before.
fn forgery(world: &Arc<World>, clock: &TestClock) {
    live(world, clock, None, async |life| {
        talk_until_answered(life, 0).await;
        life.say("alice-1", "bob", "genuine").await;
        life.quiesce().await;
    });
    let accepted = world.server.accepted_envelopes();
    let (_, mut bytes) = accepted.into_iter().rfind(|(to, _)| *to == address("bob-1")).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    let before = sessions(world, "bob-1");
    world.server.inject(&address("bob-1"), EnvelopeId([9; 16]), bytes);
    live(world, clock, None, async |life| life.sync("bob-1").await);
    if sessions(world, "bob-1") != before {
        world.chronicle.lock().unwrap().break_rule("I6", "a forgery changed a session".to_owned());
    }
}

fn sessions(world: &Arc<World>, device: &str) -> Vec<Vec<u8>> {
    futures_executor::block_on(async {
        let sealed = SealedStore::open(world.memory(device), StoreSecret::key([7; 32])).await.unwrap();
        let (_, sessions) = sealed.scan_all(&RecordName::table("session")).await.unwrap();
        sessions.iter().map(|session| session.to_vec()).collect()
    })
}

/// M9: an application that was told of a failure sends its message as a new one; every commit of its sending ends in an unknown outcome once.
fn impatient(world: &Arc<World>, clock: &TestClock) {
    for point in 0..6 {
        // The fifth fault of a commit: it is done, and nobody says so.
        live(world, clock, Some(Armed { point, kind: 4 }), async |life| {
            life.repeats_as_new = true;
            life.say("alice-1", "bob", &format!("impatient {point}")).await;
            life.quiesce().await;
        });
    }
}

/// M11: two processes on one store write at once.
fn rival(world: &Arc<World>, clock: &TestClock) {
    live(world, clock, None, async |life| {
        let second = life.builder("alice-1").await.unwrap().open("alice").await.unwrap();
        life.judge.set_rival(async move {
            // Whether it succeeds is seen by what arrives.
            let _ = second.send("bob", "of the other process").await;
        });
        life.say("alice-1", "bob", "of the one process").await;
        life.quiesce().await;
    });
}
