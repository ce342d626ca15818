//! Floor 2: prekeys, bundles, the handshake and the seal of first messages.

use crate::document::{array, bytes, cases, changed, judge, list, number, text};
use crate::native_profile::device;
use crate::scripted_rng::ScriptedRng;
use serde_json::Value;
use undertone::Fault;
use undertone::crypto::hash::sha256;
use undertone::handshake::internals::{
    KemUse, Recipient, ReplayGuard, SealedFirst, Transcript, TranscriptParty, encode_first, parse_first, seal,
};
use undertone::handshake::{
    AcceptingPrekeys, HandshakePolicy, HandshakeProfile, KemPrekeyPair, LocalDevice, OneTimePrekeyPair, PrekeyBundle,
    PrekeyKind, PublishedPrekey, SignedPrekeyPair, accept, initiate,
};
use undertone::profile::{
    HandshakeSecrets, HeaderKey, IdentityKeyPair, Suite, Undertone, UndertoneIdentityKey, UndertoneIdentityKeyPair,
};
use undertone::wire::{Address, Reader, Writer};

/// A device of the vectors with its prekeys.
struct Owner {
    identity: UndertoneIdentityKeyPair,
    address: Address,
    registration_id: u32,
    signed: SignedPrekeyPair<Undertone>,
    one_time: OneTimePrekeyPair<Undertone>,
    kem: KemPrekeyPair<Undertone>,
}

impl Owner {
    fn new(owner: &Value) -> Self {
        let (identity, address) = device(owner);
        Self {
            identity,
            address,
            registration_id: number(&owner["registration_id"]),
            signed: signed_prekey(&owner["signed"]),
            one_time: one_time_prekey(&owner["one_time"]),
            kem: kem_prekey(&owner["kem"]),
        }
    }

    fn local(&self) -> LocalDevice<'_, Undertone> {
        LocalDevice { identity: &self.identity, address: &self.address, registration_id: self.registration_id }
    }

    fn sign(&self, kind: PrekeyKind, published: &PublishedPrekey) -> (Vec<u8>, PublishedPrekey) {
        let PublishedPrekey { id, public, .. } = published.clone();
        let signed = Undertone::signed_bytes(kind, &self.address, self.registration_id, id, &public);
        let signature = self.identity.sign(&[&signed], &mut ScriptedRng::new(&[])).expect("Ed25519 draws nothing");
        (signed, PublishedPrekey { id, public, signature: Some(signature) })
    }
}

fn signed_prekey(prekey: &Value) -> SignedPrekeyPair<Undertone> {
    let secrets = [bytes(&prekey["secret"]), bytes(&prekey["seal_secret"]), bytes(&prekey["seal_seed"])].concat();
    let stored = [id(prekey), dates(prekey), secrets, vec![0; 64]].concat();
    SignedPrekeyPair::decode(&mut Reader::new(&stored, Fault::RecordCorrupt)).expect("a signed prekey")
}

fn one_time_prekey(prekey: &Value) -> OneTimePrekeyPair<Undertone> {
    let stored = [id(prekey), dates(prekey), bytes(&prekey["secret"]), vec![0; 64]].concat();
    OneTimePrekeyPair::decode(&mut Reader::new(&stored, Fault::RecordCorrupt)).expect("a one-time prekey")
}

fn kem_prekey(prekey: &Value) -> KemPrekeyPair<Undertone> {
    let flags = vec![number::<u8>(&prekey["flags"])];
    let stored = [id(prekey), flags, dates(prekey), bytes(&prekey["seed"]), vec![0; 64]].concat();
    KemPrekeyPair::decode(&mut Reader::new(&stored, Fault::RecordCorrupt)).expect("a KEM prekey")
}

fn id(prekey: &Value) -> Vec<u8> {
    number::<u32>(&prekey["id"]).to_be_bytes().to_vec()
}

fn dates(prekey: &Value) -> Vec<u8> {
    [number::<u64>(&prekey["created"]).to_be_bytes(), number::<u64>(&prekey["expires"]).to_be_bytes()].concat()
}

/// PQ-2, PQ-3, PQ-10, PQ-12: the published form of each kind, and what is signed of it.
#[test]
fn prekeys() {
    for case in cases("prekey") {
        let owner = Owner::new(&case.inputs["owner"]);
        let prekey = &case.inputs["prekey"];
        let (kind, published) = match number::<u8>(&case.inputs["kind"]) {
            1 => (PrekeyKind::Signed, signed_prekey(prekey).published().clone()),
            2 => (PrekeyKind::OneTime, one_time_prekey(prekey).published().clone()),
            _ => (PrekeyKind::Kem, kem_prekey(prekey).published().clone()),
        };
        let (signed, published) = owner.sign(kind, &published);
        assert_eq!(published.public, bytes(&case.outputs["public"]), "{}", case.name);
        assert_eq!(signed, bytes(&case.outputs["signed_bytes"]), "{}", case.name);
        assert_eq!(published.signature, Some(array(&case.outputs["signature"])), "{}", case.name);
    }
}

