//! The numbered streams from and to another device: what it has, what this device has of it, and what is missing (I2, I3).
//!
//! Every message between two devices carries its number in its sender's stream. The receiver sees by it what it has already and what it lacks; the
//! sender keeps a message until the other side says that it has it.

use super::own_device::random_number;
use super::record_names;
use super::transaction::Transaction;
use crate::error::{Fault, Result};
use crate::wire::{Address, Reader, Writer};

const VERSION: u8 = 1;
/// How many streams of one device are remembered: a device begins a new one when it lost its state.
const STREAMS: usize = 4;
/// How many separate stretches beyond a gap are remembered; with more of them, the oldest gap is given up.
const STRETCHES: usize = 64;
/// How many messages are kept for resending to one device.
pub(super) const KEPT_FOR_RESENDING: u64 = 1_000;

/// What is known of the traffic with another device.
pub(super) struct Peer {
    pub(super) address: Address,
    /// This device's stream to it.
    pub(super) stream: u64,
    /// The number of the next message in it.
    pub(super) next: u64,
    /// Up to where the other device has it.
    pub(super) acknowledged: u64,
    /// The other device's streams, newest first.
    pub(super) streams: Vec<Incoming>,
    /// When the newest session with it began, in seconds.
    pub(super) began: u64,
    pub(super) repair: Repair,
}

/// One stream of another device.
pub(super) struct Incoming {
    pub(super) stream: u64,
    /// All up to this one are here.
    pub(super) up_to: u64,
    /// What is here beyond the first gap: disjoint, ascending, both ends included.
    beyond: Vec<(u64, u64)>,
}

/// What was done lately to mend the traffic with a device.
#[derive(Clone, Copy, Default)]
pub(super) struct Repair {
    /// When missing messages were last asked for, in seconds, and how often in a row.
    pub(super) asked: u64,
    pub(super) asks: u32,
    /// When a new session was last begun because the old one seemed broken, and how often in a row.
    pub(super) renewed: u64,
    pub(super) renewals: u32,
    /// When the other device was last sent messages again.
    pub(super) answered: u64,
    /// Since when a gap is watched, in seconds; 0 if there is none.
    pub(super) watched: u64,
    /// Messages in its sessions that did not authenticate since the last one that did.
    pub(super) failures: u32,
}

impl Peer {
    pub(super) fn new(address: Address) -> Result<Self> {
        let stream = random_number()?;
        Ok(Self { address, stream, next: 1, acknowledged: 0, streams: Vec::new(), began: 0, repair: Repair::default() })
    }

    /// Notes message `sequence` of `stream`; false if it is here already.
    pub(super) fn note(&mut self, stream: u64, sequence: u64) -> bool {
        let position = match self.streams.iter().position(|incoming| incoming.stream == stream) {
            Some(position) => position,
            None => {
                self.streams.insert(0, Incoming { stream, up_to: 0, beyond: Vec::new() });
                self.streams.truncate(STREAMS);
                0
            }
        };
        self.streams.get_mut(position).is_some_and(|incoming| incoming.note(sequence))
    }

    /// The stream that the other device writes now, and up to where it is here.
    pub(super) fn newest(&self) -> Option<&Incoming> {
        self.streams.first()
    }

    /// The numbers of the messages that are kept until the other device has them.
    pub(super) fn kept_for_resending(&self) -> core::ops::Range<u64> {
        self.next.saturating_sub(KEPT_FOR_RESENDING).max(self.acknowledged.saturating_add(1))..self.next
    }

    /// Gives up what is missing in the newest stream; returns how many messages that were.
    pub(super) fn give_up(&mut self) -> u64 {
        let Some(incoming) = self.streams.first_mut() else { return 0 };
        let missing = incoming.missing();
        if let Some((_, last)) = incoming.beyond.pop() {
            incoming.up_to = last;
            incoming.beyond.clear();
        }
        missing.iter().map(|(from, to)| to - from + 1).sum()
    }

    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut out = Writer::with_capacity(256);
        out.u8(VERSION);
        self.address.encode(&mut out);
        out.u64(self.stream).u64(self.next).u64(self.acknowledged).u64(self.began);
        let repair = &self.repair;
        out.u64(repair.asked).u32(repair.asks).u64(repair.renewed).u32(repair.renewals);
        out.u64(repair.answered).u64(repair.watched).u32(repair.failures);
        out.u16(length(&self.streams));
        for incoming in &self.streams {
            out.u64(incoming.stream).u64(incoming.up_to).u16(length(&incoming.beyond));
            for (from, to) in &incoming.beyond {
                out.u64(*from).u64(*to);
            }
        }
        out.into_vec()
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let mut input = Reader::new(bytes, Fault::RecordCorrupt);
        if input.u8()? != VERSION {
            return Err(Fault::RecordVersion.into());
        }
        let address = Address::decode(&mut input)?;
        let (stream, next, acknowledged, began) = (input.u64()?, input.u64()?, input.u64()?, input.u64()?);
        let repair = Repair {
            asked: input.u64()?,
            asks: input.u32()?,
            renewed: input.u64()?,
            renewals: input.u32()?,
            answered: input.u64()?,
            watched: input.u64()?,
            failures: input.u32()?,
        };
        let mut streams = Vec::new();
        for _ in 0..input.u16()? {
            let (stream, up_to) = (input.u64()?, input.u64()?);
            let mut beyond = Vec::new();
            for _ in 0..input.u16()? {
                beyond.push((input.u64()?, input.u64()?));
            }
            streams.push(Incoming { stream, up_to, beyond });
        }
        input.finish()?;
        Ok(Self { address, stream, next, acknowledged, streams, began, repair })
    }
}

