//! The process that is killed: it hosts the devices over stores on SQLite, and reaches the server, which outlives it, through its parent.

use crate::chronicle::{Host, Note};
use crate::faults::{Fault, Judge};
use crate::life::{Life, TestClock, run};
use crate::scenes::set_up;
use crate::wire::{self, Done, Job};
use std::io::{Stdin, Stdout, stdin, stdout};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use undertone::runtime::async_trait;
use undertone::store::{SqliteStore, Store};
use undertone::transport::protocol::{Answer, Call};
use undertone::transport::{
    Delivery, EnvelopeId, Login, MeetingPlace, Outbound, PrekeyStock, Publication, Transport, TransportFault, Verdict,
    Witness,
};
use undertone::{Error, Result};

/// Lives through one job after the other, until the parent wants no more or kills it.
pub fn live() {
    let channel = Arc::new(Channel { ends: Mutex::new((stdin(), stdout())), connections: Mutex::new(0) });
    loop {
        let Ok((wire::JOB, job)) = wire::read(&mut channel.ends.lock().unwrap().0) else { return };
        let job: Job = serde_json::from_slice(&job).unwrap();
        let done = live_through(&channel, &job);
        channel.say(wire::DONE, &serde_json::to_vec(&done).unwrap());
    }
}

fn live_through(channel: &Arc<Channel>, job: &Job) -> Done {
    let clock = TestClock::at(job.clock);
    let host =
        Arc::new(Child { channel: Arc::clone(channel), folder: PathBuf::from(&job.folder), clock: clock.clone() });
    let judge = Arc::new(Judge::new(host, job.armed));
    let mut life = Life::new(Arc::clone(&judge), clock.clone());
    run(&judge, async {
        match job.scene {
            Some(scene) => scene.play(&mut life, job.round).await,
            None => set_up(&mut life).await,
        }
    });
    Done { struck: judge.struck(), clock: clock.milliseconds() }
}

struct Channel {
    ends: Mutex<(Stdin, Stdout)>,
    connections: Mutex<u64>,
}

impl Channel {
    fn say(&self, kind: u8, content: &[u8]) {
        wire::write(&mut self.ends.lock().unwrap().1, kind, content).unwrap();
    }

    fn ask(&self, kind: u8, content: &[u8]) -> (u8, Vec<u8>) {
        let mut ends = self.ends.lock().unwrap();
        wire::write(&mut ends.1, kind, content).unwrap();
        wire::read(&mut ends.0).unwrap()
    }
}

struct Child {
    channel: Arc<Channel>,
    folder: PathBuf,
    clock: TestClock,
}

impl Host for Child {
    fn store(&self, device: &str) -> Box<dyn Store> {
        Box::new(SqliteStore::open(self.folder.join(format!("{device}.db"))).unwrap())
    }

    fn transport(&self) -> Box<dyn Transport> {
        let mut connections = self.channel.connections.lock().unwrap();
        *connections += 1;
        Box::new(Remote { channel: Arc::clone(&self.channel), number: *connections })
    }

    fn note(&self, note: Note) {
        self.channel.say(wire::NOTE, &serde_json::to_vec(&note).unwrap());
    }

    /// At its point: from here on the process can only be killed.
    fn die(&self, fault: Fault) {
        let done = Done { struck: Some(fault), clock: self.clock.milliseconds() };
        self.channel.say(wire::POINT, &serde_json::to_vec(&done).unwrap());
        loop {
            std::thread::park();
        }
    }

    fn is_quiet(&self) -> bool {
        self.channel.ask(wire::QUIET, &[]).1 == [1]
    }

    fn set_weather(&self, seed: Option<u64>) {
        self.channel.say(wire::WEATHER, &serde_json::to_vec(&seed).unwrap());
    }
}

/// A connection with the server in the parent.
struct Remote {
    channel: Arc<Channel>,
    number: u64,
}

fn unreachable() -> Error {
    TransportFault::Unreachable.into()
}

