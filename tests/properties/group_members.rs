//! Those who take part in groups: owners of sender keys, and readers of what they send.

use crate::schedule::Rng;
use crate::wire_profile::WireProfile;
use std::collections::BTreeMap;
use undertone::group::{GroupPlaintext, ReceivedSenderKeys, SenderKey};
use undertone::profile::IdentityKeyPair;
use undertone::{Address, Result};

/// One who sends to groups.
pub struct Owner<P: WireProfile> {
    /// Where.
    pub address: Address,
    /// Under which identity.
    pub identity: P::IdentityKey,
    /// The own sender key of each group.
    pub keys: BTreeMap<u8, SenderKey<P>>,
}

impl<P: WireProfile> Owner<P> {
    /// A new owner without a sender key.
    pub fn new(user: usize, rng: &mut Rng) -> Self {
        let identity = P::IdentityKeyPair::generate(rng).unwrap().public().clone();
        Self { address: Address::new(P::account(user), 1).unwrap(), identity, keys: BTreeMap::new() }
    }

    /// A new sender key for the group's epoch; returns its distribution message.
    pub fn rotate(&mut self, group: u8, epoch: u64, now: u64, rng: &mut Rng) -> Vec<u8> {
        let key = SenderKey::create(P::group(group, epoch), &self.address, &self.identity, now, rng).unwrap();
        let distribution = key.distribution();
        self.keys.insert(group, key);
        distribution
    }

    /// Encrypts for a group.
    pub fn encrypt(&mut self, group: u8, plaintext: &[u8], rng: &mut Rng) -> Vec<u8> {
        self.keys.get_mut(&group).expect("the group has a sender key").encrypt(plaintext, rng).unwrap()
    }

    /// Ends the program and starts it again: the same state gives the same bytes.
    pub fn restart(&mut self) {
        for key in self.keys.values_mut() {
            let stored = key.to_bytes();
            *key = SenderKey::from_bytes(&stored).unwrap();
            assert!(key.to_bytes() == stored, "what was restored is stored in other bytes");
        }
    }

    /// One who has received nothing of this owner.
    pub fn reader(&self) -> Reader<P> {
        Reader {
            owner: self.address.clone(),
            identity: self.identity.clone(),
            keys: ReceivedSenderKeys::new(&self.address, &self.identity),
        }
    }
}

/// One who reads what one owner sends.
pub struct Reader<P: WireProfile> {
    owner: Address,
    identity: P::IdentityKey,
    /// The chains received.
    pub keys: ReceivedSenderKeys<P>,
}

impl<P: WireProfile> Reader<P> {
    /// Takes in a distribution message. DR-6: one that is refused changes nothing.
    pub fn process(&mut self, distribution: &[u8]) -> Result<()> {
        let before = self.keys.to_bytes();
        let result = self.keys.process_distribution(&self.owner, &self.identity, distribution).map(drop);
        if let Err(error) = &result {
            assert!(self.keys.to_bytes() == before, "a distribution that was refused with {error} changed the state");
        }
        result
    }

    /// Reads a message. DR-6: one that is refused changes nothing.
    pub fn read(&mut self, message: &[u8], now: u64) -> Result<GroupPlaintext> {
        let before = self.keys.to_bytes();
        let result = self.keys.decrypt(message, now);
        if let Err(error) = &result {
            assert!(self.keys.to_bytes() == before, "a group message that was refused with {error} changed the state");
        }
        result
    }

    /// Ends the program and starts it again: the same state gives the same bytes.
    pub fn restart(&mut self) {
        let stored = self.keys.to_bytes();
        self.restore(&stored);
        assert!(self.keys.to_bytes() == stored, "what was restored is stored in other bytes");
    }

    /// Puts back what was kept.
    pub fn restore(&mut self, stored: &[u8]) {
        self.keys = ReceivedSenderKeys::from_bytes(stored).unwrap();
    }
}
