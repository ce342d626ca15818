//! L3: the same scenes in a process of their own, on SQLite. The child says that it has come to its point, and is killed; the server and what was said, told
//! and confirmed are here, and survive.

use crate::chronicle::{Chronicle, Note};
use crate::faults::{Armed, KINDS, Struck};
use crate::memory::{check_server, is_quiet, set_weather};
use crate::report::Outcome;
use crate::scenes::Scene;
use crate::wire::{self, Done, Job};
use futures_executor::block_on;
use futures_util::future::poll_immediate;
use std::collections::HashMap;
use std::io::BufReader;
use std::path::PathBuf;
use std::process::{ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Arc, Mutex};
use undertone::transport::protocol::{Answer, Call};
use undertone::transport::{Login, MemoryServer, MemoryTransport, Transport, TransportFault};
use undertone::{Address, Error, Result};

/// The word that makes this program a child.
pub const CHILD: &str = "--as-child";

/// What survives: the server, what was noted, and the files.
struct World {
    server: MemoryServer,
    chronicle: Chronicle,
    folder: PathBuf,
    clock: u64,
    process: Option<Process>,
}

struct Process {
    child: std::process::Child,
    ends: Arc<Mutex<(ChildStdin, BufReader<ChildStdout>)>>,
    connections: HashMap<u64, MemoryTransport>,
}

/// How a job ended.
enum End {
    Done(Done),
    Killed(Done),
}

impl World {
    fn new(folder: PathBuf, clock: u64) -> Self {
        // What an earlier run left, if it was interrupted.
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        let mut world =
            Self { server: MemoryServer::new(), chronicle: Chronicle::default(), folder, clock, process: None };
        assert!(matches!(world.run(None, 0, None), End::Done(_)), "nothing kills a child that is not armed");
        world.chronicle.end_round();
        world
    }

    /// One life with one fault; after its death another one with another fault, and after that one's death one without. What struck, and how many processes were
    /// killed.
    fn round(&mut self, scene: Scene, round: u32, armed: Armed) -> (Struck, u64) {
        let (mut faults, mut kills) = ([None; 3], 0);
        for (fault, armed) in faults.iter_mut().zip([Some(armed), Some(armed.in_the_recovery()), None]) {
            match self.run(Some(scene), round, armed) {
                End::Done(done) => {
                    *fault = done.struck;
                    break;
                }
                End::Killed(done) => {
                    *fault = done.struck;
                    kills += 1;
                }
            }
        }
        assert!(kills < 3, "nothing kills a child that is not armed");
        self.chronicle.end_round();
        check_server(&self.server, &mut self.chronicle);
        (Struck { first: faults[0], second: faults[1] }, kills)
    }

    fn run(&mut self, scene: Option<Scene>, round: u32, armed: Option<Armed>) -> End {
        let mut process = self.process.take().unwrap_or_else(Process::start);
        let folder = self.folder.to_str().unwrap().to_owned();
        let job = Job { scene, round, armed, clock: self.clock, folder };
        process.say(wire::JOB, &serde_json::to_vec(&job).unwrap());
        loop {
            let (kind, content) = process.hear();
            match kind {
                wire::DONE => {
                    let done: Done = serde_json::from_slice(&content).unwrap();
                    self.clock = done.clock;
                    self.process = Some(process);
                    return End::Done(done);
                }
                wire::POINT => {
                    // SIGKILL: nothing of the child runs after this.
                    process.child.kill().unwrap();
                    process.child.wait().unwrap();
                    let done: Done = serde_json::from_slice(&content).unwrap();
                    self.clock = done.clock;
                    return End::Killed(done);
                }
                wire::NOTE => self.chronicle.note(serde_json::from_slice::<Note>(&content).unwrap()),
                wire::QUIET => {
                    let is_quiet = is_quiet(&self.server, &self.chronicle);
                    process.say(wire::QUIET, &[u8::from(is_quiet)]);
                }
                wire::WEATHER => set_weather(&self.server, serde_json::from_slice(&content).unwrap()),
                _ => process.serve(&self.server, kind, &content),
            }
        }
    }
}

impl Drop for World {
    fn drop(&mut self) {
        drop(self.process.take());
        // A folder that stays behind does no harm.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Process {
    fn start() -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .arg(CHILD)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let ends = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        Self { child, ends: Arc::new(Mutex::new(ends)), connections: HashMap::new() }
    }

    fn say(&self, kind: u8, content: &[u8]) {
        wire::write(&mut self.ends.lock().unwrap().0, kind, content).unwrap();
    }

    fn hear(&self) -> (u8, Vec<u8>) {
        wire::read(&mut self.ends.lock().unwrap().1).expect("a child that nobody killed does not end")
    }

