//! The chains of one other device.

use super::MAX_SENDER_KEYS;
use super::chain::ReadingPlace;
use super::context::{ChainOwner, GroupContext, GroupId};
use super::form::{GroupProfile, Held};
use super::record::{RecordForm, finish};
use crate::error::{Error, Fault, Result};
use crate::rule::{self, Rule};
use crate::wire::Address;
use core::fmt;

/// The sender keys that one device has handed to this one, for all groups that the two share.
///
/// It belongs to one address with one identity key. When a device's identity key changes, drop its record and begin a new one.
///
/// ```
/// use undertone::ReceivedSenderKeys;
#[doc = include_str!("../../docs/examples/two_devices.txt")]
#[doc = include_str!("../../docs/examples/group.txt")]
///
/// let (first, second) = (alices_chain.encrypt(b"one", &mut rng)?, alices_chain.encrypt(b"two", &mut rng)?);
/// assert_eq!(from_alice.decrypt(&second, now)?.number, 1);
/// // The key of the message that was passed over is kept for it, and gone when it has been read.
/// assert_eq!(from_alice.skipped(), 1);
/// assert_eq!(from_alice.decrypt(&first, now)?.plaintext, b"one");
/// assert_eq!(from_alice.decrypt(&first, now).unwrap_err().code(), "message.duplicate");
///
/// let stored = from_alice.to_bytes();
/// assert_eq!(ReceivedSenderKeys::<Undertone>::from_bytes(&stored)?.to_bytes(), stored);
/// # Ok::<(), undertone::Error>(())
/// ```
pub struct ReceivedSenderKeys<P: GroupProfile> {
    owner: ChainOwner,
    /// Newest first.
    chains: Vec<ReceivedChain<P>>,
}

struct ReceivedChain<P: GroupProfile> {
    chain: P::Chain,
    place: ReadingPlace<P>,
}

/// A decrypted group message, and what it is known to belong to.
///
/// ```
/// use undertone::GroupPlaintext;
#[doc = include_str!("../../docs/examples/two_devices.txt")]
#[doc = include_str!("../../docs/examples/group.txt")]
///
/// let GroupPlaintext { plaintext, context, number } = from_alice.decrypt(&alices_chain.encrypt(b"hello", &mut rng)?, now)?;
/// assert_eq!((plaintext.as_slice(), context.epoch(), number), (b"hello".as_slice(), 1, 0));
/// # Ok::<(), undertone::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct GroupPlaintext {
    /// What the sender encrypted.
    pub plaintext: Vec<u8>,
    /// The group, epoch and membership that the sender's chain was made for. The caller compares it with the group's present state: a message of a
    /// former epoch is genuine, and may come from somebody who has been removed since (B44).
    pub context: GroupContext,
    /// The message's number in its chain: a gap is a message that is missing (B42).
    pub number: u32,
}

impl<P: GroupProfile> ReceivedSenderKeys<P> {
    const FORM: RecordForm = RecordForm { kind: 0x32, profile: P::RECORD_TAG, version: 1 };

    /// The chains, none so far, of the device at `owner` with the key `identity`.
    #[must_use]
    pub fn new(owner: &Address, identity: &P::IdentityKey) -> Self {
        Self { owner: ChainOwner::new(owner.clone(), identity), chains: Vec::new() }
    }

    /// Takes in a sender key distribution message, which came inside the session with `sender`, whose identity key in that session is
    /// `identity`. The caller has made sure that `sender` is a member of the group. Returns the group that it is for.
    ///
    /// # Errors
    /// `group.forwarded` if the sender is not the chain's owner, `session.untrusted_identity` if its key is not the one of this record, `group.conflict`
    /// if a chain of that name with other keys is held, and the `message.*` and `key.*` codes of malformed bytes.
    ///
    /// # Example
    /// ```
    #[doc = include_str!("../../docs/examples/two_devices.txt")]
    #[doc = include_str!("../../docs/examples/group.txt")]
    /// // Nobody hands out another's chain.
    /// let forwarded = from_alice.process_distribution(&bobs, bobs_key.public(), &alices_chain.distribution());
    /// assert_eq!(forwarded.unwrap_err().code(), "group.forwarded");
    /// # Ok::<(), undertone::Error>(())
    /// ```
    pub fn process_distribution(
        &mut self,
        sender: &Address,
        identity: &P::IdentityKey,
        bytes: &[u8],
    ) -> Result<GroupContext> {
        let sender = ChainOwner::new(sender.clone(), identity);
        // B48: nobody hands out another's chain.
        if rule::on(Rule::B48) {
            if sender.address != self.owner.address {
                return Err(Fault::GroupForwarded.into());
            }
            if sender.identity != self.owner.identity {
                return Err(Fault::UntrustedIdentity.into());
            }
        }
        let offered = P::decode_distribution(bytes, &self.owner)?;
        let context = P::context(&offered.chain).clone();
        match self.find_held(&offered.chain) {
            Some((position, Held::Same)) => {
                // The place already reached is kept: an older start would let read messages be read again.
                if P::REPLACES_CHAINS
                    && let Some(newest_last) = self.chains.get_mut(..=position)
                {
                    newest_last.rotate_right(1);
                }
                return Ok(context);
            }
            Some((position, _)) if P::REPLACES_CHAINS => {
                self.chains.remove(position);
            }
            Some(_) => return Err(Fault::GroupConflict.into()),
            None => {}
        }
        let place = ReadingPlace::new(offered.key, offered.n);
        self.chains.insert(0, ReceivedChain { chain: offered.chain, place });
        self.drop_oldest_of(context.id());
        Ok(context)
    }

