//! Prekeys as a server sees them: refilled, rotated, retired, and never ahead of their private halves.

use super::world::*;
use core::time::Duration;
use futures_executor::block_on;
use futures_util::FutureExt;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use undertone::client::{EventKind, SecurityKind};
use undertone::profile::Undertone;
use undertone::store::sealed::RecordName;
use undertone::store::{MemoryStore, SealedStore, StoreSecret};
use undertone::transport::{FailedCall, Faults, Tamper, Transport};
use undertone::{Error, PrekeyBundle};

const DAY: Duration = Duration::from_secs(86_400);

fn bundle(world: &World, account: &str) -> PrekeyBundle<Undertone> {
    PrekeyBundle::from_bytes(&block_on(world.server.transport().fetch(account, &[1])).unwrap()[0]).unwrap()
}

/// The prekeys that a store has private halves of.
fn held(store: &MemoryStore) -> Option<undertone::Prekeys<Undertone>> {
    let sealed = SealedStore::open(store.clone(), StoreSecret::key([7; 32])).now_or_never().unwrap().unwrap();
    let reading = sealed.read(&[RecordName::table("prekeys")]).now_or_never().unwrap().unwrap();
    let bytes = reading.values.into_iter().next().flatten()?;
    Some(undertone::Prekeys::from_bytes(&bytes).unwrap())
}

/// B14: one-time prekeys are made in batches of one size before they run out; no two peers are given the same.
#[test]
fn one_time_prekeys_are_refilled_at_low_water() {
    let world = World::new();
    let bob = world.person("bob");
    let mut ids = BTreeSet::new();
    for fetched in 1..=150 {
        let bundle = bundle(&world, "bob");
        let one_time = bundle.one_time_prekey().expect("a one-time prekey").id;
        assert!(ids.insert(one_time), "{one_time} was handed out twice");
        if fetched % 25 == 0 {
            world.clock.advance(Duration::from_secs(7 * 3600));
            block_on(bob.sync(Duration::ZERO)).unwrap();
        }
    }
    // Someone who takes them and never writes does not have them made without end.
    for _ in 0..20 {
        for _ in 0..50 {
            bundle(&world, "bob");
        }
        world.clock.advance(Duration::from_secs(7 * 3600));
        block_on(bob.sync(Duration::ZERO)).unwrap();
    }
    assert!(world.server.handed_out_prekeys().len() < 2 * 500);
    // Without one-time prekeys a contact is still made, and known to be weaker.
    let alice = world.person("alice");
    say(&alice, "bob", "weak");
    let told = events(&bob);
    let is_weak =
        |event: &EventKind| matches!(event, EventKind::Security(event) if event.kind == SecurityKind::WeakHandshake);
    assert!(told.iter().any(is_weak));
    assert!(told.iter().any(|event| matches!(event, EventKind::Message(_))));
}

/// I4: the private half of a one-time prekey is gone once it made a session.
#[test]
fn a_used_prekey_is_gone() {
    let world = World::new();
    let store = MemoryStore::new();
    let bob = world.open("bob", &store);
    let alice = world.person("alice");
    say(&alice, "bob", "one");
    let used: Vec<u32> =
        world.server.handed_out_prekeys().iter().filter(|prekey| !prekey.is_kem).map(|prekey| prekey.id).collect();
    let holds =
        |store: &MemoryStore| held(store).unwrap().one_time_prekeys().filter(|held| used.contains(&held.id)).count();
    assert!(holds(&store) > 0);
    assert_eq!(texts(&bob), ["one"]);
    assert_eq!(holds(&store), 0);
}