impl Remote {
    fn call(&self, call: &Call) -> Result<Answer> {
        let (_, answer) = self.channel.ask(wire::CALL, &call.encode(self.number));
        self.read(&answer)
    }

    fn read(&self, answer: &[u8]) -> Result<Answer> {
        match Answer::decode(answer)?.1 {
            Answer::Failed(fault) => Err(fault.into()),
            answer => Ok(answer),
        }
    }
}

#[async_trait]
impl Transport for Remote {
    async fn attach(&self, login: Arc<dyn Login>) -> Result<()> {
        let device = (self.number, login.address().name(), login.address().device());
        let (mut kind, mut content) = self.channel.ask(wire::ATTACH, &serde_json::to_vec(&device).unwrap());
        if kind == wire::CHALLENGE {
            let signature = login.sign(content.first_chunk().unwrap())?;
            (kind, content) = self.channel.ask(wire::CHALLENGE, &signature);
        }
        assert_eq!(kind, wire::ANSWER);
        self.read(&content).map(|_| ())
    }

    async fn publish(&self, publication: &Publication) -> Result<PrekeyStock> {
        let Answer::Stock(stock) = self.call(&Call::Publish(publication.clone()))? else { return Err(unreachable()) };
        Ok(stock)
    }

    async fn device_list(&self, account: &str, after: u64) -> Result<Vec<Vec<u8>>> {
        let call = Call::DeviceList { account: account.to_owned(), after };
        let Answer::Statements(statements) = self.call(&call)? else { return Err(unreachable()) };
        Ok(statements)
    }

    async fn fetch(&self, account: &str, devices: &[u8]) -> Result<Vec<Vec<u8>>> {
        let call = Call::Fetch { account: account.to_owned(), devices: devices.to_vec() };
        let Answer::Bundles(bundles) = self.call(&call)? else { return Err(unreachable()) };
        Ok(bundles)
    }

    async fn send(&self, envelopes: &[Outbound]) -> Result<Vec<Verdict>> {
        let Answer::Verdicts(verdicts) = self.call(&Call::Send(envelopes.to_vec()))? else { return Err(unreachable()) };
        Ok(verdicts)
    }

    async fn receive(&self) -> Result<Vec<Delivery>> {
        let (_, answer) = self.channel.ask(wire::RECEIVE, &self.number.to_be_bytes());
        if answer.is_empty() {
            // There is no mail, and whoever asks waits for the clock beside.
            return core::future::pending().await;
        }
        let Answer::Deliveries(deliveries) = self.read(&answer)? else { return Err(unreachable()) };
        Ok(deliveries)
    }

    async fn acknowledge(&self, ids: &[EnvelopeId]) -> Result<()> {
        self.call(&Call::Acknowledge(ids.to_vec())).map(|_| ())
    }

    async fn witness(&self, mine: &Witness) -> Result<Option<Witness>> {
        let Answer::Witness(witness) = self.call(&Call::Witness(*mine))? else { return Err(unreachable()) };
        Ok(witness)
    }

    async fn leave(&self, place: &MeetingPlace, number: u8, message: &[u8]) -> Result<()> {
        self.call(&Call::Leave { place: *place, number, message: message.to_vec() }).map(|_| ())
    }

    async fn collect(&self, place: &MeetingPlace, number: u8) -> Result<Vec<u8>> {
        loop {
            let (_, answer) =
                self.channel.ask(wire::CALL, &Call::Collect { place: *place, number }.encode(self.number));
            if !answer.is_empty() {
                let Answer::Message(message) = self.read(&answer)? else { return Err(unreachable()) };
                return Ok(message);
            }
            let mut has_waited = false;
            core::future::poll_fn(|context| {
                context.waker().wake_by_ref();
                if core::mem::replace(&mut has_waited, true) {
                    core::task::Poll::Ready(())
                } else {
                    core::task::Poll::Pending
                }
            })
            .await;
        }
    }

    async fn close(&self) {}
}
