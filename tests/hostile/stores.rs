//! Copies of a device's store, as a backup, a virtual machine or a thief makes them.

use futures_executor::block_on;
use undertone::store::{Batch, MemoryStore, Store};

/// A store with the same content and the same generation.
pub fn copy(store: &MemoryStore) -> MemoryStore {
    let copy = MemoryStore::new();
    block_on(async {
        let all = store.scan(&[], None, usize::MAX).await.unwrap();
        let changes = all.entries.into_iter().map(|(name, value)| (name, Some(value))).collect();
        copy.commit(&Batch { changes }, 0).await.unwrap();
        for generation in 1..all.generation {
            copy.commit(&Batch::default(), generation).await.unwrap();
        }
    });
    copy
}

/// How many bytes are in it.
pub fn size(store: &MemoryStore) -> usize {
    let all = block_on(store.scan(&[], None, usize::MAX)).unwrap().entries;
    all.iter().map(|(name, value)| name.len() + value.len()).sum()
}
