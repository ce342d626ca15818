//! Prekeys and first messages of the native profile (docs/protocol.md, sections 3 and 4.2).

use crate::crypto::agreement::AgreementKey;
use crate::crypto::kem::{KemCiphertext, KemPublic, KemScheme, MlKem768, MlKem1024};
use crate::error::{Error, Fault, Result};
use crate::handshake::first_seal::{self, Recipient, SealedFirst};
use crate::handshake::{
    FirstMessage, FirstSealKey, FirstSealSecret, HandshakeProfile, LocalDevice, Offer, PrekeyKind, PrekeyTerms,
    Prekeys, Validity,
};
use crate::profile::{IdentityKey, IdentityKeyPair, Suite, Undertone, UndertoneIdentityKey, prefix};
use crate::rule::{self, Rule};
use crate::wire::{Address, Reader, Writer};
use rand_core::TryCryptoRng;

const X25519: u8 = 0x22;
/// PQ-7: not the 0x08 of Kyber in the Signal profile, whose keys are as long and whose secrets differ.
const ML_KEM_1024: u8 = 0x23;
const ML_KEM_768: u8 = 0x24;
const LAST_RESORT: u8 = 1;
/// What stands before the key material: flags, created, expires.
const TERMS: usize = 17;

impl HandshakeProfile for Undertone {
    const KNOWS_X3DH: bool = true;
    const IDENTITY_KEY: usize = 32;

    type SealingKey = FirstSealKey;
    type SealingSecret = FirstSealSecret;

    /// PQ-10: all of them.
    fn signs(_kind: PrekeyKind) -> bool {
        true
    }

    /// PQ-12, B2, B4, B16: a signature holds for one kind, one id, one device and one period, not for a key.
    fn signed_bytes(kind: PrekeyKind, owner: &Address, registration_id: u32, id: u32, public: &[u8]) -> Vec<u8> {
        if !rule::on(Rule::Pq12) {
            return public.get(TERMS..).unwrap_or_default().to_vec();
        }
        let mut out = Writer::with_capacity(public.len() + 320);
        out.bytes(b"Undertone_1_prekey");
        out.u8(if rule::on(Rule::Pq2) { kind.number() } else { 0 });
        prefix(&mut out, &owner.to_bytes());
        out.u32(registration_id).u32(id);
        prefix(&mut out, public);
        out.into_vec()
    }

    fn encode_signed_prekey(key: &AgreementKey, sealing: &FirstSealSecret, terms: &PrekeyTerms) -> Vec<u8> {
        let mut out = encode_terms(terms);
        out.u8(X25519).bytes(key.as_bytes());
        out.u8(X25519).bytes(sealing.agreement.public().as_bytes());
        out.u8(ML_KEM_768).bytes(sealing.kem.public().as_bytes());
        out.into_vec()
    }

    fn encode_one_time_prekey(key: &AgreementKey, terms: &PrekeyTerms) -> Vec<u8> {
        let mut out = encode_terms(terms);
        out.u8(X25519).bytes(key.as_bytes());
        out.into_vec()
    }

    fn encode_kem_prekey(key: &KemPublic<MlKem1024>, terms: &PrekeyTerms) -> Vec<u8> {
        let mut out = encode_terms(terms);
        out.u8(ML_KEM_1024).bytes(key.as_bytes());
        out.into_vec()
    }

    fn parse_signed_prekey(public: &[u8]) -> Result<(AgreementKey, FirstSealKey, PrekeyTerms)> {
        let (mut input, terms) = parse_terms(PrekeyKind::Signed, public)?;
        let key = read_key(&mut input, X25519, 32)?;
        let sealing_agreement = read_key(&mut input, X25519, 32)?;
        let sealing_kem = read_key(&mut input, ML_KEM_768, MlKem768::PUBLIC)?;
        finish(input)?;
        let sealing = FirstSealKey {
            agreement: AgreementKey::admit(sealing_agreement)?,
            kem: KemPublic::admit(sealing_kem)?,
            signed_prekey: public.to_vec(),
        };
        Ok((AgreementKey::admit(key)?, sealing, terms))
    }

    fn parse_one_time_prekey(public: &[u8]) -> Result<(AgreementKey, PrekeyTerms)> {
        let (mut input, terms) = parse_terms(PrekeyKind::OneTime, public)?;
        let key = read_key(&mut input, X25519, 32)?;
        finish(input)?;
        Ok((AgreementKey::admit(key)?, terms))
    }

    fn parse_kem_prekey(public: &[u8]) -> Result<(KemPublic<MlKem1024>, PrekeyTerms)> {
        let (mut input, terms) = parse_terms(PrekeyKind::Kem, public)?;
        let key = read_key(&mut input, ML_KEM_1024, MlKem1024::PUBLIC)?;
        finish(input)?;
        Ok((KemPublic::admit(key)?, terms))
    }

