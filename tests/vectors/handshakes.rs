//! Floor 2: prekeys, bundles, PQXDH and X3DH, the seal of first messages, the guard against replays.

use crate::document::{Case, array, bytes, cases, changed, judge, list, now, number};
use crate::native_profile::{device, header_key_bytes};
use crate::scripted_rng::ScriptedRng;
use serde_json::Value;
use undertone::crypto::agreement::AgreementKey;
use undertone::crypto::hash::sha256;
use undertone::crypto::kem::KemCiphertext;
use undertone::handshake::internals::{KemUse, Transcript, TranscriptParty, encode_first, parse_first};
use undertone::handshake::{
    AcceptingPrekeys, FirstMessage, HandshakePolicy, HandshakeProfile, HandshakeStrength, KemPrekeyPair, LocalDevice,
    Offer, OneTimePrekeyPair, PrekeyBundle, PrekeyKind, Prekeys, PublishedPrekey, SignedPrekeyPair, accept, initiate,
};
use undertone::profile::{
    HandshakeSecrets, IdentityKey, IdentityKeyPair, Suite, Undertone, UndertoneIdentityKey, UndertoneIdentityKeyPair,
};
use undertone::wire::Address;

/// A device of the vectors.
pub struct Device {
    pub identity: UndertoneIdentityKeyPair,
    pub address: Address,
    pub registration_id: u32,
}

impl Device {
    pub fn new(party: &Value) -> Self {
        let (identity, address) = device(party);
        Self { identity, address, registration_id: number(&party["registration_id"]) }
    }

    pub fn local(&self) -> LocalDevice<'_, Undertone> {
        LocalDevice { identity: &self.identity, address: &self.address, registration_id: self.registration_id }
    }

    /// All its prekeys, generated from their secrets.
    pub fn prekeys(&self, party: &Value) -> Prekeys<Undertone> {
        let created = number(&party["signed"]["created"]);
        let signed = &party["signed"];
        let mut rng = ScriptedRng::new(&[
            &bytes(&signed["secret"]),
            &bytes(&signed["seal_secret"]),
            &bytes(&signed["seal_seed"]),
            &bytes(&party["last_resort"]["seed"]),
            &bytes(&party["one_time"]["secret"]),
            &bytes(&party["kem"]["seed"]),
        ]);
        let mut prekeys = Prekeys::generate(&self.local(), created, &mut rng).expect("prekeys");
        prekeys.add_one_time(&self.local(), 1, created, &mut rng).expect("one-time prekeys");
        rng.finish("prekeys");
        prekeys
    }
}

/// The policy that a suite needs.
pub fn policy(x3dh: bool) -> HandshakePolicy {
    if x3dh { HandshakePolicy::allow_x3dh_without_post_quantum() } else { HandshakePolicy::default() }
}

/// The bundle that a device hands out.
pub fn bundle(device: &Device, prekeys: &Prekeys<Undertone>, one_time: bool, x3dh: bool) -> PrekeyBundle<Undertone> {
    let bundle = prekeys.bundle(&device.local(), one_time).expect("a bundle");
    if x3dh { bundle.without_kem_prekey() } else { bundle }
}

/// PQ-2, PQ-10, PQ-12: the published form of each kind of prekey, the bytes that are signed for it, the signature.
#[test]
fn prekeys() {
    for case in cases("prekey") {
        let owner = Device::new(&case.inputs["owner"]);
        let prekey = &case.inputs["prekey"];
        let (id, created) = (number(&prekey["id"]), number(&prekey["created"]));
        let local = owner.local();
        let script = |names: &[&str]| {
            let parts: Vec<Vec<u8>> = names.iter().map(|name| bytes(&prekey[*name])).collect();
            ScriptedRng::new(&parts.iter().map(Vec::as_slice).collect::<Vec<_>>())
        };
        let (kind, mut rng, published): (_, _, PublishedPrekey);
        match number::<u8>(&case.inputs["kind"]) {
            1 => {
                rng = script(&["secret", "seal_secret", "seal_seed"]);
                kind = PrekeyKind::Signed;
                published =
                    SignedPrekeyPair::generate(&local, id, created, &mut rng).expect(&case.name).published().clone();
            }
            2 => {
                rng = script(&["secret"]);
                kind = PrekeyKind::OneTime;
                published =
                    OneTimePrekeyPair::generate(&local, id, created, &mut rng).expect(&case.name).published().clone();
            }
            _ => {
                rng = script(&["seed"]);
                kind = PrekeyKind::Kem;
                let last_resort = prekey["flags"] == 1;
                let pair = KemPrekeyPair::generate(&local, id, last_resort, created, &mut rng).expect(&case.name);
                published = pair.published().clone();
            }
        }
        rng.finish(&case.name);
        assert_eq!(published.public, bytes(&case.outputs["public"]), "{}", case.name);
        assert_eq!(published.signature, Some(array(&case.outputs["signature"])), "{}", case.name);
        let signed = Undertone::signed_bytes(kind, &owner.address, owner.registration_id, id, &published.public);
        assert_eq!(signed, bytes(&case.outputs["signed_bytes"]), "{}", case.name);
    }
}

