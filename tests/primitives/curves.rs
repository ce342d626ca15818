//! The edge cases of Ed25519 and XEdDSA: small and mixed order, other encodings, s + L.
//!
//! Built here with the curve's own arithmetic, after the classes of the CCTV collection.

use curve25519_dalek::constants::{ED25519_BASEPOINT_TABLE, EIGHT_TORSION};
use curve25519_dalek::edwards::EdwardsPoint;
use curve25519_dalek::scalar::Scalar;
use ed25519_dalek::Signer;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use sha2::{Digest, Sha512};
use undertone::Fault;
use undertone::crypto::agreement::{AgreementKey, AgreementSecret};
use undertone::crypto::ed25519::{SigningSecret, VerifyingKey};
use undertone::crypto::secret::Secret;
use undertone::crypto::xeddsa::{XeddsaKey, XeddsaSecret};
use undertone::rule::{self, Rule};

const REFUSED: Result<(), Fault> = Err(Fault::Signature);

/// L, little-endian.
const ORDER: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

/// A key pair whose scalar the test knows.
struct Forger {
    private: Scalar,
    point: EdwardsPoint,
}

impl Forger {
    fn new(rng: &mut StdRng) -> Self {
        let private = Scalar::from_bytes_mod_order_wide(&rng.random());
        Self { private, point: &private * ED25519_BASEPOINT_TABLE }
    }

    fn key(&self) -> VerifyingKey {
        VerifyingKey::admit(self.point.compress().as_bytes()).unwrap()
    }

    /// R || s with s = r + h a, for an R that may be encoded in any way.
    fn sign(&self, commitment: [u8; 32], nonce: Scalar, message: &[u8]) -> [u8; 64] {
        let hash = Sha512::new().chain_update(commitment).chain_update(self.point.compress().0).chain_update(message);
        let challenge = Scalar::from_bytes_mod_order_wide(&hash.finalize().into());
        join(commitment, (nonce + challenge * self.private).to_bytes())
    }
}

fn join(commitment: [u8; 32], response: [u8; 32]) -> [u8; 64] {
    [commitment, response].concat().try_into().unwrap()
}

/// s + L, if it fits 256 bits.
fn add_order(response: &[u8]) -> [u8; 32] {
    let mut carry = 0u16;
    core::array::from_fn(|i| {
        carry += u16::from(response[i]) + u16::from(ORDER[i]);
        let byte = carry as u8;
        carry >>= 8;
        byte
    })
}

fn verdict(key: &VerifyingKey, message: &[u8], signature: &[u8; 64]) -> Result<(), Fault> {
    key.verify(&[message], signature).map_err(|error| {
        assert_eq!(error, Fault::Signature.into());
        Fault::Signature
    })
}

/// P-6: we sign as an independent signer does, and verify what it signed.
#[test]
fn ed25519_agrees_with_the_oracle() {
    let rng = &mut StdRng::seed_from_u64(1);
    for length in 0..200 {
        let seed: [u8; 32] = rng.random();
        let message: Vec<u8> = (0..length).map(|_| rng.random()).collect();
        let ours = SigningSecret::from_seed(Secret::new(seed));
        let theirs = ed25519_dalek::SigningKey::from_bytes(&seed);
        let (left, right) = message.split_at(length / 3);
        let signature = ours.sign(&[left, right]);
        assert_eq!(signature, theirs.sign(&message).to_bytes());
        assert_eq!(ours.verifying_key().as_bytes(), theirs.verifying_key().as_bytes());
        assert_eq!(verdict(ours.verifying_key(), &message, &signature), Ok(()));
    }
}

/// P-3, P-4, P-5, B7, T-KEY-ADMIT: no key of small or mixed order, and no second encoding, is admitted.
#[test]
fn ed25519_admission() {
    let rng = &mut StdRng::seed_from_u64(2);
    for torsion in EIGHT_TORSION {
        assert_eq!(VerifyingKey::admit(torsion.compress().as_bytes()), Err(Fault::KeyLowOrder.into()));
    }
    for torsion in &EIGHT_TORSION[1..] {
        let mixed = Forger::new(rng).point + torsion;
        assert_eq!(VerifyingKey::admit(mixed.compress().as_bytes()), Err(Fault::KeyTorsion.into()));
        assert!(rule::without(Rule::P5, || VerifyingKey::admit(mixed.compress().as_bytes())).is_ok());
    }
    // y = p .. p + 18, with both signs: none of them is the encoding of its point.
    for excess in 0..19 {
        for sign in [0x7F, 0xFF] {
            let mut encoding = [0xFF; 32];
            encoding[0] = 0xED + excess;
            encoding[31] = sign;
            assert_eq!(VerifyingKey::admit(&encoding), Err(Fault::KeyNotCanonical.into()));
        }
    }
    // x = 0 with the sign of a negative x: y = 1 and y = -1.
    for y in [[1; 1].as_slice(), &[0xEC]] {
        let mut encoding = if y == [1] { [0; 32] } else { [0xFF; 32] };
        encoding[0] = y[0];
        encoding[31] = if y == [1] { 0x80 } else { 0xFF };
        assert_eq!(VerifyingKey::admit(&encoding), Err(Fault::KeyNotCanonical.into()));
    }
    assert_eq!(VerifyingKey::admit(&[1; 31]), Err(Fault::KeyLength.into()));
}