/// X3-4, PQ-13, X3-12, B4, B12, B16: what makes a bundle good, and what each fault in it is called.
#[test]
fn bundles() {
    for case in cases("bundle") {
        let (identity, address) = device(&serde_json::json!({
            "identity_seed": "07".repeat(32), "name": "an initiator", "device": 1,
        }));
        let local = LocalDevice { identity: &identity, address: &address, registration_id: 0 };
        let wanted = Address::new(text(&case.inputs["wanted"]["name"]), number(&case.inputs["wanted"]["device"]));
        let wanted = wanted.expect("an address");
        let policy = match case.inputs["x3dh"].as_bool() {
            Some(true) => HandshakePolicy::allow_x3dh_without_post_quantum(),
            _ => HandshakePolicy::default(),
        };
        let now = number(&case.inputs["now"]);
        let use_bundle = |encoded: &[u8]| {
            let bundle = PrekeyBundle::<Undertone>::from_bytes(encoded)?;
            assert_eq!(bundle.to_bytes(), encoded, "{}", case.name);
            initiate(&local, &wanted, &bundle, policy, now, &mut getrandom::SysRng).map(|_| ())
        };
        let encoded = bytes(&case.outputs["bundle"]);
        judge(&case.name, use_bundle(&encoded), case.outputs);
        for (change, output) in list(&case.inputs["changes"]).iter().zip(list(&case.outputs["changed"])) {
            judge(&format!("{} {change}", case.name), use_bundle(&changed(&encoded, change)), output);
        }
    }
}

/// X3-2, X3-5, PQ-6, PQ-14, PQ-16, PQ-27: both sides of every form of the handshake, and the first message.
#[test]
fn handshakes() {
    for case in cases("handshake") {
        let (a, b) = (Owner::new(&case.inputs["a"]), Owner::new(&case.inputs["b"]));
        let is_pqxdh = number::<u8>(&case.inputs["suite"]) == 1;
        let uses_one_time = case.inputs["one_time"].as_bool().expect("a flag");
        let policy =
            if is_pqxdh { HandshakePolicy::default() } else { HandshakePolicy::allow_x3dh_without_post_quantum() };
        let bundle = PrekeyBundle::from_parts(
            b.address.clone(),
            b.registration_id,
            b.identity.public().as_bytes(),
            b.sign(PrekeyKind::Signed, b.signed.published()).1,
            is_pqxdh.then(|| b.sign(PrekeyKind::Kem, b.kem.published()).1),
            uses_one_time.then(|| b.sign(PrekeyKind::OneTime, b.one_time.published()).1),
        )
        .expect("a bundle");
        let base_secret = bytes(&case.inputs["base_key_secret"]);
        let kem_randomness = if is_pqxdh { bytes(&case.inputs["kem_randomness"]) } else { Vec::new() };
        let mut rng = ScriptedRng::new(&[&base_secret, &kem_randomness]);
        let now = crate::document::now();
        let initiation = initiate(&a.local(), &b.address, &bundle, policy, now, &mut rng).expect(&case.name);
        rng.finish(&case.name);

        let offer = &initiation.offer;
        assert_eq!(offer.base_key.as_bytes(), &array(&case.outputs["base_key"]), "{}", case.name);
        let ciphertext = offer.kem.as_ref().map_or(Vec::new(), |(_, ciphertext)| ciphertext.as_bytes().to_vec());
        assert_eq!(ciphertext, bytes(&case.outputs["ciphertext"]), "{}", case.name);
        assert_eq!(
            transcript_hash(&a, &b, &bundle, offer.base_key.as_bytes(), &ciphertext),
            array(&case.outputs["transcript_hash"])
        );
        assert_secrets(&case.name, &initiation.secrets, case.outputs);

        let first = encode_first(&a.local(), offer, b"the session message");
        let without_message = bytes(&case.outputs["first_without_message"]);
        assert_eq!(first, [&without_message[..], b"the session message"].concat(), "{}", case.name);
        let first = parse_first(&first).expect(&case.name);
        assert_eq!(first.message, b"the session message");
        let prekeys = AcceptingPrekeys {
            signed: &b.signed,
            one_time: uses_one_time.then_some(&b.one_time),
            kem: is_pqxdh.then_some(&b.kem),
        };
        let acceptance = accept(&b.local(), &first, &prekeys, policy).expect(&case.name);
        assert_secrets(&case.name, &acceptance.secrets, case.outputs);
        assert_eq!(acceptance.strength, initiation.strength);
    }
}

