//! Prekeys and first messages of the Signal profile: bare keys, signed as they are, and messages whose identity key is in clear.

use crate::crypto::agreement::AgreementKey;
use crate::crypto::kem::{KemPublic, Kyber1024};
use crate::error::{Error, Fault, Result};
use crate::handshake::{
    FirstMessage, HandshakeProfile, LocalDevice, Offer, PrekeyKind, PrekeyTerms, Prekeys, SealingKey, SealingSecret,
};
use crate::profile::{IdentityKeyPair, Signal, SignalIdentityKey, Suite};
use crate::wire::signal::{
    PUBLIC_KEY, PreKeySignalMessage, admit_agreement_key, admit_kem_key, encode_agreement_key, encode_kem_key,
};
use crate::wire::{Address, Reader, Writer};
use rand_core::TryCryptoRng;

/// The wire does not tell a one-time KEM prekey from a last-resort one, so the weaker is assumed; nor does it date prekeys.
const TERMS: PrekeyTerms = PrekeyTerms { last_resort: true, validity: None };

impl HandshakeProfile for Signal {
    const KNOWS_X3DH: bool = false;
    const IDENTITY_KEY: usize = PUBLIC_KEY;

    type SealingKey = ();
    type SealingSecret = ();

    fn signs(kind: PrekeyKind) -> bool {
        kind != PrekeyKind::OneTime
    }

    /// The key with its type byte and nothing else: the wire format leaves no room for more (PQ-12). The type bytes keep the kinds apart (PQ-2, B2).
    fn signed_bytes(_kind: PrekeyKind, _owner: &Address, _registration_id: u32, _id: u32, public: &[u8]) -> Vec<u8> {
        public.to_vec()
    }

    fn encode_signed_prekey(key: &AgreementKey, _sealing: &(), _terms: &PrekeyTerms) -> Vec<u8> {
        encode_agreement_key(key).to_vec()
    }

    fn encode_one_time_prekey(key: &AgreementKey, _terms: &PrekeyTerms) -> Vec<u8> {
        encode_agreement_key(key).to_vec()
    }

    fn encode_kem_prekey(key: &KemPublic<Kyber1024>, _terms: &PrekeyTerms) -> Vec<u8> {
        encode_kem_key(key)
    }

    fn parse_signed_prekey(public: &[u8]) -> Result<(AgreementKey, (), PrekeyTerms)> {
        Ok((admit_agreement_key(public)?, (), PrekeyTerms { last_resort: false, ..TERMS }))
    }

    fn parse_one_time_prekey(public: &[u8]) -> Result<(AgreementKey, PrekeyTerms)> {
        Ok((admit_agreement_key(public)?, PrekeyTerms { last_resort: false, ..TERMS }))
    }

    fn parse_kem_prekey(public: &[u8]) -> Result<(KemPublic<Kyber1024>, PrekeyTerms)> {
        Ok((admit_kem_key(public)?, TERMS))
    }

    fn wrap_first(
        device: &LocalDevice<'_, Self>,
        _remote: &Address,
        _remote_identity: &SignalIdentityKey,
        offer: &Offer<Self>,
        message: Vec<u8>,
        _rng: &mut impl TryCryptoRng,
    ) -> Result<Vec<u8>> {
        let (kyber_prekey_id, kyber_ciphertext) = offer.kem.clone().ok_or_else(|| Error::from(Fault::NoKem))?;
        let wrapped = PreKeySignalMessage {
            prekey_id: offer.one_time_prekey_id,
            base_key: offer.base_key,
            identity_key: *device.identity.public().verifying_key(),
            message,
            registration_id: device.registration_id,
            signed_prekey_id: offer.signed_prekey_id,
            kyber_prekey_id,
            kyber_ciphertext,
        };
        wrapped.encode()
    }

    fn open_first(_: &LocalDevice<'_, Self>, bytes: &[u8], _: &Prekeys<Self>) -> Result<FirstMessage<Self>> {
        let parsed = PreKeySignalMessage::parse(bytes)?;
        Ok(FirstMessage {
            suite: Suite::Pqxdh,
            identity: parsed.identity_key.into(),
            address: None,
            registration_id: parsed.registration_id,
            base_key: parsed.base_key,
            signed_prekey_id: parsed.signed_prekey_id,
            one_time_prekey_id: parsed.prekey_id,
            kem: Some((parsed.kyber_prekey_id, parsed.kyber_ciphertext)),
            message: parsed.message,
        })
    }
}

impl SealingKey for () {
    fn encode(&self, _out: &mut Writer) {}

    fn decode(_input: &mut Reader<'_>) -> Result<Self> {
        Ok(())
    }

    fn duplicate(&self) -> Self {}
}

impl SealingSecret for () {
    type Public = ();

    fn generate(_rng: &mut impl TryCryptoRng) -> Result<Self> {
        Ok(())
    }

    fn encode(&self, _out: &mut Writer) {}

    fn decode(_input: &mut Reader<'_>) -> Result<Self> {
        Ok(())
    }
}
