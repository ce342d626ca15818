//! Who is connected, and who waits for a message at a meeting place.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// Wakes connections. What they are woken for stands in the database.
#[derive(Default)]
pub struct Hub {
    devices: Mutex<HashMap<i64, Vec<Arc<Notify>>>>,
    /// Woken whenever anything is left at any meeting place: it is rare.
    pub left: Notify,
}

impl Hub {
    /// Wakes `connection` from now on when something arrives in `mailbox`.
    pub fn enter(&self, mailbox: i64, connection: Arc<Notify>) {
        self.devices().entry(mailbox).or_default().push(connection);
    }

    /// No longer.
    pub fn leave(&self, mailbox: i64, connection: &Arc<Notify>) {
        let mut devices = self.devices();
        if let Some(connections) = devices.get_mut(&mailbox) {
            connections.retain(|known| !Arc::ptr_eq(known, connection));
            if connections.is_empty() {
                devices.remove(&mailbox);
            }
        }
    }

    /// Something has arrived in these mailboxes, or they are gone.
    pub fn wake(&self, mailboxes: &[i64]) {
        let devices = self.devices();
        for connection in mailboxes.iter().filter_map(|mailbox| devices.get(mailbox)).flatten() {
            connection.notify_one();
        }
    }

    fn devices(&self) -> MutexGuard<'_, HashMap<i64, Vec<Arc<Notify>>>> {
        self.devices.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
