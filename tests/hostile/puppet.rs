//! A device without a client: it can say what no client says.

use crate::world::World;
use core::time::Duration;
use futures_executor::block_on;
use getrandom::SysRng;
use std::sync::Arc;
use undertone::content::{Content, Padding, pad};
use undertone::handshake::{HandshakePolicy, LocalDevice, PublishedPrekey};
use undertone::identity::{AccountKeyPair, DeviceList, NewDevice, sign_login};
use undertone::runtime::Clock;
use undertone::transport::{EnvelopeId, Login, PrekeyUpload, Publication, Transport};
use undertone::{
    Address, IdentityKey, IdentityKeyPair, PrekeyBundle, Prekeys, Result, SessionRecord, TrustedIdentity, Undertone,
    UndertoneIdentityKeyPair,
};

/// A device, its keys, and nothing that keeps it honest.
pub struct Puppet {
    pub address: Address,
    pub identity: UndertoneIdentityKeyPair,
    session: Option<SessionRecord<Undertone>>,
    now: u64,
}

struct Key(Address, UndertoneIdentityKeyPair);

impl Login for Key {
    fn address(&self) -> &Address {
        &self.0
    }

    fn sign(&self, challenge: &[u8; 32]) -> Result<[u8; 64]> {
        sign_login(&self.1, &self.0, challenge, &mut SysRng)
    }
}

impl Puppet {
    /// A device that is on no list.
    pub fn unlisted(world: &World, name: &str, device: u8) -> Self {
        let identity = UndertoneIdentityKeyPair::generate(&mut SysRng).unwrap();
        Self { address: Address::new(name, device).unwrap(), identity, session: None, now: world.clock.now().as_secs() }
    }

    /// The first device of a new account, with its list and its prekeys published.
    pub fn listed(world: &World, name: &str) -> Self {
        let puppet = Self::unlisted(world, name, 1);
        let account = AccountKeyPair::generate(&mut SysRng).unwrap();
        let device = NewDevice::new(&puppet.identity, account.public(), name, 1, &mut SysRng).unwrap();
        let list = DeviceList::create(&account, name, device, puppet.now).unwrap();
        let mut prekeys = Prekeys::<Undertone>::generate(&puppet.local(), puppet.now, &mut SysRng).unwrap();
        prekeys.add_one_time(&puppet.local(), 20, puppet.now, &mut SysRng).unwrap();
        let own = |prekeys: Vec<&PublishedPrekey>| prekeys.into_iter().cloned().collect();
        let upload = PrekeyUpload {
            registration_id: 77,
            identity: puppet.identity.public().to_bytes().try_into().unwrap(),
            signed_prekey: prekeys.signed_prekey().unwrap().clone(),
            last_resort_prekey: prekeys.last_resort_prekey().unwrap().clone(),
            one_time_prekeys: own(prekeys.one_time_prekeys().collect()),
            one_time_kem_prekeys: own(prekeys.one_time_kem_prekeys().collect()),
        };
        let publication = Publication {
            id: [9; 16],
            device: puppet.address.clone(),
            statements: list.statements_after(0),
            prekeys: Some(upload),
        };
        let transport = world.server.transport();
        let key = UndertoneIdentityKeyPair::from_bytes(&*puppet.identity.to_bytes()).unwrap();
        block_on(async {
            transport.attach(Arc::new(Key(puppet.address.clone(), key))).await.unwrap();
            transport.publish(&publication).await.unwrap();
        });
        puppet
    }

    fn local(&self) -> LocalDevice<'_, Undertone> {
        LocalDevice { identity: &self.identity, address: &self.address, registration_id: 77 }
    }

    /// An envelope to `to` with any content, in a session that is begun if there is none.
    pub fn write(&mut self, world: &World, to: &Address, content: &Content) -> Vec<u8> {
        let plaintext = pad(&content.encode().unwrap(), Padding::Padme);
        self.write_plaintext(world, to, &plaintext)
    }

    /// An envelope to `to` with any plaintext.
    pub fn write_plaintext(&mut self, world: &World, to: &Address, plaintext: &[u8]) -> Vec<u8> {
        let now = world.clock.now().as_secs();
        let mut session = match self.session.take() {
            Some(session) => session,
            None => self.begin(world, to, now),
        };
        let envelope = session.encrypt(&self.local(), plaintext, &TrustedIdentity::FirstUse, now, &mut SysRng).unwrap();
        self.session = Some(session);
        envelope.bytes
    }

    fn begin(&self, world: &World, to: &Address, now: u64) -> SessionRecord<Undertone> {
        let bundles = block_on(world.server.transport().fetch(to.name(), &[to.device()])).unwrap();
        let bundle = PrekeyBundle::from_bytes(&bundles[0]).unwrap();
        let mut session = SessionRecord::new(&self.local(), to.clone()).unwrap();
        let (policy, trusted) = (HandshakePolicy::default(), TrustedIdentity::FirstUse);
        session.initiate(&self.local(), &bundle, &trusted, policy, now, &mut SysRng).unwrap();
        session
    }

    /// The next envelope begins a new session.
    pub fn forget(&mut self) {
        self.session = None;
    }
}

/// Puts bytes into a mailbox under a name of their own.
pub fn put(world: &World, to: &Address, bytes: Vec<u8>) {
    let id = undertone::content::MessageId::random(&mut SysRng).unwrap().0;
    world.server.inject(to, EnvelopeId(id), bytes);
    world.clock.advance(Duration::from_millis(1));
}
