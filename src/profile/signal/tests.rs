//! Known answers of the profile's derivations, and what opens and what does not.

use super::*;
use crate::crypto::agreement::AgreementSecret;
use crate::crypto::cbc;
use crate::profile::{BraidPayload, Chunk, IdentityKeyPair, PostQuantumHeader, Role};
use crate::wire::Address;
use rand::{SeedableRng, rngs::StdRng};
use serde_json::Value;

const ALICE: &str = "9d0652a3-dcc3-4d11-975f-74d61598733f";
const BOB: &str = "796abedb-ca4e-4f18-8803-1fde5b921f9f";

fn vectors() -> Value {
    serde_json::from_str(include_str!("../../../tests/vectors/signal-wire.json")).unwrap()
}

fn secret(value: &Value) -> Secret<32> {
    Secret::from_slice(&hex::decode(value.as_str().unwrap()).unwrap()).unwrap()
}

fn identity(byte: u8) -> SignalIdentityKeyPair {
    AgreementSecret::from_bytes(Secret::new([byte; 32])).into()
}

fn binding(role: Role, alice: &Address, bob: &Address) -> SignalBinding {
    let (a, b) = (identity(1), identity(2));
    let (local_identity, remote_identity, local, remote) = match role {
        Role::Initiator => (a.public(), b.public(), alice, bob),
        Role::Responder => (b.public(), a.public(), bob, alice),
    };
    Signal::binding(Suite::Pqxdh, &Parties { role, local_identity, remote_identity, local, remote })
}

fn address(name: &str, device: u8) -> Address {
    Address::new(name, device).unwrap()
}

fn header() -> Header {
    Header {
        ratchet_key: AgreementSecret::from_bytes(Secret::new([7; 32])).public(),
        n: 3,
        pn: 2,
        post_quantum: PostQuantumHeader {
            epoch: 1,
            index: 4,
            payload: BraidPayload::Hdr(Chunk { index: 9, bytes: [0xAA; 32] }),
        },
        guard: [0; 12],
    }
}

fn seal(binding: &SignalBinding, first: bool, seed: u8, post_quantum: u8, plaintext: &[u8]) -> Vec<u8> {
    let keys = MessageKeys {
        seed: &Secret::new([seed; 32]),
        post_quantum: &Secret::new([post_quantum; 32]),
        header: &ClearHeader,
    };
    Signal::seal(keys, header(), binding, first, plaintext, &mut StdRng::seed_from_u64(1)).unwrap()
}

fn open_with(bytes: &[u8], binding: &SignalBinding, seed: u8, post_quantum: u8) -> Result<Vec<u8>> {
    let message = Signal::parse(bytes)?;
    let opened = Signal::open_header(&message, &ClearHeader, binding)?.unwrap();
    assert_eq!(opened, header());
    let keys = MessageKeys {
        seed: &Secret::new([seed; 32]),
        post_quantum: &Secret::new([post_quantum; 32]),
        header: &ClearHeader,
    };
    Signal::open(keys, &opened, &message, binding)
}

fn code(bytes: &[u8], binding: &SignalBinding) -> &'static str {
    open_with(bytes, binding, 5, 6).unwrap_err().code()
}

/// PQ-9, PQ-27: the handshake's derivation, whose third part starts the post-quantum ratchet.
#[test]
fn handshake_known_answer() {
    let case = &vectors()["pqxdh"];
    let secrets: Vec<_> = case["secrets"].as_array().unwrap().iter().map(secret).collect();
    let secrets: Vec<&[u8]> = secrets.iter().map(|secret| secret.expose().as_slice()).collect();
    let session = Signal::handshake_secrets(Suite::Pqxdh, &secrets, b"ignored");
    assert_eq!(session.root, secret(&case["root"]));
    assert_eq!(session.post_quantum, secret(&case["post_quantum"]));
}

/// DR-1: the steps of the root chain and of a message chain.
#[test]
fn ratchet_known_answers() {
    let case = &vectors()["root_step"];
    let (root, chain, _) = Signal::root_step(&secret(&case["root"]), &secret(&case["agreement"]));
    assert_eq!((root, chain), (secret(&case["next_root"]), secret(&case["chain"])));

    let case = &vectors()["chain_step"];
    let chain = secret(&case["chain"]);
    for n in [0, 77] {
        let (next, seed) = Signal::classical_step(&chain, n);
        assert_eq!((&next, seed), (&secret(&case["next_chain"]), secret(&case["seed"])));
        assert_eq!(Signal::classical_walk(&chain, n), next);
    }
}

