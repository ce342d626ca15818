//! B26: the verified core is right, and the code around it fails at one length, on one processor, in one mode.

use chacha20poly1305::aead::{AeadInOut, KeyInit};
use chacha20poly1305::{ChaCha20Poly1305, XChaCha20Poly1305};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use undertone::crypto::{Secret, aead, hash, kdf};

fn bytes(length: usize, rng: &mut StdRng) -> Vec<u8> {
    (0..length).map(|_| rng.random()).collect()
}

type Seal = fn(&[u8; 32], &[u8; 12], &[u8], &[u8]) -> Vec<u8>;

fn ours(key: &[u8; 32], nonce: &[u8; 12], ad: &[u8], plaintext: &[u8]) -> Vec<u8> {
    let mut sealed = Vec::new();
    aead::seal(&Secret::new(*key), nonce, ad, plaintext, &mut sealed);
    sealed
}

/// The first length at which `seal` and a second implementation differ.
fn differs_at(seal: Seal, rng: &mut StdRng) -> Option<usize> {
    (0..=300).chain(900..=1300).chain([4095, 4096, 4097, 65_536]).find(|&length| {
        let (key, nonce): ([u8; 32], [u8; 12]) = (rng.random(), rng.random());
        let associated = rng.random_range(0..200);
        let (ad, plaintext) = (bytes(associated, rng), bytes(length, rng));
        let mut theirs = plaintext.clone();
        let oracle = ChaCha20Poly1305::new(&key.into());
        let tag = oracle.encrypt_inout_detached(&nonce.into(), &ad, theirs.as_mut_slice().into()).unwrap();
        theirs.extend_from_slice(&tag);
        seal(&key, &nonce, &ad, &plaintext) != theirs
    })
}

/// B26: the comparison of the two implementations notices a fault at a single length.
#[test]
fn a_fault_at_one_length_is_noticed() {
    let rng = &mut StdRng::seed_from_u64(25);
    assert_eq!(differs_at(ours, rng), None);
    // Control: one that goes wrong at the change from one implementation to the other.
    let faulty: Seal = |key, nonce, ad, plaintext| {
        let mut sealed = ours(key, nonce, ad, plaintext);
        if plaintext.len() == 901 {
            sealed[900] ^= 1;
        }
        sealed
    };
    assert_eq!(differs_at(faulty, rng), Some(901));
}

/// P-10, B26: whichever implementation the length selects, ours and a second one agree, at every length around every block and the change between the
/// two; what is too short to hold a tag is refused, not read past.
#[test]
fn every_length_agrees_with_a_second_implementation() {
    let rng = &mut StdRng::seed_from_u64(26);
    for length in (0..=300).chain(900..=1300).chain([4095, 4096, 4097, 65_536]) {
        let (key, nonce): ([u8; 32], [u8; 12]) = (rng.random(), rng.random());
        let associated = rng.random_range(0..200);
        let (ad, plaintext) = (bytes(associated, rng), bytes(length, rng));
        let mut ours = Vec::new();
        aead::seal(&Secret::new(key), &nonce, &ad, &plaintext, &mut ours);
        let oracle = ChaCha20Poly1305::new(&key.into());
        let mut theirs = plaintext.clone();
        let tag = oracle.encrypt_inout_detached(&nonce.into(), &ad, theirs.as_mut_slice().into()).unwrap();
        theirs.extend_from_slice(&tag);
        assert_eq!(ours, theirs, "length {length}");
        assert_eq!(aead::open(&Secret::new(key), &nonce, &ad, &theirs).unwrap(), plaintext);
        for wrong in [&theirs[..theirs.len() - 1], &theirs[1..]] {
            assert!(aead::open(&Secret::new(key), &nonce, &ad, wrong).is_err());
        }

        let long_nonce: [u8; 24] = rng.random();
        let mut ciphertext = vec![0; length];
        let tag = aead::xseal_detached(&Secret::new(key), &long_nonce, &ad, &plaintext, &mut ciphertext);
        let oracle = XChaCha20Poly1305::new(&key.into());
        let mut theirs = plaintext.clone();
        let their_tag = oracle.encrypt_inout_detached(&long_nonce.into(), &ad, theirs.as_mut_slice().into()).unwrap();
        theirs.extend_from_slice(&their_tag);
        assert_eq!([&ciphertext[..], &tag].concat(), theirs, "length {length}");
    }
    for length in 0..aead::TAG {
        assert!(aead::open(&Secret::new([1; 32]), &[2; 12], b"", &vec![0; length]).is_err());
    }
}

/// B26: a message cut into parts hashes as the whole, at every length over several blocks.
#[test]
fn parts_make_no_difference() {
    let rng = &mut StdRng::seed_from_u64(27);
    for length in 0..=260 {
        let message = bytes(length, rng);
        let (left, right) = message.split_at(rng.random_range(0..=length));
        assert_eq!(hash::sha256(&[left, right]), hash::sha256(&[&message]));
        assert_eq!(hash::sha512(&[left, b"", right]), hash::sha512(&[&message]));
        assert_eq!(kdf::hmac(b"key", &[left, right]), kdf::hmac(b"key", &[&message]));
        let one = kdf::hkdf::<80>(&[], &[left, right], &[left]);
        assert_eq!(one, kdf::hkdf::<80>(&[0; 32], &[&message], &[left]));
    }
}