    /// Decrypts one message of this device. `now` is in seconds. On an error nothing has changed.
    ///
    /// # Errors
    /// `group.no_sender_key` if no chain is held that the message names; `signature.invalid`; `message.duplicate`; `message.too_far_ahead`;
    /// the `message.*` codes of malformed bytes.
    pub fn decrypt(&mut self, bytes: &[u8], now: u64) -> Result<GroupPlaintext> {
        let message = P::parse_group(bytes)?;
        let named = self.chains.iter_mut().find(|held| P::names(&message, &held.chain));
        let held = named.ok_or_else(|| Error::from(Fault::NoSenderKey))?;
        // The signature comes first, so that a forgery costs one verification and walks no chain (B31).
        let header = P::authenticate(&message, &held.chain)?;
        let (seed, change) = held.place.stage(header.n, now)?;
        let plaintext = P::open_group(&message, &header, &held.chain, &seed)?;
        held.place.apply(change);
        let context = P::context(&held.chain).clone();
        self.forget_old_keys(now);
        Ok(GroupPlaintext { plaintext, context, number: header.n })
    }

    /// The groups and epochs for which a chain is held, newest first.
    pub fn contexts(&self) -> impl Iterator<Item = &GroupContext> {
        self.chains.iter().map(|held| P::context(&held.chain))
    }

    /// Whether no chain is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.chains.is_empty()
    }

    /// Closes a group's epochs before `epoch`: their messages are no longer read (B44). `u64::MAX` gives up all but the very last.
    ///
    /// ```
    #[doc = include_str!("../../docs/examples/two_devices.txt")]
    #[doc = include_str!("../../docs/examples/group.txt")]
    /// let message = alices_chain.encrypt(b"from before", &mut rng)?;
    /// assert_eq!(from_alice.contexts().count(), 1);
    /// from_alice.close_before(friends.id(), 2);
    /// assert!(from_alice.is_empty());
    /// assert_eq!(from_alice.decrypt(&message, now).unwrap_err().code(), "group.no_sender_key");
    /// # Ok::<(), undertone::Error>(())
    /// ```
    pub fn close_before(&mut self, group: &GroupId, epoch: u64) {
        self.chains.retain(|held| {
            let context = P::context(&held.chain);
            context.id() != group || context.epoch() >= epoch
        });
    }

    /// Gives up all chains of a group.
    ///
    /// ```
    #[doc = include_str!("../../docs/examples/two_devices.txt")]
    #[doc = include_str!("../../docs/examples/group.txt")]
    /// from_alice.forget_group(friends.id());
    /// assert!(from_alice.is_empty());
    /// # Ok::<(), undertone::Error>(())
    /// ```
    pub fn forget_group(&mut self, group: &GroupId) {
        self.chains.retain(|held| P::context(&held.chain).id() != group);
    }

    /// Gives up the keys of messages that were passed over too long ago; every decryption does so too. `now` is in seconds.
    pub fn forget_old_keys(&mut self, now: u64) {
        self.chains.iter_mut().for_each(|held| held.place.forget_old_keys(now));
    }

    /// How many keys of messages passed over are held.
    #[must_use]
    pub fn skipped(&self) -> usize {
        self.chains.iter().map(|held| held.place.skipped()).sum()
    }

    /// The record: deterministic, and secret.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Self::FORM.begin(256 + self.chains.len() * 256 + self.skipped() * 44);
        self.owner.encode(&mut out);
        out.u32(u32::try_from(self.chains.len()).unwrap_or(u32::MAX));
        for held in &self.chains {
            P::encode_chain(&held.chain, &mut out);
            held.place.encode(&mut out);
        }
        finish(out)
    }

    /// Reads what [`to_bytes`](Self::to_bytes) wrote.
    ///
    /// # Errors
    /// `record.version`, `record.corrupt`.
    pub fn from_bytes(record: &[u8]) -> Result<Self> {
        let mut input = Self::FORM.fields(record)?;
        let mut keys = Self { owner: ChainOwner::decode(&mut input)?, chains: Vec::new() };
        for _ in 0..input.u32()? {
            let chain = P::decode_chain(&mut input, &keys.owner)?;
            let place = ReadingPlace::decode(&mut input)?;
            let of_group = keys.contexts().filter(|context| context.id() == P::context(&chain).id()).count();
            if of_group >= MAX_SENDER_KEYS || keys.find_held(&chain).is_some() {
                return Err(Fault::RecordCorrupt.into());
            }
            keys.chains.push(ReceivedChain { chain, place });
        }
        input.finish()?;
        Ok(keys)
    }

    fn find_held(&self, offered: &P::Chain) -> Option<(usize, Held)> {
        let stands = self.chains.iter().map(|held| P::compare(&held.chain, offered));
        stands.enumerate().find(|(_, stand)| *stand != Held::Other)
    }

    /// Keeps the newest chains of a group.
    fn drop_oldest_of(&mut self, group: &GroupId) {
        let mut of_group = 0;
        self.chains.retain(|held| {
            of_group += usize::from(P::context(&held.chain).id() == group);
            P::context(&held.chain).id() != group || of_group <= MAX_SENDER_KEYS
        });
    }
}

/// Shows how many chains are held, and no key.
impl<P: GroupProfile> fmt::Debug for ReceivedSenderKeys<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ReceivedSenderKeys({:?}, {} chains)", self.owner.address, self.chains.len())
    }
}

/// Shows the length of the plaintext only.
impl fmt::Debug for GroupPlaintext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let length = self.plaintext.len();
        write!(f, "GroupPlaintext({length} bytes, {:?}, number {})", self.context, self.number)
    }
}
