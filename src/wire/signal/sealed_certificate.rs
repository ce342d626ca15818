//! The two certificates of sealed sender, parsed but not yet trusted.

use super::{ServiceId, ServiceKind, fields, public_key};
use crate::crypto::xeddsa::XeddsaKey;
use crate::error::{Error, Fault, Result};
use prost::{Message, Oneof};

/// A certificate: the bytes that were signed, and the signature.
#[derive(Clone, PartialEq, Eq)]
pub struct Signed<T> {
    /// What the inner certificate says.
    pub fields: T,
    /// The inner certificate as it came, which the signature covers.
    pub certificate: Vec<u8>,
    /// XEdDSA by the issuer.
    pub signature: [u8; 64],
}

/// What a server certificate says: which key issues sender certificates.
#[derive(Clone, PartialEq, Eq)]
pub struct ServerCertificateFields {
    /// The certificate's number.
    pub id: u32,
    /// The key that signs sender certificates.
    pub key: XeddsaKey,
}

/// What a sender certificate says: who sends.
#[derive(Clone, PartialEq, Eq)]
pub struct SenderCertificateFields {
    /// The sender's phone number, where it is disclosed.
    pub e164: Option<String>,
    /// The sending device, 1 to 127.
    pub device: u8,
    /// The last millisecond of validity, since 1970.
    pub expires: u64,
    /// The sender's identity key.
    pub identity_key: XeddsaKey,
    /// Who signed the certificate.
    pub signer: Signer,
    /// The sender's name: a UUID in text.
    pub sender: String,
}

/// The issuer of a sender certificate.
#[derive(Clone, PartialEq, Eq)]
pub enum Signer {
    /// A server certificate in full.
    Embedded(Box<Signed<ServerCertificateFields>>),
    /// The number of a server certificate that the receiver knows.
    Known(u32),
}

impl<T> Signed<T> {
    /// The serialized certificate: `{1 certificate, 2 signature}`.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        Outer { certificate: Some(self.certificate.clone()), signature: Some(self.signature.to_vec()) }.encode_to_vec()
    }

    /// Signs `fields` with `sign`.
    ///
    /// # Errors
    /// What `sign` returns.
    fn issue(fields: T, certificate: Vec<u8>, sign: impl FnOnce(&[u8]) -> Result<[u8; 64]>) -> Result<Self> {
        let signature = sign(&certificate)?;
        Ok(Self { fields, certificate, signature })
    }
}

impl Signed<ServerCertificateFields> {
    /// Parses a serialized server certificate.
    ///
    /// # Errors
    /// `certificate.field`; a `key.*` code for its key.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        let (certificate, signature) = outer(bytes)?;
        let inner: ServerBody = decode(&certificate)?;
        let fields = ServerCertificateFields {
            id: required(inner.id)?,
            key: public_key::admit_verifying_key(&required(inner.key)?)?,
        };
        Ok(Self { fields, certificate, signature })
    }

    /// Makes the certificate of `fields`, signed with `sign`.
    ///
    /// # Errors
    /// What `sign` returns.
    pub fn sign(fields: ServerCertificateFields, sign: impl FnOnce(&[u8]) -> Result<[u8; 64]>) -> Result<Self> {
        let body = ServerBody { id: Some(fields.id), key: Some(typed(&fields.key)) };
        Self::issue(fields, body.encode_to_vec(), sign)
    }
}

