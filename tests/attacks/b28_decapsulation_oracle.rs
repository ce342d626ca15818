//! B28: a receiver tells a wrong KEM ciphertext from a wrong message, and answers a question about its key each time.

use crate::session_world::{Person, code, flipped, strangers};
use undertone::crypto::Secret;
use undertone::crypto::kem::{KemCiphertext, KemScheme, KemSecret, Kyber1024, MlKem768, MlKem1024};
use undertone::handshake::{FirstMessage, HandshakePolicy, HandshakeProfile, LocalDevice};
use undertone::{Result, Signal, TrustedIdentity, Undertone};

/// K-5, B28: a wrong ciphertext gives a secret like any other, always the same one, and no error.
#[test]
fn decapsulation_never_fails() {
    fn check<K: KemScheme>() {
        let secret = KemSecret::<K>::from_seed(Secret::new([28; 64]));
        let (right, shared) = secret.public().encapsulate_deterministic([29; 32]);
        for bit in (0..right.as_bytes().len() * 8).step_by(97) {
            let wrong = KemCiphertext::<K>::from_slice(&flipped(right.as_bytes(), bit)).unwrap();
            let rejected = secret.decapsulate(&wrong);
            assert_ne!(rejected, shared, "bit {bit}");
            assert_eq!(rejected, secret.decapsulate(&wrong));
        }
    }
    check::<MlKem768>();
    check::<MlKem1024>();
    check::<Kyber1024>();
}

fn accept<P: HandshakeProfile>(bob: &mut Person<P>, first: &FirstMessage<P>) -> Result<Vec<u8>> {
    let device = LocalDevice { identity: &bob.identity, address: &bob.address, registration_id: 77 };
    let (policy, any) = (HandshakePolicy::default(), TrustedIdentity::FirstUse);
    bob.record.accept(&device, first, &mut bob.prekeys, &any, policy, bob.now).map(|read| read.plaintext)
}

/// K-5, K-7, PQ-18, B28: at the level of the protocol a wrong ciphertext and a wrong message are one error, and neither uses up a prekey.
#[test]
fn both_are_one_error() {
    fn check<P: HandshakeProfile>(message_tail: usize) {
        let (mut alice, mut bob) = strangers::<P>(28);
        alice.begin(&bob).unwrap();
        let sent = alice.write(b"text").unwrap();
        let open = |bob: &Person<P>| FirstMessage::open(&bob.local(), &sent.bytes, &bob.prekeys).unwrap();
        let before = bob.state();
        let length = open(&bob).kem.unwrap().1.as_bytes().len();
        for bit in (0..length * 8).step_by(797) {
            let mut first = open(&bob);
            let (id, ciphertext) = first.kem.take().unwrap();
            first.kem = Some((id, KemCiphertext::from_slice(&flipped(ciphertext.as_bytes(), bit)).unwrap()));
            assert_eq!(code(accept(&mut bob, &first)), "message.authentication", "bit {bit}");
        }
        for back in 1..=message_tail {
            let mut first = open(&bob);
            let last = (first.message.len() - back) * 8;
            first.message = flipped(&first.message, last);
            assert_eq!(code(accept(&mut bob, &first)), "message.authentication");
        }
        // Control: where a receiver may tell two causes apart, the codes do.
        let mut first = open(&bob);
        first.kem = first.kem.take().map(|(id, ciphertext)| (id + 1, ciphertext));
        assert_eq!(code(accept(&mut bob, &first)), "prekey.unknown_kem");
        assert_eq!(bob.state(), before);
        let first = open(&bob);
        assert_eq!(accept(&mut bob, &first).unwrap(), b"text");
    }
    check::<Undertone>(16);
    check::<Signal>(8);
}
