//! The operations that are the native profile's own. An established session needs no sealed sender, since nothing in its envelopes names the sender; what the
//! agent's operations of that name add is a server's certificate beside the plaintext, inside the session.

use crate::failure::Failure;
use crate::party::Party;
use crate::request::{Fields, base64};
use crate::wire_profile::{Result, WireProfile, fingerprint, group_uuid};
// The certificates here are the agent's own, and the server and root that sign them are parts that it plays. The crate verifies their signatures; it signs no
// bytes of an application's with an identity key, on purpose (XE-7), so that this alone takes the signing crate.
use ed25519_dalek::{Signer, SigningKey};
use serde_json::{Value, json};
use undertone::group::{GroupContext, GroupId};
use undertone::{Address, EnvelopeKind, IdentityKey, Undertone, UndertoneIdentityKey};

impl WireProfile for Undertone {
    const NAME: &'static str = "undertone";

    fn group(uuid: &str) -> Result<GroupContext> {
        Ok(GroupContext::new(GroupId::new(group_uuid(uuid)?)?, 0, [0; 32]))
    }

    fn account(name: &str) -> Result<String> {
        Ok(name.to_owned())
    }

    fn sender_key_identity(party: &Party<Self>, peer: &Address) -> Result<UndertoneIdentityKey> {
        let unknown = || Failure::of("no_session", "a sender key comes inside a session, and there is none");
        party.pin(peer).cloned().ok_or_else(unknown)
    }

    fn fingerprint(party: &Party<Self>, request: &Fields<'_>) -> Result<Value> {
        fingerprint(party, request)
    }

    fn sealed_encrypt(party: &mut Party<Self>, request: &Fields<'_>) -> Result<Value> {
        let peer = Self::peer(request)?;
        let certificate = request.bytes("sender_certificate")?;
        if !(1..=2).contains(&request.number("version")?) {
            return Err(Failure::request("`version` is 1 or 2"));
        }
        Certificate::parse(&certificate)?;
        let content = json!({
            "certificate": base64(certificate),
            "group_id": request.optional_bytes("group_id")?.map(base64),
            "plaintext": base64(request.bytes("plaintext")?),
        });
        let envelope = party.encrypt(&peer, content.to_string().as_bytes())?;
        Ok(json!({ "bytes": base64(envelope.bytes) }))
    }

    fn sealed_encrypt_many(_party: &mut Party<Self>, _request: &Fields<'_>) -> Result<Value> {
        Err(Failure::request("one seal for many recipients is of the Signal profile"))
    }

    fn sealed_decrypt(party: &mut Party<Self>, request: &Fields<'_>) -> Result<Value> {
        let bytes = request.bytes("bytes")?;
        let root = UndertoneIdentityKey::admit(&request.bytes("trust_root")?)?;
        let timestamp = request.number("timestamp")?;
        party.atomically(|party| {
            let (sender, kind) = party.sender_of(&bytes)?;
            let plaintext = party.decrypt(&sender, kind, &bytes)?;
            let malformed = || Failure::of("invalid_message", "the content has no certificate");
            let content: Value = serde_json::from_slice(&plaintext).map_err(|_| malformed())?;
            let content = Fields::new(&content).map_err(|_| malformed())?;
            let certificate = Certificate::parse(&content.bytes("certificate").map_err(|_| malformed())?)?;
            let identity = party.pin(&sender).map(IdentityKey::to_bytes).unwrap_or_default();
            certificate.validate(&root, timestamp, &sender, &identity)?;
            Ok(json!({
                "plaintext": base64(content.bytes("plaintext").map_err(|_| malformed())?),
                "sender": { "name": sender.name(), "device": sender.device() },
                "group_id": content.optional("group_id"),
            }))
        })
    }

