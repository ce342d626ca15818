//! Files that are not as they should be: each is opened as it was, or refused with a code that says what to do.

use crate::folder::Folder;
use futures_executor::block_on;
use rand::{Rng, RngExt, SeedableRng, rngs::StdRng};
use rusqlite::Connection;
use std::fs;
use std::path::Path;
use std::time::Duration;
use undertone::crypto::Zeroizing;
use undertone::store::sealed::{RecordName, SealedStore};
use undertone::store::{Batch, SqliteSettings, SqliteStore, Store, StoreSecret};

fn refused(path: &Path) -> &'static str {
    SqliteStore::open(path).unwrap_err().code()
}

fn put(name: &[u8], value: Vec<u8>) -> Batch {
    Batch { changes: vec![(name.to_vec(), Some(value))] }
}

/// A folder, a file that is not there and a file without a byte are new stores or not at all; a stranger's file is left as it is.
#[test]
fn places() {
    let folder = Folder::new();
    fs::write(folder.join("empty"), b"").unwrap();
    assert_eq!(block_on(SqliteStore::open(folder.join("empty")).unwrap().read(&[])).unwrap().generation, 0);
    // What is left of a store that was cut off is no new one.
    fs::write(folder.join("cut"), b"S").unwrap();
    assert_eq!(refused(&folder.join("cut")), "store.corrupt");
    assert_eq!(fs::read(folder.join("cut")).unwrap(), b"S");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        drop(SqliteStore::open(folder.join("private")).unwrap());
        assert_eq!(fs::metadata(folder.join("private")).unwrap().permissions().mode() & 0o777, 0o600);
    }
    assert_eq!(refused(folder.path()), "store.path");
    assert_eq!(refused(&folder.join("no/such/folder/store")), "store.path");
    assert_eq!(refused(Path::new("")), "store.path");

    fs::write(folder.join("letter"), "Dear Bob, ".repeat(1000)).unwrap();
    assert_eq!(refused(&folder.join("letter")), "store.corrupt");

    for sql in ["CREATE TABLE songs (title)", "PRAGMA application_id = 7", "PRAGMA user_version = 1"] {
        let path = folder.join("songs");
        Connection::open(&path).unwrap().execute_batch(sql).unwrap();
        let before = fs::read(&path).unwrap();
        assert_eq!(refused(&path), "store.path", "{sql}");
        assert_eq!(fs::read(&path).unwrap(), before, "{sql}");
        fs::remove_file(path).unwrap();
    }
}

/// A file of a version to come, or without what a version has, is refused.
#[test]
fn schemas() {
    for (sql, code) in [
        ("PRAGMA user_version = 2", "store.newer_version"),
        ("PRAGMA user_version = 0", "store.corrupt"),
        ("DROP TABLE record", "store.corrupt"),
        ("DROP TABLE generation", "store.corrupt"),
        ("DELETE FROM generation", "store.corrupt"),
        ("UPDATE generation SET number = -1", "store.corrupt"),
        ("UPDATE generation SET number = 'many'", "store.corrupt"),
        ("PRAGMA application_id = 7", "store.path"),
    ] {
        let folder = Folder::new();
        let path = folder.join("store");
        block_on(SqliteStore::open(&path).unwrap().close()).unwrap();
        Connection::open(&path).unwrap().execute_batch(sql).unwrap();
        assert_eq!(refused(&path), code, "{sql}");
    }
}

/// I11: bytes of the file are changed at random. Whatever is read is right or missing; whatever fails has a code.
#[test]
fn random_damage_never_gives_a_wrong_value() {
    let folder = Folder::new();
    let (whole, damaged) = (folder.join("whole"), folder.join("damaged"));
    let name = |number| RecordName::table("t").number(number);
    let value = |number: u64| [number.to_be_bytes().as_slice(), &[number as u8; 300]].concat();
    block_on(async {
        let store = SealedStore::open(SqliteStore::open(&whole)?, StoreSecret::key([3; 32])).await?;
        store.commit((0..200).map(|n| (name(n), Some(Zeroizing::new(value(n))))).collect(), 1).await?;
        store.close().await
    })
    .unwrap();
    let bytes = fs::read(&whole).unwrap();
    let mut rng = StdRng::seed_from_u64(5);
    let (mut read, mut missing, mut failed) = (0, 0, 0);
    for round in 0..200 {
        let mut changed = bytes.clone();
        match round % 4 {
            0 => {
                let at = rng.random_range(0..changed.len());
                changed[at] ^= 1 << rng.random_range(0..8);
            }
            1 => {
                let page = rng.random_range(0..changed.len() / 4096) * 4096;
                rng.fill_bytes(&mut changed[page..page + 4096]);
            }
            2 => changed.truncate(rng.random_range(0..bytes.len())),
            _ => {
                let (from, to) = (rng.random_range(1..bytes.len() / 4096), rng.random_range(1..bytes.len() / 4096));
                changed.copy_within(from * 4096..(from + 1) * 4096, to * 4096);
            }
        }
        fs::write(&damaged, changed).unwrap();
        let opened = SqliteStore::open(&damaged).map(|store| SealedStore::open(store, StoreSecret::key([3; 32])));
        let opened = opened.and_then(block_on);
        let code = |error: undertone::Error| {
            let known = ["store.corrupt", "store.wrong_key", "store.newer_version", "store.path", "store.io"];
            assert!(known.contains(&error.code()), "{error:?}");
        };
        match opened {
            Ok(store) => {
                for number in 0..200 {
                    match block_on(store.read(&[name(number)])) {
                        Ok(reading) => match &reading.values[0] {
                            Some(found) => {
                                assert_eq!(**found, value(number));
                                read += 1;
                            }
                            None => missing += 1,
                        },
                        Err(error) => {
                            code(error);
                            failed += 1;
                        }
                    }
                }
                block_on(store.close()).unwrap_or_else(code);
            }
            Err(error) => {
                code(error);
                failed += 1;
            }
        }
        for file in ["damaged", "damaged-wal", "damaged-shm"] {
            let _ = fs::remove_file(folder.join(file));
        }
    }
    // Control: the damage is found often, and spares much.
    assert!(read > 1000 && failed > 100, "{read} read, {missing} missing, {failed} failed");
}