/// X3-4, X3-9, PQ-13, PQ-22, B16, Q-1b: bundles in bytes; each refusal comes before anything is drawn.
#[test]
fn bundles() {
    let initiator = Device::new(&cases("handshake")[0].inputs["a"]);
    for case in cases("bundle") {
        let owner = Device::new(&case.inputs["owner"]);
        let wanted = &case.inputs["wanted"];
        let wanted =
            Address::new(wanted["name"].as_str().expect("a name"), number(&wanted["device"])).expect("an address");
        let try_it = |encoded: &[u8], expected: &Value, name: &str| {
            let drawn = if expected.get("error").is_some() { Vec::new() } else { (0..64).collect::<Vec<u8>>() };
            let begun = PrekeyBundle::<Undertone>::from_bytes(encoded).and_then(|read| {
                assert_eq!(read.to_bytes(), encoded, "{name}");
                let policy = policy(case.inputs["x3dh"] == true);
                let mut rng = ScriptedRng::new(&[&drawn]);
                initiate(&initiator.local(), &wanted, &read, policy, number(&case.inputs["now"]), &mut rng)
            });
            judge(name, begun, expected);
        };
        let encoded = bytes(&case.outputs["bundle"]);
        if !list(&case.inputs["changes"]).is_empty() {
            let one_time = case.inputs["one_time"] == true;
            let made = bundle(&owner, &owner.prekeys(&case.inputs["owner"]), one_time, case.inputs["kem"] == false);
            assert_eq!(made.to_bytes(), encoded, "{}", case.name);
        }
        try_it(&encoded, case.outputs, &case.name);
        for (change, expected) in list(&case.inputs["changes"]).iter().zip(list(&case.outputs["changed"])) {
            try_it(&changed(&encoded, change), expected, &format!("{}, {change}", case.name));
        }
    }
}

/// X3-1, X3-9, PQ-14, PQ-16, PQ-17, PQ-22, PQ-27, X3-12, HE-3, K-1: both sides of every handshake, from what they draw to the secrets of the session, with the
/// first message in bytes between them.
#[test]
fn handshakes() {
    for case in cases("handshake") {
        let (a, b) = (Device::new(&case.inputs["a"]), Device::new(&case.inputs["b"]));
        let prekeys = b.prekeys(&case.inputs["b"]);
        let x3dh = case.inputs["suite"] == 2;
        let one_time = case.inputs["one_time"] == true;
        let offered = bundle(&b, &prekeys, one_time, x3dh);
        let mut rng = handshake_script(&case);
        let begun = initiate(&a.local(), &b.address, &offered, policy(x3dh), now(), &mut rng).expect(&case.name);
        rng.finish(&case.name);
        assert_secrets(&case, &begun.secrets);
        assert_eq!(begun.suite.number(), number::<u8>(&case.inputs["suite"]), "{}", case.name);
        assert_eq!(begun.strength, strength(x3dh, one_time), "{}", case.name);
        assert_eq!(begun.offer.base_key.as_bytes(), &array(&case.outputs["base_key"]), "{}", case.name);

        let ciphertext = bytes(&case.outputs["ciphertext"]);
        let transcript = transcript_hash(&a, &b, &offered, begun.offer.base_key.as_bytes(), &ciphertext);
        assert_eq!(transcript, array(&case.outputs["transcript_hash"]), "{}", case.name);
        let encoded = encode_first(&a.local(), &begun.offer, b"the session message");
        let without_message = bytes(&case.outputs["first_without_message"]);
        assert_eq!(encoded, [&without_message[..], b"the session message"].concat(), "{}", case.name);
        let first = parse_first(&encoded).expect(&case.name);
        assert_eq!(first.message, b"the session message", "{}", case.name);

        let accepting: AcceptingPrekeys<'_, Undertone> = prekeys.lookup(&first).expect(&case.name);
        let accepted = accept(&b.local(), &first, &accepting, policy(x3dh)).expect(&case.name);
        assert_secrets(&case, &accepted.secrets);
        assert_eq!(accepted.strength, strength(x3dh, one_time), "{}", case.name);
        if x3dh {
            let refused = accept(&b.local(), &first, &accepting, HandshakePolicy::default());
            assert_eq!(refused.map(drop).unwrap_err().code(), "handshake.x3dh_not_allowed", "{}", case.name);
        }
    }
}

