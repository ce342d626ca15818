//! Which keys have encrypted and which one-time prekeys were used, for the tests that none of them serves twice (P-10, I1, I4).
//!
//! Only the private feature `__internals` compiles the record; elsewhere [`note`] and [`spend`] are empty.

use crate::crypto::secret::Secret;

/// Notes that `key` has encrypted `plaintext` under `nonce`, with `ad` beside it, to `ciphertext`.
#[cfg(not(feature = "__internals"))]
#[inline(always)]
pub const fn note(_key: &Secret<32>, _nonce: &[u8], _ad: &[u8], _plaintext: &[u8], _ciphertext: &[u8]) {}

/// Notes that a one-time prekey began a session.
#[cfg(not(feature = "__internals"))]
#[inline(always)]
pub const fn spend(_is_kem: bool, _id: u32) {}

#[cfg(feature = "__internals")]
pub use journal::{Encryption, KeyUse, SpentPrekey, note, record, spend, take_spent, watch};

#[cfg(feature = "__internals")]
mod journal {
    use super::Secret;
    use std::cell::RefCell;

    type Watcher = Box<dyn FnMut(&Encryption<'_>)>;

    thread_local! {
        static JOURNAL: RefCell<Option<Vec<KeyUse>>> = const { RefCell::new(None) };
        static WATCHER: RefCell<Option<Watcher>> = const { RefCell::new(None) };
        static SPENT: RefCell<Vec<SpentPrekey>> = const { RefCell::new(Vec::new()) };
    }

    /// One encryption, as it is kept by [`record`].
    #[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
    pub struct KeyUse {
        /// The key.
        pub key: [u8; 32],
        /// The nonce or initialization vector.
        pub nonce: Vec<u8>,
    }

    /// One encryption, as it is shown to a [watcher](watch).
    pub struct Encryption<'a> {
        /// The key.
        pub key: &'a [u8; 32],
        /// The nonce or initialization vector.
        pub nonce: &'a [u8],
        /// What is authenticated beside it.
        pub ad: &'a [u8],
        /// What was encrypted.
        pub plaintext: &'a [u8],
        /// What it became, without the tag.
        pub ciphertext: &'a [u8],
    }

    /// A one-time prekey that began a session.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
    pub struct SpentPrekey {
        /// Whether it is a KEM prekey.
        pub is_kem: bool,
        /// Its id.
        pub id: u32,
    }

    /// Notes that `key` has encrypted `plaintext` under `nonce`, with `ad` beside it, to `ciphertext`: if this thread keeps a record or watches.
    pub fn note(key: &Secret<32>, nonce: &[u8], ad: &[u8], plaintext: &[u8], ciphertext: &[u8]) {
        JOURNAL.with_borrow_mut(|journal| {
            if let Some(journal) = journal {
                journal.push(KeyUse { key: *key.expose(), nonce: nonce.to_vec() });
            }
        });
        WATCHER.with_borrow_mut(|watcher| {
            if let Some(watcher) = watcher {
                watcher(&Encryption { key: key.expose(), nonce, ad, plaintext, ciphertext });
            }
        });
    }

    /// Notes that a one-time prekey began a session.
    pub fn spend(is_kem: bool, id: u32) {
        SPENT.with_borrow_mut(|spent| spent.push(SpentPrekey { is_kem, id }));
    }

    /// The one-time prekeys that began sessions on this thread since the last call.
    pub fn take_spent() -> Vec<SpentPrekey> {
        SPENT.take()
    }

    /// Runs `action` and returns the encryptions that this thread made meanwhile.
    pub fn record<T>(action: impl FnOnce() -> T) -> (T, Vec<KeyUse>) {
        JOURNAL.set(Some(Vec::new()));
        let result = action();
        (result, JOURNAL.take().unwrap_or_default())
    }

    /// Shows every encryption that this thread makes from now on to `watcher`, which may write it where it survives the process. It must not encrypt.
    pub fn watch(watcher: Option<Watcher>) {
        WATCHER.set(watcher);
    }
}
