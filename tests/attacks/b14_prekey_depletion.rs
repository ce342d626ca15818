//! B14: someone fetches bundles until a device has no one-time prekeys left (Prekey Pogo, WOOT 2025).

use crate::handshake_world::{Device, NOW, fresh_rng, handshake};
use undertone::handshake::{HandshakeStrength, PrekeyBundle, PublishedPrekey};
use undertone::profile::{IdentityKeyPair, Undertone};
use undertone::rule::{Rule, without};

/// A server that hands out each one-time prekey once.
struct Server {
    plain: PrekeyBundle<Undertone>,
    identity: Vec<u8>,
    one_time: Vec<PublishedPrekey>,
    one_time_kem: Vec<PublishedPrekey>,
}

impl Server {
    fn new(bob: &Device) -> Self {
        Self {
            plain: bob.last_resort_bundle(),
            identity: bob.identity.public().as_bytes().to_vec(),
            one_time: bob.prekeys.one_time_prekeys().cloned().collect(),
            one_time_kem: bob.prekeys.one_time_kem_prekeys().cloned().collect(),
        }
    }

    fn fetch(&mut self) -> PrekeyBundle<Undertone> {
        let kem = self.one_time_kem.pop().or_else(|| self.plain.kem_prekey().cloned());
        let signed = self.plain.signed_prekey().clone();
        let one_time = self.one_time.pop();
        PrekeyBundle::from_parts(self.plain.address.clone(), 77, &self.identity, signed, kem, one_time).unwrap()
    }
}

/// PQ-9, PQ-24, X3-10, B14: after any number of fetches a handshake works, and says that it rests on the last-resort prekey.
#[test]
fn a_depleted_device_is_still_reached() {
    const BATCH: usize = 20;
    let mut alice: Device = Device::new("alice", 1, 0, 1);
    let mut bob: Device = Device::new("bob", 1, BATCH, 2);
    let mut server = Server::new(&bob);
    for fetch in 0..10_000 {
        let bundle = server.fetch();
        if fetch % 1_000 != 0 {
            continue;
        }
        let (initiation, first, acceptance) = handshake(&mut alice, &bob, &bundle);
        bob.prekeys.consume(&first).unwrap();
        let expected = if fetch < BATCH { HandshakeStrength::OneTime } else { HandshakeStrength::LastResort };
        assert_eq!((initiation.strength, acceptance.strength), (expected, expected), "fetch {fetch}");
    }
    assert_eq!(bob.prekeys.one_time_prekeys().count(), BATCH - 1, "what was fetched and never used is still held");
}

/// X3-10, B14: without the report, a stock that was emptied looks like a full one.
#[test]
fn depletion_is_reported() {
    let mut alice: Device = Device::new("alice", 1, 0, 1);
    let bob: Device = Device::new("bob", 1, 0, 2);
    let bundle = bob.last_resort_bundle();
    let mut strength = || handshake(&mut alice, &bob, &bundle).0.strength;
    assert_eq!(strength(), HandshakeStrength::LastResort);
    assert_eq!(without(Rule::X310, strength), HandshakeStrength::OneTime);
}

/// PQ-24, B14: one-time prekeys of one kind may run out before those of the other.
#[test]
fn the_kinds_run_out_independently() {
    let mut alice: Device = Device::new("alice", 1, 0, 1);
    let mut bob: Device = Device::new("bob", 1, 2, 2);
    let mut server = Server::new(&bob);
    server.one_time.clear();
    let (initiation, first, _) = handshake(&mut alice, &bob, &server.fetch());
    assert_eq!((initiation.strength, first.one_time_prekey_id), (HandshakeStrength::OneTime, None));
    bob.prekeys.consume(&first).unwrap();

    let mut server = Server::new(&bob);
    server.one_time_kem.clear();
    let (initiation, first, _) = handshake(&mut alice, &bob, &server.fetch());
    assert_eq!((initiation.strength, first.one_time_prekey_id), (HandshakeStrength::LastResort, Some(2)));
    bob.prekeys.consume(&first).unwrap();
}

/// B14: how many one-time prekeys are made is the caller's constant; the engine adds none of its own at a time that would tell something.
#[test]
fn refills_are_as_large_as_asked() {
    let mut bob: Device = Device::new("bob", 1, 0, 2);
    for round in 1..=3 {
        let Device { identity, address, prekeys, .. } = &mut bob;
        let local = undertone::handshake::LocalDevice { identity, address, registration_id: 77 };
        prekeys.add_one_time(&local, 5, NOW, &mut fresh_rng()).unwrap();
        assert_eq!(
            (prekeys.one_time_prekeys().count(), prekeys.one_time_kem_prekeys().count()),
            (5 * round, 5 * round)
        );
    }
}
