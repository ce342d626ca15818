//! The limits of a session, each met exactly and exceeded by one.

use crate::device::{Device, Pair, START};
use crate::in_both_profiles;
use crate::schedule::Rng;
use crate::wire_profile::WireProfile;
use rand::SeedableRng;
use undertone::profile::{IdentityKeyPair, Signal};
use undertone::{Address, Envelope, EnvelopeKind, ErrorKind};

const DAY: u64 = 86_400;

in_both_profiles! {
    /// DR-7, SP-11, B31: 24 999 messages lost in a row are bridged, 25 000 are not.
    up_to_24_999_messages_may_be_lost_in_a_row;
    /// DR-7, DR-8, B36: the keys of the newest 2 000 messages passed over are kept.
    the_newest_2000_skipped_keys_are_kept;
    /// DR-7: late messages of the newest five chains are read.
    five_receiving_chains_are_kept;
    /// SE-10: forty archived sessions are kept.
    forty_archived_sessions_are_kept;
    /// A session that nobody answers sends for 30 days.
    an_unanswered_session_sends_for_30_days;
    /// SE-10: an archived session receives for 30 days; without bound in the Signal profile.
    an_archived_session_receives_for_30_days;
    /// DR-8: a skipped key is kept for seven days; without bound in the Signal profile.
    a_skipped_key_is_kept_for_seven_days;
    /// DR-7: another device of the same account may jump without bound, in the Signal profile alone.
    an_own_device_jumps_without_bound_in_the_signal_profile_alone;
    /// DR-7: an account with the same identity key and another name is no own device.
    the_same_key_under_another_name_is_bounded;
    /// DR-7: a device with the same name and another identity key is no own device.
    another_key_under_the_same_name_is_bounded;
    /// PQ-20, B9: a last-resort prekey serves 1 024 first messages, each once.
    a_last_resort_prekey_serves_1024_first_messages;
    /// Devices are numbered from 1 to 127.
    device_ids_are_1_to_127;
}

fn up_to_24_999_messages_may_be_lost_in_a_row<P: WireProfile>() {
    let mut pair = Pair::<P>::answered(1);
    let first = pair.alice_says(b"first");
    pair.bob_reads(&first).unwrap();
    for _ in 0..24_999 {
        pair.alice_says(b"lost");
    }
    let reached = pair.alice_says(b"reached");
    let beyond = pair.alice_says(b"beyond");
    let error = pair.bob_reads(&beyond).unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::TooFarAhead, "message.too_far_ahead"));
    assert_eq!(pair.bob_reads(&reached).unwrap(), b"reached");
    assert_eq!(pair.bob_reads(&beyond).unwrap(), b"beyond");
    for _ in 0..25_000 {
        pair.alice_says(b"lost");
    }
    let far = pair.alice_says(b"far");
    assert_eq!(pair.bob_reads(&far).unwrap_err().code(), "message.too_far_ahead");
}

fn the_newest_2000_skipped_keys_are_kept<P: WireProfile>() {
    let mut pair = Pair::<P>::answered(2);
    let late: Vec<Envelope> = (0..2_003).map(|_| pair.alice_says(b"late")).collect();
    let newest = pair.alice_says(b"newest");
    pair.bob_reads(&newest).unwrap();
    assert_eq!(pair.bob.status(&pair.alice.address).skipped, 2_000);
    pair.bob.restart();
    let (lost, kept) = late.split_at(3);
    for envelope in lost {
        assert_eq!(pair.bob_reads(envelope).unwrap_err().kind(), ErrorKind::Duplicate);
    }
    for (index, envelope) in kept.iter().enumerate() {
        // Comparing the whole state each time would take longest; the first and the last stand for all.
        if !(10..1_990).contains(&index) {
            assert_eq!(pair.bob_reads(envelope).unwrap(), b"late");
        } else {
            let from = &pair.alice.address;
            assert_eq!(pair.bob.decrypt(from, envelope.kind, &envelope.bytes, pair.now).unwrap().plaintext, b"late");
        }
    }
    assert_eq!(pair.bob.status(&pair.alice.address).skipped, 0);
}

fn five_receiving_chains_are_kept<P: WireProfile>() {
    let mut pair = Pair::<P>::answered(3);
    let mut late = Vec::new();
    for _ in 0..9 {
        late.push(pair.alice_says(b"late"));
        pair.exchange();
    }
    // The message of the answered session's beginning was in a chain before these nine.
    let read: Vec<bool> = late.iter().map(|envelope| pair.bob_reads(envelope).is_ok()).collect();
    assert_eq!(read, [false, false, false, false, true, true, true, true, true]);
}