/// A disk that is full: `store.full`, nothing changed, and room that is made is used.
#[test]
fn a_full_disk() {
    let folder = Folder::new();
    let settings = SqliteSettings { most_pages: Some(40), ..SqliteSettings::default() };
    let store = SqliteStore::open_with(folder.join("store"), &settings).unwrap();
    block_on(async {
        store.commit(&put(b"a", vec![1; 50_000]), 0).await.unwrap();
        let full = store
            .commit(&Batch { changes: vec![(b"a".to_vec(), None), (b"b".to_vec(), Some(vec![2; 500_000]))] }, 1)
            .await;
        assert_eq!(full.unwrap_err().code(), "store.full");
        let reading = store.read(&[b"a".to_vec(), b"b".to_vec()]).await.unwrap();
        assert_eq!((reading.generation, &reading.values), (1, &vec![Some(vec![1; 50_000]), None]));
        assert_eq!(store.commit(&Batch { changes: vec![(b"a".to_vec(), Some(vec![3; 60_000]))] }, 1).await, Ok(2));
    });
}

/// Another process that keeps the file locked: `store.busy`, nothing changed, and the commit works when it lets go.
#[test]
fn a_locked_file() {
    let folder = Folder::new();
    let settings = SqliteSettings { busy_timeout: Duration::from_millis(20), ..SqliteSettings::default() };
    let store = SqliteStore::open_with(folder.join("store"), &settings).unwrap();
    let holder = Connection::open(folder.join("store")).unwrap();
    holder.execute_batch("BEGIN IMMEDIATE").unwrap();
    let error = block_on(store.commit(&put(b"a", vec![1]), 0)).unwrap_err();
    assert_eq!(error.code(), "store.busy");
    assert!(error.is_retryable() && std::error::Error::source(&error).is_some());
    assert_eq!(block_on(store.read(&[])).unwrap().generation, 0, "reading goes on");
    holder.execute_batch("ROLLBACK").unwrap();
    assert_eq!(block_on(store.commit(&put(b"a", vec![1]), 0)), Ok(1));
}

/// A directory in which nothing may be written: `store.path`. For a user whom no permission stops there is nothing to see.
#[cfg(unix)]
#[test]
fn a_directory_that_is_read_only() {
    use std::os::unix::fs::PermissionsExt;
    let folder = Folder::new();
    let inside = folder.join("inside");
    fs::create_dir(&inside).unwrap();
    fs::set_permissions(&inside, fs::Permissions::from_mode(0o500)).unwrap();
    let unstoppable = fs::write(inside.join("probe"), b"").is_ok();
    let opened = SqliteStore::open(inside.join("store"));
    fs::set_permissions(&inside, fs::Permissions::from_mode(0o700)).unwrap();
    match opened {
        Ok(_) => assert!(unstoppable),
        Err(error) => assert_eq!(error.code(), "store.path"),
    }
}

/// I5: after a commit a removed or replaced value stands in no page of the file, and after closing in no file at all.
#[test]
fn what_is_removed_is_overwritten() {
    const SPENT: &[u8] = b"a message key that was used";
    let folder = Folder::new();
    let path = folder.join("store");
    let found = |needle: &[u8]| {
        let files = fs::read_dir(folder.path()).unwrap().map(|file| fs::read(file.unwrap().path()).unwrap());
        files.into_iter().any(|bytes| bytes.windows(needle.len()).any(|window| window == needle))
    };
    let store = SqliteStore::open(&path).unwrap();
    block_on(async {
        let many = (0..50u8).map(|n| (vec![n], Some([SPENT, &[n; 200]].concat())));
        store.commit(&Batch { changes: many.collect() }, 0).await.unwrap();
        // Control: while they are there, the search finds them.
        assert!(found(SPENT));
        let replaced = (0..50u8).map(|n| (vec![n], (n % 2 == 0).then(|| vec![n; 100])));
        store.commit(&Batch { changes: replaced.collect() }, 1).await.unwrap();
        store.close().await.unwrap();
    });
    assert!(!found(SPENT));
    assert!(found(&[48; 100]));

    // Control: without `secure_delete` it stands in the file.
    let sloppy = Connection::open(folder.join("sloppy")).unwrap();
    sloppy.execute_batch("PRAGMA secure_delete = OFF; CREATE TABLE t (v); INSERT INTO t VALUES ('gone'), ('a message key that was used'); DELETE FROM t WHERE v <> 'gone'").unwrap();
    drop(sloppy);
    assert!(found(SPENT));
}
