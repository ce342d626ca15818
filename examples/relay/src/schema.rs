//! The tables.

use rusqlite::Connection;
use std::path::Path;

/// The version of the tables, in SQLite's `user_version`.
const VERSION: i64 = 2;

const TABLES: &str = "
-- Accounts, and the statements of their device lists as `DeviceList::to_bytes` writes them.
CREATE TABLE accounts (
    name TEXT PRIMARY KEY,
    number INTEGER NOT NULL,
    list BLOB NOT NULL
) WITHOUT ROWID;

-- The devices that are on their account's list now.
CREATE TABLE devices (
    mailbox INTEGER PRIMARY KEY AUTOINCREMENT,
    account TEXT NOT NULL,
    device INTEGER NOT NULL,
    identity BLOB NOT NULL,
    waiting INTEGER NOT NULL DEFAULT 0,
    waiting_bytes INTEGER NOT NULL DEFAULT 0,
    registration_id INTEGER,
    signed_id INTEGER, signed_public BLOB, signed_signature BLOB,
    last_resort_id INTEGER, last_resort_public BLOB, last_resort_signature BLOB,
    witness_generation INTEGER, witness_mac BLOB,
    UNIQUE (account, device)
);

-- One-time prekeys. One that was handed out stays as a name without a key, so that it does not come back.
CREATE TABLE prekeys (
    mailbox INTEGER NOT NULL REFERENCES devices ON DELETE CASCADE,
    kem INTEGER NOT NULL,
    id INTEGER NOT NULL,
    public BLOB,
    signature BLOB,
    PRIMARY KEY (mailbox, kem, id)
) WITHOUT ROWID;
CREATE INDEX prekeys_left ON prekeys (mailbox, kem, id) WHERE public IS NOT NULL;

CREATE TABLE publications (
    mailbox INTEGER NOT NULL REFERENCES devices ON DELETE CASCADE,
    id BLOB NOT NULL,
    seconds INTEGER NOT NULL,
    PRIMARY KEY (mailbox, id)
) WITHOUT ROWID;

-- Envelopes. One that was acknowledged stays as a name without bytes until it would have expired, so that it is known when it is sent again.
CREATE TABLE envelopes (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    mailbox INTEGER NOT NULL REFERENCES devices ON DELETE CASCADE,
    id BLOB NOT NULL,
    bytes BLOB,
    seconds INTEGER NOT NULL,
    UNIQUE (mailbox, id)
);
CREATE INDEX envelopes_waiting ON envelopes (mailbox, number) WHERE bytes IS NOT NULL;
CREATE INDEX envelopes_by_age ON envelopes (seconds);

CREATE TABLE meeting_places (
    place BLOB NOT NULL,
    number INTEGER NOT NULL,
    message BLOB NOT NULL,
    seconds INTEGER NOT NULL,
    PRIMARY KEY (place, number)
) WITHOUT ROWID;
";

/// From version 1, in which the bytes that wait were not counted.
const FROM_1: &str = "
ALTER TABLE devices ADD COLUMN waiting_bytes INTEGER NOT NULL DEFAULT 0;
UPDATE devices SET waiting_bytes = (SELECT COALESCE(SUM(LENGTH(bytes)), 0) FROM envelopes
    WHERE envelopes.mailbox = devices.mailbox AND bytes IS NOT NULL);
";

/// Opens the database at `path`, and makes it if there is none.
pub fn open(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open(path)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    // A commit is on the disk when it returns: an envelope that was accepted survives a loss of power.
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.set_prepared_statement_cache_capacity(64);
    let version: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let missing = match version {
        0 => TABLES,
        1 => FROM_1,
        VERSION => return Ok(connection),
        _ => return Err(rusqlite::Error::InvalidQuery),
    };
    connection.execute_batch(&format!("BEGIN; {missing} PRAGMA user_version = {VERSION}; COMMIT;"))?;
    Ok(connection)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A database of version 1 is taken over, and what waits in it is counted.
    #[test]
    fn an_older_database_is_taken_over() {
        let folder = std::env::temp_dir().join(format!("undertone-relay-schema-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join("relay.sqlite");
        let older = "ALTER TABLE devices DROP COLUMN waiting_bytes; PRAGMA user_version = 1;
            INSERT INTO devices (mailbox, account, device, identity, waiting) VALUES (1, 'bob', 1, X'', 2);
            INSERT INTO envelopes (mailbox, id, bytes, seconds) VALUES (1, X'01', X'0102', 0), (1, X'02', X'03', 0), (1, X'03', NULL, 0);";
        open(&path).unwrap().execute_batch(older).unwrap();
        for _ in 0..2 {
            let connection = open(&path).unwrap();
            let bytes = connection.query_row("SELECT waiting_bytes FROM devices", [], |row| row.get(0));
            assert_eq!(bytes, Ok(3_i64));
        }
        open(&path).unwrap().pragma_update(None, "user_version", VERSION + 1).unwrap();
        assert!(open(&path).is_err());
        std::fs::remove_dir_all(folder).unwrap();
    }
}
