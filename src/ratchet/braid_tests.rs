//! The braid and its chains, two sides against each other.

use crate::crypto::Secret;
use crate::error::{Error, ErrorKind, Fault};
use crate::profile::{BraidPayload, Chunk, PostQuantumHeader, Profile, Undertone};
use crate::ratchet::limits::{MAX_FORWARD_JUMP, MAX_SKIPPED_KEYS, StepBudget};
use crate::ratchet::post_quantum::{PostQuantumChange, PostQuantumRatchet};
use crate::wire::{Reader, Writer};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

struct Side<P: Profile> {
    ratchet: PostQuantumRatchet<P>,
    rng: StdRng,
}

type Message = (PostQuantumHeader, Secret<32>);

fn pair<P: Profile>(seed: u64) -> (Side<P>, Side<P>) {
    let secret = Secret::new([0x2A; 32]);
    let rng = |role| StdRng::seed_from_u64(seed << 1 | role);
    (
        Side { ratchet: PostQuantumRatchet::initiator(&secret, false), rng: rng(0) },
        Side { ratchet: PostQuantumRatchet::responder(&secret, false), rng: rng(1) },
    )
}

impl<P: Profile> Side<P> {
    fn send(&mut self) -> Message {
        let sent = self.ratchet.send(&mut self.rng).unwrap();
        self.ratchet.apply(sent.change, 0);
        (sent.header, sent.key)
    }

    fn stage(&self, header: &PostQuantumHeader) -> Result<(Secret<32>, PostQuantumChange), Error> {
        let before = self.record();
        let received = self.ratchet.receive(header, 0, &mut StepBudget::full());
        assert_eq!(self.record(), before, "staging changes nothing");
        received.map(|received| (received.key, received.change))
    }

    fn receive(&mut self, (header, key): &Message) {
        let (received, change) = self.stage(header).unwrap();
        assert_eq!(&received, key);
        self.ratchet.apply(change, 0);
    }

    fn refuse(&self, header: &PostQuantumHeader, fault: Fault) {
        assert_eq!(self.stage(header).map(|_| ()), Err(fault.into()));
    }

    fn record(&self) -> Vec<u8> {
        let mut out = Writer::default();
        self.ratchet.encode(&mut out);
        out.into_vec()
    }

    /// Goes on from what was stored; returns its size.
    fn reload(&mut self) -> usize {
        let record = self.record();
        let mut input = Reader::new(&record, Fault::RecordCorrupt);
        self.ratchet = PostQuantumRatchet::decode(&mut input).unwrap();
        input.finish().unwrap();
        assert_eq!(self.record(), record);
        record.len()
    }
}

/// Runs a check in every profile of this build.
macro_rules! in_every_profile {
    ($check:ident($($argument:expr),*)) => {
        $check::<Undertone>($($argument),*);
        #[cfg(feature = "signal")]
        $check::<crate::profile::Signal>($($argument),*);
    };
}

/// SP-1, SP-12, BR-4, BR-11: in ping-pong an epoch takes 43 or 44 round trips, both sides agree on every key, and the records
/// of all states on the way go on where they stopped, within their bound.
#[test]
fn ping_pong_completes_epochs() {
    fn check<P: Profile>() {
        let (mut alice, mut bob) = pair::<P>(1);
        let (mut completed, mut largest) = (Vec::new(), 0);
        for round in 1..=261 {
            let message = alice.send();
            largest = largest.max(alice.reload());
            bob.receive(&message);
            largest = largest.max(bob.reload());
            let message = bob.send();
            largest = largest.max(bob.reload());
            alice.receive(&message);
            largest = largest.max(alice.reload());
            let both = alice.ratchet.epochs_completed().min(bob.ratchet.epochs_completed());
            if both > completed.len() as u64 {
                completed.push(round);
            }
        }
        assert_eq!(completed, [43, 87, 130, 174, 217, 261]);
        assert!(largest <= 1650, "{largest}");
    }
    in_every_profile!(check());
}

