//! B17: whoever has stolen Bob's identity key writes to Bob in Alice's name.

use crate::handshake_world::{Device, agree, handshake};
use undertone::crypto::Secret;
use undertone::crypto::agreement::AgreementSecret;
use undertone::handshake::HandshakeProfile;
use undertone::handshake::internals::{KemUse, Transcript, TranscriptParty};
use undertone::profile::{HandshakeSecrets, IdentityKey, IdentityKeyPair, Profile, Suite, Undertone};

/// What Mallory computes for a first message in Alice's name, with `stand_in` for the DH1 that only Alice's or the signed prekey's private half gives;
/// everything else he knows, since he chose the base key.
fn forged_secrets(alice: &Device, bob: &Device, stand_in: &Secret<32>) -> (HandshakeSecrets<Undertone>, bool) {
    let mut mallory: Device = Device::new("alice", 1, 0, 66);
    let bundle = bob.last_resort_bundle();
    let (signed, kem) = (bundle.signed_prekey(), bundle.kem_prekey().unwrap());
    let (signed_key, ..) = Undertone::parse_signed_prekey(&signed.public).unwrap();
    let (kem_key, _) = Undertone::parse_kem_prekey(&kem.public).unwrap();
    let base = AgreementSecret::generate(&mut mallory.rng).unwrap();
    let (ciphertext, shared) = kem_key.encapsulate(&mut mallory.rng).unwrap();
    let own_address = [&[0, 5][..], b"alice", &[1]].concat();
    let bobs_address = [&[0, 3][..], b"bob", &[1]].concat();
    let party = |identity, address| TranscriptParty { identity, address, registration_id: 77 };
    let transcript = Transcript {
        suite: Suite::Pqxdh,
        initiator: party(alice.identity.public().as_bytes(), &own_address),
        responder: party(bob.identity.public().as_bytes(), &bobs_address),
        signed_prekey: (signed.id, &signed.public),
        one_time_prekey: None,
        base_key: base.public().as_bytes(),
        kem: Some(KemUse { id: kem.id, public: &kem.public, ciphertext: ciphertext.as_bytes() }),
    }
    .encode();
    let to_identity = base.agree(bob.identity.public().agreement_key()).unwrap();
    let to_signed = base.agree(&signed_key).unwrap();
    let secrets: [&[u8]; 4] = [stand_in.expose(), to_identity.expose(), to_signed.expose(), shared.expose()];
    let forged = Undertone::handshake_secrets(Suite::Pqxdh, &secrets, &transcript);

    // Bob's side of the same first message.
    let mut offer = alice_offer(alice, bob);
    offer.base_key = base.public();
    offer.kem = Some((kem.id, ciphertext));
    let first = undertone::handshake::internals::encode_first(&alice.local(), &offer, b"message");
    let first = undertone::handshake::internals::parse_first(&first).unwrap();
    let acceptance = bob.accept(&first, undertone::handshake::HandshakePolicy::default()).unwrap();
    let succeeds = agree(&forged, &acceptance.secrets);
    (forged, succeeds)
}

fn alice_offer(alice: &Device, bob: &Device) -> undertone::handshake::Offer<Undertone> {
    let mut twin: Device = Device::new("alice", 1, 0, 1);
    twin.address = alice.address.clone();
    let policy = undertone::handshake::HandshakePolicy::default();
    twin.initiate(&bob.address, &bob.last_resort_bundle(), policy).unwrap().offer
}

/// X3-5, PQ-14, B17: with Bob's identity key alone Mallory lacks DH1, which takes Alice's identity key or Bob's signed prekey.
#[test]
fn a_stolen_identity_key_is_not_enough() {
    let (alice, bob): (Device, Device) = (Device::new("alice", 1, 0, 1), Device::new("bob", 1, 0, 2));
    let bundle = bob.last_resort_bundle();
    let (signed_key, ..) = Undertone::parse_signed_prekey(&bundle.signed_prekey().public).unwrap();
    let stolen = bob.identity.agreement_secret();
    for stand_in in [
        stolen.agree(&signed_key).unwrap(),
        stolen.agree(alice.identity.public().agreement_key()).unwrap(),
        Secret::new([0; 32]),
    ] {
        assert!(!forged_secrets(&alice, &bob, &stand_in).1);
    }
}

/// B17: the limit that X3DH and PQXDH share: with the signed prekey too, DH1 is known. That is why the signed prekey is short-lived (PQ-11).
#[test]
fn with_the_signed_prekey_it_is() {
    let (mut alice, bob): (Device, Device) = (Device::new("alice", 1, 0, 1), Device::new("bob", 1, 0, 2));
    let (_, first, _) = handshake(&mut alice, &bob, &bob.last_resort_bundle());
    let signed = bob.prekeys.lookup(&first).unwrap().signed.agreement_secret();
    let stand_in = signed.agree(alice.identity.public().agreement_key()).unwrap();
    // Control: with the missing agreement the same forgery succeeds.
    assert!(forged_secrets(&alice, &bob, &stand_in).1);
}
