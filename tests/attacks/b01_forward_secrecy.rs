//! B1: whoever recorded a handshake takes the responder's state later and looks for a key to it.

use crate::handshake_world::{DAY, Device, NOW, fresh_rng, handshake};
use undertone::crypto::Secret;
use undertone::crypto::agreement::{AgreementKey, AgreementSecret};
use undertone::crypto::kem::{KemSecret, MlKem1024};
use undertone::handshake::{HandshakeProfile, PublishedPrekey};
use undertone::profile::Undertone;
use undertone::rule::{Rule, without};

/// Where the KEM seed of a stored KEM prekey lies, counted from its id: id, flag, dates.
const SEED: usize = 4 + 1 + 16;

/// Whether any 32 bytes of the stolen state are the private half of a published X25519 prekey.
fn finds_agreement_secret(state: &[u8], published: &AgreementKey) -> bool {
    state
        .windows(32)
        .any(|bytes| AgreementSecret::from_bytes(Secret::from_slice(bytes).unwrap()).public() == *published)
}

/// Whether a published KEM prekey can be made again from the stolen state: its seed stands behind its id.
fn finds_kem_secret(state: &[u8], published: &PublishedPrekey) -> bool {
    let key = Undertone::parse_kem_prekey(&published.public).unwrap().0;
    state
        .windows(SEED + 64)
        .filter(|bytes| bytes[..4] == published.id.to_be_bytes())
        .any(|bytes| KemSecret::<MlKem1024>::from_seed(Secret::from_slice(&bytes[SEED..]).unwrap()).public() == &key)
}

struct Stolen {
    one_time: bool,
    one_time_kem: bool,
    signed: bool,
    last_resort: bool,
}

/// Bob answers a first message; later his state is stolen, after `days` with one rotation.
fn stolen_after(days: u64) -> Stolen {
    let mut alice: Device = Device::new("alice", 1, 0, 1);
    let mut bob: Device = Device::new("bob", 1, 1, 2);
    let (bundle, plain) = (bob.bundle(), bob.last_resort_bundle());
    let (_, first, _) = handshake(&mut alice, &bob, &bundle);
    bob.prekeys.consume(&first).unwrap();
    if days > 0 {
        let mut rng = fresh_rng();
        let Device { identity, address, prekeys, .. } = &mut bob;
        let local = undertone::handshake::LocalDevice { identity, address, registration_id: 77 };
        prekeys.rotate(&local, NOW, &mut rng).unwrap();
        prekeys.erase_expired(NOW + days * DAY);
    }
    let state = bob.prekeys.to_bytes();
    let signed = Undertone::parse_signed_prekey(&bundle.signed_prekey().public).unwrap().0;
    let one_time = Undertone::parse_one_time_prekey(&bundle.one_time_prekey().unwrap().public).unwrap().0;
    Stolen {
        one_time: finds_agreement_secret(&state, &one_time),
        one_time_kem: finds_kem_secret(&state, bundle.kem_prekey().unwrap()),
        signed: finds_agreement_secret(&state, &signed),
        last_resort: finds_kem_secret(&state, plain.kem_prekey().unwrap()),
    }
}

/// B1, X3-3, PQ-19: one-time prekeys are gone from the state once a first message used them, so DH4 and SS of that handshake are lost to a thief.
#[test]
fn a_used_one_time_prekey_is_gone() {
    let stolen = stolen_after(0);
    assert!(!stolen.one_time && !stolen.one_time_kem);
    assert!(stolen.signed && stolen.last_resort, "the oracle finds what is there");
    let stolen = without(Rule::Pq19, || stolen_after(0));
    assert!(stolen.one_time && stolen.one_time_kem);
}

/// B1, X3-3, PQ-11: without one-time prekeys the secret lasts as long as the rotated ones: they are gone after their grace, and not before.
#[test]
fn a_rotated_prekey_is_gone_after_its_grace() {
    let within = stolen_after(30);
    assert!(within.signed && within.last_resort);
    let after = stolen_after(31);
    assert!(!after.signed && !after.last_resort);
    let kept = without(Rule::Pq11, || stolen_after(31));
    assert!(kept.signed && kept.last_resort);
}
