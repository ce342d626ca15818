use super::*;
use crate::store::MemoryStore;
use futures_executor::block_on;

const COST: crate::crypto::passphrase::Cost = crate::crypto::passphrase::Cost { memory: 64, passes: 1, lanes: 1 };

fn value(bytes: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    Some(Zeroizing::new(bytes.to_vec()))
}

fn passphrase(text: &str) -> StoreSecret {
    StoreSecret(secret::Form::Passphrase { text: Zeroizing::new(text.as_bytes().to_vec()), cost: COST })
}

fn opened(secret: StoreSecret) -> (MemoryStore, SealedStore) {
    let memory = MemoryStore::new();
    let sealed = block_on(SealedStore::open(memory.clone(), secret)).unwrap();
    (memory, sealed)
}

fn refused(memory: &MemoryStore, secret: StoreSecret) -> &'static str {
    block_on(SealedStore::open(memory.clone(), secret)).unwrap_err().code()
}

#[test]
fn what_is_committed_is_read_and_scanned() {
    let (memory, store) = opened(StoreSecret::key([1; 32]));
    let log = RecordName::table("log").text(b"bob");
    block_on(async {
        let mut changes: Vec<_> = (0..1200).map(|n| (log.clone().number(n), value(&n.to_be_bytes()))).collect();
        changes.push((RecordName::table("user").text(b"bob"), value(b"")));
        assert_eq!(store.commit(changes, 1).await?, 2);

        let reading = store.read(&[log.clone().number(7), log.clone(), RecordName::table("user").text(b"bob")]).await?;
        assert_eq!(reading.generation, 2);
        assert_eq!(reading.values, [value(&7u64.to_be_bytes()), None, value(b"")]);

        let scan = store.scan(&log, Some(255), 3).await?;
        assert_eq!(scan.entries.iter().map(|(n, _)| *n).collect::<Vec<_>>(), [256, 257, 258]);
        assert_eq!(*scan.entries[0].1, 256u64.to_be_bytes());
        assert_eq!(store.scan_all(&log).await?.1.len(), 1200);
        assert_eq!(store.scan_all(&RecordName::table("user")).await?, (2, vec![Zeroizing::new(Vec::new())]));

        assert_eq!(store.commit(vec![(log.clone().number(7), None)], 2).await?, 3);
        assert_eq!(store.commit(vec![], 2).await.unwrap_err().code(), "store.conflict");
        let again = SealedStore::open(memory, StoreSecret::key([1; 32])).await?;
        assert_eq!(again.scan_all(&log).await?.1.len(), 1199);
        assert_eq!(again.keyed_hash("a", &[b"b", b"c"]), store.keyed_hash("a", &[b"b", b"c"]));
        assert_ne!(again.keyed_hash("a", &[b"b", b"c"]), store.keyed_hash("a", &[b"bc", b""]));
        assert_ne!(again.keyed_hash("a", &[b"b"]), store.keyed_hash("ab", &[b""]));
        Ok::<_, crate::Error>(())
    })
    .unwrap();
}

#[test]
fn another_secret_is_refused() {
    let (memory, _) = opened(StoreSecret::key([1; 32]));
    assert_eq!(refused(&memory, StoreSecret::key([2; 32])), "store.wrong_key");
    assert_eq!(refused(&memory, passphrase("open")), "store.wrong_key");
    let (memory, _) = opened(passphrase("open"));
    assert_eq!(refused(&memory, passphrase("Open")), "store.wrong_key");
    assert_eq!(refused(&memory, StoreSecret::key([1; 32])), "store.wrong_key");
    assert!(block_on(SealedStore::open(memory, passphrase("open"))).is_ok());
}

/// A header that was damaged, or written by someone who wants to keep the device busy, is refused before it costs anything.
#[test]
fn a_bad_header_is_refused() {
    let put = |generation: u64, header: Option<Vec<u8>>| {
        let memory = MemoryStore::new();
        for n in 0..=generation {
            let batch = Batch { changes: vec![(header::NAME.to_vec(), header.clone())] };
            assert_eq!(block_on(memory.commit(&batch, n)), Ok(n + 1));
        }
        memory
    };
    let (_, _, good) = Header::generate(&passphrase("open")).unwrap();
    assert!(block_on(SealedStore::open(put(0, Some(good.clone())), passphrase("open"))).is_ok());
    for length in 0..good.len() {
        assert_eq!(refused(&put(0, Some(good[..length].to_vec())), passphrase("open")), "store.corrupt");
    }
    assert_eq!(refused(&put(0, Some([good.clone(), vec![0]].concat())), passphrase("open")), "store.corrupt");
    assert_eq!(refused(&put(3, None), passphrase("open")), "store.corrupt");
    let changed = |at: usize, byte: u8| {
        let mut bytes = good.clone();
        bytes[at] = byte;
        refused(&put(0, Some(bytes)), passphrase("open"))
    };
    assert_eq!(changed(0, b'u'), "store.corrupt");
    assert_eq!(changed(17, 2), "store.newer_version");
    assert_eq!(changed(17, 0), "store.corrupt");
    assert_eq!(changed(18, !good[18]), "store.wrong_key");
    assert_eq!(changed(34, 2), "store.corrupt");
    assert_eq!(changed(35, 0xFF), "store.corrupt", "4 TiB of memory");
    assert_eq!(changed(39, 0xFF), "store.corrupt", "as many passes");
    assert_eq!(changed(43, 0xFF), "store.corrupt", "as many lanes");
    assert_eq!(changed(42, 2), "store.wrong_key", "another cost");
}
