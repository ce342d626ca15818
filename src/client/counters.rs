//! The next number of every numbered table, and the newest time that was seen.

use super::record_names::Numbered;
use crate::error::{Fault, Result};
use crate::wire::{Reader, Writer};

const VERSION: u8 = 1;
const TABLES: usize = 7;

/// Kept in one record, which every operation that appends a row commits along.
#[derive(Clone, Default)]
pub(super) struct Counters {
    next: [u64; TABLES],
    /// The newest time of an operation, in seconds.
    newest: u64,
    changed: bool,
}

impl Counters {
    /// The next number of `table`.
    pub(super) fn take(&mut self, table: Numbered) -> Result<u64> {
        let slot = self.next.get_mut(table.index()).ok_or(Fault::RecordCorrupt)?;
        let number = *slot;
        *slot = number.checked_add(1).ok_or(Fault::SessionExhausted)?;
        self.changed = true;
        Ok(number)
    }

    /// The number that `take` would give.
    pub(super) fn next(&self, table: Numbered) -> u64 {
        self.next.get(table.index()).copied().unwrap_or_default()
    }

    /// The newest time of an operation, in seconds.
    pub(super) const fn newest(&self) -> u64 {
        self.newest
    }

    /// Notes the time of an operation.
    pub(super) fn saw_time(&mut self, now: u64) {
        if now > self.newest {
            self.newest = now;
            self.changed = true;
        }
    }

    /// Takes `now` for the time, even if it is earlier than before.
    pub(super) fn set_time(&mut self, now: u64) {
        self.newest = now;
        self.changed = true;
    }

    /// Has the record written although nothing in it is new.
    pub(super) fn touch(&mut self) {
        self.changed = true;
    }

    pub(super) const fn is_changed(&self) -> bool {
        self.changed
    }

    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut out = Writer::with_capacity(64);
        out.u8(VERSION).u64(self.newest);
        for next in self.next {
            out.u64(next);
        }
        out.into_vec()
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let mut input = Reader::new(bytes, Fault::RecordCorrupt);
        if input.u8()? != VERSION {
            return Err(Fault::RecordVersion.into());
        }
        let newest = input.u64()?;
        let mut next = [0; TABLES];
        for slot in &mut next {
            *slot = input.u64()?;
        }
        input.finish()?;
        Ok(Self { next, newest, changed: false })
    }
}