/// XE-5, P-4, B19: s + L is refused, and it is the check of s that refuses it.
#[test]
fn ed25519_s_plus_l() {
    let rng = &mut StdRng::seed_from_u64(3);
    let signer = SigningSecret::from_seed(Secret::new(rng.random()));
    let signature = signer.sign(&[b"message"]);
    let malleated = join(signature[..32].try_into().unwrap(), add_order(&signature[32..]));
    assert_eq!(verdict(signer.verifying_key(), b"message", &malleated), REFUSED);
    let lax = rule::without(Rule::Xe5, || verdict(signer.verifying_key(), b"message", &malleated));
    assert_eq!(lax, Ok(()));
}

/// P-4, P-5, XE-6, B19, B21: an R of small order, of mixed order or in another encoding is refused.
#[test]
fn ed25519_commitments() {
    let rng = &mut StdRng::seed_from_u64(4);
    let forger = Forger::new(rng);
    let honest_nonce = Scalar::from_bytes_mod_order_wide(&rng.random());
    let honest = &honest_nonce * ED25519_BASEPOINT_TABLE;
    let signature = forger.sign(honest.compress().0, honest_nonce, b"m");
    assert_eq!(verdict(&forger.key(), b"m", &signature), Ok(()));

    // R = identity, s = h a: equal for every verifier that does not look at the order of R.
    let identity = EIGHT_TORSION[0].compress().0;
    let small = forger.sign(identity, Scalar::ZERO, b"m");
    assert_eq!(verdict(&forger.key(), b"m", &small), REFUSED);
    assert_eq!(rule::without(Rule::Xe6, || verdict(&forger.key(), b"m", &small)), Ok(()));

    // The other seven, alone and added to an honest R: a cofactored verifier would accept them.
    for torsion in &EIGHT_TORSION[1..] {
        let alone = forger.sign(torsion.compress().0, Scalar::ZERO, b"m");
        assert_eq!(verdict(&forger.key(), b"m", &alone), REFUSED);
        let mixed = forger.sign((honest + torsion).compress().0, honest_nonce, b"m");
        assert_eq!(verdict(&forger.key(), b"m", &mixed), REFUSED);
    }

    // Other encodings of the identity: y = p + 1, and x = 0 with its sign set.
    let mut unreduced = [0xFF; 32];
    (unreduced[0], unreduced[31]) = (0xEE, 0x7F);
    let mut negative_zero = identity;
    negative_zero[31] = 0x80;
    for encoding in [unreduced, negative_zero] {
        let other = forger.sign(encoding, Scalar::ZERO, b"m");
        assert_eq!(rule::without(Rule::Xe6, || verdict(&forger.key(), b"m", &other)), REFUSED);
    }
}

/// XE-6, B19: with a key of small order, one fixed signature verifies for a share of all messages, if the key gets in.
#[test]
fn xeddsa_keys_of_small_order() {
    let order_8 = |text: &str| -> [u8; 32] { hex::decode(text).unwrap().try_into().unwrap() };
    let one: [u8; 32] = core::array::from_fn(|i| u8::from(i == 0));
    let cases: [([u8; 32], &[usize]); 4] = [
        ([0; 32], &[2, 4, 6, 7, 8]),
        (one, &[2, 5, 7, 10, 12]),
        (order_8("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"), &[1, 4, 29]),
        (order_8("5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157"), &[5, 16, 22]),
    ];
    let signature: [u8; 64] = core::array::from_fn(|i| u8::from(i == 0));
    for (u, numbers) in cases {
        assert_eq!(XeddsaKey::admit(&u).err(), Some(Fault::KeyLowOrder.into()));
        let key = rule::without(Rule::Pq4, || AgreementKey::admit_ephemeral(&u)).unwrap();
        assert_eq!(XeddsaKey::new(&key).err(), Some(Fault::KeyTorsion.into()));
        let key = rule::without(Rule::Xe6, || XeddsaKey::new(&key)).unwrap();
        for number in numbers {
            let message = format!("xeddsa-small-order-{number}");
            assert_eq!(key.verify(&[message.as_bytes()], &signature), Err(Fault::Signature.into()));
            let lax = rule::without(Rule::Xe6, || key.verify(&[message.as_bytes()], &signature));
            assert_eq!(lax, Ok(()), "u {}, message {number}", hex::encode(u));
        }
    }
}

