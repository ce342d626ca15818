//! Alice, who writes to a group, and what her readers hold.

use rand::SeedableRng;
use rand::rngs::StdRng;
use undertone::profile::{IdentityKeyPair, Undertone, UndertoneIdentityKey, UndertoneIdentityKeyPair};
use undertone::{Address, GroupContext, GroupId, ReceivedSenderKeys, SenderKey};

pub const NOW: u64 = 1_800_000_000;

pub struct Alice {
    pub address: Address,
    pub identity: UndertoneIdentityKey,
    pub rng: StdRng,
}

impl Alice {
    pub fn new() -> Self {
        let mut rng = StdRng::seed_from_u64(7);
        let identity = UndertoneIdentityKeyPair::generate(&mut rng).unwrap().public().clone();
        Self { address: Address::new("alice", 1).unwrap(), identity, rng }
    }

    pub fn sender_key(&mut self) -> SenderKey<Undertone> {
        SenderKey::create(context(5), &self.address, &self.identity, NOW, &mut self.rng).unwrap()
    }

    /// What a member holds of Alice's after her distribution has come.
    pub fn reader(&self, distribution: &[u8]) -> ReceivedSenderKeys<Undertone> {
        let mut reader = ReceivedSenderKeys::new(&self.address, &self.identity);
        reader.process_distribution(&self.address, &self.identity, distribution).unwrap();
        reader
    }
}

pub fn context(epoch: u64) -> GroupContext {
    GroupContext::new(GroupId::new("group").unwrap(), epoch, [3; 32])
}

pub fn code<T>(result: undertone::Result<T>) -> &'static str {
    result.err().map_or("no error", |error| error.code())
}