    fn wrap_first(
        device: &LocalDevice<'_, Self>,
        remote: &Address,
        remote_identity: &UndertoneIdentityKey,
        offer: &Offer<Self>,
        message: Vec<u8>,
        rng: &mut impl TryCryptoRng,
    ) -> Result<Vec<u8>> {
        let recipient = Recipient {
            signed_prekey_id: offer.signed_prekey_id,
            signed_prekey: &offer.sealing.signed_prekey,
            address: remote,
            identity: remote_identity.as_bytes(),
        };
        first_seal::seal(&offer.sealing, &recipient, &encode_first(device, offer, &message), rng)
    }

    fn open_first(device: &LocalDevice<'_, Self>, bytes: &[u8], prekeys: &Prekeys<Self>) -> Result<FirstMessage<Self>> {
        let sealed = SealedFirst::parse(bytes)?;
        let pair = prekeys.signed_prekey_of(sealed.signed_prekey_id()).ok_or(Fault::SealUnknownKey)?;
        let recipient = Recipient {
            signed_prekey_id: pair.id(),
            signed_prekey: &pair.published().public,
            address: device.address,
            identity: device.identity.public().as_bytes(),
        };
        let first = parse_first(&sealed.open(pair.sealing_secret(), &recipient)?)?;
        // The seal and the handshake must name one signed prekey: what is hidden by one key is not to be read with another.
        if first.signed_prekey_id != pair.id() {
            return Err(Fault::MessageField.into());
        }
        Ok(first)
    }
}

/// `first` of section 4.2: everything that the responder needs, once, in one order (X3-7, PQ-17).
pub fn encode_first(device: &LocalDevice<'_, Undertone>, offer: &Offer<Undertone>, message: &[u8]) -> Vec<u8> {
    let mut out = Writer::with_capacity(2 << 10 | message.len());
    out.u8(offer.suite.number()).bytes(device.identity.public().as_bytes());
    device.address.encode(&mut out);
    out.u32(device.registration_id).bytes(offer.base_key.as_bytes()).u32(offer.signed_prekey_id);
    out.flag(offer.one_time_prekey_id.is_some());
    if let Some(id) = offer.one_time_prekey_id {
        out.u32(id);
    }
    if let Some((id, ciphertext)) = &offer.kem {
        out.u32(*id).bytes(ciphertext.as_bytes());
    }
    out.bytes(message);
    out.into_vec()
}

/// Reads what [`encode_first`] wrote; identity and base key are admitted in full (B7).
pub fn parse_first(bytes: &[u8]) -> Result<FirstMessage<Undertone>> {
    let mut input = Reader::new(bytes, Fault::MessageTruncated);
    let suite = Suite::from_number(input.u8()?).ok_or(Fault::MessageVersion)?;
    let identity = UndertoneIdentityKey::admit(input.array::<32>()?)?;
    let address = Address::decode(&mut input)?;
    let registration_id = input.u32()?;
    let base_key = AgreementKey::admit(input.array::<32>()?)?;
    let signed_prekey_id = input.u32()?;
    let one_time_prekey_id = match input.u8()? {
        0 => None,
        1 => Some(input.u32()?),
        _ => return Err(Fault::MessageField.into()),
    };
    let kem = match suite {
        Suite::Pqxdh => {
            let id = input.u32()?;
            Some((id, KemCiphertext::from_slice(input.bytes(MlKem1024::CIPHERTEXT)?)?))
        }
        Suite::X3dh => None,
    };
    Ok(FirstMessage {
        suite,
        identity,
        address: Some(address),
        registration_id,
        base_key,
        signed_prekey_id,
        one_time_prekey_id,
        kem,
        message: input.rest().to_vec(),
    })
}

fn encode_terms(terms: &PrekeyTerms) -> Writer {
    let mut out = Writer::with_capacity(2 << 10);
    let validity = terms.validity.unwrap_or(Validity { created: 0, expires: 0 });
    out.u8(if terms.last_resort { LAST_RESORT } else { 0 }).u64(validity.created).u64(validity.expires);
    out
}

fn parse_terms(kind: PrekeyKind, public: &[u8]) -> Result<(Reader<'_>, PrekeyTerms)> {
    let mut input = Reader::new(public, Fault::BundleField);
    let last_resort = match (input.u8()?, kind) {
        (0, _) => false,
        (LAST_RESORT, PrekeyKind::Kem) => true,
        _ => return Err(Fault::BundleField.into()),
    };
    let validity = Validity { created: input.u64()?, expires: input.u64()? };
    Ok((input, PrekeyTerms { last_resort, validity: Some(validity) }))
}

/// PQ-2, PQ-3: every key stands behind the byte of its type, and the type gives the length.
fn read_key<'a>(input: &mut Reader<'a>, key_type: u8, length: usize) -> Result<&'a [u8]> {
    if input.u8()? != key_type && rule::on(Rule::Pq2) {
        return Err(Error::from(Fault::KeyType));
    }
    input.bytes(length)
}

fn finish(input: Reader<'_>) -> Result<()> {
    if rule::on(Rule::Pq2) { input.finish() } else { Ok(()) }
}
