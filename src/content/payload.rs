//! The bytes of each kind of content (docs/content.md, section 3).

use super::envelope::fixed;
use crate::content::{
    AttachmentPointer, Body, MAX_RANGES, MAX_RECEIPT_IDS, MAX_TEXT, MessageId, MissingRange, ReceiptKind,
};
use crate::crypto::Zeroizing;
use crate::error::{Error, Fault, Result};
use prost::Message;

const NOTHING: u32 = 1;
const TEXT: u32 = 2;
const REPLY: u32 = 3;
const REACTION: u32 = 4;
const EDIT: u32 = 5;
const DELETE: u32 = 6;
const RECEIPT: u32 = 7;
const ATTACHMENT: u32 = 8;
const GROUP_CHANGE: u32 = 9;
const DEVICE_LIST: u32 = 10;
const RESEND_REQUEST: u32 = 11;
const APP: u32 = 12;
/// The numbers that this version gives to a kind of its own: none of them is unknown.
const KNOWN: core::ops::RangeInclusive<u32> = NOTHING..=APP;

const MAX_EMOJI: usize = 64;
const MAX_LOCATOR: usize = 1024;
const MAX_MEDIA_TYPE: usize = 255;
const MAX_NAME: usize = 1024;
/// The most statements that a device list can have: 127 additions and 126 removals.
const MAX_STATEMENTS: usize = 253;
/// A list decodes to far more memory than its bytes; longer ones than any list within its limits are not decoded.
const MAX_LIST: usize = 128 << 10;

/// The number of the kind, and the kind's own bytes.
pub fn encode(body: &Body) -> Result<(u32, Zeroizing<Vec<u8>>)> {
    let limit = |length: usize, limit: usize| {
        if length <= limit { Ok(()) } else { Err(Error::from(Fault::PlaintextTooLarge)) }
    };
    let (kind, payload) = match body {
        Body::Nothing => (NOTHING, Vec::new()),
        Body::Text(text) => {
            limit(text.len(), MAX_TEXT)?;
            (TEXT, Text { text: text.clone() }.encode_to_vec())
        }
        Body::Reply { to, text } => {
            limit(text.len(), MAX_TEXT)?;
            (REPLY, AboutMessage { message: to.0.to_vec(), text: text.clone() }.encode_to_vec())
        }
        Body::Reaction { to, emoji } => {
            limit(emoji.len(), MAX_EMOJI)?;
            (REACTION, AboutMessage { message: to.0.to_vec(), text: emoji.clone() }.encode_to_vec())
        }
        Body::Edit { target, text } => {
            limit(text.len(), MAX_TEXT)?;
            (EDIT, AboutMessage { message: target.0.to_vec(), text: text.clone() }.encode_to_vec())
        }
        Body::Delete { target } => {
            (DELETE, AboutMessage { message: target.0.to_vec(), text: String::new() }.encode_to_vec())
        }
        Body::Receipt { kind, ids } => {
            limit(ids.len(), MAX_RECEIPT_IDS)?;
            (RECEIPT, Receipt::new(*kind, ids).encode_to_vec())
        }
        Body::Attachment(pointer) => {
            limit(pointer.locator.len(), MAX_LOCATOR)?;
            limit(pointer.media_type.len(), MAX_MEDIA_TYPE)?;
            limit(pointer.name.len(), MAX_NAME)?;
            (ATTACHMENT, Attachment::new(pointer).encode_to_vec())
        }
        Body::GroupChange(change) => (GROUP_CHANGE, Bytes { bytes: change.clone() }.encode_to_vec()),
        Body::DeviceList(statements) => {
            limit(statements.len(), MAX_STATEMENTS)?;
            let payload = Statements { statements: statements.clone() }.encode_to_vec();
            limit(payload.len(), MAX_LIST)?;
            (DEVICE_LIST, payload)
        }
        Body::ResendRequest { stream, missing } => {
            limit(missing.len(), MAX_RANGES)?;
            check_ranges(*stream, missing).map_err(|_| Error::from(Fault::Argument))?;
            (RESEND_REQUEST, ResendRequest::new(*stream, missing).encode_to_vec())
        }
        Body::App(bytes) => (APP, Bytes { bytes: bytes.clone() }.encode_to_vec()),
        Body::Unknown { kind, .. } if *kind == 0 || KNOWN.contains(kind) => return Err(Fault::Argument.into()),
        Body::Unknown { kind, payload } => (*kind, payload.clone()),
    };
    Ok((kind, Zeroizing::new(payload)))
}

