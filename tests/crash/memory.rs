//! L1: every scene in one process, over the store in memory. A life that is ended drops everything but the store and the server.

use crate::chronicle::{Chronicle, Host, Note};
use crate::faults::{Armed, Fault, Judge, KINDS, Struck};
use crate::life::{Life, TestClock, run};
use crate::report::Outcome;
use crate::scenes::{Scene, set_up};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use undertone::Address;
use undertone::store::{MemoryStore, Store};
use undertone::transport::{Faults, MemoryServer, Transport};

/// What survives.
#[derive(Default)]
pub struct World {
    pub server: MemoryServer,
    stores: Mutex<HashMap<String, MemoryStore>>,
    pub chronicle: Mutex<Chronicle>,
}

impl Host for World {
    fn store(&self, device: &str) -> Box<dyn Store> {
        Box::new(self.stores.lock().unwrap().entry(device.to_owned()).or_default().clone())
    }

    fn transport(&self) -> Box<dyn Transport> {
        Box::new(self.server.transport())
    }

    fn note(&self, note: Note) {
        self.chronicle.lock().unwrap().note(note);
    }

    fn die(&self, _: Fault) {}

    fn is_quiet(&self) -> bool {
        is_quiet(&self.server, &self.chronicle.lock().unwrap())
    }

    fn set_weather(&self, seed: Option<u64>) {
        set_weather(&self.server, seed);
    }
}

/// Whether all that was said was told, and no mail waits for a device of the conversation.
pub fn is_quiet(server: &MemoryServer, chronicle: &Chronicle) -> bool {
    let devices =
        ["alice", "bob"].into_iter().flat_map(|name| [1, 2].map(|number| Address::new(name, number).unwrap()));
    chronicle.missing().is_empty() && devices.map(|device| server.waiting_envelopes(&device)).sum::<usize>() == 0
}

pub fn set_weather(server: &MemoryServer, seed: Option<u64>) {
    server.set_faults(seed.map_or(Faults::none(), |seed| Faults {
        seed,
        duplication: 15,
        reordering: 60,
        delay: 2,
        ..Faults::none()
    }));
}

/// I4: the server has handed out no one-time prekey twice.
pub fn check_server(server: &MemoryServer, chronicle: &mut Chronicle) {
    let handed_out = server.handed_out_prekeys();
    let all = handed_out.len();
    let different: std::collections::HashSet<_> = handed_out.into_iter().collect();
    if different.len() != all {
        chronicle.break_rule("I4", "the server handed out a one-time prekey twice".to_owned());
    }
}

impl World {
    pub fn memory(&self, device: &str) -> MemoryStore {
        self.stores.lock().unwrap()[device].clone()
    }

    /// A world with four devices that know each other.
    pub fn new(clock: &TestClock) -> Arc<Self> {
        let world = Arc::new(Self::default());
        let host: Arc<dyn Host> = Arc::<Self>::clone(&world);
        let judge = Arc::new(Judge::new(host, None));
        let mut life = Life::new(Arc::clone(&judge), clock.clone());
        run(&judge, set_up(&mut life)).unwrap();
        drop(life);
        world.chronicle.lock().unwrap().end_round();
        world
    }

    /// One life with one fault; after its death another one with another fault, and after that one's death one without.
    pub fn round(self: &Arc<Self>, scene: Scene, round: u32, clock: &TestClock, armed: Armed) -> Struck {
        let mut struck = Struck::default();
        let mut is_alive = self.live(scene, round, clock, Some(armed), &mut struck.first);
        if !is_alive {
            is_alive = self.live(scene, round, clock, Some(armed.in_the_recovery()), &mut struck.second);
        }
        if !is_alive {
            assert!(self.live(scene, round, clock, None, &mut None), "nothing ends a life that is not armed");
        }
        let mut chronicle = self.chronicle.lock().unwrap();
        chronicle.end_round();
        check_server(&self.server, &mut chronicle);
        struck
    }

    /// One life; whether it came to its end.
    fn live(
        self: &Arc<Self>,
        scene: Scene,
        round: u32,
        clock: &TestClock,
        armed: Option<Armed>,
        struck: &mut Option<Fault>,
    ) -> bool {
        let judge = Arc::new(Judge::new(Arc::<Self>::clone(self), armed));
        let mut life = Life::new(Arc::clone(&judge), clock.clone());
        let lived = run(&judge, scene.play(&mut life, round));
        *struck = judge.struck();
        lived.is_some()
    }
}

/// Lets every commit and every call of a scene fail in every way, one after the other, until its last point is passed. `give_up` ends it early.
pub fn exhaust(scene: Scene, give_up: impl Fn(&Outcome) -> bool) -> Outcome {
    let mut outcome = Outcome::new(format!("{scene:?} in memory"));
    let clock = TestClock::at(1_800_000_000_000);
    let mut world = World::new(&clock);
    let (mut point, mut round) = (0, 0u32);
    loop {
        let mut is_reached = false;
        for kind in 0..KINDS {
            if round % scene.rounds_in_one_world() == scene.rounds_in_one_world() - 1 {
                world = World::new(&clock);
            }
            let struck = world.round(scene, round, &clock, Armed { point, kind });
            round += 1;
            is_reached |= struck.first.is_some();
            let context = format!("{scene:?}, round {round}, point {point}, {struck:?}");
            let chronicle = world.chronicle.lock().unwrap();
            let is_broken = outcome.add(struck, chronicle.broken(), &context);
            outcome.encryptions = outcome.encryptions.max(chronicle.encryptions_that_left());
            drop(chronicle);
            if give_up(&outcome) {
                return outcome;
            }
            if is_broken {
                world = World::new(&clock);
            }
        }
        if !is_reached {
            return outcome;
        }
        point += 1;
    }
}