    /// Does what a child asks of the server.
    fn serve(&mut self, server: &MemoryServer, kind: u8, content: &[u8]) {
        let answer = match kind {
            wire::ATTACH => {
                let (number, name, device): (u64, String, u8) = serde_json::from_slice(content).unwrap();
                let address = Address::new(name, device).unwrap();
                let login = Arc::new(Forwarded { address, ends: Arc::clone(&self.ends) });
                let connection = self.connections.entry(number).or_insert_with(|| server.transport());
                answer_of(block_on(connection.attach(login)).map(|()| Answer::Done))
            }
            wire::RECEIVE => {
                let number = u64::from_be_bytes(content.try_into().unwrap());
                let connection = self.connections.entry(number).or_insert_with(|| server.transport());
                match block_on(poll_immediate(connection.receive())) {
                    Some(received) => answer_of(received.map(Answer::Deliveries)),
                    None => Vec::new(),
                }
            }
            _ => {
                let (number, call) = Call::decode(content).unwrap();
                let connection = self.connections.entry(number).or_insert_with(|| server.transport());
                match block_on(poll_immediate(serve_call(connection, call))) {
                    Some(answer) => answer_of(answer),
                    None => Vec::new(),
                }
            }
        };
        self.say(wire::ANSWER, &answer);
    }
}

async fn serve_call(connection: &MemoryTransport, call: Call) -> Result<Answer> {
    Ok(match call {
        Call::Publish(publication) => Answer::Stock(connection.publish(&publication).await?),
        Call::DeviceList { account, after } => Answer::Statements(connection.device_list(&account, after).await?),
        Call::Fetch { account, devices } => Answer::Bundles(connection.fetch(&account, &devices).await?),
        Call::Send(envelopes) => Answer::Verdicts(connection.send(&envelopes).await?),
        Call::Acknowledge(ids) => connection.acknowledge(&ids).await.map(|()| Answer::Done)?,
        Call::Witness(witness) => Answer::Witness(connection.witness(&witness).await?),
        Call::Leave { place, number, message } => {
            connection.leave(&place, number, &message).await.map(|()| Answer::Done)?
        }
        Call::Collect { place, number } => Answer::Message(connection.collect(&place, number).await?),
        Call::SignIn { .. } => return Err(TransportFault::Malformed.into()),
    })
}

fn answer_of(result: Result<Answer>) -> Vec<u8> {
    result.unwrap_or_else(|error| Answer::Failed(fault_of(&error))).encode(1)
}

fn fault_of(error: &Error) -> TransportFault {
    let all = [
        TransportFault::Unreachable,
        TransportFault::RateLimited,
        TransportFault::Refused,
        TransportFault::Unauthorized,
        TransportFault::UnknownAccount,
        TransportFault::TooLarge,
    ];
    let same = |fault: &TransportFault| Error::from(*fault).code() == error.code();
    all.into_iter().find(same).unwrap_or(TransportFault::Malformed)
}

/// The child's key signs the server's challenge.
struct Forwarded {
    address: Address,
    ends: Arc<Mutex<(ChildStdin, BufReader<ChildStdout>)>>,
}

impl Login for Forwarded {
    fn address(&self) -> &Address {
        &self.address
    }

    fn sign(&self, challenge: &[u8; 32]) -> Result<[u8; 64]> {
        let mut ends = self.ends.lock().unwrap();
        wire::write(&mut ends.0, wire::CHALLENGE, challenge).unwrap();
        let (kind, signature) = wire::read(&mut ends.1).unwrap();
        assert_eq!(kind, wire::CHALLENGE);
        Ok(signature.try_into().unwrap())
    }
}

/// Lets every commit and every call of a scene fail in every way, one after the other, until its last point is passed.
pub fn exhaust(scene: Scene) -> Outcome {
    let mut outcome = Outcome::new(format!("{scene:?} in processes"));
    let folder = std::env::temp_dir().join(format!("undertone-crash-{}-{scene:?}", std::process::id()));
    let mut world = World::new(folder.clone(), START);
    let (mut point, mut round) = (0, 0u32);
    loop {
        let mut is_reached = false;
        for kind in 0..KINDS {
            if round % scene.rounds_in_one_world() == scene.rounds_in_one_world() - 1 {
                let clock = world.clock;
                drop(world);
                world = World::new(folder.clone(), clock);
            }
            let (struck, kills) = world.round(scene, round, Armed { point, kind });
            round += 1;
            is_reached |= struck.first.is_some();
            let context = format!("{scene:?}, round {round}, point {point}, {struck:?}");
            outcome.encryptions = outcome.encryptions.max(world.chronicle.encryptions_that_left());
            outcome.kills += kills;
            if outcome.add(struck, world.chronicle.broken(), &context) {
                let clock = world.clock;
                drop(world);
                world = World::new(folder.clone(), clock);
            }
        }
        if !is_reached || outcome.broken.len() > 40 {
            return outcome;
        }
        point += 1;
    }
}

/// When it begins, in milliseconds.
const START: u64 = 1_800_000_000_000;
