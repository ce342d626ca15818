//! Envelopes that wait, witnesses and meeting places, as they stand in the database.

use crate::accounts;
use rusqlite::{Connection, OptionalExtension, params};
use undertone::transport::{
    Delivery, EnvelopeId, MeetingPlace, Outbound, ServerLimits, TransportFault, Verdict, Witness,
};

/// No more envelopes are read once there are so many bytes of them: they go into one frame.
const ENOUGH: usize = 1 << 20;

/// What is kept at most.
pub struct Limits {
    /// The size of an envelope, and how many wait for one device.
    pub server: ServerLimits,
    /// The bytes of those that wait for one device.
    pub mailbox_bytes: usize,
}

type Answer<T> = rusqlite::Result<Result<T, TransportFault>>;

/// Keeps `envelopes`: what became of each, and the mailboxes in which something has arrived.
pub fn keep(
    connection: &Connection,
    envelopes: &[Outbound],
    limits: &Limits,
    seconds: i64,
) -> Answer<(Vec<Verdict>, Vec<i64>)> {
    let mut verdicts = Vec::with_capacity(envelopes.len());
    let mut arrived = Vec::new();
    for envelope in envelopes {
        verdicts.push(keep_one(connection, envelope, limits, seconds, &mut arrived)?);
    }
    Ok(Ok((verdicts, arrived)))
}

/// Up to `limit` envelopes that came after number `after`, with their numbers, and whether there may be more; `Unauthorized` if the device is on its list no longer.
pub fn waiting(
    connection: &Connection,
    mailbox: i64,
    after: i64,
    limit: usize,
) -> Answer<(Vec<(i64, Delivery)>, bool)> {
    let exists = connection.prepare_cached("SELECT 1 FROM devices WHERE mailbox = ?")?.exists([mailbox])?;
    if !exists {
        return Ok(Err(TransportFault::Unauthorized));
    }
    let mut statement = connection.prepare_cached(
        "SELECT number, id, bytes FROM envelopes
         WHERE mailbox = ? AND number > ? AND bytes IS NOT NULL ORDER BY number LIMIT ?",
    )?;
    let mut rows = statement.query(params![mailbox, after, number_of(limit)])?;
    let (mut found, mut bytes) = (Vec::new(), 0);
    while bytes < ENOUGH
        && let Some(row) = rows.next()?
    {
        let delivery = Delivery { id: EnvelopeId(row.get(1)?), bytes: row.get(2)? };
        bytes += delivery.bytes.len();
        found.push((row.get(0)?, delivery));
    }
    let may_be_more = found.len() >= limit || bytes >= ENOUGH;
    Ok(Ok((found, may_be_more)))
}

