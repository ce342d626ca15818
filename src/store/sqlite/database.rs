//! One connection to the file: its schema, and the statements of a store.

use super::fault::error;
use super::settings::SqliteSettings;
use crate::error::{Error, Fault, Result};
use crate::store::{Batch, Reading, Scan};
use rusqlite::{CachedStatement, Connection, OpenFlags, Row, Transaction, TransactionBehavior, params};
use std::path::Path;
use std::time::{Duration, Instant};

pub(super) struct Database {
    connection: Connection,
    /// Bytes written since the write-ahead log was last emptied.
    logged: usize,
    largest_log: usize,
}

/// How long a database is at least: SQLite takes a shorter file for an empty one, and a device whose store was cut off would begin anew without a word.
const SHORTEST: u64 = 512;

/// Makes the file, if there is none, so that nobody but its owner reads it.
fn create_private(path: &Path) -> Result<()> {
    if let Ok(found) = std::fs::metadata(path) {
        let is_cut = found.is_file() && (1..SHORTEST).contains(&found.len());
        return if is_cut { Err(Fault::StoreCorrupt.into()) } else { Ok(()) };
    }
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Ok(_) => Ok(()),
        // Another process came first.
        Err(cause) if cause.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        Err(cause) => Err(Error::from(Fault::StorePath).caused_by(cause)),
    }
}

