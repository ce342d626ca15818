//! What a sealed message holds: a message, and the certificate of its sender.

use crate::error::{Fault, Result};
use crate::profile::SignalIdentityKey;
use crate::sealed::SenderCertificate;
use crate::wire::signal::{ContentFields, ContentHint, ContentKind, MAX_FIELD};

/// An encrypted message with its sender's certificate, to be sealed, or just opened and not yet judged.
///
/// ```
/// use undertone::sealed::UnidentifiedContent;
#[doc = include_str!("../../docs/examples/sealed.txt")]
#[doc = include_str!("../../docs/examples/sealed_content.txt")]
///
/// assert_eq!(UnidentifiedContent::parse(&content.to_bytes())?, content);
/// # Ok::<(), undertone::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UnidentifiedContent {
    /// What kind of message `content` is.
    pub kind: ContentKind,
    /// The sender's certificate.
    pub certificate: SenderCertificate,
    /// The serialized message.
    pub content: Vec<u8>,
    /// What to do if it cannot be decrypted.
    pub hint: ContentHint,
    /// The group it is of.
    pub group_id: Option<Vec<u8>>,
}

impl UnidentifiedContent {
    /// Parses the protobuf and the certificate in it.
    ///
    /// # Errors
    /// `message.field`, `message.type`, `message.too_large`, `certificate.field`; a `key.*` code.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        let fields = ContentFields::parse(bytes)?;
        Ok(Self {
            kind: fields.kind,
            certificate: SenderCertificate::parse(&fields.certificate)?,
            content: fields.content,
            hint: fields.hint,
            group_id: fields.group_id,
        })
    }

    /// What is sealed can be opened, and is the holder's of `sender`.
    pub(super) fn check(&self, sender: &SignalIdentityKey) -> Result<()> {
        if self.certificate.identity_key() != *sender {
            return Err(Fault::SealSender.into());
        }
        if self.group_id.as_ref().is_some_and(|id| id.len() > MAX_FIELD) {
            return Err(Fault::PlaintextTooLarge.into());
        }
        Ok(())
    }

    /// Encodes the protobuf.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        ContentFields {
            kind: self.kind,
            certificate: self.certificate.to_bytes(),
            content: self.content.clone(),
            hint: self.hint,
            group_id: self.group_id.clone(),
        }
        .encode()
    }
}
