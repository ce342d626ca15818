//! Two devices of one profile, with an application's kind of randomness: a generator that was seeded once.

use getrandom::SysRng;
use rand::SeedableRng;
use rand::rngs::StdRng;
use undertone::handshake::{FirstMessage, HandshakePolicy, HandshakeProfile, LocalDevice};
use undertone::{
    Address, Envelope, EnvelopeKind, IdentityKeyPair, PrekeyBundle, Prekeys, SessionRecord, TrustedIdentity, Undertone,
};

/// What every device takes the time to be.
pub const NOW: u64 = 1_800_000_000;

/// One device.
pub struct Device<P: HandshakeProfile = Undertone> {
    pub identity: P::IdentityKeyPair,
    pub address: Address,
    pub prekeys: Prekeys<P>,
    pub rng: StdRng,
}

impl<P: HandshakeProfile> Device<P> {
    /// A device with an identity key, a signed prekey, a last-resort prekey, and `one_time` one-time prekeys of each kind.
    pub fn new(name: &str, one_time: usize) -> Self {
        let mut rng = StdRng::try_from_rng(&mut SysRng).unwrap();
        Self::with_rng(name, one_time, &mut rng)
    }

    /// The same, from the randomness of `rng`.
    pub fn with_rng(name: &str, one_time: usize, rng: &mut StdRng) -> Self {
        let identity = P::IdentityKeyPair::generate(rng).unwrap();
        let address = Address::new(name, 1).unwrap();
        let device = LocalDevice::<P> { identity: &identity, address: &address, registration_id: 1 };
        let mut prekeys = Prekeys::generate(&device, NOW, rng).unwrap();
        prekeys.add_one_time(&device, one_time, NOW, rng).unwrap();
        Self { identity, address, prekeys, rng: StdRng::from_rng(rng) }
    }

    /// The device as the engine wants it named.
    pub fn local(&self) -> LocalDevice<'_, P> {
        LocalDevice { identity: &self.identity, address: &self.address, registration_id: 1 }
    }

    /// The bundle that the next peer fetches.
    pub fn bundle(&self) -> Vec<u8> {
        self.prekeys.bundle(&self.local(), true).unwrap().to_bytes()
    }

    /// Begins a session from the bytes of a bundle.
    pub fn initiate(&mut self, bundle: &[u8]) -> SessionRecord<P> {
        let bundle = PrekeyBundle::from_bytes(bundle).unwrap();
        let mut record = SessionRecord::new(&self.local(), bundle.address.clone()).unwrap();
        self.initiate_again(&mut record, &bundle);
        record
    }

    /// Begins another session in `record`.
    pub fn initiate_again(&mut self, record: &mut SessionRecord<P>, bundle: &PrekeyBundle<P>) {
        let device = LocalDevice::<P> { identity: &self.identity, address: &self.address, registration_id: 1 };
        let trusted = TrustedIdentity::Pinned(&bundle.identity);
        record.initiate(&device, bundle, &trusted, HandshakePolicy::default(), NOW, &mut self.rng).unwrap();
    }

    /// Encrypts in the session of `record`.
    pub fn encrypt(&mut self, record: &mut SessionRecord<P>, plaintext: &[u8]) -> Envelope {
        let device = LocalDevice::<P> { identity: &self.identity, address: &self.address, registration_id: 1 };
        record.encrypt(&device, plaintext, &TrustedIdentity::FirstUse, NOW, &mut self.rng).unwrap()
    }

    /// Reads a message of a session that `record` holds.
    pub fn decrypt(&self, record: &mut SessionRecord<P>, envelope: &Envelope) -> Vec<u8> {
        assert_eq!(envelope.kind, EnvelopeKind::Message);
        record.decrypt(&self.local(), &envelope.bytes, &TrustedIdentity::FirstUse, NOW).unwrap().plaintext
    }

    /// Reads a first message from `from`, into `record` if there is one.
    pub fn accept(
        &mut self,
        from: &Address,
        record: Option<SessionRecord<P>>,
        envelope: &Envelope,
    ) -> (SessionRecord<P>, Vec<u8>) {
        assert_eq!(envelope.kind, EnvelopeKind::First);
        let device = LocalDevice::<P> { identity: &self.identity, address: &self.address, registration_id: 1 };
        let first = FirstMessage::open(&device, &envelope.bytes, &self.prekeys).unwrap();
        let mut record = record.unwrap_or_else(|| SessionRecord::new(&device, from.clone()).unwrap());
        let (trusted, policy) = (TrustedIdentity::FirstUse, HandshakePolicy::default());
        let read = record.accept(&device, &first, &mut self.prekeys, &trusted, policy, NOW).unwrap();
        (record, read.plaintext)
    }
}

/// Two devices with an established session, and their records of it.
pub struct Pair {
    pub alice: Device,
    pub bob: Device,
    pub with_bob: SessionRecord<Undertone>,
    pub with_alice: SessionRecord<Undertone>,
}

impl Pair {
    /// A session that Alice began and both have written in for `rounds` rounds: the post-quantum ratchet is under way.
    pub fn after_rounds(rounds: usize) -> Self {
        let (mut alice, mut bob) = (Device::new("alice", 0), Device::new("bob", 1));
        let mut with_bob = alice.initiate(&bob.bundle());
        let first = alice.encrypt(&mut with_bob, b"hello");
        let (with_alice, _) = bob.accept(&alice.address, None, &first);
        let mut pair = Self { alice, bob, with_bob, with_alice };
        pair.answer(b"hello");
        (0..rounds).for_each(|_| pair.round(b"hello"));
        pair
    }

    /// Alice writes, Bob reads and writes, Alice reads.
    pub fn round(&mut self, plaintext: &[u8]) {
        let message = self.alice.encrypt(&mut self.with_bob, plaintext);
        assert_eq!(self.bob.decrypt(&mut self.with_alice, &message), plaintext);
        self.answer(plaintext);
    }

    fn answer(&mut self, plaintext: &[u8]) {
        let message = self.bob.encrypt(&mut self.with_alice, plaintext);
        assert_eq!(self.alice.decrypt(&mut self.with_bob, &message), plaintext);
    }
}

/// A record read again from its bytes: independent of the first.
pub fn copy(record: &SessionRecord<Undertone>) -> SessionRecord<Undertone> {
    SessionRecord::from_bytes(&record.to_bytes()).unwrap()
}