impl Database {
    pub(super) fn open(path: &Path, settings: &SqliteSettings) -> Result<Self> {
        // SQLite takes some names for no file at all; a full path is none of them.
        let path = std::path::absolute(path).map_err(|cause| Error::from(Fault::StorePath).caused_by(cause))?;
        if path.is_dir() {
            return Err(Fault::StorePath.into());
        }
        if settings.vfs.is_none() {
            create_private(&path)?;
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = match &settings.vfs {
            Some(vfs) => Connection::open_with_flags_and_vfs(&path, flags, vfs.as_str()),
            None => Connection::open_with_flags(&path, flags),
        };
        let mut connection = connection.map_err(error)?;
        connection.busy_timeout(settings.busy_timeout).map_err(error)?;
        // Before anything is written: the file may be another application's.
        let is_new = find_schema(&connection)?;
        set_journal(&connection, settings)?;
        if is_new {
            create_schema(&mut connection)?;
        }
        let mut database = Self { connection, logged: 0, largest_log: settings.largest_log };
        database.read(&[])?;
        database.scan(&[], None, 0)?;
        Ok(database)
    }

    pub(super) fn read(&mut self, names: &[Vec<u8>]) -> Result<Reading> {
        let transaction = self.begin(TransactionBehavior::Deferred)?;
        let generation = generation(&transaction)?;
        let mut values = Vec::with_capacity(names.len());
        let mut statement = prepare(&transaction, "SELECT value FROM record WHERE name = ?1")?;
        for name in names {
            let mut rows = statement.query(params![name]).map_err(error)?;
            values.push(rows.next().map_err(error)?.map(|row| column(row, 0)).transpose()?);
        }
        Ok(Reading { generation, values })
    }

    pub(super) fn scan(&mut self, prefix: &[u8], after: Option<&[u8]>, limit: usize) -> Result<Scan> {
        let transaction = self.begin(TransactionBehavior::Deferred)?;
        let generation = generation(&transaction)?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let start = match after {
            // The next name after `after` is `after` with a zero byte behind it.
            Some(after) if after >= prefix => [after, &[0]].concat(),
            _ => prefix.to_vec(),
        };
        let mut entries = Vec::new();
        let mut add = |row: &Row| -> Result<()> {
            entries.push((column(row, 0)?, column(row, 1)?));
            Ok(())
        };
        match end_of(prefix) {
            Some(end) => {
                let sql = "SELECT name, value FROM record WHERE name >= ?1 AND name < ?2 ORDER BY name LIMIT ?3";
                let mut statement = prepare(&transaction, sql)?;
                let mut rows = statement.query(params![start, end, limit]).map_err(error)?;
                while let Some(row) = rows.next().map_err(error)? {
                    add(row)?;
                }
            }
            None => {
                let sql = "SELECT name, value FROM record WHERE name >= ?1 ORDER BY name LIMIT ?2";
                let mut statement = prepare(&transaction, sql)?;
                let mut rows = statement.query(params![start, limit]).map_err(error)?;
                while let Some(row) = rows.next().map_err(error)? {
                    add(row)?;
                }
            }
        }
        Ok(Scan { generation, entries })
    }

    pub(super) fn commit(&mut self, batch: &Batch, expected_generation: u64) -> Result<u64> {
        // IMMEDIATE: the generation that is compared is the one that is replaced, whoever else writes.
        let transaction = self.begin(TransactionBehavior::Immediate)?;
        if generation(&transaction)? != expected_generation {
            return Err(Fault::StoreConflict.into());
        }
        let new_generation = expected_generation + 1;
        let stored = i64::try_from(new_generation).map_err(|_| Fault::StoreCorrupt)?;
        let mut written = PAGE;
        {
            let mut put = prepare(
                &transaction,
                "INSERT INTO record (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            )?;
            let mut remove = prepare(&transaction, "DELETE FROM record WHERE name = ?1")?;
            for (name, value) in &batch.changes {
                match value {
                    Some(value) => put.execute(params![name, value]),
                    None => remove.execute(params![name]),
                }
                .map_err(error)?;
                written += PAGE + value.as_ref().map_or(0, Vec::len);
            }
            let mut advance = prepare(&transaction, "UPDATE generation SET number = ?1")?;
            if advance.execute(params![stored]).map_err(error)? != 1 {
                return Err(Fault::StoreCorrupt.into());
            }
        }
        transaction.commit().map_err(error)?;
        self.logged += written;
        if self.logged > self.largest_log {
            self.tidy();
        }
        Ok(new_generation)
    }

    /// Whether the write-ahead log may still hold what was since removed.
    pub(super) const fn is_untidy(&self) -> bool {
        self.logged > 0
    }

    /// I5: moves the write-ahead log into the file and empties it, unless another process is reading from it; then it is left for the next time.
    pub(super) fn tidy(&mut self) {
        self.logged = 0;
        let _ = self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
    }

    pub(super) fn close(mut self) -> Result<()> {
        self.tidy();
        self.connection.close().map_err(|(_, cause)| error(cause))
    }

    fn begin(&mut self, behavior: TransactionBehavior) -> Result<Transaction<'_>> {
        self.connection.transaction_with_behavior(behavior).map_err(error)
    }
}

/// "Undt", by which `file` and other programs know the format.
const APPLICATION: i32 = 0x556E_6474;
const SCHEMA_VERSION: i32 = 1;

/// Bytes that a changed record costs in the log, whatever its size.
const PAGE: usize = 4096;

const SCHEMA: &str = "
    CREATE TABLE record (name BLOB NOT NULL PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
    CREATE TABLE generation (only INTEGER NOT NULL PRIMARY KEY CHECK (only = 0), number INTEGER NOT NULL);
    INSERT INTO generation (only, number) VALUES (0, 0);
";

/// Whether the file is new. An error if it is not ours.
fn find_schema(connection: &Connection) -> Result<bool> {
    let application = number(connection, "PRAGMA application_id")?;
    let version = number(connection, "PRAGMA user_version")?;
    match (application, version) {
        (APPLICATION, SCHEMA_VERSION) => Ok(false),
        (APPLICATION, later) if later > SCHEMA_VERSION => Err(Fault::StoreVersion.into()),
        (APPLICATION, _) => Err(Fault::StoreCorrupt.into()),
        (0, 0) if number(connection, "SELECT count(*) FROM sqlite_schema")? == 0 => Ok(true),
        _ => Err(Fault::StorePath.into()),
    }
}

fn set_journal(connection: &Connection, settings: &SqliteSettings) -> Result<()> {
    let set = |pragma: &str, value: &str| {
        connection.query_row(&format!("PRAGMA {pragma} = {value}"), [], |_| Ok(())).or_else(|cause| match cause {
            rusqlite::Error::QueryReturnedNoRows => Ok(()),
            cause => Err(error(cause)),
        })
    };
    // The change to WAL does not wait for locks by itself; once made, it is no change any more.
    let patience = Instant::now() + settings.busy_timeout;
    loop {
        match set("journal_mode", "WAL") {
            Err(busy) if busy == Fault::StoreBusy.into() && Instant::now() < patience => {
                std::thread::sleep(Duration::from_millis(5));
            }
            other => break other?,
        }
    }
    // C3: with NORMAL a loss of power takes back commits after which something was sent.
    set("synchronous", settings.synchronous)?;
    set("fullfsync", "ON")?;
    set("checkpoint_fullfsync", "ON")?;
    // I5: what is removed is overwritten.
    set("secure_delete", "ON")?;
    set("temp_store", "MEMORY")?;
    // The file may have been made by someone else.
    set("cell_size_check", "ON")?;
    set("trusted_schema", "OFF")?;
    if let Some(most) = settings.most_pages {
        set("max_page_count", &most.to_string())?;
    }
    Ok(())
}

fn create_schema(connection: &mut Connection) -> Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(error)?;
    // Another process may have been faster.
    if find_schema(&transaction)? {
        transaction.execute_batch(SCHEMA).map_err(error)?;
        transaction.pragma_update(None, "application_id", APPLICATION).map_err(error)?;
        transaction.pragma_update(None, "user_version", SCHEMA_VERSION).map_err(error)?;
    }
    transaction.commit().map_err(error)
}

fn number(connection: &Connection, sql: &str) -> Result<i32> {
    connection.query_row(sql, [], |row| row.get(0)).map_err(error)
}

fn generation(transaction: &Transaction) -> Result<u64> {
    let number: i64 =
        prepare(transaction, "SELECT number FROM generation")?.query_row([], |row| row.get(0)).map_err(error)?;
    u64::try_from(number).map_err(|_| Fault::StoreCorrupt.into())
}

fn prepare<'c>(transaction: &'c Transaction, sql: &str) -> Result<CachedStatement<'c>> {
    transaction.prepare_cached(sql).map_err(error)
}

fn column(row: &Row, index: usize) -> Result<Vec<u8>> {
    row.get(index).map_err(error)
}

/// The least byte string that is greater than all which begin with `prefix`, if there is one.
fn end_of(prefix: &[u8]) -> Option<Vec<u8>> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if let Some(next) = last.checked_add(1) {
            end.push(next);
            return Some(end);
        }
    }
    None
}
