//! A contact's account key changes: what is sent, what is held, and what the user decides.

use super::world::*;
use core::time::Duration;
use futures_executor::block_on;
use futures_util::FutureExt;
use std::sync::Arc;
use undertone::Error;
use undertone::client::{Client, EventKind};
use undertone::identity::{TrustPolicy, Verification};
use undertone::store::MemoryStore;
use undertone::transport::{MemoryServer, Outbound, Tamper, Transport, Verdict};

/// What one server does for accounts that are at home on another one.
struct Elsewhere {
    accounts: Vec<&'static str>,
    other: MemoryServer,
}

impl Tamper for Elsewhere {
    fn device_list(
        &self,
        account: &str,
        after: u64,
        honest: Result<Vec<Vec<u8>>, Error>,
    ) -> Result<Vec<Vec<u8>>, Error> {
        if !self.accounts.contains(&account) {
            return honest;
        }
        self.other.transport().device_list(account, after).now_or_never().unwrap()
    }

    fn fetch(&self, account: &str, devices: &[u8], honest: Result<Vec<Vec<u8>>, Error>) -> Result<Vec<Vec<u8>>, Error> {
        if !self.accounts.contains(&account) {
            return honest;
        }
        self.other.transport().fetch(account, devices).now_or_never().unwrap()
    }

    fn send(&self, envelope: &Outbound) -> Option<Verdict> {
        if !self.accounts.contains(&envelope.to.name()) {
            return None;
        }
        let sent = self.other.transport().send(std::slice::from_ref(envelope)).now_or_never().unwrap();
        sent.ok().map(|verdicts| verdicts[0])
    }
}

/// Bob, who knows alice and perhaps compared her key; and alice's new account, made after she lost all her devices.
struct Changed {
    world: World,
    bob: Client,
    alice: Client,
    /// Where alice's new account is at home.
    _elsewhere: World,
}

impl Changed {
    fn new(policy: TrustPolicy, verified: bool) -> Self {
        let world = World::new();
        let bob = block_on(world.builder(&MemoryStore::new()).trust(policy).open("bob")).unwrap();
        let before = world.person("alice");
        say(&bob, "alice", "one");
        say(&before, "bob", "two");
        assert_eq!((texts(&before), texts(&bob)), (vec!["one".to_owned()], vec!["two".to_owned()]));
        if verified {
            let theirs = block_on(before.safety_number("bob")).unwrap();
            assert!(block_on(bob.verify_scan("alice", &theirs.to_scan())).unwrap());
        }
        let elsewhere = World { server: MemoryServer::new(), clock: world.clock.clone() };
        let alice = elsewhere.person("alice");
        elsewhere.server.tamper(Some(Arc::new(Elsewhere { accounts: vec!["bob"], other: world.server.clone() })));
        world.server.tamper(Some(Arc::new(Elsewhere { accounts: vec!["alice"], other: elsewhere.server.clone() })));
        world.clock.advance(Duration::from_secs(2 * 86_400));
        Self { world, bob, alice, _elsewhere: elsewhere }
    }

    fn verification(&self) -> Verification {
        block_on(self.bob.contact("alice")).unwrap().verification
    }

    fn is_changing(&self) -> bool {
        block_on(self.bob.contact("alice")).unwrap().changed.is_some()
    }

    /// The user accepts the key that is shown.
    fn accept(&self) {
        let contact = block_on(self.bob.contact("alice")).unwrap();
        block_on(self.bob.accept_identity("alice", &contact.changed.unwrap_or(contact.did))).unwrap();
    }

    fn try_to_send(&self, text: &str) -> Option<&'static str> {
        block_on(self.bob.send("alice", text)).err().map(|error| error.code())
    }
}

fn identity_changes(events: &[EventKind]) -> Vec<bool> {
    let blocked = |event: &EventKind| match event {
        EventKind::IdentityChanged { account, blocked, .. } if account == "alice" => Some(*blocked),
        _ => None,
    };
    events.iter().filter_map(blocked).collect()
}

fn spoken(events: &[EventKind]) -> usize {
    events.iter().filter(|event| matches!(event, EventKind::Message(_))).count()
}

