//! The outer forms in which a sealed message reaches its recipient: version 1 and version 2.

use super::{MAX_MESSAGE, fields, public_key};
use crate::crypto::agreement::AgreementKey;
use crate::error::{Fault, Result};
use crate::wire::Reader;
use prost::Message;

const VERSION_1_BYTE: u8 = 0x11;
const VERSION_2_BYTE: u8 = 0x22;

/// Which version a sealed message is: 1 or 2.
///
/// # Errors
/// `message.truncated`, `message.too_large`, `message.version`.
pub fn sealed_version(bytes: &[u8]) -> Result<u8> {
    let first = bytes.first().ok_or(Fault::MessageTruncated)?;
    if bytes.len() > MAX_MESSAGE {
        return Err(Fault::MessageTooLarge.into());
    }
    match first >> 4 {
        0 | 1 => Ok(1),
        2 => Ok(2),
        _ => Err(Fault::MessageVersion.into()),
    }
}

/// `11 ‖ protobuf`: the sender's identity key under one key, the content under another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedV1 {
    /// The ephemeral key.
    pub ephemeral: AgreementKey,
    /// The sender's identity key, encrypted: 33 bytes and a MAC of 10.
    pub encrypted_static: Vec<u8>,
    /// The content, encrypted, and a MAC of 10.
    pub encrypted_message: Vec<u8>,
}

impl SealedV1 {
    /// Parses the message, admitting the ephemeral key.
    ///
    /// # Errors
    /// `message.truncated`, `message.version`, `message.too_large`, `message.field`; a `key.*` code.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        if sealed_version(bytes)? != 1 {
            return Err(Fault::MessageVersion.into());
        }
        let body: BodyV1 = fields::decode(bytes.get(1..).unwrap_or_default())?;
        Ok(Self {
            ephemeral: public_key::admit_agreement_key(&fields::required(body.ephemeral_public)?)?,
            encrypted_static: fields::small(fields::required(body.encrypted_static)?)?,
            encrypted_message: fields::required(body.encrypted_message)?,
        })
    }

    /// Encodes the message.
    #[must_use]
    pub fn encode(self) -> Vec<u8> {
        let body = BodyV1 {
            ephemeral_public: Some(public_key::encode_agreement_key(&self.ephemeral).to_vec()),
            encrypted_static: Some(self.encrypted_static),
            encrypted_message: Some(self.encrypted_message),
        };
        let mut out = Vec::with_capacity(1 + body.encoded_len());
        out.push(VERSION_1_BYTE);
        body.encode_raw(&mut out);
        out
    }
}

/// `22 ‖ C(32) ‖ AT(16) ‖ E(32) ‖ ciphertext`: one recipient's share of a message to any number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SealedV2<'a> {
    /// The message's secret, encrypted to this recipient.
    pub encrypted_secret: &'a [u8; 32],
    /// What proves the sender to this recipient.
    pub authentication_tag: &'a [u8; 16],
    /// The ephemeral key, without a type byte, not yet admitted.
    pub ephemeral: &'a [u8; 32],
    /// The content, which is the same for all recipients.
    pub ciphertext: &'a [u8],
}

impl<'a> SealedV2<'a> {
    /// Parses the message.
    ///
    /// # Errors
    /// `message.truncated`, `message.version`, `message.too_large`.
    pub fn parse(bytes: &'a [u8]) -> Result<Self> {
        if sealed_version(bytes)? != 2 {
            return Err(Fault::MessageVersion.into());
        }
        let mut reader = Reader::new(bytes, Fault::MessageTruncated);
        reader.u8()?;
        Ok(Self {
            encrypted_secret: reader.array()?,
            authentication_tag: reader.array()?,
            ephemeral: reader.array()?,
            ciphertext: reader.rest(),
        })
    }

    /// Encodes the message.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(81 + self.ciphertext.len());
        out.push(VERSION_2_BYTE);
        out.extend_from_slice(self.encrypted_secret);
        out.extend_from_slice(self.authentication_tag);
        out.extend_from_slice(self.ephemeral);
        out.extend_from_slice(self.ciphertext);
        out
    }
}

#[derive(Clone, PartialEq, Message)]
struct BodyV1 {
    #[prost(bytes = "vec", optional, tag = "1")]
    ephemeral_public: Option<Vec<u8>>,
    #[prost(bytes = "vec", optional, tag = "2")]
    encrypted_static: Option<Vec<u8>>,
    #[prost(bytes = "vec", optional, tag = "3")]
    encrypted_message: Option<Vec<u8>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_the_high_nibble() {
        for (byte, version) in [(0x00, 1), (0x0F, 1), (0x11, 1), (0x1F, 1), (0x22, 2), (0x23, 2), (0x2F, 2)] {
            assert_eq!(sealed_version(&[byte]).unwrap(), version);
        }
        assert_eq!(sealed_version(&[0x33]).unwrap_err().code(), "message.version");
        assert_eq!(sealed_version(&[]).unwrap_err().code(), "message.truncated");
        let large = vec![0x22; MAX_MESSAGE + 1];
        assert_eq!(sealed_version(&large).unwrap_err().code(), "message.too_large");
    }

    #[test]
    fn version_2_is_laid_out_as_c_at_e_and_ciphertext() {
        let message = SealedV2 {
            encrypted_secret: &[1; 32],
            authentication_tag: &[2; 16],
            ephemeral: &[3; 32],
            ciphertext: &[4; 20],
        };
        let bytes = message.encode();
        assert_eq!(bytes, [vec![0x22], vec![1; 32], vec![2; 16], vec![3; 32], vec![4; 20]].concat());
        assert_eq!(SealedV2::parse(&bytes).unwrap(), message);
        assert_eq!(SealedV2::parse(&bytes[..80]).unwrap_err().code(), "message.truncated");
        assert_eq!(SealedV2::parse(&[0x11; 100]).unwrap_err().code(), "message.version");
        assert_eq!(SealedV1::parse(&[0x22; 100]).unwrap_err().code(), "message.version");
    }
}
