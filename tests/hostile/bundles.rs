//! The server changes the prekey bundles that it hands out, or keeps them back.

use crate::server::{Hostile, is_warned, live, live_on, refused, said, warnings};
use crate::world::{World, link, say, texts};
use core::time::Duration;
use futures_executor::block_on;
use std::sync::{Arc, Mutex};
use undertone::client::SecurityKind;
use undertone::handshake::{HandshakePolicy, PublishedPrekey};
use undertone::profile::IdentityKey;
use undertone::rule::{Rule, without};
use undertone::store::MemoryStore;
use undertone::transport::Transport;
use undertone::{PrekeyBundle, Undertone};

type Bundle = PrekeyBundle<Undertone>;

/// A bundle as the server hands it out.
pub fn fetched(world: &World, account: &str, device: u8) -> Bundle {
    let bundles = block_on(world.server.transport().fetch(account, &[device])).unwrap();
    Bundle::from_bytes(&bundles[0]).unwrap()
}

/// `bundle` with some of its parts exchanged.
fn parts(address: &Bundle, keys: &Bundle, kem: Option<PublishedPrekey>, one_time: Option<PublishedPrekey>) -> Bundle {
    let identity = address.identity.to_bytes();
    let signed = keys.signed_prekey().clone();
    Bundle::from_parts(address.address.clone(), keys.registration_id, &identity, signed, kem, one_time).unwrap()
}

/// Answers every question for bundles with this one.
fn serve(world: &World, bundle: &Bundle) {
    let bytes = bundle.to_bytes();
    Hostile::bundles(move |_, _, _| Ok(vec![bytes.clone()])).over(&world.server);
}

/// SE-8, SE-11, B16: a bundle with an identity that is not on the recipient's device list begins no session.
#[test]
fn a_bundle_of_another_identity_is_refused() {
    let world = World::new();
    let (alice, bob, _mallory) = (world.person("alice"), world.person("bob"), world.person("mallory"));
    let (bobs, mallorys) = (fetched(&world, "bob", 1), fetched(&world, "mallory", 1));
    let mut swapped = parts(&mallorys, &mallorys, mallorys.kem_prekey().cloned(), mallorys.one_time_prekey().cloned());
    swapped.address = bobs.address.clone();
    serve(&world, &swapped);
    assert_eq!(refused(&alice, "bob", "secret"), "session.untrusted_identity");
    assert!(is_warned(&live(&alice), SecurityKind::BundleRefused));
    assert!(world.server.accepted_envelopes().is_empty());
    // Control: bob's own bundle begins one.
    serve(&world, &bobs);
    say(&alice, "bob", "hello");
    assert_eq!(texts(&bob), ["hello"]);
}

/// B16: a bundle of the same account's other device, under the number of the first, begins no session; nor do bob's identity and another's prekeys.
#[test]
fn a_bundle_of_another_device_is_refused() {
    let world = World::new();
    let (alice, bob) = (world.person("alice"), world.person("bob"));
    let tablet = link(&world, &bob, &MemoryStore::new());
    let (first, second) = (fetched(&world, "bob", 1), fetched(&world, "bob", 2));
    let mut relabelled = Bundle::from_bytes(&second.to_bytes()).unwrap();
    relabelled.address = first.address.clone();
    let answer = relabelled.to_bytes();
    Hostile::bundles(move |_, _, _| Ok(vec![answer.clone(), answer.clone()])).over(&world.server);
    assert_eq!(refused(&alice, "bob", "secret"), "session.untrusted_identity");
    assert!(is_warned(&live(&alice), SecurityKind::BundleRefused));

    let mixed = parts(&first, &second, second.kem_prekey().cloned(), second.one_time_prekey().cloned()).to_bytes();
    Hostile::bundles(move |_, _, _| Ok(vec![mixed.clone()])).over(&world.server);
    assert_eq!(refused(&alice, "bob", "secret"), "signature.invalid");
    assert!(world.server.accepted_envelopes().is_empty());

    // Without the signatures the mixed bundle would begin a session.
    without(Rule::Pq13, || say(&alice, "bob", "secret"));
    assert!(!world.server.accepted_envelopes().is_empty());
    drop(tablet);
}

/// PQ-20, I4, B9: a bundle that was handed out before, one-time prekeys and all: the second first message finds them used up, is reported, and comes through in a
/// session that bob begins.
#[test]
fn an_old_bundle_handed_out_again_is_mended() {
    let world = World::new();
    let (alice, bob, carol) = (world.person("alice"), world.person("bob"), world.person("carol"));
    let bundle = fetched(&world, "bob", 1);
    serve(&world, &bundle);
    say(&alice, "bob", "from alice");
    assert_eq!(texts(&bob), ["from alice"]);
    say(&carol, "bob", "from carol");
    let first = live(&bob);
    assert!(said(&first).is_empty(), "a one-time prekey begins one session");
    world.server.tamper(None);
    let events = live_on(&world, &[&bob, &carol, &bob], 4, 30);
    assert_eq!([said(&events[0]), said(&events[2])].concat(), ["from carol"]);
    // Control: a bundle of her own brings dave's message at once.
    let dave = world.person("dave");
    say(&dave, "bob", "from dave");
    assert_eq!(texts(&bob), ["from dave"]);
}