/// SE-8, B46: nothing is sent to a changed key, and what it writes is not shown, until the user accepts it; then everything goes on and nothing was lost.
#[test]
fn a_changed_key_blocks_until_it_is_accepted() {
    let changed = Changed::new(TrustPolicy::Block, false);
    assert_eq!(changed.try_to_send("to the wrong one?"), Some("contact.identity_changed"));
    say(&changed.alice, "bob", "it is me");
    let told = events(&changed.bob);
    assert_eq!((identity_changes(&told), spoken(&told)), (vec![true], 0));
    assert!(changed.is_changing());
    // It is told once, and remains so.
    let told = events(&changed.bob);
    assert_eq!((identity_changes(&told), spoken(&told)), (vec![], 0));
    assert_eq!(changed.try_to_send("still not"), Some("contact.identity_changed"));

    changed.accept();
    assert!(!changed.is_changing());
    assert_eq!(changed.verification(), Verification::Unverified);
    assert_eq!(texts(&changed.bob), ["it is me"], "what was held is not lost");
    say(&changed.bob, "alice", "welcome back");
    assert_eq!(texts(&changed.alice), ["welcome back"]);
}

/// SE-8: what others write is read while one contact waits for a decision, however much that contact writes.
#[test]
fn a_contact_that_waits_holds_up_nobody_else() {
    let changed = Changed::new(TrustPolicy::Block, false);
    let carol = changed.world.person("carol");
    for number in 0..150 {
        say(&changed.alice, "bob", &format!("held {number}"));
    }
    say(&carol, "bob", "can you hear me?");
    let mut told = Vec::new();
    for _ in 0..3 {
        told.extend(events(&changed.bob));
    }
    assert_eq!((identity_changes(&told), spoken(&told)), (vec![true], 1));
    // It waits no longer than it must, and survives a restart: the device is told again what it has not dealt with.
    changed.accept();
    let mut told = Vec::new();
    for _ in 0..12 {
        told.extend(texts(&changed.bob));
        told.extend(texts(&changed.alice).into_iter().map(|text| format!("alice: {text}")));
        changed.world.clock.advance(Duration::from_secs(61));
    }
    let mut numbers: Vec<u32> = told.iter().map(|text| text.strip_prefix("held ").unwrap().parse().unwrap()).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (0..150).collect::<Vec<_>>());
}

/// SE-8: with the policies that accept a change by themselves, sending goes on, and the user is told.
#[test]
fn a_changed_key_is_told_of_and_accepted_by_policy() {
    for policy in [TrustPolicy::Warn, TrustPolicy::Allow] {
        let changed = Changed::new(policy, false);
        say(&changed.bob, "alice", "who is it?");
        assert_eq!(texts(&changed.alice), ["who is it?"]);
        say(&changed.alice, "bob", "me");
        let told = events(&changed.bob);
        assert_eq!((identity_changes(&told), spoken(&told)), (vec![false], 1));
        assert!(!changed.is_changing());
    }
}

/// T-VERIFY-STATE, B52, SE-8: a verified contact's change blocks whatever the policy is, and the mark does not come back by itself.
#[test]
fn a_verified_contact_always_blocks() {
    for policy in [TrustPolicy::Block, TrustPolicy::Warn, TrustPolicy::Allow] {
        let changed = Changed::new(policy, true);
        assert_eq!(changed.verification(), Verification::Verified);
        assert_eq!(changed.try_to_send("to the wrong one?"), Some("contact.identity_changed"));
        assert_eq!(changed.verification(), Verification::Violated);
        assert_eq!(identity_changes(&events(&changed.bob)), [true]);

        // Neither the old key's return nor time heals the mark: only the user does.
        changed.world.server.tamper(None);
        changed.world.clock.advance(Duration::from_secs(2 * 86_400));
        assert_eq!(changed.try_to_send("and now?"), Some("contact.identity_changed"));
        assert_eq!(changed.verification(), Verification::Violated);
        changed.accept();
        assert_eq!(changed.verification(), Verification::Unverified);
        assert_eq!(changed.try_to_send("accepted"), None);
    }
}

/// T-VERIFY-STATE: comparing the new safety number accepts and verifies the new key at once; the old number does not match any more.
#[test]
fn comparing_the_new_number_accepts_it() {
    let changed = Changed::new(TrustPolicy::Block, true);
    let before = block_on(changed.bob.safety_number("alice")).unwrap();
    assert!(changed.try_to_send("no").is_some());
    let after = block_on(changed.bob.safety_number("alice")).unwrap();
    assert_ne!(before.to_scan(), after.to_scan());
    assert!(!block_on(changed.bob.verify_scan("alice", &before.to_scan())).unwrap());
    assert_eq!(changed.verification(), Verification::Violated);

    say(&changed.alice, "bob", "compare this");
    let theirs = block_on(changed.alice.safety_number("bob")).unwrap();
    assert!(block_on(changed.bob.verify_scan("alice", &theirs.to_scan())).unwrap());
    assert_eq!(changed.verification(), Verification::Verified);
    assert_eq!(texts(&changed.bob), ["compare this"]);
    say(&changed.bob, "alice", "good");
    assert_eq!(texts(&changed.alice), ["good"]);
}
