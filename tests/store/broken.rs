//! The suite bites: each of these stores does one thing wrong, and is caught at it by name.

use core::future::poll_fn;
use core::task::Poll;
use futures_executor::block_on;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Weak};
use undertone::runtime::async_trait;
use undertone::store::{Batch, MemoryStore, Reading, Scan, Store, StoreFault, conformance};
use undertone::{Error, Result};

#[derive(Clone, Copy, PartialEq)]
enum Flaw {
    None,
    NoneButLate,
    BeginsAtOne,
    ReadsInOwnOrder,
    KeepsRemoved,
    TakesEmptyForNone,
    ScansBackwards,
    ComparesAsText,
    WrapsPrefixes,
    IgnoresPrefixAfter,
    IncludesAfter,
    IgnoresLimit,
    CapsBatch,
    CapsValue,
    CountsWrong,
    IgnoresGeneration,
    TakesNewerGeneration,
    WritesThenCompares,
    ComparesThenWrites,
    ConflictsAsIo,
    WritesRowByRow,
    StopsHalfway,
    ForgetsAtOnce,
    ForgetsWhenAllAreGone,
    IgnoresClose,
}

struct Flawed {
    flaw: Flaw,
    place: Arc<Place>,
    memory: MemoryStore,
}

/// What all stores at one place have in common.
#[derive(Default)]
struct Place {
    memory: MemoryStore,
    /// Changes that did not count as commits.
    uncounted: AtomicU64,
    name: String,
    commits: AtomicU64,
    /// Held by whoever changes something.
    turn: async_lock::Mutex<()>,
}

