//! How SQLite is run. Applications have no choice; the tests show by other settings what these are good for.

use core::time::Duration;

/// How SQLite is run.
#[derive(Clone, Debug)]
pub struct SqliteSettings {
    /// How long to wait for another process before `store.busy`.
    pub busy_timeout: Duration,
    /// `FULL` syncs the write-ahead log in every commit. With `NORMAL` a loss of power takes the last commits back.
    pub synchronous: &'static str,
    /// The largest size of the file in pages of 4096 bytes: a disk that is full, for a test.
    pub most_pages: Option<u32>,
    /// Bytes in the write-ahead log from which on it is emptied without waiting for a quiet moment.
    pub largest_log: usize,
    /// The file system under SQLite; the system's own if not given.
    pub vfs: Option<String>,
}

impl Default for SqliteSettings {
    fn default() -> Self {
        Self {
            busy_timeout: Duration::from_secs(5),
            synchronous: "FULL",
            most_pages: None,
            largest_log: 8 << 20,
            vfs: None,
        }
    }
}
