//! Any schedule of two or more devices: each message arrives exactly once or is refused with a reason, and in the end all agree.

use crate::conversation::{Conversation, Weather};
use crate::device::Pair;
use crate::in_both_profiles;
use crate::schedule::{happens, on_schedules};
use crate::wire_profile::WireProfile;
use rand::RngExt;
use undertone::ErrorKind;

in_both_profiles! {
    /// DR-6, SE-1, SE-3, SE-4, SE-7, SE-12, SP-10, B32: loss, reordering, replay, corruption, restarts and crashes.
    every_message_arrives_once_or_is_refused_with_a_reason;
    /// SE-3: both sides begin at once, again and again.
    simultaneous_beginnings_end_in_one_session;
    /// SE-3: a newer session does not take a late message of an older one for a duplicate of its own.
    a_late_message_of_an_older_session_is_read;
}

fn every_message_arrives_once_or_is_refused_with_a_reason<P: WireProfile>() {
    let mut sums = [0; 9];
    on_schedules(150, |rng| {
        let devices = if happens(70, rng) { 2 } else { rng.random_range(3..5) };
        let mut conversation = Conversation::<P>::new(devices, rng);
        for _ in 0..rng.random_range(1..4) {
            let weather = Weather::of(rng);
            conversation.pass(rng.random_range(10..120), &weather, rng);
        }
        conversation.heal(rng);
        conversation.replay_everything();
        let tally = &conversation.tally;
        let counts = [
            tally.sent,
            tally.read,
            tally.lost,
            tally.refused,
            tally.replays,
            tally.corruptions,
            tally.restarts,
            tally.crashes,
        ];
        for (sum, count) in sums.iter_mut().zip(counts) {
            *sum += count;
        }
        sums[8] = sums[8].max(tally.epochs);
    });
    let [sent, read, lost, refused, replays, corruptions, restarts, crashes, epochs] = sums;
    println!(
        "{}: {sent} sent, {read} read, {lost} lost, {refused} refused with a reason, {replays} replays, {corruptions} corruptions, \
         {restarts} restarts, {crashes} crashes, at most {epochs} post-quantum epochs",
        P::NAME
    );
}

fn simultaneous_beginnings_end_in_one_session<P: WireProfile>() {
    on_schedules(60, |rng| {
        let mut conversation = Conversation::<P>::new(2, rng);
        let weather = Weather {
            begin_again: 20,
            send: 30,
            deliver: 30,
            lose: 5,
            replay: 2,
            corrupt: 1,
            restart: 1,
            rotate_prekeys: 1,
            window: rng.random_range(1..6),
            burst: 2,
            crash: 2,
            twin: 0,
        };
        conversation.pass(rng.random_range(5..60), &weather, rng);
        conversation.heal(rng);
        conversation.replay_everything();
    });
}

fn a_late_message_of_an_older_session_is_read<P: WireProfile>() {
    let mut pair = Pair::<P>::answered(1);
    // The first of a chain: nothing in it names its session but what it authenticates.
    let late = pair.alice_says(b"late");
    let bundle = pair.bob.bundle(true, pair.now, &mut pair.rng);
    pair.alice.begin(&bundle, pair.now, &mut pair.rng).unwrap();
    for _ in 0..5 {
        pair.exchange();
    }
    assert_eq!(pair.bob_reads(&late).unwrap(), b"late");
    assert_eq!(pair.bob_reads(&late).unwrap_err().kind(), ErrorKind::Duplicate);
}
