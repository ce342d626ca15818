//! The operations that are the Signal profile's own: service ids as groups, fingerprints, sealed sender, import.

use crate::failure::Failure;
use crate::party::Party;
use crate::request::{Fields, base64};
use crate::wire_profile::{Result, WireProfile, fingerprint, group_uuid};
use getrandom::SysRng;
use serde_json::{Value, json};
use undertone::group::GroupContext;
use undertone::sealed::{
    ContentHint, ContentKind, OpenedSeal, Receiver, SenderCertificate, SenderClaims, ServerCertificate, ServiceId,
    TrustRoots, UnidentifiedContent, open, v1, v2,
};
use undertone::{
    Address, EnvelopeKind, IdentityKey, IdentityKeyPair, SessionRecord, Signal, SignalIdentityKey,
    SignalIdentityKeyPair,
};

impl WireProfile for Signal {
    const NAME: &'static str = "signal";

    fn group(uuid: &str) -> Result<GroupContext> {
        Ok(GroupContext::distribution(group_uuid(uuid)?))
    }

    /// Service ids are told apart without regard to case, and certificates are read in lower case.
    fn account(name: &str) -> Result<String> {
        let id = name.parse::<ServiceId>().map_err(|_| Failure::request("`name` is not a UUID"))?;
        Ok(id.to_string())
    }

    /// Sender keys of this profile are bound to no identity key: any will do, as long as it stays the same.
    fn sender_key_identity(party: &Party<Self>, _peer: &Address) -> Result<SignalIdentityKey> {
        Ok(party.identity().public().clone())
    }

    fn fingerprint(party: &Party<Self>, request: &Fields<'_>) -> Result<Value> {
        fingerprint(party, request)
    }

    fn sealed_encrypt(party: &mut Party<Self>, request: &Fields<'_>) -> Result<Value> {
        let peer = Self::peer(request)?;
        let plaintext = request.bytes("plaintext")?;
        let certificate = SenderCertificate::parse(&request.bytes("sender_certificate")?)?;
        let group_id = request.optional_bytes("group_id")?;
        let version = request.number("version")?;
        if !(1..=2).contains(&version) {
            return Err(Failure::request("`version` is 1 or 2"));
        }
        party.atomically(|party| {
            let envelope = party.encrypt(&peer, &plaintext)?;
            let kind = match envelope.kind {
                EnvelopeKind::First => ContentKind::Prekey,
                EnvelopeKind::Message => ContentKind::Message,
            };
            let content = UnidentifiedContent {
                kind,
                certificate: certificate.clone(),
                content: envelope.bytes,
                hint: ContentHint::Default,
                group_id: group_id.clone(),
            };
            let recipient = party.pin(&peer).ok_or_else(|| Failure::of("no_session", "the peer is not known"))?;
            let sealed = match version {
                1 => v1::seal(party.identity(), recipient, &content, &mut SysRng)?,
                _ => v2::seal_to_one(party.identity(), recipient, &content, &mut SysRng)?,
            };
            Ok(json!({ "bytes": base64(sealed) }))
        })
    }

    fn sealed_encrypt_many(party: &mut Party<Self>, request: &Fields<'_>) -> Result<Value> {
        let peers = request.entries("peers")?.iter().map(Peer::parse).collect::<Result<Vec<_>>>()?;
        let recipients: Vec<_> = peers.iter().map(Peer::recipient).collect();
        let excluded = request.optional_texts("excluded")?.into_iter().map(|name| Ok(name.parse::<ServiceId>()?));
        let excluded = excluded.collect::<Result<Vec<_>>>()?;
        let certificate = SenderCertificate::parse(&request.bytes("sender_certificate")?)?;
        let group = Self::group(request.text("group")?)?;
        let group_id = request.optional_bytes("group_id")?;
        let plaintext = request.bytes("plaintext")?;
        party.atomically(|party| {
            let content = UnidentifiedContent {
                kind: ContentKind::SenderKey,
                certificate,
                content: party.group_encrypt(group, &plaintext)?,
                hint: ContentHint::Resendable,
                group_id,
            };
            let sealed = v2::seal_to_many(party.identity(), &content, &recipients, &excluded, &mut SysRng)?;
            Ok(json!({ "bytes": base64(sealed) }))
        })
    }

