//! One person with one device, and the mailbox between them: all that an application has to bring.

use getrandom::SysRng;
use std::collections::HashMap;
use undertone::group::{GroupContext, GroupId, ReceivedSenderKeys, SenderKey};
use undertone::handshake::{FirstMessage, HandshakePolicy, HandshakeStrength, LocalDevice};
use undertone::{
    Address, Envelope, EnvelopeKind, ErrorKind, IdentityKeyPair, PrekeyBundle, Prekeys, Result, SessionRecord,
    TrustedIdentity, Undertone, UndertoneIdentityKey, UndertoneIdentityKeyPair,
};

/// The time of this story; a real program asks a clock.
pub const NOW: u64 = 1_800_000_000;

/// Holds envelopes until they are fetched. It sees no plaintext, and of an established session no sender.
#[derive(Default)]
pub struct Mailbox {
    waiting: HashMap<Address, Vec<Envelope>>,
    /// Prints nothing while set.
    pub quiet: bool,
}

impl Mailbox {
    /// Drops the `index`-th envelope that waits for `to`.
    pub fn lose(&mut self, to: &Address, index: usize) {
        self.waiting_for(to).remove(index);
    }

    /// Lets two envelopes that wait for `to` change places.
    pub fn swap(&mut self, to: &Address, one: usize, other: usize) {
        self.waiting_for(to).swap(one, other);
    }

    /// Delivers the `index`-th envelope that waits for `to` once more.
    pub fn repeat(&mut self, to: &Address, index: usize) {
        let again = self.waiting_for(to)[index].clone();
        self.waiting_for(to).push(again);
    }

    fn waiting_for(&mut self, to: &Address) -> &mut Vec<Envelope> {
        self.waiting.entry(to.clone()).or_default()
    }
}

/// A person with one device.
pub struct Person {
    /// The identity key, the root of all trust in this person.
    pub identity: UndertoneIdentityKeyPair,
    /// Where to reach the device.
    pub address: Address,
    /// Which handshakes this person accepts.
    pub policy: HandshakePolicy,
    prekeys: Prekeys<Undertone>,
    sessions: HashMap<Address, SessionRecord<Undertone>>,
    known: HashMap<Address, UndertoneIdentityKey>,
    sender_keys: HashMap<String, SenderKey<Undertone>>,
    received_keys: HashMap<Address, ReceivedSenderKeys<Undertone>>,
}

/// What a device writes to its store: secrets, so a store seals it.
pub struct Stored {
    identity: [u8; 32],
    address: Address,
    prekeys: Vec<u8>,
    sessions: HashMap<Address, Vec<u8>>,
    known: HashMap<Address, UndertoneIdentityKey>,
}

impl Stored {
    /// The size of the record of the sessions with `peer`.
    pub fn session_bytes(&self, peer: &Address) -> usize {
        self.sessions[peer].len()
    }
}

impl Person {
    /// A new person: an identity key, and prekeys for others to begin sessions with.
    pub fn new(name: &str) -> Result<Self> {
        let identity = UndertoneIdentityKeyPair::generate(&mut SysRng)?;
        let address = Address::new(name, 1)?;
        let device = LocalDevice { identity: &identity, address: &address, registration_id: 1 };
        let prekeys = Prekeys::generate(&device, NOW, &mut SysRng)?;
        Ok(Self {
            identity,
            address,
            policy: HandshakePolicy::default(),
            prekeys,
            sessions: HashMap::new(),
            known: HashMap::new(),
            sender_keys: HashMap::new(),
            received_keys: HashMap::new(),
        })
    }

    /// The person's name.
    pub fn name(&self) -> &str {
        self.address.name()
    }

    /// What this person uploads for another to fetch: each fetch hands out one one-time prekey.
    pub fn publish_bundle(&mut self) -> Result<PrekeyBundle<Undertone>> {
        let device = LocalDevice { identity: &self.identity, address: &self.address, registration_id: 1 };
        self.prekeys.add_one_time(&device, 1, NOW, &mut SysRng)?;
        self.prekeys.bundle(&device, true)
    }

    /// Begins a session with whoever published `bundle`.
    pub fn begin(&mut self, bundle: &PrekeyBundle<Undertone>, policy: HandshakePolicy) -> Result<HandshakeStrength> {
        let device = LocalDevice { identity: &self.identity, address: &self.address, registration_id: 1 };
        let mut record = SessionRecord::new(&device, bundle.address.clone())?;
        let strength = record.initiate(&device, bundle, &TrustedIdentity::FirstUse, policy, NOW, &mut SysRng)?;
        self.known.insert(bundle.address.clone(), bundle.identity.clone());
        self.sessions.insert(bundle.address.clone(), record);
        Ok(strength)
    }

    /// Encrypts a text and leaves it in the mailbox.
    pub fn send(&mut self, mailbox: &mut Mailbox, to: &Address, text: &str) -> Result<()> {
        self.send_bytes(mailbox, to, text.as_bytes())?;
        if !mailbox.quiet {
            let bytes = mailbox.waiting_for(to).last().map_or(0, |envelope| envelope.bytes.len());
            println!("{} → {}: {text:?}, {bytes} bytes", self.name(), to.name());
        }
        Ok(())
    }

    fn send_bytes(&mut self, mailbox: &mut Mailbox, to: &Address, plaintext: &[u8]) -> Result<()> {
        let device = LocalDevice { identity: &self.identity, address: &self.address, registration_id: 1 };
        let trusted = self.known.get(to).map_or(TrustedIdentity::FirstUse, TrustedIdentity::Pinned);
        let record = self.sessions.get_mut(to).expect("a session was begun");
        let envelope = record.encrypt(&device, plaintext, &trusted, NOW, &mut SysRng)?;
        mailbox.waiting_for(to).push(envelope);
        Ok(())
    }

