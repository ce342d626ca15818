//! Scanned safety numbers. They are compared and kept nowhere.

use crate::protobuf::Fields;
use crate::told;
use rand::SeedableRng;
use rand::rngs::StdRng;
use undertone::identity::FingerprintProfile;
use undertone::profile::IdentityKeyPair;
use undertone::{ErrorKind, Fingerprint, FingerprintParty, FingerprintVersion, Signal, Undertone};

const FIELD: (ErrorKind, &str) = (ErrorKind::InvalidMessage, "fingerprint.field");
const VERSION: (ErrorKind, &str) = (ErrorKind::UnsupportedVersion, "fingerprint.version");

/// Alice's safety number with Bob, and what Bob shows her.
fn scanned<P: FingerprintProfile>() -> (Fingerprint<P>, Vec<u8>) {
    let [alice, bob] = keys::<P>();
    let [alice, bob] = [(b"alice".as_slice(), &alice), (b"bob", &bob)]
        .map(|(account_id, identity_key)| FingerprintParty { account_id, identity_key });
    let version = FingerprintVersion::Two;
    let (ours, theirs) = (Fingerprint::new(version, &alice, &bob), Fingerprint::new(version, &bob, &alice));
    assert!(ours.matches_scan(&theirs.to_scan()).unwrap());
    (ours, theirs.to_scan())
}

fn keys<P: FingerprintProfile>() -> [P::IdentityKey; 2] {
    [1, 2].map(|seed| P::IdentityKeyPair::generate(&mut StdRng::seed_from_u64(seed)).unwrap().public().clone())
}

/// SN-2: native scans: cut at every length, longer, of another version, whatever stands behind it.
#[test]
fn malformed_native_scans() {
    let (ours, scan) = scanned::<Undertone>();
    for length in 0..scan.len() {
        assert_eq!(told(ours.matches_scan(&scan[..length])), FIELD, "{length} bytes");
    }
    assert_eq!(told(ours.matches_scan(&[&scan[..], &[0]].concat())), FIELD);
    for version in [0, 1, 3, 255] {
        assert_eq!(told(ours.matches_scan(&[&[version][..], &scan[1..]].concat())), VERSION);
        assert_eq!(told(ours.matches_scan(&[version])), VERSION);
    }
}

/// SN-2: scans of the Signal profile: cut at every length, without a field, with a hash of a wrong length, of another version.
#[test]
fn malformed_signal_scans() {
    let (ours, scan) = scanned::<Signal>();
    for length in 0..scan.len() {
        assert_eq!(told(ours.matches_scan(&scan[..length])), FIELD, "{length} bytes");
    }
    let fields = Fields::read(&scan);
    for tag in [1, 2, 3] {
        assert_eq!(told(ours.matches_scan(&fields.without(tag))), FIELD);
    }
    for tag in [2, 3] {
        let half = Fields::read(&fields.bytes(tag));
        for length in [0, 31, 33, 1 << 20] {
            assert_eq!(told(ours.matches_scan(&fields.with(tag, &half.with(1, &vec![9; length])))), FIELD);
        }
        assert_eq!(told(ours.matches_scan(&fields.with(tag, &[]))), FIELD);
    }
    for version in [0, 1, 3] {
        assert_eq!(told(ours.matches_scan(&fields.with_number(1, version))), VERSION);
    }
}

/// Safety numbers of a version or a number of iterations that there is none of.
#[test]
fn bad_safety_numbers() {
    for number in [0, 3, 255] {
        assert_eq!(told(FingerprintVersion::from_number(number)), VERSION);
    }
    let [alice, bob] = keys::<Signal>();
    let [alice, bob] = [&alice, &bob].map(|identity_key| FingerprintParty { account_id: b"someone", identity_key });
    for iterations in [0, 1, 1_000_001] {
        let made = Fingerprint::with_iterations(iterations, FingerprintVersion::Two, &alice, &bob);
        assert_eq!(told(made), (ErrorKind::InvalidRequest, "fingerprint.iterations"));
    }
}
