//! Floor 1: addresses, the key schedules, the session message.

use crate::document::{Case, array, bytes, cases, judge, list, number, text};
use crate::scripted_rng::ScriptedRng;
use serde_json::Value;
use undertone::crypto::agreement::{AgreementKey, AgreementSecret};
use undertone::crypto::kdf::{hkdf, hmac};
use undertone::crypto::{Secret, aead};
use undertone::profile::{
    BraidPayload, Chunk, Header, HeaderKey, IdentityKeyPair, MessageKeys, Parties, PostQuantumHeader,
    PostQuantumProfile, Profile, Role, Suite, Undertone, UndertoneIdentityKeyPair, suite_label,
};
use undertone::wire::{Address, Writer};

type NativeHeaderKey = <Undertone as Profile>::HeaderKey;
type Binding = <Undertone as Profile>::Binding;

/// A device of the vectors: its identity key pair and its address.
pub fn device(party: &Value) -> (UndertoneIdentityKeyPair, Address) {
    let identity = UndertoneIdentityKeyPair::from_bytes(&bytes(&party["identity_seed"])).expect("a seed");
    let address = Address::new(text(&party["name"]), number(&party["device"])).expect("an address");
    (identity, address)
}

/// PQ-6, P-9, X3-1: no label is a prefix of another; those of the suites name application, curve, hash and KEM.
#[test]
fn labels() {
    for case in cases("labels") {
        let labels: Vec<&str> = list(&case.outputs["labels"]).iter().map(text).collect();
        for label in &labels {
            assert_eq!(labels.iter().filter(|other| other.starts_with(label)).count(), 1, "{label}");
        }
        assert_eq!(suite_label(Suite::Pqxdh), b"Undertone_1_pqxdh_X25519_SHA-256_ML-KEM-1024");
        assert_eq!(suite_label(Suite::X3dh), b"Undertone_1_x3dh_X25519_SHA-256");
        for used in [
            suite_label(Suite::Pqxdh),
            suite_label(Suite::X3dh),
            Undertone::AUTHENTICATOR_UPDATE,
            Undertone::EK_HEADER,
            Undertone::CIPHERTEXT,
            Undertone::EPOCH_SECRET,
        ] {
            assert!(labels.iter().any(|label| label.as_bytes() == used), "{}", String::from_utf8_lossy(used));
        }
    }
}

/// B49: an address is made of a name and a device in their ranges, and of no others. Its encoding stands in all that is bound to it.
#[test]
fn addresses() {
    for case in cases("address") {
        let Ok(name) = String::from_utf8(bytes(&case.inputs["name"])) else {
            assert!(case.outputs.get("error").is_some(), "{}", case.name);
            continue;
        };
        judge(&case.name, Address::new(name, number(&case.inputs["device"])), case.outputs);
    }
}

/// DR-1, HE-4: the root chain's step, to root, chain and next header key.
#[test]
fn root_step() {
    for case in cases("root step") {
        let secret = AgreementSecret::from_bytes(secret(&case.inputs["secret"]));
        let agreement = secret.agree(&key(&case.inputs["public"])).expect(&case.name);
        let (root, chain, next_header) = Undertone::root_step(&Secret::new(array(&case.inputs["root"])), &agreement);
        assert_eq!(root.expose(), &array(&case.outputs["root"]), "{}", case.name);
        assert_eq!(chain.expose(), &array(&case.outputs["chain"]), "{}", case.name);
        assert_eq!(header_key_bytes(&next_header), bytes(&case.outputs["next_header"]), "{}", case.name);
    }
}

/// DR-5: the steps of a chain, up to the longest jump, walked with and without the seeds.
#[test]
fn chains() {
    for case in cases("chain") {
        let first: u32 = number(&case.inputs["n"]);
        let (mut stepped, mut walked) = (secret(&case.inputs["chain"]), secret(&case.inputs["chain"]));
        let mut last_seed = Secret::new([0; 32]);
        for n in first..first + number::<u32>(&case.inputs["steps"]) {
            (stepped, last_seed) = Undertone::classical_step(&stepped, n);
            walked = Undertone::classical_walk(&walked, n);
        }
        assert_eq!(stepped.expose(), &array(&case.outputs["chain"]), "{}", case.name);
        assert_eq!(walked, stepped, "{}", case.name);
        assert_eq!(last_seed.expose(), &array(&case.outputs["last_seed"]), "{}", case.name);
    }
}

