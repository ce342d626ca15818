//! What the sealing layer keeps from its backend, and what it refuses.

use futures_executor::block_on;
use undertone::crypto::Zeroizing;
use undertone::store::sealed::{Cost, RecordName, SealedStore};
use undertone::store::{Batch, MemoryStore, Store, StoreSecret};

const BOB: &[u8] = b"bob-whose-name-nobody-may-read";
const TEXT: &[u8] = b"meet me at the old harbour at nine";

fn session(number: u64) -> RecordName {
    RecordName::table("session-table").text(BOB).number(number)
}

fn filled(key: u8) -> (MemoryStore, SealedStore) {
    let memory = MemoryStore::new();
    let store = block_on(SealedStore::open(memory.clone(), StoreSecret::key([key; 32]))).unwrap();
    let changes = (1..=3).map(|number| (session(number), Some(Zeroizing::new(TEXT.to_vec())))).collect();
    block_on(store.commit(changes, 1)).unwrap();
    (memory, store)
}

/// What the backend holds, without the header.
fn raw(memory: &MemoryStore) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut entries = block_on(memory.scan(&[], None, usize::MAX)).unwrap().entries;
    entries.retain(|(name, _)| name != b"undertone");
    entries
}

fn put(memory: &MemoryStore, name: &[u8], value: &[u8]) {
    let generation = block_on(memory.read(&[])).unwrap().generation;
    let changes = vec![(name.to_vec(), Some(value.to_vec()))];
    block_on(memory.commit(&Batch { changes }, generation)).unwrap();
}

fn code(store: &SealedStore, number: u64) -> &'static str {
    match block_on(store.read(&[session(number)])) {
        Ok(reading) => {
            assert_eq!(reading.values[0].as_ref().unwrap().as_slice(), TEXT);
            "right"
        }
        Err(error) => error.code(),
    }
}

/// C3: no four bytes of a plaintext, a name, a table or the key stand in what the backend holds.
#[test]
fn a_backend_sees_neither_names_nor_values() {
    let (memory, store) = filled(0x5A);
    let all = block_on(memory.scan(&[], None, usize::MAX)).unwrap().entries;
    let seen: Vec<u8> = all.into_iter().flat_map(|(name, value)| [name, value]).flatten().collect();
    let shows = |secret: &[u8]| secret.windows(4).any(|piece| seen.windows(4).any(|window| window == piece));
    assert!(!shows(BOB) && !shows(TEXT) && !shows(b"session-table") && !shows(&[0x5A; 32]));
    // Control: the same search finds what is there in clear.
    assert!(shows(b"undertone") || shows(b"Undertone store"));
    assert_eq!(format!("{store:?}"), "SealedStore { .. }");
    // Three equal values are three different ciphertexts.
    let values: std::collections::HashSet<_> =
        raw(&memory).into_iter().map(|(_, value)| value[24..].to_vec()).collect();
    assert_eq!(values.len(), 3);
}

/// C3, I11: a value that was changed, cut, moved to another name or taken from another store is refused, never read.
#[test]
fn a_value_out_of_its_place_is_refused() {
    let (memory, store) = filled(1);
    let (other, _) = filled(1);
    let (original, elsewhere) = (raw(&memory), raw(&other));
    let (name, value) = &original[0];
    assert_eq!(code(&store, 1), "right");

    let refused = |bytes: &[u8]| {
        put(&memory, name, bytes);
        assert_eq!(code(&store, 1), "store.corrupt");
        assert_eq!(block_on(store.scan_all(&RecordName::table("session-table"))).unwrap_err().code(), "store.corrupt");
    };
    refused(&original[1].1);
    refused(&elsewhere[0].1);
    for length in [0, 23, 24, 39, 40, value.len() - 1] {
        refused(&value[..length]);
    }
    refused(&[value.as_slice(), &[0]].concat());
    for position in 0..value.len() {
        let mut changed = value.clone();
        changed[position] ^= 0x10;
        refused(&changed);
    }
    // Control: the value itself, back in its place, is read.
    put(&memory, name, value);
    assert_eq!(code(&store, 1), "right");
}

/// Two stores under one key have no name, no hash and no value in common.
#[test]
fn two_stores_with_one_key_differ() {
    let ((one, store), (two, other)) = (filled(1), filled(1));
    assert!(raw(&one).iter().zip(raw(&two)).all(|(first, second)| first.0 != second.0));
    assert_ne!(store.keyed_hash("dedup", &[b"x"]), other.keyed_hash("dedup", &[b"x"]));
    let again = block_on(SealedStore::open(one, StoreSecret::key([1; 32]))).unwrap();
    assert_eq!(store.keyed_hash("dedup", &[b"x"]), again.keyed_hash("dedup", &[b"x"]));
}

/// Two clients that open one new store at the same time agree on its header.
#[test]
fn two_first_openings_make_one_store() {
    let memory = MemoryStore::new();
    let open = || SealedStore::open(memory.clone(), StoreSecret::key([9; 32]));
    let (one, two) = block_on(futures_util::future::join(open(), open()));
    let (one, two) = (one.unwrap(), two.unwrap());
    block_on(one.commit(vec![(session(1), Some(Zeroizing::new(TEXT.to_vec())))], 1)).unwrap();
    assert_eq!(code(&two, 1), "right");
}

/// A wrong passphrase opens nothing; the usual cost is 64 MiB.
#[test]
fn a_passphrase() {
    assert_eq!(Cost::DEFAULT, Cost { memory: 65_536, passes: 3, lanes: 1 });
    let memory = MemoryStore::new();
    let cheap = |text| StoreSecret::passphrase_at(text, Cost { memory: 64, passes: 1, lanes: 1 });
    block_on(SealedStore::open(memory.clone(), cheap("open sesame"))).unwrap();
    let wrong = block_on(SealedStore::open(memory.clone(), cheap("open sesam"))).unwrap_err();
    assert_eq!(wrong.code(), "store.wrong_key");
    // The cost is the stored one, whatever a later caller would choose.
    block_on(SealedStore::open(memory, StoreSecret::passphrase("open sesame"))).unwrap();
}
