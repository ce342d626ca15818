//! B2: a signed key of one kind is presented as one of another kind (PQXDH, finding 3 of Bhargavan et al., USENIX Security 2024).

use crate::handshake_world::{Device, code};
use undertone::Result;
use undertone::handshake::{HandshakePolicy, Initiation, LocalDevice, PrekeyBundle, PublishedPrekey};
use undertone::profile::{IdentityKeyPair, Undertone};
use undertone::rule::{Rule, without};

fn bundle_of(
    bob: &Device,
    signed: &PublishedPrekey,
    kem: &PublishedPrekey,
    one_time: Option<&PublishedPrekey>,
) -> Result<PrekeyBundle<Undertone>> {
    let identity = bob.identity.public().as_bytes();
    PrekeyBundle::from_parts(bob.address.clone(), 77, identity, signed.clone(), Some(kem.clone()), one_time.cloned())
}

/// PQ-2, PQ-3, PQ-12, B2: every prekey in every slot that is not its own is refused when the bundle is read.
#[test]
fn no_prekey_fits_another_slot() {
    let bob: Device = Device::new("bob", 1, 1, 2);
    let bundle = bob.bundle();
    let (signed, kem) = (bundle.signed_prekey(), bundle.kem_prekey().unwrap());
    let one_time = bundle.one_time_prekey().unwrap();
    let right = bundle_of(&bob, signed, kem, Some(one_time));
    assert_eq!(code(right), "no error");
    for (signed, kem, one_time) in [
        (kem, kem, one_time),
        (one_time, kem, one_time),
        (signed, signed, one_time),
        (signed, one_time, one_time),
        (signed, kem, signed),
        (signed, kem, kem),
    ] {
        let refusal = code(bundle_of(&bob, signed, kem, Some(one_time)));
        assert!(matches!(refusal, "key.type" | "bundle.field"), "{refusal}");
    }
}

/// A KEM prekey of Bob's whose first 32 bytes are, by chance, a key that X25519 admits: a server that sees many finds one.
fn kem_key_that_is_a_point(bob: &mut Device) -> PublishedPrekey {
    loop {
        let Device { identity, address, prekeys, rng } = &mut *bob;
        let local = LocalDevice { identity, address, registration_id: 77 };
        prekeys.add_one_time(&local, 1, crate::handshake_world::NOW, rng).unwrap();
        let newest = prekeys.one_time_kem_prekeys().last().unwrap().clone();
        if undertone::crypto::agreement::AgreementKey::admit(&newest.public[18..50]).is_ok() {
            return newest;
        }
    }
}

/// Alice is given Bob's KEM prekey as his one-time prekey.
fn confuse() -> Result<Initiation<Undertone>> {
    let mut alice: Device = Device::new("alice", 1, 0, 1);
    let mut bob: Device = Device::new("bob", 1, 0, 2);
    let point = kem_key_that_is_a_point(&mut bob);
    let bundle = bob.last_resort_bundle();
    let bundle = bundle_of(&bob, bundle.signed_prekey(), bundle.kem_prekey().unwrap(), Some(&point))?;
    alice.initiate(&bob.address, &bundle, HandshakePolicy::default())
}

/// PQ-2, B2: the type byte refuses it. Without types and kinds the signature verifies, and Alice agrees with a key that no one has.
#[test]
fn a_signed_kem_key_is_no_one_time_key() {
    assert_eq!(code(confuse()), "key.type");
    assert!(without(Rule::Pq2, confuse).is_ok());
}
