//! The test vectors of the RFCs.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use undertone::crypto::agreement::{AgreementKey, AgreementSecret};
use undertone::crypto::ed25519::{SigningSecret, VerifyingKey};
use undertone::crypto::secret::Secret;
use undertone::crypto::{aead, chain, kdf};
use undertone::rule::{self, Rule};

#[derive(Deserialize)]
struct Suite<T> {
    tests: Vec<T>,
}

fn load<T: DeserializeOwned>(text: &str) -> T {
    serde_json::from_str(text).unwrap()
}

fn array<const N: usize>(text: &str) -> [u8; N] {
    hex::decode(text).unwrap().try_into().unwrap()
}

fn secret<const N: usize>(text: &str) -> Secret<N> {
    Secret::new(array(text))
}

#[derive(Deserialize)]
struct Mac {
    key: String,
    data: String,
    mac: String,
}

/// P-12: HMAC-SHA-256 of RFC 4231, the truncated case by its prefix.
#[test]
fn rfc_4231() {
    let suite: Suite<Mac> = load(include_str!("../vectors/rfc4231.json"));
    assert_eq!(suite.tests.len(), 7);
    for test in suite.tests {
        let mac = kdf::hmac(&hex::decode(test.key).unwrap(), &[&hex::decode(test.data).unwrap()]);
        assert_eq!(hex::encode(mac)[..test.mac.len()], test.mac);
    }
}

#[derive(Deserialize)]
struct Derivation {
    ikm: String,
    salt: String,
    info: String,
    okm: String,
}

/// P-8: HKDF-SHA-256 of RFC 5869.
#[test]
fn rfc_5869() {
    let suite: Suite<Derivation> = load(include_str!("../vectors/rfc5869.json"));
    assert_eq!(suite.tests.len(), 3);
    for test in suite.tests {
        let bytes = |text: &str| hex::decode(text).unwrap();
        // A longer output begins with every shorter one.
        let okm = kdf::hkdf::<96>(&bytes(&test.salt), &[&bytes(&test.ikm)], &[&bytes(&test.info)]);
        assert_eq!(hex::encode(okm.expose())[..test.okm.len()], test.okm);
    }
}

#[derive(Deserialize)]
struct X25519 {
    function: Vec<Multiplication>,
    iterated: Vec<Iterated>,
    agreement: Agreement,
}

#[derive(Deserialize)]
struct Multiplication {
    scalar: String,
    u: String,
    output: String,
}

#[derive(Deserialize)]
struct Iterated {
    rounds: usize,
    output: String,
}

#[derive(Deserialize)]
struct Agreement {
    alice_private: String,
    alice_public: String,
    bob_private: String,
    bob_public: String,
    shared: String,
}

/// The bare function of RFC 7748, which masks and reduces: behind the admission that would refuse such keys.
fn x25519(scalar: [u8; 32], u: [u8; 32]) -> [u8; 32] {
    let key = rule::without(Rule::Pq4, || AgreementKey::admit_ephemeral(&u)).unwrap();
    *AgreementSecret::from_parts(Secret::new(scalar), key).agree(&key).unwrap().expose()
}

/// P-1: X25519 of RFC 7748, iterated a thousand times, and its agreement.
#[test]
fn rfc_7748() {
    let suite: X25519 = load(include_str!("../vectors/rfc7748.json"));
    assert_eq!((suite.function.len(), suite.iterated.len()), (2, 2));
    for test in suite.function {
        assert_eq!(hex::encode(x25519(array(&test.scalar), array(&test.u))), test.output);
    }
    for test in suite.iterated {
        let mut scalar: [u8; 32] = core::array::from_fn(|i| if i == 0 { 9 } else { 0 });
        let mut u = scalar;
        for _ in 0..test.rounds {
            (scalar, u) = (x25519(scalar, u), scalar);
        }
        assert_eq!(hex::encode(scalar), test.output);
    }
    let test = suite.agreement;
    let alice = AgreementSecret::from_bytes(secret(&test.alice_private));
    let bob = AgreementSecret::from_bytes(secret(&test.bob_private));
    assert_eq!(hex::encode(alice.public().as_bytes()), test.alice_public);
    assert_eq!(hex::encode(bob.public().as_bytes()), test.bob_public);
    let admitted = AgreementKey::admit(bob.public().as_bytes()).unwrap();
    assert_eq!(hex::encode(alice.agree(&admitted).unwrap().expose()), test.shared);
    assert_eq!(hex::encode(bob.agree(&alice.public()).unwrap().expose()), test.shared);
}

