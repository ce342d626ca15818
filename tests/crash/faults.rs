//! The points at which something can go wrong, and what goes wrong there: a store and a transport that do as they are told, and watch meanwhile.

use crate::chronicle::{Host, Note};
use core::future::pending;
use futures_util::future::{BoxFuture, FutureExt, poll_immediate};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use undertone::crypto::key_uses::{SpentPrekey, take_spent};
use undertone::handshake::Prekeys;
use undertone::runtime::async_trait;
use undertone::store::sealed::RecordName;
use undertone::store::{Batch, Reading, Scan, SealedStore, Store, StoreFault};
use undertone::transport::{
    Delivery, EnvelopeId, Login, MeetingPlace, Outbound, PrekeyStock, Publication, Transport, TransportFault, Verdict,
    Witness,
};
use undertone::{Result, Undertone};

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Fault {
    KilledBeforeCommit,
    KilledAfterCommit,
    CommitRefusedAsFull,
    CommitUnknownAndNotDone,
    CommitUnknownAndDone,
    KilledBeforeCall,
    KilledAfterCall,
    CallLost,
    AnswerLost,
}

const OF_COMMITS: [Fault; 5] = [
    Fault::KilledBeforeCommit,
    Fault::KilledAfterCommit,
    Fault::CommitRefusedAsFull,
    Fault::CommitUnknownAndNotDone,
    Fault::CommitUnknownAndDone,
];
const OF_CALLS: [Fault; 4] = [Fault::KilledBeforeCall, Fault::KilledAfterCall, Fault::CallLost, Fault::AnswerLost];

/// The most faults that there are for one point.
pub const KINDS: usize = OF_COMMITS.len();

/// The fault of a life: the `kind`th of those that fit the `point`th commit or call.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Armed {
    pub point: u32,
    pub kind: usize,
}

impl Armed {
    /// The fault of the life that recovers from a death of this one: early in it, at another place and of another kind from round to round.
    pub const fn in_the_recovery(self) -> Self {
        let number = self.point * 2 + (self.kind % 2) as u32;
        Self { point: number * 7 % RECOVERY, kind: (number / 2) as usize % KINDS }
    }
}

/// How far the faults in a recovery reach from its beginning: over the opening of all devices and the first that they do.
const RECOVERY: u32 = 31;

/// What went wrong in one round: in the life that was to fail, and in the one that recovered from its death.
#[derive(Clone, Copy, Debug, Default)]
pub struct Struck {
    pub first: Option<Fault>,
    pub second: Option<Fault>,
}

/// Counts the points of one life, and lets one of them fail.
pub struct Judge {
    pub host: Arc<dyn Host>,
    state: Mutex<State>,
    is_dead: AtomicBool,
}

struct State {
    armed: Option<Armed>,
    count: u32,
    struck: Option<Fault>,
    rival: Option<BoxFuture<'static, ()>>,
}

impl Judge {
    pub fn new(host: Arc<dyn Host>, armed: Option<Armed>) -> Self {
        let state = State { armed, count: 0, struck: None, rival: None };
        Self { host, state: Mutex::new(state), is_dead: AtomicBool::new(false) }
    }

    pub fn is_dead(&self) -> bool {
        self.is_dead.load(Ordering::SeqCst)
    }

    /// What went wrong in this life, if its point was reached.
    pub fn struck(&self) -> Option<Fault> {
        self.state.lock().unwrap().struck
    }

    /// Begins to count, from 0.
    pub fn restart(&self) {
        self.state.lock().unwrap().count = 0;
    }

    /// Does something once, just before the next commit, or before its generation is asked for.
    pub fn set_rival(&self, rival: impl Future<Output = ()> + Send + 'static) {
        self.state.lock().unwrap().rival = Some(rival.boxed());
    }

    async fn let_rival_go(&self) {
        let rival = self.state.lock().unwrap().rival.take();
        if let Some(rival) = rival {
            rival.await;
        }
    }

    fn at(&self, faults: &[Fault]) -> Option<Fault> {
        let mut state = self.state.lock().unwrap();
        let point = state.count;
        state.count += 1;
        let armed = state.armed.filter(|armed| armed.point == point && state.struck.is_none())?;
        let fault = *faults.get(armed.kind)?;
        state.struck = Some(fault);
        Some(fault)
    }

    async fn die<T>(&self) -> T {
        self.is_dead.store(true, Ordering::SeqCst);
        self.host.die(self.struck().unwrap());
        pending().await
    }

    /// The dead do nothing more: another branch of the same future may still be asked.
    async fn live_on(&self) {
        if self.is_dead() {
            pending::<()>().await;
        }
    }

