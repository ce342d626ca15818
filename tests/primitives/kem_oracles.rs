//! The KEMs against independent implementations, a thousand random keys each way.

use ml_kem::kem::Decapsulate;
use ml_kem::{KeyExport, ml_kem_768, ml_kem_1024};
use pqcrypto_kyber::kyber1024;
use pqcrypto_traits::kem::{Ciphertext as _, PublicKey as _, SharedSecret as _};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use undertone::crypto::kem::{KemCiphertext, KemPublic, KemSecret, Kyber1024, MlKem768, MlKem1024};
use undertone::crypto::secret::Secret;
use undertone::crypto::split_kem::{SplitEncapsulation, SplitKeyPair};

const KEYS: usize = 1000;

macro_rules! agrees_with_ml_kem {
    ($name:ident, $scheme:ty, $oracle:ident) => {
        /// K-5, K-6: our keys are the oracle's, and each side opens what the other seals, forgeries included.
        #[test]
        fn $name() {
            let rng = &mut StdRng::seed_from_u64(0x6B65_6D00);
            for _ in 0..KEYS {
                let (seed, message): ([u8; 64], [u8; 32]) = (rng.random(), rng.random());
                let ours = KemSecret::<$scheme>::from_seed(Secret::new(seed));
                let theirs = $oracle::DecapsulationKey::from_seed(seed.into());
                assert_eq!(ours.public().as_bytes(), &theirs.encapsulation_key().to_bytes()[..]);

                let (ciphertext, shared) = ours.public().encapsulate_deterministic(message);
                let (their_ciphertext, their_shared) =
                    theirs.encapsulation_key().encapsulate_deterministic(&message.into());
                assert_eq!(ciphertext.as_bytes(), &their_ciphertext[..]);
                assert_eq!(shared.expose()[..], their_shared[..]);

                let mut forged = ciphertext.as_bytes().to_vec();
                forged[rng.random_range(0..ciphertext.as_bytes().len())] ^= 1 << rng.random_range(0..8);
                let their_forged = $oracle::Ciphertext::try_from(&forged[..]).unwrap();
                let forged = KemCiphertext::from_slice(&forged).unwrap();
                assert_eq!(ours.decapsulate(&forged).expose()[..], theirs.decapsulate(&their_forged)[..]);
                assert_eq!(ours.decapsulate(&ciphertext), shared);
            }
        }
    };
}

agrees_with_ml_kem!(ml_kem_768_agrees, MlKem768, ml_kem_768);
agrees_with_ml_kem!(ml_kem_1024_agrees, MlKem1024, ml_kem_1024);

/// BR-1, BR-2: the two halves put together are plain ML-KEM-768.
#[test]
fn the_split_kem_is_ml_kem_768() {
    let rng = &mut StdRng::seed_from_u64(0x7370_6C69);
    for _ in 0..KEYS {
        let (seed, message): ([u8; 64], [u8; 32]) = (rng.random(), rng.random());
        let split = SplitKeyPair::from_seed(Secret::new(seed));
        let plain = ml_kem_768::DecapsulationKey::from_seed(seed.into());
        let key = plain.encapsulation_key().to_bytes();
        assert_eq!(key[..], [&split.vector()[..], &split.header()[..32]].concat());
        {
            use sha3::Digest;
            assert_eq!(split.header()[32..], sha3::Sha3_256::digest(key)[..]);
        }

        let (encapsulation, ct1, shared) = SplitEncapsulation::begin(split.header(), Secret::new(message));
        let ct2 = encapsulation.finish(split.vector()).unwrap();
        let (ciphertext, their_shared) = plain.encapsulation_key().encapsulate_deterministic(&message.into());
        assert_eq!(ciphertext[..], [&ct1[..], &ct2[..]].concat());
        assert_eq!(shared.expose()[..], their_shared[..]);
        assert_eq!(split.decapsulate(&ct1, &ct2), shared);

        let forged = core::array::from_fn(|i| ct2[i] ^ u8::from(i == 77));
        let their_forged = ml_kem_768::Ciphertext::try_from(&[&ct1[..], &forged[..]].concat()[..]).unwrap();
        assert_eq!(split.decapsulate(&ct1, &forged).expose()[..], plain.decapsulate(&their_forged)[..]);
    }
}

/// PQ-7: our Kyber-1024 is Kyber of round 3.
#[test]
fn kyber_1024_agrees() {
    let rng = &mut StdRng::seed_from_u64(0x6B79_6265);
    for _ in 0..KEYS {
        let ours = KemSecret::<Kyber1024>::generate(rng).unwrap();
        let public = kyber1024::PublicKey::from_bytes(ours.public().as_bytes()).unwrap();
        let (their_shared, ciphertext) = kyber1024::encapsulate(&public);
        let ciphertext = KemCiphertext::from_slice(ciphertext.as_bytes()).unwrap();
        assert_eq!(&ours.decapsulate(&ciphertext).expose()[..], their_shared.as_bytes());

        let (public, theirs) = kyber1024::keypair();
        let public = KemPublic::<Kyber1024>::admit(public.as_bytes()).unwrap();
        let (ciphertext, shared) = public.encapsulate(rng).unwrap();
        let ciphertext = kyber1024::Ciphertext::from_bytes(ciphertext.as_bytes()).unwrap();
        assert_eq!(kyber1024::decapsulate(&ciphertext, &theirs).as_bytes(), &shared.expose()[..]);
    }
}

/// PQ-7: the same seed gives different secrets as Kyber and as ML-KEM; neither passes for the other.
#[test]
fn kyber_is_not_ml_kem() {
    let rng = &mut StdRng::seed_from_u64(7);
    let secret = KemSecret::<MlKem1024>::generate(rng).unwrap();
    let as_kyber = KemPublic::<Kyber1024>::admit(secret.public().as_bytes()).unwrap();
    let (ciphertext, shared) = as_kyber.encapsulate(rng).unwrap();
    let ciphertext = KemCiphertext::<MlKem1024>::from_slice(ciphertext.as_bytes()).unwrap();
    assert_ne!(secret.decapsulate(&ciphertext), shared);
    let kyber = KemSecret::<Kyber1024>::from_seed(Secret::new(*secret.seed().expose()));
    assert_ne!(kyber.public().as_bytes(), secret.public().as_bytes());
}
