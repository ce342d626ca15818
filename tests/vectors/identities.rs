//! Floor 3: safety numbers and did:key.

use crate::document::{array, bytes, cases, judge, number, text};
use serde_json::Value;
use undertone::crypto::Secret;
use undertone::crypto::ed25519::SigningSecret;
use undertone::profile::{IdentityKey, Undertone, UndertoneIdentityKey};
use undertone::{DidKey, Fingerprint, FingerprintParty, FingerprintVersion};

/// SN-1, SN-2: the digits and what is scanned, and the scan of the other side.
#[test]
fn safety_numbers() {
    for case in cases("safety number") {
        let Some(version) =
            judge(&case.name, FingerprintVersion::from_number(number(&case.inputs["version"])), case.outputs)
        else {
            continue;
        };
        let (own_id, own_key) = party(&case.inputs["own"]);
        let (other_id, other_key) = party(&case.inputs["other"]);
        let own = FingerprintParty::<Undertone> { account_id: &own_id, identity_key: &own_key };
        let other = FingerprintParty::<Undertone> { account_id: &other_id, identity_key: &other_key };
        let made = Fingerprint::new(version, &own, &other);
        assert_eq!(made.digits(), text(&case.outputs["digits"]), "{}", case.name);
        assert_eq!(made.to_scan(), bytes(&case.outputs["scannable"]), "{}", case.name);
        let across = Fingerprint::new(version, &other, &own).to_scan();
        assert!(made.matches_scan(&across).expect(&case.name), "{}", case.name);
        assert!(!made.matches_scan(&made.to_scan()).expect(&case.name), "{}", case.name);
    }
}

/// DI-7: the name of a key.
#[test]
fn did_keys() {
    for case in cases("did:key") {
        let key = *SigningSecret::from_seed(Secret::new(array(&case.inputs["seed"]))).verifying_key();
        assert_eq!(key.as_bytes(), &array(&case.outputs["identity"]), "{}", case.name);
        let did = DidKey::new(UndertoneIdentityKey::admit(key.as_bytes()).expect(&case.name));
        assert_eq!(did.to_string(), text(&case.outputs["did"]), "{}", case.name);
    }
}

/// DI-7, DI-8: one text for one key, and nothing else is read.
#[test]
fn did_key_parsing() {
    for case in cases("did:key parsing") {
        let did = text(&case.inputs["did"]);
        if let Some(read) = judge(&case.name, did.parse::<DidKey>(), case.outputs) {
            assert_eq!(read.identity_key().as_bytes(), &array(&case.outputs["identity"]), "{}", case.name);
            assert_eq!(read.to_string(), did, "{}", case.name);
        }
    }
}

fn party(value: &Value) -> (Vec<u8>, UndertoneIdentityKey) {
    (bytes(&value["account"]), UndertoneIdentityKey::admit(&bytes(&value["identity"])).expect("a key"))
}