/// The body of a kind's bytes.
pub fn decode(kind: u32, payload: Vec<u8>) -> Result<Body> {
    match kind {
        0 => Err(Fault::ContentField.into()),
        NOTHING => Ok(Body::Nothing),
        TEXT => within(fields::<Text>(&payload)?.text, MAX_TEXT).map(Body::Text),
        REPLY => {
            let (to, text) = fields::<AboutMessage>(&payload)?.parts(MAX_TEXT)?;
            Ok(Body::Reply { to, text })
        }
        REACTION => {
            let (to, emoji) = fields::<AboutMessage>(&payload)?.parts(MAX_EMOJI)?;
            Ok(Body::Reaction { to, emoji })
        }
        EDIT => {
            let (target, text) = fields::<AboutMessage>(&payload)?.parts(MAX_TEXT)?;
            Ok(Body::Edit { target, text })
        }
        DELETE => {
            let (target, _) = fields::<AboutMessage>(&payload)?.parts(MAX_TEXT)?;
            Ok(Body::Delete { target })
        }
        RECEIPT => list::<Receipt>(&payload)?.body(),
        ATTACHMENT => fields::<Attachment>(&payload)?.body(),
        GROUP_CHANGE => fields::<Bytes>(&payload).map(|change| Body::GroupChange(change.bytes)),
        DEVICE_LIST => {
            let statements = list::<Statements>(&payload)?.statements;
            if statements.len() > MAX_STATEMENTS {
                Err(Fault::ContentField.into())
            } else {
                Ok(Body::DeviceList(statements))
            }
        }
        RESEND_REQUEST => list::<ResendRequest>(&payload)?.body(),
        APP => fields::<Bytes>(&payload).map(|app| Body::App(app.bytes)),
        _ => Ok(Body::Unknown { kind, payload }),
    }
}

fn fields<M: Message + Default>(payload: &[u8]) -> Result<M> {
    M::decode(payload).map_err(|_| Fault::ContentField.into())
}

fn list<M: Message + Default>(payload: &[u8]) -> Result<M> {
    if payload.len() > MAX_LIST { Err(Fault::ContentField.into()) } else { fields(payload) }
}

fn within(text: String, limit: usize) -> Result<String> {
    if text.len() <= limit { Ok(text) } else { Err(Fault::ContentField.into()) }
}

/// Gaps are named once each, in rising order, so that a request asks for each message once.
fn check_ranges(stream: u64, missing: &[MissingRange]) -> Result<()> {
    let are_ranges = missing.iter().all(|range| range.from >= 1 && range.from <= range.to);
    let are_rising = missing.iter().zip(missing.iter().skip(1)).all(|(one, next)| one.to < next.from);
    let is_request = stream != 0 && !missing.is_empty() && missing.len() <= MAX_RANGES;
    if are_ranges && are_rising && is_request { Ok(()) } else { Err(Fault::ContentField.into()) }
}

#[derive(Clone, PartialEq, Message)]
struct Text {
    #[prost(string, tag = "1")]
    text: String,
}

