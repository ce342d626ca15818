//! The envelope around every content (docs/content.md, sections 1 and 2).

use super::payload;
use crate::content::{Body, MAX_CONTENT};
use crate::crypto::{Zeroizing, random};
use crate::error::{Error, Fault, Result};
use crate::wire::Address;
use core::fmt;
use prost::Message;
use rand_core::TryCryptoRng;

/// The version of the envelope that this build writes and reads.
const VERSION: u8 = 1;

/// Names a message: 16 random bytes, the same on all devices of both sides.
///
/// ```
/// use undertone::content::MessageId;
///
/// let (one, other) = (MessageId::random(&mut getrandom::SysRng)?, MessageId::random(&mut getrandom::SysRng)?);
/// assert_ne!(one, other);
/// # Ok::<(), undertone::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MessageId(pub [u8; 16]);

impl MessageId {
    /// A new name.
    ///
    /// # Errors
    /// `random.failed`.
    pub fn random(rng: &mut impl TryCryptoRng) -> Result<Self> {
        random::array(rng).map(Self)
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MessageId({self})")
    }
}

/// What a device has received of a stream without a gap.
///
/// ```
/// use undertone::content::Acknowledged;
///
/// let all_of_ten = Acknowledged { stream: 7, up_to: 10 };
/// assert!(all_of_ten.up_to >= 10);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Acknowledged {
    /// The stream: that of the device which this is sent to.
    pub stream: u64,
    /// Every number up to this one was received; 0 for none yet.
    pub up_to: u64,
}

/// One message as it is before it is padded and encrypted.
///
/// ```
/// use undertone::content::{Body, Content, MessageId};
///
/// let id = MessageId::random(&mut getrandom::SysRng)?;
/// let content = Content::new(id, 1_800_000_000_000, Body::from("hello"));
/// let bytes = content.encode()?;
/// assert_eq!(Content::decode(&bytes)?, content);
/// assert_eq!(Content::decode(b"hello").unwrap_err().code(), "content.version");
/// # Ok::<(), undertone::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Content {
    /// The message's name.
    pub id: MessageId,
    /// When it was written, in milliseconds since 1970, by the clock of its sender.
    pub sent_at: u64,
    /// In a copy for the sender's other devices, the account that the conversation is with.
    pub conversation: Option<String>,
    /// The random number of the stream of messages from this device to that one; 0 for a message that is in none.
    pub stream: u64,
    /// Its number in the stream: 1, 2, 3 and so on; 0 for a message that is in none.
    pub sequence: u64,
    /// What the sender has received of the stream in the other direction.
    pub acknowledged: Option<Acknowledged>,
    /// Number and hash of the newest statement of the sender's own device list that the sender knows.
    pub device_list: Option<(u64, [u8; 32])>,
    /// What it says.
    pub body: Body,
}

impl Content {
    /// A content with nothing beside its body.
    #[must_use]
    pub const fn new(id: MessageId, sent_at: u64, body: Body) -> Self {
        Self { id, sent_at, conversation: None, stream: 0, sequence: 0, acknowledged: None, device_list: None, body }
    }

    /// Its bytes, to be padded and encrypted.
    ///
    /// # Errors
    /// `request.too_large` for a text, a list or a whole that is longer than its limit; `request.argument` for fields that [`decode`](Self::decode) would refuse.
    pub fn encode(&self) -> Result<Zeroizing<Vec<u8>>> {
        self.check().map_err(|_| Error::from(Fault::Argument))?;
        let (kind, mut payload) = payload::encode(&self.body)?;
        let mut envelope = Envelope {
            id: self.id.0.to_vec(),
            sent_at: self.sent_at,
            conversation: self.conversation.clone().unwrap_or_default(),
            stream: self.stream,
            sequence: self.sequence,
            acknowledged: self.acknowledged.map(|Acknowledged { stream, up_to }| AcknowledgedFields { stream, up_to }),
            device_list: self.device_list.map(|(number, hash)| DeviceListFields { number, hash: hash.to_vec() }),
            kind,
            payload: core::mem::take(&mut *payload),
        };
        let length = 1 + envelope.encoded_len();
        let mut out = Zeroizing::new(Vec::with_capacity(length.min(MAX_CONTENT)));
        if length <= MAX_CONTENT {
            out.push(VERSION);
            envelope.encode_raw(&mut *out);
        }
        *payload = core::mem::take(&mut envelope.payload);
        if out.is_empty() { Err(Fault::PlaintextTooLarge.into()) } else { Ok(out) }
    }

