//! Our own stores keep the contract.

use crate::folder::Folder;
use futures_executor::{ThreadPool, block_on};
use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::mpsc::channel;
use undertone::store::{Batch, MemoryStore, SqliteStore, Store, conformance};

#[test]
fn memory() {
    let places = Mutex::new(HashMap::<String, MemoryStore>::new());
    let open = async |place: &str| Ok(places.lock().unwrap().entry(place.to_owned()).or_default().clone());
    let report = block_on(conformance::check(open)).unwrap();
    assert_eq!(report.passed.len(), 17);
}

#[test]
fn sqlite() {
    let folder = Folder::new();
    let report = block_on(conformance::check(async |place: &str| SqliteStore::open(folder.join(place)))).unwrap();
    assert_eq!(report.passed.len(), 17);
}

/// I7, I8: eight threads, each with a store of its own on one file; every commit counts once.
#[test]
fn threads_on_one_file() {
    let folder = Folder::new();
    let (pool, (done, all_done)) = (ThreadPool::builder().pool_size(8).create().unwrap(), channel());
    for _ in 0..8 {
        let (store, done) = (SqliteStore::open(folder.join("store")).unwrap(), done.clone());
        pool.spawn_ok(async move {
            let mut taken = 0;
            while taken < 25 {
                let reading = store.read(&[b"n".to_vec()]).await.unwrap();
                let number =
                    reading.values[0].as_deref().map_or(0, |value| u64::from_be_bytes(value.try_into().unwrap()));
                let changes = vec![(b"n".to_vec(), Some((number + 1).to_be_bytes().to_vec()))];
                match store.commit(&Batch { changes }, reading.generation).await {
                    Ok(_) => taken += 1,
                    Err(error) => assert_eq!(error.code(), "store.conflict"),
                }
            }
            store.close().await.unwrap();
            done.send(()).unwrap();
        });
    }
    drop(done);
    assert_eq!(all_done.iter().count(), 8);
    let reading = block_on(SqliteStore::open(folder.join("store")).unwrap().read(&[b"n".to_vec()])).unwrap();
    assert_eq!((reading.generation, reading.values), (200, vec![Some(200u64.to_be_bytes().to_vec())]));
}
