//! UnidentifiedSenderMessageContent: what a sealed message holds once it is open.

use super::{MAX_MESSAGE, fields};
use crate::error::{Fault, Result};
use prost::Message;

/// What kind of message is inside; the numbers differ from those that applications see.
///
/// ```
/// use undertone::EnvelopeKind;
/// use undertone::sealed::ContentKind;
///
/// let kind = |envelope: EnvelopeKind| match envelope {
///     EnvelopeKind::First => ContentKind::Prekey,
///     EnvelopeKind::Message => ContentKind::Message,
/// };
/// assert_eq!(kind(EnvelopeKind::First), ContentKind::Prekey);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContentKind {
    /// A PreKeySignalMessage.
    Prekey,
    /// A SignalMessage.
    Message,
    /// A SenderKeyMessage.
    SenderKey,
    /// A PlaintextContent.
    Plaintext,
}

/// What the sender suggests the receiver do when the content cannot be decrypted.
///
/// ```
/// use undertone::sealed::ContentHint;
///
/// let asks_again = |hint| hint == ContentHint::Resendable;
/// assert!(!asks_again(ContentHint::default()));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum ContentHint {
    /// Show that something was lost.
    #[default]
    Default,
    /// The sender will send it again when asked.
    Resendable,
    /// Nothing: nobody would miss it.
    Implicit,
    /// A hint of a later version.
    Other(u32),
}

/// The fields of the protobuf.
#[derive(Clone, PartialEq, Eq)]
pub struct ContentFields {
    /// The kind of `content`.
    pub kind: ContentKind,
    /// The serialized sender certificate.
    pub certificate: Vec<u8>,
    /// The serialized message.
    pub content: Vec<u8>,
    /// The hint.
    pub hint: ContentHint,
    /// The group, if the message is of one.
    pub group_id: Option<Vec<u8>>,
}

impl ContentFields {
    /// Parses the protobuf.
    ///
    /// # Errors
    /// `message.field`, `message.type` for a kind that is none, `message.too_large`.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        if bytes.len() > MAX_MESSAGE {
            return Err(Fault::MessageTooLarge.into());
        }
        let body: Body = fields::decode(bytes)?;
        Ok(Self {
            kind: ContentKind::from_number(fields::required(body.kind)?)?,
            certificate: fields::small(fields::required(body.sender_certificate)?)?,
            content: fields::required(body.content)?,
            hint: ContentHint::from_number(body.content_hint.unwrap_or(0)),
            group_id: body.group_id.filter(|id| !id.is_empty()).map(fields::small).transpose()?,
        })
    }

    /// Encodes the protobuf.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        Body {
            kind: Some(self.kind.number()),
            sender_certificate: Some(self.certificate.clone()),
            content: Some(self.content.clone()),
            content_hint: Some(self.hint.number()).filter(|hint| *hint != 0),
            group_id: self.group_id.clone().filter(|id| !id.is_empty()),
        }
        .encode_to_vec()
    }
}

impl ContentKind {
    const fn number(self) -> i32 {
        match self {
            Self::Prekey => 1,
            Self::Message => 2,
            Self::SenderKey => 7,
            Self::Plaintext => 8,
        }
    }

    fn from_number(number: i32) -> Result<Self> {
        match number {
            1 => Ok(Self::Prekey),
            2 => Ok(Self::Message),
            7 => Ok(Self::SenderKey),
            8 => Ok(Self::Plaintext),
            _ => Err(Fault::MessageType.into()),
        }
    }
}

impl ContentHint {
    const fn number(self) -> i32 {
        match self {
            Self::Default => 0,
            Self::Resendable => 1,
            Self::Implicit => 2,
            Self::Other(number) => number.cast_signed(),
        }
    }

    const fn from_number(number: i32) -> Self {
        match number {
            0 => Self::Default,
            1 => Self::Resendable,
            2 => Self::Implicit,
            number => Self::Other(number.cast_unsigned()),
        }
    }
}

/// The enums stand as int32, which is how protobuf encodes them: a value of a later version survives decoding.
#[derive(Clone, PartialEq, Message)]
struct Body {
    #[prost(int32, optional, tag = "1")]
    kind: Option<i32>,
    #[prost(bytes = "vec", optional, tag = "2")]
    sender_certificate: Option<Vec<u8>>,
    #[prost(bytes = "vec", optional, tag = "3")]
    content: Option<Vec<u8>>,
    #[prost(int32, optional, tag = "4")]
    content_hint: Option<i32>,
    #[prost(bytes = "vec", optional, tag = "5")]
    group_id: Option<Vec<u8>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(hint: ContentHint, group_id: Option<Vec<u8>>) -> ContentFields {
        ContentFields { kind: ContentKind::Message, certificate: vec![1, 2], content: vec![3], hint, group_id }
    }

    #[test]
    fn it_survives_a_round_trip() {
        assert_eq!(hex::encode(content(ContentHint::Default, None).encode()), "0802120201021a0103");
        assert_eq!(hex::encode(content(ContentHint::Implicit, Some(vec![9])).encode()), "0802120201021a010320022a0109");
        for hint in [ContentHint::Default, ContentHint::Resendable, ContentHint::Implicit, ContentHint::Other(u32::MAX)]
        {
            for kind in [ContentKind::Prekey, ContentKind::Message, ContentKind::SenderKey, ContentKind::Plaintext] {
                let content = ContentFields { kind, ..content(hint, Some(vec![7; 32])) };
                assert!(ContentFields::parse(&content.encode()).unwrap() == content);
            }
        }
        let empty = content(ContentHint::Default, Some(Vec::new()));
        assert_eq!(ContentFields::parse(&empty.encode()).unwrap().group_id, None);
    }

    #[test]
    fn each_malformation_has_its_name() {
        let code = |text: &str| ContentFields::parse(&hex::decode(text).unwrap()).err().unwrap().code();
        assert_eq!(code("120201021a0103"), "message.field");
        assert_eq!(code("08021a0103"), "message.field");
        assert_eq!(code("080212020102"), "message.field");
        assert_eq!(code("08021202"), "message.field");
        for kind in ["00", "03", "04", "09"] {
            assert_eq!(code(&format!("08{kind}120201021a0103")), "message.type");
        }
        let certificate = ContentFields { certificate: vec![0; 8193], ..content(ContentHint::Default, None) };
        assert_eq!(ContentFields::parse(&certificate.encode()).err().unwrap().code(), "message.too_large");
        assert_eq!(ContentFields::parse(&vec![0; MAX_MESSAGE + 1]).err().unwrap().code(), "message.too_large");
    }
}
