//! A store that forgets when the process ends.

use crate::error::{Fault, Result};
use crate::runtime::async_trait;
use crate::store::{Batch, Reading, Scan, Store};
use core::fmt;
use core::ops::Bound;
use core::sync::atomic::{AtomicBool, Ordering};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Keeps everything in memory: for tests, and for devices that may forget.
///
/// A clone is another handle on the same memory, open even if the first was closed: so a test drops a client and opens the store again.
///
/// ```
/// use undertone::store::{Batch, MemoryStore, Store};
/// # futures_executor::block_on(async {
/// let store = MemoryStore::new();
/// let batch = Batch { changes: vec![(b"name".to_vec(), Some(b"value".to_vec()))] };
/// assert_eq!(store.commit(&batch, 0).await?, 1);
///
/// store.close().await?;
/// assert_eq!(store.read(&[b"name".to_vec()]).await.unwrap_err().code(), "store.closed");
/// let again = store.clone();
/// assert_eq!(again.read(&[b"name".to_vec()]).await?.values, [Some(b"value".to_vec())]);
/// # Ok::<(), undertone::Error>(())
/// # }).unwrap();
/// ```
#[derive(Default)]
pub struct MemoryStore {
    content: Arc<Mutex<Content>>,
    closed: AtomicBool,
}

impl MemoryStore {
    /// An empty store, at generation 0.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn content(&self) -> Result<MutexGuard<'_, Content>> {
        if self.closed.load(Ordering::Acquire) {
            return Err(Fault::StoreClosed.into());
        }
        Ok(self.content.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Clone for MemoryStore {
    fn clone(&self) -> Self {
        Self { content: Arc::clone(&self.content), closed: AtomicBool::new(false) }
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore").finish_non_exhaustive()
    }
}

#[cfg_attr(not(target_family = "wasm"), async_trait)]
#[cfg_attr(target_family = "wasm", async_trait(?Send))]
impl Store for MemoryStore {
    async fn read(&self, names: &[Vec<u8>]) -> Result<Reading> {
        let content = self.content()?;
        let values = names.iter().map(|name| content.entries.get(name).cloned()).collect();
        Ok(Reading { generation: content.generation, values })
    }

    async fn scan(&self, prefix: &[u8], after: Option<&[u8]>, limit: usize) -> Result<Scan> {
        let content = self.content()?;
        let start = match after {
            Some(after) if after >= prefix => Bound::Excluded(after),
            _ => Bound::Included(prefix),
        };
        let entries = content
            .entries
            .range::<[u8], _>((start, Bound::Unbounded))
            .take_while(|(name, _)| name.starts_with(prefix))
            .take(limit)
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        Ok(Scan { generation: content.generation, entries })
    }

    async fn commit(&self, batch: &Batch, expected_generation: u64) -> Result<u64> {
        let mut content = self.content()?;
        if content.generation != expected_generation {
            return Err(Fault::StoreConflict.into());
        }
        for (name, value) in &batch.changes {
            match value {
                Some(value) => content.entries.insert(name.clone(), value.clone()),
                None => content.entries.remove(name),
            };
        }
        content.generation += 1;
        Ok(content.generation)
    }

    async fn close(&self) -> Result<()> {
        self.closed.store(true, Ordering::Release);
        Ok(())
    }
}

#[derive(Default)]
struct Content {
    generation: u64,
    entries: BTreeMap<Vec<u8>, Vec<u8>>,
}
