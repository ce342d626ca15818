//! Floor 6: what an application calls.
//!
//! A [`Client`] is one device of one account, on one store, over one transport. It keeps the order of things that makes a crash at any instant harmless: a
//! message leaves the device after it was committed, and the server forgets one after it was committed.
//!
//! The floor in the order in which data flows through it:
//!
//! | | |
//! |---|---|
//! | `builder` `handle` `events` | opening, the door, waiting |
//! | `send` `letters` `outbox` | a message becomes envelopes, and goes to the server |
//! | `receive` `held` `incoming` `inbox` | an envelope becomes a message, and goes to the application |
//! | `intent` `run_intents` `failures` `peer` | what is missing is asked for, what is broken is begun anew |
//! | `contact` `contacts` `devices` `linking` `removed` | whose devices are whose |
//! | `receipts` | what others learn of their messages |
//! | `prekey_upkeep` `rollback` | prekeys; a store that is an older copy |
//! | `transaction` `record_names` `counters` | one operation, one commit |
//! | `mutants` | for tests: the order of things, broken |

mod builder;
mod contact;
mod contacts;
mod counters;
mod devices;
mod event;
mod events;
mod failures;
mod handle;
mod held;
mod inbox;
mod incoming;
mod intent;
mod letters;
mod linking;
mod mutants;
mod observe;
mod outbox;
mod own_device;
mod peer;
mod prekey_upkeep;
mod receipts;
mod receive;
mod record_names;
mod removed;
mod rollback;
mod run_intents;
mod send;
mod transaction;

pub use builder::ClientBuilder;
pub use contacts::ContactInfo;
pub use devices::OwnDevices;
pub use event::{Event, EventId, EventKind, Message, SecurityEvent, SecurityKind};
pub use events::Events;
pub use handle::Client;
pub use linking::{AcceptedLink, Linking, PendingLink};
pub use send::Sent;
