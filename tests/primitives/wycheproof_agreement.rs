//! Project Wycheproof: X25519 and Ed25519.

use undertone::Fault;
use undertone::crypto::agreement::{AgreementKey, AgreementSecret};
use undertone::crypto::ed25519::VerifyingKey;
use undertone::crypto::secret::Secret;
use undertone::rule::{self, Rule};
use wycheproof::{TestResult, eddsa, xdh};

fn x25519() -> Vec<xdh::Test> {
    let set = xdh::TestSet::load(xdh::TestName::X25519).unwrap();
    let tests: Vec<_> = set.test_groups.into_iter().flat_map(|group| group.tests).collect();
    assert_eq!(tests.len(), 518);
    tests
}

fn secret(test: &xdh::Test) -> AgreementSecret {
    AgreementSecret::from_bytes(Secret::from_slice(&test.private_key).unwrap())
}

/// P-1, P-2: the function behind the admission computes what RFC 7748 says, and refuses zero.
#[test]
fn x25519_computes_every_vector() {
    let mut zeros = 0;
    for test in x25519() {
        let key = rule::without(Rule::Pq4, || AgreementKey::admit_ephemeral(&test.public_key)).unwrap();
        match secret(&test).agree(&key) {
            Ok(shared) => assert_eq!(shared.expose().as_slice(), &test.shared_secret[..], "case {}", test.tc_id),
            Err(error) => {
                assert_eq!(error, Fault::AgreementZero.into());
                assert_eq!(&test.shared_secret[..], [0; 32], "case {}", test.tc_id);
                zeros += 1;
            }
        }
    }
    assert_eq!(zeros, 31);
}

/// PQ-4, B7, T-KEY-ADMIT: admission refuses the 31 keys of low order and the 19 that are not canonical, at both doors;
/// those on the twist and of mixed order at the door for identities and prekeys.
#[test]
fn admission_refuses_every_special_key() {
    let (mut low_order, mut not_canonical, mut twist, mut mixed, mut admitted) = (0, 0, 0, 0, 0);
    for test in x25519() {
        let has = |flag| test.flags.contains(&flag);
        let (strict, lax) = (AgreementKey::admit(&test.public_key), AgreementKey::admit_ephemeral(&test.public_key));
        if has(xdh::TestFlag::LowOrderPublic) || has(xdh::TestFlag::NonCanonicalPublic) {
            low_order += usize::from(has(xdh::TestFlag::LowOrderPublic));
            not_canonical += usize::from(has(xdh::TestFlag::NonCanonicalPublic));
            let refusals = [Err(Fault::KeyLowOrder.into()), Err(Fault::KeyNotCanonical.into())];
            assert!(refusals.contains(&strict) && refusals.contains(&lax), "case {}", test.tc_id);
        } else if has(xdh::TestFlag::Twist) {
            twist += 1;
            assert_eq!(strict, Err(Fault::KeyTorsion.into()), "case {}", test.tc_id);
        } else if strict.is_ok() {
            admitted += 1;
            assert_eq!(strict, lax);
        } else {
            mixed += 1;
            assert_eq!(strict, Err(Fault::KeyTorsion.into()), "case {}", test.tc_id);
        }
    }
    assert_eq!((low_order, not_canonical), (31, 19));
    assert_eq!((twist, mixed, admitted), (210, 214, 50));
}

/// P-2, PQ-14, B22, T-DH-ZERO: without the check of the result, a key of low order gives the known secret zero.
#[test]
fn the_check_for_zero_is_what_refuses() {
    for test in x25519().iter().filter(|test| test.flags.contains(&xdh::TestFlag::LowOrderPublic)) {
        let key = rule::without(Rule::Pq4, || AgreementKey::admit_ephemeral(&test.public_key)).unwrap();
        assert_eq!(secret(test).agree(&key), Err(Fault::AgreementZero.into()));
        let unchecked = rule::without(Rule::P2, || secret(test).agree(&key)).unwrap();
        assert_eq!(unchecked, Secret::new([0; 32]));
    }
}

/// P-4, P-5: strict verification agrees with every verdict.
#[test]
fn ed25519_verifies_every_vector() {
    let set = eddsa::TestSet::load(eddsa::TestName::Ed25519).unwrap();
    let mut count = 0;
    for group in set.test_groups {
        let key = VerifyingKey::admit(&group.key.pk).unwrap();
        for test in group.tests {
            count += 1;
            let verified = <&[u8; 64]>::try_from(&test.sig[..]).is_ok_and(|sig| key.verify(&[&test.msg], sig).is_ok());
            assert_eq!(verified, test.result == TestResult::Valid, "case {}: {}", test.tc_id, test.comment);
        }
    }
    assert_eq!(count, 151);
}
