//! A device's own chain.

use super::context::{ChainOwner, GroupContext};
use super::form::GroupProfile;
use super::record::{RecordForm, finish};
use super::{SENDER_KEY_AGE, SENDER_KEY_MESSAGES};
use crate::crypto::Secret;
use crate::error::{Fault, Result};
use crate::rule::{self, Rule};
use crate::wire::Address;
use core::fmt;
use rand_core::TryCryptoRng;

/// The sender key with which this device writes to one group at one epoch.
///
/// Hand its [`distribution`](Self::distribution) to every member device, each inside its one-to-one session, then encrypt. Store the state
/// before a message leaves. Make a new one before the next message whenever somebody leaves the group, and when
/// [`needs_rotation`](Self::needs_rotation) says so: nothing heals within a chain.
///
/// ```
/// use undertone::{GroupContext, GroupId, ReceivedSenderKeys, SenderKey, Undertone};
#[doc = include_str!("../../docs/examples/two_devices.txt")]
///
/// // The membership is hashed as the application keeps it; each change of it is a new epoch with new chains.
/// let friends = GroupContext::new(GroupId::new(*b"friends")?, 1, [0x5a; 32]);
/// let mut alices_chain = SenderKey::<Undertone>::create(friends.clone(), &alices, alices_key.public(), now, &mut rng)?;
///
/// // Bob takes in the distribution, which came inside his session with Alice, and reads what she writes from there on.
/// let mut from_alice = ReceivedSenderKeys::<Undertone>::new(&alices, alices_key.public());
/// from_alice.process_distribution(&alices, alices_key.public(), &alices_chain.distribution())?;
/// let message = alices_chain.encrypt(b"hello, all", &mut rng)?;
/// let read = from_alice.decrypt(&message, now)?;
/// assert_eq!((read.plaintext.as_slice(), read.context, read.number), (b"hello, all".as_slice(), friends, 0));
/// assert_eq!(alices_chain.sent(), 1);
/// # Ok::<(), undertone::Error>(())
/// ```
pub struct SenderKey<P: GroupProfile> {
    owner: ChainOwner,
    chain: P::Chain,
    signer: P::Signer,
    key: Secret<32>,
    /// The number of the next message.
    next: u32,
    created: u64,
}

impl<P: GroupProfile> SenderKey<P> {
    const FORM: RecordForm = RecordForm { kind: 0x31, profile: P::RECORD_TAG, version: 1 };

    /// A new chain for the group as `context` describes it; `owner` and `identity` are this device's own, `now` is in seconds.
    ///
    /// # Errors
    /// `random.failed`; in the Signal profile `request.argument` for a context with more to it than a distribution's UUID.
    pub fn create(
        context: GroupContext,
        owner: &Address,
        identity: &P::IdentityKey,
        now: u64,
        rng: &mut impl TryCryptoRng,
    ) -> Result<Self> {
        let owner = ChainOwner::new(owner.clone(), identity);
        let (chain, signer) = P::create(context, &owner, rng)?;
        Ok(Self { owner, chain, signer, key: Secret::random(rng)?, next: 0, created: now })
    }

    /// The group that the chain was made for.
    #[must_use]
    pub fn context(&self) -> &GroupContext {
        P::context(&self.chain)
    }

    /// The sender key distribution message: gives a member everything from the next message on, and nothing before it. It holds
    /// secrets and travels only inside a session with that member.
    #[must_use]
    pub fn distribution(&self) -> Vec<u8> {
        P::encode_distribution(&self.chain, &self.owner, &self.key, self.next)
    }

    /// Encrypts one message for all members. On an error nothing has changed.
    ///
    /// # Errors
    /// `group.exhausted`, `request.too_large`, `random.failed`.
    pub fn encrypt(&mut self, plaintext: &[u8], rng: &mut impl TryCryptoRng) -> Result<Vec<u8>> {
        // DR-15, B35: the counter has a ceiling and never wraps.
        if rule::on(Rule::Dr15) && self.next == u32::MAX {
            return Err(Fault::GroupExhausted.into());
        }
        let (key, seed) = P::group_step(&self.key, self.next);
        let message = P::seal_group(&self.chain, &self.signer, &seed, self.next, plaintext, rng)?;
        self.key = key;
        self.next = self.next.wrapping_add(1);
        Ok(message)
    }

    /// Whether the chain has served long enough (security: a stolen copy reads to the end of the chain, D7). `now` is in seconds.
    ///
    /// ```
    #[doc = include_str!("../../docs/examples/two_devices.txt")]
    #[doc = include_str!("../../docs/examples/group.txt")]
    /// assert!(!alices_chain.needs_rotation(now));
    /// assert!(alices_chain.needs_rotation(now + SENDER_KEY_AGE));
    /// # Ok::<(), undertone::Error>(())
    /// ```
    #[must_use]
    pub fn needs_rotation(&self, now: u64) -> bool {
        self.next >= SENDER_KEY_MESSAGES || now.saturating_sub(self.created) >= SENDER_KEY_AGE
    }

    /// How many messages the chain has encrypted.
    #[must_use]
    pub const fn sent(&self) -> u32 {
        self.next
    }

    /// The record: deterministic, and secret.
    ///
    /// ```
    #[doc = include_str!("../../docs/examples/two_devices.txt")]
    #[doc = include_str!("../../docs/examples/group.txt")]
    /// let stored = alices_chain.to_bytes();
    /// let again = SenderKey::<Undertone>::from_bytes(&stored)?;
    /// assert_eq!((again.context(), again.to_bytes()), (&friends, stored));
    /// # Ok::<(), undertone::Error>(())
    /// ```
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Self::FORM.begin(512);
        self.owner.encode(&mut out);
        P::encode_chain(&self.chain, &mut out);
        P::encode_signer(&self.signer, &mut out);
        out.bytes(self.key.expose()).u32(self.next).u64(self.created);
        finish(out)
    }

    /// Reads what [`to_bytes`](Self::to_bytes) wrote.
    ///
    /// # Errors
    /// `record.version`, `record.corrupt`.
    pub fn from_bytes(record: &[u8]) -> Result<Self> {
        let mut input = Self::FORM.fields(record)?;
        let owner = ChainOwner::decode(&mut input)?;
        let chain = P::decode_chain(&mut input, &owner)?;
        let signer = P::decode_signer(&mut input)?;
        let (key, next, created) = (input.secret()?, input.u32()?, input.u64()?);
        input.finish()?;
        if !P::is_signer(&chain, &signer) {
            return Err(Fault::RecordCorrupt.into());
        }
        Ok(Self { owner, chain, signer, key, next, created })
    }

    /// Goes to message `next`, as if the messages before it had been sent.
    #[cfg(any(test, feature = "__internals"))]
    #[doc(hidden)]
    pub fn walk_to(&mut self, next: u32) {
        while self.next < next {
            self.key = P::group_walk(&self.key, self.next);
            self.next += 1;
        }
    }

    /// Goes to message `next` with the chain key at hand: nobody walks to the ceiling.
    #[cfg(any(test, feature = "__internals"))]
    #[doc(hidden)]
    pub fn jump_to(&mut self, next: u32) {
        self.next = next;
    }
}

/// Shows how far the chain has come, and no key.
impl<P: GroupProfile> fmt::Debug for SenderKey<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SenderKey({:?}, {} sent)", self.owner.address, self.next)
    }
}