/// BR-6, BR-7, SP-5, B30: through loss, reordering, repetition and restarts both sides stay together, and every message that
/// is not too late is read exactly once.
#[test]
fn a_bad_network_delays_only() {
    fn check<P: Profile>(seed: u64) {
        let (mut alice, mut bob) = pair::<P>(seed);
        let mut network = StdRng::seed_from_u64(seed);
        let (mut to_bob, mut to_alice): (Vec<Message>, Vec<Message>) = (Vec::new(), Vec::new());
        let mut steps = 0;
        while alice.ratchet.epochs_completed().min(bob.ratchet.epochs_completed()) < 6 {
            steps += 1;
            assert!(steps < 20_000, "no progress");
            if network.random_bool(0.1) {
                alice.reload();
                bob.reload();
            }
            let (from, to, wire) = if network.random() {
                (&mut alice, &mut bob, &mut to_bob)
            } else {
                (&mut bob, &mut alice, &mut to_alice)
            };
            match network.random_range(0..10) {
                0..5 => wire.push(from.send()),
                5 if !wire.is_empty() => drop(wire.remove(network.random_range(0..wire.len()))),
                _ if !wire.is_empty() => {
                    let newest_first = network.random_bool(0.3);
                    let place = if newest_first { wire.len() - 1 } else { network.random_range(0..wire.len().min(4)) };
                    let message = wire.remove(place);
                    // Epochs may have gone by since it was sent: then, and only then, its key is gone.
                    match to.stage(&message.0) {
                        Ok((key, change)) => {
                            assert_eq!(key, message.1);
                            to.ratchet.apply(change, 0);
                        }
                        Err(error) => {
                            assert_eq!(error.kind(), ErrorKind::Duplicate);
                            assert!(message.0.epoch + 1 < to.send().0.epoch);
                        }
                    }
                    to.refuse(&message.0, Fault::MessageDuplicate);
                }
                _ => {}
            }
        }
    }
    for seed in 0..6 {
        in_every_profile!(check(seed));
    }
}

/// Plays ping-pong until a message from `alice` satisfies `wanted`, and returns it undelivered.
fn until<P: Profile>(alice: &mut Side<P>, bob: &mut Side<P>, wanted: impl Fn(&PostQuantumHeader) -> bool) -> Message {
    for _ in 0..100 {
        let message = alice.send();
        if wanted(&message.0) {
            return message;
        }
        bob.receive(&message);
        let message = bob.send();
        alice.receive(&message);
    }
    panic!("no such message");
}

fn spoiled(header: &PostQuantumHeader) -> PostQuantumHeader {
    let mut chunk = header.payload.chunk().unwrap().clone();
    chunk.bytes[5] ^= 0x10;
    let payload = BraidPayload::from_parts(header.payload.kind(), Some(chunk)).unwrap();
    PostQuantumHeader { payload, ..header.clone() }
}

fn is_chunk(header: &PostQuantumHeader, kind: u8, index: u16) -> bool {
    header.payload.kind() == kind && header.payload.chunk().is_some_and(|chunk| chunk.index == index)
}

/// BR-2, BR-3, BR-5, B30: where the outer authentication has failed us, a changed chunk is caught when its part is complete; the
/// state stays as it was, and the right chunk goes on from it.
#[test]
fn changed_chunks_are_caught_inside() {
    fn check<P: Profile>() {
        let (mut alice, mut bob) = pair::<P>(3);
        let header = until(&mut alice, &mut bob, |header| is_chunk(header, 1, 2));
        bob.refuse(&spoiled(&header.0), Fault::BraidAuthentication);
        bob.receive(&header);
        let ct1 = bob.send();
        alice.receive(&ct1);
        let vector = until(&mut alice, &mut bob, |header| is_chunk(header, 3, 35) || is_chunk(header, 2, 35));
        bob.refuse(&spoiled(&vector.0), Fault::BraidKey);
        bob.receive(&vector);
        let ct2 = bob.send();
        alice.receive(&ct2);
        let last = until(&mut bob, &mut alice, |header| is_chunk(header, 6, 4));
        alice.refuse(&spoiled(&last.0), Fault::BraidAuthentication);
        alice.receive(&last);
        assert_eq!(alice.ratchet.epochs_completed(), 1);
        let next = alice.send();
        bob.receive(&next);
        assert_eq!(bob.ratchet.epochs_completed(), 1);
    }
    in_every_profile!(check());
}

