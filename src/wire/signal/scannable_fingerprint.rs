//! The safety number as official clients show it in a QR code.

use crate::error::{Fault, Result};
use prost::Message;

/// Version and the first halves of the two parties' hashes.
pub struct ScannableFingerprint {
    /// The version; the other fields are only looked at when it is known.
    pub version: u32,
    /// Of the side that shows the code.
    pub own: Option<[u8; 32]>,
    /// Of the other side.
    pub other: Option<[u8; 32]>,
}

impl ScannableFingerprint {
    /// Parses the protobuf. A hash that is absent or of another length is `None`, so that a later version is seen for what it is (SN-2).
    ///
    /// # Errors
    /// `fingerprint.field` for what is no protobuf or has no version.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        let body = Body::decode(bytes).map_err(|_| Fault::FingerprintField)?;
        let hash = |half: Option<Half>| half?.content?.try_into().ok();
        Ok(Self {
            version: body.version.ok_or(Fault::FingerprintField)?,
            own: hash(body.local),
            other: hash(body.remote),
        })
    }

    /// Encodes the protobuf.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let half = |hash: Option<[u8; 32]>| hash.map(|hash| Half { content: Some(hash.to_vec()) });
        Body { version: Some(self.version), local: half(self.own), remote: half(self.other) }.encode_to_vec()
    }
}

#[derive(Clone, PartialEq, Message)]
struct Body {
    #[prost(uint32, optional, tag = "1")]
    version: Option<u32>,
    #[prost(message, optional, tag = "2")]
    local: Option<Half>,
    #[prost(message, optional, tag = "3")]
    remote: Option<Half>,
}

#[derive(Clone, PartialEq, Message)]
struct Half {
    #[prost(bytes = "vec", optional, tag = "1")]
    content: Option<Vec<u8>>,
}