/// XE-5, XE-6, B19: the remaining ways to bend an XEdDSA signature or its key.
#[test]
fn xeddsa_strictness() {
    let rng = &mut StdRng::seed_from_u64(5);
    let mut signs = [0; 2];
    for _ in 0..64 {
        let secret = XeddsaSecret::new(AgreementSecret::from_bytes(Secret::new(rng.random())));
        let message: [u8; 40] = rng.random();
        let (left, right) = message.split_at(13);
        let signature = secret.sign(&[left, right], rng).unwrap();
        let key = XeddsaKey::admit(secret.agreement_secret().public().as_bytes()).unwrap();
        assert_eq!(key.verify(&[&message], &signature), Ok(()));
        let sign = signature[63] & 0x80;
        signs[usize::from(sign != 0)] += 1;

        let mut flipped = signature;
        flipped[63] ^= 0x80;
        assert_eq!(key.verify(&[&message], &flipped), Err(Fault::Signature.into()));

        let mut plain = signature;
        plain[63] &= 0x7F;
        let response = add_order(&plain[32..]);
        let mut malleated = join(signature[..32].try_into().unwrap(), response);
        malleated[63] |= sign;
        assert_eq!(key.verify(&[&message], &malleated), Err(Fault::Signature.into()));
        assert_eq!(rule::without(Rule::Xe5, || key.verify(&[&message], &malleated)), Ok(()));

        for torsion in &EIGHT_TORSION[1..] {
            let point = curve25519_dalek::MontgomeryPoint(*key.agreement_key().as_bytes()).to_edwards(0).unwrap();
            let mixed = (point + torsion).to_montgomery().0;
            assert_eq!(XeddsaKey::admit(&mixed).err(), Some(Fault::KeyTorsion.into()));
        }
    }
    assert!(signs[0] > 10 && signs[1] > 10, "both signs were met: {signs:?}");
}

/// XE-4: a key has one encoding, s is below its bound in every bit, and R is compared as bytes.
#[test]
fn xeddsa_encodings() {
    let rng = &mut StdRng::seed_from_u64(6);
    let secret = XeddsaSecret::new(AgreementSecret::from_bytes(Secret::new(rng.random())));
    let honest = *secret.agreement_secret().public().as_bytes();
    let key = XeddsaKey::admit(&honest).unwrap();
    let signature = secret.sign(&[b"message"], rng).unwrap();
    assert_eq!(key.verify(&[b"message"], &signature), Ok(()));

    // u >= p: the nineteen values from p to 2^255 - 1, and the honest one with its unused bit set.
    let unreduced = (0..19).map(|excess| {
        let mut encoding = [0xFF; 32];
        (encoding[0], encoding[31]) = (0xED + excess, 0x7F);
        encoding
    });
    let high_bit = core::array::from_fn(|i| honest[i] | if i == 31 { 0x80 } else { 0 });
    for encoding in unreduced.chain([high_bit]) {
        assert_eq!(XeddsaKey::admit(&encoding).err(), Some(Fault::KeyNotCanonical.into()), "{encoding:02x?}");
    }
    // s >= 2^253.
    for bit in [253, 254] {
        let mut large = signature;
        large[32 + bit / 8] |= 1 << (bit % 8);
        assert_eq!(key.verify(&[b"message"], &large), Err(Fault::Signature.into()), "bit {bit} of s");
    }
    // R with one bit turned, and s made for that R: all else about the signature is right.
    let forger = Forger::new(rng);
    let key = XeddsaKey::admit(forger.point.to_montgomery().as_bytes()).unwrap();
    let nonce = Scalar::from_bytes_mod_order_wide(&rng.random());
    let commitment = (&nonce * ED25519_BASEPOINT_TABLE).compress().0;
    let made_for = |commitment| {
        let mut signature = forger.sign(commitment, nonce, b"message");
        signature[63] |= forger.point.compress().0[31] & 0x80;
        key.verify(&[b"message"], &signature)
    };
    assert_eq!(made_for(commitment), Ok(()));
    for bit in 0..256 {
        let mut other = commitment;
        other[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(made_for(other), Err(Fault::Signature.into()), "bit {bit} of R");
    }
}