/// Forgets envelopes, and tells how many there were.
pub fn acknowledge(connection: &Connection, mailbox: i64, ids: &[EnvelopeId]) -> Answer<usize> {
    let (mut count, mut bytes) = (0, 0);
    for id in ids {
        let waits: Option<(i64, i64)> = connection
            .prepare_cached(
                "SELECT number, LENGTH(bytes) FROM envelopes WHERE mailbox = ? AND id = ? AND bytes IS NOT NULL",
            )?
            .query_row(params![mailbox, id.0], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        if let Some((number, size)) = waits {
            connection.prepare_cached("UPDATE envelopes SET bytes = NULL WHERE number = ?")?.execute([number])?;
            count += 1;
            bytes += size;
        }
    }
    connection
        .prepare_cached(
            "UPDATE devices SET waiting = waiting - ?, waiting_bytes = waiting_bytes - ? WHERE mailbox = ?",
        )?
        .execute(params![count, bytes, mailbox])?;
    Ok(Ok(usize::try_from(count).unwrap_or(0)))
}

/// Keeps `mine` if its generation is the highest, and returns what was highest before.
pub fn witness(connection: &Connection, mailbox: i64, mine: &Witness) -> Answer<Option<Witness>> {
    let before = connection
        .prepare_cached(
            "SELECT witness_generation, witness_mac FROM devices WHERE mailbox = ? AND witness_mac IS NOT NULL",
        )?
        .query_row([mailbox], |row| {
            let generation: i64 = row.get(0)?;
            Ok(Witness { generation: generation.cast_unsigned(), mac: row.get(1)? })
        })
        .optional()?;
    if before.is_none_or(|before| before.generation < mine.generation) {
        connection
            .prepare_cached("UPDATE devices SET witness_generation = ?, witness_mac = ? WHERE mailbox = ?")?
            .execute(params![mine.generation.cast_signed(), mine.mac, mailbox])?;
    }
    Ok(Ok(before))
}

/// Leaves a message at a meeting place; the first of its number stays.
pub fn leave(connection: &Connection, place: &MeetingPlace, number: u8, message: &[u8], seconds: i64) -> Answer<()> {
    connection
        .prepare_cached("INSERT OR IGNORE INTO meeting_places (place, number, message, seconds) VALUES (?, ?, ?, ?)")?
        .execute(params![place.0, number, message, seconds])?;
    Ok(Ok(()))
}

/// The message of this number, if one was left since `since`.
pub fn collect(connection: &Connection, place: &MeetingPlace, number: u8, since: i64) -> Answer<Option<Vec<u8>>> {
    let message = connection
        .prepare_cached("SELECT message FROM meeting_places WHERE place = ? AND number = ? AND seconds >= ?")?
        .query_row(params![place.0, number, since], |row| row.get(0))
        .optional()?;
    Ok(Ok(message))
}

/// Forgets envelopes and publications from before `envelopes`, and messages at meeting places from before `places`. Tells how many envelopes still waited.
pub fn expire(connection: &Connection, envelopes: i64, places: i64) -> Answer<usize> {
    let waited: i64 = connection.query_row(
        "SELECT COUNT(*) FROM envelopes WHERE seconds < ? AND bytes IS NOT NULL",
        [envelopes],
        |row| row.get(0),
    )?;
    let forgotten = connection.execute("DELETE FROM envelopes WHERE seconds < ?", [envelopes])?;
    connection.execute("DELETE FROM publications WHERE seconds < ?", [envelopes])?;
    connection.execute("DELETE FROM meeting_places WHERE seconds < ?", [places])?;
    if forgotten > 0 {
        connection.execute(
            "UPDATE devices SET (waiting, waiting_bytes) = (SELECT COUNT(*), COALESCE(SUM(LENGTH(bytes)), 0)
             FROM envelopes WHERE envelopes.mailbox = devices.mailbox AND bytes IS NOT NULL)",
            [],
        )?;
    }
    Ok(Ok(usize::try_from(waited).unwrap_or(0)))
}

fn keep_one(
    connection: &Connection,
    envelope: &Outbound,
    limits: &Limits,
    seconds: i64,
    arrived: &mut Vec<i64>,
) -> rusqlite::Result<Verdict> {
    if envelope.bytes.len() > limits.server.envelope {
        return Ok(Verdict::TooLarge);
    }
    let to = &envelope.to;
    let Some(number) = accounts::number(connection, to.name())? else { return Ok(Verdict::NoSuchDevice) };
    let mailbox: Option<(i64, i64, i64)> = connection
        .prepare_cached("SELECT mailbox, waiting, waiting_bytes FROM devices WHERE account = ? AND device = ?")?
        .query_row(params![to.name(), to.device()], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .optional()?;
    let known = match mailbox {
        Some((mailbox, ..)) => connection
            .prepare_cached("SELECT 1 FROM envelopes WHERE mailbox = ? AND id = ?")?
            .exists(params![mailbox, envelope.id.0])?,
        None => false,
    };
    if known {
        return Ok(Verdict::Accepted);
    }
    if i64::try_from(envelope.device_list).is_ok_and(|seen| seen < number) {
        return Ok(Verdict::DevicesChanged);
    }
    let Some((mailbox, waiting, bytes)) = mailbox else { return Ok(Verdict::NoSuchDevice) };
    let size = number_of(envelope.bytes.len());
    if waiting >= number_of(limits.server.mailbox) || bytes.saturating_add(size) > number_of(limits.mailbox_bytes) {
        return Ok(Verdict::MailboxFull);
    }
    connection
        .prepare_cached("INSERT INTO envelopes (mailbox, id, bytes, seconds) VALUES (?, ?, ?, ?)")?
        .execute(params![mailbox, envelope.id.0, envelope.bytes, seconds])?;
    connection
        .prepare_cached(
            "UPDATE devices SET waiting = waiting + 1, waiting_bytes = waiting_bytes + ? WHERE mailbox = ?",
        )?
        .execute(params![size, mailbox])?;
    arrived.push(mailbox);
    Ok(Verdict::Accepted)
}

fn number_of(size: usize) -> i64 {
    i64::try_from(size).unwrap_or(i64::MAX)
}
