//! DecryptionErrorMessage, which asks a sender to start anew, and the PlaintextContent that carries it in clear.

use super::{ContentKind, PreKeySignalMessage, SignalMessage, fields, public_key};
use crate::crypto::agreement::AgreementKey;
use crate::error::{Fault, Result};
use prost::Message;

const PLAINTEXT: u8 = 0xC0;
/// Where the body ends and its padding, which is none, begins.
const PADDING: u8 = 0x80;

/// Says which message of whom could not be decrypted.
///
/// ```
/// use undertone::DecryptionErrorMessage;
///
/// let error = DecryptionErrorMessage { ratchet_key: None, timestamp: 1_800_000_000_000, device: 1 };
/// assert_eq!(DecryptionErrorMessage::parse(&error.encode())?, error);
/// # Ok::<(), undertone::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecryptionErrorMessage {
    /// The failing message's ratchet key; absent for a sender-key message.
    pub ratchet_key: Option<AgreementKey>,
    /// The failing message's timestamp, in milliseconds since 1970.
    pub timestamp: u64,
    /// The device that had sent it.
    pub device: u32,
}

impl DecryptionErrorMessage {
    /// The error for the message `original` of this kind, which `device` had sent at `timestamp` (milliseconds since 1970) and which does not decrypt.
    ///
    /// # Errors
    /// The `message.*` and `key.*` codes of an original that does not parse; `request.argument` for a plaintext content, which nobody decrypts.
    pub fn for_original(kind: ContentKind, original: &[u8], timestamp: u64, device: u32) -> Result<Self> {
        let ratchet_key = match kind {
            ContentKind::Message => Some(SignalMessage::parse(original)?.fields.ratchet_key),
            ContentKind::Prekey => {
                let first = PreKeySignalMessage::parse(original)?;
                Some(SignalMessage::parse(&first.message)?.fields.ratchet_key)
            }
            ContentKind::SenderKey => None,
            ContentKind::Plaintext => return Err(Fault::Argument.into()),
        };
        Ok(Self { ratchet_key, timestamp, device })
    }

    /// Parses the protobuf.
    ///
    /// # Errors
    /// `message.field`, `message.too_large`; a `key.*` code for the ratchet key.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        let body: ErrorBody = fields::decode(fields::small(bytes)?)?;
        Ok(Self {
            ratchet_key: body.ratchet_key.as_deref().map(public_key::admit_ephemeral_key).transpose()?,
            timestamp: fields::required(body.timestamp)?,
            device: body.device_id.unwrap_or(0),
        })
    }

    /// Encodes the protobuf.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        ErrorBody {
            ratchet_key: self.ratchet_key.map(|key| public_key::encode_agreement_key(&key).to_vec()),
            timestamp: Some(self.timestamp),
            device_id: Some(self.device),
        }
        .encode_to_vec()
    }
}

/// A content that travels unencrypted, under a sealed sender at most.
///
/// ```
/// use undertone::sealed::ContentKind;
/// use undertone::{DecryptionErrorMessage, PlaintextContent};
#[doc = include_str!("../../../docs/examples/two_signal_devices.txt")]
#[doc = include_str!("../../../docs/examples/published_prekeys.txt")]
#[doc = include_str!("../../../docs/examples/first_message.txt")]
#[doc = include_str!("../../../docs/examples/session.txt")]
///
/// // Alice cannot decrypt a message of Bob's, and tells him which: by the ratchet key in its header.
/// let sent_at = 1_800_000_000_000;
/// let error = DecryptionErrorMessage::for_original(ContentKind::Message, &envelope.bytes, sent_at, 1)?;
/// let content = Vec::from(&error);
///
/// // Bob looks whether the session at fault is the one he writes in, and retires it.
/// let error = PlaintextContent::parse(&content)?.decryption_error()?;
/// if error.ratchet_key.is_some_and(|key| with_alice.sends_under(&key)) {
///     with_alice.archive_current(now);
/// }
/// assert_eq!(with_alice.status(), None);
/// # Ok::<(), undertone::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlaintextContent<'a> {
    /// What an application is handed: all behind the first byte, the padding boundary included.
    pub body: &'a [u8],
}

impl<'a> PlaintextContent<'a> {
    /// Parses `C0 ‖ body`.
    ///
    /// # Errors
    /// `message.truncated`, `message.type`, `message.too_large`.
    pub fn parse(bytes: &'a [u8]) -> Result<Self> {
        let (first, body) = fields::small(bytes)?.split_first().ok_or(Fault::MessageTruncated)?;
        if *first != PLAINTEXT {
            return Err(Fault::MessageType.into());
        }
        Ok(Self { body })
    }

    /// The decryption error in the body.
    ///
    /// # Errors
    /// `message.padding` without the padding boundary; `message.field` where the body is something else.
    pub fn decryption_error(&self) -> Result<DecryptionErrorMessage> {
        let end = self.body.iter().rposition(|byte| *byte != 0).ok_or(Fault::MessagePadding)?;
        let (content, boundary) = self.body.split_at_checked(end).ok_or(Fault::MessagePadding)?;
        if boundary.first() != Some(&PADDING) {
            return Err(Fault::MessagePadding.into());
        }
        let content: Content = fields::decode(content)?;
        DecryptionErrorMessage::parse(&fields::required(content.decryption_error)?)
    }
}