impl Incoming {
    fn note(&mut self, sequence: u64) -> bool {
        if sequence <= self.up_to || self.beyond.iter().any(|(from, to)| (*from..=*to).contains(&sequence)) {
            return false;
        }
        let position = self.beyond.partition_point(|(from, _)| *from < sequence);
        self.beyond.insert(position, (sequence, sequence));
        self.join();
        while self.beyond.len() > STRETCHES {
            let (_, to) = self.beyond.remove(0);
            self.up_to = to;
            self.join();
        }
        true
    }

    /// Joins stretches that touch each other, and the first one with what is complete.
    fn join(&mut self) {
        let mut joined: Vec<(u64, u64)> = Vec::with_capacity(self.beyond.len());
        for (from, to) in self.beyond.drain(..) {
            match joined.last_mut() {
                Some(last) if from <= last.1.saturating_add(1) => last.1 = last.1.max(to),
                _ if from <= self.up_to.saturating_add(1) => self.up_to = self.up_to.max(to),
                _ => joined.push((from, to)),
            }
        }
        self.beyond = joined;
    }

    /// The number after the greatest that is here.
    pub(super) fn next(&self) -> u64 {
        self.beyond.last().map_or(self.up_to, |(_, to)| *to).saturating_add(1)
    }

    /// The gaps, both ends included.
    pub(super) fn missing(&self) -> Vec<(u64, u64)> {
        let mut gaps = Vec::new();
        let mut next = self.up_to.saturating_add(1);
        for (from, to) in &self.beyond {
            gaps.push((next, from.saturating_sub(1)));
            next = to.saturating_add(1);
        }
        gaps
    }
}

fn length<T>(items: &[T]) -> u16 {
    u16::try_from(items.len()).unwrap_or(u16::MAX)
}

impl Transaction<'_> {
    /// What is known of the traffic with `device`; begun if nothing is.
    pub(super) async fn peer(&mut self, device: &Address) -> Result<Peer> {
        match self.get(&record_names::peer(device)).await? {
            Some(bytes) => Peer::from_bytes(&bytes),
            None => Peer::new(device.clone()),
        }
    }

    pub(super) fn put_peer(&mut self, peer: &Peer) {
        self.put(record_names::peer(&peer.address), peer.to_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn peer() -> Peer {
        Peer::new(Address::new("bob", 1).unwrap()).unwrap()
    }

    proptest! {
        /// I3: in any order and with any repetition, a number is new once, and what is missing is what did not come.
        #[test]
        fn a_number_is_new_once(numbers in proptest::collection::vec(1u64..60, 1..200)) {
            let (mut peer, mut seen) = (peer(), BTreeSet::new());
            for number in numbers {
                prop_assert_eq!(peer.note(7, number), seen.insert(number));
                peer = Peer::from_bytes(&peer.to_bytes()).unwrap();
                let last = *seen.last().unwrap();
                let missing: Vec<u64> = peer.newest().unwrap().missing().iter().flat_map(|(from, to)| *from..=*to).collect();
                let expected: Vec<u64> = (1..last).filter(|number| !seen.contains(number)).collect();
                prop_assert_eq!(missing, expected);
            }
        }
    }

    #[test]
    fn what_is_given_up_is_counted_and_not_missing_any_more() {
        let mut peer = peer();
        for number in [1, 4, 9] {
            assert!(peer.note(7, number));
        }
        assert_eq!(peer.give_up(), 2 + 4);
        assert_eq!(peer.newest().map(|incoming| incoming.up_to), Some(9));
        assert!(!peer.note(7, 5), "what was given up comes too late");
    }

    #[test]
    fn gaps_without_end_are_bounded() {
        let mut peer = peer();
        for number in 1..1_000 {
            assert!(peer.note(7, number * 2));
        }
        assert!(peer.newest().unwrap().missing().len() <= STRETCHES);
        for stream in 8..20 {
            assert!(peer.note(stream, 1));
        }
        assert_eq!(peer.streams.len(), STREAMS);
    }
}
