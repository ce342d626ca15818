//! Accounts, their device lists and prekeys, as they stand in the database.

use rusqlite::{Connection, OptionalExtension, Row, params};
use undertone::handshake::PublishedPrekey;
use undertone::identity::{DeviceList, verify_login};
use undertone::transport::{PrekeyStock, PrekeyUpload, Publication, TransportFault, admission};
use undertone::{Address, IdentityKey, UndertoneIdentityKey};

/// A signature over a challenge of this relay.
#[derive(Clone)]
pub struct SignIn {
    pub device: Address,
    pub challenge: [u8; 32],
    pub signature: [u8; 64],
}

/// What a sign-in comes to.
pub enum SignedIn {
    /// It is the device that this mailbox belongs to.
    Device(i64),
    /// The device is on no list yet: it may publish the statement that puts it there, and nothing else.
    Candidate,
}

/// What a publication comes to.
pub struct Published {
    pub mailbox: i64,
    pub stock: PrekeyStock,
    /// Mailboxes of devices that are no longer on the list.
    pub removed: Vec<i64>,
}

type Answer<T> = rusqlite::Result<Result<T, TransportFault>>;

/// Checks a signature against the account's device list.
pub fn sign_in(connection: &Connection, login: &SignIn) -> Answer<SignedIn> {
    let Some((mailbox, identity)) = device(connection, &login.device)? else {
        let list = device_list(connection, login.device.name())?;
        let was_removed = list.is_some_and(|list| list.was_removed(login.device.device()));
        return Ok(if was_removed { Err(TransportFault::Unauthorized) } else { Ok(SignedIn::Candidate) });
    };
    let verified = UndertoneIdentityKey::restore(&identity).is_ok_and(|identity| verifies(login, &identity));
    Ok(if verified { Ok(SignedIn::Device(mailbox)) } else { Err(TransportFault::Unauthorized) })
}

/// Takes over statements and prekeys. `candidate` is the sign-in of a device that was on no list when it signed in. The prekeys' signatures have been checked.
pub fn publish(
    connection: &Connection,
    publication: &Publication,
    candidate: Option<&SignIn>,
    seconds: i64,
) -> Answer<Published> {
    let (name, number) = (publication.device.name(), publication.device.device());
    let known = device_list(connection, name)?;
    let before = known.as_ref().map(DeviceList::number);
    let list = match known {
        Some(mut list) => list.extend(&publication.statements).map(|_| list),
        None => DeviceList::verify(name, &publication.statements),
    };
    let Ok(list) = list else { return Ok(Err(TransportFault::Refused)) };
    let Some(listed) = list.device(number) else { return Ok(Err(TransportFault::Unauthorized)) };
    if candidate.is_some_and(|login| login.device != publication.device || !verifies(login, &listed.identity)) {
        return Ok(Err(TransportFault::Unauthorized));
    }
    if publication.prekeys.as_ref().is_some_and(|upload| upload.identity[..] != listed.identity.to_bytes()) {
        return Ok(Err(TransportFault::Refused));
    }
    let removed = if before == Some(list.number()) { Vec::new() } else { keep_list(connection, &list)? };
    let Some((mailbox, _)) = device(connection, &publication.device)? else {
        return Ok(Err(TransportFault::Unauthorized));
    };
    if let Some(upload) = &publication.prekeys {
        let is_new = connection
            .prepare_cached("INSERT OR IGNORE INTO publications (mailbox, id, seconds) VALUES (?, ?, ?)")?
            .execute(params![mailbox, publication.id, seconds])?;
        if is_new == 1 {
            keep_prekeys(connection, mailbox, upload)?;
        }
    }
    Ok(Ok(Published { mailbox, stock: stock(connection, mailbox)?, removed }))
}

/// The statements of an account after number `after`.
pub fn statements(connection: &Connection, account: &str, after: u64) -> Answer<Vec<Vec<u8>>> {
    let list = device_list(connection, account)?;
    Ok(list.map(|list| list.statements_after(after)).ok_or(TransportFault::UnknownAccount))
}

/// One bundle for each of `devices` that has published; one-time prekeys are gone from the database with the commit that this is part of.
pub fn fetch(connection: &Connection, account: &str, devices: &[u8]) -> Answer<Vec<Vec<u8>>> {
    if number(connection, account)?.is_none() {
        return Ok(Err(TransportFault::UnknownAccount));
    }
    let mut bundles = Vec::new();
    for &number in devices {
        let Ok(address) = Address::new(account, number) else { continue };
        let Some((mailbox, upload)) = uploaded(connection, &address)? else { continue };
        let one_time = take_prekey(connection, mailbox, false)?;
        let one_time_kem = take_prekey(connection, mailbox, true)?;
        bundles.extend(admission::assemble_bundle(&address, &upload, one_time, one_time_kem));
    }
    Ok(Ok(bundles))
}

/// The number of the newest statement of an account.
pub fn number(connection: &Connection, account: &str) -> rusqlite::Result<Option<i64>> {
    connection
        .prepare_cached("SELECT number FROM accounts WHERE name = ?")?
        .query_row([account], |row| row.get(0))
        .optional()
}

fn verifies(login: &SignIn, identity: &UndertoneIdentityKey) -> bool {
    verify_login(identity, &login.device, &login.challenge, &login.signature).is_ok()
}