async fn give_way() {
    let mut given = false;
    poll_fn(|context| {
        context.waker().wake_by_ref();
        if std::mem::replace(&mut given, true) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

impl Flawed {
    async fn generation(&self) -> Result<u64> {
        Ok(self.memory.read(&[]).await?.generation - self.place.uncounted.load(Ordering::SeqCst))
    }

    /// A right commit.
    async fn honest(&self, batch: &Batch, expected_generation: u64) -> Result<u64> {
        let uncounted = self.place.uncounted.load(Ordering::SeqCst);
        Ok(self.memory.commit(batch, expected_generation.saturating_add(uncounted)).await? - uncounted)
    }

    /// Does what a commit does, without looking at the generation.
    async fn force(&self, batch: &Batch) -> Result<u64> {
        self.honest(batch, self.generation().await?).await
    }

    /// Changes values and leaves the generation as it is, as no right store can.
    async fn leak(&self, batch: &Batch) -> Result<()> {
        self.force(batch).await?;
        self.place.uncounted.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }

    /// One row after the other, and the others have their turn in between.
    async fn row_by_row(&self, batch: &Batch, expected_generation: u64) -> Result<u64> {
        if self.generation().await? != expected_generation {
            return Err(StoreFault::Conflict.into());
        }
        for change in &batch.changes {
            self.leak(&Batch { changes: vec![change.clone()] }).await?;
            give_way().await;
        }
        self.honest(&Batch::default(), expected_generation).await
    }
}

#[async_trait]
impl Store for Flawed {
    async fn read(&self, names: &[Vec<u8>]) -> Result<Reading> {
        if self.flaw == Flaw::IgnoresClose {
            return self.memory.clone().read(names).await;
        }
        let _turn = self.place.turn.lock().await;
        let mut names = names.to_vec();
        if self.flaw == Flaw::ReadsInOwnOrder {
            names.sort();
        }
        let mut reading = self.memory.read(&names).await?;
        reading.generation = self.generation().await?;
        match self.flaw {
            Flaw::BeginsAtOne => reading.generation += 1,
            Flaw::TakesEmptyForNone => reading.values.iter_mut().for_each(|value| {
                value.take_if(|value| value.is_empty());
            }),
            _ => {}
        }
        Ok(reading)
    }

    async fn scan(&self, prefix: &[u8], after: Option<&[u8]>, limit: usize) -> Result<Scan> {
        let _turn = self.place.turn.lock().await;
        let all = self.memory.scan(&[], None, usize::MAX).await?;
        let wrapped = |prefix: &[u8]| {
            let mut end = prefix.to_vec();
            end.last_mut().map(|last| *last = last.wrapping_add(1)).map(|()| end)
        };
        let mut entries = all.entries;
        match self.flaw {
            Flaw::WrapsPrefixes => {
                let end = wrapped(prefix);
                entries.retain(|(name, _)| name.as_slice() >= prefix && end.as_ref().is_none_or(|end| name < end));
            }
            Flaw::IgnoresPrefixAfter if after.is_some() => {}
            _ => entries.retain(|(name, _)| name.starts_with(prefix)),
        }
        match (self.flaw, after) {
            (Flaw::IncludesAfter, Some(after)) => entries.retain(|(name, _)| name.as_slice() >= after),
            (_, Some(after)) => entries.retain(|(name, _)| name.as_slice() > after),
            _ => {}
        }
        match self.flaw {
            Flaw::ScansBackwards => entries.reverse(),
            Flaw::ComparesAsText => entries.sort_by_key(|(name, _)| String::from_utf8_lossy(name).to_lowercase()),
            _ => {}
        }
        if self.flaw != Flaw::IgnoresLimit {
            entries.truncate(limit);
        }
        Ok(Scan { generation: self.generation().await?, entries })
    }

    async fn commit(&self, batch: &Batch, expected_generation: u64) -> Result<u64> {
        let mut batch = batch.clone();
        match self.flaw {
            Flaw::KeepsRemoved => batch.changes.retain(|(_, value)| value.is_some()),
            Flaw::CapsBatch => batch.changes.truncate(1000),
            Flaw::CapsValue => batch.changes.iter_mut().for_each(|(_, value)| {
                if let Some(value) = value {
                    value.truncate(1 << 20);
                }
            }),
            Flaw::CountsWrong => return self.honest(&batch, expected_generation).await.map(|n| n + 1),
            Flaw::IgnoresGeneration => return self.force(&batch).await,
            Flaw::TakesNewerGeneration => {
                return self.honest(&batch, expected_generation.min(self.generation().await?)).await;
            }
            Flaw::WritesThenCompares => {
                self.leak(&batch).await?;
            }
            Flaw::ComparesThenWrites => {
                if self.generation().await? != expected_generation {
                    return Err(StoreFault::Conflict.into());
                }
                give_way().await;
                return self.force(&batch).await;
            }
            Flaw::ConflictsAsIo => {
                let answer = self.honest(&batch, expected_generation).await;
                return answer.map_err(|_| Error::from(StoreFault::Io));
            }
            Flaw::WritesRowByRow if batch.changes.len() > 1 => {
                return self.row_by_row(&batch, expected_generation).await;
            }
            Flaw::NoneButLate if self.place.name == "abandoned-commit" => {
                // The first commit waits and is abandoned; the second meets what the first left, at once.
                match self.place.commits.fetch_add(1, Ordering::SeqCst) {
                    0 => give_way().await,
                    1 => return Err(StoreFault::Conflict.into()),
                    _ => {}
                }
            }
            Flaw::StopsHalfway => {
                let _turn = self.place.turn.lock().await;
                return self.row_by_row(&batch, expected_generation).await;
            }
            _ => {}
        }
        self.honest(&batch, expected_generation).await
    }

    async fn close(&self) -> Result<()> {
        self.memory.close().await
    }
}

/// The check that catches the flaw; `None` if all pass.
fn caught(flaw: Flaw) -> Option<&'static str> {
    let places = Mutex::new(HashMap::<String, (Weak<Place>, Option<Arc<Place>>)>::new());
    let open = async |name: &str| {
        let mut places = places.lock().unwrap();
        let new = || Arc::new(Place { name: name.to_owned(), ..Place::default() });
        let (weak, kept) = places.entry(name.to_owned()).or_default();
        let place = match flaw {
            Flaw::ForgetsAtOnce => new(),
            Flaw::ForgetsWhenAllAreGone => weak.upgrade().unwrap_or_else(new),
            _ => Arc::clone(kept.get_or_insert_with(new)),
        };
        *weak = Arc::downgrade(&place);
        let memory = place.memory.clone();
        Ok(Flawed { flaw, place, memory })
    };
    block_on(conformance::check(open)).err().map(|failure| failure.check)
}

/// L5: the suite finds what is wrong with each of them, and nothing wrong with the same store without a flaw.
#[test]
fn every_flaw_is_caught_by_name() {
    assert_eq!(caught(Flaw::None), None);
    assert_eq!(caught(Flaw::NoneButLate), None, "a commit that was abandoned may come after all");
    for (flaw, check) in [
        (Flaw::BeginsAtOne, "new"),
        (Flaw::ReadsInOwnOrder, "read-your-writes"),
        (Flaw::KeepsRemoved, "removal"),
        (Flaw::TakesEmptyForNone, "empty"),
        (Flaw::ScansBackwards, "removal"),
        (Flaw::ComparesAsText, "order"),
        (Flaw::WrapsPrefixes, "prefixes"),
        (Flaw::IgnoresPrefixAfter, "prefixes"),
        (Flaw::IncludesAfter, "empty"),
        (Flaw::IgnoresLimit, "order"),
        (Flaw::CapsBatch, "large-batch"),
        (Flaw::CapsValue, "large-value"),
        (Flaw::CountsWrong, "generation"),
        (Flaw::IgnoresGeneration, "stale-writer"),
        (Flaw::TakesNewerGeneration, "stale-writer"),
        (Flaw::WritesThenCompares, "stale-writer"),
        (Flaw::ConflictsAsIo, "stale-writer"),
        (Flaw::ComparesThenWrites, "one-of-two"),
        (Flaw::WritesRowByRow, "whole-batches"),
        (Flaw::StopsHalfway, "abandoned-commit"),
        (Flaw::ForgetsAtOnce, "generation"),
        (Flaw::ForgetsWhenAllAreGone, "reopened"),
        (Flaw::IgnoresClose, "closed"),
    ] {
        assert_eq!(caught(flaw), Some(check));
    }
}