/// SP-7: the post-quantum key is the salt of a message's keys.
#[test]
fn message_key_known_answers() {
    for case in vectors()["message_keys"].as_array().unwrap() {
        let salt = hex::decode(case["salt"].as_str().unwrap()).unwrap();
        let keys = ExpandedKeys::expand(&salt, &secret(&case["seed"]));
        assert_eq!(keys.cipher, secret(&case["cipher"]));
        assert_eq!(keys.authentication, secret(&case["mac"]));
        assert_eq!(hex::encode(keys.iv.expose()), case["iv"].as_str().unwrap());
    }
}

#[test]
fn the_previous_count_is_one_less_than_what_was_sent() {
    assert_eq!([0, 1, 2, 25_000].map(Signal::previous_count), [0, 0, 1, 24_999]);
}

#[test]
fn a_message_opens_on_the_other_side_only() {
    let (alice, bob) = (address(ALICE, 1), address(BOB, 2));
    let (sender, receiver) = (binding(Role::Initiator, &alice, &bob), binding(Role::Responder, &alice, &bob));
    for first in [false, true] {
        for plaintext in [&b""[..], b"hello", &[7; 16], &[8; 1000]] {
            let bytes = seal(&sender, first, 5, 6, plaintext);
            assert_eq!(open_with(&bytes, &receiver, 5, 6).unwrap(), plaintext);
            // The roles of the identity keys under the MAC differ: what one sent, it does not accept.
            assert_eq!(code(&bytes, &sender), "message.authentication");
            assert_eq!(open_with(&bytes, &receiver, 4, 6).unwrap_err().code(), "message.authentication");
            // SP-7: neither half of the key suffices.
            assert_eq!(open_with(&bytes, &receiver, 5, 7).unwrap_err().code(), "message.authentication");
        }
    }
    let sizes = [false, true].map(|first| seal(&sender, first, 5, 6, b"hello").len());
    assert_eq!(sizes, [1 + 35 + 2 + 2 + 18 + 39 + 8, 1 + 35 + 2 + 2 + 18 + 39 + 38 + 8]);
}

/// The MAC covers the version byte and the protobuf as they came, so no change goes unseen.
#[test]
fn no_bit_of_a_message_can_be_changed() {
    let (alice, bob) = (address(ALICE, 1), address(BOB, 2));
    let (sender, receiver) = (binding(Role::Initiator, &alice, &bob), binding(Role::Responder, &alice, &bob));
    let bytes = seal(&sender, true, 5, 6, b"hello");
    let keys = |message: &ClearMessage<'_>| {
        let keys =
            MessageKeys { seed: &Secret::new([5; 32]), post_quantum: &Secret::new([6; 32]), header: &ClearHeader };
        Signal::open(keys, &message.header, message, &receiver)
    };
    for bit in 0..bytes.len() * 8 {
        let mut changed = bytes.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        if let Ok(message) = Signal::parse(&changed) {
            assert_eq!(keys(&message).unwrap_err().code(), "message.authentication", "bit {bit}");
        }
    }
}

/// B38: the addresses travel with first messages only, and are checked wherever they stand.
#[test]
fn a_message_for_other_addresses_is_refused() {
    let (alice, bob) = (address(ALICE, 1), address(BOB, 2));
    let sender = binding(Role::Initiator, &alice, &bob);
    let opens = |first: bool, alice: &Address, bob: &Address| {
        open_with(&seal(&sender, first, 5, 6, b"hello"), &binding(Role::Responder, alice, bob), 5, 6)
            .map_or_else(|error| error.code(), |_| "ok")
    };
    assert_eq!(opens(true, &alice, &bob), "ok");
    assert_eq!(opens(true, &address(&ALICE.to_uppercase(), 1), &bob), "ok");
    for (alice, bob) in [
        (address(ALICE, 2), bob.clone()),
        (alice.clone(), address(BOB, 1)),
        (address(&format!("PNI:{ALICE}"), 1), bob.clone()),
        (alice.clone(), address(&format!("PNI:{BOB}"), 2)),
        (bob, alice.clone()),
        (alice, address("+14152222222", 2)),
    ] {
        assert_eq!(opens(true, &alice, &bob), "message.address");
        assert_eq!(opens(false, &alice, &bob), "ok");
    }
}

