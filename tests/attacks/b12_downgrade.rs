//! B12: a server strips the KEM prekey from a bundle, or an attacker the KEM ciphertext from a first message.

use crate::handshake_world::{Device, agree, code};
use undertone::Result;
use undertone::handshake::internals::{encode_first, parse_first};
use undertone::handshake::{HandshakePolicy, HandshakeStrength, Initiation};
use undertone::profile::{Suite, Undertone};
use undertone::rule::{Rule, without};

fn initiate_stripped(policy: HandshakePolicy) -> Result<Initiation<Undertone>> {
    let mut alice: Device = Device::new("alice", 1, 0, 1);
    let bob: Device = Device::new("bob", 1, 1, 2);
    alice.initiate(&bob.address, &bob.bundle().without_kem_prekey(), policy)
}

/// X3-12, B12: a stripped bundle is refused, unless the caller named what it gives up; and then it is told so.
#[test]
fn a_stripped_bundle_is_refused() {
    let attack = || initiate_stripped(HandshakePolicy::default());
    assert_eq!(code(attack()), "handshake.no_kem");
    assert_eq!(without(Rule::X312, attack).unwrap().strength, HandshakeStrength::WithoutPostQuantum);

    let named = initiate_stripped(HandshakePolicy::allow_x3dh_without_post_quantum()).unwrap();
    assert_eq!((named.suite, named.strength), (Suite::X3dh, HandshakeStrength::WithoutPostQuantum));
}

/// X3-12, B12: a policy that allows X3DH does not choose it.
#[test]
fn the_stronger_handshake_is_made_where_there_is_one() {
    let mut alice: Device = Device::new("alice", 1, 0, 1);
    let bob: Device = Device::new("bob", 1, 1, 2);
    let policy = HandshakePolicy::allow_x3dh_without_post_quantum();
    assert_eq!(alice.initiate(&bob.address, &bob.bundle(), policy).unwrap().suite, Suite::Pqxdh);
}

/// X3-12, B12: the responder needs the same policy.
#[test]
fn an_x3dh_first_message_is_refused() {
    let attack = || {
        let mut alice: Device = Device::new("alice", 1, 0, 1);
        let bob: Device = Device::new("bob", 1, 1, 2);
        let bundle = bob.bundle().without_kem_prekey();
        let policy = HandshakePolicy::allow_x3dh_without_post_quantum();
        let initiation = alice.initiate(&bob.address, &bundle, policy)?;
        let first = bob.open(&alice.wrap(&bob, &initiation))?;
        let acceptance = bob.accept(&first, HandshakePolicy::default())?;
        Ok(agree(&initiation.secrets, &acceptance.secrets))
    };
    assert_eq!(code(attack()), "handshake.x3dh_not_allowed");
    assert_eq!(without(Rule::X312, attack), Ok(true));
}

/// X3-12, B12: a PQXDH first message cannot be turned into an X3DH one, even for a responder that would take both: the suite is in the key schedule.
#[test]
fn a_first_message_cannot_be_stripped() {
    let mut alice: Device = Device::new("alice", 1, 0, 1);
    let bob: Device = Device::new("bob", 1, 1, 2);
    let initiation = alice.initiate(&bob.address, &bob.bundle(), HandshakePolicy::default()).unwrap();
    let first = encode_first(&alice.local(), &initiation.offer, b"message");
    let kem = 1 + 32 + 8 + 4 + 32 + 4 + 5;
    let stripped = [&[2], &first[1..kem], &first[kem + 4 + 1568..]].concat();
    let stripped = parse_first(&stripped).unwrap();
    assert_eq!((stripped.suite, &stripped.message[..]), (Suite::X3dh, &b"message"[..]));
    assert_eq!(code(bob.accept(&stripped, HandshakePolicy::default())), "handshake.x3dh_not_allowed");
    let policy = HandshakePolicy::allow_x3dh_without_post_quantum();
    assert!(!agree(&initiation.secrets, &bob.accept(&stripped, policy).unwrap().secrets));
}

/// X3-12, B12: the Signal profile has no X3DH, whatever the policy.
#[test]
fn signal_knows_no_x3dh() {
    use undertone::profile::Signal;
    let mut alice: Device<Signal> = Device::new("9d0652a3-dcc3-4d11-975f-74d61598733f", 1, 0, 1);
    let bob: Device<Signal> = Device::new("796abedb-ca4e-4f18-8803-1fde5b921f9f", 1, 1, 2);
    let policy = HandshakePolicy::allow_x3dh_without_post_quantum();
    let bundle = bob.bundle().without_kem_prekey();
    assert_eq!(code(alice.initiate(&bob.address, &bundle, policy)), "handshake.no_kem");
}
