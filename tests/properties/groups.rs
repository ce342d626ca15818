//! Groups: with rotation, epochs, loss, reordering, replay, corruption and restarts, a model foretells the outcome of every operation exactly.

use crate::corruption::corrupted;
use crate::device::START;
use crate::group_members::{Owner, Reader};
use crate::in_both_profiles;
use crate::schedule::{Rng, happens, on_schedules, one_of};
use crate::wire_profile::WireProfile;
use rand::{Rng as _, RngExt};
use std::collections::{BTreeMap, BTreeSet};
use undertone::ErrorKind;
use undertone::group::MAX_SENDER_KEYS;

in_both_profiles! {
    /// DR-6, DR-8: a member reads each message of every chain it holds exactly once, and nothing else.
    a_group_message_is_read_exactly_as_its_chains_allow;
}

const GROUPS: u8 = 2;

/// A chain of one owner, as the model names it.
type Chain = (usize, u8, u64);

#[derive(Clone)]
struct Message {
    chain: Chain,
    n: u32,
    bytes: Vec<u8>,
    plaintext: Vec<u8>,
}

#[derive(Clone)]
struct Distribution {
    chain: Chain,
    start: u32,
    bytes: Vec<u8>,
}

#[derive(Clone)]
enum Packet {
    Message(Message),
    Distribution(Distribution),
}

/// One who reads all owners, and what the model knows of it.
struct Member<P: WireProfile> {
    readers: Vec<Reader<P>>,
    /// By owner and group: the chains held and the first message of each, newest first.
    held: BTreeMap<(usize, u8), Vec<(Chain, u32)>>,
    ever_held: BTreeSet<Chain>,
    read: BTreeSet<(Chain, u32)>,
    waiting: Vec<Packet>,
    arrived: Vec<Packet>,
}

struct Group<P: WireProfile> {
    owners: Vec<Owner<P>>,
    epochs: BTreeMap<(usize, u8), u64>,
    members: Vec<Member<P>>,
    now: u64,
    read: u64,
    refused: u64,
}

fn a_group_message_is_read_exactly_as_its_chains_allow<P: WireProfile>() {
    let (mut read, mut refused) = (0, 0);
    on_schedules(60, |rng| {
        let mut group = Group::<P>::new(rng);
        for _ in 0..rng.random_range(50..250) {
            group.event(rng);
        }
        group.heal(rng);
        read += group.read;
        refused += group.refused;
    });
    println!("{}: {read} group messages read, {refused} refused as foretold", P::NAME);
}

impl<P: WireProfile> Group<P> {
    fn new(rng: &mut Rng) -> Self {
        let owners: Vec<Owner<P>> = (0..rng.random_range(1..4)).map(|user| Owner::new(user, rng)).collect();
        let members = (0..rng.random_range(1..4)).map(|_| Member {
            readers: owners.iter().map(Owner::reader).collect(),
            held: BTreeMap::new(),
            ever_held: BTreeSet::new(),
            read: BTreeSet::new(),
            waiting: Vec::new(),
            arrived: Vec::new(),
        });
        let members = members.collect();
        let mut group = Self { owners, epochs: BTreeMap::new(), members, now: START, read: 0, refused: 0 };
        for owner in 0..group.owners.len() {
            for id in 0..GROUPS {
                group.rotate(owner, id, rng);
            }
        }
        group
    }

    fn event(&mut self, rng: &mut Rng) {
        self.now += rng.random_range(0..60);
        let owner = rng.random_range(0..self.owners.len());
        let member = rng.random_range(0..self.members.len());
        let group = rng.random_range(0..GROUPS);
        match rng.random_range(0..100) {
            0..4 => self.rotate(owner, group, rng),
            4..10 => self.distribute(owner, group),
            10..35 => {
                for _ in 0..*one_of(&[1, 1, 5, 30], rng) {
                    self.send(owner, group, rng);
                }
            }
            35..75 => {
                for _ in 0..*one_of(&[1, 2, 20], rng) {
                    self.deliver(member, rng);
                }
            }
            75..80 => {
                let waiting = &mut self.members[member].waiting;
                if !waiting.is_empty() {
                    waiting.remove(rng.random_range(0..waiting.len()));
                }
            }
            80..88 => {
                if !self.members[member].arrived.is_empty() {
                    let packet = one_of(&self.members[member].arrived, rng).clone();
                    self.hand_in(member, &packet);
                }
            }
            88..95 => self.corrupt(member, rng),
            95..97 => self.owners[owner].restart(),
            _ => self.members[member].readers[owner].restart(),
        }
    }

