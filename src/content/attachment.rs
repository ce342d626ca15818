//! Where an attachment lies and how it is opened.

use crate::crypto::Zeroizing;
use core::fmt;

/// Points at a file that lies encrypted somewhere else. All that describes it is in the message, none of it with the file.
///
/// ```
/// use undertone::content::{AttachmentPointer, Body};
///
/// let pointer = AttachmentPointer {
///     locator: "files/7f3a".to_owned(),
///     key: [7; 32].into(),
///     digest: [8; 32],
///     size: 1_234_567,
///     media_type: "image/jpeg".to_owned(),
///     name: "harbour.jpg".to_owned(),
/// };
/// assert_eq!(Body::Attachment(pointer.clone()), Body::Attachment(pointer));
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct AttachmentPointer {
    /// Where the ciphertext is, in words that the application's storage understands; at most 1024 bytes.
    pub locator: String,
    /// The key of this one file.
    pub key: Zeroizing<[u8; 32]>,
    /// SHA-256 of the whole ciphertext.
    pub digest: [u8; 32],
    /// The exact length of the plaintext, in bytes.
    pub size: u64,
    /// Its media type; may be empty; at most 255 bytes.
    pub media_type: String,
    /// Its name; may be empty; at most 1024 bytes.
    pub name: String,
}

/// Shows the size only.
impl fmt::Debug for AttachmentPointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AttachmentPointer({} bytes)", self.size)
    }
}
