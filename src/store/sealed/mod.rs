//! The layer above every store: values sealed, names hidden. `docs/store.md` defines the format.

mod header;
mod keys;
mod name;
mod secret;
#[cfg(test)]
mod tests;

use crate::error::{Fault, Result};
use crate::store::{Batch, Store};
use core::fmt;
use std::sync::Arc;

use header::Header;
use keys::Keys;

pub use crate::crypto::Zeroizing;
#[cfg(feature = "__internals")]
pub use crate::crypto::passphrase::Cost;
pub use name::RecordName;
pub use secret::StoreSecret;

/// A [`Store`] of which the backend learns nothing but sizes, times and counts.
///
/// Every value is encrypted and bound to its name; every name is hidden by a keyed hash. A clone is the same store.
///
/// ```
/// use undertone::store::{MemoryStore, SealedStore, StoreSecret};
/// # futures_executor::block_on(async {
/// let memory = MemoryStore::new();
/// let sealed = SealedStore::open(memory.clone(), StoreSecret::key([7; 32])).await?;
/// sealed.close().await?;
///
/// let other = SealedStore::open(memory, StoreSecret::key([8; 32])).await;
/// assert_eq!(other.unwrap_err().code(), "store.wrong_key");
/// # Ok::<(), undertone::Error>(())
/// # }).unwrap();
/// ```
#[derive(Clone)]
pub struct SealedStore {
    opened: Arc<Opened>,
}

struct Opened {
    backend: Box<dyn Store>,
    keys: Keys,
}

/// What [`SealedStore::read`] found.
pub struct SealedReading {
    /// The generation of the store at that moment.
    pub generation: u64,
    /// One value for each name, `None` where there is none.
    pub values: Vec<Option<Zeroizing<Vec<u8>>>>,
}

/// What [`SealedStore::scan`] found.
pub struct SealedScan {
    /// The generation of the store at that moment.
    pub generation: u64,
    /// The number at the end of each name, 0 if it ends in a text, and the value.
    pub entries: Vec<(u64, Zeroizing<Vec<u8>>)>,
}

impl SealedStore {
    /// Opens what `secret` sealed in `backend`, or makes a new store if `backend` is empty.
    ///
    /// A passphrase is stretched here, on the calling thread: some tenths of a second.
    ///
    /// # Errors
    /// `store.wrong_key`, `store.newer_version`, `store.corrupt`, `random.failed`, and whatever `backend` answers.
    pub async fn open(backend: impl Store, secret: StoreSecret) -> Result<Self> {
        let backend: Box<dyn Store> = Box::new(backend);
        let (header, key) = match stored_header(&*backend).await? {
            Some(bytes) => Header::open(&bytes, &secret)?,
            None => {
                let (header, key, bytes) = Header::generate(&secret)?;
                match backend.commit(&first_batch(bytes), 0).await {
                    Ok(_) => (header, key),
                    // Another process opened the same new store first: its header counts. After `store.io` it may be this one's own.
                    Err(error) if error == Fault::StoreConflict.into() || error == Fault::StoreIo.into() => {
                        let bytes = stored_header(&*backend).await?.ok_or(error)?;
                        Header::open(&bytes, &secret)?
                    }
                    Err(error) => return Err(error),
                }
            }
        };
        let keys = Keys::derive(&key, header.store_id);
        Ok(Self { opened: Arc::new(Opened { backend, keys }) })
    }

    /// Closes the backend, for every clone. Later calls fail with `store.closed`.
    ///
    /// # Errors
    /// `store.io`.
    pub async fn close(&self) -> Result<()> {
        self.opened.backend.close().await
    }
}

/// The client's own way to its records. Nothing outside the crate can name a [`RecordName`], so none of this is part of the public interface.
#[doc(hidden)]
impl SealedStore {
    /// The values under `names`, in that order, all of one moment.
    ///
    /// # Errors
    /// `store.corrupt` if a value does not open under its name, and as [`Store::read`].
    pub async fn read(&self, names: &[RecordName]) -> Result<SealedReading> {
        let keys = &self.opened.keys;
        let hidden: Vec<_> = names.iter().map(|name| keys.hide(name)).collect();
        let reading = self.opened.backend.read(&hidden).await?;
        // A backend of another's making may answer with too few.
        if reading.values.len() != hidden.len() {
            return Err(Fault::StoreCorrupt.into());
        }
        let values = hidden.iter().zip(&reading.values);
        let opened = values.map(|(name, value)| value.as_deref().map(|value| keys.open(name, value)).transpose());
        Ok(SealedReading { generation: reading.generation, values: opened.collect::<Result<_>>()? })
    }

