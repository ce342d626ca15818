//! Under which names the client keeps what. One place, so that no two records can meet.

use crate::content::{MessageId, ReceiptKind};
use crate::store::RecordName;
use crate::wire::Address;

/// This device: its keys, its address, and whether it is still part of its account.
pub(super) fn own_device() -> RecordName {
    RecordName::table("own-device")
}

/// The device list of the own account.
pub(super) fn own_list() -> RecordName {
    RecordName::table("own-list")
}

/// All prekeys with their private halves.
pub(super) fn prekeys() -> RecordName {
    RecordName::table("prekeys")
}

/// What is to be published, kept until the server has it.
pub(super) fn publication() -> RecordName {
    RecordName::table("publication")
}

/// The next number of every numbered table, and the newest time that was seen.
pub(super) fn counters() -> RecordName {
    RecordName::table("counters")
}

/// How many envelopes could not be read lately.
pub(super) fn failures() -> RecordName {
    RecordName::table("failures")
}

/// The link code that this device shows until it is part of an account.
pub(super) fn link_request() -> RecordName {
    RecordName::table("link-request")
}

/// What is known of another account.
pub(super) fn contact(account: &str) -> RecordName {
    RecordName::table("contact").text(account.as_bytes())
}

/// Messages of an account that the next receipt is for.
pub(super) fn receipts(account: &str, kind: ReceiptKind) -> RecordName {
    let number = match kind {
        ReceiptKind::Delivered => 1,
        ReceiptKind::Read => 2,
    };
    RecordName::table("receipts").text(account.as_bytes()).number(number)
}

/// The numbered streams from and to another device.
pub(super) fn peer(device: &Address) -> RecordName {
    peers().text(device.name().as_bytes()).number(u64::from(device.device()))
}

/// All of them.
pub(super) fn peers() -> RecordName {
    RecordName::table("peer")
}

/// The sessions with another device.
pub(super) fn session(device: &Address) -> RecordName {
    sessions().text(device.name().as_bytes()).number(u64::from(device.device()))
}

/// All of them.
pub(super) fn sessions() -> RecordName {
    RecordName::table("session")
}

/// Whose session a tag belongs to.
pub(super) fn tag(tag: &[u8; 16]) -> RecordName {
    RecordName::table("tag").text(tag)
}

/// A message of this device, kept for resending and so that it is not sent twice.
pub(super) fn sent(id: MessageId) -> RecordName {
    RecordName::table("sent").text(&id.0)
}

/// Which message of this device a number in the stream to another device is.
pub(super) fn resend(device: &Address, sequence: u64) -> RecordName {
    RecordName::table("resend").text(device.name().as_bytes()).number(u64::from(device.device())).number(sequence)
}

/// That an envelope was received, or a message told.
pub(super) fn received(hash: &[u8]) -> RecordName {
    RecordName::table("received").text(hash)
}

/// The numbered tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Numbered {
    /// Envelopes on their way to the server.
    Outbox,
    /// Events on their way to the application.
    Inbox,
    /// What is to be encrypted and sent later.
    Intents,
    /// What was received, oldest first.
    ReceivedOrder,
    /// Own messages, oldest first.
    SentOrder,
    /// Envelopes that came and cannot be dealt with yet.
    Held,
    /// Devices that were removed from their accounts, oldest first.
    Removed,
}

impl Numbered {
    /// Where it stands among the counters.
    pub(super) const fn index(self) -> usize {
        self as usize
    }

    /// All rows of the table.
    pub(super) fn all(self) -> RecordName {
        RecordName::table(match self {
            Self::Outbox => "outbox",
            Self::Inbox => "inbox",
            Self::Intents => "intent",
            Self::ReceivedOrder => "received-order",
            Self::SentOrder => "sent-order",
            Self::Held => "held",
            Self::Removed => "removed",
        })
    }

    /// One row.
    pub(super) fn row(self, number: u64) -> RecordName {
        self.all().number(number)
    }
}
