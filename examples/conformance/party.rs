//! One device of one user, with its state in memory.

use crate::failure::Failure;
use crate::request::{Fields, base64};
use crate::wire_profile::{Result, WireProfile};
use getrandom::SysRng;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};
use undertone::group::{GroupContext, ReceivedSenderKeys, SenderKey};
use undertone::handshake::{FirstMessage, HandshakePolicy, LocalDevice};
use undertone::{
    Address, Envelope, EnvelopeKind, IdentityKey, IdentityKeyPair, PrekeyBundle, Prekeys, SessionRecord,
    TrustedIdentity,
};

/// A device and all that it keeps.
pub struct Party<P: WireProfile> {
    identity: P::IdentityKeyPair,
    address: Address,
    registration_id: u32,
    prekeys: Prekeys<P>,
    pins: BTreeMap<Address, P::IdentityKey>,
    sessions: BTreeMap<Address, SessionRecord<P>>,
    own_sender_keys: BTreeMap<Vec<u8>, SenderKey<P>>,
    received_sender_keys: BTreeMap<Address, ReceivedSenderKeys<P>>,
}

/// The time, in seconds.
pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs())
}

impl<P: WireProfile> Party<P> {
    /// `create`. A test may bring its own `identity_private`.
    pub fn create(request: &Fields<'_>) -> Result<Self> {
        let identity = match request.optional_bytes("identity_private")? {
            Some(bytes) => P::IdentityKeyPair::from_bytes(&bytes)?,
            None => P::IdentityKeyPair::generate(&mut SysRng)?,
        };
        Self::new(identity, P::address(request)?, request.number32("registration_id")?)
    }

    fn new(identity: P::IdentityKeyPair, address: Address, registration_id: u32) -> Result<Self> {
        let device = LocalDevice { identity: &identity, address: &address, registration_id };
        let prekeys = Prekeys::generate(&device, now(), &mut SysRng)?;
        Ok(Self {
            prekeys,
            identity,
            address,
            registration_id,
            pins: BTreeMap::new(),
            sessions: BTreeMap::new(),
            own_sender_keys: BTreeMap::new(),
            received_sender_keys: BTreeMap::new(),
        })
    }

    /// The public identity key as it stands on the wire.
    pub fn identity_bytes(&self) -> Vec<u8> {
        self.identity.public().to_bytes()
    }

