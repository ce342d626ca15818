//! What the two profiles answer differently: the JSON form of a bundle, fingerprints, and sealed sender.

use crate::failure::Failure;
use crate::party::Party;
use crate::request::{Fields, base64};
use serde_json::{Value, json};
use undertone::group::GroupProfile;
use undertone::handshake::{HandshakeProfile, PublishedPrekey};
use undertone::{Address, PrekeyBundle};

pub type Result<T> = std::result::Result<T, Failure>;

/// A wire profile as the agent speaks it.
pub trait WireProfile: HandshakeProfile + GroupProfile {
    /// The context of a group given as a UUID.
    fn group(uuid: &str) -> Result<undertone::group::GroupContext>;
    /// `fingerprint`.
    fn fingerprint(party: &Party<Self>, request: &Fields<'_>) -> Result<Value>;
    /// `sealed_encrypt`.
    fn sealed_encrypt(party: &mut Party<Self>, request: &Fields<'_>) -> Result<Value>;
    /// `sealed_decrypt`.
    fn sealed_decrypt(party: &mut Party<Self>, request: &Fields<'_>) -> Result<Value>;
    /// `certificate`.
    fn certificate(party: &Party<Self>, request: &Fields<'_>) -> Result<Value>;
    /// `import_session`: an official client's record, for the Signal profile.
    fn import_session(party: &mut Party<Self>, peer: Address, record: &[u8]) -> Result<Value>;
}

/// The JSON form of a bundle.
pub fn bundle_to_json<P: WireProfile>(bundle: &PrekeyBundle<P>) -> Value {
    let prekey = |prekey: &PublishedPrekey| {
        let mut value = json!({ "id": prekey.id, "public": base64(&prekey.public) });
        if let (Some(signature), Some(fields)) = (prekey.signature, value.as_object_mut()) {
            fields.insert("signature".into(), base64(signature));
        }
        value
    };
    json!({
        "registration_id": bundle.registration_id,
        "device": bundle.address.device(),
        "identity": base64(bundle.identity_bytes()),
        "signed_prekey": prekey(bundle.signed_prekey()),
        "one_time_prekey": bundle.one_time_prekey().map(prekey),
        "kem_prekey": bundle.kem_prekey().map(prekey),
    })
}

/// Reads what [`bundle_to_json`] wrote, as the bundle of `peer`.
pub fn bundle_from_json<P: WireProfile>(peer: &Address, fields: &Fields<'_>) -> Result<PrekeyBundle<P>> {
    let prekey = |fields: Fields<'_>| -> Result<PublishedPrekey> {
        let signature = match fields.optional_bytes("signature")? {
            None => None,
            Some(bytes) => {
                let length = || Failure::of("invalid_signature", "a signature has 64 bytes");
                Some(<[u8; 64]>::try_from(bytes).map_err(|_| length())?)
            }
        };
        Ok(PublishedPrekey { id: fields.number32("id")?, public: fields.bytes("public")?, signature })
    };
    let device = u8::try_from(fields.number("device")?).map_err(|_| Failure::request("`device` is too large"))?;
    if device != peer.device() {
        return Err(Failure::of("invalid_message", "the bundle is of another device"));
    }
    let registration_id = fields.number32("registration_id")?;
    let identity = fields.bytes("identity")?;
    let signed = prekey(fields.object("signed_prekey")?)?;
    let kem = fields.optional_object("kem_prekey")?.map(prekey).transpose()?;
    let one_time = fields.optional_object("one_time_prekey")?.map(prekey).transpose()?;
    Ok(PrekeyBundle::from_parts(peer.clone(), registration_id, &identity, signed, kem, one_time)?)
}
