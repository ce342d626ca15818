//! Flipped bits in stored records: refused by name, or read as a state that never yields a wrong plaintext.

use crate::corruption::flipped;
use crate::device::{Pair, START};
use crate::group_members::Owner;
use crate::in_both_profiles;
use crate::schedule::Rng;
use crate::wire_profile::WireProfile;
use rand::SeedableRng;
use undertone::group::{ReceivedSenderKeys, SenderKey};
use undertone::{ErrorKind, Prekeys, SessionRecord};

in_both_profiles! {
    /// 6 000 flips in session records.
    flips_in_session_records;
    /// 2 000 flips in the record of the prekeys.
    flips_in_prekey_records;
    /// 2 000 flips in records of own sender keys.
    flips_in_sender_key_records;
    /// 2 000 flips in records of received sender keys.
    flips_in_received_sender_key_records;
}

fn flips_in_session_records<P: WireProfile>() {
    let mut rng = Rng::seed_from_u64(1);
    let (mut flips, mut decoded) = (0, 0);
    for seed in 0..30 {
        let mut pair = if seed % 3 == 0 { Pair::<P>::begun(seed) } else { Pair::<P>::answered(seed) };
        for _ in 0..seed {
            pair.exchange();
        }
        let late = pair.alice_says(b"a late one");
        let newer = pair.alice_says(b"newer");
        if seed % 3 != 0 {
            pair.bob_reads(&newer).unwrap();
        }
        let next = pair.alice_says(b"next");
        let (alice, bob) = (pair.alice.address.clone(), pair.bob.address.clone());
        // Both ends of the conversation, each with its record spoilt in turn.
        for is_alice in [true, false] {
            let (spoilt, peer) = if is_alice { (&pair.alice, &bob) } else { (&pair.bob, &alice) };
            let Some(record) = spoilt.sessions.get(peer) else { continue };
            let record = record.to_bytes();
            let whole = (pair.alice.store(), pair.bob.store());
            for _ in 0..102 {
                flips += 1;
                let spoilt = match SessionRecord::<P>::from_bytes(&flipped(&record, &mut rng)) {
                    Ok(spoilt) => spoilt,
                    Err(error) => {
                        assert_eq!(error.kind(), ErrorKind::InvalidRecord, "{error}");
                        continue;
                    }
                };
                decoded += 1;
                let device = if is_alice { &mut pair.alice } else { &mut pair.bob };
                device.sessions.insert(peer.clone(), spoilt);
                converse(&mut pair, &[(&late, b"a late one"), (&next, b"next")], is_alice);
                pair.alice.restore(&whole.0);
                pair.bob.restore(&whole.1);
            }
        }
    }
    println!("{}: {decoded} of {flips} session records with a flipped bit were read", P::NAME);
    assert!(flips >= 6000);
}

/// Whatever is read reads as what was sent.
fn converse<P: WireProfile>(pair: &mut Pair<P>, waiting: &[(&undertone::Envelope, &[u8])], is_alice: bool) {
    if !is_alice {
        for (envelope, plaintext) in waiting {
            if let Ok(read) = pair.bob_reads(envelope) {
                assert!(read == *plaintext, "a spoilt record reads a wrong plaintext");
            }
        }
    }
    for _ in 0..2 {
        for alice_sends in [true, false] {
            let (from, to) = if alice_sends { (&mut pair.alice, &pair.bob) } else { (&mut pair.bob, &pair.alice) };
            if !from.sessions.contains_key(&to.address) {
                continue;
            }
            let Ok(envelope) = from.encrypt(&to.address, b"on", pair.now, &mut pair.rng) else { continue };
            let read = if alice_sends { pair.bob_reads(&envelope) } else { pair.alice_reads(&envelope) };
            if let Ok(read) = read {
                assert_eq!(read, b"on", "a spoilt record makes a wrong plaintext");
            }
        }
    }
}

fn flips_in_prekey_records<P: WireProfile>() {
    let mut rng = Rng::seed_from_u64(2);
    let mut decoded = 0;
    for seed in 0..10 {
        let mut pair = Pair::<P>::begun(seed);
        let first = pair.alice_says(b"first");
        let record = pair.bob.prekeys.to_bytes();
        for _ in 0..200 {
            match Prekeys::<P>::from_bytes(&flipped(&record, &mut rng)) {
                Err(error) => assert_eq!(error.kind(), ErrorKind::InvalidRecord, "{error}"),
                Ok(spoilt) => {
                    decoded += 1;
                    pair.bob.prekeys = spoilt;
                    if let Ok(plaintext) = pair.bob_reads(&first) {
                        assert_eq!(plaintext, b"first");
                    }
                    pair.bob.sessions.clear();
                    pair.bob.pins.clear();
                }
            }
        }
        pair.bob.prekeys = Prekeys::from_bytes(&record).unwrap();
        assert_eq!(pair.bob_reads(&first).unwrap(), b"first");
    }
    println!("{}: {decoded} of 2000 prekey records with a flipped bit were read", P::NAME);
}

fn flips_in_sender_key_records<P: WireProfile>() {
    let mut rng = Rng::seed_from_u64(3);
    for epoch in 0..10 {
        let mut owner = Owner::<P>::new(1, &mut rng);
        let mut reader = owner.reader();
        reader.process(&owner.rotate(1, epoch, START, &mut rng)).unwrap();
        owner.encrypt(1, b"lost", &mut rng);
        let record = owner.keys[&1].to_bytes();
        let received = reader.keys.to_bytes();
        for _ in 0..200 {
            match SenderKey::<P>::from_bytes(&flipped(&record, &mut rng)) {
                Err(error) => assert_eq!(error.kind(), ErrorKind::InvalidRecord, "{error}"),
                Ok(mut spoilt) => {
                    let Ok(message) = spoilt.encrypt(b"for all", &mut rng) else { continue };
                    if let Ok(read) = reader.read(&message, START) {
                        assert_eq!(read.plaintext, b"for all", "a spoilt record makes a wrong plaintext");
                    }
                    reader.restore(&received);
                }
            }
        }
    }
}

fn flips_in_received_sender_key_records<P: WireProfile>() {
    let mut rng = Rng::seed_from_u64(4);
    for epoch in 0..10 {
        let mut owner = Owner::<P>::new(1, &mut rng);
        let mut reader = owner.reader();
        reader.process(&owner.rotate(1, epoch, START, &mut rng)).unwrap();
        let late = owner.encrypt(1, b"late", &mut rng);
        let newer = owner.encrypt(1, b"newer", &mut rng);
        let next = owner.encrypt(1, b"next", &mut rng);
        reader.read(&newer, START).unwrap();
        let record = reader.keys.to_bytes();
        for _ in 0..200 {
            match ReceivedSenderKeys::<P>::from_bytes(&flipped(&record, &mut rng)) {
                Err(error) => assert_eq!(error.kind(), ErrorKind::InvalidRecord, "{error}"),
                Ok(spoilt) => {
                    reader.keys = spoilt;
                    for (message, plaintext) in [(&late, &b"late"[..]), (&next, b"next")] {
                        if let Ok(read) = reader.read(message, START) {
                            assert_eq!(read.plaintext, plaintext, "a spoilt record reads a wrong plaintext");
                        }
                    }
                }
            }
        }
        reader.restore(&record);
        assert_eq!(reader.read(&late, START).unwrap().plaintext, b"late");
    }
}
