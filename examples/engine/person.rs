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

/// What waits in a mailbox.
#[derive(Clone)]
enum Mail {
    /// A message of a session, or the first of one.
    Direct(Envelope),
    /// A message to a group, the same for all its members.
    Group(Vec<u8>),
}

/// Holds mail until it is fetched. It sees no plaintext, and of an established session or a group no sender.
#[derive(Default)]
pub struct Mailbox {
    waiting: HashMap<Address, Vec<Mail>>,
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

    fn waiting_for(&mut self, to: &Address) -> &mut Vec<Mail> {
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
    sender_keys: HashMap<String, Vec<u8>>,
    received_keys: HashMap<Address, Vec<u8>>,
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
        let bytes = self.send_bytes(mailbox, to, text.as_bytes())?;
        if !mailbox.quiet {
            println!("{} → {}: {text:?}, {bytes} bytes", self.name(), to.name());
        }
        Ok(())
    }

    /// Returns the size of the envelope.
    fn send_bytes(&mut self, mailbox: &mut Mailbox, to: &Address, plaintext: &[u8]) -> Result<usize> {
        let device = LocalDevice { identity: &self.identity, address: &self.address, registration_id: 1 };
        let trusted = self.known.get(to).map_or(TrustedIdentity::FirstUse, TrustedIdentity::Pinned);
        let record = self.sessions.get_mut(to).expect("a session was begun");
        let envelope = record.encrypt(&device, plaintext, &trusted, NOW, &mut SysRng)?;
        let bytes = envelope.bytes.len();
        mailbox.waiting_for(to).push(Mail::Direct(envelope));
        Ok(bytes)
    }

    /// Takes everything out of the mailbox and reads it; returns the texts.
    pub fn receive(&mut self, mailbox: &mut Mailbox) -> Result<Vec<String>> {
        let mut texts = Vec::new();
        for mail in std::mem::take(mailbox.waiting_for(&self.address.clone())) {
            let read = match &mail {
                Mail::Direct(envelope) => self.read(envelope),
                Mail::Group(message) => self.read_group(message),
            };
            match read {
                Ok((from, plaintext)) => texts.extend(self.deliver(mailbox, &from, &plaintext)?),
                Err(error) if error.kind() == ErrorKind::Duplicate => {
                    println!("{} drops what came twice: {error}", self.name());
                }
                Err(error) => return Err(error),
            }
        }
        Ok(texts)
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

    /// Sender keys go to their place; anything else is a text.
    fn deliver(&mut self, mailbox: &Mailbox, from: &Address, plaintext: &[u8]) -> Result<Option<String>> {
        if let Some(distribution) = plaintext.strip_prefix(b"sender key:") {
            let identity = self.known.get(from).expect("the session has a peer").clone();
            let keys = self.received_keys.entry(from.clone());
            let keys = keys.or_insert_with(|| ReceivedSenderKeys::new(from, &identity));
            keys.process_distribution(from, &identity, distribution)?;
            println!("{} takes in the sender key of {}", self.name(), from.name());
            return Ok(None);
        }
        let text = String::from_utf8_lossy(plaintext).into_owned();
        if !mailbox.quiet {
            println!("{} reads {text:?}", self.name());
        }
        Ok(Some(text))
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
        self.send_bytes(mailbox, to, &[b"sender key:", distribution].concat()).map(|_| ())
    }

    /// Encrypts once and leaves the message in the mailbox of every member.
    pub fn send_to_group(&mut self, mailbox: &mut Mailbox, group: &str, to: &[&Address], text: &str) -> Result<()> {
        let key = self.sender_keys.get_mut(group).expect("the group exists");
        let message = key.encrypt(text.as_bytes(), &mut SysRng)?;
        println!("{} → group: {text:?}, {} bytes, encrypted once", self.name(), message.len());
        for member in to {
            mailbox.waiting_for(member).push(Mail::Group(message.clone()));
        }
        Ok(())
    }

    /// A group message does not say whom it is from either: it bears the tag of one of the sender keys that came.
    fn read_group(&mut self, message: &[u8]) -> Result<(Address, Vec<u8>)> {
        let mut held = self.received_keys.iter_mut().map(|(from, keys)| (from, keys.decrypt(message, NOW)));
        let by_its_owner = held.find(|(_, read)| !matches!(read, Err(error) if error.kind() == ErrorKind::NoSenderKey));
        let (from, read) = by_its_owner.expect("the sender key came first");
        Ok((from.clone(), read?.plaintext))
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
            sender_keys: self.sender_keys.iter().map(|(group, key)| (group.clone(), key.to_bytes())).collect(),
            received_keys: self.received_keys.iter().map(|(owner, keys)| (owner.clone(), keys.to_bytes())).collect(),
        }
    }

    /// The device again, from what it kept.
    pub fn restore(stored: Stored) -> Result<Self> {
        let session = |(peer, bytes): (&Address, &Vec<u8>)| Ok((peer.clone(), SessionRecord::from_bytes(bytes)?));
        let sender_key = |(group, bytes): (&String, &Vec<u8>)| Ok((group.clone(), SenderKey::from_bytes(bytes)?));
        let received =
            |(owner, bytes): (&Address, &Vec<u8>)| Ok((owner.clone(), ReceivedSenderKeys::from_bytes(bytes)?));
        Ok(Self {
            identity: UndertoneIdentityKeyPair::from_bytes(&stored.identity)?,
            prekeys: Prekeys::from_bytes(&stored.prekeys)?,
            sessions: stored.sessions.iter().map(session).collect::<Result<_>>()?,
            sender_keys: stored.sender_keys.iter().map(sender_key).collect::<Result<_>>()?,
            received_keys: stored.received_keys.iter().map(received).collect::<Result<_>>()?,
            address: stored.address,
            known: stored.known,
            policy: HandshakePolicy::default(),
        })
    }
}
