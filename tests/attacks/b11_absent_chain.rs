//! B11: a responder that holds no chain yet is made to derive keys from nothing, or from an agreement that the attacker knows.

use crate::session_world::{code, strangers};
use rand::SeedableRng;
use rand::rngs::StdRng;
use undertone::crypto::Secret;
use undertone::crypto::agreement::{AgreementKey, AgreementSecret};
use undertone::profile::{BraidPayload, Header, HeaderKey, PostQuantumHeader, Profile, Undertone};
use undertone::ratchet::StepBudget;
use undertone::ratchet::double::{DoubleRatchet, Place};
use undertone::rule::{Rule, without};
use undertone::wire::Reader;
use undertone::wire::signal::SignalMessage;
use undertone::{Fault, Result, Signal};

type HeaderKeyOf = <Undertone as Profile>::HeaderKey;

fn header_key(byte: u8) -> HeaderKeyOf {
    HeaderKeyOf::decode(&mut Reader::new(&[byte; 32], Fault::RecordCorrupt)).unwrap()
}

fn responder() -> DoubleRatchet<Undertone> {
    DoubleRatchet::responder(Secret::new([1; 32]), header_key(2), header_key(3), false)
}

fn header(ratchet_key: AgreementKey) -> Header {
    let post_quantum = PostQuantumHeader { epoch: 1, index: 1, payload: BraidPayload::None };
    Header { ratchet_key, n: 0, pn: 0, post_quantum, guard: [0; 12] }
}

/// Whether a fresh responder would derive a message key for a header with this ratchet key.
fn step(ratchet_key: AgreementKey, signed_prekey: Option<&AgreementSecret>) -> Result<()> {
    let staged =
        responder().stage_receive(&header(ratchet_key), Place::NextChain, signed_prekey, 0, &mut StepBudget::full());
    staged.map(|_| ())
}

/// B11, DR-3, DR-4: a responder begins without chains. Without a sending chain there is nothing to send in; without a ratchet secret there is no step.
#[test]
fn an_absent_chain_is_a_state_and_no_key() {
    let rng = &mut StdRng::seed_from_u64(11);
    assert_eq!(code(responder().stage_send(rng)), "session.no_sending_chain");
    let honest = AgreementSecret::generate(rng).unwrap().public();
    assert_eq!(code(step(honest, None)), "message.authentication");
    let (_, mut bob) = strangers::<Undertone>(11);
    assert_eq!(code(bob.write(b"to nobody")), "session.none");
}

/// B11, DR-11: a header that names the receiver's own ratchet key would step the root with an agreement of a key with itself.
#[test]
fn a_header_cannot_name_the_initial_ratchet_key() {
    let rng = &mut StdRng::seed_from_u64(12);
    let signed_prekey = AgreementSecret::generate(rng).unwrap();
    assert_eq!(code(step(signed_prekey.public(), Some(&signed_prekey))), "message.reflected");
    without(Rule::B11, || step(signed_prekey.public(), Some(&signed_prekey))).unwrap();
    step(AgreementSecret::generate(rng).unwrap().public(), Some(&signed_prekey)).unwrap();
}

/// B11, DR-11, P-2: a ratchet key whose agreement is known to everyone is not admitted, and would give no agreement if it were.
#[test]
fn a_header_cannot_name_a_key_of_low_order() {
    let signed_prekey = AgreementSecret::from_bytes(Secret::new([7; 32]));
    for first in [0, 1] {
        let low: [u8; 32] = core::array::from_fn(|i| if i == 0 { first } else { 0 });
        assert_eq!(code(AgreementKey::admit_ephemeral(&low)), "key.low_order");
        let admitted = without(Rule::Pq4, || AgreementKey::admit_ephemeral(&low)).unwrap();
        assert_eq!(code(step(admitted, Some(&signed_prekey))), "key.agreement_zero");
        without(Rule::P2, || step(admitted, Some(&signed_prekey))).unwrap();
    }
}

/// X3-8, DR-12: the responder's first message is under a ratchet key that is drawn when it is sent, and not when the first one was read.
#[test]
fn a_ratchet_key_is_drawn_at_the_first_send() {
    let (mut alice, mut bob) = strangers::<Signal>(17);
    alice.begin(&bob).unwrap();
    let sent = alice.write(b"text").unwrap();
    bob.read(&sent).unwrap();
    let read = bob.state();
    let mut keys = Vec::new();
    for seed in [1, 2] {
        bob.restore(&read);
        bob.rng = StdRng::seed_from_u64(seed);
        let answer = bob.write(b"answer").unwrap();
        keys.push(SignalMessage::parse(&answer.bytes).unwrap().fields.ratchet_key);
    }
    assert_ne!(keys[0], keys[1]);
    let signed_prekey = bob.prekeys.signed_prekey().unwrap().id;
    let signed_prekey = bob.prekeys.signed_prekey_of(signed_prekey).unwrap().agreement_secret().public();
    assert!(!keys.contains(&signed_prekey));
}