    /// Reads what [`encode`](Self::encode) wrote, here or in another version. Fields that this version does not know are passed over.
    ///
    /// # Errors
    /// `content.version` for an envelope of another version, `content.field` for a malformed one.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let (version, fields) = bytes.split_first().ok_or(Fault::ContentField)?;
        if *version != VERSION {
            return Err(Fault::ContentVersion.into());
        }
        if bytes.len() > MAX_CONTENT {
            return Err(Fault::ContentField.into());
        }
        let envelope = Envelope::decode(fields).map_err(|_| Error::from(Fault::ContentField))?;
        let device_list = |fields: DeviceListFields| Ok::<_, Error>((fields.number, fixed(&fields.hash)?));
        let content = Self {
            id: MessageId(fixed(&envelope.id)?),
            sent_at: envelope.sent_at,
            conversation: Some(envelope.conversation).filter(|name| !name.is_empty()),
            stream: envelope.stream,
            sequence: envelope.sequence,
            acknowledged: envelope
                .acknowledged
                .map(|fields| Acknowledged { stream: fields.stream, up_to: fields.up_to }),
            device_list: envelope.device_list.map(device_list).transpose()?,
            body: payload::decode(envelope.kind, envelope.payload)?,
        };
        content.check()?;
        Ok(content)
    }

    /// Whether the fields beside the body make sense.
    fn check(&self) -> Result<()> {
        let has_name = self.conversation.as_ref().is_none_or(|name| (1..=Address::MAX_NAME).contains(&name.len()));
        let has_stream = (self.stream == 0) == (self.sequence == 0);
        let has_acknowledged = self.acknowledged.is_none_or(|acknowledged| acknowledged.stream != 0);
        let has_list = self.device_list.is_none_or(|(number, _)| number != 0);
        if has_name && has_stream && has_acknowledged && has_list { Ok(()) } else { Err(Fault::ContentField.into()) }
    }
}

/// Shows neither the text nor whom it is for.
impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Content({}, number {}, {:?})", self.id, self.sequence, self.body)
    }
}

/// Bytes that have one length.
pub(super) fn fixed<const N: usize>(bytes: &[u8]) -> Result<[u8; N]> {
    bytes.try_into().map_err(|_| Fault::ContentField.into())
}

#[derive(Clone, PartialEq, Message)]
struct Envelope {
    #[prost(bytes = "vec", tag = "1")]
    id: Vec<u8>,
    #[prost(uint64, tag = "2")]
    sent_at: u64,
    #[prost(string, tag = "3")]
    conversation: String,
    #[prost(fixed64, tag = "4")]
    stream: u64,
    #[prost(uint64, tag = "5")]
    sequence: u64,
    #[prost(message, optional, tag = "6")]
    acknowledged: Option<AcknowledgedFields>,
    #[prost(message, optional, tag = "7")]
    device_list: Option<DeviceListFields>,
    #[prost(uint32, tag = "8")]
    kind: u32,
    #[prost(bytes = "vec", tag = "9")]
    payload: Vec<u8>,
}

#[derive(Clone, Copy, PartialEq, Message)]
struct AcknowledgedFields {
    #[prost(fixed64, tag = "1")]
    stream: u64,
    #[prost(uint64, tag = "2")]
    up_to: u64,
}

#[derive(Clone, PartialEq, Message)]
struct DeviceListFields {
    #[prost(uint64, tag = "1")]
    number: u64,
    #[prost(bytes = "vec", tag = "2")]
    hash: Vec<u8>,
}
