//! A store in memory that fails when a test says so, and whose records a test can damage.

use futures_executor::block_on;
use std::sync::{Arc, Mutex};
use undertone::Error;
use undertone::client::{Client, ClientBuilder};
use undertone::crypto::Zeroizing;
use undertone::runtime::async_trait;
use undertone::store::sealed::{RecordName, SealedStore};
use undertone::store::{Batch, MemoryStore, Reading, Scan, Store, StoreFault, StoreSecret};

use super::world::World;

/// What a commit is to come to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Flaw {
    /// Refused with this, and nothing is changed.
    Refused(StoreFault),
    /// Done, and reported as this.
    DoneBut(StoreFault),
}

/// Decides about each commit.
type Plan = Box<dyn FnMut() -> Option<Flaw> + Send>;

/// The store. A clone is another handle on it.
#[derive(Clone)]
pub struct FlawedStore {
    pub memory: MemoryStore,
    plan: Arc<Mutex<Plan>>,
}

impl FlawedStore {
    /// A store that does what it should.
    pub fn new() -> Self {
        Self { memory: MemoryStore::new(), plan: Arc::new(Mutex::new(Box::new(|| None))) }
    }

    /// Has `plan` decide about every commit from now on.
    pub fn plan(&self, plan: impl FnMut() -> Option<Flaw> + Send + 'static) {
        *self.plan.lock().unwrap() = Box::new(plan);
    }

    /// Does what it should from now on.
    pub fn mend(&self) {
        self.plan(|| None);
    }
}

#[async_trait]
impl Store for FlawedStore {
    async fn read(&self, names: &[Vec<u8>]) -> Result<Reading, Error> {
        self.memory.read(names).await
    }

    async fn scan(&self, prefix: &[u8], after: Option<&[u8]>, limit: usize) -> Result<Scan, Error> {
        self.memory.scan(prefix, after, limit).await
    }

    async fn commit(&self, batch: &Batch, expected_generation: u64) -> Result<u64, Error> {
        let flaw = (*self.plan.lock().unwrap())();
        match flaw {
            Some(Flaw::Refused(fault)) => Err(fault.into()),
            Some(Flaw::DoneBut(fault)) => {
                self.memory.commit(batch, expected_generation).await?;
                Err(fault.into())
            }
            None => self.memory.commit(batch, expected_generation).await,
        }
    }

    async fn close(&self) -> Result<(), Error> {
        Ok(())
    }
}

/// A builder on any store, with the key of all test stores.
pub fn builder_on(world: &World, store: impl Store) -> ClientBuilder {
    let sealed = block_on(SealedStore::open(store, StoreSecret::key([7; 32]))).unwrap();
    Client::builder(sealed, world.server.transport()).clock(world.clock.clone())
}

/// Sets what the backend holds under `name`, around the sealing layer.
pub fn put_raw(memory: &MemoryStore, name: &[u8], value: Option<&[u8]>) {
    let generation = block_on(memory.read(&[])).unwrap().generation;
    let changes = vec![(name.to_vec(), value.map(<[u8]>::to_vec))];
    block_on(memory.commit(&Batch { changes }, generation)).unwrap();
}

/// Everything that the backend holds.
pub fn raw(memory: &MemoryStore) -> Vec<(Vec<u8>, Vec<u8>)> {
    block_on(memory.scan(&[], None, usize::MAX)).unwrap().entries
}

/// Changes a record beneath the sealing layer's protection: what another version, or a fault of this one, may have written.
pub fn change(memory: &MemoryStore, name: &RecordName, value: impl FnOnce(Option<Vec<u8>>) -> Option<Vec<u8>>) {
    let sealed = block_on(SealedStore::open(memory.clone(), StoreSecret::key([7; 32]))).unwrap();
    let reading = block_on(sealed.read(std::slice::from_ref(name))).unwrap();
    let before = reading.values.into_iter().next().flatten().map(|bytes| bytes.to_vec());
    let changes = vec![(name.clone(), value(before).map(Zeroizing::new))];
    block_on(sealed.commit(changes, reading.generation)).unwrap();
}

/// The record of the sessions with a device.
pub fn session_record(account: &str, device: u8) -> RecordName {
    RecordName::table("session").text(account.as_bytes()).number(u64::from(device))
}