#[derive(Clone, PartialEq, Message)]
struct Bytes {
    #[prost(bytes = "vec", tag = "1")]
    bytes: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
struct AboutMessage {
    #[prost(bytes = "vec", tag = "1")]
    message: Vec<u8>,
    #[prost(string, tag = "2")]
    text: String,
}

impl AboutMessage {
    fn parts(self, limit: usize) -> Result<(MessageId, String)> {
        Ok((MessageId(fixed(&self.message)?), within(self.text, limit)?))
    }
}

#[derive(Clone, PartialEq, Message)]
struct Receipt {
    #[prost(uint32, tag = "1")]
    kind: u32,
    #[prost(bytes = "vec", repeated, tag = "2")]
    ids: Vec<Vec<u8>>,
}

const DELIVERED: u32 = 1;
const READ: u32 = 2;

impl Receipt {
    fn new(kind: ReceiptKind, ids: &[MessageId]) -> Self {
        let kind = match kind {
            ReceiptKind::Delivered => DELIVERED,
            ReceiptKind::Read => READ,
        };
        Self { kind, ids: ids.iter().map(|id| id.0.to_vec()).collect() }
    }

    fn body(self) -> Result<Body> {
        let kind = match self.kind {
            DELIVERED => ReceiptKind::Delivered,
            READ => ReceiptKind::Read,
            _ => return Err(Fault::ContentField.into()),
        };
        if self.ids.len() > MAX_RECEIPT_IDS {
            return Err(Fault::ContentField.into());
        }
        let ids = self.ids.iter().map(|id| fixed(id).map(MessageId)).collect::<Result<_>>()?;
        Ok(Body::Receipt { kind, ids })
    }
}

#[derive(Clone, PartialEq, Message)]
struct Attachment {
    #[prost(string, tag = "1")]
    locator: String,
    #[prost(bytes = "vec", tag = "2")]
    key: Vec<u8>,
    #[prost(bytes = "vec", tag = "3")]
    digest: Vec<u8>,
    #[prost(uint64, tag = "4")]
    size: u64,
    #[prost(string, tag = "5")]
    media_type: String,
    #[prost(string, tag = "6")]
    name: String,
}

impl Attachment {
    fn new(pointer: &AttachmentPointer) -> Self {
        Self {
            locator: pointer.locator.clone(),
            key: pointer.key.to_vec(),
            digest: pointer.digest.to_vec(),
            size: pointer.size,
            media_type: pointer.media_type.clone(),
            name: pointer.name.clone(),
        }
    }

    fn body(self) -> Result<Body> {
        Ok(Body::Attachment(AttachmentPointer {
            key: Zeroizing::new(fixed(&Zeroizing::new(self.key))?),
            locator: within(self.locator, MAX_LOCATOR)?,
            digest: fixed(&self.digest)?,
            size: self.size,
            media_type: within(self.media_type, MAX_MEDIA_TYPE)?,
            name: within(self.name, MAX_NAME)?,
        }))
    }
}

#[derive(Clone, PartialEq, Message)]
struct Statements {
    #[prost(bytes = "vec", repeated, tag = "1")]
    statements: Vec<Vec<u8>>,
}

#[derive(Clone, PartialEq, Message)]
struct ResendRequest {
    #[prost(fixed64, tag = "1")]
    stream: u64,
    #[prost(message, repeated, tag = "2")]
    missing: Vec<Range>,
}

#[derive(Clone, Copy, PartialEq, Message)]
struct Range {
    #[prost(uint64, tag = "1")]
    from: u64,
    #[prost(uint64, tag = "2")]
    to: u64,
}

impl ResendRequest {
    fn new(stream: u64, missing: &[MissingRange]) -> Self {
        Self { stream, missing: missing.iter().map(|range| Range { from: range.from, to: range.to }).collect() }
    }

    fn body(self) -> Result<Body> {
        let missing: Vec<_> =
            self.missing.iter().map(|range| MissingRange { from: range.from, to: range.to }).collect();
        check_ranges(self.stream, &missing)?;
        Ok(Body::ResendRequest { stream: self.stream, missing })
    }
}
