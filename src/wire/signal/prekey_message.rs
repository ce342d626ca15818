//! PreKeySignalMessage: the first messages of a session, until the peer has answered.

use super::{MAX_MESSAGE, MESSAGE_VERSION, MESSAGE_VERSION_BYTE, fields, kem_key, public_key};
use crate::crypto::agreement::AgreementKey;
use crate::crypto::kem::{KemCiphertext, Kyber1024};
use crate::crypto::xeddsa::XeddsaKey;
use crate::error::{Fault, Result};
use prost::Message;

/// A first message: the initiator's half of the handshake around one SignalMessage. It has no MAC of its own.
pub struct PreKeySignalMessage {
    /// The one-time prekey that was used, if any; 0 is an id like any other.
    pub prekey_id: Option<u32>,
    /// The initiator's ephemeral key.
    pub base_key: AgreementKey,
    /// The initiator's identity key.
    pub identity_key: XeddsaKey,
    /// The whole serialized SignalMessage.
    pub message: Vec<u8>,
    /// The initiator's registration id, which nothing authenticates.
    pub registration_id: u32,
    /// The signed prekey that was used.
    pub signed_prekey_id: u32,
    /// The Kyber prekey that was used.
    pub kyber_prekey_id: u32,
    /// The ciphertext to that prekey.
    pub kyber_ciphertext: KemCiphertext<Kyber1024>,
}

impl PreKeySignalMessage {
    /// Parses `version ‖ protobuf`, admitting its keys.
    ///
    /// # Errors
    /// `message.truncated`, `message.version`, `message.too_large`, `message.field`; `handshake.no_kem` where the two
    /// Kyber fields are absent; a `key.*` code for a key.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        let body: Body = fields::decode(fields::versioned(bytes, MESSAGE_VERSION)?)?;
        // Without these it is no message at all, with or without a KEM.
        let (base_key, identity_key) = (fields::required(body.base_key)?, fields::required(body.identity_key)?);
        let (message, signed_prekey_id) = (fields::required(body.message)?, fields::required(body.signed_pre_key_id)?);
        let (kyber_prekey_id, kyber_ciphertext) = match (body.kyber_pre_key_id, body.kyber_ciphertext) {
            (Some(id), Some(ciphertext)) => (id, ciphertext),
            (None, None) => return Err(Fault::NoKem.into()),
            _ => return Err(Fault::MessageField.into()),
        };
        Ok(Self {
            prekey_id: body.pre_key_id,
            base_key: public_key::admit_agreement_key(&base_key)?,
            identity_key: public_key::admit_verifying_key(&identity_key)?,
            message,
            registration_id: body.registration_id.unwrap_or(0),
            signed_prekey_id,
            kyber_prekey_id,
            kyber_ciphertext: kem_key::admit_kem_ciphertext(&kyber_ciphertext)?,
        })
    }

    /// Encodes the message.
    ///
    /// # Errors
    /// `request.too_large`.
    pub fn encode(self) -> Result<Vec<u8>> {
        let body = Body {
            pre_key_id: self.prekey_id,
            base_key: Some(public_key::encode_agreement_key(&self.base_key).to_vec()),
            identity_key: Some(public_key::encode_agreement_key(&self.identity_key.agreement_key()).to_vec()),
            message: Some(self.message),
            registration_id: Some(self.registration_id),
            signed_pre_key_id: Some(self.signed_prekey_id),
            kyber_pre_key_id: Some(self.kyber_prekey_id),
            kyber_ciphertext: Some(kem_key::encode_kem_ciphertext(&self.kyber_ciphertext)),
        };
        let length = 1 + body.encoded_len();
        if length > MAX_MESSAGE {
            return Err(Fault::PlaintextTooLarge.into());
        }
        let mut out = Vec::with_capacity(length);
        out.push(MESSAGE_VERSION_BYTE);
        body.encode_raw(&mut out);
        Ok(out)
    }
}

#[derive(Clone, PartialEq, Message)]
struct Body {
    #[prost(uint32, optional, tag = "1")]
    pre_key_id: Option<u32>,
    #[prost(bytes = "vec", optional, tag = "2")]
    base_key: Option<Vec<u8>>,
    #[prost(bytes = "vec", optional, tag = "3")]
    identity_key: Option<Vec<u8>>,
    #[prost(bytes = "vec", optional, tag = "4")]
    message: Option<Vec<u8>>,
    #[prost(uint32, optional, tag = "5")]
    registration_id: Option<u32>,
    #[prost(uint32, optional, tag = "6")]
    signed_pre_key_id: Option<u32>,
    #[prost(uint32, optional, tag = "7")]
    kyber_pre_key_id: Option<u32>,
    #[prost(bytes = "vec", optional, tag = "8")]
    kyber_ciphertext: Option<Vec<u8>>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::Secret;
    use crate::crypto::agreement::AgreementSecret;

