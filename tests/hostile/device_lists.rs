//! The server changes the device list of an account: T-DEV-ADD.

use crate::server::{Hostile, is_warned, live, live_on, refused, said, warnings};
use crate::world::{World, link, say, texts};
use core::time::Duration;
use futures_executor::block_on;
use getrandom::SysRng;
use undertone::client::{Client, SecurityKind};
use undertone::identity::{AccountKey, AccountKeyPair, DeviceList, NewDevice};
use undertone::rule::{Rule, without};
use undertone::store::MemoryStore;
use undertone::transport::Transport;
use undertone::{IdentityKeyPair, UndertoneIdentityKeyPair};

/// The statements of an account as an honest server has them.
fn statements(world: &World, account: &str) -> Vec<Vec<u8>> {
    block_on(world.server.transport().device_list(account, 0)).unwrap()
}

/// The statement that would add the attacker's device to `list`, signed with the attacker's key.
fn forged_addition(list: &[Vec<u8>], number: u8) -> Vec<u8> {
    let honest = DeviceList::verify("bob", list).unwrap();
    let evil = UndertoneIdentityKeyPair::generate(&mut SysRng).unwrap();
    let device = NewDevice::new(&evil, honest.account(), "bob", number, &mut SysRng).unwrap();
    let mut statement = vec![0x15, 0, 3];
    statement.extend_from_slice(b"bob");
    statement.extend_from_slice(honest.account().as_bytes());
    statement.extend_from_slice(&(honest.number() + 1).to_be_bytes());
    statement.extend_from_slice(&honest.hash());
    statement.extend_from_slice(&1_800_000_001_u64.to_be_bytes());
    statement.push(1);
    statement.extend_from_slice(&device.to_bytes());
    let other = AccountKeyPair::generate(&mut SysRng).unwrap();
    let key = UndertoneIdentityKeyPair::from_bytes(&*other.to_bytes()).unwrap();
    let signature = key
        .sign(undertone::profile::Statement::Device, &[b"Undertone_1_device_list", &statement], &mut SysRng)
        .unwrap();
    statement.extend_from_slice(&signature);
    statement
}

/// Serves `added` behind the honest statements.
fn serve_with(world: &World, added: Vec<u8>) {
    Hostile::lists(move |_, after, honest| {
        let mut statements = honest?;
        if after <= 1 {
            statements.push(added.clone());
        }
        Ok(statements)
    })
    .over(&world.server);
}

/// What becomes of it when the server adds a device to bob's list before alice looks at it: whether she sends at all, and to which devices.
fn addition(change: impl FnOnce(Vec<u8>) -> Vec<u8>) -> (World, Client, Result<usize, &'static str>) {
    let world = World::new();
    let (alice, _bob) = (world.person("alice"), world.person("bob"));
    let added = change(forged_addition(&statements(&world, "bob"), 2));
    serve_with(&world, added);
    let sent = block_on(alice.send("bob", "secret")).map(|sent| sent.devices).map_err(|error| error.code());
    (world, alice, sent)
}

/// SE-11, B46, B47: a device that the server adds without any signature is given nothing, and the application is told.
#[test]
fn an_unsigned_device_is_refused() {
    let unsigned = |mut statement: Vec<u8>| {
        let signature = statement.len() - 64;
        statement[signature..].fill(0);
        statement
    };
    let (world, alice, sent) = addition(unsigned);
    assert_eq!(sent, Err("devices.signature"));
    assert!(is_warned(&live(&alice), SecurityKind::DeviceListRefused));
    assert!(world.server.accepted_envelopes().is_empty(), "nothing left the device");

    // Without the rule the device is believed.
    let (_, alice, _) = without(Rule::Se11, || addition(unsigned));
    assert_eq!(block_on(alice.contact("bob")).unwrap().devices, [1, 2]);
}

/// SE-11, B46, B47: a device that is signed into the list by another key than the account's is given nothing.
#[test]
fn a_device_signed_by_another_key_is_refused() {
    let (world, alice, sent) = addition(|statement| statement);
    assert_eq!(sent, Err("devices.signature"));
    assert!(is_warned(&live(&alice), SecurityKind::DeviceListRefused));
    assert!(world.server.accepted_envelopes().is_empty());

    let (_, alice, _) = without(Rule::Se11, || addition(|statement| statement));
    assert_eq!(block_on(alice.contact("bob")).unwrap().devices, [1, 2]);
}

