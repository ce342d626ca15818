//! The server shows another account key under a contact's name.

use crate::server::{is_warned, live, live_on, said};
use crate::world::{World, say, texts};
use core::time::Duration;
use futures_executor::block_on;
use futures_util::FutureExt;
use undertone::Undertone;
use undertone::client::{Client, EventKind, SecurityKind};
use undertone::identity::{Fingerprint, TrustPolicy, Verification};
use undertone::rule::{Rule, without};
use undertone::store::{MemoryStore, SealedStore, StoreSecret};
use undertone::transport::{MemoryServer, MemoryTransport, Transport};

/// Alice knows bob; then the server replaces everything of his by an account of its own making.
struct Swapped {
    world: World,
    alice: Client,
    false_bob: Client,
    /// The honest safety number.
    number: Fingerprint<Undertone>,
}

/// Moves `client`'s world to another server of the same clock, and back: what the attacker makes there is shown here.
fn swapped(policy: TrustPolicy, verified: bool) -> Swapped {
    let world = World::new();
    let alice = block_on(world.builder(&MemoryStore::new()).trust(policy).open("alice")).unwrap();
    let bob = world.person("bob");
    say(&alice, "bob", "one");
    assert_eq!(texts(&bob), ["one"]);
    let number = block_on(alice.safety_number("bob")).unwrap();
    if verified {
        block_on(alice.mark_verified("bob", &number)).unwrap();
    }
    let apart = World { server: MemoryServer::new(), clock: world.clock.clone() };
    let false_bob = apart.person("bob");
    let (lists, bundles): (MemoryTransport, MemoryTransport) = (apart.server.transport(), apart.server.transport());
    let mut hostile = crate::server::Hostile::lists(move |account, _, honest| match account {
        // All of it, for a list that is asked for from its end on shows nothing new.
        "bob" => at_once(lists.device_list("bob", 0)),
        _ => honest,
    });
    hostile.bundles = Some(Box::new(move |account, devices, honest| match account {
        "bob" => at_once(bundles.fetch("bob", devices)),
        _ => honest,
    }));
    hostile.over(&world.server);
    world.clock.advance(Duration::from_secs(2 * 86_400));
    Swapped { world, alice, false_bob, number }
}

/// What is there without waiting: the server in memory never lets these wait, and within its hooks nothing may.
fn at_once<T>(answer: impl Future<Output = T>) -> T {
    answer.now_or_never().expect("it waits for nothing")
}

fn is_told(events: &[EventKind], is_blocked: bool) -> bool {
    events.iter().any(|event| matches!(event, EventKind::IdentityChanged { blocked, .. } if *blocked == is_blocked))
}

/// SE-8, B52: by default nothing is sent under a changed account key until the user accepts it.
#[test]
fn a_changed_account_key_blocks() {
    let Swapped { world, alice, .. } = swapped(TrustPolicy::Block, false);
    let before = world.server.accepted_envelopes().len();
    let error = block_on(alice.send("bob", "two")).unwrap_err();
    assert_eq!(error.code(), "contact.identity_changed");
    assert!(is_told(&live(&alice), true));
    assert_eq!(world.server.accepted_envelopes().len(), before);
    let contact = block_on(alice.contact("bob")).unwrap();
    let changed = contact.changed.unwrap();
    assert_ne!(changed, contact.did);
    // Control: what the user accepts is sent.
    block_on(alice.accept_identity("bob", &changed)).unwrap();
    block_on(alice.send("bob", "two")).unwrap();
    assert!(world.server.accepted_envelopes().len() > before);
    assert_eq!(block_on(alice.contact("bob")).unwrap().verification, Verification::Unverified);
}

/// SE-8, B52: a key that is put there between the user's look at the safety number and the word "they match" is neither marked nor accepted.
#[test]
fn a_key_swapped_while_the_users_compare_is_not_verified() {
    let Swapped { alice, false_bob, number, .. } = swapped(TrustPolicy::Block, false);
    assert!(block_on(alice.send("bob", "two")).is_err());
    let compared = alice.mark_verified("bob", &number);
    assert_eq!(block_on(compared).unwrap_err().code(), "contact.identity_changed");
    let honest = block_on(alice.contact("bob")).unwrap().did;
    let accepted = alice.accept_identity("bob", &honest);
    assert_eq!(block_on(accepted).unwrap_err().code(), "contact.identity_changed");
    assert!(!block_on(alice.verify_scan("bob", &number.to_scan())).unwrap());
    let contact = block_on(alice.contact("bob")).unwrap();
    assert_eq!((contact.did, contact.verification), (honest, Verification::Unverified));
    // Control: the number that is shown now is that of the other key.
    let shown = block_on(alice.safety_number("bob")).unwrap();
    block_on(alice.mark_verified("bob", &shown)).unwrap();
    assert_eq!(block_on(alice.contact("bob")).unwrap().did, false_bob.did());
}

