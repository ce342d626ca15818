//! SenderKeyMessage: one message to a group. Its signature is its only integrity.

use super::{MAX_MESSAGE, SENDER_KEY_VERSION_BYTE, fields};
use crate::error::{Fault, Result};
use prost::Message;

const VERSION: u8 = SENDER_KEY_VERSION_BYTE >> 4;

/// A parsed message; what its signature covers is borrowed as it came.
#[derive(Debug)]
pub struct SenderKeyMessage<'a> {
    /// The fields.
    pub fields: SenderKeyMessageFields,
    /// The version byte and the protobuf, which the signature covers.
    pub signed: &'a [u8],
    /// XEdDSA by the chain's signing key.
    pub signature: &'a [u8; 64],
}

/// The fields of the protobuf.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SenderKeyMessageFields {
    /// The UUID of the distribution.
    pub distribution_id: [u8; 16],
    /// The chain's id.
    pub chain_id: u32,
    /// The message's number in the chain.
    pub iteration: u32,
    /// AES-256-CBC.
    pub ciphertext: Vec<u8>,
}

impl<'a> SenderKeyMessage<'a> {
    /// Parses `33 ‖ protobuf ‖ signature(64)`.
    ///
    /// # Errors
    /// `message.truncated`, `message.version`, `message.too_large`, `message.field`.
    pub fn parse(bytes: &'a [u8]) -> Result<Self> {
        fields::versioned(bytes, VERSION)?;
        let (signed, signature) = fields::trailer::<64>(bytes)?;
        let body: Body = fields::decode(fields::versioned(signed, VERSION)?)?;
        let fields = SenderKeyMessageFields {
            distribution_id: fields::exactly(body.distribution_uuid.as_deref())?,
            chain_id: fields::required(body.chain_id)?,
            iteration: fields::required(body.iteration)?,
            ciphertext: fields::required(body.ciphertext)?,
        };
        Ok(Self { fields, signed, signature })
    }
}

impl SenderKeyMessageFields {
    /// Encodes the message; `sign` is asked for the signature of the bytes it is given.
    ///
    /// # Errors
    /// `request.too_large`, and what `sign` returns.
    pub fn encode(self, sign: impl FnOnce(&[u8]) -> Result<[u8; 64]>) -> Result<Vec<u8>> {
        let body = Body {
            distribution_uuid: Some(self.distribution_id.to_vec()),
            chain_id: Some(self.chain_id),
            iteration: Some(self.iteration),
            ciphertext: Some(self.ciphertext),
        };
        let length = 1 + body.encoded_len() + 64;
        if length > MAX_MESSAGE {
            return Err(Fault::PlaintextTooLarge.into());
        }
        let mut out = Vec::with_capacity(length);
        out.push(SENDER_KEY_VERSION_BYTE);
        body.encode_raw(&mut out);
        let signature = sign(&out)?;
        out.extend_from_slice(&signature);
        Ok(out)
    }
}

#[derive(Clone, PartialEq, Message)]
struct Body {
    #[prost(bytes = "vec", optional, tag = "1")]
    distribution_uuid: Option<Vec<u8>>,
    #[prost(uint32, optional, tag = "2")]
    chain_id: Option<u32>,
    #[prost(uint32, optional, tag = "3")]
    iteration: Option<u32>,
    #[prost(bytes = "vec", optional, tag = "4")]
    ciphertext: Option<Vec<u8>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body() -> Body {
        Body {
            distribution_uuid: Some(vec![0xDD; 16]),
            chain_id: Some(1),
            iteration: Some(0),
            ciphertext: Some(vec![0xCC; 16]),
        }
    }

    fn code(change: impl FnOnce(&mut Body)) -> &'static str {
        let mut body = body();
        change(&mut body);
        let bytes = [&[SENDER_KEY_VERSION_BYTE][..], &body.encode_to_vec(), &[0; 64]].concat();
        SenderKeyMessage::parse(&bytes).unwrap_err().code()
    }

    #[test]
    fn the_layout_is_version_protobuf_signature() {
        let fields = SenderKeyMessageFields {
            distribution_id: [0xDD; 16],
            chain_id: 1,
            iteration: 0,
            ciphertext: vec![0xCC; 16],
        };
        let bytes = fields.clone().encode(|signed| Ok([u8::try_from(signed.len()).unwrap(); 64])).unwrap();
        let layout = format!("330a10{}100118002210{}", "dd".repeat(16), "cc".repeat(16));
        let signature = hex::encode([u8::try_from(layout.len() / 2).unwrap(); 64]);
        assert_eq!(hex::encode(&bytes), format!("{layout}{signature}"));
        let parsed = SenderKeyMessage::parse(&bytes).unwrap();
        assert_eq!((parsed.fields, hex::encode(parsed.signed)), (fields, layout));
        assert_eq!(hex::encode(parsed.signature), signature);
    }

    #[test]
    fn each_malformation_has_its_name() {
        assert_eq!(code(|body| body.distribution_uuid = None), "message.field");
        assert_eq!(code(|body| body.distribution_uuid = Some(vec![0; 17])), "message.field");
        assert_eq!(code(|body| body.chain_id = None), "message.field");
        assert_eq!(code(|body| body.iteration = None), "message.field");
        assert_eq!(code(|body| body.ciphertext = None), "message.field");
        assert_eq!(code(|body| body.ciphertext = Some(vec![0; MAX_MESSAGE])), "message.too_large");
        let parse = |bytes: &[u8]| SenderKeyMessage::parse(bytes).unwrap_err().code();
        assert_eq!(parse(&[]), "message.truncated");
        assert_eq!(parse(&[0x33; 64]), "message.truncated");
        assert_eq!(parse(&[0x23; 100]), "message.version");
        assert_eq!(parse(&[0x44; 100]), "message.version");
    }
}
