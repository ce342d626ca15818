//! Floor 3: sender keys. Each device that sends to a group has a chain of its own per group and epoch, which it hands to every member
//! device inside their one-to-one session; a message is then encrypted once for all.
//!
//! One state machine serves both profiles: [`SenderKey`] is a device's own chain, [`ReceivedSenderKeys`] the chains of one other device,
//! and [`GroupProfile`] says what differs. A member can read every message of a chain from where it was handed out; only the owner can write,
//! since every message is signed with a key of the chain (B43, B45). There is no healing within a chain: replace it.

mod chain;
mod context;
mod form;
mod received;
mod record;
mod sender;
#[cfg(feature = "signal")]
mod signal;
mod undertone;

#[cfg(test)]
mod tests;

pub use context::{ChainOwner, GroupContext, GroupId};
pub use form::{Distribution, GroupHeader, GroupProfile, Held};
pub use received::{GroupPlaintext, ReceivedSenderKeys};
pub use sender::SenderKey;

/// At most so many chains are held per owner and group.
pub const MAX_SENDER_KEYS: usize = 5;
/// After so many messages a chain should be replaced.
pub const SENDER_KEY_MESSAGES: u32 = 1_000;
/// After so many seconds a chain should be replaced: 7 days.
pub const SENDER_KEY_AGE: u64 = 7 * 86_400;
