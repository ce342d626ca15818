//! SN: a safety number that cannot be told apart from another, or that raises a false alarm.

use rand::SeedableRng;
use rand::rngs::StdRng;
use undertone::profile::{IdentityKeyPair, Undertone, UndertoneIdentityKey, UndertoneIdentityKeyPair};
use undertone::rule::{Rule, without};
use undertone::{Fingerprint, FingerprintParty, FingerprintVersion};

fn keys() -> [UndertoneIdentityKey; 3] {
    let mut rng = StdRng::seed_from_u64(1);
    core::array::from_fn(|_| UndertoneIdentityKeyPair::generate(&mut rng).unwrap().public().clone())
}

fn fingerprint(
    version: FingerprintVersion,
    local: (&str, &UndertoneIdentityKey),
    remote: (&str, &UndertoneIdentityKey),
) -> Fingerprint<Undertone> {
    let party = |(id, identity_key)| FingerprintParty { account_id: str::as_bytes(id), identity_key };
    Fingerprint::new(version, &party(local), &party(remote))
}

/// SN-2: an old app is not an attacker. Told as a mismatch, it would teach people to ignore mismatches.
#[test]
fn another_version_is_not_an_alarm() {
    let [alice, bob, _] = &keys();
    let new = fingerprint(FingerprintVersion::Two, ("alice", alice), ("bob", bob));
    let old = fingerprint(FingerprintVersion::One, ("bob", bob), ("alice", alice));
    assert_eq!(new.matches_scan(&old.to_scan()).unwrap_err().code(), "fingerprint.version");
    assert_eq!(without(Rule::Sn2, || new.matches_scan(&old.to_scan())), Ok(false));
}

/// SN-1: the server in the middle, who shows each side a key of its own, is seen by digits and by scan; and no account's letters pass for a part of a key
/// or of another account.
#[test]
fn a_server_in_the_middle_is_seen() {
    let [alice, bob, server] = &keys();
    let version = FingerprintVersion::Two;
    let at_alice = fingerprint(version, ("alice", alice), ("bob", server));
    let at_bob = fingerprint(version, ("bob", bob), ("alice", server));
    assert_ne!(at_alice.digits(), at_bob.digits());
    assert_eq!(at_alice.matches_scan(&at_bob.to_scan()), Ok(false));
    let honest = fingerprint(version, ("alice", alice), ("bob", bob));
    for ids in [("alic", "ebob"), ("alice ", "bob"), ("bob", "alice")] {
        let other = fingerprint(version, (ids.0, alice), (ids.1, bob));
        assert_ne!(honest.digits(), other.digits());
    }
}
