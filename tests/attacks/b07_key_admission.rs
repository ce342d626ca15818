//! B7: keys of low order, with torsion, or in a second encoding, at every place where a handshake takes a key from outside.

use crate::group_world::Alice;
use crate::handshake_world::{Device, NOW, code, fresh_rng};
use crate::session_world::acquainted;
use curve25519_dalek::constants::EIGHT_TORSION;
use curve25519_dalek::edwards::CompressedEdwardsY;
use undertone::handshake::HandshakeProfile;
use undertone::handshake::internals::{encode_first, parse_first};
use undertone::handshake::{HandshakePolicy, LocalDevice, PrekeyBundle, PrekeyKind, PublishedPrekey, initiate};
use undertone::profile::{IdentityKeyPair, Undertone, UndertoneIdentityKeyPair};
use undertone::rule::{Rule, without};
use undertone::{IdentityKey, Prekeys, ReceivedSenderKeys, Result, SessionRecord};

/// What no device publishes: 0, 1, −1, two points of order eight, p, p + 1, a set top bit, a point of the twist.
fn bad_agreement_keys() -> Vec<[u8; 32]> {
    let mut keys: Vec<[u8; 32]> = [
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
        "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "0900000000000000000000000000000000000000000000000000000000000080",
        "0200000000000000000000000000000000000000000000000000000000000000",
    ]
    .map(|key| hex::decode(key).unwrap().try_into().unwrap())
    .to_vec();
    keys.push([0xFF; 32]);
    keys
}

/// The neutral element, the point of order two, a second encoding of one, and no point.
fn bad_identity_keys() -> Vec<[u8; 32]> {
    [
        "0100000000000000000000000000000000000000000000000000000000000000",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "0100000000000000000000000000000000000000000000000000000000000080",
        "0200000000000000000000000000000000000000000000000000000000000000",
    ]
    .map(|key| hex::decode(key).unwrap().try_into().unwrap())
    .to_vec()
}

/// Signs `public` as Bob would, were he to publish it: admission must not depend on honest owners.
fn publish(bob: &Device, kind: PrekeyKind, like: &PublishedPrekey, at: usize, key: &[u8; 32]) -> PublishedPrekey {
    let mut public = like.public.clone();
    public[at..at + 32].copy_from_slice(key);
    let signed = Undertone::signed_bytes(kind, &bob.address, 77, like.id, &public);
    let signature = bob.identity.sign(undertone::profile::Statement::Prekey, &[&signed], &mut fresh_rng()).unwrap();
    PublishedPrekey { id: like.id, public, signature: Some(signature) }
}

/// Where the X25519 keys lie in the published forms: signed prekey, sealing key; one-time prekey.
const FIRST_KEY: usize = 18;
const SEALING_KEY: usize = 51;

/// Begins a session with a Bob who publishes `key` in one place.
fn initiate_with(place: usize, key: &[u8; 32]) -> Result<()> {
    let alice: Device = Device::new("alice", 1, 0, 1);
    let bob: Device = Device::new("bob", 1, 1, 2);
    let honest = bob.bundle();
    let (mut signed, mut one_time) = (honest.signed_prekey().clone(), honest.one_time_prekey().unwrap().clone());
    match place {
        0 => signed = publish(&bob, PrekeyKind::Signed, &signed, FIRST_KEY, key),
        1 => signed = publish(&bob, PrekeyKind::Signed, &signed, SEALING_KEY, key),
        _ => one_time = publish(&bob, PrekeyKind::OneTime, &one_time, FIRST_KEY, key),
    }
    let identity = bob.identity.public().as_bytes();
    let kem = honest.kem_prekey().cloned();
    let bundle = PrekeyBundle::from_parts(bob.address.clone(), 77, identity, signed, kem, Some(one_time))?;
    let policy = HandshakePolicy::default();
    initiate(&alice.local(), &bob.address, &bundle, policy, NOW, &mut fresh_rng()).map(|_| ())
}

