//! Two devices that hold a session, in either profile, and all that an attacker can do to the bytes between them.

use rand::SeedableRng;
use rand::rngs::StdRng;
use undertone::handshake::{FirstMessage, HandshakePolicy, HandshakeProfile, LocalDevice};
use undertone::profile::IdentityKeyPair;
use undertone::{
    Address, Decrypted, Envelope, EnvelopeKind, Prekeys, Result, SessionRecord, TrustedIdentity, Undertone,
};

pub const NOW: u64 = 1_800_000_000;
pub const DAY: u64 = 86_400;

/// Names that are addresses in both profiles.
pub const ALICE: &str = "9d0652a3-dcc3-4d11-975f-74d61598733f";
pub const BOB: &str = "796abedb-ca4e-4f18-8803-1fde5b921f9f";
pub const CAROL: &str = "0b0a1a2f-6a3c-4d6a-9c5e-8f5d1b2a3c4d";

/// One device and what it keeps about one peer.
pub struct Person<P: HandshakeProfile = Undertone> {
    pub identity: P::IdentityKeyPair,
    pub address: Address,
    pub prekeys: Prekeys<P>,
    pub record: SessionRecord<P>,
    pub rng: StdRng,
    pub now: u64,
}

impl<P: HandshakeProfile> Person<P> {
    pub fn new(name: &str, device: u8, peer: &Address, seed: u64) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let identity = P::IdentityKeyPair::generate(&mut rng).unwrap();
        let address = Address::new(name, device).unwrap();
        let local = LocalDevice { identity: &identity, address: &address, registration_id: 77 };
        let mut prekeys = Prekeys::generate(&local, NOW, &mut rng).unwrap();
        prekeys.add_one_time(&local, 1, NOW, &mut rng).unwrap();
        let record = SessionRecord::new(&local, peer.clone()).unwrap();
        Self { identity, address, prekeys, record, rng, now: NOW }
    }

    pub fn local(&self) -> LocalDevice<'_, P> {
        LocalDevice { identity: &self.identity, address: &self.address, registration_id: 77 }
    }

    /// Begins a session with `peer`, with its one-time prekeys.
    pub fn begin(&mut self, peer: &Self) -> Result<()> {
        let bundle = peer.prekeys.bundle(&peer.local(), true)?;
        let local = LocalDevice { identity: &self.identity, address: &self.address, registration_id: 77 };
        let trusted = TrustedIdentity::FirstUse;
        self.record.initiate(&local, &bundle, &trusted, HandshakePolicy::default(), self.now, &mut self.rng)?;
        Ok(())
    }

    pub fn write(&mut self, text: &[u8]) -> Result<Envelope> {
        let local = LocalDevice { identity: &self.identity, address: &self.address, registration_id: 77 };
        self.record.encrypt(&local, text, &TrustedIdentity::FirstUse, self.now, &mut self.rng)
    }

    pub fn read(&mut self, envelope: &Envelope) -> Result<Decrypted<P>> {
        self.read_as(envelope.kind, &envelope.bytes)
    }

    pub fn read_as(&mut self, kind: EnvelopeKind, bytes: &[u8]) -> Result<Decrypted<P>> {
        let local = LocalDevice { identity: &self.identity, address: &self.address, registration_id: 77 };
        let trusted = TrustedIdentity::FirstUse;
        match kind {
            EnvelopeKind::Message => self.record.decrypt(&local, bytes, &trusted, self.now),
            EnvelopeKind::First => {
                let first = FirstMessage::open(&local, bytes, &self.prekeys)?;
                let policy = HandshakePolicy::default();
                self.record.accept(&local, &first, &mut self.prekeys, &trusted, policy, self.now)
            }
        }
    }

    /// All that the device would store.
    pub fn state(&self) -> (Vec<u8>, Vec<u8>) {
        (self.record.to_bytes(), self.prekeys.to_bytes())
    }

    /// Goes back, or forward, to what was stored.
    pub fn restore(&mut self, state: &(Vec<u8>, Vec<u8>)) {
        self.record = SessionRecord::from_bytes(&state.0).unwrap();
        self.prekeys = Prekeys::from_bytes(&state.1).unwrap();
    }
}

/// Two strangers; Alice knows where to find Bob's bundle.
pub fn strangers<P: HandshakeProfile>(seed: u64) -> (Person<P>, Person<P>) {
    let (alice, bob) = (Address::new(ALICE, 1).unwrap(), Address::new(BOB, 1).unwrap());
    (Person::new(ALICE, 1, &bob, seed), Person::new(BOB, 1, &alice, seed + 1))
}

/// Two that have exchanged a message each: neither sends first messages any more.
pub fn acquainted<P: HandshakeProfile>(seed: u64) -> (Person<P>, Person<P>) {
    let (mut alice, mut bob) = strangers(seed);
    alice.begin(&bob).unwrap();
    round(&mut alice, &mut bob);
    (alice, bob)
}

/// One writes, the other answers.
pub fn round<P: HandshakeProfile>(one: &mut Person<P>, other: &mut Person<P>) {
    let sent = one.write(b"ping").unwrap();
    assert_eq!(other.read(&sent).unwrap().plaintext, b"ping");
    let sent = other.write(b"pong").unwrap();
    assert_eq!(one.read(&sent).unwrap().plaintext, b"pong");
}

pub fn code<T>(result: Result<T>) -> &'static str {
    result.err().map_or("no error", |error| error.code())
}

/// `bytes` with one bit turned.
pub fn flipped(bytes: &[u8], bit: usize) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes[bit / 8] ^= 1 << (bit % 8);
    bytes
}