impl Signed<SenderCertificateFields> {
    /// Parses a serialized sender certificate, and the server certificate within.
    ///
    /// # Errors
    /// `certificate.field`; a `key.*` code for a key.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        let (certificate, signature) = outer(bytes)?;
        let inner: SenderBody = decode(&certificate)?;
        let signer = match required(inner.signer)? {
            SignerBody::Certificate(bytes) => {
                Signer::Embedded(Box::new(Signed::<ServerCertificateFields>::parse(&bytes)?))
            }
            SignerBody::Id(id) => Signer::Known(id),
        };
        let sender = match required(inner.sender_uuid)? {
            UuidBody::Text(text) => canonical_name(text),
            UuidBody::Bytes(bytes) => {
                let uuid = bytes.as_slice().try_into().map_err(|_| Error::from(Fault::CertificateField))?;
                ServiceId::new(ServiceKind::Aci, uuid).to_string()
            }
        };
        let device = u8::try_from(required(inner.sender_device)?).map_err(|_| Error::from(Fault::CertificateField))?;
        if sender.is_empty() || !(1..=127).contains(&device) {
            return Err(Fault::CertificateField.into());
        }
        let fields = SenderCertificateFields {
            e164: inner.sender_e164,
            device,
            expires: required(inner.expires)?,
            identity_key: public_key::admit_verifying_key(&required(inner.identity_key)?)?,
            signer,
            sender,
        };
        Ok(Self { fields, certificate, signature })
    }

    /// Makes the certificate of `fields`, signed with `sign`.
    ///
    /// # Errors
    /// What `sign` returns.
    pub fn sign(fields: SenderCertificateFields, sign: impl FnOnce(&[u8]) -> Result<[u8; 64]>) -> Result<Self> {
        let body = SenderBody {
            sender_e164: fields.e164.clone(),
            sender_device: Some(u32::from(fields.device)),
            expires: Some(fields.expires),
            identity_key: Some(typed(&fields.identity_key)),
            signer: Some(match &fields.signer {
                Signer::Embedded(server) => SignerBody::Certificate(server.encode()),
                Signer::Known(id) => SignerBody::Id(*id),
            }),
            sender_uuid: Some(UuidBody::Text(fields.sender.clone())),
        };
        Self::issue(fields, body.encode_to_vec(), sign)
    }
}

fn typed(key: &XeddsaKey) -> Vec<u8> {
    public_key::encode_agreement_key(&key.agreement_key()).to_vec()
}

/// One spelling for each account, so that names can be compared.
fn canonical_name(text: String) -> String {
    text.parse::<ServiceId>().map_or(text, |id| id.to_string())
}

fn outer(bytes: &[u8]) -> Result<(Vec<u8>, [u8; 64])> {
    let outer: Outer = decode(fields::small(bytes)?)?;
    let signature = required(outer.signature)?.try_into().map_err(|_| Error::from(Fault::CertificateField))?;
    Ok((required(outer.certificate)?, signature))
}

fn decode<M: Message + Default>(bytes: &[u8]) -> Result<M> {
    M::decode(bytes).map_err(|_| Fault::CertificateField.into())
}

fn required<T>(field: Option<T>) -> Result<T> {
    field.ok_or_else(|| Fault::CertificateField.into())
}

#[derive(Clone, PartialEq, Message)]
struct Outer {
    #[prost(bytes = "vec", optional, tag = "1")]
    certificate: Option<Vec<u8>>,
    #[prost(bytes = "vec", optional, tag = "2")]
    signature: Option<Vec<u8>>,
}

#[derive(Clone, PartialEq, Message)]
struct ServerBody {
    #[prost(uint32, optional, tag = "1")]
    id: Option<u32>,
    #[prost(bytes = "vec", optional, tag = "2")]
    key: Option<Vec<u8>>,
}

#[derive(Clone, PartialEq, Message)]
#[prost(skip_debug)]
struct SenderBody {
    #[prost(string, optional, tag = "1")]
    sender_e164: Option<String>,
    #[prost(uint32, optional, tag = "2")]
    sender_device: Option<u32>,
    #[prost(fixed64, optional, tag = "3")]
    expires: Option<u64>,
    #[prost(bytes = "vec", optional, tag = "4")]
    identity_key: Option<Vec<u8>>,
    #[prost(oneof = "SignerBody", tags = "5, 8")]
    signer: Option<SignerBody>,
    #[prost(oneof = "UuidBody", tags = "6, 7")]
    sender_uuid: Option<UuidBody>,
}

#[derive(Clone, PartialEq, Oneof)]
enum SignerBody {
    #[prost(bytes = "vec", tag = "5")]
    Certificate(Vec<u8>),
    #[prost(uint32, tag = "8")]
    Id(u32),
}

#[derive(Clone, PartialEq, Oneof)]
enum UuidBody {
    #[prost(string, tag = "6")]
    Text(String),
    #[prost(bytes = "vec", tag = "7")]
    Bytes(Vec<u8>),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::Secret;
    use crate::crypto::agreement::AgreementSecret;

    fn key(byte: u8) -> XeddsaKey {
        XeddsaKey::new(&AgreementSecret::from_bytes(Secret::new([byte; 32])).public()).unwrap()
    }

    fn server() -> Signed<ServerCertificateFields> {
        Signed::<ServerCertificateFields>::sign(ServerCertificateFields { id: 7, key: key(1) }, |_| Ok([1; 64]))
            .unwrap()
    }