/// SE-11, B47: statements that bob signed do not make a list if the server leaves one out, or puts them in another order.
#[test]
fn a_badly_chained_list_is_refused() {
    let world = World::new();
    let (alice, bob) = (world.person("alice"), world.person("bob"));
    let _tablet = link(&world, &bob, &MemoryStore::new());
    block_on(bob.unlink(2)).unwrap();
    assert_eq!(statements(&world, "bob").len(), 3);
    for order in [vec![0, 2], vec![1, 0, 2], vec![1, 2], vec![0, 2, 1]] {
        Hostile::lists(move |_, _, honest| honest.map(|all| order.iter().map(|&at| all[at].clone()).collect()))
            .over(&world.server);
        assert_eq!(refused(&alice, "bob", "secret"), "devices.chain");
        assert!(is_warned(&live(&alice), SecurityKind::DeviceListRefused));
    }
    // Control: in their own order the same statements are believed.
    world.server.tamper(None);
    say(&alice, "bob", "now");
    assert_eq!(texts(&bob), ["now"]);
}

/// SE-11, B47: what the server adds later, to a list that is known, is refused as well; the known devices go on.
#[test]
fn a_device_added_later_is_refused() {
    let world = World::new();
    let (alice, bob) = (world.person("alice"), world.person("bob"));
    say(&alice, "bob", "one");
    assert_eq!(texts(&bob), ["one"]);
    serve_with(&world, forged_addition(&statements(&world, "bob"), 2));
    world.clock.advance(Duration::from_secs(2 * 86_400));
    say(&alice, "bob", "two");
    assert!(is_warned(&live(&alice), SecurityKind::DeviceListRefused));
    assert_eq!(block_on(alice.contact("bob")).unwrap().devices, [1]);
    assert_eq!(said(&live_on(&world, &[&bob], 2, 1)[0]), ["two"]);

    // Without the rule the device is believed, once the list is a day old again.
    without(Rule::Se11, || {
        world.clock.advance(Duration::from_secs(2 * 86_400));
        block_on(alice.send("bob", "three")).unwrap();
        assert_eq!(block_on(alice.contact("bob")).unwrap().devices, [1, 2]);
    });
}

/// SE-11, B46, B47: the server cannot add a device to the account of the client itself either: it would be given a copy of all that is sent.
#[test]
fn a_device_added_to_the_own_account_is_refused() {
    let world = World::new();
    let (alice, bob) = (world.person("alice"), world.person("bob"));
    say(&alice, "bob", "one");
    let added = forged_addition(&statements(&world, "bob"), 2);
    serve_with(&world, added);
    // The server makes bob look: it says that his own list has grown.
    Hostile {
        takes: Some(Box::new(|envelope| {
            (envelope.to.name() == "bob").then_some(undertone::transport::Verdict::DevicesChanged)
        })),
        ..Hostile::default()
    }
    .over(&world.server);
    let _ = block_on(bob.send("bob", "a note"));
    let events = live(&bob);
    assert!(warnings(&events).iter().all(|(kind, _)| *kind == SecurityKind::DeviceListRefused));
    assert_eq!(block_on(bob.devices()).unwrap().all, [1]);
    // Control: a device that is signed in is on the list.
    world.server.tamper(None);
    let _tablet = link(&world, &bob, &MemoryStore::new());
    assert_eq!(block_on(bob.devices()).unwrap().all, [1, 2]);
}

/// SE-11, B47, I2: a server that shows an old list after a newer one was seen changes nothing; what it withholds is found out by what bob himself says.
#[test]
fn a_withheld_device_list_is_noticed() {
    let world = World::new();
    let (alice, bob) = (world.person("alice"), world.person("bob"));
    say(&alice, "bob", "one");
    say(&bob, "alice", "one");
    assert_eq!((texts(&bob), texts(&alice)), (vec!["one".to_owned()], vec!["one".to_owned()]));
    let old = statements(&world, "bob");
    let tablet = link(&world, &bob, &MemoryStore::new());

    let shown = old.clone();
    let mut hostile = Hostile::lists(move |_, after, _| Ok(shown.iter().skip(after as usize).cloned().collect()));
    hostile.takes = None;
    hostile.over(&world.server);
    say(&bob, "alice", "two");
    let events = live(&alice);
    assert_eq!(said(&events), ["two"], "the message itself is good");
    assert!(is_warned(&events, SecurityKind::DeviceListWithheld));

    // Control: with the list in view there is nothing to warn of, and the tablet is written to.
    world.server.tamper(None);
    say(&bob, "alice", "three");
    let events = live(&alice);
    assert_eq!(said(&events), ["three"]);
    assert!(!is_warned(&events, SecurityKind::DeviceListWithheld));
    say(&alice, "bob", "four");
    let events = live_on(&world, &[&tablet, &bob, &alice], 3, 30);
    assert_eq!(said(&events[0]).last().unwrap(), "four");
}

