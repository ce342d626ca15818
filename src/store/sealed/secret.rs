//! What opens a sealed store.

use crate::crypto::passphrase::Cost;
use crate::crypto::{Secret, Zeroizing};
use core::fmt;

/// The key or the passphrase that a store is sealed with. Wiped when dropped, never shown.
///
/// ```
/// use undertone::store::StoreSecret;
///
/// // Best: 32 random bytes that the platform's key store keeps.
/// let key = StoreSecret::key([7; 32]);
/// // Where there is none: something that the user knows. Guessing costs 64 MiB and some tenths of a second each time.
/// let passphrase = StoreSecret::passphrase("correct horse battery staple");
/// assert_eq!(format!("{key:?} {passphrase:?}"), "StoreSecret(..) StoreSecret(..)");
/// ```
pub struct StoreSecret(pub(super) Form);

pub(super) enum Form {
    Key(Secret<32>),
    Passphrase { text: Zeroizing<Vec<u8>>, cost: Cost },
}

impl StoreSecret {
    /// 32 random bytes, from the platform's key store. They must be uniform: a passphrase in this place is guessed at no cost.
    #[must_use]
    pub const fn key(bytes: [u8; 32]) -> Self {
        Self(Form::Key(Secret::new(bytes)))
    }

    /// Something that the user knows, taken byte by byte as UTF-8; normalise it before if several keyboards are used.
    #[must_use]
    pub fn passphrase(text: &str) -> Self {
        Self::stretched(text, Cost::DEFAULT)
    }

    /// A passphrase that a *new* store stretches at another cost than the usual one.
    #[cfg(feature = "__internals")]
    #[doc(hidden)]
    #[must_use]
    pub fn passphrase_at(text: &str, cost: Cost) -> Self {
        Self::stretched(text, cost)
    }

    fn stretched(text: &str, cost: Cost) -> Self {
        Self(Form::Passphrase { text: Zeroizing::new(text.as_bytes().to_vec()), cost })
    }
}

impl fmt::Debug for StoreSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StoreSecret(..)")
    }
}
