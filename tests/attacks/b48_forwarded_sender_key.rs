//! B48: a sender key that somebody other than its owner hands out is the forwarder's word against the owner's.

use crate::group_world::{Alice, NOW, code, context};
use undertone::profile::{IdentityKeyPair, Undertone, UndertoneIdentityKeyPair};
use undertone::rule::{Rule, without};
use undertone::{Address, ReceivedSenderKeys, SenderKey};

/// B48, D5: Mallory makes a chain in Alice's name and hands it out in her own session.
#[test]
fn a_chain_is_accepted_from_its_owner_only() {
    let mut alice = Alice::new();
    let mallory = Address::new("mallory", 1).unwrap();
    let mallorys_key = UndertoneIdentityKeyPair::generate(&mut alice.rng).unwrap().public().clone();
    let mut forged =
        SenderKey::<Undertone>::create(context(5), &alice.address, &alice.identity, NOW, &mut alice.rng).unwrap();

    let mut of_alice = ReceivedSenderKeys::<Undertone>::new(&alice.address, &alice.identity);
    let mut of_mallory = ReceivedSenderKeys::<Undertone>::new(&mallory, &mallorys_key);
    let distribution = forged.distribution();
    for reader in [&mut of_alice, &mut of_mallory] {
        let result = reader.process_distribution(&mallory, &mallorys_key, &distribution);
        assert_eq!(code(result), "group.forwarded");
        assert!(reader.is_empty());
    }
    // Nor does Alice's address help with Mallory's key.
    let result = of_alice.process_distribution(&alice.address, &mallorys_key, &distribution);
    assert_eq!(code(result), "session.untrusted_identity");

    without(Rule::B48, || of_alice.process_distribution(&mallory, &mallorys_key, &distribution)).unwrap();
    let impersonation = forged.encrypt(b"as if from alice", &mut alice.rng).unwrap();
    assert_eq!(of_alice.decrypt(&impersonation, NOW).unwrap().plaintext, b"as if from alice");
}
