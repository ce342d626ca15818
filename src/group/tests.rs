//! What holds for sender keys of both profiles.

use super::{
    GroupContext, GroupId, GroupProfile, MAX_SENDER_KEYS, ReceivedSenderKeys, SENDER_KEY_AGE, SENDER_KEY_MESSAGES,
    SenderKey,
};
use crate::profile::{IdentityKeyPair, Undertone};
use crate::wire::Address;
use core::cell::Cell;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rand_core::{TryCryptoRng, TryRng};

const NOW: u64 = 1_800_000_000;

/// An owner, a member, and a source of randomness.
struct World<P: GroupProfile> {
    owner: Address,
    identity: P::IdentityKey,
    rng: StdRng,
}

impl<P: GroupProfile> World<P> {
    fn new(seed: u64) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let identity = P::IdentityKeyPair::generate(&mut rng).unwrap().public().clone();
        Self { owner: Address::new("alice", 2).unwrap(), identity, rng }
    }

    fn sender(&mut self, group: u8) -> SenderKey<P> {
        SenderKey::create(context(group), &self.owner, &self.identity, NOW, &mut self.rng).unwrap()
    }

    fn reader(&self) -> ReceivedSenderKeys<P> {
        ReceivedSenderKeys::new(&self.owner, &self.identity)
    }

    fn pair(&mut self) -> (SenderKey<P>, ReceivedSenderKeys<P>) {
        let (sender, mut reader) = (self.sender(1), self.reader());
        self.hand_out(&sender, &mut reader);
        (sender, reader)
    }

    fn hand_out(&self, sender: &SenderKey<P>, reader: &mut ReceivedSenderKeys<P>) {
        reader.process_distribution(&self.owner, &self.identity, &sender.distribution()).unwrap();
    }
}

/// A context that both profiles can bind.
fn context(group: u8) -> GroupContext {
    GroupContext::new(GroupId::new([group; 16]).unwrap(), 0, [0; 32])
}

fn code<T: core::fmt::Debug>(result: crate::error::Result<T>) -> &'static str {
    result.unwrap_err().code()
}

/// Fails at one draw, the `fails_at`-th.
struct Failing<'a> {
    inner: &'a mut StdRng,
    fails_at: &'a Cell<i32>,
}

impl TryRng for Failing<'_> {
    type Error = core::fmt::Error;
    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        unreachable!("the crate draws bytes only")
    }
    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        unreachable!("the crate draws bytes only")
    }
    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Self::Error> {
        self.fails_at.set(self.fails_at.get() - 1);
        if self.fails_at.get() == -1 {
            return Err(core::fmt::Error);
        }
        self.inner.fill(out);
        Ok(())
    }
}

impl TryCryptoRng for Failing<'_> {}

/// DR-6, DR-7: any order and any loss, each message once; both records survive a round trip at every step.
fn loss_reorder_and_replay<P: GroupProfile>() {
    for seed in 0..8 {
        let mut world = World::<P>::new(seed);
        let (mut sender, mut reader) = world.pair();
        let mut sent: Vec<(u8, Vec<u8>)> = Vec::new();
        for number in 0..40u8 {
            sender = SenderKey::from_bytes(&sender.to_bytes()).unwrap();
            let length = world.rng.random_range(0..40);
            sent.push((number, sender.encrypt(&vec![number; length], &mut world.rng).unwrap()));
        }
        sent.shuffle(&mut world.rng);
        sent.truncate(30);
        for (number, message) in &sent {
            let before = reader.to_bytes();
            reader = ReceivedSenderKeys::from_bytes(&before).unwrap();
            assert_eq!(reader.to_bytes(), before);
            let read = reader.decrypt(message, NOW).unwrap();
            assert!(read.plaintext.iter().all(|byte| byte == number));
            assert_eq!((read.context, read.number), (context(1), u32::from(*number)));
        }
        let before = reader.to_bytes();
        for (_, message) in &sent {
            assert_eq!(code(reader.decrypt(message, NOW)), "message.duplicate");
        }
        assert_eq!(reader.to_bytes(), before);
    }
}

/// DR-6, B31: a message with any bit flipped is refused and changes nothing.
fn flipped_bits<P: GroupProfile>() {
    let mut world = World::<P>::new(11);
    let (mut sender, mut reader) = world.pair();
    sender.walk_to(3);
    let message = sender.encrypt(b"genuine", &mut world.rng).unwrap();
    let before = reader.to_bytes();
    for bit in 0..message.len() * 8 {
        let mut forged = message.clone();
        forged[bit / 8] ^= 1 << (bit % 8);
        assert!(reader.decrypt(&forged, NOW).is_err(), "bit {bit}");
        assert_eq!(reader.to_bytes(), before);
    }
    for length in 0..message.len() {
        assert!(reader.decrypt(&message[..length], NOW).is_err());
    }
    assert_eq!(reader.to_bytes(), before);
    assert_eq!(reader.decrypt(&message, NOW).unwrap().plaintext, b"genuine");
}