/// PQ-4, B7, B22: no bad key is taken from a bundle, even well signed; P-2 stands behind the admission.
#[test]
fn a_bundle_holds_no_bad_key() {
    for key in bad_agreement_keys() {
        for place in 0..3 {
            let refusal = code(initiate_with(place, &key));
            assert!(
                matches!(refusal, "key.low_order" | "key.not_canonical" | "key.torsion"),
                "{} in place {place}: {refusal}",
                hex::encode(key)
            );
        }
    }
    let zero_order = bad_agreement_keys()[3];
    assert_eq!(code(without(Rule::Pq4, || initiate_with(0, &zero_order))), "key.agreement_zero");
    let twist = bad_agreement_keys()[8];
    assert_eq!(code(without(Rule::Pq4, || initiate_with(0, &twist))), "no error");
}

/// PQ-5, B24: a KEM key with a coefficient outside its modulus is refused, in the handshake and in the sealing key.
#[test]
fn a_bundle_holds_no_unreduced_kem_key() {
    let bob: Device = Device::new("bob", 1, 0, 2);
    let honest = bob.last_resort_bundle();
    let identity = bob.identity.public().as_bytes();
    let unreduced = |like: &PublishedPrekey, at: usize| {
        let mut public = like.public.clone();
        public[at..at + 3].fill(0xFF);
        PublishedPrekey { public, ..like.clone() }
    };
    let (signed, kem) = (honest.signed_prekey(), honest.kem_prekey().unwrap());
    for (signed, kem) in [(signed.clone(), unreduced(kem, 18)), (unreduced(signed, 84), kem.clone())] {
        let bundle: Result<PrekeyBundle<Undertone>> =
            PrekeyBundle::from_parts(bob.address.clone(), 77, identity, signed, Some(kem), None);
        assert_eq!(code(bundle), "key.modulus");
    }
}

/// B7: identity keys too, in bundles and first messages.
#[test]
fn no_bad_identity_key() {
    let mut alice: Device = Device::new("alice", 1, 0, 1);
    let bob: Device = Device::new("bob", 1, 0, 2);
    let honest = bob.last_resort_bundle();
    let initiation = alice.initiate(&bob.address, &honest, HandshakePolicy::default()).unwrap();
    let first = encode_first(&alice.local(), &initiation.offer, b"message");
    for key in bad_identity_keys() {
        let signed = honest.signed_prekey().clone();
        let kem = honest.kem_prekey().cloned();
        let bundle: Result<PrekeyBundle<Undertone>> =
            PrekeyBundle::from_parts(bob.address.clone(), 77, &key, signed, kem, None);
        assert!(code(bundle).starts_with("key."), "{}", hex::encode(key));
        let mut first = first.clone();
        first[1..33].copy_from_slice(&key);
        assert!(code(parse_first(&first)).starts_with("key."), "{}", hex::encode(key));
    }
}

/// B7, B22: the base key of a first message, and the ephemeral key of its seal.
#[test]
fn a_first_message_holds_no_bad_key() {
    let mut alice: Device = Device::new("alice", 1, 0, 1);
    let bob: Device = Device::new("bob", 1, 0, 2);
    let initiation = alice.initiate(&bob.address, &bob.last_resort_bundle(), HandshakePolicy::default()).unwrap();
    let first = encode_first(&alice.local(), &initiation.offer, b"message");
    let sealed = alice.wrap(&bob, &initiation);
    let base_key = 1 + 32 + 2 + 5 + 1 + 4;
    assert_eq!(&first[base_key..base_key + 32], initiation.offer.base_key.as_bytes());
    for key in bad_agreement_keys() {
        let mut first = first.clone();
        first[base_key..base_key + 32].copy_from_slice(&key);
        assert!(code(parse_first(&first)).starts_with("key."), "{}", hex::encode(key));
        let mut sealed = sealed.clone();
        sealed[5..37].copy_from_slice(&key);
        assert!(code(bob.open(&sealed)).starts_with("key."), "{}", hex::encode(key));
    }
}