/// PQ-11: a bundle from long ago is refused.
#[test]
fn an_expired_bundle_is_refused() {
    let world = World::new();
    let (alice, bob) = (world.person("alice"), world.person("bob"));
    let bundle = fetched(&world, "bob", 1);
    // Control: while it is fresh it begins a session.
    let carol = world.person("carol");
    serve(&world, &bundle);
    say(&carol, "bob", "early");
    assert_eq!(texts(&bob), ["early"]);
    world.clock.advance(Duration::from_secs(40 * 86_400));
    assert_eq!(refused(&alice, "bob", "late"), "prekey.expired");
    assert!(is_warned(&live(&alice), SecurityKind::BundleRefused));
}

/// X3-12, PQ-12, B12: a bundle without its KEM prekey is a downgrade, and nothing is sent under it.
#[test]
fn a_bundle_without_its_kem_prekey_is_refused() {
    let world = World::new();
    let (alice, bob) = (world.person("alice"), world.person("bob"));
    let stripped = fetched(&world, "bob", 1).without_kem_prekey();
    serve(&world, &stripped);
    assert_eq!(refused(&alice, "bob", "secret"), "handshake.no_kem");
    let events = live(&alice);
    assert!(warnings(&events).contains(&(SecurityKind::Downgrade, "handshake.no_kem".to_owned())));
    assert!(world.server.accepted_envelopes().is_empty());

    // Control: to one who allows it, the stripped bundle would do, and is reported as weak.
    let policy = HandshakePolicy::allow_x3dh_without_post_quantum();
    let carol = block_on(world.builder(&MemoryStore::new()).handshake(policy).open("carol")).unwrap();
    say(&carol, "bob", "secret");
    assert_eq!(world.server.accepted_envelopes().len(), 1);
    assert!(is_warned(&live(&carol), SecurityKind::WeakHandshake));
    assert!(is_warned(&live(&bob), SecurityKind::Downgrade), "and bob, who does not allow it, refuses");
}

/// B4, B14: a server that keeps the one-time prekeys back gets a weaker handshake, and both sides are told.
#[test]
fn withheld_one_time_prekeys_are_reported() {
    let world = World::new();
    let (alice, bob, carol) = (world.person("alice"), world.person("bob"), world.person("carol"));
    // The server hands its stock to someone else, as it may do by itself: it is honest to nobody.
    while fetched(&world, "bob", 1).one_time_prekey().is_some() {}
    say(&alice, "bob", "weakly");
    assert!(is_warned(&live(&alice), SecurityKind::WeakHandshake));
    let events = live(&bob);
    assert_eq!(said(&events), ["weakly"]);
    assert!(is_warned(&events, SecurityKind::WeakHandshake));
    // Control: bob has published more, and now there is nothing to report.
    live(&bob);
    say(&carol, "bob", "strongly");
    assert!(!is_warned(&live(&carol), SecurityKind::WeakHandshake));
    assert_eq!(texts(&bob), ["strongly"]);
}

/// B14, I12: a server that hands out no bundle delays the message, and the caller knows; once it is honest again the message arrives once.
#[test]
fn withheld_bundles_delay_the_message() {
    let world = World::new();
    let (alice, bob) = (world.person("alice"), world.person("bob"));
    Hostile::bundles(|_, _, _| Ok(Vec::new())).over(&world.server);
    assert_eq!(refused(&alice, "bob", "to nobody"), "contact.no_devices");
    Hostile::bundles(|_, _, _| Err(undertone::transport::TransportFault::Unreachable.into())).over(&world.server);
    let sent = block_on(alice.send("bob", "later")).unwrap();
    assert_eq!((sent.devices, sent.later), (0, 1));
    let events = live_on(&world, &[&alice, &bob], 3, 60);
    assert!(said(&events[1]).is_empty());
    // Control: nothing was lost by it.
    world.server.tamper(None);
    let events = live_on(&world, &[&alice, &bob], 6, 120);
    assert_eq!(said(&events[1]), ["later"]);
}

/// B16: more bundles than were asked for, of devices nobody asked about, are passed over.
#[test]
fn bundles_that_nobody_asked_for_are_passed_over() {
    let world = World::new();
    let (alice, bob, _carol) = (world.person("alice"), world.person("bob"), world.person("carol"));
    let (bobs, carols) = (fetched(&world, "bob", 1).to_bytes(), fetched(&world, "carol", 1).to_bytes());
    let asked = Arc::new(Mutex::new(0_u32));
    let count = Arc::clone(&asked);
    let only_carols = carols.clone();
    Hostile::bundles(move |_, _, _| {
        *count.lock().unwrap() += 1;
        Ok(vec![only_carols.clone(); 50])
    })
    .over(&world.server);
    assert_eq!(refused(&alice, "bob", "secret"), "bundle.address");
    assert!(*asked.lock().unwrap() < 5, "it is not asked for ever");
    // Control: the one that was asked for, first among the others, is taken.
    Hostile::bundles(move |_, _, _| Ok(vec![bobs.clone(), carols.clone()])).over(&world.server);
    say(&alice, "bob", "hello");
    assert_eq!(texts(&bob), ["hello"]);
}
