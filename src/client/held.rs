//! Envelopes that cannot be dealt with yet: their sender's key waits for the user's word, or the network for its list to be asked for.

use super::handle::Inner;
use super::receive::Arrival;
use super::record_names::Numbered;
use super::transaction::Transaction;
use crate::crypto::Zeroizing;
use crate::error::{Error, Fault, Result};
use crate::transport::EnvelopeId;
use crate::wire::{Reader, Writer};
use std::sync::PoisonError;

const VERSION: u8 = 1;
/// How many are kept in all, and how many of one account, so that one that waits for the user leaves room for others. Those beyond are for their senders to
/// send again.
const MOST: usize = 512;
const MOST_OF_ONE: usize = 256;
/// For how many seconds one is kept.
pub(super) const HELD_AGE: u64 = 30 * 86_400;
/// After how many seconds they are tried again, where the network was in the way.
pub(super) const HELD_WAIT: u64 = 10;
/// How many of them are tried in one commit.
const AT_ONCE: usize = 64;

/// One of them in the store.
struct HeldRow {
    /// Since when, in seconds.
    since: u64,
    /// What it waits for.
    account: String,
    bytes: Vec<u8>,
}

impl HeldRow {
    fn to_bytes(&self) -> Result<Vec<u8>> {
        let mut out = Writer::with_capacity(self.bytes.len() + 300);
        out.u8(VERSION).u64(self.since).prefixed(self.account.as_bytes())?.bytes(&self.bytes);
        Ok(out.into_vec())
    }

    fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let mut input = Reader::new(bytes, Fault::RecordCorrupt);
        if input.u8()? != VERSION {
            return Err(Fault::RecordVersion.into());
        }
        let since = input.u64()?;
        let account = String::from_utf8(input.prefixed()?.to_vec()).map_err(|_| Error::from(Fault::RecordCorrupt))?;
        Ok(Self { since, account, bytes: input.rest().to_vec() })
    }
}

impl Inner {
    /// When held envelopes are to be tried again, in seconds.
    pub(super) fn held_until(&self) -> Option<u64> {
        *self.held_until.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has held envelopes tried again at once: the user decided something.
    pub(super) fn release_held(&self) {
        self.retry_held_at(0);
    }

    pub(super) fn retry_held_at(&self, time: u64) {
        let mut until = self.held_until.lock().unwrap_or_else(PoisonError::into_inner);
        *until = Some(until.map_or(time, |known| known.min(time)));
    }

    /// Tries held envelopes again when their time has come.
    pub(super) async fn retry_held(&self, now: u64) -> Result<()> {
        if self.held_until().is_none_or(|until| until > now) {
            return Ok(());
        }
        *self.held_until.lock().unwrap_or_else(PoisonError::into_inner) = None;
        let mut retry = Retry { inner: self, is_over: false };
        let mut after = None;
        loop {
            let rows = self.store.scan(&Numbered::Held.all(), after, AT_ONCE).await?.entries;
            let Some((last, _)) = rows.last() else { break };
            after = Some(*last);
            self.read_all(arrivals(&rows)?).await?;
        }
        retry.is_over = true;
        Ok(())
    }
}

fn arrivals(rows: &[(u64, Zeroizing<Vec<u8>>)]) -> Result<Vec<Arrival>> {
    let mut arrivals = Vec::with_capacity(rows.len());
    for (number, bytes) in rows {
        let HeldRow { since, bytes, .. } = HeldRow::from_bytes(bytes)?;
        arrivals.push(Arrival { id: EnvelopeId([0; 16]), bytes, held: Some((*number, since)) });
    }
    Ok(arrivals)
}

/// Has held envelopes tried again when the call that tried them failed, or was dropped in the middle.
struct Retry<'a> {
    inner: &'a Inner,
    is_over: bool,
}

impl Drop for Retry<'_> {
    fn drop(&mut self) {
        if !self.is_over {
            self.inner.release_held();
        }
    }
}

impl Transaction<'_> {
    /// I2: keeps an envelope that cannot be dealt with yet, so that the server may forget it and nobody else's mail waits behind it. False if there is no room.
    pub(super) async fn hold(&mut self, account: &str, bytes: &[u8]) -> Result<bool> {
        let (mut all, mut of_account) = (0, 0);
        for (_, row) in self.rows(Numbered::Held, None, MOST).await? {
            all += 1;
            of_account += usize::from(HeldRow::from_bytes(&row)?.account == account);
        }
        // Those of the same commit are not among the rows yet.
        all += self.held.len();
        of_account += self.held.iter().filter(|held| *held == account).count();
        if all >= MOST || of_account >= MOST_OF_ONE {
            return Ok(false);
        }
        let row = HeldRow { since: self.now, account: account.to_owned(), bytes: bytes.to_vec() };
        self.append(Numbered::Held, row.to_bytes()?).await?;
        self.held.push(account.to_owned());
        Ok(true)
    }
}