/// B18, PQ-26: a generator that fails at any draw gives an error and no half-made state.
fn failing_generator<P: GroupProfile>() {
    let mut world = World::<P>::new(12);
    let (owner, identity) = (world.owner.clone(), world.identity.clone());
    let fails_at = Cell::new(i32::MAX);
    let mut draws = 0;
    loop {
        fails_at.set(draws);
        let mut rng = Failing { inner: &mut world.rng, fails_at: &fails_at };
        match SenderKey::<P>::create(context(1), &owner, &identity, NOW, &mut rng) {
            Ok(_) => break,
            Err(error) => assert_eq!(error.code(), "random.failed"),
        }
        draws += 1;
    }
    assert!(draws >= 2);
    let (mut sender, mut reader) = world.pair();
    fails_at.set(0);
    let before = sender.to_bytes();
    let mut rng = Failing { inner: &mut world.rng, fails_at: &fails_at };
    assert_eq!(code(sender.encrypt(b"lost", &mut rng)), "random.failed");
    assert_eq!(sender.to_bytes(), before);
    let message = sender.encrypt(b"sent", &mut world.rng).unwrap();
    assert_eq!(reader.decrypt(&message, NOW).unwrap().number, 0);
}

/// DR-7, DR-8, B36: a jump has a bound, and so has what it leaves behind.
fn bounded_jumps<P: GroupProfile>() {
    let mut world = World::<P>::new(13);
    let (mut sender, mut reader) = world.pair();
    let mut first = SenderKey::<P>::from_bytes(&sender.to_bytes()).unwrap();
    let early: Vec<_> = [999, 1_000]
        .map(|n| {
            first.walk_to(n);
            first.encrypt(b"early", &mut world.rng).unwrap()
        })
        .into();
    sender.walk_to(25_001);
    let far = sender.encrypt(b"too far", &mut world.rng).unwrap();
    assert_eq!(code(reader.decrypt(&far, NOW)), "message.too_far_ahead");
    first.walk_to(3_000);
    let message = first.encrypt(b"jump", &mut world.rng).unwrap();
    reader.decrypt(&message, NOW).unwrap();
    assert_eq!(reader.skipped(), 2_000);
    assert_eq!(code(reader.decrypt(&early[0], NOW)), "message.duplicate");
    assert_eq!(reader.decrypt(&early[1], NOW).unwrap().number, 1_000);
    assert_eq!(reader.skipped(), 1_999);
    assert_eq!(reader.decrypt(&far, NOW).unwrap().number, 25_001);
    assert_eq!(reader.skipped(), 2_000);

    let (mut sender, mut reader) = world.pair();
    sender.walk_to(25_000);
    let message = sender.encrypt(b"just near enough", &mut world.rng).unwrap();
    assert_eq!(reader.decrypt(&message, NOW).unwrap().number, 25_000);
}

/// DR-8, B36: the native profile gives skipped keys up after seven days.
fn old_skipped_keys<P: GroupProfile>() {
    let mut world = World::<P>::new(14);
    let (mut sender, mut reader) = world.pair();
    let messages: Vec<_> = (0..4).map(|_| sender.encrypt(b"text", &mut world.rng).unwrap()).collect();
    reader.decrypt(&messages[2], NOW).unwrap();
    let later = NOW + 8 * 86_400;
    reader.decrypt(&messages[3], later).unwrap();
    match P::SKIPPED_KEY_AGE {
        Some(_) => assert_eq!(code(reader.decrypt(&messages[0], later)), "message.duplicate"),
        None => assert_eq!(reader.decrypt(&messages[0], later).unwrap().number, 0),
    }
}

/// DR-15, B35: the last message has a number below the ceiling.
fn the_ceiling<P: GroupProfile>() {
    let mut world = World::<P>::new(15);
    let (mut sender, mut reader) = (world.sender(1), world.reader());
    sender.jump_to(u32::MAX - 1);
    world.hand_out(&sender, &mut reader);
    let message = sender.encrypt(b"last", &mut world.rng).unwrap();
    assert_eq!(reader.decrypt(&message, NOW).unwrap().number, u32::MAX - 1);
    let before = sender.to_bytes();
    assert_eq!(code(sender.encrypt(b"one more", &mut world.rng)), "group.exhausted");
    assert_eq!(sender.to_bytes(), before);
    assert_eq!(code(reader.decrypt(&message, NOW)), "message.duplicate");
    assert_eq!(ReceivedSenderKeys::<P>::from_bytes(&reader.to_bytes()).unwrap().to_bytes(), reader.to_bytes());
}