/// BR-5, B30: a changed ct1 shows in the MAC over the ciphertext, since nothing authenticates it earlier (BR-8).
#[test]
fn a_changed_ct1_shows_in_the_mac() {
    let (mut alice, mut bob) = pair::<Undertone>(4);
    let header = until(&mut alice, &mut bob, |header| is_chunk(header, 1, 2));
    bob.receive(&header);
    let ct1 = bob.send();
    let (_, change) = alice.stage(&spoiled(&ct1.0)).unwrap();
    alice.ratchet.apply(change, 0);
    let last = until(&mut bob, &mut alice, |header| is_chunk(header, 6, 4));
    alice.refuse(&last.0, Fault::BraidAuthentication);
    assert_eq!(alice.ratchet.epochs_completed(), 0);
    #[cfg(feature = "__internals")]
    {
        use crate::rule::{Rule, without};
        let (_, change) = without(Rule::Br3, || alice.stage(&last.0)).unwrap();
        alice.ratchet.apply(change, 0);
        assert_eq!(alice.ratchet.epochs_completed(), 1, "an epoch whose secret the peer does not have");
    }
}

/// BR-7, B30: a chunk that contradicts one held is refused while its part is incomplete, and ignored afterwards.
#[test]
fn contradictions_are_refused() {
    let (mut alice, mut bob) = pair::<Undertone>(5);
    let first = alice.send();
    bob.receive(&first);
    let second = alice.send();
    let contradiction = |chunk: &Chunk| {
        let bytes = [!chunk.bytes[0]; 32];
        BraidPayload::Hdr(Chunk { index: chunk.index, bytes })
    };
    let payload = contradiction(first.0.payload.chunk().unwrap());
    let contradicting = PostQuantumHeader { payload: payload.clone(), ..second.0.clone() };
    bob.refuse(&contradicting, Fault::BraidConflict);
    #[cfg(feature = "__internals")]
    {
        use crate::rule::{Rule, without};
        assert!(without(Rule::Br7, || bob.stage(&contradicting)).is_ok());
    }
    bob.receive(&second);
    let third = alice.send();
    bob.receive(&third);
    let fourth = alice.send();
    bob.stage(&PostQuantumHeader { payload, ..fourth.0.clone() }).unwrap();
}

/// BR-6, SP-1: only the epoch that is due is admitted; a payload that the state does not wait for changes nothing.
#[test]
fn epochs_out_of_range_are_refused() {
    let (mut alice, mut bob) = pair::<Undertone>(6);
    let (header, _) = alice.send();
    for (epoch, fault) in [(0, Fault::BraidDecode), (2, Fault::BraidEpoch), (u64::MAX, Fault::BraidEpoch)] {
        bob.refuse(&PostQuantumHeader { epoch, ..header.clone() }, fault);
    }
    for index in [0, u32::MAX] {
        assert!(bob.stage(&PostQuantumHeader { index, ..header.clone() }).is_err());
    }
    let before = bob.ratchet.epoch();
    for kind in [0, 2, 3, 4, 5, 6] {
        let chunk = Chunk { index: 0, bytes: [1; 32] };
        let chunk = (BraidPayload::has_chunk(kind) == Some(true)).then_some(chunk);
        let payload = BraidPayload::from_parts(kind, chunk).unwrap();
        let (_, change) =
            bob.stage(&PostQuantumHeader { payload, index: kind.into(), ..header.clone() }.at_least_one()).unwrap();
        bob.ratchet.apply(change, 0);
    }
    assert_eq!(bob.ratchet.epoch(), before);
    // The six messages took the indices 1 to 6: the braid goes on with the seventh.
    for _ in 0..6 {
        alice.send();
    }
    for _ in 0..3 {
        bob.receive(&alice.send());
    }
    assert_eq!(bob.send().0.payload.kind(), 5);
}

