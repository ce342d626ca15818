//! The network's faults: the same for the same seed, and never a loss of what was accepted.

use futures_executor::block_on;
use futures_util::FutureExt;
use getrandom::SysRng;
use std::collections::BTreeSet;
use std::sync::Arc;
use undertone::identity::{AccountKeyPair, DeviceList, NewDevice, sign_login};
use undertone::transport::{
    Delivery, EnvelopeId, FailedCall, Faults, Login, MemoryServer, MemoryTransport, Outbound, Publication, Transport,
    Verdict,
};
use undertone::{Address, IdentityKeyPair, Result, UndertoneIdentityKeyPair};

const EVERYTHING: Faults = Faults {
    seed: 11,
    loss: 20,
    duplication: 10,
    reordering: 30,
    delay: 4,
    outages: 20,
    outage_length: 9,
    failed_call: None,
};

struct Key(Address, UndertoneIdentityKeyPair);

impl Login for Key {
    fn address(&self) -> &Address {
        &self.0
    }
    fn sign(&self, challenge: &[u8; 32]) -> Result<[u8; 64]> {
        sign_login(&self.1, &self.0, challenge, &mut SysRng)
    }
}

/// Bob, with one device, on a network without faults.
fn bob(server: &MemoryServer) -> MemoryTransport {
    let account = AccountKeyPair::generate(&mut SysRng).unwrap();
    let identity = UndertoneIdentityKeyPair::generate(&mut SysRng).unwrap();
    let first = NewDevice::new(&identity, account.public(), "bob", 1, &mut SysRng).unwrap();
    let list = DeviceList::create(&account, "bob", first, 1_800_000_000).unwrap();
    let device = Address::new("bob", 1).unwrap();
    let publication = Publication { id: [1; 16], device, statements: list.statements_after(0), prekeys: None };
    let transport = server.transport();
    block_on(async {
        transport.attach(Arc::new(Key(publication.device.clone(), identity))).await.unwrap();
        transport.publish(&publication).await.unwrap();
    });
    transport
}

fn envelope(number: u8) -> Outbound {
    let to = Address::new("bob", 1).unwrap();
    Outbound { id: EnvelopeId([number; 16]), to, device_list: 1, bytes: vec![number] }
}

/// Sends 200 envelopes and receives them, each call repeated until it succeeds. Returns everything that was seen, calls that failed as `None`.
fn conversation(faults: Faults) -> Vec<Option<Vec<u8>>> {
    let server = MemoryServer::new();
    let (bob, alice) = (bob(&server), server.transport());
    server.set_faults(faults);
    let mut seen = Vec::new();
    let mut received = BTreeSet::new();
    for number in 0..200 {
        while let Err(error) = block_on(alice.send(&[envelope(number)])) {
            assert_eq!(error.code(), "transport.unreachable");
            seen.push(None);
        }
        if number % 7 == 6 || number == 199 {
            while received.len() <= usize::from(number) {
                let deliveries = block_on(bob.receive());
                seen.push(deliveries.as_ref().ok().map(|all| all.iter().map(|one| one.bytes[0]).collect()));
                let ids: Vec<EnvelopeId> = deliveries.unwrap_or_default().iter().map(|one| one.id).collect();
                // Whether it is heard or not: what was not acknowledged comes again.
                let _ = block_on(bob.acknowledge(&ids));
                received.extend(ids);
            }
        }
    }
    assert_eq!(received.len(), 200);
    seen
}

#[test]
fn the_same_seed_makes_the_same_faults() {
    let once = conversation(EVERYTHING);
    assert_eq!(once, conversation(EVERYTHING));
    assert_ne!(once, conversation(Faults { seed: 12, ..EVERYTHING }));
}

