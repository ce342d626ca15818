//! B24, B25: KEM keys that are out of range, tampered with, or crafted so that one secret serves two keys.

use rand::SeedableRng;
use rand::rngs::StdRng;
use undertone::Result;
use undertone::crypto::Secret;
use undertone::crypto::kem::{KemPublic, KemScheme, KemSecret, MlKem768, MlKem1024};
use undertone::crypto::split_kem::{SplitEncapsulation, SplitKeyPair, VECTOR};
use undertone::rule::{Rule, without};

/// An honest key whose coefficient number `at` is `value`.
fn with_coefficient<K: KemScheme>(at: usize, value: u16) -> Vec<u8> {
    let mut bytes = KemSecret::<K>::from_seed(Secret::new([24; 64])).public().as_bytes().to_vec();
    set_coefficient(&mut bytes, at, value);
    bytes
}

fn set_coefficient(bytes: &mut [u8], at: usize, value: u16) {
    let pair = &mut bytes[at / 2 * 3..][..3];
    if at.is_multiple_of(2) {
        pair[0] = value as u8;
        pair[1] = pair[1] & 0xF0 | (value >> 8) as u8;
    } else {
        pair[1] = pair[1] & 0x0F | (value << 4) as u8;
        pair[2] = (value >> 4) as u8;
    }
}

/// K-3, PQ-5, B24: every coefficient is looked at; without the check each such key would be encapsulated to. (Kyber of round 3, in the Signal profile, asks
/// for no such check, and official clients make none.)
#[test]
fn coefficients_out_of_range_are_refused() {
    fn check<K: KemScheme>(coefficients: usize) {
        for at in (0..coefficients).step_by(37).chain([coefficients - 1]) {
            KemPublic::<K>::admit(&with_coefficient::<K>(at, 3328)).unwrap();
            for value in [3329, 4095] {
                let bytes = with_coefficient::<K>(at, value);
                let refused = KemPublic::<K>::admit(&bytes).err().map(|error| error.code());
                assert_eq!(refused, Some("key.modulus"), "coefficient {at}");
                let key = without(Rule::K3, || KemPublic::<K>::admit(&bytes)).unwrap();
                key.encapsulate(&mut StdRng::seed_from_u64(24)).unwrap();
            }
        }
    }
    check::<MlKem768>(3 * 256);
    check::<MlKem1024>(4 * 256);
}

/// BR-2, K-3, B24, B30: the same in the split KEM of the braid: neither another vector nor one out of range is answered.
#[test]
fn a_wrong_vector_is_not_answered() {
    let pair = SplitKeyPair::from_seed(Secret::new([25; 64]));
    let (encapsulation, ..) = SplitEncapsulation::begin(pair.header(), Secret::new([26; 32]));
    encapsulation.finish(pair.vector()).unwrap();
    let mut out_of_range = *pair.vector();
    set_coefficient(&mut out_of_range, 5, 3329);
    let other: [u8; VECTOR] = *SplitKeyPair::from_seed(Secret::new([27; 64])).vector();
    for vector in [out_of_range, other] {
        assert_eq!(encapsulation.finish(&vector).err().map(|error| error.code()), Some("braid.key"));
        without(Rule::Br2, || encapsulation.finish(&vector)).unwrap();
    }
}

/// An expanded key as an official record holds it: dk, vector, rho, H(ek), z.
fn expanded(seed: [u8; 64]) -> Vec<u8> {
    use ml_kem::{KeyExport, ml_kem_768};
    let key = ml_kem_768::DecapsulationKey::from_seed(seed.into());
    let public = key.encapsulation_key().to_bytes();
    #[allow(deprecated, reason = "the expanded form is what is attacked")]
    let expanded = ml_kem::ExpandedKeyEncoding::to_expanded_bytes(&key).to_vec();
    assert_eq!(expanded[1152..][..1184], public[..]);
    expanded
}

fn import(bytes: &[u8]) -> Result<SplitKeyPair> {
    SplitKeyPair::from_expanded(bytes.try_into().unwrap())
}

/// K-4, K-6, B24, B25: of an expanded key, which only a record of an official client brings, the parts must belong together: a private part, public part or
/// hash of another key is refused. Without the comparison a private part of another key would be taken.
#[test]
fn a_crafted_decapsulation_key_is_refused() {
    let (one, other) = (expanded([28; 64]), expanded([29; 64]));
    import(&one).unwrap();
    let replaced = |range: core::ops::Range<usize>| {
        let mut crafted = one.clone();
        crafted[range.clone()].copy_from_slice(&other[range]);
        crafted
    };
    for part in [0..1152, 1152..2304, 2304..2336, 2336..2368] {
        let refused = import(&replaced(part.clone())).err().map(|error| error.code());
        assert_eq!(refused, Some("key.mismatch"), "bytes {part:?}");
    }
    without(Rule::K4, || import(&replaced(0..1152))).unwrap();
}

/// K-6, BR-13, B25: our own keys are seeds and nothing else: what is stored of one is 64 bytes, and the seed alone makes the whole key.
#[test]
fn our_own_keys_are_seeds() {
    let secret = KemSecret::<MlKem1024>::from_seed(Secret::new([30; 64]));
    assert_eq!(secret.seed().expose(), &[30; 64]);
    let again = KemSecret::<MlKem1024>::from_seed(Secret::new(*secret.seed().expose()));
    assert_eq!(again.public(), secret.public());
    assert!(SplitKeyPair::from_seed(Secret::new([30; 64])).expanded().is_none());
}
