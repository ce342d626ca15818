//! What a relay has pushed and the device has not acknowledged.

use crate::error::{Error, Fault, Result};
use crate::transport::{Delivery, EnvelopeId};
use event_listener::Event;
use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The most envelopes in one answer of `receive`.
const BATCH: usize = 100;

/// Between the connection, which fills it, and `receive`, which looks into it.
#[derive(Default)]
pub(super) struct Inbox {
    state: Mutex<State>,
    changed: Event,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Delivery>,
    /// How often the connection broke or could not be made, and why the last time.
    breaks: u64,
    last: Option<Error>,
    is_closed: bool,
}

impl Inbox {
    /// A new connection: the relay pushes again what was not acknowledged.
    pub(super) fn begin(&self) {
        self.state().waiting.clear();
    }

    pub(super) fn put(&self, deliveries: Vec<Delivery>) {
        let mut state = self.state();
        for delivery in deliveries {
            if !state.waiting.iter().any(|known| known.id == delivery.id) {
                state.waiting.push_back(delivery);
            }
        }
        drop(state);
        self.changed.notify(usize::MAX);
    }

    pub(super) fn forget(&self, ids: &[EnvelopeId]) {
        self.state().waiting.retain(|delivery| !ids.contains(&delivery.id));
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

    /// Envelopes, or why there are none to be had. It takes nothing out, and may be dropped at any time.
    pub(super) async fn receive(&self) -> Result<Vec<Delivery>> {
        let breaks = self.state().breaks;
        loop {
            let listener = self.changed.listen();
            {
                let state = self.state();
                if state.is_closed {
                    return Err(Fault::TransportUnreachable.into());
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