    /// All that is under way arrives; then every owner reaches every member.
    fn heal(&mut self, rng: &mut Rng) {
        for owner in 0..self.owners.len() {
            for group in 0..GROUPS {
                self.distribute(owner, group);
            }
        }
        for member in 0..self.members.len() {
            while !self.members[member].waiting.is_empty() {
                self.deliver(member, rng);
            }
        }
        let before = self.read;
        for owner in 0..self.owners.len() {
            for group in 0..GROUPS {
                // An old chain's distribution may have come last and pushed the newest out.
                self.rotate(owner, group, rng);
                self.send(owner, group, rng);
            }
        }
        for member in 0..self.members.len() {
            while !self.members[member].waiting.is_empty() {
                let packet = self.members[member].waiting.remove(0);
                self.hand_in(member, &packet);
            }
        }
        assert_eq!(self.read - before, (self.owners.len() * usize::from(GROUPS) * self.members.len()) as u64);
    }

    fn rotate(&mut self, owner: usize, group: u8, rng: &mut Rng) {
        let epoch = self.epochs.entry((owner, group)).and_modify(|epoch| *epoch += 1).or_default();
        self.owners[owner].rotate(group, *epoch, self.now, rng);
        self.distribute(owner, group);
    }

    fn distribute(&mut self, owner: usize, group: u8) {
        let key = &self.owners[owner].keys[&group];
        let chain = (owner, group, self.epochs[&(owner, group)]);
        let packet = Packet::Distribution(Distribution { chain, start: key.sent(), bytes: key.distribution() });
        self.members.iter_mut().for_each(|member| member.waiting.push(packet.clone()));
    }

    fn send(&mut self, owner: usize, group: u8, rng: &mut Rng) {
        let mut plaintext = vec![0; rng.random_range(0..100)];
        rng.fill_bytes(&mut plaintext);
        let n = self.owners[owner].keys[&group].sent();
        let bytes = self.owners[owner].encrypt(group, &plaintext, rng);
        let packet =
            Packet::Message(Message { chain: (owner, group, self.epochs[&(owner, group)]), n, bytes, plaintext });
        self.members.iter_mut().for_each(|member| member.waiting.push(packet.clone()));
    }

    fn deliver(&mut self, member: usize, rng: &mut Rng) {
        let waiting = &mut self.members[member].waiting;
        if !waiting.is_empty() {
            let window = if happens(80, rng) { 4 } else { usize::MAX };
            let packet = waiting.remove(rng.random_range(0..waiting.len().min(window)));
            self.hand_in(member, &packet);
            self.members[member].arrived.push(packet);
        }
    }

    fn hand_in(&mut self, member: usize, packet: &Packet) {
        let now = self.now;
        let member = &mut self.members[member];
        match packet {
            Packet::Distribution(distribution) => member.take_in(distribution),
            Packet::Message(message) => {
                let foretold = member.foretell(message);
                let (owner, group, epoch) = message.chain;
                match member.readers[owner].read(&message.bytes, now) {
                    Ok(read) => {
                        assert_eq!(foretold, None, "a message was read that should have been refused");
                        assert!(read.plaintext == message.plaintext, "a message reads as another");
                        assert_eq!(read.number, message.n);
                        assert!(read.context == P::group(group, epoch), "a message is of another group or epoch");
                        member.read.insert((message.chain, message.n));
                        self.read += 1;
                    }
                    Err(error) => {
                        assert_eq!(foretold, Some(error.kind()), "{error}");
                        self.refused += 1;
                    }
                }
            }
        }
    }

    fn corrupt(&mut self, member: usize, rng: &mut Rng) {
        let member = &mut self.members[member];
        let pool = if rng.random() { &member.waiting } else { &member.arrived };
        if pool.is_empty() {
            return;
        }
        if let Packet::Message(message) = one_of(pool, rng).clone() {
            let bytes = corrupted(&message.bytes, rng);
            let result = member.readers[message.chain.0].read(&bytes, self.now);
            assert!(result.is_err(), "a corrupted group message was read");
        }
    }
}

impl<P: WireProfile> Member<P> {
    /// A session delivers a distribution once; the chain of one that was given up does not come again.
    fn take_in(&mut self, distribution: &Distribution) {
        let (owner, group, _) = distribution.chain;
        let held = self.held.entry((owner, group)).or_default();
        let position = held.iter().position(|(chain, _)| *chain == distribution.chain);
        if position.is_none() && !self.ever_held.insert(distribution.chain) {
            return;
        }
        self.readers[owner].process(&distribution.bytes).unwrap();
        match position {
            // Official clients move the chain to the front.
            Some(position) if P::REPLACES_CHAINS => held[..=position].rotate_right(1),
            Some(_) => {}
            None => {
                held.insert(0, (distribution.chain, distribution.start));
                held.truncate(MAX_SENDER_KEYS);
            }
        }
    }

    /// How a message is refused; `None` if it is read.
    fn foretell(&self, message: &Message) -> Option<ErrorKind> {
        let (owner, group, _) = message.chain;
        let held = self.held.get(&(owner, group)).into_iter().flatten();
        match held.clone().find(|(chain, _)| *chain == message.chain) {
            None => Some(ErrorKind::NoSenderKey),
            Some((_, start)) if message.n < *start => Some(ErrorKind::Duplicate),
            Some(_) if self.read.contains(&(message.chain, message.n)) => Some(ErrorKind::Duplicate),
            Some(_) => None,
        }
    }
}
