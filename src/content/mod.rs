//! Floor 4: what is inside a message (docs/content.md): an envelope that is the same for all kinds of content, and the padding around it.

mod attachment;
mod body;
mod envelope;
mod padding;
mod payload;
#[cfg(test)]
mod tests;

pub use attachment::AttachmentPointer;
pub use body::{Body, MissingRange, ReceiptKind};
pub use envelope::{Acknowledged, Content, MessageId};
pub use padding::{Padding, pad, padme, unpad};

/// The longest text of a message, in bytes of UTF-8. Longer text is an attachment, or bytes of the application's own.
pub const MAX_TEXT: usize = 64 << 10;
/// The longest content that one message carries, in bytes: with its padding it fills a plaintext.
pub const MAX_CONTENT: usize = crate::profile::MAX_PLAINTEXT - 1;
/// The most messages that one receipt names.
pub const MAX_RECEIPT_IDS: usize = 256;
/// The most ranges that one request to send again names.
pub const MAX_RANGES: usize = 64;