impl PostQuantumHeader {
    fn at_least_one(mut self) -> Self {
        self.index = if self.index == 0 { 1 } else { self.index };
        self
    }
}

/// BR-10: the acknowledgement without a chunk ends the sending of ct1, although no implementation sends it there.
#[test]
fn a_bare_acknowledgement_is_accepted() {
    let (mut alice, mut bob) = pair::<Undertone>(7);
    while bob.send().0.payload.kind() != 5 {
        bob.receive(&alice.send());
    }
    alice.receive(&bob.send());
    for _ in 0..36 {
        bob.receive(&alice.send());
    }
    assert_eq!(bob.send().0.payload.kind(), 5);
    let (header, _) = alice.send();
    let (_, change) = bob.stage(&PostQuantumHeader { payload: BraidPayload::Ct1Ack, ..header }).unwrap();
    bob.ratchet.apply(change, 0);
    bob.reload();
    assert!(is_chunk(&bob.send().0, 6, 0));
}

/// SP-11, DR-7, B31: the jump is bounded per message, and the steps per envelope over all attempts.
#[test]
fn jumps_are_bounded() {
    fn check<P: Profile>() {
        let (mut alice, bob) = pair::<P>(8);
        let (header, _) = alice.send();
        let at = |index| PostQuantumHeader { index, ..header.clone() };
        bob.refuse(&at(MAX_FORWARD_JUMP + 1), Fault::MessageTooFarAhead);
        let mut budget = StepBudget::full();
        assert!(bob.ratchet.receive(&at(MAX_FORWARD_JUMP), 0, &mut budget).is_ok());
        assert!(bob.ratchet.receive(&at(4_000), 0, &mut budget).is_ok());
        let third = bob.ratchet.receive(&at(1_001), 0, &mut budget).map(|_| ());
        assert_eq!(third, Err(Fault::MessageTooFarAhead.into()));
        let own = PostQuantumRatchet::<P>::responder(&Secret::new([0x2A; 32]), true);
        assert!(own.receive(&at(MAX_FORWARD_JUMP + 10_000), 0, &mut StepBudget::full()).is_ok());
    }
    in_every_profile!(check());
}

/// SP-5, DR-8, B31, B36: of the messages passed over the newest 2000 can still be read, once; the keys of older ones are gone.
#[test]
fn skipped_keys_are_bounded() {
    fn check<P: Profile>() {
        let (mut alice, mut bob) = pair::<P>(9);
        let mut messages: Vec<Message> = (0..MAX_SKIPPED_KEYS + 100).map(|_| alice.send()).collect();
        let last = messages.pop().unwrap();
        bob.receive(&messages[0]);
        bob.receive(&messages[50]);
        assert_eq!(bob.ratchet.skipped(), 49);
        bob.receive(&last);
        assert_eq!(bob.ratchet.skipped(), MAX_SKIPPED_KEYS);
        bob.reload();
        for (place, message) in messages.iter().enumerate() {
            if place < 99 {
                bob.refuse(&message.0, Fault::MessageDuplicate)
            } else if place % 97 == 0 {
                bob.receive(message)
            }
        }
        bob.refuse(&last.0, Fault::MessageDuplicate);
        bob.refuse(&messages[97 * 2].0, Fault::MessageDuplicate);
    }
    in_every_profile!(check());
}

