//! Keys of messages that were passed over, in wait for them.

use crate::crypto::Secret;
use crate::error::Result;
use crate::wire::{Reader, Writer};
use core::mem;

/// The seed of one message that was passed over, and when.
pub struct SkippedKey {
    n: u32,
    since: u64,
    seed: Secret<32>,
}

impl SkippedKey {
    /// The seed of message `n`, passed over at the time `since` (seconds).
    pub const fn new(n: u32, since: u64, seed: Secret<32>) -> Self {
        Self { n, since, seed }
    }
}

/// The skipped keys of one chain, in rising order.
///
/// A key that is used or given up is wiped where it lies before anything moves, so that no copy stays behind in the vector's spare room.
#[derive(Default)]
pub struct SkippedKeys {
    keys: Vec<SkippedKey>,
}

impl SkippedKeys {
    /// How many are held.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether none is held.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// The seed of message `n`, if it is held.
    pub fn get(&self, n: u32) -> Option<&Secret<32>> {
        let position = self.keys.binary_search_by_key(&n, |key| key.n).ok()?;
        self.keys.get(position).map(|key| &key.seed)
    }

    /// Gives up the key of message `n` (DR-8).
    pub fn remove(&mut self, n: u32) {
        let Ok(position) = self.keys.binary_search_by_key(&n, |key| key.n) else { return };
        if let Some(tail) = self.keys.get_mut(position..) {
            if let Some(key) = tail.first_mut() {
                key.seed = Secret::new([0; 32]);
            }
            tail.rotate_left(1);
        }
        self.keys.pop();
    }

    /// Adds keys that all come after those held.
    pub fn extend(&mut self, later: Vec<SkippedKey>) {
        if self.keys.is_empty() {
            self.keys = later;
            return;
        }
        let mut all = Vec::with_capacity(self.keys.len() + later.len());
        let earlier = mem::take(&mut self.keys);
        for mut key in earlier.into_iter().chain(later) {
            let seed = mem::replace(&mut key.seed, Secret::new([0; 32]));
            all.push(SkippedKey { n: key.n, since: key.since, seed });
        }
        self.keys = all;
    }

    /// Gives up the `count` oldest.
    pub fn drop_oldest(&mut self, count: usize) {
        let count = count.min(self.keys.len());
        for key in self.keys.iter_mut().take(count) {
            key.seed = Secret::new([0; 32]);
        }
        self.keys.rotate_left(count);
        self.keys.truncate(self.keys.len() - count);
    }

    /// Gives up the keys of messages below `n`.
    pub fn drop_below(&mut self, n: u32) {
        let below = self.keys.iter().take_while(|key| key.n < n).count();
        if below > 0 {
            self.drop_oldest(below);
        }
    }

    /// Gives up what was passed over before `time` (DR-7).
    pub fn drop_older_than(&mut self, time: u64) {
        let old = self.keys.iter().take_while(|key| key.since < time).count();
        if old > 0 {
            self.drop_oldest(old);
        }
    }

    /// Writes the keys for a record.
    pub fn encode(&self, out: &mut Writer) {
        out.u32(u32::try_from(self.keys.len()).unwrap_or(u32::MAX));
        for key in &self.keys {
            out.u32(key.n).u64(key.since).bytes(key.seed.expose());
        }
    }

    /// Reads what [`encode`](Self::encode) wrote: at most `limit` keys, in rising order, all below `next`.
    pub fn decode(input: &mut Reader<'_>, limit: usize, next: u32) -> Result<Self> {
        let fault = input.fault();
        let count = usize::try_from(input.u32()?).map_err(|_| fault)?;
        if count > limit {
            return Err(fault.into());
        }
        let mut keys: Vec<SkippedKey> = Vec::with_capacity(count);
        for _ in 0..count {
            let key = SkippedKey { n: input.u32()?, since: input.u64()?, seed: input.secret()? };
            if key.n >= next || keys.last().is_some_and(|last| last.n >= key.n) {
                return Err(fault.into());
            }
            keys.push(key);
        }
        Ok(Self { keys })
    }
}