/// A chain is readable from where it was handed out, and handing it out again rewinds nothing.
fn distributions<P: GroupProfile>() {
    let mut world = World::<P>::new(16);
    let (mut sender, mut reader, mut late) = (world.sender(1), world.reader(), world.reader());
    assert!(reader.is_empty());
    let early = sender.encrypt(b"early", &mut world.rng).unwrap();
    assert_eq!(code(reader.decrypt(&early, NOW)), "group.no_sender_key");
    let start = sender.distribution();
    world.hand_out(&sender, &mut reader);
    assert_eq!(code(reader.decrypt(&early, NOW)), "message.duplicate");
    let first = sender.encrypt(b"first", &mut world.rng).unwrap();
    reader.decrypt(&first, NOW).unwrap();
    let before = reader.to_bytes();
    for distribution in [&start, &sender.distribution()] {
        reader.process_distribution(&world.owner, &world.identity, distribution).unwrap();
        assert_eq!(reader.to_bytes(), before);
        assert_eq!(code(reader.decrypt(&first, NOW)), "message.duplicate");
    }
    world.hand_out(&sender, &mut late);
    assert_eq!(code(late.decrypt(&first, NOW)), "message.duplicate");
    let second = sender.encrypt(b"second", &mut world.rng).unwrap();
    assert_eq!(late.decrypt(&second, NOW).unwrap().number, 2);
    assert_eq!(reader.decrypt(&second, NOW).unwrap().number, 2);
}

/// B48: a distribution that another device brings is refused, and so is one under another identity key.
fn forwarded_distributions<P: GroupProfile>() {
    let mut world = World::<P>::new(17);
    let (sender, mut reader) = (world.sender(1), world.reader());
    let before = reader.to_bytes();
    let distribution = sender.distribution();
    for (name, device) in [("mallory", 2), ("alice", 1)] {
        let other = Address::new(name, device).unwrap();
        let result = reader.process_distribution(&other, &world.identity, &distribution);
        assert_eq!(code(result), "group.forwarded");
    }
    let other = P::IdentityKeyPair::generate(&mut world.rng).unwrap().public().clone();
    let result = reader.process_distribution(&world.owner, &other, &distribution);
    assert_eq!(code(result), "session.untrusted_identity");
    for length in 0..distribution.len() {
        assert!(reader.process_distribution(&world.owner, &world.identity, &distribution[..length]).is_err());
    }
    assert_eq!(reader.to_bytes(), before);
}

/// B36: five chains of a group are held; another group's are untouched, and closing and forgetting concerns one group.
fn bounded_chains<P: GroupProfile>() {
    let mut world = World::<P>::new(18);
    let mut reader = world.reader();
    let mut other = world.sender(2);
    world.hand_out(&other, &mut reader);
    let mut senders: Vec<_> = (0..=MAX_SENDER_KEYS).map(|_| world.sender(1)).collect();
    senders.iter().for_each(|sender| world.hand_out(sender, &mut reader));
    assert_eq!(reader.contexts().filter(|held| **held == context(1)).count(), MAX_SENDER_KEYS);
    let messages: Vec<_> = senders.iter_mut().map(|sender| sender.encrypt(b"text", &mut world.rng).unwrap()).collect();
    assert_eq!(code(reader.decrypt(&messages[0], NOW)), "group.no_sender_key");
    for message in &messages[1..] {
        reader.decrypt(message, NOW).unwrap();
    }
    let message = other.encrypt(b"text", &mut world.rng).unwrap();
    assert_eq!(reader.decrypt(&message, NOW).unwrap().context, context(2));

    reader.close_before(context(1).id(), 0);
    assert_eq!(reader.contexts().count(), MAX_SENDER_KEYS + 1);
    reader.close_before(context(1).id(), 1);
    assert_eq!(reader.contexts().collect::<Vec<_>>(), [&context(2)]);
    reader.forget_group(context(2).id());
    assert!(reader.is_empty());
}

/// D7: a chain asks to be replaced after so many messages, and after so many days.
fn rotation<P: GroupProfile>() {
    let mut world = World::<P>::new(19);
    let mut sender = world.sender(1);
    assert!(!sender.needs_rotation(NOW));
    assert!(!sender.needs_rotation(NOW - 1_000));
    assert!(!sender.needs_rotation(NOW + SENDER_KEY_AGE - 1));
    assert!(sender.needs_rotation(NOW + SENDER_KEY_AGE));
    sender.walk_to(SENDER_KEY_MESSAGES - 1);
    assert!(!sender.needs_rotation(NOW));
    sender.encrypt(b"text", &mut world.rng).unwrap();
    assert!(sender.needs_rotation(NOW));
    assert_eq!(sender.sent(), SENDER_KEY_MESSAGES);
}