#[test]
fn names_that_are_no_service_ids_attach_no_addresses() {
    let (alice, bob) = (address("+14152222222", 1), address(BOB, 2));
    let bytes = seal(&binding(Role::Initiator, &alice, &bob), true, 5, 6, b"hello");
    assert!(Signal::parse(&bytes).unwrap().message.fields.addresses.is_none());
    assert_eq!(open_with(&bytes, &binding(Role::Responder, &alice, &bob), 5, 6).unwrap(), b"hello");
}

/// A wrong length of the addresses is a wrong address, once the MAC has passed.
#[test]
fn addresses_of_another_length_are_refused() {
    let (alice, bob) = (address(ALICE, 1), address(BOB, 2));
    let sender = binding(Role::Initiator, &alice, &bob);
    let seed = Secret::new([5; 32]);
    let keys = ExpandedKeys::expand(&[6; 32], &seed);
    for length in [0, 35, 37] {
        let mut addresses = sender.sending().addresses.unwrap().to_vec();
        addresses.resize(length, 0);
        let message = SignalMessageFields {
            ratchet_key: header().ratchet_key,
            counter: 3,
            previous_counter: 2,
            ciphertext: cbc::encrypt(&keys.cipher, keys.iv.expose(), b"hello"),
            pq_ratchet: post_quantum::encode(&header().post_quantum),
            addresses: Some(addresses),
        };
        let bytes = message.encode(|bytes| *keys.mac(&sender.sending().identities, bytes).expose()).unwrap();
        assert_eq!(code(&bytes, &binding(Role::Responder, &alice, &bob)), "message.address");
    }
}

/// The post-quantum ratchet is mandatory, and a malformed one is named before anything is computed.
#[test]
fn a_message_without_the_post_quantum_ratchet_is_refused() {
    let (alice, bob) = (address(ALICE, 1), address(BOB, 2));
    let receiver = binding(Role::Responder, &alice, &bob);
    let with = |pq_ratchet: Vec<u8>| {
        let message = SignalMessageFields {
            ratchet_key: header().ratchet_key,
            counter: 3,
            previous_counter: 2,
            ciphertext: vec![0; 16],
            pq_ratchet,
            addresses: None,
        };
        code(&message.encode(|_| [0; 8]).unwrap(), &receiver)
    };
    assert_eq!(with(Vec::new()), "message.no_post_quantum");
    assert_eq!(with(vec![0]), "message.no_post_quantum");
    assert_eq!(with(vec![2, 1, 1, 0]), "message.no_post_quantum");
    assert_eq!(with(vec![1, 0, 1, 0]), "braid.decode");
    assert_eq!(with(vec![1, 1, 1, 1, 9]), "braid.decode");
}

/// An authenticated body that is no whole number of blocks, or wrongly padded, is named as that.
#[test]
fn malformed_padding_is_refused_after_the_mac() {
    let (alice, bob) = (address(ALICE, 1), address(BOB, 2));
    let sender = binding(Role::Initiator, &alice, &bob);
    let keys = ExpandedKeys::expand(&[6; 32], &Secret::new([5; 32]));
    for ciphertext in [vec![], vec![0; 15], vec![0; 17], vec![0; 16]] {
        let message = SignalMessageFields {
            ratchet_key: header().ratchet_key,
            counter: 3,
            previous_counter: 2,
            ciphertext,
            pq_ratchet: post_quantum::encode(&header().post_quantum),
            addresses: None,
        };
        let bytes = message.encode(|bytes| *keys.mac(&sender.sending().identities, bytes).expose()).unwrap();
        assert_eq!(code(&bytes, &binding(Role::Responder, &alice, &bob)), "message.padding");
    }
}

#[test]
fn a_plaintext_beyond_the_limit_is_refused() {
    let (alice, bob) = (address(ALICE, 1), address(BOB, 2));
    let keys = MessageKeys { seed: &Secret::new([5; 32]), post_quantum: &Secret::new([6; 32]), header: &ClearHeader };
    let sender = binding(Role::Initiator, &alice, &bob);
    let large = vec![0; MAX_PLAINTEXT + 1];
    let error = Signal::seal(keys, header(), &sender, true, &large, &mut StdRng::seed_from_u64(1)).unwrap_err();
    assert_eq!(error.code(), "request.too_large");
    let bytes = seal(&sender, true, 5, 6, &large[1..]);
    assert_eq!(open_with(&bytes, &binding(Role::Responder, &alice, &bob), 5, 6).unwrap().len(), MAX_PLAINTEXT);
}
