//! SignalMessage: one message of an established session.

use super::{MAX_MESSAGE, MESSAGE_VERSION, MESSAGE_VERSION_BYTE, fields, public_key};
use crate::crypto::agreement::AgreementKey;
use crate::error::{Fault, Result};
use prost::Message;

/// The length of the truncated MAC.
const MAC: usize = 8;

/// A parsed message; what its MAC covers is borrowed as it came.
#[derive(Debug)]
pub struct SignalMessage<'a> {
    /// The fields.
    pub fields: SignalMessageFields,
    /// The version byte and the protobuf, which the MAC covers.
    pub authenticated: &'a [u8],
    /// The first eight bytes of the HMAC.
    pub mac: &'a [u8; MAC],
}

/// The fields of the protobuf.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignalMessageFields {
    /// The sender's current ratchet key.
    pub ratchet_key: AgreementKey,
    /// The message's number in its sending chain, from 0.
    pub counter: u32,
    /// Written, never acted upon.
    pub previous_counter: u32,
    /// AES-256-CBC.
    pub ciphertext: Vec<u8>,
    /// The post-quantum ratchet's message; empty when there is none.
    pub pq_ratchet: Vec<u8>,
    /// The 36 bytes of the two addresses, where the sender attached them.
    pub addresses: Option<Vec<u8>>,
}

impl<'a> SignalMessage<'a> {
    /// Parses `version ‖ protobuf ‖ MAC(8)`.
    ///
    /// # Errors
    /// `message.truncated`, `message.version`, `message.too_large`, `message.field`; a `key.*` code for the ratchet key.
    pub fn parse(bytes: &'a [u8]) -> Result<Self> {
        fields::versioned(bytes, MESSAGE_VERSION)?;
        let (authenticated, mac) = fields::trailer::<MAC>(bytes)?;
        let body: Body = fields::decode(fields::versioned(authenticated, MESSAGE_VERSION)?)?;
        let fields = SignalMessageFields {
            ratchet_key: public_key::admit_ephemeral_key(&fields::required(body.ratchet_key)?)?,
            counter: fields::required(body.counter)?,
            previous_counter: body.previous_counter.unwrap_or(0),
            ciphertext: fields::required(body.ciphertext)?,
            pq_ratchet: fields::small(body.pq_ratchet.unwrap_or_default())?,
            addresses: body.addresses.map(fields::small).transpose()?,
        };
        Ok(Self { fields, authenticated, mac })
    }
}

impl SignalMessageFields {
    /// Encodes the message; `mac` is asked for the MAC of the bytes it is given.
    ///
    /// # Errors
    /// `request.too_large`.
    pub fn encode(self, mac: impl FnOnce(&[u8]) -> [u8; MAC]) -> Result<Vec<u8>> {
        let body = Body {
            ratchet_key: Some(public_key::encode_agreement_key(&self.ratchet_key).to_vec()),
            counter: Some(self.counter),
            previous_counter: Some(self.previous_counter),
            ciphertext: Some(self.ciphertext),
            pq_ratchet: Some(self.pq_ratchet).filter(|message| !message.is_empty()),
            addresses: self.addresses,
        };
        let length = 1 + body.encoded_len() + MAC;
        if length > MAX_MESSAGE {
            return Err(Fault::PlaintextTooLarge.into());
        }
        let mut out = Vec::with_capacity(length);
        out.push(MESSAGE_VERSION_BYTE);
        body.encode_raw(&mut out);
        let mac = mac(&out);
        out.extend_from_slice(&mac);
        Ok(out)
    }
}

#[derive(Clone, PartialEq, Message)]
struct Body {
    #[prost(bytes = "vec", optional, tag = "1")]
    ratchet_key: Option<Vec<u8>>,
    #[prost(uint32, optional, tag = "2")]
    counter: Option<u32>,
    #[prost(uint32, optional, tag = "3")]
    previous_counter: Option<u32>,
    #[prost(bytes = "vec", optional, tag = "4")]
    ciphertext: Option<Vec<u8>>,
    #[prost(bytes = "vec", optional, tag = "5")]
    pq_ratchet: Option<Vec<u8>>,
    #[prost(bytes = "vec", optional, tag = "6")]
    addresses: Option<Vec<u8>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "058f40c5adb68f25624ae5b214ea767a6ec94d829d3d7b5e1ad1ba6f3e2138285f";

    fn fields() -> SignalMessageFields {
        SignalMessageFields {
            ratchet_key: public_key::admit_ephemeral_key(&hex::decode(KEY).unwrap()).unwrap(),
            counter: 5,
            previous_counter: 300,
            ciphertext: vec![0xCC; 16],
            pq_ratchet: vec![1, 1, 1, 0],
            addresses: Some(vec![0xAD; 36]),
        }
    }