/// PQ-17, SS-3, B7: the seal byte for byte, what is in it, and each change to it or inside it refused.
#[test]
fn first_seals() {
    for case in cases("first seal") {
        let (a, b) = (Device::new(&case.inputs["a"]), Device::new(&case.inputs["b"]));
        let prekeys = b.prekeys(&case.inputs["b"]);
        let sealed = bytes(&case.outputs["sealed"]);
        let message = bytes(&case.inputs["message"]);
        if case.inputs["inner_change"].is_null() {
            let signed = prekeys.signed_prekey().expect("a signed prekey");
            let (_, sealing, _) = Undertone::parse_signed_prekey(&signed.public).expect("a signed prekey");
            let first = first_message(&case, &a);
            let offer = Offer::<Undertone> {
                suite: first.suite,
                base_key: first.base_key,
                signed_prekey_id: first.signed_prekey_id,
                one_time_prekey_id: first.one_time_prekey_id,
                kem: first.kem,
                created: now(),
                sealing,
            };
            let mut rng =
                ScriptedRng::new(&[&bytes(&case.inputs["e_secret"]), &bytes(&case.inputs["seal_randomness"])]);
            let wrapped =
                Undertone::wrap_first(&a.local(), &b.address, b.identity.public(), &offer, message.clone(), &mut rng);
            rng.finish(&case.name);
            assert_eq!(hex::encode(wrapped.expect(&case.name)), hex::encode(&sealed), "{}", case.name);
        }
        let open = |bytes: &[u8]| FirstMessage::<Undertone>::open(&b.local(), bytes, &prekeys);
        if let Some(opened) = judge(&case.name, open(&sealed), &case.outputs["opened"]) {
            let expected = first_message(&case, &a);
            assert_eq!(opened.suite, expected.suite, "{}", case.name);
            assert_eq!(opened.identity, expected.identity, "{}", case.name);
            assert_eq!(opened.address, expected.address, "{}", case.name);
            assert_eq!(opened.registration_id, expected.registration_id, "{}", case.name);
            assert_eq!(opened.base_key, expected.base_key, "{}", case.name);
            assert_eq!(opened.signed_prekey_id, expected.signed_prekey_id, "{}", case.name);
            assert_eq!(opened.one_time_prekey_id, expected.one_time_prekey_id, "{}", case.name);
            assert_eq!(opened.kem_prekey_id(), expected.kem_prekey_id(), "{}", case.name);
            assert_eq!(opened.message, message, "{}", case.name);
        }
        for (change, expected) in list(&case.inputs["changes"]).iter().zip(list(&case.outputs["changed"])) {
            judge(&format!("{}, {change}", case.name), open(&changed(&sealed, change)), expected);
        }
    }
}

/// PQ-20, B9: the value that is kept of a first message, and that it is not accepted a second time.
#[test]
fn replays() {
    for case in cases("replay value") {
        let owner = Device::new(&case.inputs["b"]);
        let mut prekeys = owner.prekeys(&case.inputs["b"]);
        let kem_id: u32 = number(&case.inputs["kem_id"]);
        let ciphertext = || KemCiphertext::from_slice(&[0; 1568]).expect("a ciphertext");
        let first = FirstMessage::<Undertone> {
            suite: if kem_id == 0 { Suite::X3dh } else { Suite::Pqxdh },
            identity: owner.identity.public().clone(),
            address: None,
            registration_id: 0,
            base_key: AgreementKey::admit(&bytes(&case.inputs["base_key"])).expect("a key"),
            signed_prekey_id: number(&case.inputs["signed_id"]),
            one_time_prekey_id: None,
            kem: (kem_id != 0).then(|| (kem_id, ciphertext())),
            message: Vec::new(),
        };
        let value = bytes(&case.outputs["value"]);
        let holds = |prekeys: &Prekeys<Undertone>| prekeys.to_bytes().windows(32).any(|window| window == value);
        assert!(!holds(&prekeys), "{}", case.name);
        prekeys.consume(&first).expect(&case.name);
        assert!(holds(&prekeys), "{}", case.name);
        assert_eq!(prekeys.check_replay(&first).unwrap_err().code(), "handshake.replayed", "{}", case.name);
    }
}

