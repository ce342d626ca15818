//! Floor 5: where a device keeps its state.
//!
//! A [`Store`] keeps ordered bytes under ordered bytes and has one way to change: [`commit`](Store::commit), atomic, durable when it returns, refused if
//! another writer came first. It needs to know nothing of encryption: [`SealedStore`] stands above it, seals every value and hides every name.
//!
//! | store | for |
//! |---|---|
//! | [`MemoryStore`] | tests, and devices that may forget |
//! | `SqliteStore` (feature `sqlite`) | a file of one's own |
//! | your own | anything else: run the suite in `store::conformance` (feature `conformance`) against it |

#[cfg(feature = "conformance")]
pub mod conformance;
mod fault;
mod memory;
#[cfg(feature = "__internals")]
#[doc(hidden)]
pub mod sealed;
#[cfg(not(feature = "__internals"))]
mod sealed;
#[cfg(all(feature = "sqlite", not(target_family = "wasm")))]
mod sqlite;

use crate::error::Result;
use crate::runtime::{Shareable, async_trait};

pub use fault::StoreFault;
pub use memory::MemoryStore;
#[allow(unused_imports, reason = "the client's own")]
pub(crate) use sealed::{RecordName, SealedReading, SealedScan};
pub use sealed::{SealedStore, StoreSecret};
#[cfg(all(feature = "sqlite", feature = "__internals", not(target_family = "wasm")))]
#[doc(hidden)]
pub use sqlite::SqliteSettings;
#[cfg(all(feature = "sqlite", not(target_family = "wasm")))]
pub use sqlite::SqliteStore;

/// Keeps bytes under names, for one device.
///
/// Names are ordered as byte strings. A store has a *generation*: 0 when it is new, and one more after each commit. Several tasks and several processes
/// may use one store at once; each answer is of one moment, and tells the generation of that moment.
///
/// Errors are made with [`StoreFault`]; whatever is not named there is [`StoreFault::Io`].
///
/// A future that is dropped before its end leaves it open whether the commit happened, as `store.io` does. It never happens by half.
///
/// ```
/// use undertone::store::{Batch, MemoryStore, Store};
/// # futures_executor::block_on(async {
/// let store = MemoryStore::new();
/// let batch = Batch { changes: vec![(b"a".to_vec(), Some(b"1".to_vec()))] };
/// assert_eq!(store.commit(&batch, 0).await?, 1);
///
/// // Someone who has not seen that commit is refused, and reads again.
/// assert_eq!(store.commit(&batch, 0).await.unwrap_err().code(), "store.conflict");
/// assert_eq!(store.read(&[b"a".to_vec()]).await?.generation, 1);
/// # Ok::<(), undertone::Error>(())
/// # }).unwrap();
/// ```
#[cfg_attr(not(target_family = "wasm"), async_trait)]
#[cfg_attr(target_family = "wasm", async_trait(?Send))]
pub trait Store: Shareable {
    /// The values under `names`, in that order, all of one moment.
    ///
    /// # Errors
    /// `store.io`, `store.busy`, `store.corrupt`, `store.closed`.
    async fn read(&self, names: &[Vec<u8>]) -> Result<Reading>;

    /// Up to `limit` entries whose names begin with `prefix` and are greater than `after`, in ascending order of their names; fewer
    /// than `limit` only if there are no more.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    async fn scan(&self, prefix: &[u8], after: Option<&[u8]>, limit: usize) -> Result<Scan>;

    /// Makes all changes of `batch`, or none. On `Ok` they survive a loss of power. Returns the new generation, `expected_generation + 1`.
    ///
    /// # Errors
    /// `store.conflict` if the generation is not `expected_generation`, `store.full`: nothing was changed. `store.io`: the commit may have happened or
    /// not. And as [`read`](Self::read).
    async fn commit(&self, batch: &Batch, expected_generation: u64) -> Result<u64>;

    /// Releases what the store holds. Later calls fail with `store.closed`.
    ///
    /// # Errors
    /// `store.io`.
    async fn close(&self) -> Result<()>;
}

/// What [`Store::read`] found.
///
/// ```
/// use undertone::store::{MemoryStore, Reading, Store};
///
/// let reading = futures_executor::block_on(MemoryStore::new().read(&[b"a".to_vec()]))?;
/// assert_eq!(reading, Reading { generation: 0, values: vec![None] });
/// # Ok::<(), undertone::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// The generation of the store at that moment.
    pub generation: u64,
    /// One value for each name, `None` where there is none.
    pub values: Vec<Option<Vec<u8>>>,
}

/// What [`Store::scan`] found.
///
/// ```
/// use undertone::store::{MemoryStore, Scan, Store};
///
/// let scan = futures_executor::block_on(MemoryStore::new().scan(b"prefix", None, 10))?;
/// assert_eq!(scan, Scan { generation: 0, entries: vec![] });
/// # Ok::<(), undertone::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scan {
    /// The generation of the store at that moment.
    pub generation: u64,
    /// Names and values, in ascending order of the names.
    pub entries: Vec<(Vec<u8>, Vec<u8>)>,
}

/// Changes that are made together.
///
/// ```
/// use undertone::store::Batch;
///
/// // Moves a value: nobody ever sees both names, or none.
/// let changes = vec![(b"from".to_vec(), None), (b"to".to_vec(), Some(b"value".to_vec()))];
/// let batch = Batch { changes };
/// # assert_eq!(batch.changes.len(), 2);
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Batch {
    /// Each name at most once, with its new value; `None` removes it.
    pub changes: Vec<(Vec<u8>, Option<Vec<u8>>)>,
}
