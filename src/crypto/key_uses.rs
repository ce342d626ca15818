//! Which keys have encrypted, for the tests that no message key serves twice (P-10).
//!
//! Only the private feature `__internals` compiles the record; elsewhere [`note`] is empty.

use crate::crypto::secret::Secret;

/// Notes that `key` encrypts one message under `nonce`.
#[cfg(not(feature = "__internals"))]
#[inline(always)]
pub const fn note(_key: &Secret<32>, _nonce: &[u8]) {}

#[cfg(feature = "__internals")]
pub use journal::{KeyUse, note, record};

#[cfg(feature = "__internals")]
mod journal {
    use super::Secret;
    use std::cell::RefCell;

    thread_local!(static JOURNAL: RefCell<Option<Vec<KeyUse>>> = const { RefCell::new(None) });

    /// One encryption.
    #[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
    pub struct KeyUse {
        /// The key.
        pub key: [u8; 32],
        /// The nonce or initialization vector.
        pub nonce: Vec<u8>,
    }

    /// Notes that `key` encrypts one message under `nonce`, if this thread keeps a record.
    pub fn note(key: &Secret<32>, nonce: &[u8]) {
        JOURNAL.with_borrow_mut(|journal| {
            if let Some(journal) = journal {
                journal.push(KeyUse { key: *key.expose(), nonce: nonce.to_vec() });
            }
        });
    }

    /// Runs `action` and returns the encryptions that this thread made meanwhile.
    pub fn record<T>(action: impl FnOnce() -> T) -> (T, Vec<KeyUse>) {
        JOURNAL.set(Some(Vec::new()));
        let result = action();
        (result, JOURNAL.take().unwrap_or_default())
    }
}