#[derive(Deserialize)]
struct Signature {
    seed: String,
    public: String,
    message: String,
    signature: String,
}

/// P-6: Ed25519 of RFC 8032, signed from the seed and verified.
#[test]
fn rfc_8032() {
    let suite: Suite<Signature> = load(include_str!("../vectors/rfc8032.json"));
    assert_eq!(suite.tests.len(), 5);
    for test in suite.tests {
        let signer = SigningSecret::from_seed(secret(&test.seed));
        let message = hex::decode(test.message).unwrap();
        let signature = signer.sign(&[&message]);
        assert_eq!(hex::encode(signer.verifying_key().as_bytes()), test.public);
        assert_eq!(hex::encode(signature), test.signature);
        let key = VerifyingKey::admit(&hex::decode(test.public).unwrap()).unwrap();
        assert_eq!(key.verify(&[&message], &signature), Ok(()));
    }
}

#[derive(Deserialize)]
struct ChaCha {
    tests: Vec<Sealed>,
    blocks: Vec<Block>,
    streams: Vec<Stream>,
}

#[derive(Deserialize)]
struct Sealed {
    key: String,
    nonce: String,
    ad: String,
    plaintext: String,
    sealed: String,
}

/// The block of counter 0, or its first half.
#[derive(Deserialize)]
struct Block {
    section: String,
    key: String,
    nonce: String,
    block: String,
}

#[derive(Deserialize)]
struct Stream {
    section: String,
    key: String,
    nonce: String,
    counter: usize,
    plaintext: String,
    ciphertext: String,
}

fn rfc_8439_suite() -> ChaCha {
    load(include_str!("../vectors/rfc8439.json"))
}

/// P-10: ChaCha20-Poly1305 of RFC 8439.
#[test]
fn rfc_8439() {
    let suite = rfc_8439_suite();
    assert_eq!(suite.tests.len(), 2);
    for test in suite.tests {
        let (key, nonce) = (secret(&test.key), array(&test.nonce));
        let (ad, plaintext) = (hex::decode(test.ad).unwrap(), hex::decode(test.plaintext).unwrap());
        let mut sealed = Vec::new();
        aead::seal(&key, &nonce, &ad, &plaintext, &mut sealed);
        assert_eq!(hex::encode(&sealed), test.sealed);
        assert_eq!(aead::open(&key, &nonce, &ad, &sealed).unwrap(), plaintext);
    }
}

/// P-10: a chain's step is the ChaCha20 block of counter 0 of RFC 8439.
#[test]
fn rfc_8439_blocks() {
    let suite = rfc_8439_suite();
    assert_eq!(suite.blocks.len(), 5);
    for test in suite.blocks {
        let nonce = hex::decode(test.nonce).unwrap();
        let (label, n) = (nonce[..8].try_into().unwrap(), u32::from_be_bytes(nonce[8..].try_into().unwrap()));
        let (next, seed) = chain::step(&secret(&test.key), label, n);
        let block = hex::encode([*next.expose(), *seed.expose()].concat());
        assert!(matches!(test.block.len(), 64 | 128) && block.starts_with(&test.block), "section {}", test.section);
    }
}

/// P-10: ChaCha20 of RFC 8439 from counter 1 on, which is where the AEAD encrypts.
#[test]
fn rfc_8439_streams() {
    let suite = rfc_8439_suite();
    assert_eq!(suite.streams.len(), 5);
    for test in suite.streams {
        let begin = (test.counter - 1) * 64;
        let plaintext = [vec![0; begin], hex::decode(test.plaintext).unwrap()].concat();
        let mut sealed = Vec::new();
        aead::seal(&secret(&test.key), &array(&test.nonce), &[], &plaintext, &mut sealed);
        assert_eq!(hex::encode(&sealed[begin..plaintext.len()]), test.ciphertext, "section {}", test.section);
    }
}
