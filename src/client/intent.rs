//! What is to be encrypted and sent later, as it is stored: deliveries that wait for a bundle, messages that a device lacks, requests for what is missing here.
//! Nothing is sent from within the handling of a message (M13).

use crate::content::{MessageId, ReceiptKind};
use crate::error::{Error, Fault, Result};
use crate::wire::{Address, Reader, Writer};

const VERSION: u8 = 1;
/// The wait between two tries, in seconds, doubled each time.
pub(super) const FIRST_WAIT: u64 = 30;
/// The longest wait between two tries, in seconds.
pub(super) const LONGEST_WAIT: u64 = 6 * 3600;

/// Something to do.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Task {
    /// Send an own message to a device: at its old place in the stream, or at the next for 0.
    Deliver {
        /// The device.
        to: Address,
        /// The message.
        message: MessageId,
        /// Its place.
        sequence: u64,
    },
    /// Send an own message to an account whose devices are not known yet.
    Resolve {
        /// The account.
        account: String,
        /// The message.
        message: MessageId,
    },
    /// Ask a device for what is missing of its stream.
    AskForMissing {
        /// The device.
        to: Address,
    },
    /// Begin a new session with a device, and ask it for what is missing.
    Renew {
        /// The device.
        to: Address,
    },
    /// Send the receipts that wait for an account.
    SendReceipts {
        /// The account.
        account: String,
        /// Which.
        kind: ReceiptKind,
    },
    /// Tell a device of what is new in the own device list.
    TellDevices {
        /// The device.
        to: Address,
    },
}

/// Something to do, and when.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Intent {
    /// Not before this time, in seconds.
    pub(super) not_before: u64,
    pub(super) attempts: u8,
    pub(super) task: Task,
}

impl Intent {
    pub(super) const fn now(task: Task) -> Self {
        Self { not_before: 0, attempts: 0, task }
    }

    pub(super) const fn at(not_before: u64, task: Task) -> Self {
        Self { not_before, attempts: 0, task }
    }

    pub(super) fn to_bytes(&self) -> Result<Vec<u8>> {
        let mut out = Writer::with_capacity(64);
        out.u8(VERSION).u64(self.not_before).u8(self.attempts);
        match &self.task {
            Task::Deliver { to, message, sequence } => {
                out.u8(1);
                to.encode(&mut out);
                out.bytes(&message.0).u64(*sequence);
            }
            Task::Resolve { account, message } => {
                out.u8(2).prefixed(account.as_bytes())?.bytes(&message.0);
            }
            Task::AskForMissing { to } => to.encode(out.u8(3)),
            Task::Renew { to } => to.encode(out.u8(4)),
            Task::TellDevices { to } => to.encode(out.u8(5)),
            Task::SendReceipts { account, kind } => {
                out.u8(6).prefixed(account.as_bytes())?.flag(*kind == ReceiptKind::Read);
            }
        }
        Ok(out.into_vec())
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let mut input = Reader::new(bytes, Fault::RecordCorrupt);
        if input.u8()? != VERSION {
            return Err(Fault::RecordVersion.into());
        }
        let (not_before, attempts) = (input.u64()?, input.u8()?);
        let task = match input.u8()? {
            1 => Task::Deliver {
                to: Address::decode(&mut input)?,
                message: MessageId(*input.array()?),
                sequence: input.u64()?,
            },
            2 => {
                let account =
                    String::from_utf8(input.prefixed()?.to_vec()).map_err(|_| Error::from(Fault::RecordCorrupt))?;
                Task::Resolve { account, message: MessageId(*input.array()?) }
            }
            3 => Task::AskForMissing { to: Address::decode(&mut input)? },
            4 => Task::Renew { to: Address::decode(&mut input)? },
            5 => Task::TellDevices { to: Address::decode(&mut input)? },
            6 => {
                let account =
                    String::from_utf8(input.prefixed()?.to_vec()).map_err(|_| Error::from(Fault::RecordCorrupt))?;
                let kind = if input.flag()? { ReceiptKind::Read } else { ReceiptKind::Delivered };
                Task::SendReceipts { account, kind }
            }
            _ => return Err(Fault::RecordVersion.into()),
        };
        input.finish()?;
        Ok(Self { not_before, attempts, task })
    }

    /// The own message that it is to send, if it is one.
    pub(super) const fn message(&self) -> Option<MessageId> {
        match &self.task {
            Task::Deliver { message, .. } | Task::Resolve { message, .. } => Some(*message),
            _ => None,
        }
    }

    /// The same, after a wait; `is_try` counts it.
    pub(super) fn again(&self, now: u64, is_try: bool) -> Self {
        let wait = (FIRST_WAIT << self.attempts.min(16)).min(LONGEST_WAIT);
        let attempts = self.attempts.saturating_add(u8::from(is_try));
        Self { not_before: now + wait, attempts, task: self.task.clone() }
    }
}