    fn body() -> SenderBody {
        SenderBody {
            sender_e164: None,
            sender_device: Some(3),
            expires: Some(0x0102),
            identity_key: Some(typed(&key(2))),
            signer: Some(SignerBody::Certificate(server().encode())),
            sender_uuid: Some(UuidBody::Bytes(vec![0xAB; 16])),
        }
    }

    fn parse(change: impl FnOnce(&mut SenderBody)) -> Result<SenderCertificateFields> {
        let mut body = body();
        change(&mut body);
        let outer = Outer { certificate: Some(body.encode_to_vec()), signature: Some(vec![2; 64]) };
        Signed::<SenderCertificateFields>::parse(&outer.encode_to_vec()).map(|signed| signed.fields)
    }

    fn code(change: impl FnOnce(&mut SenderBody)) -> &'static str {
        parse(change).err().unwrap().code()
    }

    #[test]
    fn certificates_survive_a_round_trip() {
        let server = server();
        assert!(Signed::<ServerCertificateFields>::parse(&server.encode()).unwrap() == server);
        assert_eq!(hex::encode(&server.certificate), format!("08071221{}", hex::encode(typed(&key(1)))));
        for signer in [Signer::Known(3), Signer::Embedded(Box::new(server))] {
            for e164 in [None, Some("+14152222222".to_owned())] {
                let fields = SenderCertificateFields {
                    e164,
                    device: 127,
                    expires: u64::MAX,
                    identity_key: key(2),
                    signer: signer.clone(),
                    sender: "9d0652a3-dcc3-4d11-975f-74d61598733f".to_owned(),
                };
                let signed = Signed::<SenderCertificateFields>::sign(fields, |_| Ok([9; 64])).unwrap();
                assert!(Signed::<SenderCertificateFields>::parse(&signed.encode()).unwrap() == signed);
            }
        }
    }

    #[test]
    fn the_senders_name_has_one_spelling() {
        assert_eq!(parse(|_| {}).unwrap().sender, "abababab-abab-abab-abab-abababababab");
        let upper = "ABABABAB-abab-abab-abab-abababababab".to_owned();
        assert_eq!(
            parse(|body| body.sender_uuid = Some(UuidBody::Text(upper))).unwrap().sender,
            "abababab-abab-abab-abab-abababababab"
        );
        assert_eq!(parse(|_| {}).unwrap().expires, 0x0102);
    }

    /// B7: a certificate's keys are admitted like any other.
    #[test]
    fn each_malformation_has_its_name() {
        for change in [
            |body: &mut SenderBody| body.sender_device = None,
            |body: &mut SenderBody| body.sender_device = Some(0),
            |body: &mut SenderBody| body.sender_device = Some(128),
            |body: &mut SenderBody| body.sender_device = Some(257),
            |body: &mut SenderBody| body.expires = None,
            |body: &mut SenderBody| body.identity_key = None,
            |body: &mut SenderBody| body.signer = None,
            |body: &mut SenderBody| body.signer = Some(SignerBody::Certificate(vec![1])),
            |body: &mut SenderBody| body.sender_uuid = None,
            |body: &mut SenderBody| body.sender_uuid = Some(UuidBody::Bytes(vec![0; 15])),
            |body: &mut SenderBody| body.sender_uuid = Some(UuidBody::Text(String::new())),
        ] {
            assert_eq!(code(change), "certificate.field");
        }
        assert_eq!(code(|body| body.identity_key = Some(vec![5; 34])), "key.length");
        assert_eq!(code(|body| body.identity_key = Some([vec![5], vec![0; 32]].concat())), "key.low_order");

        let parse =
            |outer: Outer| Signed::<ServerCertificateFields>::parse(&outer.encode_to_vec()).err().unwrap().code();
        let whole = || Outer { certificate: Some(server().certificate), signature: Some(vec![0; 64]) };
        assert_eq!(parse(Outer { certificate: None, ..whole() }), "certificate.field");
        assert_eq!(parse(Outer { signature: None, ..whole() }), "certificate.field");
        assert_eq!(parse(Outer { signature: Some(vec![0; 63]), ..whole() }), "certificate.field");
        assert_eq!(parse(Outer { certificate: Some(vec![0x08, 1]), ..whole() }), "certificate.field");
        assert_eq!(parse(Outer { certificate: Some(vec![0; 8193]), ..whole() }), "message.too_large");
    }
}