/// HE-1, P-11: the cipher key and the tag of a header key.
#[test]
fn header_keys() {
    for case in cases("header key") {
        let derived = header_key(&case.inputs["header_key"]);
        assert_eq!(derived.cipher().expose(), &array(&case.outputs["hkey"]), "{}", case.name);
        assert_eq!(derived.session_tag(), &array(&case.outputs["tag"]), "{}", case.name);
    }
}

/// SP-7, HE-5, HE-7, B39: a whole session message, byte for byte, its binding and its direction in it, and read again at the
/// other end alone.
#[test]
fn session_messages() {
    for case in cases("session message") {
        let (seed, post_quantum) = (secret(&case.inputs["seed"]), secret(&case.inputs["pq_key"]));
        let header_key = header_key(&case.inputs["header_key"]);
        let keys = || MessageKeys::<Undertone> { seed: &seed, post_quantum: &post_quantum, header: &header_key };
        let guard: [u8; 12] = array(&case.inputs["guard"]);
        let header = Header {
            ratchet_key: key(&case.inputs["ratchet_key"]),
            n: number(&case.inputs["n"]),
            pn: number(&case.inputs["pn"]),
            post_quantum: PostQuantumHeader {
                epoch: number(&case.inputs["braid_epoch"]),
                index: number(&case.inputs["pq_index"]),
                payload: payload(
                    &case.inputs["braid_kind"],
                    number(&case.inputs["chunk_index"]),
                    array(&case.inputs["chunk"]),
                ),
            },
            guard: [0; 12],
        };
        let sender = if case.inputs["direction"] == 0 { Role::Initiator } else { Role::Responder };
        let plaintext = bytes(&case.inputs["plaintext"]);
        let mut rng = ScriptedRng::new(&[&bytes(&case.inputs["nonce24"]), &guard]);
        let sent = Undertone::seal(keys(), header.clone(), &binding(&case, sender), false, &plaintext, &mut rng);
        let sent = sent.expect(&case.name);
        rng.finish(&case.name);
        assert_eq!(hex::encode(&sent), text(&case.outputs["message"]), "{}", case.name);

        let receiver = if sender == Role::Initiator { Role::Responder } else { Role::Initiator };
        let receiver = binding(&case, receiver);
        let message = Undertone::parse(&sent).expect(&case.name);
        let opened = Undertone::open_header(&message, &header_key, &receiver).expect(&case.name).expect(&case.name);
        assert_eq!(opened, Header { guard, ..header }, "{}", case.name);
        assert_eq!(Undertone::open(keys(), &opened, &message, &receiver).expect(&case.name), plaintext);
        let reflected = Undertone::open_header(&message, &header_key, &binding(&case, sender));
        assert_eq!(reflected.unwrap_err().code(), "message.authentication", "{}", case.name);
    }
}

/// SP-7, M-2: the body opens under the key and the nonce of the vectors, with what its tag covers.
#[test]
fn message_keys() {
    let session = &cases("binding")[0];
    for case in cases("message key") {
        let (seed, post_quantum) = (secret(&case.inputs["seed"]), secret(&case.inputs["pq_key"]));
        let header_key = NativeHeaderKey::new(Secret::new([3; 32]));
        let keys = MessageKeys::<Undertone> { seed: &seed, post_quantum: &post_quantum, header: &header_key };
        let mut rng = ScriptedRng::new(&[&(0..24).collect::<Vec<u8>>(), &bytes(&case.inputs["guard"])]);
        let binding = binding(session, Role::Initiator);
        let sealed = Undertone::seal(keys, plain_header(), &binding, false, b"a body", &mut rng).expect(&case.name);
        let (front, body) = sealed.split_at(156);
        let covered = [&[0], bytes(&session.outputs["binding"]).as_slice(), &front[..140]].concat();
        let opened = aead::open(&secret(&case.outputs["key"]), &array(&case.outputs["nonce"]), &covered, body);
        assert_eq!(opened.expect(&case.name), b"a body", "{}", case.name);
    }
}