/// SP-5, B36: a key passed over is given up once the chain is 2000 messages past it, however few keys are held.
#[test]
fn late_keys_are_given_up_by_their_place() {
    fn check<P: Profile>() {
        let (mut alice, mut bob) = pair::<P>(12);
        let (first, second) = (alice.send(), alice.send());
        for _ in 2..MAX_SKIPPED_KEYS + 1 {
            bob.receive(&alice.send());
        }
        assert!(bob.stage(&first.0).is_ok());
        bob.receive(&alice.send());
        bob.refuse(&first.0, Fault::MessageDuplicate);
        bob.receive(&second);
        assert_eq!(bob.ratchet.skipped(), 0);
    }
    in_every_profile!(check());
}

/// SP-1: a side that has encapsulated knows the epoch's chains, but takes no message of the next before it has sent all of ct2.
#[test]
fn an_epoch_is_not_left_early() {
    let (mut alice, mut bob) = pair::<Undertone>(13);
    let last = until(&mut alice, &mut bob, |header| is_chunk(header, 1, 2));
    bob.receive(&last);
    assert_eq!(bob.send().0.payload.kind(), 5);
    let early = PostQuantumHeader { epoch: 2, index: 1, payload: BraidPayload::None };
    bob.refuse(&early, Fault::BraidEpoch);
}

/// SP-5, SP-6, B36: once the next epoch is sent in, the record holds no sending chain of the one before, and of the peer's chains only
/// those of one epoch back.
#[test]
fn passed_epochs_are_forgotten() {
    let (mut alice, mut bob) = pair::<Undertone>(10);
    let late = alice.send();
    let mut later = Vec::new();
    while bob.ratchet.epoch() < 3 {
        bob.receive(&alice.send());
        alice.receive(&bob.send());
        later.push(alice.send());
    }
    bob.send();
    bob.refuse(&late.0, Fault::MessageDuplicate);
    bob.receive(later.last().unwrap());
    let of_the_epoch_before = later.iter().find(|message| message.0.epoch == 2).unwrap();
    bob.receive(of_the_epoch_before);
}

/// SP-6, BR-8: the side that encapsulates has the epoch's chains at once, and goes on sending in the epoch before until the peer, by its own first message of
/// the next epoch, shows that it verified the ciphertext.
#[test]
fn a_new_epoch_is_sent_in_once_the_peer_has_it() {
    let (mut alice, mut bob) = pair::<Undertone>(14);
    while alice.ratchet.epochs_completed() == 0 {
        let message = bob.send();
        assert_eq!(message.0.epoch, 1, "the key of epoch 1 would be of no use to the peer");
        alice.receive(&message);
        if alice.ratchet.epochs_completed() == 0 {
            bob.receive(&alice.send());
        }
    }
    assert_eq!(bob.ratchet.epochs_completed(), 1);
    assert_eq!(bob.send().0.epoch, 1, "the peer's answer is still under way");
    let answer = alice.send();
    assert_eq!(answer.0.epoch, 2);
    bob.receive(&answer);
    assert_eq!(bob.send().0.epoch, 2);
}

/// A record cut short anywhere, or one that contradicts itself, is refused.
#[test]
fn corrupt_records_are_refused() {
    let (mut alice, mut bob) = pair::<Undertone>(11);
    for _ in 0..90 {
        bob.receive(&alice.send());
        alice.receive(&bob.send());
        for record in [alice.record(), bob.record()] {
            for length in (0..record.len()).step_by(7) {
                let mut input = Reader::new(&record[..length], Fault::RecordCorrupt);
                let decoded = PostQuantumRatchet::<Undertone>::decode(&mut input).map(|_| ());
                assert_eq!(decoded, Err(Fault::RecordCorrupt.into()));
            }
        }
    }
    // The first byte tells the role, which decides whose turn it is to make the key.
    let mut record = alice.record();
    record[0] ^= 1;
    let decoded = PostQuantumRatchet::<Undertone>::decode(&mut Reader::new(&record, Fault::RecordCorrupt)).map(|_| ());
    assert_eq!(decoded, Err(Fault::RecordCorrupt.into()));
}
