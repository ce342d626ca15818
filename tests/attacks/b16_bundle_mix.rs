//! B16: a server puts a bundle together from prekeys of two times, two devices or two lives of one device.

use crate::handshake_world::{DAY, Device, NOW, code};
use undertone::Result;
use undertone::handshake::{HandshakePolicy, LocalDevice, PrekeyBundle, PublishedPrekey, initiate};
use undertone::profile::{IdentityKeyPair, Undertone};
use undertone::rule::{Rule, without};

/// The parts of a bundle, to be mixed.
#[derive(Clone)]
struct Parts {
    signed: PublishedPrekey,
    kem: PublishedPrekey,
    one_time: PublishedPrekey,
}

impl Parts {
    fn of(bundle: &PrekeyBundle<Undertone>) -> Self {
        Self {
            signed: bundle.signed_prekey().clone(),
            kem: bundle.kem_prekey().unwrap().clone(),
            one_time: bundle.one_time_prekey().unwrap().clone(),
        }
    }

    fn initiate(self, owner: &Device, registration_id: u32, now: u64) -> Result<()> {
        let mut alice: Device = Device::new("alice", 1, 0, 1);
        let identity = owner.identity.public().as_bytes();
        let address = owner.address.clone();
        let Self { signed, kem, one_time } = self;
        let (address_again, one_time) = (address.clone(), Some(one_time));
        let bundle: PrekeyBundle<Undertone> =
            PrekeyBundle::from_parts(address_again, registration_id, identity, signed, Some(kem), one_time)?;
        let local = LocalDevice { identity: &alice.identity, address: &alice.address, registration_id: 77 };
        initiate(&local, &address, &bundle, HandshakePolicy::default(), now, &mut alice.rng).map(|_| ())
    }
}

/// X3-9, PQ-12, PQ-22, B16: every prekey in turn comes from another device of the account, which has another identity key.
#[test]
fn no_prekey_of_another_device() {
    let (phone, laptop): (Device, Device) = (Device::new("bob", 1, 1, 2), Device::new("bob", 2, 1, 3));
    let (own, foreign) = (Parts::of(&phone.bundle()), Parts::of(&laptop.bundle()));
    assert_eq!(own.clone().initiate(&phone, 77, NOW), Ok(()));
    for mixed in [
        Parts { signed: foreign.signed.clone(), ..own.clone() },
        Parts { kem: foreign.kem.clone(), ..own.clone() },
        Parts { one_time: foreign.one_time.clone(), ..own.clone() },
        foreign,
    ] {
        assert_eq!(code(mixed.clone().initiate(&phone, 77, NOW)), "signature.invalid");
        assert_eq!(without(Rule::Pq13, || mixed.initiate(&phone, 77, NOW)), Ok(()));
    }
}

/// PQ-12, B16: an id is signed with its key, so that a server cannot make the two sides name different prekeys.
#[test]
fn no_other_id() {
    let bob: Device = Device::new("bob", 1, 1, 2);
    let own = Parts::of(&bob.bundle());
    let renamed = |prekey: &PublishedPrekey| PublishedPrekey { id: prekey.id + 1, ..prekey.clone() };
    for part in 0..3 {
        let attack = || {
            let bob: Device = Device::new("bob", 1, 1, 2);
            let own = Parts::of(&bob.bundle());
            let mixed = match part {
                0 => Parts { signed: renamed(&own.signed), ..own },
                1 => Parts { kem: renamed(&own.kem), ..own },
                _ => Parts { one_time: renamed(&own.one_time), ..own },
            };
            mixed.initiate(&bob, 77, NOW)
        };
        assert_eq!(code(attack()), "signature.invalid");
        assert_eq!(without(Rule::Pq12, attack), Ok(()), "part {part}");
    }
    assert_eq!(own.initiate(&bob, 77, NOW), Ok(()));
}

/// PQ-12, B16: prekeys of the device's former life, before it started afresh with another registration id.
#[test]
fn no_prekey_of_a_former_life() {
    let attack = || {
        let bob: Device = Device::new("bob", 1, 1, 2);
        Parts::of(&bob.bundle()).initiate(&bob, 78, NOW)
    };
    assert_eq!(code(attack()), "signature.invalid");
    assert_eq!(without(Rule::Pq12, attack), Ok(()));
}

/// Q-1b, PQ-11, B16: a bundle that the server kept is refused once its prekeys are stale, and so is one from the future.
#[test]
fn no_stale_prekey() {
    let bob: Device = Device::new("bob", 1, 1, 2);
    let own = Parts::of(&bob.bundle());
    for (now, refusal) in [
        (NOW + 14 * DAY - 1, "no error"),
        (NOW + 14 * DAY, "prekey.expired"),
        (NOW - DAY, "no error"),
        (NOW - DAY - 1, "prekey.not_yet_valid"),
    ] {
        assert_eq!(code(own.clone().initiate(&bob, 77, now)), refusal);
    }
}

/// B16: the bundle of one device is not used for another.
#[test]
fn no_bundle_of_another_address() {
    let attack = || {
        let mut alice: Device = Device::new("alice", 1, 0, 1);
        let (phone, laptop): (Device, Device) = (Device::new("bob", 1, 1, 2), Device::new("bob", 2, 1, 3));
        alice.initiate(&phone.address, &laptop.bundle(), HandshakePolicy::default()).map(|_| ())
    };
    assert_eq!(code(attack()), "bundle.address");
    assert_eq!(without(Rule::B16, attack), Ok(()));
}

/// PQ-13, B32: a byte changed anywhere in a bundle, and it is refused before anything of it is used.
#[test]
fn no_changed_byte() {
    let mut alice: Device = Device::new("alice", 1, 0, 1);
    let bob: Device = Device::new("bob", 1, 1, 2);
    let encoded = bob.bundle().to_bytes();
    let mut verdicts = std::collections::BTreeMap::<&str, usize>::new();
    for at in 0..encoded.len() {
        let mut changed = encoded.clone();
        changed[at] ^= 1 << (at % 8);
        let bundle = PrekeyBundle::<Undertone>::from_bytes(&changed);
        let result =
            bundle.and_then(|bundle| alice.initiate(&bob.address, &bundle, HandshakePolicy::default()).map(|_| ()));
        *verdicts.entry(code(result)).or_default() += 1;
    }
    assert_eq!(verdicts.remove("no error"), None);
    assert!(verdicts.remove("signature.invalid").unwrap() > 1_000);
    assert!(verdicts.keys().all(|code| code.starts_with("key.") || code.starts_with("bundle.")), "{verdicts:?}");
    for length in 0..encoded.len() {
        assert_eq!(code(PrekeyBundle::<Undertone>::from_bytes(&encoded[..length])), "bundle.field", "{length}");
    }
}