/// HE-5, B39: what the header's tag covers: the direction, the binding of the vectors, type, tag and body.
#[test]
fn bindings() {
    for case in cases("binding") {
        let (seed, post_quantum) = (Secret::new([1; 32]), Secret::new([2; 32]));
        let header_key = NativeHeaderKey::new(Secret::new([3; 32]));
        let keys = MessageKeys::<Undertone> { seed: &seed, post_quantum: &post_quantum, header: &header_key };
        for (direction, sender) in [(0_u8, Role::Initiator), (1, Role::Responder)] {
            let drawn: Vec<u8> = (0..36).collect();
            let keys = MessageKeys { ..keys };
            let sealed = Undertone::seal(
                keys,
                plain_header(),
                &binding(&case, sender),
                false,
                b"",
                &mut ScriptedRng::new(&[&drawn]),
            );
            let sealed = sealed.expect(&case.name);
            let (front, body) = sealed.split_at(156);
            let covered = [&[direction], bytes(&case.outputs["binding"]).as_slice(), &front[..17], body].concat();
            let nonce = front[17..41].try_into().expect("24 bytes");
            let tag = front[140..].try_into().expect("16 bytes");
            let opened = aead::xopen_detached(header_key.cipher(), nonce, &covered, &front[41..140], tag, &mut [0; 99]);
            assert_eq!(opened, Ok(()), "{}", case.name);
        }
    }
}

/// SP-8, BR-10: a header that authenticates and holds a value out of its range is refused.
#[test]
fn header_fields() {
    for case in cases("header fields") {
        let message = bytes(&case.outputs["message"]);
        let parsed = Undertone::parse(&message).expect(&case.name);
        let header_key = header_key(&case.inputs["header_key"]);
        let opened = Undertone::open_header(&parsed, &header_key, &binding(&case, Role::Responder));
        judge(&case.name, opened.map(|header| header.expect("the tag is known")), case.outputs);
    }
}

/// SP-2, SP-3, BR-9: the chains of each post-quantum epoch.
#[test]
fn post_quantum_chains() {
    for case in cases("post-quantum chains") {
        let [mut root, mut chain_a, mut chain_b] = Undertone::chain_start(&secret(&case.inputs["pq"]));
        for (epoch, expected) in list(&case.outputs["epochs"]).iter().enumerate() {
            assert_eq!(root.expose(), &array(&expected["root"]), "{}: {epoch}", case.name);
            for (chain, first, keys) in [(&chain_a, "chain_a", "keys_a"), (&chain_b, "chain_b", "keys_b")] {
                assert_eq!(chain.expose(), &array(&expected[first]), "{}: {epoch}", case.name);
                let mut chain = Secret::new(*chain.expose());
                for (index, key) in (1..).zip(list(&expected[keys])) {
                    let (next, made) = Undertone::chain_step(&chain, index);
                    assert_eq!(made.expose(), &array(key), "{}: {epoch}, {index}", case.name);
                    chain = next;
                }
            }
            if let Some(epoch_secret) = list(&case.inputs["epoch_secrets"]).get(epoch) {
                [root, chain_a, chain_b] = Undertone::chain_add_epoch(&root, &secret(epoch_secret));
            }
        }
    }
}

