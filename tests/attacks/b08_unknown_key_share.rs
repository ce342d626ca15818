//! B8: Mallory registers Bob's keys as his own. Alice means to write to Mallory; Bob is to believe that she writes to him.

use crate::handshake_world::{Device, agree, code, fresh_rng};
use undertone::handshake::internals::{encode_first, parse_first};
use undertone::handshake::{HandshakePolicy, HandshakeProfile, PrekeyBundle, PrekeyKind, PublishedPrekey};
use undertone::profile::{IdentityKeyPair, Undertone};
use undertone::rule::{Rule, without};
use undertone::{Address, Result};

/// Bob's published prekeys under Mallory's address. Bob does not sign them for Mallory.
fn stolen_bundle(bob: &Device, mallory: &Address) -> PrekeyBundle<Undertone> {
    let bundle = bob.last_resort_bundle();
    let identity = bob.identity.public().as_bytes();
    let (signed, kem) = (bundle.signed_prekey().clone(), bundle.kem_prekey().cloned());
    PrekeyBundle::from_parts(mallory.clone(), 77, identity, signed, kem, None).unwrap()
}

/// X3-11, PQ-12, PQ-25, B8: prekeys are signed for one address.
#[test]
fn prekeys_are_signed_for_one_address() {
    let mallory = Address::new("mallory", 1).unwrap();
    let attack = || {
        let mut alice: Device = Device::new("alice", 1, 0, 1);
        let bob: Device = Device::new("bob", 1, 0, 2);
        alice.initiate(&mallory, &stolen_bundle(&bob, &mallory), HandshakePolicy::default())
    };
    assert_eq!(code(attack()), "signature.invalid");
    assert!(without(Rule::Pq12, attack).is_ok());
}

/// Even if Bob could be brought to sign for Mallory, Alice's message to Mallory would not be one to Bob: whether Bob's keys are Alice's.
fn relay() -> Result<bool> {
    let mut alice: Device = Device::new("alice", 1, 0, 1);
    let bob: Device = Device::new("bob", 1, 0, 2);
    let mallory = Address::new("mallory", 1)?;
    let sign_for_mallory = |kind, published: &PublishedPrekey| {
        let signed = Undertone::signed_bytes(kind, &mallory, 77, published.id, &published.public);
        let signature = bob.identity.sign(undertone::profile::Statement::Prekey, &[&signed], &mut fresh_rng()).unwrap();
        PublishedPrekey { signature: Some(signature), ..published.clone() }
    };
    let bundle = bob.last_resort_bundle();
    let signed = sign_for_mallory(PrekeyKind::Signed, bundle.signed_prekey());
    let kem = sign_for_mallory(PrekeyKind::Kem, bundle.kem_prekey().unwrap());
    let identity = bob.identity.public().as_bytes();
    let bundle = PrekeyBundle::from_parts(mallory.clone(), 77, identity, signed, Some(kem), None)?;
    let initiation = alice.initiate(&mallory, &bundle, HandshakePolicy::default())?;
    // Mallory cannot open the seal, but suppose that it were not there.
    let first = parse_first(&encode_first(&alice.local(), &initiation.offer, b"message"))?;
    let acceptance = bob.accept(&first, HandshakePolicy::default())?;
    Ok(agree(&initiation.secrets, &acceptance.secrets))
}

/// X3-6, X3-11, PQ-16, PQ-25, B8: both addresses are in the key schedule.
#[test]
fn a_relayed_first_message_does_not_decrypt() {
    assert_eq!(relay(), Ok(false));
    assert_eq!(without(Rule::Pq16, relay), Ok(true));
}

/// B8: the seal, too, is for one address. A second account with Bob's keys cannot open it.
#[test]
fn the_seal_is_for_one_address() {
    let mut alice: Device = Device::new("alice", 1, 0, 1);
    let mut bob: Device = Device::new("bob", 1, 0, 2);
    let initiation = alice.initiate(&bob.address, &bob.last_resort_bundle(), HandshakePolicy::default()).unwrap();
    let sealed = alice.wrap(&bob, &initiation);
    assert!(bob.open(&sealed).is_ok());
    bob.address = Address::new("bob", 2).unwrap();
    assert_eq!(code(bob.open(&sealed)), "seal.authentication");
}

/// B39: a first message that comes back to its sender is not taken for one from a peer.
#[test]
fn a_first_message_does_not_come_back() {
    let mut alice: Device = Device::new("alice", 1, 0, 1);
    let own = alice.last_resort_bundle();
    let (address, policy) = (alice.address.clone(), HandshakePolicy::default());
    assert_eq!(code(alice.initiate(&address, &own, policy)), "session.self");
    let bob: Device = Device::new("bob", 1, 0, 2);
    let initiation = alice.initiate(&bob.address, &bob.last_resort_bundle(), policy).unwrap();
    let first = parse_first(&encode_first(&alice.local(), &initiation.offer, b"message")).unwrap();
    assert_eq!(code(alice.accept(&first, policy)), "message.reflected");
}