fn device(connection: &Connection, address: &Address) -> rusqlite::Result<Option<(i64, Vec<u8>)>> {
    connection
        .prepare_cached("SELECT mailbox, identity FROM devices WHERE account = ? AND device = ?")?
        .query_row(params![address.name(), address.device()], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()
}

fn device_list(connection: &Connection, account: &str) -> rusqlite::Result<Option<DeviceList>> {
    let bytes: Option<Vec<u8>> = connection
        .prepare_cached("SELECT list FROM accounts WHERE name = ?")?
        .query_row([account], |row| row.get(0))
        .optional()?;
    let list = bytes.map(|bytes| DeviceList::from_bytes(&bytes)).transpose();
    list.map_err(|error| rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Blob, Box::new(error)))
}

fn keep_list(connection: &Connection, list: &DeviceList) -> rusqlite::Result<Vec<i64>> {
    connection
        .prepare_cached("INSERT OR REPLACE INTO accounts (name, number, list) VALUES (?, ?, ?)")?
        .execute(params![list.name(), i64::try_from(list.number()).unwrap_or(i64::MAX), list.to_bytes()])?;
    for listed in list.devices() {
        connection
            .prepare_cached("INSERT OR IGNORE INTO devices (account, device, identity) VALUES (?, ?, ?)")?
            .execute(params![list.name(), listed.device, listed.identity.to_bytes()])?;
    }
    let kept: Vec<(i64, u8)> = connection
        .prepare_cached("SELECT mailbox, device FROM devices WHERE account = ?")?
        .query_map([list.name()], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<rusqlite::Result<_>>()?;
    let removed: Vec<i64> =
        kept.into_iter().filter(|(_, device)| list.device(*device).is_none()).map(|(mailbox, _)| mailbox).collect();
    for mailbox in &removed {
        connection.prepare_cached("DELETE FROM devices WHERE mailbox = ?")?.execute([mailbox])?;
    }
    Ok(removed)
}

fn keep_prekeys(connection: &Connection, mailbox: i64, upload: &PrekeyUpload) -> rusqlite::Result<()> {
    let before: Option<u32> = connection
        .prepare_cached("SELECT registration_id FROM devices WHERE mailbox = ?")?
        .query_row([mailbox], |row| row.get(0))?;
    if before.is_some_and(|before| before != upload.registration_id) {
        connection.prepare_cached("DELETE FROM prekeys WHERE mailbox = ?")?.execute([mailbox])?;
    }
    let (signed, last_resort) = (&upload.signed_prekey, &upload.last_resort_prekey);
    connection
        .prepare_cached(
            "UPDATE devices SET registration_id = ?, signed_id = ?, signed_public = ?, signed_signature = ?,
             last_resort_id = ?, last_resort_public = ?, last_resort_signature = ? WHERE mailbox = ?",
        )?
        .execute(params![
            upload.registration_id,
            signed.id,
            signed.public,
            signed.signature,
            last_resort.id,
            last_resort.public,
            last_resort.signature,
            mailbox
        ])?;
    for (kem, prekeys) in [(false, &upload.one_time_prekeys), (true, &upload.one_time_kem_prekeys)] {
        for prekey in prekeys {
            connection
                .prepare_cached(
                    "INSERT OR IGNORE INTO prekeys (mailbox, kem, id, public, signature) VALUES (?, ?, ?, ?, ?)",
                )?
                .execute(params![mailbox, kem, prekey.id, prekey.public, prekey.signature])?;
        }
    }
    Ok(())
}

fn stock(connection: &Connection, mailbox: i64) -> rusqlite::Result<PrekeyStock> {
    let count = |kem: bool| {
        connection
            .prepare_cached("SELECT COUNT(*) FROM prekeys WHERE mailbox = ? AND kem = ? AND public IS NOT NULL")?
            .query_row(params![mailbox, kem], |row| row.get(0))
    };
    Ok(PrekeyStock { one_time: count(false)?, one_time_kem: count(true)? })
}

fn uploaded(connection: &Connection, address: &Address) -> rusqlite::Result<Option<(i64, PrekeyUpload)>> {
    let read = |row: &Row<'_>| {
        let upload = PrekeyUpload {
            identity: row.get(1)?,
            registration_id: row.get(2)?,
            signed_prekey: prekey(row, 3)?,
            last_resort_prekey: prekey(row, 6)?,
            one_time_prekeys: Vec::new(),
            one_time_kem_prekeys: Vec::new(),
        };
        Ok((row.get(0)?, upload))
    };
    connection
        .prepare_cached(
            "SELECT mailbox, identity, registration_id, signed_id, signed_public, signed_signature,
             last_resort_id, last_resort_public, last_resort_signature FROM devices
             WHERE account = ? AND device = ? AND registration_id IS NOT NULL",
        )?
        .query_row(params![address.name(), address.device()], read)
        .optional()
}

fn take_prekey(connection: &Connection, mailbox: i64, kem: bool) -> rusqlite::Result<Option<PublishedPrekey>> {
    let taken = connection
        .prepare_cached(
            "SELECT id, public, signature FROM prekeys
             WHERE mailbox = ? AND kem = ? AND public IS NOT NULL ORDER BY id LIMIT 1",
        )?
        .query_row(params![mailbox, kem], |row| prekey(row, 0))
        .optional()?;
    if let Some(prekey) = &taken {
        connection
            .prepare_cached(
                "UPDATE prekeys SET public = NULL, signature = NULL WHERE mailbox = ? AND kem = ? AND id = ?",
            )?
            .execute(params![mailbox, kem, prekey.id])?;
    }
    Ok(taken)
}

/// A prekey in three columns from `first` on.
fn prekey(row: &Row<'_>, first: usize) -> rusqlite::Result<PublishedPrekey> {
    Ok(PublishedPrekey { id: row.get(first)?, public: row.get(first + 1)?, signature: row.get(first + 2)? })
}
