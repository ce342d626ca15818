//! The one thread that writes, and how many requests share one commit.

use crate::metrics::Metrics;
use crate::schema;
use rusqlite::Connection;
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Instant;
use tokio::sync::oneshot;
use undertone::transport::TransportFault;

/// The most requests in one commit.
const GROUP: usize = 1_000;

/// What is done inside the transaction; what it returns is done after the commit, and told whether there was one.
type Job = Box<dyn FnOnce(&Connection) -> Completion + Send>;
type Completion = Box<dyn FnOnce(bool) + Send>;

/// The database. Requests are done one after the other by one thread; those that come while it commits share the next commit, and each is answered only after
/// its own.
pub struct Storage {
    jobs: Mutex<Option<Sender<Job>>>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

impl Storage {
    /// Opens the database at `path` and starts the thread.
    ///
    /// # Errors
    /// SQLite's.
    pub fn open(path: &Path, metrics: Arc<Metrics>) -> rusqlite::Result<Self> {
        let connection = schema::open(path)?;
        let (jobs, queue) = channel();
        let writer = std::thread::Builder::new()
            .name("storage".to_owned())
            .spawn(move || write(&connection, &queue, &metrics))
            .map_err(|_| rusqlite::Error::InvalidQuery)?;
        Ok(Self { jobs: Mutex::new(Some(jobs)), writer: Mutex::new(Some(writer)) })
    }

    /// Does `work` and returns what it found once it is committed.
    ///
    /// # Errors
    /// That of `work`, which then must not have written; `TransportFault::Unreachable` if the database failed: nothing was written.
    pub async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<Result<T, TransportFault>> + Send + 'static,
    ) -> Result<T, TransportFault> {
        let (reply, answer) = oneshot::channel();
        let job: Job = Box::new(move |connection| {
            let done = in_savepoint(connection, work);
            Box::new(move |is_committed| {
                let outcome = match done {
                    Ok(outcome) if is_committed => outcome,
                    _ => Err(TransportFault::Unreachable),
                };
                // Whoever asked may be gone.
                let _ = reply.send(outcome);
            })
        });
        let is_taken = lock(&self.jobs).as_ref().is_some_and(|jobs| jobs.send(job).is_ok());
        if !is_taken {
            return Err(TransportFault::Unreachable);
        }
        answer.await.unwrap_or(Err(TransportFault::Unreachable))
    }

    /// Finishes what was asked, moves the log into the database and ends the thread. Later requests fail. It blocks.
    pub fn close(&self) {
        drop(lock(&self.jobs).take());
        if let Some(writer) = lock(&self.writer).take() {
            let _ = writer.join();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn write(connection: &Connection, queue: &Receiver<Job>, metrics: &Metrics) {
    while let Ok(first) = queue.recv() {
        let begun = connection.execute_batch("BEGIN IMMEDIATE").is_ok();
        let mut completions = Vec::new();
        let mut next = Some(first);
        while let Some(job) = next {
            completions.push(job(connection));
            next = if completions.len() < GROUP { queue.try_recv().ok() } else { None };
        }
        let start = Instant::now();
        let is_committed = begun && connection.execute_batch("COMMIT").is_ok();
        if !is_committed {
            let _ = connection.execute_batch("ROLLBACK");
        }
        metrics.committed(completions.len(), start.elapsed());
        for complete in completions {
            complete(is_committed);
        }
    }
    let _ = connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)");
}

/// A request that fails takes nothing with it.
fn in_savepoint<T>(
    connection: &Connection,
    work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
) -> rusqlite::Result<T> {
    connection.prepare_cached("SAVEPOINT request")?.execute([])?;
    let done = work(connection);
    if done.is_err() {
        connection.prepare_cached("ROLLBACK TO request")?.execute([])?;
    }
    connection.prepare_cached("RELEASE request")?.execute([])?;
    done
}

#[cfg(test)]
mod tests {
    use super::*;
    use rusqlite::params;

    /// What was answered is committed. Another connection to the database, opened before, sees each write as soon as it is answered; it sees commits only.
    #[tokio::test]
    async fn an_answer_comes_after_its_commit() {
        let folder = std::env::temp_dir().join(format!("undertone-relay-storage-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join("relay.sqlite");
        let storage = Storage::open(&path, Arc::default()).unwrap();
        let other = Connection::open(&path).unwrap();
        for number in 1..=300_i64 {
            let leave = move |connection: &Connection| {
                connection.execute(
                    "INSERT INTO meeting_places (place, number, message, seconds) VALUES (?, 1, X'00', 0)",
                    params![number.to_be_bytes()],
                )?;
                Ok(Ok(()))
            };
            storage.run(leave).await.unwrap();
            let seen: i64 = other.query_row("SELECT COUNT(*) FROM meeting_places", [], |row| row.get(0)).unwrap();
            assert_eq!(seen, number);
        }
        storage.close();
        std::fs::remove_dir_all(folder).unwrap();
    }

    /// A request that fails takes nothing with it, and nothing of the others.
    #[tokio::test]
    async fn a_failure_is_of_one_request() {
        let storage = Storage::open(Path::new(":memory:"), Arc::default()).unwrap();
        let write = |fails: bool| {
            move |connection: &Connection| {
                connection.execute("INSERT INTO accounts (name, number, list) VALUES ('a' || random(), 1, X'')", [])?;
                if fails { Err(rusqlite::Error::InvalidQuery) } else { Ok(Ok(())) }
            }
        };
        let outcomes = tokio::join!(storage.run(write(false)), storage.run(write(true)), storage.run(write(false)));
        assert_eq!(outcomes, (Ok(()), Err(TransportFault::Unreachable), Ok(())));
        let count = |connection: &Connection| {
            Ok(Ok(connection.query_row("SELECT COUNT(*) FROM accounts", [], |row| row.get(0))?))
        };
        assert_eq!(storage.run(count).await, Ok(2_i64));
        storage.close();
        assert_eq!(storage.run(count).await, Err(TransportFault::Unreachable));
    }
}
