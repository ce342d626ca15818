//! The kinds of content.

use crate::content::{AttachmentPointer, MessageId};
use core::fmt;

/// What a message says.
///
/// New kinds may be added. A kind that this version does not know arrives as [`Unknown`](Self::Unknown) and can be passed on unchanged.
///
/// ```
/// use undertone::content::Body;
///
/// let shown = |body: &Body| match body {
///     Body::Text(text) | Body::Reply { text, .. } => text.clone(),
///     Body::Unknown { .. } => "This message needs a newer version.".to_owned(),
///     _ => String::new(),
/// };
/// assert_eq!(shown(&Body::from("hello")), "hello");
/// ```
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Body {
    /// Nothing: the message only carries what stands beside the body.
    Nothing,
    /// A text, at most [`MAX_TEXT`](crate::content::MAX_TEXT) bytes.
    Text(String),
    /// A text that answers a message.
    Reply {
        /// The message that is answered.
        to: MessageId,
        /// The answer.
        text: String,
    },
    /// A reaction to a message. It takes the place of an earlier one of the same sender.
    Reaction {
        /// The message.
        to: MessageId,
        /// The reaction, at most 64 bytes; an empty one takes it back.
        emoji: String,
    },
    /// A new text for a message of the same sender.
    Edit {
        /// The message that is changed.
        target: MessageId,
        /// Its new text.
        text: String,
    },
    /// A message of the same sender is to be forgotten.
    Delete {
        /// The message.
        target: MessageId,
    },
    /// Messages arrived or were read.
    Receipt {
        /// Which of the two.
        kind: ReceiptKind,
        /// The messages, at most [`MAX_RECEIPT_IDS`](crate::content::MAX_RECEIPT_IDS).
        ids: Vec<MessageId>,
    },
    /// A file.
    Attachment(AttachmentPointer),
    /// A change of a group, in the form that the group's own protocol gives it.
    GroupChange(Vec<u8>),
    /// Statements of the sender's device list, as [`DeviceList::statements_after`](crate::identity::DeviceList::statements_after) returns them.
    DeviceList(Vec<Vec<u8>>),
    /// Messages did not arrive, or could not be decrypted: they are to be sent again.
    ResendRequest {
        /// The stream that has gaps.
        stream: u64,
        /// The gaps, at most [`MAX_RANGES`](crate::content::MAX_RANGES); in rising order, not touching.
        missing: Vec<MissingRange>,
    },
    /// Bytes of the application's own.
    App(Vec<u8>),
    /// A kind of content that this version does not know.
    Unknown {
        /// The number of the kind.
        kind: u32,
        /// Its bytes.
        payload: Vec<u8>,
    },
}

/// What a receipt says of messages.
///
/// ```
/// use undertone::content::ReceiptKind;
///
/// assert_ne!(ReceiptKind::Delivered, ReceiptKind::Read);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReceiptKind {
    /// They arrived at a device.
    Delivered,
    /// The user saw them.
    Read,
}

/// Numbers of a stream that are missing, both ends included.
///
/// ```
/// use undertone::content::MissingRange;
///
/// let missing = MissingRange { from: 3, to: 5 };
/// assert_eq!((missing.from..=missing.to).count(), 3);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MissingRange {
    /// The first, at least 1.
    pub from: u64,
    /// The last, not below `from`.
    pub to: u64,
}

impl From<&str> for Body {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Body {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

/// Shows the kind and lengths, never what is said.
impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => f.write_str("Nothing"),
            Self::Text(text) => write!(f, "Text({} bytes)", text.len()),
            Self::Reply { text, .. } => write!(f, "Reply({} bytes)", text.len()),
            Self::Reaction { .. } => f.write_str("Reaction"),
            Self::Edit { text, .. } => write!(f, "Edit({} bytes)", text.len()),
            Self::Delete { .. } => f.write_str("Delete"),
            Self::Receipt { kind, ids } => write!(f, "Receipt({kind:?}, {} messages)", ids.len()),
            Self::Attachment(pointer) => write!(f, "{pointer:?}"),
            Self::GroupChange(change) => write!(f, "GroupChange({} bytes)", change.len()),
            Self::DeviceList(statements) => write!(f, "DeviceList({} statements)", statements.len()),
            Self::ResendRequest { missing, .. } => write!(f, "ResendRequest({} ranges)", missing.len()),
            Self::App(bytes) => write!(f, "App({} bytes)", bytes.len()),
            Self::Unknown { kind, payload } => write!(f, "Unknown({kind}, {} bytes)", payload.len()),
        }
    }
}
