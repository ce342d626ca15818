//! A store that counts what is asked of it, and one that holds many conversations.

use futures_executor::block_on;
use std::sync::{Arc, Mutex};
use undertone::runtime::async_trait;
use undertone::store::sealed::RecordName;
use undertone::store::{Batch, Reading, Scan, SealedStore, Store};
use undertone::{Address, Result};

/// Counts what is asked of another store. A clone is the same store with the same counts.
pub struct Counting<S> {
    store: Arc<S>,
    counts: Arc<Mutex<Counts>>,
}

/// What was asked of a store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Names that were read, and entries that scans returned.
    pub records: usize,
    /// Commits that were tried.
    pub commits: usize,
}

impl<S: Store> Counting<S> {
    pub fn new(store: S) -> Self {
        Self { store: Arc::new(store), counts: Arc::default() }
    }

    /// What was asked for while `work` was done, and what came of it.
    pub fn during<T>(&self, work: impl FnOnce() -> T) -> (Counts, T) {
        *self.counts.lock().unwrap() = Counts::default();
        let done = work();
        (*self.counts.lock().unwrap(), done)
    }
}

impl<S> Clone for Counting<S> {
    fn clone(&self) -> Self {
        Self { store: Arc::clone(&self.store), counts: Arc::clone(&self.counts) }
    }
}

#[async_trait]
impl<S: Store> Store for Counting<S> {
    async fn read(&self, names: &[Vec<u8>]) -> Result<Reading> {
        self.counts.lock().unwrap().records += names.len();
        self.store.read(names).await
    }

    async fn scan(&self, prefix: &[u8], after: Option<&[u8]>, limit: usize) -> Result<Scan> {
        let scan = self.store.scan(prefix, after, limit).await?;
        self.counts.lock().unwrap().records += scan.entries.len();
        Ok(scan)
    }

    async fn commit(&self, batch: &Batch, expected_generation: u64) -> Result<u64> {
        self.counts.lock().unwrap().commits += 1;
        self.store.commit(batch, expected_generation).await
    }

    async fn close(&self) -> Result<()> {
        self.store.close().await
    }
}

/// Gives a store that has a conversation with `known` the records of `count` more: copies of those, under other names.
pub fn add_conversations(store: &SealedStore, known: &Address, count: usize) {
    let records = |name: &str| {
        let device = |table| RecordName::table(table).text(name.as_bytes()).number(u64::from(known.device()));
        [RecordName::table("contact").text(name.as_bytes()), device("peer"), device("session")]
    };
    block_on(async {
        let found = store.read(&records(known.name())).await.unwrap();
        let values: Vec<_> = found.values.into_iter().map(|value| value.expect("there is a conversation")).collect();
        let mut generation = found.generation;
        let numbers: Vec<usize> = (0..count).collect();
        for some in numbers.chunks(500) {
            let mut changes = Vec::new();
            for number in some {
                let name = format!("friend-{number}");
                let tag = RecordName::table("tag").text(format!("tag-of-{number:>09}").as_bytes());
                changes.push((tag, Some(name.clone().into_bytes().into())));
                changes.extend(records(&name).into_iter().zip(values.iter().cloned().map(Some)));
            }
            generation = store.commit(changes, generation).await.unwrap();
        }
    });
}
