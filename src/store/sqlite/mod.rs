//! A store in a file, on SQLite.

mod database;
mod fault;
mod settings;

use crate::error::{Fault, Result};
use crate::runtime::async_trait;
use crate::store::{Batch, Reading, Scan, Store, StoreFault};
use core::fmt;
use core::time::Duration;
use futures_channel::oneshot;
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;

use database::Database;

#[cfg(not(feature = "__internals"))]
use settings::SqliteSettings;
#[cfg(feature = "__internals")]
pub use settings::SqliteSettings;

/// Keeps everything in one file, on SQLite. What was committed survives a loss of power.
///
/// The file stands with two others of the same name and the endings `-wal` and `-shm`. Several stores, in several processes, may use one file at once; it must lie on
/// a local disk. Every store has a thread of its own for the disk, so that no other waits for it. A store that is dropped without [`close`](Store::close) loses
/// nothing.
///
/// What is removed is overwritten in the file (I5). A flash disk or a copying file system may keep old blocks of it, which the sealing layer made unreadable without
/// the key.
///
/// ```
/// use undertone::store::{Batch, SqliteStore, Store};
/// # let folder = std::env::temp_dir().join(format!("undertone-doc-{}", std::process::id()));
/// # std::fs::create_dir_all(&folder)?;
/// # let path = folder.join("alice.db");
/// # futures_executor::block_on(async {
/// let store = SqliteStore::open(&path)?;
/// let batch = Batch { changes: vec![(b"name".to_vec(), Some(b"value".to_vec()))] };
/// let generation = store.read(&[]).await?.generation;
/// store.commit(&batch, generation).await?;
/// store.close().await?;
///
/// let again = SqliteStore::open(&path)?;
/// assert_eq!(again.read(&[b"name".to_vec()]).await?.values, [Some(b"value".to_vec())]);
/// # again.close().await
/// # })?;
/// # std::fs::remove_dir_all(folder)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct SqliteStore {
    jobs: Sender<Job>,
}

impl SqliteStore {
    /// Opens the store in the file at `path`, or makes one if there is no file or an empty one. Waits for the disk, as no other call here does.
    ///
    /// # Errors
    /// `store.path` if there is no such directory, no permission, or the database of another application, which is left as it is; `store.corrupt`,
    /// `store.newer_version`, `store.busy`, `store.full`, `store.io`.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        Self::open_as(path.as_ref(), &SqliteSettings::default())
    }

    /// Opens it with other settings, to show what they are good for.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    #[cfg(feature = "__internals")]
    #[doc(hidden)]
    pub fn open_with(path: impl AsRef<Path>, settings: &SqliteSettings) -> Result<Self> {
        Self::open_as(path.as_ref(), settings)
    }

    fn open_as(path: &Path, settings: &SqliteSettings) -> Result<Self> {
        let database = Database::open(path, settings)?;
        let (jobs, queue) = channel();
        thread::Builder::new()
            .name("undertone-sqlite".to_owned())
            .spawn(move || work(database, &queue))
            .map_err(|cause| crate::error::Error::from(StoreFault::Io).caused_by(cause))?;
        Ok(Self { jobs })
    }

    /// Has `job` done on the store's own thread. It is done even if the future is dropped.
    async fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut Option<Database>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (answer, answered) = oneshot::channel();
        let job: Job = Box::new(move |database| {
            // Whoever asked may have gone; that is no failure of the job.
            let _ = answer.send(job(database));
        });
        self.jobs.send(job).map_err(|_| Fault::StoreClosed)?;
        answered.await.map_err(|_| Fault::StoreIo)?
    }
}

impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteStore").finish_non_exhaustive()
    }
}

#[async_trait]
impl Store for SqliteStore {
    async fn read(&self, names: &[Vec<u8>]) -> Result<Reading> {
        let names = names.to_vec();
        self.run(move |database| opened(database)?.read(&names)).await
    }

    async fn scan(&self, prefix: &[u8], after: Option<&[u8]>, limit: usize) -> Result<Scan> {
        let (prefix, after) = (prefix.to_vec(), after.map(<[u8]>::to_vec));
        self.run(move |database| opened(database)?.scan(&prefix, after.as_deref(), limit)).await
    }

    async fn commit(&self, batch: &Batch, expected_generation: u64) -> Result<u64> {
        let batch = batch.clone();
        self.run(move |database| opened(database)?.commit(&batch, expected_generation)).await
    }

    async fn close(&self) -> Result<()> {
        self.run(|database| database.take().map_or(Ok(()), Database::close)).await
    }
}

type Job = Box<dyn FnOnce(&mut Option<Database>) + Send>;

fn opened(database: &mut Option<Database>) -> Result<&mut Database> {
    database.as_mut().ok_or_else(|| Fault::StoreClosed.into())
}

/// The thread of one store: does what it is asked, and tidies up when nothing was asked for a while.
fn work(database: Database, queue: &Receiver<Job>) {
    let mut database = Some(database);
    loop {
        let untidy = database.as_ref().is_some_and(Database::is_untidy);
        let job = if untidy { queue.recv_timeout(IDLE) } else { queue.recv().map_err(RecvTimeoutError::from) };
        match job {
            Ok(job) => job(&mut database),
            Err(RecvTimeoutError::Timeout) => {
                if let Some(database) = &mut database {
                    database.tidy();
                }
            }
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    if let Some(database) = database {
        // Nobody is left to hear of a failure, and what was committed is safe without.
        let _ = database.close();
    }
}

/// How long nothing must be asked before the write-ahead log is emptied.
const IDLE: Duration = Duration::from_secs(1);