    fn body() -> Body {
        Body {
            ratchet_key: Some(hex::decode(KEY).unwrap()),
            counter: Some(5),
            previous_counter: None,
            ciphertext: Some(vec![0xCC; 16]),
            pq_ratchet: None,
            addresses: None,
        }
    }

    fn parse(change: impl FnOnce(&mut Body)) -> Result<SignalMessageFields> {
        let mut body = body();
        change(&mut body);
        let bytes = [&[MESSAGE_VERSION_BYTE][..], &body.encode_to_vec(), &[0; MAC]].concat();
        SignalMessage::parse(&bytes).map(|message| message.fields)
    }

    fn code(change: impl FnOnce(&mut Body)) -> &'static str {
        parse(change).unwrap_err().code()
    }

    #[test]
    fn the_layout_is_version_protobuf_mac() {
        let bytes = fields().encode(|authenticated| [u8::try_from(authenticated.len()).unwrap(); 8]).unwrap();
        let layout = format!("440a21{KEY}100518ac022210{}2a04010101003224{}", "cc".repeat(16), "ad".repeat(36));
        let expected = format!("{layout}{}", hex::encode([u8::try_from(layout.len() / 2).unwrap(); 8]));
        assert_eq!(hex::encode(&bytes), expected);
        let parsed = SignalMessage::parse(&bytes).unwrap();
        assert_eq!(parsed.fields, fields());
        assert_eq!((hex::encode(parsed.authenticated), parsed.mac[0]), (layout, parsed.mac[7]));
    }

    #[test]
    fn optional_fields_may_be_absent_and_unknown_ones_are_ignored() {
        let parsed = parse(|_| {}).unwrap();
        assert_eq!((parsed.previous_counter, parsed.pq_ratchet, parsed.addresses), (0, Vec::new(), None));
        let bytes = [&[0x4F][..], &body().encode_to_vec(), &[0x98, 0x06, 1], &[0; MAC]].concat();
        let parsed = SignalMessage::parse(&bytes).unwrap();
        assert_eq!(parsed.authenticated, &bytes[..bytes.len() - MAC]);
        let absent = SignalMessageFields { pq_ratchet: Vec::new(), addresses: None, ..fields() };
        let bytes = absent.clone().encode(|_| [0; 8]).unwrap();
        assert_eq!(SignalMessage::parse(&bytes).unwrap().fields, absent);
        assert_eq!(bytes.len(), 1 + 35 + 2 + 3 + 18 + 8);
    }

    #[test]
    fn each_malformation_has_its_name() {
        assert_eq!(code(|body| body.ratchet_key = None), "message.field");
        assert_eq!(code(|body| body.counter = None), "message.field");
        assert_eq!(code(|body| body.ciphertext = None), "message.field");
        assert_eq!(code(|body| body.ratchet_key = Some(vec![5; 34])), "key.length");
        assert_eq!(code(|body| body.ratchet_key = Some(vec![5; 32])), "key.length");
        assert_eq!(code(|body| body.ratchet_key = Some(vec![6; 33])), "key.type");
        let low = [vec![5], vec![0; 32]].concat();
        assert_eq!(code(|body| body.ratchet_key = Some(low)), "key.low_order");
        assert_eq!(code(|body| body.ratchet_key = Some([&[5][..], &[0xFF; 32]].concat())), "key.not_canonical");
        assert_eq!(code(|body| body.pq_ratchet = Some(vec![0; 8193])), "message.too_large");
        assert_eq!(code(|body| body.addresses = Some(vec![0; 8193])), "message.too_large");
        assert_eq!(code(|body| body.ciphertext = Some(vec![0; MAX_MESSAGE])), "message.too_large");
        let large = SignalMessageFields { ciphertext: vec![0; MAX_MESSAGE], ..fields() };
        assert_eq!(large.encode(|_| [0; 8]).unwrap_err().code(), "request.too_large");

        let parse = |bytes: &[u8]| SignalMessage::parse(bytes).unwrap_err().code();
        assert_eq!(parse(&[]), "message.truncated");
        assert_eq!(parse(&[0x44; 8]), "message.truncated");
        for version in [0x24, 0x34, 0x54, 0xC0] {
            assert_eq!(parse(&[version; 60]), "message.version");
        }
        let bytes = fields().encode(|_| [0; 8]).unwrap();
        assert_eq!(parse(&bytes[..bytes.len() - 1]), "message.field");
        assert_eq!(parse(&[&bytes[..], &[0]].concat()), "message.field");
    }

    /// No prefix and no single changed bit of a message panics.
    #[test]
    fn any_bytes_are_parsed_or_refused() {
        let bytes = fields().encode(|_| [0; 8]).unwrap();
        for length in 0..bytes.len() {
            assert!(SignalMessage::parse(&bytes[..length]).is_err() || length + MAC > 60);
        }
        for bit in 0..bytes.len() * 8 {
            let mut changed = bytes.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            let _ = SignalMessage::parse(&changed);
        }
    }
}
