//! SenderKeyDistributionMessage: hands a sender key to a member, inside their one-to-one session.

use super::{SENDER_KEY_VERSION_BYTE, fields, public_key};
use crate::crypto::agreement::AgreementKey;
use crate::crypto::{Secret, Zeroize, ZeroizeOnDrop};
use crate::error::{Fault, Result};
use prost::Message;

/// The shortest message official clients accept.
const MINIMUM: usize = 65;

/// A sender key at the iteration from which the member may read.
pub struct SenderKeyDistributionMessage {
    /// The UUID of the distribution.
    pub distribution_id: [u8; 16],
    /// The chain's id.
    pub chain_id: u32,
    /// The iteration of `chain_key`.
    pub iteration: u32,
    /// The chain key.
    pub chain_key: Secret<32>,
    /// Verifies the chain's messages.
    pub signing_key: AgreementKey,
}

impl SenderKeyDistributionMessage {
    /// Parses `33 ‖ protobuf`, admitting the signing key.
    ///
    /// # Errors
    /// `message.truncated`, `message.version`, `message.too_large`, `message.field`; a `key.*` code for the signing key.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        let protobuf = fields::versioned(bytes, SENDER_KEY_VERSION_BYTE >> 4)?;
        if bytes.len() < MINIMUM {
            return Err(Fault::MessageTruncated.into());
        }
        let body: Body = fields::decode(protobuf)?;
        Ok(Self {
            distribution_id: fields::exactly(body.distribution_uuid.as_deref())?,
            chain_id: fields::required(body.chain_id)?,
            iteration: fields::required(body.iteration)?,
            chain_key: Secret::new(fields::exactly(body.chain_key.as_deref())?),
            signing_key: public_key::admit_agreement_key(fields::required(body.signing_key.as_deref())?)?,
        })
    }

    /// Encodes the message.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let body = Body {
            distribution_uuid: Some(self.distribution_id.to_vec()),
            chain_id: Some(self.chain_id),
            iteration: Some(self.iteration),
            chain_key: Some(self.chain_key.expose().to_vec()),
            signing_key: Some(public_key::encode_agreement_key(&self.signing_key).to_vec()),
        };
        let mut out = Vec::with_capacity(1 + body.encoded_len());
        out.push(SENDER_KEY_VERSION_BYTE);
        body.encode_raw(&mut out);
        out
    }
}

#[derive(Clone, PartialEq, Message, Zeroize, ZeroizeOnDrop)]
#[prost(skip_debug)]
struct Body {
    #[prost(bytes = "vec", optional, tag = "1")]
    distribution_uuid: Option<Vec<u8>>,
    #[prost(uint32, optional, tag = "2")]
    chain_id: Option<u32>,
    #[prost(uint32, optional, tag = "3")]
    iteration: Option<u32>,
    #[prost(bytes = "vec", optional, tag = "4")]
    chain_key: Option<Vec<u8>>,
    #[prost(bytes = "vec", optional, tag = "5")]
    signing_key: Option<Vec<u8>>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::agreement::AgreementSecret;

    fn body() -> Body {
        let signing = AgreementSecret::from_bytes(Secret::new([1; 32])).public();
        let mut body = Body::default();
        body.distribution_uuid = Some(vec![0xDD; 16]);
        body.chain_id = Some(u32::MAX);
        body.iteration = Some(3);
        body.chain_key = Some(vec![0xCC; 32]);
        body.signing_key = Some(public_key::encode_agreement_key(&signing).to_vec());
        body
    }

    fn code(change: impl FnOnce(&mut Body)) -> &'static str {
        let mut body = body();
        change(&mut body);
        let bytes = [&[SENDER_KEY_VERSION_BYTE][..], &body.encode_to_vec()].concat();
        SenderKeyDistributionMessage::parse(&bytes).err().unwrap().code()
    }

    #[test]
    fn it_survives_a_round_trip() {
        let bytes = [&[SENDER_KEY_VERSION_BYTE][..], &body().encode_to_vec()].concat();
        let parsed = SenderKeyDistributionMessage::parse(&bytes).unwrap();
        assert_eq!((parsed.distribution_id, parsed.chain_id, parsed.iteration), ([0xDD; 16], u32::MAX, 3));
        assert_eq!(parsed.chain_key, Secret::new([0xCC; 32]));
        assert_eq!(parsed.encode(), bytes);
    }

    #[test]
    fn each_malformation_has_its_name() {
        for change in [
            |body: &mut Body| body.distribution_uuid = None,
            |body: &mut Body| body.distribution_uuid = Some(vec![0; 15]),
            |body: &mut Body| body.chain_id = None,
            |body: &mut Body| body.iteration = None,
            |body: &mut Body| body.chain_key = Some(vec![0; 31]),
            |body: &mut Body| body.chain_key = Some(vec![0; 33]),
        ] {
            assert_eq!(code(change), "message.field");
        }
        assert_eq!(code(|body| body.signing_key = None), "message.truncated");
        assert_eq!(code(|body| (body.signing_key, body.chain_key) = (None, Some(vec![0; 99]))), "message.field");
        assert_eq!(code(|body| body.signing_key = Some(vec![5; 32])), "key.length");
        assert_eq!(code(|body| body.signing_key = Some(vec![4; 33])), "key.type");
        assert_eq!(code(|body| body.signing_key = Some([vec![5], vec![0; 32]].concat())), "key.low_order");
        let parse = |bytes: &[u8]| SenderKeyDistributionMessage::parse(bytes).err().unwrap().code();
        assert_eq!(parse(&[0x33; 64]), "message.truncated");
        assert_eq!(parse(&[0x44; 70]), "message.version");
    }
}
