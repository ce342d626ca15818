//! One device: what it keeps, and its operations, each checked for what every operation has to hold to.

use crate::schedule::Rng;
use crate::wire_profile::WireProfile;
use rand::SeedableRng;
use std::collections::BTreeMap;
use undertone::handshake::{FirstMessage, HandshakePolicy, LocalDevice};
use undertone::profile::IdentityKeyPair;
use undertone::{
    Address, Decrypted, Envelope, EnvelopeKind, PrekeyBundle, Prekeys, Result, SessionRecord, TrustedIdentity,
};

/// A device and all that it keeps.
pub struct Device<P: WireProfile> {
    /// The private identity key.
    pub identity: P::IdentityKeyPair,
    /// Where the device is reached.
    pub address: Address,
    /// The private prekeys.
    pub prekeys: Prekeys<P>,
    /// The session records, by peer.
    pub sessions: BTreeMap<Address, SessionRecord<P>>,
    /// The identity keys seen first.
    pub pins: BTreeMap<Address, P::IdentityKey>,
}

/// The stored form of what an operation may change.
#[derive(Clone, PartialEq, Eq)]
pub struct Stored {
    sessions: BTreeMap<Address, Vec<u8>>,
    prekeys: Vec<u8>,
}

impl<P: WireProfile> Device<P> {
    /// A new device of `user`.
    pub fn new(user: usize, now: u64, rng: &mut Rng) -> Self {
        Self::of_account(P::IdentityKeyPair::generate(rng).unwrap(), P::account(user), 1, now, rng)
    }

    /// A new device of an account that has an identity key.
    pub fn of_account(identity: P::IdentityKeyPair, name: String, device: u8, now: u64, rng: &mut Rng) -> Self {
        let address = Address::new(name, device).unwrap();
        let local = LocalDevice { identity: &identity, address: &address, registration_id: 7 };
        let prekeys = Prekeys::generate(&local, now, rng).unwrap();
        Self { prekeys, identity, address, sessions: BTreeMap::new(), pins: BTreeMap::new() }
    }

    /// A bundle to hand out, with one-time prekeys of its own or none.
    pub fn bundle(&mut self, one_time: bool, now: u64, rng: &mut Rng) -> PrekeyBundle<P> {
        let local = LocalDevice { identity: &self.identity, address: &self.address, registration_id: 7 };
        if one_time {
            self.prekeys.add_one_time(&local, 1, now, rng).unwrap();
        }
        self.prekeys.bundle(&local, one_time).unwrap()
    }

    /// Replaces the signed and the last-resort prekey.
    pub fn rotate_prekeys(&mut self, now: u64, rng: &mut Rng) {
        let local = LocalDevice { identity: &self.identity, address: &self.address, registration_id: 7 };
        self.prekeys.rotate(&local, now, rng).unwrap();
        self.prekeys.erase_expired(now);
    }

    /// Begins a session with the device that published `bundle`. On an error nothing has changed.
    pub fn begin(&mut self, bundle: &PrekeyBundle<P>, now: u64, rng: &mut Rng) -> Result<()> {
        let peer = bundle.address.clone();
        self.begin_with(&peer, bundle, now, rng)
    }

    /// Begins a session with `peer` from a bundle that may be another's.
    pub fn begin_with(&mut self, peer: &Address, bundle: &PrekeyBundle<P>, now: u64, rng: &mut Rng) -> Result<()> {
        let local = LocalDevice { identity: &self.identity, address: &self.address, registration_id: 7 };
        let trusted = self.pins.get(peer).map_or(TrustedIdentity::FirstUse, TrustedIdentity::Pinned);
        let mut fresh = None;
        let record = match self.sessions.get_mut(peer) {
            Some(record) => record,
            None => fresh.insert(SessionRecord::new(&local, peer.clone())?),
        };
        let before = record.to_bytes();
        let begun = record.initiate(&local, bundle, &trusted, HandshakePolicy::default(), now, rng);
        if begun.is_err() {
            assert!(record.to_bytes() == before, "a bundle that was refused changed the record");
        }
        begun?;
        if let Some(record) = fresh {
            self.sessions.insert(peer.clone(), record);
        }
        self.pins.insert(peer.clone(), bundle.identity.clone());
        Ok(())
    }

    /// Encrypts for `peer`. On an error nothing has changed.
    pub fn encrypt(&mut self, peer: &Address, plaintext: &[u8], now: u64, rng: &mut Rng) -> Result<Envelope> {
        let local = LocalDevice { identity: &self.identity, address: &self.address, registration_id: 7 };
        let trusted = self.pins.get(peer).map_or(TrustedIdentity::FirstUse, TrustedIdentity::Pinned);
        let record = self.sessions.get_mut(peer).expect("a session was begun");
        record.encrypt(&local, plaintext, &trusted, now, rng)
    }

    /// Decrypts what came from `peer`. The caller compares what is stored before and after.
    pub fn decrypt(&mut self, peer: &Address, kind: EnvelopeKind, bytes: &[u8], now: u64) -> Result<Decrypted<P>> {
        let local = LocalDevice { identity: &self.identity, address: &self.address, registration_id: 7 };
        let trusted = self.pins.get(peer).map_or(TrustedIdentity::FirstUse, TrustedIdentity::Pinned);
        let mut fresh = None;
        let record = match self.sessions.get_mut(peer) {
            Some(record) => record,
            None => fresh.insert(SessionRecord::new(&local, peer.clone())?),
        };
        let decrypted = match kind {
            EnvelopeKind::Message => record.decrypt(&local, bytes, &trusted, now)?,
            EnvelopeKind::First => {
                let first = FirstMessage::open(&local, bytes, &self.prekeys)?;
                record.accept(&local, &first, &mut self.prekeys, &trusted, HandshakePolicy::default(), now)?
            }
        };
        if let Some(record) = fresh {
            self.sessions.insert(peer.clone(), record);
        }
        self.pins.insert(peer.clone(), decrypted.sender.clone());
        Ok(decrypted)
    }

