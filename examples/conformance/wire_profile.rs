//! What the two profiles answer differently: the JSON form of a bundle, fingerprints, and sealed sender.

use crate::failure::Failure;
use crate::party::Party;
use crate::request::{Fields, base64};
use serde_json::{Value, json};
use undertone::group::{GroupContext, GroupProfile};
use undertone::handshake::{HandshakeProfile, PublishedPrekey};
use undertone::identity::{Fingerprint, FingerprintParty, FingerprintProfile, FingerprintVersion};
use undertone::{Address, IdentityKey, IdentityKeyPair, PrekeyBundle};

pub type Result<T> = std::result::Result<T, Failure>;

/// A wire profile as the agent speaks it.
pub trait WireProfile: HandshakeProfile + GroupProfile + FingerprintProfile {
    /// The profile's name in requests.
    const NAME: &'static str;
    /// The account that `name` stands for, in the one spelling under which its sessions are kept.
    fn account(name: &str) -> Result<String>;
    /// The address in the fields `name` and `device`.
    fn address(fields: &Fields<'_>) -> Result<Address> {
        let written = fields.as_address()?;
        Ok(Address::new(Self::account(written.name())?, written.device())?)
    }
    /// The address in the field `peer`.
    fn peer(request: &Fields<'_>) -> Result<Address> {
        Self::address(&request.object("peer")?)
    }
    /// The context of a group given as a UUID.
    fn group(uuid: &str) -> Result<GroupContext>;
    /// The identity key that a sender key of `peer` is bound to.
    fn sender_key_identity(party: &Party<Self>, peer: &Address) -> Result<Self::IdentityKey>;
    /// `fingerprint`.
    fn fingerprint(party: &Party<Self>, request: &Fields<'_>) -> Result<Value>;
    /// `sealed_encrypt`.
    fn sealed_encrypt(party: &mut Party<Self>, request: &Fields<'_>) -> Result<Value>;
    /// `sealed_encrypt_many`: a group message in the form in which it goes to the server, for the Signal profile.
    fn sealed_encrypt_many(party: &mut Party<Self>, request: &Fields<'_>) -> Result<Value>;
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
    let prekey = |fields: Fields<'_>, signed: bool| -> Result<PublishedPrekey> {
        let signature = match fields.optional_bytes("signature")? {
            None if signed => return Err(Failure::request("`signature` is missing")),
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
    let signed = prekey(fields.object("signed_prekey")?, true)?;
    let kem = fields.optional_object("kem_prekey")?.map(|kem| prekey(kem, true)).transpose()?;
    let one_time = fields.optional_object("one_time_prekey")?;
    let one_time = one_time.map(|one_time| prekey(one_time, false)).transpose()?;
    Ok(PrekeyBundle::from_parts(peer.clone(), registration_id, &identity, signed, kem, one_time)?)
}

/// `fingerprint`, the same way in both profiles.
pub fn fingerprint<P: WireProfile>(party: &Party<P>, request: &Fields<'_>) -> Result<Value> {
    let (local_id, remote_id) = (request.bytes("local_id")?, request.bytes("remote_id")?);
    let remote_identity = P::IdentityKey::admit(&request.bytes("remote_identity")?)?;
    let version = match request.number("version")? {
        1 => FingerprintVersion::One,
        2 => FingerprintVersion::Two,
        _ => return Err(Failure::request("`version` is 1 or 2")),
    };
    let local = FingerprintParty { account_id: &local_id, identity_key: party.identity().public() };
    let remote = FingerprintParty { account_id: &remote_id, identity_key: &remote_identity };
    let fingerprint = Fingerprint::<P>::new(version, &local, &remote);
    Ok(json!({ "display": fingerprint.digits(), "scannable": base64(fingerprint.to_scan()) }))
}

/// The bytes of a UUID in its hyphenated form.
pub fn group_uuid(text: &str) -> Result<[u8; 16]> {
    let wrong = || Failure::request("not a UUID");
    let shape = text.len() == 36 && [8, 13, 18, 23].iter().all(|&at| text.as_bytes()[at] == b'-');
    if !shape {
        return Err(wrong());
    }
    let mut uuid = [0; 16];
    hex::decode_to_slice(text.replace('-', ""), &mut uuid).map_err(|_| wrong())?;
    Ok(uuid)
}