fn forty_archived_sessions_are_kept<P: WireProfile>() {
    let mut pair = Pair::<P>::strangers(4);
    let mut seconds = Vec::new();
    for _ in 0..42 {
        let bundle = pair.bob.bundle(true, pair.now, &mut pair.rng);
        pair.alice.begin(&bundle, pair.now, &mut pair.rng).unwrap();
        let first = pair.alice_says(b"first");
        assert_eq!(pair.bob_reads(&first).unwrap(), b"first");
        seconds.push(pair.alice_says(b"second"));
    }
    for (of, with) in [(&pair.alice, &pair.bob), (&pair.bob, &pair.alice)] {
        assert_eq!(of.status(&with.address).archived, 40);
    }
    pair.bob.restart();
    assert_eq!(pair.bob_reads(&seconds[0]).unwrap_err().kind(), ErrorKind::UnknownPrekey);
    for envelope in &seconds[1..] {
        assert_eq!(pair.bob_reads(envelope).unwrap(), b"second");
    }
    assert_eq!(pair.bob.status(&pair.alice.address).archived, 40);
}

fn an_unanswered_session_sends_for_30_days<P: WireProfile>() {
    let mut pair = Pair::<P>::begun(5);
    pair.now = START + 30 * DAY;
    let last = pair.alice_says(b"last");
    assert_eq!(last.kind, EnvelopeKind::First);
    pair.now += 1;
    let before = pair.alice.store();
    let error = pair.alice.encrypt(&pair.bob.address, b"too late", pair.now, &mut pair.rng).unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::NoSession, "session.unacknowledged_too_long"));
    assert!(pair.alice.store() == before);
    assert_eq!(pair.bob_reads(&last).unwrap(), b"last");
    let answer = pair.bob_says(b"answer");
    pair.alice_reads(&answer).unwrap();
    pair.now += 100 * DAY;
    pair.exchange();
}

fn an_archived_session_receives_for_30_days<P: WireProfile>() {
    for (age, is_read) in [(30 * DAY, true), (30 * DAY + 1, P::ARCHIVED_AGE.is_none())] {
        let mut pair = Pair::<P>::answered(6);
        let late = pair.bob_says(b"late");
        let archived = pair.now;
        let bundle = pair.bob.bundle(true, pair.now, &mut pair.rng);
        pair.alice.begin(&bundle, archived, &mut pair.rng).unwrap();
        pair.now = archived + age;
        assert_eq!(pair.alice_reads(&late).is_ok(), is_read, "after {age} seconds");
    }
}

fn a_skipped_key_is_kept_for_seven_days<P: WireProfile>() {
    for (age, is_read) in [(7 * DAY, true), (7 * DAY + 1, P::SKIPPED_KEY_AGE.is_none())] {
        let mut pair = Pair::<P>::answered(7);
        let late = pair.alice_says(b"late");
        let newer = pair.alice_says(b"newer");
        let newest = pair.alice_says(b"newest");
        pair.bob_reads(&newer).unwrap();
        pair.now += age;
        pair.bob_reads(&newest).unwrap();
        assert_eq!(pair.bob_reads(&late).is_ok(), is_read, "after {age} seconds");
    }
}

fn an_own_device_jumps_without_bound_in_the_signal_profile_alone<P: WireProfile>() {
    let expected = if P::TRUSTS_OWN_DEVICES { Ok(()) } else { Err(TOO_FAR) };
    assert_eq!(after_31_000_lost::<P>(&P::account(1), true), expected);
}

fn the_same_key_under_another_name_is_bounded<P: WireProfile>() {
    assert_eq!(after_31_000_lost::<P>(&P::account(2), true), Err(TOO_FAR));
}

fn another_key_under_the_same_name_is_bounded<P: WireProfile>() {
    assert_eq!(after_31_000_lost::<P>(&P::account(1), false), Err(TOO_FAR));
}

/// DR-7: in the Signal profile a service id in capitals is the same account.
#[test]
fn an_account_has_one_name_in_two_spellings() {
    let name = Signal::account(1).to_uppercase();
    assert_ne!(name, Signal::account(1));
    assert_eq!(after_31_000_lost::<Signal>(&name, true), Ok(()));
    assert_eq!(after_31_000_lost::<Signal>(&format!("PNI:{name}"), true), Err(TOO_FAR));
}