/// A record that was cut, spoilt or belongs elsewhere is refused or is another valid record; it never panics.
fn spoilt_records<P: GroupProfile>() {
    let mut world = World::<P>::new(20);
    let (mut sender, mut reader) = world.pair();
    let messages: Vec<_> = (0..3).map(|_| sender.encrypt(b"text", &mut world.rng).unwrap()).collect();
    reader.decrypt(&messages[2], NOW).unwrap();
    let (own, received) = (sender.to_bytes(), reader.to_bytes());
    assert!(own.len() < 268 && received.len() < 348, "{} and {}", own.len(), received.len());
    for length in 0..own.len() {
        assert_eq!(code(SenderKey::<P>::from_bytes(&own[..length])), "record.corrupt");
    }
    for length in 0..received.len() {
        assert_eq!(code(ReceivedSenderKeys::<P>::from_bytes(&received[..length])), "record.corrupt");
    }
    assert_eq!(code(SenderKey::<P>::from_bytes(&[&own[..], &[0]].concat())), "record.corrupt");
    assert_eq!(code(ReceivedSenderKeys::<P>::from_bytes(&[&received[..], &[0]].concat())), "record.corrupt");
    assert_eq!(code(SenderKey::<P>::from_bytes(&received)), "record.corrupt");
    assert_eq!(code(ReceivedSenderKeys::<P>::from_bytes(&own)), "record.corrupt");
    for position in [1, 2] {
        let (mut own, mut received) = (own.clone(), received.clone());
        own[position] ^= 0x10;
        received[position] ^= 0x10;
        assert_eq!(code(SenderKey::<P>::from_bytes(&own)), "record.version");
        assert_eq!(code(ReceivedSenderKeys::<P>::from_bytes(&received)), "record.version");
    }
    for position in 0..received.len() {
        let mut spoilt = received.clone();
        spoilt[position] ^= 1 << (position % 8);
        if let Ok(read) = ReceivedSenderKeys::<P>::from_bytes(&spoilt) {
            assert_eq!(read.to_bytes(), spoilt, "byte {position}");
        }
    }
    for position in 0..own.len() {
        let mut spoilt = own.clone();
        spoilt[position] ^= 1 << (position % 8);
        if let Ok(read) = SenderKey::<P>::from_bytes(&spoilt) {
            assert_eq!(read.to_bytes(), spoilt, "byte {position}");
        }
    }
}

/// Nothing that is printed holds a key or a plaintext.
fn printed_forms<P: GroupProfile>() {
    let mut world = World::<P>::new(21);
    let (mut sender, mut reader) = world.pair();
    let message = sender.encrypt(b"secret text", &mut world.rng).unwrap();
    let read = reader.decrypt(&message, NOW).unwrap();
    let printed = format!("{sender:?} {reader:?} {read:?}");
    assert!(!printed.contains("secret") && !printed.contains("alice") && !printed.contains("115, 101"), "{printed}");
}

macro_rules! of_both_profiles {
    ($($name:ident)*) => {
        mod undertone { $(#[test] fn $name() { super::$name::<super::Undertone>(); })* }
        #[cfg(feature = "signal")]
        mod signal { $(#[test] fn $name() { super::$name::<crate::profile::Signal>(); })* }
    };
}

of_both_profiles! {
    loss_reorder_and_replay flipped_bits failing_generator bounded_jumps old_skipped_keys the_ceiling distributions
    forwarded_distributions bounded_chains rotation spoilt_records printed_forms
}

/// B45: a chain held under one context does not become another's; the contradiction is refused.
#[test]
fn a_contradiction_is_refused_natively() {
    let mut world = World::<Undertone>::new(22);
    let (sender, mut reader) = world.pair();
    let before = reader.to_bytes();
    let distribution = sender.distribution();
    let epoch = 1 + 1 + 16 + 7;
    let membership = epoch + 1;
    let signing_key = distribution.len() - 32;
    for position in [2, epoch, membership, signing_key - 32] {
        let mut other = distribution.clone();
        other[position] ^= 1;
        let result = reader.process_distribution(&world.owner, &world.identity, &other);
        assert_eq!(code(result), "group.conflict", "byte {position}");
    }
    let mut other = distribution.clone();
    other[signing_key..].copy_from_slice(world.identity.as_bytes());
    assert_eq!(code(reader.process_distribution(&world.owner, &world.identity, &other)), "group.conflict");
    assert_eq!(reader.to_bytes(), before);
}