    fn key(byte: u8) -> Vec<u8> {
        public_key::encode_agreement_key(&AgreementSecret::from_bytes(Secret::new([byte; 32])).public()).to_vec()
    }

    fn body() -> Body {
        Body {
            pre_key_id: Some(0),
            base_key: Some(key(1)),
            identity_key: Some(key(2)),
            message: Some(vec![0xEE; 5]),
            registration_id: None,
            signed_pre_key_id: Some(7),
            kyber_pre_key_id: Some(8),
            kyber_ciphertext: Some([vec![8], vec![0xCC; 1568]].concat()),
        }
    }

    fn parse(change: impl FnOnce(&mut Body)) -> Result<PreKeySignalMessage> {
        let mut body = body();
        change(&mut body);
        PreKeySignalMessage::parse(&[&[MESSAGE_VERSION_BYTE][..], &body.encode_to_vec()].concat())
    }

    fn code(change: impl FnOnce(&mut Body)) -> &'static str {
        parse(change).err().unwrap().code()
    }

    #[test]
    fn the_layout_is_version_and_protobuf() {
        let mut full = body();
        full.registration_id = Some(300);
        let bytes = [&[MESSAGE_VERSION_BYTE][..], &full.encode_to_vec()].concat();
        assert_eq!(hex::encode(&bytes[..6]), "440800122105");
        let parsed = PreKeySignalMessage::parse(&bytes).unwrap();
        assert_eq!((parsed.prekey_id, parsed.signed_prekey_id, parsed.kyber_prekey_id), (Some(0), 7, 8));
        assert_eq!(parsed.registration_id, 300);
        assert_eq!(parsed.encode().unwrap(), bytes);
    }

    #[test]
    fn the_one_time_prekey_and_the_registration_id_may_be_absent() {
        let parsed = parse(|body| body.pre_key_id = None).unwrap();
        assert_eq!((parsed.prekey_id, parsed.registration_id), (None, 0));
    }

    /// PQ-4, B7: every key of a first message is admitted before anything is done with it.
    #[test]
    fn each_malformation_has_its_name() {
        for change in [
            |body: &mut Body| body.base_key = None,
            |body: &mut Body| body.identity_key = None,
            |body: &mut Body| body.message = None,
            |body: &mut Body| body.signed_pre_key_id = None,
            |body: &mut Body| body.kyber_pre_key_id = None,
            |body: &mut Body| body.kyber_ciphertext = None,
        ] {
            assert_eq!(code(change), "message.field");
        }
        assert_eq!(code(|body| (body.kyber_pre_key_id, body.kyber_ciphertext) = (None, None)), "handshake.no_kem");
        // What is cut short is malformed, and not of another version.
        assert_eq!(PreKeySignalMessage::parse(&[MESSAGE_VERSION_BYTE]).err().unwrap().code(), "message.field");
        let long = [key(1), vec![0]].concat();
        for (bad, name) in [
            (key(1)[1..].to_vec(), "key.type"),
            (key(1)[..32].to_vec(), "key.length"),
            (long, "key.length"),
            ([vec![5], vec![0; 32]].concat(), "key.low_order"),
            ([vec![5], vec![0xFF; 32]].concat(), "key.not_canonical"),
        ] {
            assert_eq!(code(|body| body.base_key = Some(bad.clone())), name);
            assert_eq!(code(|body| body.identity_key = Some(bad)), name);
        }
        let mut high = key(1);
        high[32] |= 0x80;
        assert_eq!(code(|body| body.base_key = Some(high)), "key.not_canonical");
        for (bad, name) in [
            (vec![8; 1568], "message.field"),
            (vec![8; 1570], "message.field"),
            (vec![], "key.length"),
            (vec![7; 1569], "key.type"),
            (vec![10; 1569], "key.type"),
        ] {
            assert_eq!(code(|body| body.kyber_ciphertext = Some(bad)), name);
        }
        assert_eq!(code(|body| body.message = Some(vec![0; MAX_MESSAGE])), "message.too_large");

        let parse = |bytes: &[u8]| PreKeySignalMessage::parse(bytes).err().unwrap().code();
        assert_eq!(parse(&[]), "message.truncated");
        for version in [0x22, 0x34, 0x55] {
            assert_eq!(parse(&[version, 0]), "message.version");
        }
        assert_eq!(parse(&[0x44, 0x0A, 9, 1]), "message.field");
    }
}
