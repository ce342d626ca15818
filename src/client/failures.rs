//! Envelopes that could not be read: counted, told of when they are many, and taken as a sign that a session is broken (security.md, C5).
//!
//! Mending is bounded: a device is asked for a new session at most once a minute, then ever more rarely, so that neither a forger nor two broken devices can
//! keep each other busy.

use super::event::{SecurityEvent, SecurityKind};
use super::handle::age;
use super::intent::{Intent, Task};
use super::letters::is_lost;
use super::observe::Note;
use super::peer::Peer;
use super::receive::Failure;
use super::record_names::{self, Numbered};
use super::transaction::Transaction;
use crate::error::{Error, ErrorKind, Fault, Result};
use crate::wire::{Address, Reader, Writer};

const VERSION: u8 = 1;
/// Over how many seconds failures are counted together.
const WINDOW: u64 = 600;
/// How many of them are a burst. As many are told one by one, and no more: a forger does not fill the store with events.
const BURST: u32 = 10;
/// After how many failures in its sessions a device gets a new one.
const FAILURES: u32 = 3;
/// The least time between two new sessions with a device, in seconds, doubled each time.
const BETWEEN_RENEWALS: u64 = 60;
const LONGEST_BETWEEN_RENEWALS: u64 = 86_400;

/// What could not be read lately.
#[derive(Clone, Copy, Default)]
struct Failures {
    /// When the window began, in seconds.
    since: u64,
    count: u32,
    /// How many of them were told by themselves.
    told: u32,
    /// When sessions were last looked through for lost ones, in seconds.
    searched: u64,
}

impl Transaction<'_> {
    /// Takes note of an envelope that could not be read.
    pub(super) async fn note_failure(&mut self, failure: &Failure) -> Result<()> {
        let Failure { error, suspect } = failure;
        self.notes.push(Note::Failed(error.code()));
        let about = |event: SecurityEvent| match suspect {
            Some(device) => event.about(device.name(), Some(device.device())),
            None => event,
        };
        let mut failures = self.failures().await?;
        if age(self.now, failures.since) > WINDOW {
            (failures.since, failures.count, failures.told) = (self.now, 0, 0);
        }
        if let Some(kind) = warning(error)
            && failures.told < BURST
        {
            failures.told += 1;
            self.warn(about(SecurityEvent::of(kind, error.code()))).await?;
        }
        if error.kind() == ErrorKind::Duplicate {
            self.put(record_names::failures(), failures.to_bytes());
            return Ok(());
        }
        failures.count = failures.count.saturating_add(1);
        if failures.count == BURST {
            self.warn(SecurityEvent::of(SecurityKind::FailureBurst, error.code())).await?;
        }
        match suspect {
            Some(device) => self.suspect(device, error).await?,
            None if error.code() == Error::from(Fault::NoSession).code()
                && age(self.now, failures.searched) > WINDOW =>
            {
                failures.searched = self.now;
                self.mend_lost_sessions().await?;
            }
            None => {}
        }
        self.put(record_names::failures(), failures.to_bytes());
        Ok(())
    }

    async fn failures(&mut self) -> Result<Failures> {
        let stored = self.get(&record_names::failures()).await?;
        stored.map_or_else(|| Ok(Failures::default()), |bytes| Failures::from_bytes(&bytes))
    }

    async fn suspect(&mut self, device: &Address, error: &Error) -> Result<()> {
        let mut peer = self.peer(device).await?;
        peer.repair.failures = peer.repair.failures.saturating_add(1);
        // A message for a prekey or a session that is gone cannot be read by trying again, and its sender does not know.
        let is_hopeless = matches!(error.kind(), ErrorKind::UnknownPrekey | ErrorKind::NoSession);
        if is_hopeless || peer.repair.failures >= FAILURES {
            self.renew(&mut peer).await?;
        }
        self.put_peer(&peer);
        Ok(())
    }

    /// An envelope belongs to no session: if sessions were lost, their peers are asked for new ones.
    async fn mend_lost_sessions(&mut self) -> Result<()> {
        for bytes in self.all(&record_names::peers()).await? {
            let mut peer = Peer::from_bytes(&bytes)?;
            let is_lost = match self.get(&record_names::session(&peer.address)).await {
                Ok(found) => found.is_none(),
                Err(error) => is_lost(&error),
            };
            if is_lost {
                self.renew(&mut peer).await?;
                self.put_peer(&peer);
            }
        }
        Ok(())
    }

    /// Has a new session begun, unless one was lately.
    pub(super) async fn renew(&mut self, peer: &mut Peer) -> Result<()> {
        let repair = &mut peer.repair;
        let since = age(self.now, repair.renewed);
        if repair.renewed != 0 && since > LONGEST_BETWEEN_RENEWALS {
            repair.renewals = 0;
        }
        let wait = BETWEEN_RENEWALS.checked_shl(repair.renewals.min(20)).unwrap_or(LONGEST_BETWEEN_RENEWALS);
        if repair.renewed != 0 && since < wait.min(LONGEST_BETWEEN_RENEWALS) {
            return Ok(());
        }
        repair.renewed = self.now.max(1);
        repair.renewals = repair.renewals.saturating_add(1);
        repair.failures = 0;
        self.notes.push(Note::Renewed);
        let task = Task::Renew { to: peer.address.clone() };
        self.append(Numbered::Intents, Intent::now(task).to_bytes()?).await?;
        Ok(())
    }
}

/// What the application is told of one envelope that could not be read, if that is more than a failure.
fn warning(error: &Error) -> Option<SecurityKind> {
    match error.code() {
        "handshake.replayed" => Some(SecurityKind::Replay),
        // B34, C7: what was received before is recognised by its bytes and does not come this far.
        "message.duplicate" => Some(SecurityKind::CloneEvidence),
        "handshake.no_kem" | "handshake.x3dh_not_allowed" | "message.no_post_quantum" => Some(SecurityKind::Downgrade),
        "devices.unlisted" => Some(SecurityKind::UnlistedDevice),
        _ => None,
    }
}

impl Failures {
    fn to_bytes(self) -> Vec<u8> {
        let mut out = Writer::with_capacity(32);
        out.u8(VERSION).u64(self.since).u32(self.count).u32(self.told).u64(self.searched);
        out.into_vec()
    }

    fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let mut input = Reader::new(bytes, Fault::RecordCorrupt);
        if input.u8()? != VERSION {
            return Err(Fault::RecordVersion.into());
        }
        let failures = Self { since: input.u64()?, count: input.u32()?, told: input.u32()?, searched: input.u64()? };
        input.finish()?;
        Ok(failures)
    }
}
