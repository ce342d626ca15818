//! One operation on the store: read, plan, commit once; again from the beginning if another writer came first (section C3 of the requirements: I8).

use super::counters::Counters;
use super::handle::Inner;
use super::observe;
use super::own_device::random;
use super::record_names::{self, Numbered};
use crate::crypto::Zeroizing;
use crate::error::{ErrorKind, Fault, Result};
use crate::rule::{self, Rule};
use crate::runtime::async_trait;
use crate::store::{RecordName, SealedStore};
use core::time::Duration;
use std::collections::BTreeMap;

/// How often an operation is planned anew before its conflict is reported.
const ATTEMPTS: u32 = 200;
/// How often a commit of unknown outcome is looked into.
const UNKNOWN_OUTCOMES: u32 = 2;

/// A new value, or none to remove the record.
type Value = Option<Zeroizing<Vec<u8>>>;

/// What an operation reads from the store and means to change in it.
///
/// All reads are of one generation, and the changes are committed to that generation or not at all. What is planned here has no effect outside until it is
/// committed.
pub(super) struct Transaction<'a> {
    store: &'a SealedStore,
    generation: Option<u64>,
    staged: BTreeMap<RecordName, Value>,
    /// What stood in the place of each change, in the order of the changes.
    undo: Vec<(RecordName, Option<Value>)>,
    counters: Option<Counters>,
    /// The time, in seconds.
    pub(super) now: u64,
    /// The time, in milliseconds.
    pub(super) now_ms: u64,
    /// Metrics that count only if the operation is committed.
    pub(super) notes: Vec<observe::Note>,
    /// How often another writer came first while the same operation was planned: time to plan less.
    pub(super) conflicts: u32,
    /// Whether an earlier attempt at the same operation may have been committed after all.
    pub(super) may_be_done: bool,
    /// Whose envelopes were held in this operation.
    pub(super) held: Vec<String>,
    /// Whether old marks were looked for already.
    pub(super) is_pruned: bool,
}

impl Transaction<'_> {
    /// A record as this operation sees it.
    pub(super) async fn get(&mut self, name: &RecordName) -> Result<Option<Zeroizing<Vec<u8>>>> {
        if let Some(staged) = self.staged.get(name) {
            return Ok(staged.clone());
        }
        let mut reading = self.store.read(std::slice::from_ref(name)).await?;
        self.observe(reading.generation)?;
        Ok(reading.values.pop().flatten())
    }

    /// Rows of a numbered table after number `after`, as they were before this operation.
    pub(super) async fn rows(
        &mut self,
        table: Numbered,
        after: Option<u64>,
        limit: usize,
    ) -> Result<Vec<(u64, Zeroizing<Vec<u8>>)>> {
        let scan = self.store.scan(&table.all(), after, limit).await?;
        self.observe(scan.generation)?;
        Ok(scan.entries)
    }

    /// All records below `prefix`, as they were before this operation.
    pub(super) async fn all(&mut self, prefix: &RecordName) -> Result<Vec<Zeroizing<Vec<u8>>>> {
        let (generation, values) = self.store.scan_all(prefix).await?;
        self.observe(generation)?;
        Ok(values)
    }

    /// Stages a new value.
    pub(super) fn put(&mut self, name: RecordName, value: Vec<u8>) {
        self.stage(name, Some(Zeroizing::new(value)));
    }

    /// Stages a removal.
    pub(super) fn remove(&mut self, name: RecordName) {
        self.stage(name, None);
    }

    fn stage(&mut self, name: RecordName, value: Value) {
        let before = self.staged.insert(name.clone(), value);
        self.undo.push((name, before));
    }

    /// Appends a row to a numbered table; returns its number.
    pub(super) async fn append(&mut self, table: Numbered, value: Vec<u8>) -> Result<u64> {
        let number = self.counters().await?.take(table)?;
        self.put(table.row(number), value);
        Ok(number)
    }

    /// The counters; what is changed in them is committed with the rest.
    pub(super) async fn counters(&mut self) -> Result<&mut Counters> {
        if self.counters.is_none() {
            let stored = self.get(&record_names::counters()).await?;
            self.counters = Some(stored.map_or_else(|| Ok(Counters::default()), |bytes| Counters::from_bytes(&bytes))?);
        }
        self.counters.as_mut().ok_or_else(|| Fault::RecordCorrupt.into())
    }

    /// The hash under the store's key by which an envelope that came before is recognised.
    pub(super) fn keyed_hash(&self, label: &str, parts: &[&[u8]]) -> [u8; 32] {
        self.store.keyed_hash(label, parts)
    }

    /// What was staged so far, to go back to when a part of the operation fails.
    pub(super) fn savepoint(&self) -> Savepoint {
        Savepoint { changes: self.undo.len(), counters: self.counters.clone(), notes: self.notes.len() }
    }

    /// Forgets what was staged since `savepoint`.
    pub(super) fn return_to(&mut self, savepoint: Savepoint) {
        for (name, before) in self.undo.drain(savepoint.changes.min(self.undo.len())..).rev() {
            match before {
                Some(value) => self.staged.insert(name, value),
                None => self.staged.remove(&name),
            };
        }
        self.counters = savepoint.counters;
        self.notes.truncate(savepoint.notes);
    }

    /// The generation that was read.
    pub(super) const fn generation(&self) -> Option<u64> {
        self.generation
    }

    /// What is staged under a name.
    pub(super) fn staged(&self, name: &RecordName) -> Option<&[u8]> {
        self.staged.get(name)?.as_deref().map(Vec::as_slice)
    }

    fn observe(&mut self, generation: u64) -> Result<()> {
        match self.generation {
            Some(first) if first != generation && rule::on(Rule::L6M11) => Err(Fault::StoreConflict.into()),
            _ => {
                self.generation = Some(generation);
                Ok(())
            }
        }
    }
}

