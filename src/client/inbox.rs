//! Events on their way to the application: written in the commit that they belong to, told until they are confirmed (I3).

use super::event::{Event, EventId, EventKind, SecurityEvent};
use super::handle::Inner;
use super::observe::Note;
use super::record_names::Numbered;
use super::transaction::{Operation, Transaction};
use crate::error::{Fault, Result};
use crate::runtime::async_trait;

/// How many events are read at once.
const AT_ONCE: usize = 32;

impl Transaction<'_> {
    /// Stages an event.
    pub(super) async fn tell(&mut self, kind: EventKind) -> Result<()> {
        if matches!(kind, EventKind::Message(_)) {
            self.notes.push(Note::Received);
        }
        self.append(Numbered::Inbox, kind.to_bytes()?).await?;
        Ok(())
    }

    /// Stages a security event.
    pub(super) async fn warn(&mut self, event: SecurityEvent) -> Result<()> {
        self.notes.push(Note::Security(event.kind));
        self.tell(EventKind::Security(event)).await
    }
}

impl Inner {
    /// The next event that this client has not told yet.
    pub(super) async fn take_event(&self) -> Result<Option<Event>> {
        let mut told = self.told.lock().await;
        if let Some(event) = told.ready.pop_front() {
            return Ok(Some(event));
        }
        let rows = self.store.scan(&Numbered::Inbox.all(), told.after, AT_ONCE).await?.entries;
        for (number, bytes) in rows {
            told.ready.push_back(Event { id: EventId(number), kind: EventKind::from_bytes(&bytes)? });
            told.after = Some(number);
        }
        Ok(told.ready.pop_front())
    }

    /// Forgets an event; false if it was confirmed before.
    pub(super) async fn confirm(&self, event: EventId) -> Result<bool> {
        Ok(self.transact(Confirm { event, was_there: false }).await?.into_inner())
    }
}

struct Confirm {
    event: EventId,
    /// Whether an attempt found it.
    was_there: bool,
}

#[cfg_attr(not(target_family = "wasm"), async_trait)]
#[cfg_attr(target_family = "wasm", async_trait(?Send))]
impl Operation for Confirm {
    type Output = bool;

    async fn plan(&mut self, transaction: &mut Transaction<'_>) -> Result<bool> {
        if self.event.0 >= transaction.counters().await?.next(Numbered::Inbox) {
            return Err(Fault::EventUnknown.into());
        }
        let name = Numbered::Inbox.row(self.event.0);
        let is_there = transaction.get(&name).await?.is_some();
        if is_there {
            transaction.remove(name);
            self.was_there = true;
        }
        // M9: what is gone after a commit of unknown outcome was confirmed by that commit.
        Ok(is_there || (self.was_there && transaction.may_be_done))
    }
}
