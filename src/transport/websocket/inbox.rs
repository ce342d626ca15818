//! What a relay has pushed and the device has not acknowledged.

use crate::error::{Error, Fault, Result};
use crate::transport::{Delivery, EnvelopeId};
use event_listener::Event;
use std::collections::{HashSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The most envelopes in one answer of `receive`.
const BATCH: usize = 100;
/// The most envelopes that wait: four times what an honest relay pushes before it hears of any. Without a bound a relay could fill the memory of a device.
const MAX_WAITING: usize = 1_024;
/// The most bytes of envelopes that wait, for the same reason: more than an honest relay pushes, and little enough for a telephone.
const MAX_WAITING_BYTES: usize = 16 << 20;

/// Between the connection, which fills it, and `receive`, which looks into it.
#[derive(Default)]
pub(super) struct Inbox {
    state: Mutex<State>,
    changed: Event,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Delivery>,
    /// Of those that wait, and how many bytes they have.
    ids: HashSet<EnvelopeId>,
    bytes: usize,
    /// The relay pushed too much, and `receive` has not told it yet.
    breach: Option<Error>,
    /// How often the connection broke or could not be made, and why the last time.
    breaks: u64,
    last: Option<Error>,
    is_closed: bool,
}

impl Inbox {
    /// A new connection: the relay pushes again what was not acknowledged.
    pub(super) fn begin(&self) {
        self.state().clear();
    }

    /// Takes what the relay has pushed.
    ///
    /// # Errors
    /// `transport.malformed` if more waits than any honest relay would have pushed. Nothing waits then: it is pushed again on another connection.
    pub(super) fn put(&self, deliveries: Vec<Delivery>) -> Result<()> {
        let mut state = self.state();
        let taken = deliveries.into_iter().try_for_each(|delivery| state.take(delivery));
        if let Err(error) = &taken {
            state.clear();
            state.breach = Some(error.clone());
        }
        drop(state);
        self.changed.notify(usize::MAX);
        taken
    }

    pub(super) fn forget(&self, ids: &[EnvelopeId]) {
        self.state().forget(&ids.iter().copied().collect());
    }

    pub(super) fn broke(&self, error: Error) {
        let mut state = self.state();
        state.breaks += 1;
        state.last = Some(error);
        drop(state);
        self.changed.notify(usize::MAX);
    }

    pub(super) fn close(&self) {
        self.state().is_closed = true;
        self.changed.notify(usize::MAX);
    }

    /// Envelopes, or why there are none to be had. It takes no envelope out, and may be dropped at any time.
    pub(super) async fn receive(&self) -> Result<Vec<Delivery>> {
        let breaks = self.state().breaks;
        loop {
            let listener = self.changed.listen();
            {
                let mut state = self.state();
                if state.is_closed {
                    return Err(Fault::TransportUnreachable.into());
                }
                if let Some(breach) = state.breach.take() {
                    return Err(breach);
                }
                if !state.waiting.is_empty() {
                    return Ok(state.waiting.iter().take(BATCH).cloned().collect());
                }
                if state.breaks != breaks {
                    return Err(state.last.clone().unwrap_or_else(|| Fault::TransportUnreachable.into()));
                }
            }
            listener.await;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn take(&mut self, delivery: Delivery) -> Result<()> {
        if self.ids.contains(&delivery.id) {
            return Ok(());
        }
        let bytes = self.bytes.saturating_add(delivery.bytes.len());
        if self.waiting.len() >= MAX_WAITING || bytes > MAX_WAITING_BYTES {
            return Err(Fault::TransportAnswer.into());
        }
        self.bytes = bytes;
        self.ids.insert(delivery.id);
        self.waiting.push_back(delivery);
        Ok(())
    }

    fn forget(&mut self, ids: &HashSet<EnvelopeId>) {
        self.waiting.retain(|delivery| !ids.contains(&delivery.id));
        self.ids.retain(|id| !ids.contains(id));
        self.bytes = self.waiting.iter().map(|delivery| delivery.bytes.len()).sum();
    }

    fn clear(&mut self) {
        self.waiting = VecDeque::new();
        self.ids = HashSet::new();
        self.bytes = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    fn delivery(number: usize, size: usize) -> Delivery {
        let mut id = [0; 16];
        id[..8].copy_from_slice(&(number as u64).to_be_bytes());
        Delivery { id: EnvelopeId(id), bytes: vec![7; size] }
    }

    fn received(inbox: &Inbox) -> Result<usize> {
        inbox.receive().now_or_never().expect("an answer").map(|batch| batch.len())
    }

    /// As many as allowed wait, and one more ends it and is told once; what was acknowledged counts no longer.
    #[test]
    fn what_waits_is_bounded() {
        for (size, most) in [(0, MAX_WAITING), (1 << 20, 16)] {
            let inbox = Inbox::default();
            for number in 0..most {
                // The same twice is one.
                inbox.put(vec![delivery(number, size), delivery(number, size)]).unwrap();
            }
            inbox.forget(&[delivery(3, 0).id, delivery(most + 1, 0).id]);
            // Control: there is room for exactly the one that is gone.
            inbox.put(vec![delivery(most, size)]).unwrap();
            assert_eq!(received(&inbox), Ok(most.min(BATCH)));
            assert_eq!(inbox.put(vec![delivery(most + 1, size)]), Err(Fault::TransportAnswer.into()));
            {
                let state = inbox.state();
                assert_eq!((state.bytes, state.waiting.len(), state.ids.len()), (0, 0, 0));
            }
            assert_eq!(received(&inbox), Err(Fault::TransportAnswer.into()));
            inbox.begin();
            inbox.put(vec![delivery(0, size)]).unwrap();
            assert_eq!(received(&inbox), Ok(1));
        }
    }
}