    /// DR-6: [`decrypt`](Self::decrypt), and if it fails, the proof that nothing has changed.
    pub fn decrypt_checked(
        &mut self,
        peer: &Address,
        kind: EnvelopeKind,
        bytes: &[u8],
        now: u64,
    ) -> Result<Decrypted<P>> {
        let before = self.store();
        let result = self.decrypt(peer, kind, bytes, now);
        if let Err(error) = &result {
            assert!(self.store() == before, "a message that was refused with {error} changed the state");
        }
        result
    }

    /// What the device keeps, as bytes.
    pub fn store(&self) -> Stored {
        let sessions = self.sessions.iter().map(|(peer, record)| (peer.clone(), record.to_bytes())).collect();
        Stored { sessions, prekeys: self.prekeys.to_bytes() }
    }

    /// Puts back what was kept.
    pub fn restore(&mut self, stored: &Stored) {
        let read = |(peer, bytes): (&Address, &Vec<u8>)| (peer.clone(), SessionRecord::from_bytes(bytes).unwrap());
        self.sessions = stored.sessions.iter().map(read).collect();
        self.prekeys = Prekeys::from_bytes(&stored.prekeys).unwrap();
    }

    /// Ends the program and starts it again from what was kept: the same state gives the same bytes.
    pub fn restart(&mut self) {
        let stored = self.store();
        self.restore(&stored);
        assert!(self.store() == stored, "what was restored is stored in other bytes");
    }

    /// A second device in the same state, read from what this one would store.
    pub fn twin(&self) -> Self {
        let mut twin = Self {
            identity: P::IdentityKeyPair::from_bytes(&*self.identity.to_bytes()).unwrap(),
            address: self.address.clone(),
            prekeys: Prekeys::from_bytes(&self.prekeys.to_bytes()).unwrap(),
            sessions: BTreeMap::new(),
            pins: self.pins.clone(),
        };
        twin.restore(&self.store());
        twin
    }

    /// How many post-quantum epochs the current session with `peer` has completed.
    pub fn epoch(&self, peer: &Address) -> u64 {
        self.status(peer).post_quantum_epoch
    }

    /// What the current session with `peer` is.
    pub fn status(&self, peer: &Address) -> undertone::SessionStatus {
        self.sessions[peer].status().expect("there is a current session")
    }
}

/// Two devices in an answered session, with a generator of their own.
pub struct Pair<P: WireProfile> {
    /// The one that began.
    pub alice: Device<P>,
    /// The one that accepted.
    pub bob: Device<P>,
    /// The time, in seconds.
    pub now: u64,
    /// Everything random.
    pub rng: Rng,
}

/// When every schedule begins, in seconds since 1970.
pub const START: u64 = 1_800_000_000;

impl<P: WireProfile> Pair<P> {
    /// Two devices that know nothing of each other.
    pub fn strangers(seed: u64) -> Self {
        let mut rng = Rng::seed_from_u64(seed);
        let alice = Device::new(1, START, &mut rng);
        let bob = Device::new(2, START, &mut rng);
        Self { alice, bob, now: START, rng }
    }

    /// Two devices, the first of which has begun a session that was not answered.
    pub fn begun(seed: u64) -> Self {
        let mut pair = Self::strangers(seed);
        let bundle = pair.bob.bundle(true, pair.now, &mut pair.rng);
        pair.alice.begin(&bundle, pair.now, &mut pair.rng).unwrap();
        pair
    }

    /// Two devices in a session that was answered.
    pub fn answered(seed: u64) -> Self {
        let mut pair = Self::begun(seed);
        pair.exchange();
        pair
    }

    /// One message each way.
    pub fn exchange(&mut self) {
        let hello = self.alice_says(b"hello");
        self.bob_reads(&hello).unwrap();
        let answer = self.bob_says(b"answer");
        self.alice_reads(&answer).unwrap();
    }

    /// Alice encrypts.
    pub fn alice_says(&mut self, plaintext: &[u8]) -> Envelope {
        self.alice.encrypt(&self.bob.address, plaintext, self.now, &mut self.rng).unwrap()
    }

    /// Bob encrypts.
    pub fn bob_says(&mut self, plaintext: &[u8]) -> Envelope {
        self.bob.encrypt(&self.alice.address, plaintext, self.now, &mut self.rng).unwrap()
    }

    /// Alice decrypts.
    pub fn alice_reads(&mut self, envelope: &Envelope) -> Result<Vec<u8>> {
        let from = &self.bob.address;
        self.alice.decrypt_checked(from, envelope.kind, &envelope.bytes, self.now).map(|read| read.plaintext)
    }

    /// Bob decrypts.
    pub fn bob_reads(&mut self, envelope: &Envelope) -> Result<Vec<u8>> {
        let from = &self.alice.address;
        self.bob.decrypt_checked(from, envelope.kind, &envelope.bytes, self.now).map(|read| read.plaintext)
    }
}