    /// Takes everything out of the mailbox and reads it.
    pub fn receive(&mut self, mailbox: &mut Mailbox) -> Result<()> {
        for envelope in std::mem::take(mailbox.waiting_for(&self.address.clone())) {
            match self.read(&envelope) {
                Ok((from, plaintext)) => self.deliver(mailbox, &from, &plaintext)?,
                Err(error) if error.kind() == ErrorKind::Duplicate => {
                    println!("{} drops what came twice: {error}", self.name());
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// An envelope does not say whom it is from. A first message says so inside its seal; a message of a session bears the tag of one of our records.
    fn read(&mut self, envelope: &Envelope) -> Result<(Address, Vec<u8>)> {
        let device = LocalDevice { identity: &self.identity, address: &self.address, registration_id: 1 };
        match envelope.kind {
            EnvelopeKind::First => {
                let first = FirstMessage::open(&device, &envelope.bytes, &self.prekeys)?;
                let from = first.address.clone().expect("a native first message names its sender");
                let mut record = match self.sessions.remove(&from) {
                    Some(record) => record,
                    None => SessionRecord::new(&device, from.clone())?,
                };
                let trusted = self.known.get(&from).map_or(TrustedIdentity::FirstUse, TrustedIdentity::Pinned);
                let result = record.accept(&device, &first, &mut self.prekeys, &trusted, self.policy, NOW);
                self.sessions.insert(from.clone(), record);
                let decrypted = result?;
                self.known.insert(from.clone(), decrypted.sender);
                Ok((from, decrypted.plaintext))
            }
            EnvelopeKind::Message => {
                let tag = &envelope.bytes[1..17];
                let from = self.sessions.iter().find(|(_, record)| record.tags().any(|known| known == tag));
                let from = from.map(|(from, _)| from.clone()).expect("the mailbox delivers to the right person");
                let trusted = self.known.get(&from).map_or(TrustedIdentity::FirstUse, TrustedIdentity::Pinned);
                let record = self.sessions.get_mut(&from).expect("it was just found");
                let decrypted = record.decrypt(&device, &envelope.bytes, &trusted, NOW)?;
                Ok((from, decrypted.plaintext))
            }
        }
    }

    fn deliver(&mut self, mailbox: &Mailbox, from: &Address, plaintext: &[u8]) -> Result<()> {
        if let Some(distribution) = plaintext.strip_prefix(b"sender key:") {
            let identity = self.known.get(from).expect("the session has a peer").clone();
            let keys = self.received_keys.entry(from.clone());
            let keys = keys.or_insert_with(|| ReceivedSenderKeys::new(from, &identity));
            keys.process_distribution(from, &identity, distribution)?;
            println!("{} takes in the sender key of {}", self.name(), from.name());
        } else if !mailbox.quiet {
            println!("{} reads {:?}", self.name(), String::from_utf8_lossy(plaintext));
        }
        Ok(())
    }

    /// Makes a group of this person's own and returns the distribution message of its sender key.
    pub fn create_group(&mut self, group: &str) -> Result<Vec<u8>> {
        let context = GroupContext::new(GroupId::new(group)?, 0, [0; 32]);
        let key = SenderKey::create(context, &self.address, self.identity.public(), NOW, &mut SysRng)?;
        let distribution = key.distribution();
        self.sender_keys.insert(group.to_owned(), key);
        Ok(distribution)
    }

    /// Sends a distribution message inside the session with `to`.
    pub fn send_distribution(&mut self, mailbox: &mut Mailbox, to: &Address, distribution: &[u8]) -> Result<()> {
        self.send_bytes(mailbox, to, &[b"sender key:", distribution].concat())
    }

    /// Encrypts once for all members.
    pub fn encrypt_for_group(&mut self, group: &str, text: &str) -> Result<Vec<u8>> {
        self.sender_keys.get_mut(group).expect("the group exists").encrypt(text.as_bytes(), &mut SysRng)
    }

    /// Reads a group message of `from`.
    pub fn read_group(&mut self, from: &Address, message: &[u8]) -> Result<()> {
        let keys = self.received_keys.get_mut(from).expect("the sender key came first");
        let plaintext = keys.decrypt(message, NOW)?.plaintext;
        println!("{} reads {:?}", self.name(), String::from_utf8_lossy(&plaintext));
        Ok(())
    }

    /// How many post-quantum epochs the session with `peer` has completed.
    pub fn post_quantum_epoch(&self, peer: &Address) -> u64 {
        self.sessions[peer].status().map_or(0, |status| status.post_quantum_epoch)
    }

    /// Everything this device keeps.
    pub fn store(&self) -> Stored {
        Stored {
            identity: *self.identity.to_bytes(),
            address: self.address.clone(),
            prekeys: self.prekeys.to_bytes(),
            sessions: self.sessions.iter().map(|(peer, record)| (peer.clone(), record.to_bytes())).collect(),
            known: self.known.clone(),
        }
    }

    /// The device again, from what it kept.
    pub fn restore(stored: Stored) -> Result<Self> {
        let read = |(peer, bytes): (&Address, &Vec<u8>)| Ok((peer.clone(), SessionRecord::from_bytes(bytes)?));
        Ok(Self {
            identity: UndertoneIdentityKeyPair::from_bytes(&stored.identity)?,
            prekeys: Prekeys::from_bytes(&stored.prekeys)?,
            sessions: stored.sessions.iter().map(read).collect::<Result<_>>()?,
            address: stored.address,
            known: stored.known,
            policy: HandshakePolicy::default(),
            sender_keys: HashMap::new(),
            received_keys: HashMap::new(),
        })
    }
}