impl From<&DecryptionErrorMessage> for Vec<u8> {
    /// The serialized PlaintextContent of an error.
    fn from(error: &DecryptionErrorMessage) -> Self {
        let content = Content { decryption_error: Some(error.encode()) };
        let mut out = Self::with_capacity(content.encoded_len() + 2);
        out.push(PLAINTEXT);
        content.encode_raw(&mut out);
        out.push(PADDING);
        out
    }
}

#[derive(Clone, PartialEq, Message)]
struct ErrorBody {
    #[prost(bytes = "vec", optional, tag = "1")]
    ratchet_key: Option<Vec<u8>>,
    #[prost(uint64, optional, tag = "2")]
    timestamp: Option<u64>,
    #[prost(uint32, optional, tag = "3")]
    device_id: Option<u32>,
}

#[derive(Clone, PartialEq, Message)]
struct Content {
    #[prost(bytes = "vec", optional, tag = "8")]
    decryption_error: Option<Vec<u8>>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::Secret;
    use crate::crypto::agreement::AgreementSecret;
    use crate::crypto::xeddsa::XeddsaKey;
    use crate::wire::signal::{SignalMessageFields, admit_kem_ciphertext};

    fn error() -> DecryptionErrorMessage {
        let ratchet_key = AgreementSecret::from_bytes(Secret::new([1; 32])).public();
        DecryptionErrorMessage { ratchet_key: Some(ratchet_key), timestamp: 0x0102, device: 1 }
    }

    #[test]
    fn a_plaintext_content_wraps_the_error() {
        let content = Vec::from(&error());
        let key = hex::encode(public_key::encode_agreement_key(&error().ratchet_key.unwrap()));
        assert_eq!(hex::encode(&content), format!("c042280a21{key}1082021801").to_owned() + "80");
        let parsed = PlaintextContent::parse(&content).unwrap();
        assert_eq!(parsed.body, &content[1..]);
        assert_eq!(parsed.decryption_error().unwrap(), error());
        let padded = [&content[..], &[0; 20]].concat();
        assert_eq!(PlaintextContent::parse(&padded).unwrap().decryption_error().unwrap(), error());
        let for_sender_key = DecryptionErrorMessage { ratchet_key: None, ..error() };
        assert_eq!(DecryptionErrorMessage::parse(&for_sender_key.encode()).unwrap(), for_sender_key);
    }

    /// The ratchet key is the failing message's own, behind a first message too.
    #[test]
    fn an_error_names_the_key_of_the_original() {
        let secret = AgreementSecret::from_bytes(Secret::new([1; 32]));
        let key = secret.public();
        let fields = SignalMessageFields {
            ratchet_key: key,
            counter: 5,
            previous_counter: 0,
            ciphertext: vec![0xCC; 16],
            pq_ratchet: vec![1, 1, 1, 0],
            addresses: None,
        };
        let sample = fields.encode(|_| [0; 8]).unwrap();
        let error = DecryptionErrorMessage::for_original(ContentKind::Message, &sample, 7, 2).unwrap();
        assert_eq!(error, DecryptionErrorMessage { ratchet_key: Some(key), timestamp: 7, device: 2 });
        let first = PreKeySignalMessage {
            prekey_id: None,
            base_key: key,
            identity_key: XeddsaKey::new(&key).unwrap(),
            message: sample.clone(),
            registration_id: 1,
            signed_prekey_id: 2,
            kyber_prekey_id: 3,
            kyber_ciphertext: admit_kem_ciphertext(&[&[0x08][..], &[0; 1568]].concat()).unwrap(),
        };
        let first = first.encode().unwrap();
        assert_eq!(DecryptionErrorMessage::for_original(ContentKind::Prekey, &first, 7, 2).unwrap(), error);
        let of_group = DecryptionErrorMessage::for_original(ContentKind::SenderKey, b"not looked at", 7, 2).unwrap();
        assert_eq!(of_group, DecryptionErrorMessage { ratchet_key: None, ..error });
        let code = |kind, bytes: &[u8]| DecryptionErrorMessage::for_original(kind, bytes, 7, 2).unwrap_err().code();
        assert_eq!(code(ContentKind::Plaintext, &sample), "request.argument");
        assert_eq!(code(ContentKind::Message, &sample[..1]), "message.truncated");
        assert_eq!(code(ContentKind::Prekey, &[0x44]), "message.field");
    }

    #[test]
    fn each_malformation_has_its_name() {
        let code = |bytes: &[u8]| match PlaintextContent::parse(bytes) {
            Ok(content) => content.decryption_error().unwrap_err().code(),
            Err(error) => error.code(),
        };
        assert_eq!(code(&[]), "message.truncated");
        assert_eq!(code(&[0x44, 0x80]), "message.type");
        assert_eq!(code(&[0xC0]), "message.padding");
        assert_eq!(code(&[0xC0, 0, 0]), "message.padding");
        assert_eq!(code(&[0xC0, 0x42, 0]), "message.padding");
        assert_eq!(code(&[0xC0, 0x80]), "message.field");
        assert_eq!(code(&[0xC0, 0x42, 0, 0x80]), "message.field");
        assert_eq!(code(&vec![0xC0; 8193]), "message.too_large");
        let body = ErrorBody { ratchet_key: Some(vec![6; 33]), timestamp: Some(1), device_id: None };
        assert_eq!(DecryptionErrorMessage::parse(&body.encode_to_vec()).unwrap_err().code(), "key.type");
    }
}
