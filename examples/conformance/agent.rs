//! The parties, and the operations on them.

use crate::bench;
use crate::failure::Failure;
use crate::party::Party;
use crate::request::{Fields, base64};
use crate::wire_profile::{Result, WireProfile, bundle_from_json, bundle_to_json};
use serde_json::{Value, json};
use std::collections::HashMap;
use undertone::{Address, EnvelopeKind, SessionRecord, Signal, Undertone};

/// A party of either profile.
enum AnyParty {
    Signal(Box<Party<Signal>>),
    Undertone(Box<Party<Undertone>>),
}

/// All parties, by the names their callers gave them.
#[derive(Default)]
pub struct Agent {
    parties: HashMap<String, AnyParty>,
}

impl Agent {
    /// Answers one line.
    pub fn answer(&mut self, line: &[u8]) -> Value {
        let request: Value = match serde_json::from_slice(line) {
            Ok(request) => request,
            Err(error) => return Failure::request(format!("not JSON: {error}")).answer(),
        };
        self.perform(&request).unwrap_or_else(|failure| failure.answer())
    }

    fn perform(&mut self, request: &Value) -> Result<Value> {
        let request = Fields::new(request)?;
        let op = request.text("op")?;
        let name = request.text("party")?;
        match op {
            "create" => self.create(name, &request),
            "load" => self.load(name, &request),
            "forget" => {
                self.parties.remove(name).ok_or_else(|| unknown_party(name))?;
                Ok(json!({}))
            }
            _ => match self.parties.get_mut(name).ok_or_else(|| unknown_party(name))? {
                AnyParty::Signal(party) => operate(party, op, &request),
                AnyParty::Undertone(party) => operate(party, op, &request),
            },
        }
    }

    fn create(&mut self, name: &str, request: &Fields<'_>) -> Result<Value> {
        let party = match request.text("profile")? {
            "signal" => AnyParty::Signal(Box::new(Party::create(request)?)),
            "undertone" => AnyParty::Undertone(Box::new(Party::create(request)?)),
            other => return Err(Failure::request(format!("`{other}` is not a profile"))),
        };
        let identity = match &party {
            AnyParty::Signal(party) => party.identity_bytes(),
            AnyParty::Undertone(party) => party.identity_bytes(),
        };
        self.parties.insert(name.to_owned(), party);
        Ok(json!({ "identity": base64(identity) }))
    }

    fn load(&mut self, name: &str, request: &Fields<'_>) -> Result<Value> {
        let state = request.bytes("state")?;
        let state: Value = serde_json::from_slice(&state).map_err(|_| Failure::request("`state` is not a state"))?;
        let state = Fields::new(&state)?;
        let party = match state.text("profile")? {
            "signal" => AnyParty::Signal(Box::new(Party::load(&state)?)),
            "undertone" => AnyParty::Undertone(Box::new(Party::load(&state)?)),
            _ => return Err(Failure::request("`state` is of no known profile")),
        };
        self.parties.insert(name.to_owned(), party);
        Ok(json!({}))
    }
}

fn unknown_party(name: &str) -> Failure {
    Failure::request(format!("there is no party `{name}`"))
}

fn operate<P: WireProfile>(party: &mut Party<P>, op: &str, request: &Fields<'_>) -> Result<Value> {
    match op {
        "bundle" => Ok(json!({ "bundle": bundle_to_json(&party.bundle(request.flag("one_time")?)?) })),
        "process_bundle" => {
            let peer = P::peer(request)?;
            let bundle = bundle_from_json::<P>(&peer, &request.object("bundle")?)?;
            party.process_bundle(&peer, &bundle)?;
            Ok(json!({}))
        }
        "encrypt" => {
            let envelope = party.encrypt(&P::peer(request)?, &request.bytes("plaintext")?)?;
            Ok(json!({ "type": envelope_type(envelope.kind), "bytes": base64(envelope.bytes) }))
        }
        "decrypt" => {
            let peer = P::peer(request)?;
            let kind = match request.text("type")? {
                "prekey" => EnvelopeKind::First,
                "message" => EnvelopeKind::Message,
                other => return Err(Failure::request(format!("`{other}` is not a type of message"))),
            };
            let plaintext = party.decrypt(&peer, kind, &request.bytes("bytes")?)?;
            Ok(json!({ "plaintext": base64(plaintext) }))
        }
        "distribution" => {
            let group = P::group(request.text("group")?)?;
            Ok(json!({ "bytes": base64(party.distribution(group)?) }))
        }
        "process_distribution" => {
            party.process_distribution(&P::peer(request)?, &request.bytes("bytes")?)?;
            Ok(json!({}))
        }
        "group_encrypt" => {
            let group = P::group(request.text("group")?)?;
            Ok(json!({ "bytes": base64(party.group_encrypt(group, &request.bytes("plaintext")?)?) }))
        }
        "group_decrypt" => {
            let plaintext = party.group_decrypt(&P::peer(request)?, &request.bytes("bytes")?)?;
            Ok(json!({ "plaintext": base64(plaintext) }))
        }
        "fingerprint" => P::fingerprint(party, request),
        "sealed_encrypt" => P::sealed_encrypt(party, request),
        "sealed_encrypt_many" => P::sealed_encrypt_many(party, request),
        "sealed_decrypt" => P::sealed_decrypt(party, request),
        "certificate" => P::certificate(party, request),
        "import_session" => P::import_session(party, P::peer(request)?, &request.bytes("record")?),
        "session" => session(party, &P::peer(request)?),
        "save" => Ok(json!({ "state": base64(party.save().to_string()) })),
        "bench" => bench::run(party, request),
        other => Err(Failure::request(format!("`{other}` is not an operation"))),
    }
}

fn envelope_type(kind: EnvelopeKind) -> &'static str {
    match kind {
        EnvelopeKind::First => "prekey",
        EnvelopeKind::Message => "message",
    }
}

fn session<P: WireProfile>(party: &Party<P>, peer: &Address) -> Result<Value> {
    let record = party.record(peer);
    let status = record.and_then(SessionRecord::status);
    Ok(json!({
        "established": status.is_some(),
        "handshake": match status.map(|status| status.suite) {
            Some(undertone::Suite::X3dh) => "x3dh",
            _ => "pqxdh",
        },
        "acknowledged": status.is_some_and(|status| status.acknowledged),
        "pq_epoch": status.map_or(0, |status| status.post_quantum_epoch),
        "skipped": status.map_or(0, |status| status.skipped),
        "archived": status.map_or(0, |status| status.archived),
        "record_bytes": record.map_or(0, |record| record.to_bytes().len()),
    }))
}
