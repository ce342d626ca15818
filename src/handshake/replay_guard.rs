//! Which first messages a reusable prekey has served (PQ-20, B9; docs/protocol.md, section 4.4).

use crate::crypto::agreement::AgreementKey;
use crate::crypto::kdf::hmac;
use crate::error::{Error, Fault, Result};
use crate::rule::{self, Rule};
use crate::wire::{Reader, Writer};
use std::collections::BTreeSet;

/// How many first messages one prekey serves.
pub const REPLAY_GUARD: usize = 1024;

/// The first messages that were accepted with one prekey. It is erased with the prekey, and never forgets before: full, it refuses all.
#[derive(Default)]
pub struct ReplayGuard {
    seen: BTreeSet<[u8; 32]>,
}

impl ReplayGuard {
    /// What is recorded of a first message: what it agrees on, not its bytes, for the same handshake can be wrapped anew (P-7). `kem_prekey_id` is 0 in X3DH.
    pub fn value(signed_prekey_id: u32, kem_prekey_id: u32, base_key: &AgreementKey) -> [u8; 32] {
        let ids = [signed_prekey_id.to_be_bytes(), kem_prekey_id.to_be_bytes()];
        hmac(b"Undertone_1_replay", &[ids.as_flattened(), base_key.as_bytes()])
    }

    /// Whether a first message may be accepted.
    ///
    /// # Errors
    /// `handshake.replayed`, `handshake.replay_guard_full`.
    pub fn check(&self, value: &[u8; 32]) -> Result<()> {
        if !rule::on(Rule::Pq20) {
            return Ok(());
        }
        if self.seen.contains(value) {
            return Err(Fault::HandshakeReplayed.into());
        }
        if self.seen.len() >= REPLAY_GUARD {
            return Err(Fault::ReplayGuardFull.into());
        }
        Ok(())
    }

    /// Records an accepted first message.
    pub fn record(&mut self, value: [u8; 32]) {
        self.seen.insert(value);
    }

    /// How many are recorded.
    pub fn recorded(&self) -> usize {
        self.seen.len()
    }

    /// Writes the guard for a record.
    pub fn encode(&self, out: &mut Writer) {
        out.u16(u16::try_from(self.seen.len()).unwrap_or(u16::MAX));
        for value in &self.seen {
            out.bytes(value);
        }
    }

    /// Reads what [`encode`](Self::encode) wrote: in rising order, at most [`REPLAY_GUARD`].
    pub fn decode(input: &mut Reader<'_>) -> Result<Self> {
        let fault = input.fault();
        let count = usize::from(input.u16()?);
        if count > REPLAY_GUARD {
            return Err(Error::from(fault));
        }
        let mut seen = BTreeSet::new();
        for _ in 0..count {
            let value = *input.array()?;
            if seen.last().is_some_and(|last| *last >= value) {
                return Err(Error::from(fault));
            }
            seen.insert(value);
        }
        Ok(Self { seen })
    }
}