    fn sealed_decrypt(party: &mut Party<Self>, request: &Fields<'_>) -> Result<Value> {
        let bytes = request.bytes("bytes")?;
        let trust = TrustRoots::new(vec![SignalIdentityKey::admit(&request.bytes("trust_root")?)?]);
        let receiver = Receiver {
            identity: party.identity(),
            address: party.address(),
            e164: None,
            trust: &trust,
            now_ms: request.number("timestamp")?,
        };
        let OpenedSeal { sender, identity_key, kind, content, group_id, .. } = open(&bytes, &receiver)?;
        let plaintext = match kind {
            ContentKind::Prekey => party.decrypt_as(&sender, &identity_key, EnvelopeKind::First, &content)?,
            ContentKind::Message => party.decrypt_as(&sender, &identity_key, EnvelopeKind::Message, &content)?,
            ContentKind::SenderKey => party.group_decrypt(&sender, &content)?,
            _ => return Err(Failure::of("invalid_message", "the content is not an encrypted message")),
        };
        Ok(json!({
            "plaintext": base64(plaintext),
            "sender": { "name": sender.name(), "device": sender.device() },
            "group_id": group_id.map(base64),
        }))
    }

    fn certificate(party: &Party<Self>, request: &Fields<'_>) -> Result<Value> {
        let root = SignalIdentityKeyPair::from_bytes(&request.bytes("trust_root_private")?)?;
        let server = SignalIdentityKeyPair::from_bytes(&request.bytes("server_private")?)?;
        let id = request.number32("server_id")?;
        let expires = request.number("expires")?;
        let server_certificate = ServerCertificate::issue(id, server.public(), &root, &mut SysRng)?;
        let claims = SenderClaims {
            address: party.address().clone(),
            e164: None,
            identity_key: party.identity().public().clone(),
            expires,
        };
        let certificate = SenderCertificate::issue(claims, &server_certificate, &server, &mut SysRng)?;
        Ok(json!({ "bytes": base64(certificate.to_bytes()) }))
    }

    fn import_session(party: &mut Party<Self>, peer: Address, record: &[u8]) -> Result<Value> {
        let imported = SessionRecord::import_official(&party.device(), peer.clone(), record);
        let imported = imported.map_err(|error| match error.code() {
            "key.mismatch" => Failure::from(error),
            _ => Failure::of("invalid_message", format!("{error}")),
        })?;
        party.set_record(peer, imported);
        Ok(json!({}))
    }
}

/// An account among the `peers` of `sealed_encrypt_many`.
struct Peer {
    service_id: ServiceId,
    identity: SignalIdentityKey,
    devices: Vec<(u8, u16)>,
}

impl Peer {
    fn parse(fields: &Fields<'_>) -> Result<Self> {
        let device = |fields: &Fields<'_>| -> Result<(u8, u16)> {
            let too_large = |name: &str| Failure::request(format!("`{name}` is too large"));
            let device = u8::try_from(fields.number("device")?).map_err(|_| too_large("device"))?;
            let registration = u16::try_from(fields.number("registration_id")?);
            Ok((device, registration.map_err(|_| too_large("registration_id"))?))
        };
        Ok(Self {
            service_id: fields.text("name")?.parse()?,
            identity: SignalIdentityKey::admit(&fields.bytes("identity")?)?,
            devices: fields.entries("devices")?.iter().map(device).collect::<Result<_>>()?,
        })
    }

    fn recipient(&self) -> v2::Recipient<'_> {
        v2::Recipient { service_id: self.service_id, identity: &self.identity, devices: &self.devices }
    }
}
