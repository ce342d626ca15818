//! What the client keeps, in the store and in memory, as far as the order of its steps matters.
//!
//! Each step stands for functions of `src/client`, named beside it. A message is one bit of a set; a store is its records and a generation.

/// A set of messages.
pub type Messages = u8;

/// The bytes of an envelope: equal only if they were encrypted at once. `copy` tells apart what was encrypted for one place in a ratchet at different times.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Envelope {
    pub device: u8,
    /// The place in the ratchet, and so the message key.
    pub position: u8,
    pub message: u8,
    pub copy: u8,
}

/// The store of the device that sends.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct SenderStore {
    pub generation: u8,
    /// The place of the next message, in the ratchets to all devices alike.
    pub next: u8,
    /// Own messages under the names that the application chose (`Transaction::keep_sent`).
    pub sent: Messages,
    /// Sorted.
    pub outbox: Vec<Envelope>,
}

/// A process of the device that sends: all that a crash takes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Sender {
    /// Planned and not committed: the generation that was read, and what is to be written.
    pub plan: Option<(u8, u8, Vec<Envelope>)>,
    /// What the server has taken, forgotten with the next commit (`Inner::settle`). Sorted.
    pub settled: Vec<Envelope>,
}

/// The store of a device that receives.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct ReceiverStore {
    pub generation: u8,
    /// Marks of envelopes that were dealt with (`Transaction::mark_received`). Sorted.
    pub received: Vec<Envelope>,
    /// Places in the ratchet whose keys are used up.
    pub used: u8,
    /// Numbers noted in the stream (`Peer::note`). Nothing is sent twice here, so the number is the place.
    pub noted: u8,
    /// Events for the application, and how many were ever written for each message.
    pub inbox: Messages,
    pub told: [u8; 4],
    /// Messages whose confirmation returned true.
    pub confirmed: Messages,
    /// Sessions that were made with the one-time prekey, and whether its private half is still there.
    pub sessions: u8,
    pub prekey_is_gone: bool,
    /// Envelopes that were reported as unreadable (`Transaction::note_failure`).
    pub failures: u8,
}

/// A process of a device that receives.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum Receiver {
    #[default]
    Idle,
    /// An envelope was read; what the store is to become.
    Planned { expected: u8, envelope: Envelope, store: Box<ReceiverStore> },
    /// Committed, and to be acknowledged (`Committed<Received>` in `Inner::acknowledge`).
    Committed { envelope: Envelope },
    /// Only where the prekey is removed in a commit of its own (M3).
    RemovesPrekey { envelope: Envelope },
}

/// What a server keeps for one device.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Mailbox {
    /// Handed out until acknowledged, in any order. Sorted.
    pub waiting: Vec<Envelope>,
    /// Taken ever: the same id is not taken twice. Sorted.
    pub accepted: Vec<Envelope>,
    /// Acknowledged. Sorted.
    pub acknowledged: Vec<Envelope>,
}

/// Adds to a sorted list; false if it was there.
pub fn insert(list: &mut Vec<Envelope>, envelope: Envelope) -> bool {
    match list.binary_search(&envelope) {
        Ok(_) => false,
        Err(place) => {
            list.insert(place, envelope);
            true
        }
    }
}

/// Removes from a sorted list; false if it was not there.
pub fn remove(list: &mut Vec<Envelope>, envelope: &Envelope) -> bool {
    list.binary_search(envelope).map(|place| list.remove(place)).is_ok()
}
