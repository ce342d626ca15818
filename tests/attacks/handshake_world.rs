//! Devices that publish prekeys and begin sessions, without any session: two sides agree when their secrets are equal.

use rand::SeedableRng;
use rand::rngs::StdRng;
use undertone::handshake::{
    Acceptance, FirstMessage, HandshakePolicy, HandshakeProfile, Initiation, LocalDevice, PrekeyBundle, Prekeys,
    accept, initiate,
};
use undertone::profile::{HandshakeSecrets, IdentityKeyPair, Undertone};
use undertone::{Address, Result};

pub const NOW: u64 = 1_800_000_000;
pub const DAY: u64 = 86_400;

pub struct Device<P: HandshakeProfile = Undertone> {
    pub identity: P::IdentityKeyPair,
    pub address: Address,
    pub prekeys: Prekeys<P>,
    pub rng: StdRng,
}

impl<P: HandshakeProfile> Device<P> {
    /// A device with `one_time` one-time prekeys of each kind; `seed` makes it another one.
    pub fn new(name: &str, device: u8, one_time: usize, seed: u64) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let identity = P::IdentityKeyPair::generate(&mut rng).unwrap();
        let address = Address::new(name, device).unwrap();
        let local = LocalDevice { identity: &identity, address: &address, registration_id: 77 };
        let mut prekeys = Prekeys::generate(&local, NOW, &mut rng).unwrap();
        prekeys.add_one_time(&local, one_time, NOW, &mut rng).unwrap();
        Self { identity, address, prekeys, rng }
    }

    pub fn local(&self) -> LocalDevice<'_, P> {
        LocalDevice { identity: &self.identity, address: &self.address, registration_id: 77 }
    }

    pub fn bundle(&self) -> PrekeyBundle<P> {
        self.prekeys.bundle(&self.local(), true).unwrap()
    }

    pub fn last_resort_bundle(&self) -> PrekeyBundle<P> {
        self.prekeys.bundle(&self.local(), false).unwrap()
    }

    /// Begins a session with whoever lives at `remote` according to `bundle`.
    pub fn initiate(
        &mut self,
        remote: &Address,
        bundle: &PrekeyBundle<P>,
        policy: HandshakePolicy,
    ) -> Result<Initiation<P>> {
        let local = LocalDevice { identity: &self.identity, address: &self.address, registration_id: 77 };
        initiate(&local, remote, bundle, policy, NOW, &mut self.rng)
    }

    /// The first message of `initiation` as it travels.
    pub fn wrap(&mut self, remote: &Device<P>, initiation: &Initiation<P>) -> Vec<u8> {
        let local = LocalDevice { identity: &self.identity, address: &self.address, registration_id: 77 };
        let message = b"a session message".to_vec();
        let to = remote.identity.public();
        P::wrap_first(&local, &remote.address, to, &initiation.offer, message, &mut self.rng).unwrap()
    }

    pub fn open(&self, bytes: &[u8]) -> Result<FirstMessage<P>> {
        FirstMessage::open(&self.local(), bytes, &self.prekeys)
    }

    pub fn accept(&self, first: &FirstMessage<P>, policy: HandshakePolicy) -> Result<Acceptance<P>> {
        self.prekeys.check_replay(first)?;
        accept(&self.local(), first, &self.prekeys.lookup(first)?, policy)
    }
}

/// A whole handshake over the wire: what each side has.
pub fn handshake<P: HandshakeProfile>(
    alice: &mut Device<P>,
    bob: &Device<P>,
    bundle: &PrekeyBundle<P>,
) -> (Initiation<P>, FirstMessage<P>, Acceptance<P>) {
    let initiation = alice.initiate(&bob.address, bundle, HandshakePolicy::default()).unwrap();
    let first = bob.open(&alice.wrap(bob, &initiation)).unwrap();
    let acceptance = bob.accept(&first, HandshakePolicy::default()).unwrap();
    (initiation, first, acceptance)
}

/// Whether both sides would understand each other.
pub fn agree<P: HandshakeProfile>(one: &HandshakeSecrets<P>, other: &HandshakeSecrets<P>) -> bool {
    one.root == other.root && one.post_quantum == other.post_quantum
}

pub fn code<T>(result: Result<T>) -> &'static str {
    result.err().map_or("no error", |error| error.code())
}

/// A generator for what needs some randomness and no more.
pub fn fresh_rng() -> StdRng {
    StdRng::seed_from_u64(99)
}