    fn broken(&self, oracle: &str, what: String) {
        self.host.note(Note::Broken { oracle: oracle.to_owned(), what });
    }
}

/// A device's store as its wrappers see it: under its seals.
pub type Opened = Arc<Mutex<Option<SealedStore>>>;

async fn stored_prekeys(opened: &Opened) -> Option<Prekeys<Undertone>> {
    let sealed = opened.lock().unwrap().clone()?;
    let mut reading = sealed.read(&[RecordName::table("prekeys")]).await.ok()?;
    Prekeys::from_bytes(&reading.values.pop()??).ok()
}

fn holds(prekeys: &Prekeys<Undertone>, spent: &SpentPrekey) -> bool {
    if spent.is_kem {
        prekeys.one_time_kem_prekeys().any(|prekey| prekey.id == spent.id)
    } else {
        prekeys.one_time_prekeys().any(|prekey| prekey.id == spent.id)
    }
}

/// A store whose commits fail when their time has come.
pub struct FaultStore {
    pub inner: Box<dyn Store>,
    pub judge: Arc<Judge>,
    pub device: String,
    pub opened: Opened,
}

impl FaultStore {
    async fn commit_and_look(&self, batch: &Batch, expected: u64) -> Result<u64> {
        let spent = take_spent();
        self.judge.let_rival_go().await;
        let abandoned = Abandoned { store: self, is_over: false };
        let generation = abandoned.or(self.inner.commit(batch, expected)).await?;
        self.judge.host.note(Note::Committed { device: self.device.clone(), generation });
        if !spent.is_empty() {
            let prekeys = stored_prekeys(&self.opened).await;
            for one in spent {
                if prekeys.as_ref().is_some_and(|prekeys| holds(prekeys, &one)) {
                    let what = format!("{} keeps the one-time prekey {one:?} that began a session", self.device);
                    self.judge.broken("I4", what);
                }
                self.judge.host.note(Note::Spent { device: self.device.clone(), is_kem: one.is_kem, id: one.id });
            }
        }
        Ok(generation)
    }
}

/// Notes that a commit was begun whose end nobody heard of, if it is dropped before.
struct Abandoned<'a> {
    store: &'a FaultStore,
    is_over: bool,
}

impl Abandoned<'_> {
    async fn or<T>(mut self, commit: impl Future<Output = T>) -> T {
        let result = commit.await;
        self.is_over = true;
        result
    }
}

impl Drop for Abandoned<'_> {
    fn drop(&mut self) {
        if !self.is_over {
            self.store.judge.host.note(Note::Abandoned { device: self.store.device.clone() });
        }
    }
}

#[async_trait]
impl Store for FaultStore {
    async fn read(&self, names: &[Vec<u8>]) -> Result<Reading> {
        self.judge.live_on().await;
        if names.is_empty() {
            self.judge.let_rival_go().await;
        }
        self.inner.read(names).await
    }

    async fn scan(&self, prefix: &[u8], after: Option<&[u8]>, limit: usize) -> Result<Scan> {
        self.judge.live_on().await;
        self.inner.scan(prefix, after, limit).await
    }

    async fn commit(&self, batch: &Batch, expected_generation: u64) -> Result<u64> {
        self.judge.live_on().await;
        let fault = self.judge.at(&OF_COMMITS);
        if matches!(fault, Some(Fault::CommitRefusedAsFull | Fault::CommitUnknownAndNotDone)) {
            take_spent();
        }
        match fault {
            Some(Fault::KilledBeforeCommit) => self.judge.die().await,
            Some(Fault::CommitRefusedAsFull) => Err(StoreFault::Full.into()),
            Some(Fault::CommitUnknownAndNotDone) => Err(StoreFault::Io.into()),
            Some(Fault::KilledAfterCommit) => {
                let _ = self.commit_and_look(batch, expected_generation).await;
                self.judge.die().await
            }
            Some(Fault::CommitUnknownAndDone) => {
                self.commit_and_look(batch, expected_generation).await?;
                Err(StoreFault::Io.into())
            }
            _ => self.commit_and_look(batch, expected_generation).await,
        }
    }

    async fn close(&self) -> Result<()> {
        self.inner.close().await
    }
}

/// A transport whose calls fail when their time has come.
pub struct FaultTransport {
    pub inner: Box<dyn Transport>,
    pub judge: Arc<Judge>,
    pub device: String,
    pub opened: Opened,
    pub received: Mutex<HashMap<EnvelopeId, Vec<u8>>>,
}