/// SE-11, B47: a list that went on cannot be shortened: a device that was removed stays removed.
#[test]
fn an_old_device_list_brings_no_removed_device_back() {
    let world = World::new();
    let (alice, bob) = (world.person("alice"), world.person("bob"));
    let tablet = link(&world, &bob, &MemoryStore::new());
    say(&alice, "bob", "to both");
    let old = statements(&world, "bob");
    block_on(bob.unlink(2)).unwrap();
    say(&alice, "bob", "to one");
    live_on(&world, &[&alice, &bob], 2, 30);
    assert_eq!(block_on(alice.contact("bob")).unwrap().devices, [1]);

    Hostile::lists(move |_, _, _| Ok(old.clone())).over(&world.server);
    world.clock.advance(Duration::from_secs(2 * 86_400));
    let before = world.server.accepted_envelopes().len();
    say(&alice, "bob", "still to one");
    let envelopes = world.server.accepted_envelopes();
    assert!(envelopes[before..].iter().all(|(to, _)| to.device() == 1));
    // Control: while the tablet was on the list, envelopes went to it.
    assert!(envelopes[..before].iter().any(|(to, _)| to.device() == 2));
    drop(tablet);
}

/// SE-11, B47: two histories of one list, both signed by the account: the second one that is seen is refused, and both sides of the fork are told when they talk.
#[test]
fn a_forked_device_list_is_noticed() {
    let world = World::new();
    let bobs_store = MemoryStore::new();
    let (alice, bob) = (world.person("alice"), world.open("bob", &bobs_store));
    say(&alice, "bob", "one");
    assert_eq!(texts(&bob), ["one"]);

    // Bob's account key signs twice under one number: only a thief of it, or a copy of his store, can.
    let copy = crate::stores::copy(&bobs_store);
    let _tablet = link(&world, &bob, &MemoryStore::new());
    let one = statements(&world, "bob");
    let apart = World { server: undertone::transport::MemoryServer::new(), clock: world.clock.clone() };
    let other_bob = block_on(async {
        let sealed =
            undertone::store::SealedStore::open(copy, undertone::store::StoreSecret::key([7; 32])).await.unwrap();
        Client::builder(sealed, apart.server.transport()).clock(apart.clock.clone()).open("bob").await.unwrap()
    });
    block_on(other_bob.sync(Duration::ZERO)).ok();
    apart.clock.advance(Duration::from_secs(60));
    let _other_tablet = link(&apart, &other_bob, &MemoryStore::new());
    let other = statements(&apart, "bob");
    assert_ne!(one[1], other[1]);

    world.clock.advance(Duration::from_secs(2 * 86_400));
    say(&alice, "bob", "two");
    assert_eq!(block_on(alice.contact("bob")).unwrap().devices, [1, 2]);
    live(&alice);
    let fork = other.clone();
    Hostile::lists(move |_, _, _| Ok(fork.clone())).over(&world.server);
    world.clock.advance(Duration::from_secs(2 * 86_400));
    block_on(alice.send("bob", "three")).unwrap();
    let events = live(&alice);
    assert!(warnings(&events).contains(&(SecurityKind::DeviceListRefused, "devices.forked".to_owned())));

    // Control: the history that she knows is no fork.
    world.server.tamper(None);
    world.clock.advance(Duration::from_secs(2 * 86_400));
    say(&alice, "bob", "four");
    assert!(!is_warned(&live(&alice), SecurityKind::DeviceListRefused));
}

/// SE-11, B50: an account key cannot be passed off as a device, nor one device's key as another's.
#[test]
fn a_key_of_another_kind_is_no_device() {
    let account = AccountKeyPair::generate(&mut SysRng).unwrap();
    let as_device = UndertoneIdentityKeyPair::from_bytes(&*account.to_bytes()).unwrap();
    let first = UndertoneIdentityKeyPair::generate(&mut SysRng).unwrap();
    let new = |key: &UndertoneIdentityKeyPair, number| {
        NewDevice::new(key, account.public(), "mallory", number, &mut SysRng).unwrap()
    };
    let mut list = DeviceList::create(&account, "mallory", new(&first, 1), 1).unwrap();
    assert_eq!(list.add(&account, new(&as_device, 2), 2).unwrap_err().code(), "devices.field");
    assert_eq!(list.add(&account, new(&first, 2), 2).unwrap_err().code(), "devices.field");
    // Control: a key of its own is taken.
    let own = UndertoneIdentityKeyPair::generate(&mut SysRng).unwrap();
    list.add(&account, new(&own, 2), 2).unwrap();
    assert_eq!(AccountKey::admit(account.public().as_bytes()).unwrap(), *account.public());
}