/// How far an operation had come.
pub(super) struct Savepoint {
    changes: usize,
    counters: Option<Counters>,
    notes: usize,
}

/// An operation: a plan from what is stored and what came in. It may be planned several times; nothing leaves the device in between.
#[cfg_attr(not(target_family = "wasm"), async_trait)]
#[cfg_attr(target_family = "wasm", async_trait(?Send))]
pub(super) trait Operation {
    /// What the operation gives.
    type Output;

    /// Reads and stages. On an error nothing is committed.
    async fn plan(&mut self, transaction: &mut Transaction<'_>) -> Result<Self::Output>;
}

/// What an operation gave, after it was committed: whoever needs this cannot come first.
pub(super) struct Committed<T>(T);

impl<T> Committed<T> {
    /// What the operation gave, to look at.
    pub(super) const fn output(&self) -> &T {
        &self.0
    }

    /// What the operation gave.
    pub(super) fn into_inner(self) -> T {
        self.0
    }
}

impl Inner {
    /// Plans and commits `operation`.
    ///
    /// A commit of unknown outcome is planned again from what the store then says: if it had happened, the plan finds its own traces, as it would after a
    /// crash (the error of M9 would be to believe that it had not).
    pub(super) async fn transact<O: Operation>(&self, mut operation: O) -> Result<Committed<O::Output>> {
        let _writer = self.writer.lock().await;
        let (mut unknown, mut conflicts) = (0, 0);
        for _ in 0..ATTEMPTS {
            let mut transaction = self.transaction();
            (transaction.conflicts, transaction.may_be_done) = (conflicts, unknown > 0);
            let planned = operation.plan(&mut transaction).await;
            let committed = match planned {
                Ok(output) => self.commit(transaction).await.map(|()| output),
                Err(error) => Err(error),
            };
            match committed {
                Ok(output) => return Ok(Committed(output)),
                Err(error) if error.kind() == ErrorKind::Conflict => {
                    observe::conflict();
                    conflicts += 1;
                    self.give_way(conflicts).await?;
                }
                Err(error) if error.code() == "store.io" && unknown < UNKNOWN_OUTCOMES && rule::on(Rule::L6M9) => {
                    unknown += 1
                }
                // Another task closed the client in the middle.
                Err(error) if error.kind() == ErrorKind::Closed => {
                    self.check_open()?;
                    return Err(error);
                }
                Err(error) => return Err(error),
            }
        }
        Err(Fault::StoreConflict.into())
    }

    /// After some conflicts in a row, waits a few milliseconds, at random, so that two writers do not go on in step.
    async fn give_way(&self, conflicts: u32) -> Result<()> {
        if conflicts > 3 {
            let [jitter] = random::<1>()?;
            self.clock.sleep(Duration::from_millis(u64::from(jitter) % (1 << conflicts.min(5)))).await;
        }
        Ok(())
    }

    /// Reads as one operation that changes nothing.
    pub(super) fn transaction(&self) -> Transaction<'_> {
        let now = self.clock.now();
        Transaction {
            store: &self.store,
            generation: None,
            staged: BTreeMap::new(),
            undo: Vec::new(),
            counters: None,
            now: now.as_secs(),
            now_ms: u64::try_from(now.as_millis()).unwrap_or(u64::MAX),
            notes: Vec::new(),
            conflicts: 0,
            may_be_done: false,
            held: Vec::new(),
            is_pruned: false,
        }
    }

    async fn commit(&self, mut transaction: Transaction<'_>) -> Result<()> {
        if let Some(counters) = transaction.counters.take()
            && counters.is_changed()
        {
            transaction.put(record_names::counters(), counters.to_bytes());
        }
        if transaction.staged.is_empty() {
            observe::count(&transaction.notes);
            return Ok(());
        }
        // Envelopes that the server has taken are forgotten with the next commit, whatever it is for: a send costs one commit, and to send the same bytes again
        // after a crash does no harm.
        let settled = self.settled_envelopes();
        for number in &settled {
            transaction.remove(Numbered::Outbox.row(*number));
        }
        self.leave_too_early(&mut transaction).await?;
        let expected = match transaction.generation {
            Some(generation) if rule::on(Rule::L6M11) => generation,
            _ => self.store.read(&[]).await?.generation,
        };
        let begin = self.clock.now();
        let changes = transaction.staged.into_iter().collect();
        self.store.commit(changes, expected).await?;
        self.own_commits.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        observe::committed(self.clock.now().saturating_sub(begin));
        observe::count(&transaction.notes);
        self.forget_settled(&settled);
        Ok(())
    }
}