impl FaultTransport {
    async fn pass<T>(&self, call: impl Future<Output = Result<T>>) -> Result<T> {
        self.judge.live_on().await;
        match self.judge.at(&OF_CALLS) {
            Some(Fault::KilledBeforeCall) => self.judge.die().await,
            Some(Fault::CallLost) => Err(TransportFault::Unreachable.into()),
            Some(Fault::KilledAfterCall) => {
                let _ = poll_immediate(call).await;
                self.judge.die().await
            }
            Some(Fault::AnswerLost) => {
                let _ = poll_immediate(call).await;
                Err(TransportFault::Unreachable.into())
            }
            _ => call.await,
        }
    }

    /// I9: the private half of all that is published is in the store, or was there and is spent.
    async fn look_at_publication(&self, publication: &Publication) {
        let Some(upload) = &publication.prekeys else { return };
        let Some(prekeys) = stored_prekeys(&self.opened).await else {
            return self.judge.broken("I9", format!("{} publishes and has no prekeys", self.device));
        };
        let (one_time, kem) = (&upload.one_time_prekeys, &upload.one_time_kem_prekeys);
        let mut absent = Vec::new();
        for (published, is_kem) in one_time.iter().map(|one| (one, false)).chain(kem.iter().map(|one| (one, true))) {
            let is_there = if is_kem {
                prekeys.one_time_kem_prekeys().any(|stored| stored == published)
            } else {
                prekeys.one_time_prekeys().any(|stored| stored == published)
            };
            if !is_there {
                absent.push((is_kem, published.id));
            }
        }
        if prekeys.signed_prekey_of(upload.signed_prekey.id).is_none() {
            self.judge.broken("I9", format!("{} publishes a signed prekey that it does not have", self.device));
        }
        self.judge.host.note(Note::Published { device: self.device.clone(), absent });
    }

    /// I2: what the server is told to forget was dealt with in a commit.
    async fn look_at_acknowledgement(&self, ids: &[EnvelopeId]) {
        let Some(sealed) = self.opened.lock().unwrap().clone() else { return };
        for id in ids {
            let Some(bytes) = self.received.lock().unwrap().get(id).cloned() else { continue };
            let mark = RecordName::table("received").text(&sealed.keyed_hash("received", &[&bytes]));
            let is_marked =
                sealed.read(&[mark]).await.is_ok_and(|reading| reading.values.first().is_some_and(Option::is_some));
            if !is_marked {
                self.judge.broken("I2", format!("{} acknowledges what it did not commit", self.device));
            }
        }
    }
}

#[async_trait]
impl Transport for FaultTransport {
    async fn attach(&self, login: Arc<dyn Login>) -> Result<()> {
        self.pass(self.inner.attach(login)).await
    }

    async fn publish(&self, publication: &Publication) -> Result<PrekeyStock> {
        self.judge.live_on().await;
        self.look_at_publication(publication).await;
        self.pass(self.inner.publish(publication)).await
    }

    async fn device_list(&self, account: &str, after: u64) -> Result<Vec<Vec<u8>>> {
        self.pass(self.inner.device_list(account, after)).await
    }

    async fn fetch(&self, account: &str, devices: &[u8]) -> Result<Vec<Vec<u8>>> {
        self.pass(self.inner.fetch(account, devices)).await
    }

    async fn send(&self, envelopes: &[Outbound]) -> Result<Vec<Verdict>> {
        for envelope in envelopes {
            let (id, bytes) = (hex::encode(envelope.id.0), hex::encode(&envelope.bytes));
            self.judge.host.note(Note::Left { device: self.device.clone(), id, bytes });
        }
        self.pass(self.inner.send(envelopes)).await
    }

    async fn receive(&self) -> Result<Vec<Delivery>> {
        let deliveries = self.pass(self.inner.receive()).await?;
        let mut received = self.received.lock().unwrap();
        received.extend(deliveries.iter().map(|delivery| (delivery.id, delivery.bytes.clone())));
        Ok(deliveries)
    }

    async fn acknowledge(&self, ids: &[EnvelopeId]) -> Result<()> {
        self.judge.live_on().await;
        self.look_at_acknowledgement(ids).await;
        self.pass(self.inner.acknowledge(ids)).await
    }

    async fn witness(&self, mine: &Witness) -> Result<Option<Witness>> {
        self.pass(self.inner.witness(mine)).await
    }

    async fn leave(&self, place: &MeetingPlace, number: u8, message: &[u8]) -> Result<()> {
        self.pass(self.inner.leave(place, number, message)).await
    }

    async fn collect(&self, place: &MeetingPlace, number: u8) -> Result<Vec<u8>> {
        self.pass(self.inner.collect(place, number)).await
    }

    async fn close(&self) {
        self.inner.close().await;
    }
}