    /// Up to `limit` records whose names begin with `prefix` and, if it goes on with a number, whose number is greater than `after`; ascending by number.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub async fn scan(&self, prefix: &RecordName, after: Option<u64>, limit: usize) -> Result<SealedScan> {
        let keys = &self.opened.keys;
        let hidden = keys.hide(prefix);
        let after = after.map(|number| name::behind(&hidden, number));
        let scan = self.opened.backend.scan(&hidden, after.as_deref(), limit).await?;
        let mut entries = Vec::with_capacity(scan.entries.len());
        for (name, value) in &scan.entries {
            check_order(name, &hidden, after.as_deref())?;
            entries.push((name::last_number(name), keys.open(name, value)?));
        }
        Ok(SealedScan { generation: scan.generation, entries })
    }

    /// All records whose names begin with `prefix`, of one moment, in the order of their hidden names; with the generation of that moment.
    ///
    /// # Errors
    /// `store.conflict` if others write so often that no moment could be seized, and as [`read`](Self::read).
    pub async fn scan_all(&self, prefix: &RecordName) -> Result<(u64, Vec<Zeroizing<Vec<u8>>>)> {
        let hidden = self.opened.keys.hide(prefix);
        for _ in 0..SCAN_ATTEMPTS {
            if let Some(found) = self.scan_one_generation(&hidden).await? {
                return Ok(found);
            }
        }
        Err(Fault::StoreConflict.into())
    }

    /// Makes all changes, or none; `None` removes a record. Returns the new generation.
    ///
    /// # Errors
    /// As [`Store::commit`].
    pub async fn commit(
        &self,
        changes: Vec<(RecordName, Option<Zeroizing<Vec<u8>>>)>,
        expected_generation: u64,
    ) -> Result<u64> {
        let keys = &self.opened.keys;
        let mut batch = Batch { changes: Vec::with_capacity(changes.len()) };
        for (name, value) in &changes {
            let hidden = keys.hide(name);
            let sealed = value.as_ref().map(|value| keys.seal(&hidden, value)).transpose()?;
            batch.changes.push((hidden, sealed));
        }
        self.opened.backend.commit(&batch, expected_generation).await
    }

    /// A pseudorandom function under a key of this store: nobody else can compute or recognise what it gives for `parts`.
    #[must_use]
    pub fn keyed_hash(&self, label: &str, parts: &[&[u8]]) -> [u8; 32] {
        self.opened.keys.hash(label, parts)
    }

    /// `None` if another generation came in between two pages.
    async fn scan_one_generation(&self, prefix: &[u8]) -> Result<Option<(u64, Vec<Zeroizing<Vec<u8>>>)>> {
        let (mut after, mut generation, mut values) = (None, None, Vec::new());
        loop {
            let page = self.opened.backend.scan(prefix, after.as_deref(), PAGE).await?;
            if generation.is_some_and(|seen| seen != page.generation) {
                return Ok(None);
            }
            generation = Some(page.generation);
            for (name, value) in &page.entries {
                check_order(name, prefix, after.as_deref())?;
                values.push(self.opened.keys.open(name, value)?);
            }
            let full = page.entries.len() >= PAGE;
            after = page.entries.into_iter().last().map(|(name, _)| name);
            if !full {
                return Ok(Some((page.generation, values)));
            }
        }
    }
}

impl fmt::Debug for SealedStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SealedStore").finish_non_exhaustive()
    }
}

/// Records asked for at once.
const PAGE: usize = 512;

/// How often a scan of everything begins again when others write.
const SCAN_ATTEMPTS: usize = 64;

async fn stored_header(backend: &dyn Store) -> Result<Option<Vec<u8>>> {
    let reading = backend.read(&[header::NAME.to_vec()]).await?;
    match reading.values.into_iter().next().flatten() {
        Some(bytes) => Ok(Some(bytes)),
        None if reading.generation == 0 => Ok(None),
        // Something was written here, and not by us; or the header was taken away. A new header would make the rest unreadable for ever.
        None => Err(Fault::StoreCorrupt.into()),
    }
}

fn first_batch(header: Vec<u8>) -> Batch {
    Batch { changes: vec![(header::NAME.to_vec(), Some(header))] }
}

/// A page that does not go forward would be asked for without end.
fn check_order(name: &[u8], prefix: &[u8], after: Option<&[u8]>) -> Result<()> {
    let fits = name.starts_with(prefix) && after.is_none_or(|after| name > after);
    if fits { Ok(()) } else { Err(Fault::StoreCorrupt.into()) }
}