/// SE-8: by the policies that let it pass, the message goes out, and the application is told.
#[test]
fn a_changed_account_key_is_told_where_it_does_not_block() {
    for policy in [TrustPolicy::Warn, TrustPolicy::Allow] {
        let Swapped { world, alice, .. } = swapped(policy, false);
        let before = world.server.accepted_envelopes().len();
        block_on(alice.send("bob", "two")).unwrap();
        assert!(world.server.accepted_envelopes().len() > before);
        // Control: `a_changed_account_key_blocks` shows the other policy.
        assert!(is_told(&live(&alice), false));
    }
}

/// SE-8, B52: whatever the policy, a verified contact blocks, and is no longer shown as verified.
#[test]
fn a_verified_contact_always_blocks() {
    for policy in [TrustPolicy::Block, TrustPolicy::Warn, TrustPolicy::Allow] {
        let Swapped { alice, .. } = swapped(policy, true);
        assert_eq!(block_on(alice.send("bob", "two")).unwrap_err().code(), "contact.identity_changed", "{policy:?}");
        assert!(is_told(&live(&alice), true));
        assert_eq!(block_on(alice.contact("bob")).unwrap().verification, Verification::Violated);
        assert_eq!(block_on(alice.send("bob", "two")).unwrap_err().code(), "contact.identity_changed");
    }
    // Without the rule the mark would stay, and the message go out.
    without(Rule::Se8, || {
        let Swapped { alice, .. } = swapped(TrustPolicy::Allow, true);
        block_on(alice.send("bob", "two")).unwrap();
    });
}

/// SN-4, B52: the safety number of the changed key is another one: whoever compares it finds out.
#[test]
fn a_false_contact_has_another_safety_number() {
    let Swapped { world, alice, false_bob, .. } = swapped(TrustPolicy::Warn, false);
    let before = block_on(alice.safety_number("bob")).unwrap().to_string();
    block_on(alice.send("bob", "two")).unwrap();
    let after = block_on(alice.safety_number("bob")).unwrap().to_string();
    assert_ne!(before, after);
    // Control: without a man in the middle both sides see the same number.
    let (carol, dave) = (world.person("carol"), world.person("dave"));
    say(&carol, "dave", "hello");
    live(&dave);
    say(&dave, "carol", "hi");
    let numbers = [(&carol, "dave"), (&dave, "carol")].map(|(one, other)| block_on(one.safety_number(other)).unwrap());
    assert_eq!(numbers[0].to_string(), numbers[1].to_string());
    drop(false_bob);
}

/// SE-8, I2: what bob writes under a key that alice has not accepted stays with the server until she decides, and then is told once.
#[test]
fn messages_under_a_changed_key_wait_for_the_user() {
    let world = World::new();
    let (alice, bob) = (world.person("alice"), world.person("bob"));
    say(&alice, "bob", "one");
    assert_eq!(texts(&bob), ["one"]);
    // Bob lost everything and begins again under his name: the server forgot the old account, as only a server can.
    let apart = World { server: MemoryServer::new(), clock: world.clock.clone() };
    let sealed = block_on(SealedStore::open(MemoryStore::new(), StoreSecret::key([7; 32]))).unwrap();
    let new_bob =
        block_on(Client::builder(sealed, apart.server.transport()).clock(apart.clock.clone()).open("bob")).unwrap();
    let stand_in = apart.person("alice");
    drop(stand_in);
    let (lists, bundles) = (apart.server.transport(), apart.server.transport());
    let mut hostile = crate::server::Hostile::lists(move |account, _, honest| match account {
        "bob" => at_once(lists.device_list("bob", 0)),
        _ => honest,
    });
    hostile.bundles = Some(Box::new(move |_, devices, _| at_once(bundles.fetch("bob", devices))));
    // New bob sees the true alice.
    let (true_lists, true_bundles) = (world.server.transport(), world.server.transport());
    let mut relay = crate::server::Hostile::lists(move |account, after, honest| match account {
        "alice" => at_once(true_lists.device_list("alice", after)),
        _ => honest,
    });
    relay.bundles = Some(Box::new(move |account, devices, honest| match account {
        "alice" => at_once(true_bundles.fetch("alice", devices)),
        _ => honest,
    }));
    relay.over(&apart.server);
    say(&new_bob, "alice", "it is me");
    hostile.over(&world.server);
    for (to, bytes) in apart.server.accepted_envelopes() {
        crate::puppet::put(&world, &to, bytes);
    }
    let events = live_on(&world, &[&alice], 3, 30).remove(0);
    assert!(said(&events).is_empty());
    assert!(is_told(&events, true));
    assert!(!is_warned(&events, SecurityKind::FailureBurst));
    // Control: accepted, it is read.
    let changed = block_on(alice.contact("bob")).unwrap().changed.unwrap();
    block_on(alice.accept_identity("bob", &changed)).unwrap();
    assert_eq!(said(&live_on(&world, &[&alice], 3, 30)[0]), ["it is me"]);
}
