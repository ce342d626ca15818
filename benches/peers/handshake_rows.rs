//! Keys and handshakes: PQXDH with ML-KEM-1024 on our side, 3DH on the other.

use crate::interleaved::{Effort, prepared, repeated};
use crate::olm_side;
use crate::table::{Peer, Table};
use crate::undertone_side::{Device, NOW};
use rand::SeedableRng;
use rand::rngs::StdRng;
use undertone::{Prekeys, Undertone};
use vodozemac::olm::Account;

/// Prekeys in one upload.
const BATCH: usize = 50;

pub fn measure(table: &mut Table) {
    let mut rng = StdRng::from_seed([1; 32]);
    table.row("key generation: identity and prekeys of a new device", Effort::SHORT, || {
        let ours = repeated(move || Device::<Undertone>::with_rng("alice", 1, &mut rng));
        (ours, Peer::Named("vodozemac", repeated(|| olm_side::account(1))))
    });
    table.row("key generation: 50 one-time prekeys", Effort::LONG, || {
        let mut device = Device::<Undertone>::new("alice", 0);
        let stored = device.prekeys.to_bytes();
        let ours = prepared(
            move || Prekeys::<Undertone>::from_bytes(&stored).unwrap(),
            move |prekeys| {
                let local = undertone::handshake::LocalDevice {
                    identity: &device.identity,
                    address: &device.address,
                    registration_id: 1,
                };
                prekeys.add_one_time(&local, BATCH, NOW, &mut device.rng).unwrap();
            },
        );
        let peer = prepared(Account::new, |account| {
            account.generate_one_time_keys(BATCH);
        });
        (ours, Peer::Named("vodozemac", peer))
    });
    table.row("initiate: from a bundle to a session", Effort::SHORT, || {
        let mut alice = Device::<Undertone>::new("alice", 0);
        let bundle = Device::<Undertone>::new("bob", 1).bundle();
        let (alices, keys) = (olm_side::account(0), olm_side::bundle(&olm_side::account(1)));
        (
            repeated(move || alice.initiate(&bundle)),
            Peer::Named("vodozemac", repeated(move || olm_side::initiate(&alices, keys))),
        )
    });
    table.row("accept: from a first message to session and plaintext", Effort::LONG, || {
        let (mut alice, mut bob) = (Device::<Undertone>::new("alice", 0), Device::<Undertone>::new("bob", 1));
        let mut record = alice.initiate(&bob.bundle());
        let first = alice.encrypt(&mut record, &[7; 1024]);
        let stored = bob.prekeys.to_bytes();
        let ours = prepared(
            move || Prekeys::<Undertone>::from_bytes(&stored).unwrap(),
            move |prekeys| {
                std::mem::swap(&mut bob.prekeys, prekeys);
                bob.accept(&alice.address, None, &first)
            },
        );
        let (alices, bobs) = (olm_side::account(0), olm_side::account(1));
        let from = alices.curve25519_key();
        let first = olm_side::encrypt(&mut olm_side::initiate(&alices, olm_side::bundle(&bobs)), &[7; 1024]);
        let peer = prepared(
            move || Account::from_pickle(bobs.pickle()),
            move |account| olm_side::accept(account, from, &first),
        );
        (ours, Peer::Named("vodozemac", peer))
    });
}
