//! The post-quantum ratchet goes on, whatever is lost.

use crate::device::Pair;
use crate::in_both_profiles;
use crate::schedule::{happens, on_schedules, one_of};
use crate::wire_profile::WireProfile;
use rand::RngExt;
use undertone::{Envelope, ErrorKind};

in_both_profiles! {
    /// SP-1, SP-13: six epochs and more, with a third of all messages lost and the rest out of order.
    epochs_complete_through_loss_and_reordering;
    /// SP-5: a message of the epoch before the present one is read, one of two epochs before is not.
    a_message_is_readable_one_epoch_late_and_not_two;
    /// SP-13: traffic in one direction completes no epoch.
    one_direction_completes_no_epoch;
    /// SP-13: a session says when it last healed, over restarts too.
    the_age_of_the_epoch_is_known;
}

fn epochs_complete_through_loss_and_reordering<P: WireProfile>() {
    on_schedules(8, |rng| {
        let mut pair = Pair::<P>::answered(rng.random());
        let loss = rng.random_range(0..34);
        let mut messages = 0;
        while pair.alice.epoch(&pair.bob.address).min(pair.bob.epoch(&pair.alice.address)) < 6 {
            assert!(messages < 20_000, "no six epochs in {messages} messages with {loss} % lost");
            let alice_sends: bool = rng.random();
            let mut burst: Vec<Envelope> = Vec::new();
            for _ in 0..*one_of(&[1, 2, 10], rng) {
                burst.push(if alice_sends { pair.alice_says(b"on") } else { pair.bob_says(b"on") });
                messages += 1;
            }
            while !burst.is_empty() {
                let envelope = burst.remove(rng.random_range(0..burst.len()));
                if !happens(loss, rng) {
                    let read = if alice_sends { pair.bob_reads(&envelope) } else { pair.alice_reads(&envelope) };
                    read.unwrap();
                }
            }
            if happens(5, rng) {
                pair.alice.restart();
                pair.bob.restart();
            }
        }
    });
}

fn a_message_is_readable_one_epoch_late_and_not_two<P: WireProfile>() {
    // A sender that has completed an epoch writes in it or still in the one before, so what counts lies between two bounds.
    let mut read_late = 0;
    let mut refused = 0;
    for delay in 1..5 {
        let mut pair = Pair::<P>::answered(delay);
        let mut late: Vec<(u64, Envelope)> = Vec::new();
        for _ in 0..25 {
            late.push((pair.alice.epoch(&pair.bob.address), pair.alice_says(b"late")));
            for _ in 0..45 {
                // Long bursts: epochs pass within few chains.
                let envelope = pair.alice_says(b"on");
                pair.bob_reads(&envelope).unwrap();
            }
            for _ in 0..45 {
                let envelope = pair.bob_says(b"on");
                pair.alice_reads(&envelope).unwrap();
            }
            if late.len() < usize::try_from(delay).unwrap() {
                continue;
            }
            let (epoch, envelope) = late.remove(0);
            let behind = pair.bob.epoch(&pair.alice.address).saturating_sub(epoch);
            match pair.bob_reads(&envelope) {
                Ok(plaintext) => {
                    assert!(plaintext == b"late" && behind <= 2, "read {behind} epochs late");
                    read_late += usize::from(behind > 0);
                }
                Err(error) => {
                    assert!(error.kind() == ErrorKind::InvalidMessage && behind >= 1, "{behind} epochs late: {error}");
                    refused += 1;
                }
            }
        }
    }
    assert!(read_late > 0 && refused > 0, "{read_late} read late, {refused} refused");
}

fn one_direction_completes_no_epoch<P: WireProfile>() {
    let mut pair = Pair::<P>::answered(3);
    for _ in 0..300 {
        let envelope = pair.alice_says(b"on");
        pair.bob_reads(&envelope).unwrap();
    }
    assert_eq!(pair.bob.epoch(&pair.alice.address), 0);
}

fn the_age_of_the_epoch_is_known<P: WireProfile>() {
    let mut pair = Pair::<P>::answered(4);
    let status = |pair: &Pair<P>| pair.alice.sessions[&pair.bob.address].status().unwrap();
    assert_eq!(status(&pair).post_quantum_epoch_since, None);
    for epoch in 1..=2 {
        while status(&pair).post_quantum_epoch < epoch {
            pair.now += 60;
            pair.exchange();
        }
        let completed = Some(pair.now);
        assert_eq!(status(&pair).post_quantum_epoch_since, completed);
        pair.now += 60;
        pair.exchange();
        pair.alice.restart();
        assert_eq!(status(&pair).post_quantum_epoch_since, completed);
    }
}