fn transcript_hash(
    a: &Owner,
    b: &Owner,
    bundle: &PrekeyBundle<Undertone>,
    base_key: &[u8; 32],
    ciphertext: &[u8],
) -> [u8; 32] {
    fn named(prekey: &PublishedPrekey) -> (u32, &[u8]) {
        (prekey.id, &prekey.public)
    }
    let (a_address, b_address) = (encoded(&a.address), encoded(&b.address));
    let transcript = Transcript {
        suite: if bundle.kem_prekey().is_some() { Suite::Pqxdh } else { Suite::X3dh },
        initiator: party(a.identity.public(), &a_address, a.registration_id),
        responder: party(b.identity.public(), &b_address, b.registration_id),
        signed_prekey: named(bundle.signed_prekey()),
        one_time_prekey: bundle.one_time_prekey().map(named),
        base_key,
        kem: bundle.kem_prekey().map(|kem| KemUse { id: kem.id, public: &kem.public, ciphertext }),
    };
    sha256(&[&transcript.encode()])
}

fn party<'a>(identity: &'a UndertoneIdentityKey, address: &'a [u8], registration_id: u32) -> TranscriptParty<'a> {
    TranscriptParty { identity: identity.as_bytes(), address, registration_id }
}

/// The encoding of an address (section 2), written here a second time.
fn encoded(address: &Address) -> Vec<u8> {
    let length = u16::try_from(address.name().len()).expect("at most 255");
    [&length.to_be_bytes()[..], address.name().as_bytes(), &[address.device()]].concat()
}

fn assert_secrets(name: &str, secrets: &HandshakeSecrets<Undertone>, outputs: &Value) {
    assert_eq!(secrets.root.expose(), &array(&outputs["root"]), "{name}: root");
    assert_eq!(secrets.post_quantum.expose(), &array(&outputs["pq"]), "{name}: PQ");
    for (key, output) in [(&secrets.initiator_header, "hk_a"), (&secrets.responder_header, "hk_b")] {
        let mut written = Writer::default();
        key.encode(&mut written);
        assert_eq!(written.as_slice(), bytes(&outputs[output]), "{name}: {output}");
    }
}

/// PQ-20, B9: what is recorded of a first message.
#[test]
fn replay_values() {
    for case in cases("replay value") {
        let base_key = undertone::crypto::agreement::AgreementKey::admit(&bytes(&case.inputs["base_key"]));
        let base_key = base_key.expect("a base key");
        let value = ReplayGuard::value(number(&case.inputs["signed_id"]), number(&case.inputs["kem_id"]), &base_key);
        assert_eq!(value, array(&case.outputs["value"]), "{}", case.name);
    }
}

/// K-5, B7: the seal of a first message, and what each damage to it is called.
#[test]
fn first_seals() {
    for case in cases("first seal") {
        let owner = Owner::new(&case.inputs["recipient"]);
        let published = owner.signed.published();
        let (_, key, _) = Undertone::parse_signed_prekey(&published.public).expect("a signed prekey");
        let recipient = Recipient {
            signed_prekey_id: published.id,
            signed_prekey: &published.public,
            address: &owner.address,
            identity: owner.identity.public().as_bytes(),
        };
        let first = bytes(&case.inputs["first"]);
        let mut rng = ScriptedRng::new(&[&bytes(&case.inputs["e_secret"]), &bytes(&case.inputs["randomness"])]);
        let sealed = seal(&key, &recipient, &first, &mut rng).expect(&case.name);
        rng.finish(&case.name);
        assert_eq!(sealed, bytes(&case.outputs["sealed"]), "{}", case.name);
        let open = |bytes: &[u8]| {
            let sealed = SealedFirst::parse(bytes)?;
            if sealed.signed_prekey_id() != published.id {
                return Err(Fault::SealUnknownKey.into());
            }
            sealed.open(owner.signed.sealing_secret(), &recipient)
        };
        assert_eq!(open(&sealed), Ok(first), "{}", case.name);
        for (change, output) in list(&case.inputs["changes"]).iter().zip(list(&case.outputs["changed"])) {
            judge(&format!("{} {change}", case.name), open(&changed(&sealed, change)), output);
        }
    }
}
