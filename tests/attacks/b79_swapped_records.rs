//! B79: someone who can write to the store swaps or rolls back rows.

use crate::session_world::{ALICE, BOB, CAROL, Person, acquainted, code, round};
use undertone::handshake::{HandshakeProfile, LocalDevice};
use undertone::rule::{Rule, without};
use undertone::{Address, IdentityKeyPair, Prekeys, SessionRecord, Signal, TrustedIdentity, Undertone};

/// B79: the record of another device of ours, or of another owner, is not used; without the check it would be.
#[test]
fn a_record_serves_its_own_device() {
    fn check<P: HandshakeProfile>(seed: u64) {
        let (mut alice, bob) = acquainted::<P>(seed);
        let record = alice.record.to_bytes();
        let tablet = Person::<P>::new(ALICE, 2, &bob.address, seed + 2);
        let mut write_as = |person: &Person<P>| {
            let mut swapped = SessionRecord::<P>::from_bytes(&record)?;
            let device = LocalDevice { identity: &person.identity, address: &person.address, registration_id: 77 };
            swapped.encrypt(&device, b"text", &TrustedIdentity::FirstUse, person.now, &mut alice.rng).map(|_| ())
        };
        for other in [&tablet, &bob] {
            assert_eq!(code(write_as(other)), "key.mismatch");
            without(Rule::B79, || write_as(other)).unwrap();
        }
        let device = LocalDevice { identity: &tablet.identity, address: &tablet.address, registration_id: 77 };
        let prekeys = Prekeys::<P>::from_bytes(&bob.prekeys.to_bytes()).unwrap();
        assert_eq!(code(prekeys.bundle(&device, true)), "key.mismatch");
    }
    check::<Undertone>(160);
    check::<Signal>(164);
}

/// B79, SE-8: the record of one peer in the place of another's does not deceive: it names its peer, its pinned key does not fit, and what is written in it
/// only that peer can read.
#[test]
fn a_record_serves_its_own_peer() {
    fn check<P: HandshakeProfile>(seed: u64) {
        let (mut alice, mut bob) = acquainted::<P>(seed);
        let mut carol = Person::<P>::new(CAROL, 1, &alice.address, seed + 2);
        let mut to_carol = Person::<P>::new(ALICE, 1, &carol.address, seed);
        to_carol.begin(&carol).unwrap();
        round(&mut to_carol, &mut carol);
        core::mem::swap(&mut alice.record, &mut to_carol.record);
        assert_eq!(*alice.record.remote(), Address::new(CAROL, 1).unwrap());
        assert_ne!(*alice.record.remote(), Address::new(BOB, 1).unwrap());
        let pinned = TrustedIdentity::Pinned(bob.identity.public());
        let device = LocalDevice { identity: &alice.identity, address: &alice.address, registration_id: 77 };
        let refused = alice.record.encrypt(&device, b"for bob", &pinned, alice.now, &mut alice.rng);
        assert_eq!(code(refused), "session.untrusted_identity");
        let sent = alice.write(b"for bob").unwrap();
        let before = bob.state();
        assert!(bob.read(&sent).is_err());
        assert_eq!(bob.state(), before);
    }
    check::<Undertone>(168);
    check::<Signal>(172);
}

/// B79: a record of one profile, kind or version is not read as another's.
#[test]
fn a_record_serves_its_own_profile() {
    let (native, _) = acquainted::<Undertone>(176);
    let (signal, _) = acquainted::<Signal>(177);
    assert_eq!(code(SessionRecord::<Signal>::from_bytes(&native.record.to_bytes())), "record.version");
    assert_eq!(code(SessionRecord::<Undertone>::from_bytes(&signal.record.to_bytes())), "record.version");
    assert_eq!(code(Prekeys::<Signal>::from_bytes(&native.prekeys.to_bytes())), "record.version");
    for newer in 2..=255 {
        let mut record = native.record.to_bytes();
        record[0] = newer;
        assert_eq!(code(SessionRecord::<Undertone>::from_bytes(&record)), "record.version");
    }
    assert!(Prekeys::<Undertone>::from_bytes(&native.record.to_bytes()).is_err());
    assert!(SessionRecord::<Undertone>::from_bytes(&native.prekeys.to_bytes()).is_err());
}
