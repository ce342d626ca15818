//! B20: a signer that takes its public key from the caller gives its private key away with two signatures.

use crate::engine_source;
use curve25519_dalek::scalar::Scalar;
use ed25519_dalek::hazmat::{ExpandedSecretKey, raw_sign};
use sha2::{Digest, Sha512};
use undertone::crypto::Secret;
use undertone::crypto::agreement::AgreementSecret;
use undertone::crypto::ed25519::SigningSecret;
use undertone::crypto::xeddsa::XeddsaSecret;

fn challenge(signature: &[u8; 64], key: &[u8; 32], message: &[u8]) -> Scalar {
    let hash = Sha512::new().chain_update(&signature[..32]).chain_update(key).chain_update(message);
    Scalar::from_bytes_mod_order_wide(&hash.finalize().into())
}

fn response(signature: &[u8; 64]) -> Scalar {
    Scalar::from_bytes_mod_order(signature[32..].try_into().unwrap())
}

/// The private scalar, if the two signatures have one nonce and two public keys: (s - s') / (h - h').
fn recovered(message: &[u8], signed: [(&[u8; 64], &[u8; 32]); 2]) -> Option<Scalar> {
    let [(one, its_key), (other, others_key)] = signed;
    if one[..32] != other[..32] {
        return None;
    }
    let difference = challenge(one, its_key, message) - challenge(other, others_key, message);
    (difference != Scalar::ZERO).then(|| (response(one) - response(other)) * difference.invert())
}

/// XE-8, P-6, B20: the attack works on an interface that takes both halves; ours takes a seed or a scalar alone, and makes the public half itself.
#[test]
fn the_public_key_is_always_our_own() {
    let (seed, message) = ([20; 32], b"message");
    let foreign = ed25519_dalek::SigningKey::from_bytes(&[21; 32]).verifying_key();
    let own = ed25519_dalek::SigningKey::from_bytes(&seed).verifying_key();
    let expanded = ExpandedSecretKey::from(&seed);
    let sign = |key| raw_sign::<Sha512>(&expanded, message, key).to_bytes();
    let (right, wrong) = (sign(&own), sign(&foreign));
    let scalar = recovered(message, [(&right, own.as_bytes()), (&wrong, foreign.as_bytes())]);
    // Control: the interface that is not ours gives the key away.
    assert_eq!(scalar, Some(expanded.scalar));

    let ours = SigningSecret::from_seed(Secret::new(seed));
    assert_eq!(ours.verifying_key().as_bytes(), own.as_bytes());
    assert_eq!(ours.sign(&[message]), right);
    let xeddsa = XeddsaSecret::new(AgreementSecret::from_bytes(Secret::new(seed)));
    assert_eq!(xeddsa.verifying_key().agreement_key(), AgreementSecret::from_bytes(Secret::new(seed)).public());
}

/// XE-8, B20: no signing function anywhere takes a public key.
#[test]
fn no_signing_function_takes_a_public_key() {
    let mut found = 0;
    for (path, source) in engine_source::files() {
        let plain = source.match_indices("fn sign(");
        for (at, _) in plain.chain(source.match_indices("fn sign_")) {
            // A pair is the one thing that holds a public key and made it itself.
            let parameters = source[at..].split_once(')').unwrap().0.replace("KeyPair", "Pair");
            assert!(!parameters.contains("Key") && !parameters.contains("public"), "{}: {parameters}", path.display());
            found += usize::from(parameters.contains("&self"));
        }
    }
    assert!(found >= 4, "the search finds the signing functions there are");
}
