//! B4: a server always hands out the last-resort prekey and says that it is a one-time one (PQXDH, finding 5).

use crate::handshake_world::{Device, code, handshake};
use undertone::handshake::{HandshakePolicy, HandshakeStrength, Initiation, PrekeyBundle};
use undertone::profile::{IdentityKeyPair, Undertone};
use undertone::rule::{Rule, without};

/// PQ-9, B4: both sides report what a handshake rests on.
#[test]
fn the_strength_is_reported() {
    let mut alice: Device = Device::new("alice", 1, 0, 1);
    let bob: Device = Device::new("bob", 1, 1, 2);
    let (initiation, _, acceptance) = handshake(&mut alice, &bob, &bob.bundle());
    assert_eq!((initiation.strength, acceptance.strength), (HandshakeStrength::OneTime, HandshakeStrength::OneTime));
    let (initiation, _, acceptance) = handshake(&mut alice, &bob, &bob.last_resort_bundle());
    assert_eq!(
        (initiation.strength, acceptance.strength),
        (HandshakeStrength::LastResort, HandshakeStrength::LastResort)
    );
}

/// The server clears the flag of the last-resort prekey, and shortens nothing else.
fn call_it_one_time() -> undertone::Result<Initiation<Undertone>> {
    // Without PQ-12 the devices of this test sign bare keys, as PQXDH does.
    let mut alice: Device = Device::new("alice", 1, 0, 1);
    let bob: Device = Device::new("bob", 1, 0, 2);
    let bundle = bob.last_resort_bundle();
    let mut kem = bundle.kem_prekey().unwrap().clone();
    assert_eq!(kem.public[0], 1);
    kem.public[0] = 0;
    let identity = bob.identity.public().as_bytes();
    let signed = bundle.signed_prekey().clone();
    let bundle = PrekeyBundle::from_parts(bob.address.clone(), 77, identity, signed, Some(kem), None)?;
    alice.initiate(&bob.address, &bundle, HandshakePolicy::default())
}

/// PQ-9, PQ-12, B4: the flag is signed. Where a bare key is signed, Alice believes in a secrecy that is not there.
#[test]
fn the_flag_is_signed() {
    assert_eq!(code(call_it_one_time()), "signature.invalid");
    assert_eq!(without(Rule::Pq12, call_it_one_time).unwrap().strength, HandshakeStrength::OneTime);
}