/// BR-3, BR-4: the authenticator's states, both MACs and the epoch secret, put together from the profile's labels.
#[test]
fn braid_authenticator() {
    for case in cases("braid authenticator") {
        let update = |root: &[u8], key: &[u8]| {
            let epoch = 1_u64.to_be_bytes();
            hkdf::<64>(&[], &[root, key], &[Undertone::AUTHENTICATOR_UPDATE, &epoch]).pieces::<2>()
        };
        let mac = |key: &Secret<32>, label: &[u8], epoch: u64, parts: &[&Value]| {
            let parts = parts.iter().flat_map(|part| bytes(part)).collect::<Vec<u8>>();
            hex::encode(hmac(key.expose(), &[label, &epoch.to_be_bytes(), &parts]))
        };
        let [root, key] = update(&[0; 32], &bytes(&case.inputs["pq"]));
        assert_eq!(root.expose(), &array(&case.outputs["root_0"]), "{}", case.name);
        assert_eq!(key.expose(), &array(&case.outputs["mac_0"]), "{}", case.name);
        let header_mac = mac(&key, Undertone::EK_HEADER, 1, &[&case.inputs["header64"]]);
        assert_eq!(header_mac, text(&case.outputs["header_mac_1"]), "{}", case.name);
        let shared = bytes(&case.inputs["shared_secret"]);
        let epoch_secret = hkdf::<32>(&[], &[&shared], &[Undertone::EPOCH_SECRET, &1_u64.to_be_bytes()]);
        assert_eq!(epoch_secret.expose(), &array(&case.outputs["epoch_secret_1"]), "{}", case.name);
        let [root, key] = update(root.expose(), epoch_secret.expose());
        assert_eq!(root.expose(), &array(&case.outputs["root_1"]), "{}", case.name);
        assert_eq!(key.expose(), &array(&case.outputs["mac_1"]), "{}", case.name);
        let ciphertext_mac = mac(&key, Undertone::CIPHERTEXT, 1, &[&case.inputs["ct1"], &case.inputs["ct2"]]);
        assert_eq!(ciphertext_mac, text(&case.outputs["ciphertext_mac_1"]), "{}", case.name);
        let header_mac = mac(&key, Undertone::EK_HEADER, 2, &[&case.inputs["next_header64"]]);
        assert_eq!(header_mac, text(&case.outputs["header_mac_2"]), "{}", case.name);
    }
}

/// A header that says as little as one can.
fn plain_header() -> Header {
    let ratchet_key = AgreementSecret::from_bytes(Secret::new([4; 32])).public();
    let post_quantum = PostQuantumHeader { epoch: 1, index: 1, payload: BraidPayload::None };
    Header { ratchet_key, n: 0, pn: 0, post_quantum, guard: [0; 12] }
}

fn binding(case: &Case, role: Role) -> Binding {
    let ((a, a_address), (b, b_address)) = (device(&case.inputs["a"]), device(&case.inputs["b"]));
    let suite = Suite::from_number(number(&case.inputs["suite"])).expect("a suite");
    let (local, remote) = match role {
        Role::Initiator => ((a.public(), &a_address), (b.public(), &b_address)),
        Role::Responder => ((b.public(), &b_address), (a.public(), &a_address)),
    };
    let parties =
        Parties { role, local_identity: local.0, remote_identity: remote.0, local: local.1, remote: remote.1 };
    Undertone::binding(suite, &parties)
}

/// The payload of a kind as the vectors name it.
pub fn payload(kind: &Value, index: u16, chunk: [u8; 32]) -> BraidPayload {
    let kinds = ["None", "Hdr", "Ek", "EkCt1Ack", "Ct1Ack", "Ct1", "Ct2"];
    let number = kinds.iter().position(|name| *name == text(kind)).expect("a kind");
    let number = u8::try_from(number).expect("seven kinds");
    let chunk = (BraidPayload::has_chunk(number) == Some(true)).then_some(Chunk { index, bytes: chunk });
    BraidPayload::from_parts(number, chunk).expect("a payload")
}

/// A header key's bytes, as a record holds them.
pub fn header_key_bytes(key: &NativeHeaderKey) -> Vec<u8> {
    let mut out = Writer::with_capacity(32);
    key.encode(&mut out);
    out.into_vec()
}

fn header_key(value: &Value) -> NativeHeaderKey {
    NativeHeaderKey::new(secret(value))
}

fn secret(value: &Value) -> Secret<32> {
    Secret::new(array(value))
}

fn key(value: &Value) -> AgreementKey {
    AgreementKey::admit(&bytes(value)).expect("a key")
}