    /// This device, as the engine's operations take it.
    pub const fn device(&self) -> LocalDevice<'_, P> {
        LocalDevice { identity: &self.identity, address: &self.address, registration_id: self.registration_id }
    }

    /// Runs an operation of several steps: if one fails, the party is as it was before the first.
    pub fn atomically<T>(&mut self, operation: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        let before = self.copy()?;
        operation(self).inspect_err(|_| *self = before)
    }

    /// Whom an envelope of a profile with session tags is from, and how it is read.
    pub fn sender_of(&self, bytes: &[u8]) -> Result<(Address, EnvelopeKind)> {
        let kind = crate::native::envelope_kind(bytes)?;
        let sender = match kind {
            EnvelopeKind::First => FirstMessage::open(&self.device(), bytes, &self.prekeys)?.address,
            EnvelopeKind::Message => {
                let tag = bytes.get(1..17).unwrap_or_default();
                let mut records = self.sessions.values();
                records.find(|record| record.tags().any(|known| known == tag)).map(|record| record.remote().clone())
            }
        };
        let sender = sender.ok_or_else(|| Failure::of("no_session", "the envelope is of no session"))?;
        Ok((sender, kind))
    }

    /// The identity key pair.
    pub const fn identity(&self) -> &P::IdentityKeyPair {
        &self.identity
    }

    /// The party's own address.
    pub const fn address(&self) -> &Address {
        &self.address
    }

    /// The record of the sessions with `peer`.
    pub fn record(&self, peer: &Address) -> Option<&SessionRecord<P>> {
        self.sessions.get(peer)
    }

    /// Puts a record in place of the one there is.
    pub fn set_record(&mut self, peer: Address, record: SessionRecord<P>) {
        if let Some(identity) = record.remote_identity() {
            self.pins.insert(peer.clone(), identity.clone());
        }
        self.sessions.insert(peer, record);
    }

    /// The identity key pinned for `peer`.
    pub fn pin(&self, peer: &Address) -> Option<&P::IdentityKey> {
        self.pins.get(peer)
    }

    /// A bundle to hand out: each with prekeys of its own where `one_time` asks for it.
    pub fn bundle(&mut self, one_time: bool) -> Result<PrekeyBundle<P>> {
        let device =
            LocalDevice { identity: &self.identity, address: &self.address, registration_id: self.registration_id };
        if one_time {
            self.prekeys.add_one_time(&device, 1, now(), &mut SysRng)?;
        }
        Ok(self.prekeys.bundle(&device, one_time)?)
    }

    /// Begins a session with `peer`.
    pub fn process_bundle(&mut self, peer: &Address, bundle: &PrekeyBundle<P>) -> Result<()> {
        let device =
            LocalDevice { identity: &self.identity, address: &self.address, registration_id: self.registration_id };
        let trusted = trusted(&self.pins, peer);
        let policy = HandshakePolicy::default();
        let mut fresh = None;
        let record = match self.sessions.get_mut(peer) {
            Some(record) => record,
            None => fresh.insert(SessionRecord::new(&device, peer.clone())?),
        };
        record.initiate(&device, bundle, &trusted, policy, now(), &mut SysRng)?;
        if let Some(record) = fresh {
            self.sessions.insert(peer.clone(), record);
        }
        self.pins.insert(peer.clone(), bundle.identity.clone());
        Ok(())
    }

    /// Encrypts for `peer`.
    pub fn encrypt(&mut self, peer: &Address, plaintext: &[u8]) -> Result<Envelope> {
        let device =
            LocalDevice { identity: &self.identity, address: &self.address, registration_id: self.registration_id };
        let no_session = || Failure::of("no_session", "there is no session with this peer");
        let record = self.sessions.get_mut(peer).ok_or_else(no_session)?;
        Ok(record.encrypt(&device, plaintext, &trusted(&self.pins, peer), now(), &mut SysRng)?)
    }

    /// Decrypts a message from `peer`.
    pub fn decrypt(&mut self, peer: &Address, kind: EnvelopeKind, bytes: &[u8]) -> Result<Vec<u8>> {
        let pinned = self.pins.get(peer).cloned();
        let trusted = pinned.as_ref().map_or(TrustedIdentity::FirstUse, TrustedIdentity::Pinned);
        self.decrypt_trusting(peer, &trusted, kind, bytes)
    }

    /// Decrypts a message from `peer`, whose envelope was sealed with `identity`: the session must be under that key (B38).
    pub fn decrypt_as(
        &mut self,
        peer: &Address,
        identity: &P::IdentityKey,
        kind: EnvelopeKind,
        bytes: &[u8],
    ) -> Result<Vec<u8>> {
        if self.pins.get(peer).is_some_and(|pinned| pinned != identity) {
            return Err(Failure::of("untrusted_identity", "the seal is of another identity key"));
        }
        self.decrypt_trusting(peer, &TrustedIdentity::Pinned(identity), kind, bytes)
    }

    fn decrypt_trusting(
        &mut self,
        peer: &Address,
        trusted: &TrustedIdentity<'_, P>,
        kind: EnvelopeKind,
        bytes: &[u8],
    ) -> Result<Vec<u8>> {
        let device =
            LocalDevice { identity: &self.identity, address: &self.address, registration_id: self.registration_id };
        let mut fresh = None;
        let decrypted = match kind {
            EnvelopeKind::Message => {
                let no_session = || Failure::of("no_session", "there is no session with this peer");
                let record = self.sessions.get_mut(peer).ok_or_else(no_session)?;
                record.decrypt(&device, bytes, trusted, now())?
            }
            EnvelopeKind::First => {
                let first = FirstMessage::open(&device, bytes, &self.prekeys)?;
                let record = match self.sessions.get_mut(peer) {
                    Some(record) => record,
                    None => fresh.insert(SessionRecord::new(&device, peer.clone())?),
                };
                let policy = HandshakePolicy::default();
                record.accept(&device, &first, &mut self.prekeys, trusted, policy, now())?
            }
        };
        if let Some(record) = fresh {
            self.sessions.insert(peer.clone(), record);
        }
        self.pins.insert(peer.clone(), decrypted.sender);
        Ok(decrypted.plaintext)
    }

    /// The distribution message of this party's current sender key for `group`, made on first use.
    pub fn distribution(&mut self, group: GroupContext) -> Result<Vec<u8>> {
        Ok(self.sender_key(group)?.distribution())
    }

    /// Encrypts for `group`.
    pub fn group_encrypt(&mut self, group: GroupContext, plaintext: &[u8]) -> Result<Vec<u8>> {
        let id = group.id().as_bytes().to_vec();
        let key = self.own_sender_keys.get_mut(&id);
        let key = key.ok_or_else(|| Failure::of("no_sender_key", "this party has no sender key for the group"))?;
        Ok(key.encrypt(plaintext, &mut SysRng)?)
    }

    fn sender_key(&mut self, group: GroupContext) -> Result<&SenderKey<P>> {
        let id = group.id().as_bytes().to_vec();
        if !self.own_sender_keys.contains_key(&id) {
            let key = SenderKey::create(group, &self.address, self.identity.public(), now(), &mut SysRng)?;
            self.own_sender_keys.insert(id.clone(), key);
        }
        self.own_sender_keys.get(&id).ok_or_else(|| Failure::of("internal", "the sender key was just made"))
    }

    /// Takes in the sender key that `peer` distributes.
    pub fn process_distribution(&mut self, peer: &Address, bytes: &[u8]) -> Result<()> {
        let identity = P::sender_key_identity(self, peer)?;
        let mut fresh = None;
        let keys = match self.received_sender_keys.get_mut(peer) {
            Some(keys) => keys,
            None => fresh.insert(ReceivedSenderKeys::new(peer, &identity)),
        };
        keys.process_distribution(peer, &identity, bytes)?;
        if let Some(keys) = fresh {
            self.received_sender_keys.insert(peer.clone(), keys);
        }
        Ok(())
    }

    /// Decrypts a group message from `peer`.
    pub fn group_decrypt(&mut self, peer: &Address, bytes: &[u8]) -> Result<Vec<u8>> {
        let keys = self.received_sender_keys.get_mut(peer);
        let keys = keys.ok_or_else(|| Failure::of("no_sender_key", "no sender key of this peer is held"))?;
        Ok(keys.decrypt(bytes, now())?.plaintext)
    }

    /// The whole state. The same state always gives the same bytes.
    pub fn save(&self) -> Value {
        let entry = |address: &Address, bytes: Vec<u8>| json!({ "name": address.name(), "device": address.device(), "bytes": base64(bytes) });
        json!({
            "profile": P::NAME,
            "name": self.address.name(),
            "device": self.address.device(),
            "registration_id": self.registration_id,
            "identity": base64(*self.identity.to_bytes()),
            "prekeys": base64(self.prekeys.to_bytes()),
            "pins": self.pins.iter().map(|(peer, key)| entry(peer, key.to_bytes())).collect::<Vec<_>>(),
            "sessions": self.sessions.iter().map(|(peer, record)| entry(peer, record.to_bytes())).collect::<Vec<_>>(),
            "own_sender_keys": self.own_sender_keys.values().map(|key| base64(key.to_bytes())).collect::<Vec<_>>(),
            "received_sender_keys": self.received_sender_keys.iter()
                .map(|(peer, keys)| entry(peer, keys.to_bytes())).collect::<Vec<_>>(),
        })
    }

    /// Reads what [`save`](Self::save) wrote.
    pub fn load(state: &Fields<'_>) -> Result<Self> {
        let identity = P::IdentityKeyPair::from_bytes(&state.bytes("identity")?)?;
        let mut party = Self {
            identity,
            address: state.as_address()?,
            registration_id: state.number32("registration_id")?,
            prekeys: Prekeys::from_bytes(&state.bytes("prekeys")?)?,
            pins: BTreeMap::new(),
            sessions: BTreeMap::new(),
            own_sender_keys: BTreeMap::new(),
            received_sender_keys: BTreeMap::new(),
        };
        for entry in state.entries("pins")? {
            party.pins.insert(entry.as_address()?, P::IdentityKey::admit(&entry.bytes("bytes")?)?);
        }
        for entry in state.entries("sessions")? {
            party.sessions.insert(entry.as_address()?, SessionRecord::from_bytes(&entry.bytes("bytes")?)?);
        }
        for bytes in state.byte_strings("own_sender_keys")? {
            let key = SenderKey::from_bytes(&bytes)?;
            party.own_sender_keys.insert(key.context().id().as_bytes().to_vec(), key);
        }
        for entry in state.entries("received_sender_keys")? {
            let keys = ReceivedSenderKeys::from_bytes(&entry.bytes("bytes")?)?;
            party.received_sender_keys.insert(entry.as_address()?, keys);
        }
        Ok(party)
    }

    /// Another party in the same state.
    pub fn copy(&self) -> Result<Self> {
        Self::load(&Fields::new(&self.save())?)
    }

    /// Two fresh parties in an answered session, the first able to send to the second.
    pub fn pair(&self) -> Result<(Self, Self)> {
        let fresh = |name: &str| Self::new(P::IdentityKeyPair::generate(&mut SysRng)?, Address::new(name, 1)?, 1);
        let mut sender = fresh("aaaaaaaa-0000-4000-8000-000000000001")?;
        let mut receiver = fresh("aaaaaaaa-0000-4000-8000-000000000002")?;
        let bundle = receiver.bundle(true)?;
        sender.process_bundle(&receiver.address, &bundle)?;
        let hello = sender.encrypt(&receiver.address, b"hello")?;
        receiver.decrypt(&sender.address, hello.kind, &hello.bytes)?;
        let answer = receiver.encrypt(&sender.address, b"answer")?;
        sender.decrypt(&receiver.address, answer.kind, &answer.bytes)?;
        Ok((sender, receiver))
    }
}

fn trusted<'a, P: WireProfile>(pins: &'a BTreeMap<Address, P::IdentityKey>, peer: &Address) -> TrustedIdentity<'a, P> {
    pins.get(peer).map_or(TrustedIdentity::FirstUse, TrustedIdentity::Pinned)
}