/// Every kind of fault happens when it is asked for, and not when it is not.
#[test]
fn each_fault_is_there_when_it_is_asked_for() {
    let calm = conversation(Faults::none());
    let in_order: Vec<u8> = calm.iter().flatten().flatten().copied().collect();
    assert!(calm.iter().all(Option::is_some));
    assert_eq!(in_order, (0..200).collect::<Vec<u8>>());

    let is_lossy = |seen: &[Option<Vec<u8>>]| seen.iter().any(Option::is_none);
    assert!(is_lossy(&conversation(Faults { loss: 20, ..Faults::none() })));
    assert!(is_lossy(&conversation(Faults { outages: 50, outage_length: 5, ..Faults::none() })));
    let order = |faults| conversation(faults).into_iter().flatten().flatten().collect::<Vec<u8>>();
    assert!(order(Faults { duplication: 20, ..Faults::none() }).len() > 200);
    for faults in [Faults { reordering: 50, ..Faults::none() }, Faults { delay: 3, ..Faults::none() }] {
        let order = order(faults);
        assert!(!order.is_sorted(), "{faults:?}");
    }
}

#[test]
fn one_call_fails_before_or_after_its_effect() {
    for after_effect in [false, true] {
        let server = MemoryServer::new();
        let (bob, alice) = (bob(&server), server.transport());
        alice.set_faults(Faults { failed_call: Some(FailedCall { number: 2, after_effect }), ..Faults::none() });
        let send = |number| block_on(alice.send(&[envelope(number)]));
        assert_eq!(send(1).unwrap(), [Verdict::Accepted]);
        assert_eq!(send(2).unwrap_err().code(), "transport.unreachable");
        assert_eq!(send(3).unwrap(), [Verdict::Accepted]);
        let received: Vec<u8> = block_on(bob.receive()).unwrap().iter().map(|one| one.bytes[0]).collect();
        assert_eq!(received, if after_effect { vec![1, 2, 3] } else { vec![1, 3] });
    }
}

/// What waits ends when the server goes down; nothing that was accepted is gone when it comes back.
#[test]
fn a_server_that_was_away_has_lost_nothing() {
    let server = MemoryServer::new();
    let (bob, alice) = (bob(&server), server.transport());
    let mut waiting = bob.receive();
    assert!((&mut waiting).now_or_never().is_none());
    server.set_reachable(false);
    assert_eq!(block_on(waiting).unwrap_err().code(), "transport.unreachable");
    assert!(block_on(alice.send(&[envelope(1)])).is_err());
    server.set_reachable(true);
    block_on(alice.send(&[envelope(1)])).unwrap();
    server.set_reachable(false);
    server.set_reachable(true);
    assert_eq!(ids(&block_on(bob.receive()).unwrap()), [EnvelopeId([1; 16])]);
}

#[test]
fn a_full_mailbox_takes_no_more() {
    let limits = undertone::transport::ServerLimits { mailbox: 2, ..Default::default() };
    let server = MemoryServer::with_limits(limits);
    let (bob, alice) = (bob(&server), server.transport());
    let verdicts = block_on(alice.send(&[envelope(1), envelope(2), envelope(3)])).unwrap();
    assert_eq!(verdicts, [Verdict::Accepted, Verdict::Accepted, Verdict::MailboxFull]);
    block_on(bob.acknowledge(&[EnvelopeId([1; 16])])).unwrap();
    assert_eq!(block_on(alice.send(&[envelope(3)])).unwrap(), [Verdict::Accepted]);
}

#[test]
fn meeting_places_expire() {
    let server = MemoryServer::new();
    let place = undertone::transport::MeetingPlace([3; 16]);
    let transport = server.transport();
    block_on(transport.leave(&place, 1, b"old")).unwrap();
    server.expire_meeting_places();
    assert!(transport.collect(&place, 1).now_or_never().is_none());
    let too_large = block_on(transport.leave(&place, 1, &vec![0; (64 << 10) + 1]));
    assert_eq!(too_large.unwrap_err().code(), "transport.too_large");
    block_on(transport.leave(&place, 1, b"new")).unwrap();
    assert_eq!(block_on(transport.collect(&place, 1)).unwrap(), b"new");
}

fn ids(deliveries: &[Delivery]) -> Vec<EnvelopeId> {
    deliveries.iter().map(|delivery| delivery.id).collect()
}
