//! How a store of one's own says what went wrong.

use crate::error::{Error, Fault};

/// What can go wrong in a [`Store`](super::Store), to be made an [`Error`] of.
///
/// ```
/// use undertone::Error;
/// use undertone::store::StoreFault;
///
/// let cause = std::io::Error::other("the disk is gone");
/// let error = Error::from(StoreFault::Io).caused_by(cause);
/// assert_eq!(error.code(), "store.io");
/// assert!(error.is_retryable());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StoreFault {
    /// The generation is not the expected one. Nothing was changed.
    Conflict,
    /// Another process holds the store for too long. Nothing was changed.
    Busy,
    /// There is no room. Nothing was changed.
    Full,
    /// Anything else; whether a commit happened is not known.
    Io,
    /// What is stored does not make sense.
    Corrupt,
    /// A newer version wrote it.
    NewerVersion,
    /// There is no store at the path, and none can be made.
    Path,
    /// The store was closed.
    Closed,
}

impl From<StoreFault> for Error {
    fn from(fault: StoreFault) -> Self {
        match fault {
            StoreFault::Conflict => Fault::StoreConflict,
            StoreFault::Busy => Fault::StoreBusy,
            StoreFault::Full => Fault::StoreFull,
            StoreFault::Io => Fault::StoreIo,
            StoreFault::Corrupt => Fault::StoreCorrupt,
            StoreFault::NewerVersion => Fault::StoreVersion,
            StoreFault::Path => Fault::StorePath,
            StoreFault::Closed => Fault::StoreClosed,
        }
        .into()
    }
}