/// XE-8, B20: the public half of an identity key is always computed, never read from outside.
#[test]
fn an_identity_is_its_seed() {
    let device: Device = Device::new("alice", 1, 0, 1);
    let again = UndertoneIdentityKeyPair::from_bytes(device.identity.to_bytes().as_slice()).unwrap();
    assert_eq!(again.public(), device.identity.public());
    let local = LocalDevice::<Undertone> { identity: &again, address: &device.address, registration_id: 77 };
    assert!(device.prekeys.bundle(&local, false).is_ok());
}

/// `bytes` with `old` replaced by `new` wherever it stands.
fn replaced(bytes: &[u8], old: &[u8], new: &[u8]) -> Vec<u8> {
    let mut out = bytes.to_vec();
    let places: Vec<usize> = (0..=bytes.len() - old.len()).filter(|at| bytes[*at..].starts_with(old)).collect();
    assert!(!places.is_empty());
    places.iter().for_each(|at| out[*at..at + old.len()].copy_from_slice(new));
    out
}

/// The same point but for torsion: another encoding that decodes, outside the prime-order subgroup.
fn with_torsion(key: &[u8]) -> Vec<u8> {
    let point = CompressedEdwardsY(key.try_into().unwrap()).decompress().unwrap();
    (point + EIGHT_TORSION[1]).compress().0.to_vec()
}

/// B7: what is stored is admitted like what comes from outside, in every record that holds a key.
#[test]
fn a_record_holds_no_bad_key() {
    let (alice, bob) = acquainted::<Undertone>(7);
    let (session, prekeys) = alice.state();
    let (own, peers) = (alice.identity.public().to_bytes(), bob.identity.public().to_bytes());
    for key in bad_identity_keys() {
        for old in [&own, &peers] {
            let stored = replaced(&session, old, &key);
            assert_eq!(code(SessionRecord::<Undertone>::from_bytes(&stored)), "record.corrupt");
        }
        assert_eq!(code(Prekeys::<Undertone>::from_bytes(&replaced(&prekeys, &own, &key))), "record.corrupt");
    }
    assert_eq!(
        code(Prekeys::<Undertone>::from_bytes(&replaced(&prekeys, &own, &with_torsion(&own)))),
        "record.corrupt"
    );

    let mut owner = Alice::new();
    let distribution = owner.sender_key().distribution();
    let signing_key = &distribution[distribution.len() - 32..];
    let held = owner.reader(&distribution).to_bytes();
    for key in bad_identity_keys().into_iter().map(Vec::from).chain([with_torsion(signing_key)]) {
        let stored = replaced(&held, signing_key, &key);
        assert_eq!(code(ReceivedSenderKeys::<Undertone>::from_bytes(&stored)), "record.corrupt");
    }
}

/// B7: in a session an identity key is a name. A record in which it has gained torsion loads, and neither reads nor writes a message.
#[test]
fn a_session_under_a_bent_name_is_mute() {
    let (mut alice, mut bob) = acquainted::<Undertone>(8);
    let peers = bob.identity.public().to_bytes();
    let (good, prekeys) = alice.state();
    let bent = replaced(&good, &peers, &with_torsion(&peers));
    let from_bob = bob.write(b"text").unwrap();
    let bobs = bob.state();

    alice.restore(&(bent.clone(), prekeys.clone()));
    assert_eq!(code(alice.read(&from_bob)), "message.authentication");
    assert_eq!(alice.state().0, bent);
    let to_bob = alice.write(b"text").unwrap();
    assert_eq!(code(bob.read(&to_bob)), "message.authentication");
    assert_eq!(bob.state(), bobs);
    // Control: under the right name both go through.
    alice.restore(&(good, prekeys));
    assert_eq!(alice.read(&from_bob).unwrap().plaintext, b"text");
    let to_bob = alice.write(b"text").unwrap();
    assert_eq!(bob.read(&to_bob).unwrap().plaintext, b"text");
}