    fn certificate(party: &Party<Self>, request: &Fields<'_>) -> Result<Value> {
        let root = signing_key(&request.bytes("trust_root_private")?)?;
        let server = signing_key(&request.bytes("server_private")?)?;
        let authority = json!({
            "id": request.number32("server_id")?,
            "key": base64(server.verifying_key().as_bytes()),
        })
        .to_string();
        let claims = json!({
            "name": party.address().name(),
            "device": party.address().device(),
            "identity": base64(party.identity_bytes()),
            "expires": request.number("expires")?,
        })
        .to_string();
        let certificate = json!({
            "authority_signature": base64(root.sign(authority.as_bytes()).to_bytes()),
            "claims_signature": base64(server.sign(claims.as_bytes()).to_bytes()),
            "authority": authority,
            "claims": claims,
        });
        Ok(json!({ "bytes": base64(certificate.to_string()) }))
    }

    fn import_session(_party: &mut Party<Self>, _peer: Address, _record: &[u8]) -> Result<Value> {
        Err(Failure::request("official records are of the Signal profile"))
    }
}

/// A certificate of the agent's own: claims signed by a server, the server's key signed by the root.
struct Certificate {
    authority: String,
    claims: String,
    authority_signature: [u8; 64],
    claims_signature: [u8; 64],
}

impl Certificate {
    fn parse(bytes: &[u8]) -> Result<Self> {
        let read = || -> Result<Self> {
            let value: Value = serde_json::from_slice(bytes).map_err(|_| Failure::request("not JSON"))?;
            let fields = Fields::new(&value)?;
            let signature =
                |name: &str| <[u8; 64]>::try_from(fields.bytes(name)?).map_err(|_| Failure::request("not 64 bytes"));
            Ok(Self {
                authority: fields.text("authority")?.to_owned(),
                claims: fields.text("claims")?.to_owned(),
                authority_signature: signature("authority_signature")?,
                claims_signature: signature("claims_signature")?,
            })
        };
        read().map_err(|_| Failure::of("invalid_message", "the certificate is malformed"))
    }

    fn validate(&self, root: &UndertoneIdentityKey, timestamp: u64, sender: &Address, identity: &[u8]) -> Result<()> {
        let invalid = || Failure::of("invalid_signature", "the certificate is not signed by a trusted root");
        let malformed = || Failure::of("invalid_message", "the certificate is malformed");
        root.verify(&[self.authority.as_bytes()], &self.authority_signature).map_err(|_| invalid())?;
        let authority: Value = serde_json::from_str(&self.authority).map_err(|_| malformed())?;
        let server = UndertoneIdentityKey::admit(&Fields::new(&authority)?.bytes("key")?)?;
        server.verify(&[self.claims.as_bytes()], &self.claims_signature).map_err(|_| invalid())?;
        let claims: Value = serde_json::from_str(&self.claims).map_err(|_| malformed())?;
        let claims = Fields::new(&claims)?;
        if timestamp > claims.number("expires")? {
            return Err(Failure::of("expired", "the certificate has expired"));
        }
        if claims.as_address()? != *sender || claims.bytes("identity")? != identity {
            return Err(Failure::of("invalid_message", "the certificate is not the sender's"));
        }
        Ok(())
    }
}

fn signing_key(bytes: &[u8]) -> Result<SigningKey> {
    let seed = <[u8; 32]>::try_from(bytes).map_err(|_| Failure::of("invalid_key", "a private key has 32 bytes"))?;
    Ok(SigningKey::from_bytes(&seed))
}

/// Which way an envelope of the native profile is read, by its first byte.
pub fn envelope_kind(bytes: &[u8]) -> Result<EnvelopeKind> {
    match bytes.first() {
        Some(0x11) => Ok(EnvelopeKind::First),
        Some(0x12) => Ok(EnvelopeKind::Message),
        Some(_) => Err(Failure::of("unsupported_version", "not an envelope of the native profile")),
        None => Err(Failure::of("invalid_message", "an empty envelope")),
    }
}
