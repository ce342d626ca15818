//! B19, B21: a signature is bent into another one, or a key stands for many; and two verifiers do not agree about it.

use curve25519_dalek::scalar::Scalar;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use rand_core::{TryCryptoRng, TryRng};
use undertone::Fault;
use undertone::crypto::Secret;
use undertone::crypto::agreement::{AgreementKey, AgreementSecret};
use undertone::crypto::ed25519::{SigningSecret, VerifyingKey};
use undertone::crypto::xeddsa::{XeddsaKey, XeddsaSecret};
use undertone::rule::{Rule, without};

/// L, little-endian.
const ORDER: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

/// The same signature with s + L for s.
fn bent(signature: &[u8; 64]) -> [u8; 64] {
    let mut bent = *signature;
    let mut carry = 0_u16;
    for (byte, order) in bent[32..].iter_mut().zip(ORDER) {
        carry += u16::from(*byte) + u16::from(order);
        *byte = carry as u8;
        carry >>= 8;
    }
    bent
}

/// XE-4, XE-5, P-4, B19: s + L is no second signature of the same message, in either scheme; without the check it would be.
#[test]
fn no_signature_can_be_bent() {
    let rng = &mut StdRng::seed_from_u64(19);
    let native = SigningSecret::from_seed(Secret::new(rng.random()));
    let signature = bent(&native.sign(&[b"message"]));
    let verify = || native.verifying_key().verify(&[b"message"], &signature);
    assert_eq!(verify(), Err(Fault::Signature.into()));
    assert_eq!(without(Rule::Xe5, verify), Ok(()));

    // The top bit of an XEdDSA signature is the sign of its key; with it the sum would not fit.
    let signal = core::iter::repeat_with(|| {
        let secret = XeddsaSecret::generate(rng).unwrap();
        let signature = secret.sign(&[b"message"], rng).unwrap();
        (secret, signature)
    });
    let (signal, signature) = signal.take(64).find(|(_, signature)| signature[63] & 0x80 == 0).unwrap();
    let signature = bent(&signature);
    let verify = || signal.verifying_key().verify(&[b"message"], &signature);
    assert_eq!(verify(), Err(Fault::Signature.into()));
    assert_eq!(without(Rule::Xe5, verify), Ok(()));
}

/// XE-4, XE-6, P-5, P-3, B7, B19: no key of low or mixed order and no second encoding of one verifies anything; without the checks it would.
#[test]
fn no_key_stands_for_many() {
    let rng = &mut StdRng::seed_from_u64(20);
    let honest = Scalar::from_bytes_mod_order(rng.random()) * curve25519_dalek::constants::ED25519_BASEPOINT_POINT;
    for torsion in &curve25519_dalek::constants::EIGHT_TORSION[1..] {
        let mixed = honest + torsion;
        assert_eq!(VerifyingKey::admit(&mixed.compress().0).err(), Some(Fault::KeyTorsion.into()));
        assert!(without(Rule::P5, || VerifyingKey::admit(&mixed.compress().0)).is_ok());
        let u = mixed.to_montgomery().0;
        assert_eq!(XeddsaKey::admit(&u).err(), Some(Fault::KeyTorsion.into()));
        assert!(without(Rule::Xe6, || XeddsaKey::admit(&u)).is_ok());
        assert_eq!(AgreementKey::admit(&u).err(), Some(Fault::KeyTorsion.into()));
    }
    let mut second = [0xFF; 32];
    (second[0], second[31]) = (0xF0, 0x7F);
    assert_eq!(VerifyingKey::admit(&second).err(), Some(Fault::KeyNotCanonical.into()));
    assert_eq!(XeddsaKey::admit(&second).err(), Some(Fault::KeyNotCanonical.into()));
}

/// P-5, B21: ours is the verdict of an independent strict verifier on every signature with a flipped bit, and on every kind of bad R.
#[test]
fn the_verdict_is_that_of_a_strict_verifier() {
    let rng = &mut StdRng::seed_from_u64(21);
    let signer = SigningSecret::from_seed(Secret::new(rng.random()));
    let theirs = ed25519_dalek::VerifyingKey::from_bytes(signer.verifying_key().as_bytes()).unwrap();
    let honest = signer.sign(&[b"message"]);
    let mut signatures: Vec<[u8; 64]> = vec![honest, bent(&honest)];
    for bit in 0..512 {
        let mut flipped = honest;
        flipped[bit / 8] ^= 1 << (bit % 8);
        signatures.push(flipped);
    }
    for torsion in curve25519_dalek::constants::EIGHT_TORSION {
        let mut small = honest;
        small[..32].copy_from_slice(&torsion.compress().0);
        signatures.push(small);
    }
    let mut accepted = 0;
    for signature in signatures {
        let ours = signer.verifying_key().verify(&[b"message"], &signature).is_ok();
        assert_eq!(ours, theirs.verify_strict(b"message", &signature.into()).is_ok());
        accepted += usize::from(ours);
    }
    assert_eq!(accepted, 1);
}

/// XE-10, B5: the X25519 form of a native identity's public key is the public half of the X25519 form of its secret.
#[test]
fn both_forms_of_a_native_identity_agree() {
    let rng = &mut StdRng::seed_from_u64(22);
    for _ in 0..50 {
        let identity = SigningSecret::from_seed(Secret::new(rng.random()));
        assert_eq!(identity.agreement_secret().public(), identity.verifying_key().agreement_key());
        let peer = AgreementSecret::from_bytes(Secret::new(rng.random()));
        let ours = identity.agreement_secret().agree(&peer.public()).unwrap();
        assert_eq!(peer.agree(&identity.verifying_key().agreement_key()).unwrap(), ours);
    }
}

/// Counts what is drawn.
struct Counting {
    rng: StdRng,
    drawn: usize,
}

impl TryRng for Counting {
    type Error = core::convert::Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        self.drawn += 4;
        self.rng.try_next_u32()
    }

    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        self.drawn += 8;
        self.rng.try_next_u64()
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Self::Error> {
        self.drawn += out.len();
        self.rng.try_fill_bytes(out)
    }
}

impl TryCryptoRng for Counting {}

/// PQ-8, XE-3, K-1: each XEdDSA signature draws 64 bytes of the caller's generator, so that two of one message differ.
#[test]
fn each_signature_draws_its_randomness() {
    let secret = XeddsaSecret::new(AgreementSecret::from_bytes(Secret::new([23; 32])));
    let rng = &mut Counting { rng: StdRng::seed_from_u64(23), drawn: 0 };
    let one = secret.sign(&[b"message"], rng).unwrap();
    assert_eq!(rng.drawn, 64);
    let other = secret.sign(&[b"message"], rng).unwrap();
    assert_eq!(rng.drawn, 128);
    assert_ne!(one, other);
}