fn transcript_hash(
    a: &Device,
    b: &Device,
    bundle: &PrekeyBundle<Undertone>,
    base_key: &[u8; 32],
    ciphertext: &[u8],
) -> [u8; 32] {
    fn named(prekey: &PublishedPrekey) -> (u32, &[u8]) {
        (prekey.id, &prekey.public)
    }
    fn party<'a>(device: &'a Device, address: &'a [u8]) -> TranscriptParty<'a> {
        let identity = device.identity.public().as_bytes();
        TranscriptParty { identity, address, registration_id: device.registration_id }
    }
    let (a_address, b_address) = (encoded(&a.address), encoded(&b.address));
    let transcript = Transcript {
        suite: if bundle.kem_prekey().is_some() { Suite::Pqxdh } else { Suite::X3dh },
        initiator: party(a, &a_address),
        responder: party(b, &b_address),
        signed_prekey: named(bundle.signed_prekey()),
        one_time_prekey: bundle.one_time_prekey().map(named),
        base_key,
        kem: bundle.kem_prekey().map(|kem| KemUse { id: kem.id, public: &kem.public, ciphertext }),
    };
    sha256(&[&transcript.encode()])
}

/// The encoding of an address (section 2), written here a second time.
fn encoded(address: &Address) -> Vec<u8> {
    let length = u16::try_from(address.name().len()).expect("at most 255");
    [&length.to_be_bytes()[..], address.name().as_bytes(), &[address.device()]].concat()
}

/// What the initiator draws.
fn handshake_script(case: &Case) -> ScriptedRng {
    let kem = case.inputs.get("kem_randomness").map(bytes).unwrap_or_default();
    ScriptedRng::new(&[&bytes(&case.inputs["base_key_secret"]), &kem])
}

fn strength(x3dh: bool, one_time: bool) -> HandshakeStrength {
    match (x3dh, one_time) {
        (true, _) => HandshakeStrength::WithoutPostQuantum,
        (false, true) => HandshakeStrength::OneTime,
        (false, false) => HandshakeStrength::LastResort,
    }
}

fn assert_secrets(case: &Case, secrets: &HandshakeSecrets<Undertone>) {
    assert_eq!(secrets.root.expose(), &array(&case.outputs["root"]), "{}", case.name);
    assert_eq!(header_key_bytes(&secrets.initiator_header), bytes(&case.outputs["hk_a"]), "{}", case.name);
    assert_eq!(header_key_bytes(&secrets.responder_header), bytes(&case.outputs["hk_b"]), "{}", case.name);
    assert_eq!(secrets.post_quantum.expose(), &array(&case.outputs["pq"]), "{}", case.name);
}

/// The first message of a handshake, put together from the vectors.
fn first_message(case: &Case, a: &Device) -> FirstMessage<Undertone> {
    let handshake = |name: &str| {
        let of_suite = |other: &Case| other.inputs["suite"] == case.inputs["suite"];
        let of_prekeys = |other: &Case| other.inputs["one_time"] == case.inputs["one_time"];
        let found = cases("handshake").into_iter().find(|other| of_suite(other) && of_prekeys(other));
        found.expect("a handshake").outputs[name].clone()
    };
    let one_time = case.inputs["one_time"] == true;
    let b = &case.inputs["b"];
    let kem = if one_time { &b["kem"] } else { &b["last_resort"] };
    let suite = Suite::from_number(number(&case.inputs["suite"])).expect("a suite");
    let ciphertext = bytes(&handshake("ciphertext"));
    FirstMessage {
        suite,
        identity: UndertoneIdentityKey::admit(a.identity.public().as_bytes()).expect("a key"),
        address: Some(a.address.clone()),
        registration_id: a.registration_id,
        base_key: AgreementKey::admit(&bytes(&handshake("base_key"))).expect("a key"),
        signed_prekey_id: number(&b["signed"]["id"]),
        one_time_prekey_id: one_time.then(|| number(&b["one_time"]["id"])),
        kem: (suite == Suite::Pqxdh)
            .then(|| (number(&kem["id"]), KemCiphertext::from_slice(&ciphertext).expect("a ciphertext"))),
        message: case.inputs.get("message").map(bytes).unwrap_or_default(),
    }
}
