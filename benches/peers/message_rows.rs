//! Messages of a session: ours with encrypted headers and the post-quantum ratchet in each of them, vodozemac's without either.

use crate::interleaved::{Batch, Effort, prepared, repeated};
use crate::olm_side;
use crate::table::{Peer, Table};
use crate::undertone_side::{Pair, copy};
use std::collections::VecDeque;
use std::time::Duration;
use undertone::Envelope;

/// After so many rounds the post-quantum ratchet is in the midst of its longest phase, in which both sides send erasure-coded chunks.
const UNDER_WAY: usize = 20;
/// Messages passed over at once: the most that vodozemac allows.
const GAP: usize = 2_000;
/// A turn of a conversation runs through several post-quantum epochs.
const CONVERSATION: Effort = Effort { turns: 41, turn: Duration::from_millis(25), most: 150 };

pub fn measure(table: &mut Table) {
    for (size, shown) in [(32, "32 B"), (1 << 10, "1 KiB"), (64 << 10, "64 KiB")] {
        let effort = if size > 1 << 10 { Effort::LONG } else { Effort::SHORT };
        table.row(&format!("one-way encrypt, {shown}"), effort, || {
            let plaintext = vec![0x5a; size];
            let text = plaintext.clone();
            let (mut pair, mut olm) = (Pair::after_rounds(UNDER_WAY), olm_side::Pair::after_rounds(UNDER_WAY));
            let ours = repeated(move || pair.alice.encrypt(&mut pair.with_bob, &plaintext));
            (ours, Peer::Named("vodozemac", repeated(move || olm_side::encrypt(&mut olm.alice, &text))))
        });
        table.row(&format!("one-way decrypt, {shown}"), effort, || (decrypt(size), vodozemac_decrypt(size)));
    }
    table.row("one-way encrypt and decrypt, 1 KiB", Effort::SHORT, || {
        let (mut pair, mut olm) = (Pair::after_rounds(UNDER_WAY), olm_side::Pair::after_rounds(UNDER_WAY));
        let ours = repeated(move || {
            let message = pair.alice.encrypt(&mut pair.with_bob, &[7; 1024]);
            pair.bob.decrypt(&mut pair.with_alice, &message)
        });
        let peer = repeated(move || {
            let message = olm_side::encrypt(&mut olm.alice, &[7; 1024]);
            olm_side::decrypt(&mut olm.bob, &message)
        });
        (ours, Peer::Named("vodozemac", peer))
    });
    table.row("ping-pong round, 1 KiB each way", CONVERSATION, || {
        let (mut pair, mut olm) = (Pair::after_rounds(UNDER_WAY), olm_side::Pair::after_rounds(UNDER_WAY));
        let ours = repeated(move || pair.round(&[7; 1024]));
        (ours, Peer::Named("vodozemac", repeated(move || olm.round(&[7; 1024]))))
    });
    table.row("gap of 2 000: decrypt the message after it", Effort::LONG, || (after_a_gap(), vodozemac_after_a_gap()));
    table.row("encrypt, 1 KiB, while 2 000 skipped keys are held", Effort::SHORT, || {
        let (mut pair, mut bare) = (Pair::after_rounds(UNDER_WAY), Pair::after_rounds(UNDER_WAY));
        let (_, last) = passed_over(&mut pair);
        pair.bob.decrypt(&mut pair.with_alice, &last);
        assert_eq!(pair.with_alice.status().unwrap().skipped, GAP);
        let last = bare.alice.encrypt(&mut bare.with_bob, &[7; 1024]);
        bare.bob.decrypt(&mut bare.with_alice, &last);
        let ours = repeated(move || pair.bob.encrypt(&mut pair.with_alice, &[7; 1024]));
        let none = repeated(move || bare.bob.encrypt(&mut bare.with_alice, &[7; 1024]));
        (ours, Peer::Named("undertone, none held", none))
    });
    table.row("fan-out: 1 KiB to each of 1 000 sessions", Effort::LONG, || (fan_out(), vodozemac_fan_out()));
}

fn decrypt(size: usize) -> Batch<'static> {
    let Pair { mut alice, bob, mut with_bob, mut with_alice } = Pair::after_rounds(UNDER_WAY);
    let plaintext = vec![0x5a; size];
    prepared(
        move || alice.encrypt(&mut with_bob, &plaintext),
        move |message: &mut Envelope| bob.decrypt(&mut with_alice, message),
    )
}

fn vodozemac_decrypt(size: usize) -> Peer<'static> {
    let olm_side::Pair { mut alice, mut bob } = olm_side::Pair::after_rounds(UNDER_WAY);
    let plaintext = vec![0x5a; size];
    let peer = prepared(
        move || olm_side::encrypt(&mut alice, &plaintext),
        move |message: &mut olm_side::Wire| olm_side::decrypt(&mut bob, message),
    );
    Peer::Named("vodozemac", peer)
}

/// The messages of a gap, and the one after it.
fn passed_over(pair: &mut Pair) -> (VecDeque<Envelope>, Envelope) {
    let gap = (0..GAP).map(|_| pair.alice.encrypt(&mut pair.with_bob, b"lost")).collect();
    (gap, pair.alice.encrypt(&mut pair.with_bob, &[7; 1024]))
}

fn after_a_gap() -> Batch<'static> {
    let mut pair = Pair::after_rounds(UNDER_WAY);
    let (_, last) = passed_over(&mut pair);
    prepared(move || copy(&pair.with_alice), move |record| pair.bob.decrypt(record, &last))
}

fn vodozemac_after_a_gap() -> Peer<'static> {
    let mut olm = olm_side::Pair::after_rounds(UNDER_WAY);
    let stored = olm_side::save(&olm.bob);
    (0..GAP).for_each(|_| drop(olm_side::encrypt(&mut olm.alice, b"lost")));
    let last = olm_side::encrypt(&mut olm.alice, &[7; 1024]);
    let peer = prepared(move || olm_side::load(&stored), move |session| olm_side::decrypt(session, &last));
    Peer::Named("vodozemac", peer)
}

/// Copies of one session stand for many: what they cost does not depend on whose they are.
fn fan_out() -> Batch<'static> {
    let Pair { mut alice, with_bob, .. } = Pair::after_rounds(UNDER_WAY);
    let mut records: Vec<_> = (0..1_000).map(|_| copy(&with_bob)).collect();
    repeated(move || records.iter_mut().map(|record| alice.encrypt(record, &[7; 1024])).collect::<Vec<_>>())
}

fn vodozemac_fan_out() -> Peer<'static> {
    let stored = olm_side::save(&olm_side::Pair::after_rounds(UNDER_WAY).alice);
    let mut sessions: Vec<_> = (0..1_000).map(|_| olm_side::load(&stored)).collect();
    let peer =
        repeated(move || sessions.iter_mut().map(|session| olm_side::encrypt(session, &[7; 1024])).collect::<Vec<_>>());
    Peer::Named("vodozemac", peer)
}