const TOO_FAR: (ErrorKind, &str) = (ErrorKind::TooFarAhead, "message.too_far_ahead");

/// How the second device, of the account `name` and perhaps with the first one's identity key, reads a message after 31 000 that are lost.
fn after_31_000_lost<P: WireProfile>(name: &str, same_key: bool) -> Result<(), (ErrorKind, &'static str)> {
    let mut rng = Rng::seed_from_u64(8);
    let identity = P::IdentityKeyPair::generate(&mut rng).unwrap();
    let same = P::IdentityKeyPair::from_bytes(&*identity.to_bytes()).unwrap();
    let of_laptop = if same_key { same } else { P::IdentityKeyPair::generate(&mut rng).unwrap() };
    let mut phone = Device::<P>::of_account(identity, P::account(1), 1, START, &mut rng);
    let mut laptop = Device::<P>::of_account(of_laptop, name.to_owned(), 2, START, &mut rng);
    let bundle = laptop.bundle(true, START, &mut rng);
    phone.begin(&bundle, START, &mut rng).unwrap();
    let first = phone.encrypt(&laptop.address, b"first", START, &mut rng).unwrap();
    laptop.decrypt_checked(&phone.address, first.kind, &first.bytes, START).unwrap();
    let answer = laptop.encrypt(&phone.address, b"answer", START, &mut rng).unwrap();
    phone.decrypt_checked(&laptop.address, answer.kind, &answer.bytes, START).unwrap();
    for _ in 0..31_000 {
        phone.encrypt(&laptop.address, b"lost", START, &mut rng).unwrap();
    }
    let far = phone.encrypt(&laptop.address, b"far", START, &mut rng).unwrap();
    let read = laptop.decrypt_checked(&phone.address, far.kind, &far.bytes, START);
    read.map(drop).map_err(|error| (error.kind(), error.code()))
}

fn a_last_resort_prekey_serves_1024_first_messages<P: WireProfile>() {
    let mut pair = Pair::<P>::strangers(9);
    let bundle = pair.bob.bundle(false, pair.now, &mut pair.rng);
    let mut oldest = None;
    for _ in 0..1_024 {
        pair.alice.begin(&bundle, pair.now, &mut pair.rng).unwrap();
        let first = pair.alice_says(b"first");
        let from = &pair.alice.address;
        assert_eq!(pair.bob.decrypt(from, first.kind, &first.bytes, pair.now).unwrap().plaintext, b"first");
        oldest.get_or_insert(first);
    }
    pair.bob.restart();
    let replayed = pair.bob_reads(&oldest.unwrap()).unwrap_err();
    assert_eq!((replayed.kind(), replayed.code()), (ErrorKind::Duplicate, "handshake.replayed"));
    pair.alice.begin(&bundle, pair.now, &mut pair.rng).unwrap();
    let one_more = pair.alice_says(b"one more");
    assert_eq!(pair.bob_reads(&one_more).unwrap_err().code(), "handshake.replay_guard_full");
    pair.bob.rotate_prekeys(pair.now, &mut pair.rng);
    let bundle = pair.bob.bundle(false, pair.now, &mut pair.rng);
    pair.alice.begin(&bundle, pair.now, &mut pair.rng).unwrap();
    let again = pair.alice_says(b"again");
    assert_eq!(pair.bob_reads(&again).unwrap(), b"again");
}

fn device_ids_are_1_to_127<P: WireProfile>() {
    for (device, is_valid) in [(0, false), (1, true), (127, true), (128, false), (255, false)] {
        assert_eq!(Address::new(P::account(1), device).is_ok(), is_valid, "device {device}");
    }
}

/// A native plaintext has at most 16 MiB; a refused one changes nothing.
#[test]
fn a_native_plaintext_has_at_most_16_mib() {
    let mut pair = Pair::<undertone::profile::Undertone>::answered(10);
    let largest = vec![7; 16 << 20];
    let envelope = pair.alice_says(&largest);
    assert!(pair.bob_reads(&envelope).unwrap() == largest);
    let before = pair.alice.store();
    let larger = vec![7; (16 << 20) + 1];
    let error = pair.alice.encrypt(&pair.bob.address, &larger, pair.now, &mut pair.rng).unwrap_err();
    assert_eq!(error.code(), "request.too_large");
    assert!(pair.alice.store() == before);
}
