//! B35: a counter at its ceiling wraps, and with it a key or a nonce comes back.

use crate::session_world::code;
use rand::SeedableRng;
use rand::rngs::StdRng;
use undertone::crypto::Secret;
use undertone::crypto::agreement::AgreementSecret;
use undertone::profile::{HeaderKey, Profile};
use undertone::ratchet::double::{DoubleRatchet, Sending, SendingChain};
use undertone::ratchet::{PostQuantumRatchet, ReceivingChain, StepBudget};
use undertone::rule::{Rule, without};
use undertone::wire::{Reader, Writer};
use undertone::{Fault, Result, Signal, Undertone};

fn header_key<P: Profile>() -> P::HeaderKey {
    P::HeaderKey::decode(&mut Reader::new(&[2; 32], Fault::RecordCorrupt)).unwrap()
}

/// A session that is about to send message `next`.
fn at<P: Profile>(next: u32) -> DoubleRatchet<P> {
    let pair = AgreementSecret::from_bytes(Secret::new([5; 32]));
    let key = Secret::new([6; 32]);
    let chain = SendingChain { pair, key, next, header: header_key::<P>(), next_header: header_key::<P>() };
    DoubleRatchet::imported(Secret::new([7; 32]), Sending::Active(chain), header_key::<P>(), Vec::new(), 0, false)
}

fn send<P: Profile>(ratchet: &mut DoubleRatchet<P>) -> Result<u32> {
    let stage = ratchet.stage_send(&mut StdRng::seed_from_u64(35))?;
    let n = stage.n;
    ratchet.apply_send(stage);
    Ok(n)
}

/// DR-15, B35: the classical chain ends before its last number, for good; without the rule that number would be used.
#[test]
fn a_sending_chain_ends() {
    fn check<P: Profile>() {
        let mut ratchet = at::<P>(u32::MAX - 2);
        assert_eq!(send(&mut ratchet), Ok(u32::MAX - 2));
        assert_eq!(send(&mut ratchet), Ok(u32::MAX - 1));
        for _ in 0..3 {
            assert_eq!(code(send(&mut ratchet)), "session.exhausted");
        }
        let staged = without(Rule::Dr15, || ratchet.stage_send(&mut StdRng::seed_from_u64(35)).map(|stage| stage.n));
        assert_eq!(staged, Ok(u32::MAX));
    }
    check::<Undertone>();
    check::<Signal>();
}

/// DR-15, B35: a receiving chain takes its last number but one, and then nothing any more.
#[test]
fn a_receiving_chain_ends() {
    fn check<P: Profile>() {
        let key = AgreementSecret::from_bytes(Secret::new([8; 32])).public();
        let chain =
            |next| ReceivingChain::<P>::imported(key, header_key::<P>(), Secret::new([9; 32]), next, Vec::new());
        let stage =
            |chain: &ReceivingChain<P>, n| chain.stage(n, false, 0, &mut StepBudget::full()).map(|(_, change)| change);
        let mut last = chain(u32::MAX - 2);
        assert_eq!(code(stage(&last, u32::MAX)), "message.too_far_ahead");
        let change = stage(&last, u32::MAX - 1).unwrap();
        last.apply(change, 0);
        assert_eq!(code(stage(&last, u32::MAX)), "message.too_far_ahead");
        assert_eq!(code(stage(&last, u32::MAX - 1)), "message.duplicate");
        assert_eq!(code(stage(&last, 0)), "message.duplicate");
    }
    check::<Undertone>();
    check::<Signal>();
}

/// DR-15, SP-11, B35: the post-quantum chain ends as well, on both sides.
#[test]
fn a_post_quantum_chain_ends() {
    fn check<P: Profile>() {
        let mut out = Writer::default();
        PostQuantumRatchet::<P>::initiator(&Secret::new([1; 32]), false).encode(&mut out);
        let mut bytes = out.into_vec();
        // Behind two flags, the root, two epochs, a count, a flag and the chain key: the last index that was used.
        let index = 2 + 32 + 8 + 8 + 1 + 1 + 32;
        assert_eq!(bytes[index..index + 4], [0; 4]);
        bytes[index..index + 4].copy_from_slice(&(u32::MAX - 2).to_be_bytes());
        let mut ratchet = PostQuantumRatchet::<P>::decode(&mut Reader::new(&bytes, Fault::RecordCorrupt)).unwrap();
        let rng = &mut StdRng::seed_from_u64(36);
        let sent = ratchet.send(rng).unwrap();
        assert_eq!(sent.header.index, u32::MAX - 1);
        ratchet.apply(sent.change, 0);
        assert_eq!(code(ratchet.send(rng).map(|sent| sent.header)), "session.exhausted");

        let mut header = PostQuantumRatchet::<P>::initiator(&Secret::new([1; 32]), false).send(rng).unwrap().header;
        header.index = u32::MAX;
        let responder = PostQuantumRatchet::<P>::responder(&Secret::new([1; 32]), false);
        let received = responder.receive(&header, 0, &mut StepBudget::full());
        assert_eq!(code(received.map(|_| ())), "message.too_far_ahead");
    }
    check::<Undertone>();
    check::<Signal>();
}