/// I10, PQ-11: signed and last-resort prekeys are replaced after a week; the replaced ones open what is under way for thirty days, and go.
#[test]
fn prekeys_rotate_and_retire_late() {
    let world = World::new();
    let store = MemoryStore::new();
    let bob = world.open("bob", &store);
    let first = bundle(&world, "bob");
    world.clock.advance(6 * DAY);
    block_on(bob.sync(Duration::ZERO)).unwrap();
    assert_eq!(bundle(&world, "bob").signed_prekey().id, first.signed_prekey().id);

    // Alice writes with the first ones; bob does not see it before he rotates.
    let alice = world.person("alice");
    say(&alice, "bob", "under way");
    let mailbox = Arc::new(Hides);
    world.server.tamper(Some(mailbox.clone()));
    world.clock.advance(2 * DAY);
    block_on(bob.sync(Duration::ZERO)).unwrap();
    assert_ne!(bundle(&world, "bob").signed_prekey().id, first.signed_prekey().id);
    world.clock.advance(20 * DAY);
    block_on(bob.sync(Duration::ZERO)).unwrap();
    world.server.tamper(None);
    assert_eq!(texts(&bob), ["under way"]);

    assert!(held(&store).unwrap().signed_prekey_of(first.signed_prekey().id).is_some());
    for _ in 0..3 {
        world.clock.advance(8 * DAY);
        block_on(bob.sync(Duration::ZERO)).unwrap();
    }
    assert!(held(&store).unwrap().signed_prekey_of(first.signed_prekey().id).is_none());
}

/// A server that hands out no mail.
struct Hides;

impl Tamper for Hides {
    fn receive(
        &self,
        _: &undertone::wire::Address,
        _: Vec<undertone::transport::Delivery>,
    ) -> Vec<undertone::transport::Delivery> {
        Vec::new()
    }
}

/// A server that checks, whenever it hands out a bundle, whether the device has its private halves.
struct Checks {
    store: MemoryStore,
    seen: Mutex<BTreeSet<u32>>,
}

impl Tamper for Checks {
    fn fetch(&self, account: &str, _: &[u8], honest: Result<Vec<Vec<u8>>, Error>) -> Result<Vec<Vec<u8>>, Error> {
        if account == "bob" {
            for bytes in honest.as_ref().unwrap() {
                let bundle = PrekeyBundle::<Undertone>::from_bytes(bytes).unwrap();
                let held = held(&self.store).expect("prekeys in the store");
                assert!(held.signed_prekey_of(bundle.signed_prekey().id).is_some());
                if let Some(one_time) = bundle.one_time_prekey() {
                    assert!(
                        held.one_time_prekeys().any(|held| held.id == one_time.id && held.public == one_time.public)
                    );
                    self.seen.lock().unwrap().insert(one_time.id);
                }
            }
        }
        honest
    }
}

/// I9, M12: whatever call to the server fails, before or after its effect, and although the device is killed there: no prekey is handed out whose private half is not
/// in the store, none is handed out twice, and at last all is published.
#[test]
fn publishing_survives_a_server_that_fails() {
    for after_effect in [false, true] {
        for number in 1..=6 {
            let world = World::new();
            let store = MemoryStore::new();
            let checks = Arc::new(Checks { store: store.clone(), seen: Mutex::default() });
            world.server.tamper(Some(checks.clone()));
            let faults = || Faults { failed_call: Some(FailedCall { number, after_effect }), ..Faults::none() };
            world.server.set_faults(faults());
            for _ in 0..4 {
                // Every life of the device fails at its own call of that number, and ends.
                let bob = world.open("bob", &store);
                let _ = block_on(bob.sync(Duration::ZERO));
                drop(bob);
                world.server.set_faults(Faults::none());
                for _ in 0..12 {
                    let _ = block_on(world.server.transport().fetch("bob", &[1]));
                }
                world.server.set_faults(faults());
                world.clock.advance(8 * DAY);
            }
            world.server.set_faults(Faults::none());
            let bob = world.open("bob", &store);
            block_on(bob.sync(Duration::ZERO)).unwrap();
            let alice = world.person("alice");
            say(&alice, "bob", "hello");
            assert_eq!(texts(&bob), ["hello"]);
            let handed = world.server.handed_out_prekeys();
            let distinct: BTreeSet<_> = handed.iter().collect();
            assert_eq!(handed.len(), distinct.len());
            assert!(checks.seen.lock().unwrap().len() > 40);
        }
    }
}
