//! Floor 0: keys, agreements, signatures and the two KEMs.

use crate::document::{array, bytes, cases, judge, list, text};
use undertone::crypto::Secret;
use undertone::crypto::agreement::{AgreementKey, AgreementSecret};
use undertone::crypto::ed25519::{SigningSecret, VerifyingKey};
use undertone::crypto::kem::{KemCiphertext, KemPublic, KemSecret, MlKem768, MlKem1024};
use undertone::crypto::split_kem::{SplitEncapsulation, SplitKeyPair};

/// XE-10: the X25519 half of an identity key, from its seed and from the public key alone.
#[test]
fn identity_keys() {
    for case in cases("identity key") {
        let secret = SigningSecret::from_seed(Secret::new(array(&case.inputs["seed"])));
        assert_eq!(secret.verifying_key().as_bytes(), &array(&case.outputs["identity"]), "{}", case.name);
        assert_eq!(secret.agreement_secret().expose(), &array(&case.outputs["agreement_secret"]), "{}", case.name);
        let agreement: [u8; 32] = array(&case.outputs["agreement"]);
        assert_eq!(secret.agreement_secret().public().as_bytes(), &agreement, "{}", case.name);
        assert_eq!(secret.verifying_key().agreement_key().as_bytes(), &agreement, "{}", case.name);
    }
}

/// PQ-4, B7: every key that is not canonical, of low order, or outside its subgroup or modulus is refused.
#[test]
fn admission() {
    for case in cases("admission") {
        let key = bytes(&case.inputs["key"]);
        let admitted = match text(&case.inputs["kind"]) {
            "identity" => VerifyingKey::admit(&key).map(drop),
            "agreement" => AgreementKey::admit(&key).map(drop),
            "ratchet" => AgreementKey::admit_ephemeral(&key).map(drop),
            "ml-kem-768" => KemPublic::<MlKem768>::admit(&key).map(drop),
            "ml-kem-1024" => KemPublic::<MlKem1024>::admit(&key).map(drop),
            kind => panic!("unknown kind {kind}"),
        };
        judge(&case.name, admitted, case.outputs);
    }
}

/// PQ-13, B1: the signature of each kind of prekey, and no other.
#[test]
fn prekey_signatures() {
    for case in cases("prekey") {
        let identity = SigningSecret::from_seed(Secret::new(array(&case.inputs["owner"]["identity_seed"])));
        let signed = bytes(&case.outputs["signed_bytes"]);
        let signature = array(&case.outputs["signature"]);
        assert_eq!(identity.sign(&[&signed]), signature, "{}", case.name);
        identity.verifying_key().verify(&[&signed], &signature).expect(&case.name);
        for position in 0..64 {
            let mut forged = signature;
            forged[position] ^= 1;
            assert!(identity.verifying_key().verify(&[&signed], &forged).is_err(), "{}: {position}", case.name);
        }
    }
}

/// PQ-5, K-5: both sides of the handshake's agreements and of its KEM.
#[test]
fn handshake_agreements() {
    for case in cases("handshake") {
        let secret = |value| AgreementSecret::from_bytes(Secret::new(array(value)));
        let (a, b) = (&case.inputs["a"], &case.inputs["b"]);
        let identity =
            |party: &serde_json::Value| SigningSecret::from_seed(Secret::new(array(&party["identity_seed"])));
        let base = secret(&case.inputs["base_key_secret"]);
        assert_eq!(base.public().as_bytes(), &array(&case.outputs["base_key"]), "{}", case.name);
        let (signed, one_time) = (secret(&b["signed"]["secret"]), secret(&b["one_time"]["secret"]));
        let (ours, theirs) = (identity(a), identity(b));
        let mut pairs = vec![
            (ours.agreement_secret(), &signed),
            (&base, theirs.agreement_secret()),
            (&base, &signed),
            (&base, &one_time),
        ];
        pairs.truncate(list(&case.outputs["agreements"]).len());
        assert!(pairs.len() >= 3, "{}", case.name);
        for ((left, right), expected) in pairs.into_iter().zip(list(&case.outputs["agreements"])) {
            let expected: [u8; 32] = array(expected);
            assert_eq!(left.agree(&right.public()).expect(&case.name).expose(), &expected, "{}", case.name);
            assert_eq!(right.agree(&left.public()).expect(&case.name).expose(), &expected, "{}", case.name);
        }
        if case.inputs["suite"] == 1 {
            let kem = if case.inputs["one_time"] == true { &b["kem"] } else { &b["last_resort"] };
            let kem = KemSecret::<MlKem1024>::from_seed(Secret::new(array(&kem["seed"])));
            let (ciphertext, shared) = kem.public().encapsulate_deterministic(array(&case.inputs["kem_randomness"]));
            assert_eq!(ciphertext.as_bytes(), bytes(&case.outputs["ciphertext"]), "{}", case.name);
            assert_eq!(shared.expose(), &array(&case.outputs["shared_secret"]), "{}", case.name);
            let received = KemCiphertext::from_slice(ciphertext.as_bytes()).expect(&case.name);
            assert_eq!(kem.decapsulate(&received), shared, "{}", case.name);
        }
    }
}

/// BR-1, BR-2, BR-12: the pieces of a split ML-KEM-768, and its refusal of a key that is not its header's.
#[test]
fn split_kem() {
    for case in cases("split ML-KEM-768") {
        let keys = SplitKeyPair::from_seed(Secret::new(array(&case.inputs["ek_seed"])));
        assert_eq!(keys.header(), &array(&case.outputs["header64"]), "{}", case.name);
        assert_eq!(keys.vector(), &array(&case.outputs["ek"]), "{}", case.name);
        let (encapsulation, ct1, shared) =
            SplitEncapsulation::begin(keys.header(), Secret::new(array(&case.inputs["m"])));
        let ct2 = encapsulation.finish(keys.vector()).expect(&case.name);
        assert_eq!(ct1, array(&case.outputs["ct1"]), "{}", case.name);
        assert_eq!(ct2, array(&case.outputs["ct2"]), "{}", case.name);
        assert_eq!(shared.expose(), &array(&case.outputs["shared_secret"]), "{}", case.name);
        assert_eq!(keys.decapsulate(&ct1, &ct2), shared, "{}", case.name);
        assert_eq!(
            keys.decapsulate(&ct1, &[0; 128]).expose(),
            &array(&case.outputs["rejected_secret"]),
            "{}",
            case.name
        );
        let mut flipped = *keys.vector();
        flipped[0] ^= 1;
        judge(&case.name, encapsulation.finish(&flipped), &case.outputs["ek_flipped"]);
    }
}
