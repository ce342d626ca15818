//! The double ratchet alone: how each side begins, and when it steps.

use crate::crypto::Secret;
use crate::crypto::agreement::{AgreementKey, AgreementSecret};
use crate::error::Fault;
use crate::profile::{
    BraidPayload, HandshakeSecrets, Header, HeaderKey, PostQuantumHeader, Profile, Suite, Undertone,
};
use crate::ratchet::double::{DoubleRatchet, Place, SendStage, headers_by_role};
use crate::ratchet::limits::StepBudget;
use crate::wire::Writer;
use rand::SeedableRng;
use rand::rngs::StdRng;

type Ratchet = DoubleRatchet<Undertone>;

fn handshake() -> HandshakeSecrets<Undertone> {
    Undertone::handshake_secrets(Suite::Pqxdh, &[&[1; 32], &[2; 32], &[3; 32], &[4; 32]], b"transcript")
}

fn signed_prekey() -> AgreementSecret {
    AgreementSecret::from_bytes(Secret::new([0x5A; 32]))
}

fn initiator(seed: u64) -> Ratchet {
    let (parts, _) = headers_by_role(handshake(), true);
    DoubleRatchet::initiator(parts, &signed_prekey().public(), false, &mut StdRng::seed_from_u64(seed)).unwrap()
}

fn responder() -> Ratchet {
    let ((root, sending, receiving), _) = headers_by_role(handshake(), false);
    DoubleRatchet::responder(root, sending, receiving, false)
}

fn stage(ratchet: &Ratchet, seed: u64) -> SendStage<Undertone> {
    ratchet.stage_send(&mut StdRng::seed_from_u64(seed)).unwrap()
}

/// Reads the first message of the peer's next chain; the seed of its key.
fn read(ratchet: &mut Ratchet, ratchet_key: AgreementKey, signed_prekey: Option<&AgreementSecret>) -> Secret<32> {
    let post_quantum = PostQuantumHeader { epoch: 1, index: 1, payload: BraidPayload::None };
    let header = Header { ratchet_key, n: 0, pn: 0, post_quantum, guard: [0; 12] };
    let mut budget = StepBudget::full();
    let (seed, change) = ratchet.stage_receive(&header, Place::NextChain, signed_prekey, 0, &mut budget).unwrap();
    ratchet.apply_receive(change, 0);
    seed
}

fn record(ratchet: &Ratchet) -> Vec<u8> {
    let mut out = Writer::default();
    ratchet.encode(&mut out);
    out.into_vec()
}

/// DR-3, DR-4: the initiator's first key comes from a root step with the signed prekey; the responder can neither send nor has it a chain.
#[test]
fn only_the_initiator_begins_with_a_chain() {
    let (alice, mut bob) = (initiator(1), responder());
    let first = stage(&alice, 2);
    assert_eq!(Some(first.ratchet_key), alice.sending_ratchet_key());
    let agreement = signed_prekey().agree(&first.ratchet_key).unwrap();
    let (_, chain, _) = Undertone::root_step(&handshake().root, &agreement);
    assert_eq!(Undertone::classical_step(&chain, 0).1, first.seed);

    assert!(!bob.can_send() && bob.sending_ratchet_key().is_none());
    let refused = bob.stage_send(&mut StdRng::seed_from_u64(3)).map(|_| ());
    assert_eq!(refused, Err(Fault::SessionCannotSend.into()));
    assert_eq!(bob.tags().count(), 1, "a next header key, and no chain");
    assert_eq!(read(&mut bob, first.ratchet_key, Some(&signed_prekey())), first.seed);
}

/// HE-3, HE-4: each side begins with the header key that the handshake made for its direction, and has the one after it from its root step.
#[test]
fn each_direction_has_its_first_header_key() {
    let HandshakeSecrets { root, initiator_header, responder_header, .. } = handshake();
    let (mut alice, mut bob) = (initiator(1), responder());
    let first = stage(&alice, 2);
    assert_eq!(first.header.tag(), initiator_header.tag());
    assert_eq!(bob.tags().collect::<Vec<_>>(), [initiator_header.tag().unwrap()]);
    assert_eq!(alice.tags().collect::<Vec<_>>(), [responder_header.tag().unwrap()]);
    assert_ne!(initiator_header.tag(), responder_header.tag());

    let (key, agreement) = (first.ratchet_key, signed_prekey().agree(&first.ratchet_key).unwrap());
    let (_, _, after) = Undertone::root_step(&root, &agreement);
    alice.apply_send(first);
    read(&mut bob, key, Some(&signed_prekey()));
    assert_eq!(bob.tags().collect::<Vec<_>>(), [initiator_header.tag().unwrap(), after.tag().unwrap()]);
    let answer = stage(&bob, 4);
    assert_eq!(answer.header.tag(), responder_header.tag());
    read(&mut alice, answer.ratchet_key, None);
    assert_eq!(stage(&alice, 5).header.tag(), after.tag());
}

/// DR-12, DR-9: reading draws no key pair; each attempt to send afterwards draws another one, and the one that was sent stays.
#[test]
fn the_sending_key_is_made_at_the_first_send() {
    let (mut alice, mut bob) = (initiator(1), responder());
    let first = stage(&alice, 2);
    let key = first.ratchet_key;
    alice.apply_send(first);
    read(&mut bob, key, Some(&signed_prekey()));
    assert!(bob.can_send() && bob.sending_ratchet_key().is_none());
    let before = record(&bob);
    assert_ne!(stage(&bob, 3).ratchet_key, stage(&bob, 4).ratchet_key);
    assert_eq!(record(&bob), before, "an attempt that was not made final leaves nothing");

    let answer = stage(&bob, 5);
    let answer_key = answer.ratchet_key;
    bob.apply_send(answer);
    assert_eq!(stage(&bob, 6).ratchet_key, answer_key);
    let secret = *AgreementSecret::generate(&mut StdRng::seed_from_u64(1)).unwrap().expose();
    let holds = |ratchet: &Ratchet| record(ratchet).windows(32).any(|window| window == secret);
    assert!(holds(&alice));
    read(&mut alice, answer_key, None);
    assert!(!holds(&alice) && alice.sending_ratchet_key().is_none(), "the old one has done its last agreement");
}

/// X3-8: a first message that is accepted twice, where nothing recognises the repetition, still gets two answers under unrelated keys: the responder brings a
/// key pair of its own into the root before it sends.
#[test]
fn the_responder_refreshes_the_root_before_it_sends() {
    let first = stage(&initiator(1), 2);
    let (mut once, mut again) = (responder(), responder());
    let read_once = read(&mut once, first.ratchet_key, Some(&signed_prekey()));
    assert_eq!(read_once, read(&mut again, first.ratchet_key, Some(&signed_prekey())));
    assert_eq!(record(&once), record(&again));
    let (answer, other) = (stage(&once, 3), stage(&again, 4));
    assert_ne!(answer.ratchet_key, other.ratchet_key);
    assert_ne!(answer.seed, other.seed);
    assert!(answer.ratchet_key != signed_prekey().public() && other.ratchet_key != signed_prekey().public());
}
