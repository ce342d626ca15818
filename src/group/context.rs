//! What a chain is bound to: the group as it stood when the chain was made, and the device that owns the chain.

use crate::error::{Fault, Result};
use crate::profile::IdentityKey;
use crate::wire::{Address, Reader, Writer};
use core::fmt;

/// The name of a group: 1 to 64 bytes. In the Signal profile, the 16 bytes of a distribution's UUID.
///
/// ```
/// use undertone::GroupId;
///
/// assert_eq!(GroupId::new(*b"friends")?.as_bytes(), b"friends");
/// assert_eq!(GroupId::new([]).unwrap_err().code(), "request.argument");
/// # Ok::<(), undertone::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GroupId(Vec<u8>);

impl GroupId {
    /// The longest name, in bytes.
    pub const MAX: usize = 64;

    /// Takes over a name.
    ///
    /// # Errors
    /// `request.argument` for an empty name or one over 64 bytes.
    pub fn new(id: impl Into<Vec<u8>>) -> Result<Self> {
        let id = id.into();
        if id.is_empty() || id.len() > Self::MAX { Err(Fault::Argument.into()) } else { Ok(Self(id)) }
    }

    /// The name.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// `u8 length ‖ group id` (docs/protocol.md, section 10).
    pub(super) fn encode(&self, out: &mut Writer) {
        out.u8(u8::try_from(self.0.len()).unwrap_or(u8::MAX)).bytes(&self.0);
    }

    pub(super) fn decode(input: &mut Reader<'_>) -> Result<Self> {
        let length = input.u8()?;
        Self::new(input.bytes(usize::from(length))?).map_err(|_| input.malformed().into())
    }
}

/// Shows the length only: a group's name may tell what it is about.
impl fmt::Debug for GroupId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GroupId({} bytes)", self.0.len())
    }
}

/// A group at one point of its history. Every message of a native chain is bound to it: members who see the membership differently do not
/// read each other (B42, B45).
///
/// ```
/// use undertone::{GroupContext, GroupId};
///
/// let (before, after) = ([0xaa; 32], [0xbb; 32]);
/// let friends = GroupId::new(*b"friends")?;
/// let context = GroupContext::new(friends.clone(), 1, before);
/// assert_eq!((context.id(), context.epoch(), context.membership()), (&friends, 1, &before));
/// assert_ne!(GroupContext::new(friends, 2, after), context);
/// # Ok::<(), undertone::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct GroupContext {
    id: GroupId,
    epoch: u64,
    membership: [u8; 32],
}

impl GroupContext {
    /// The group `id` at `epoch`, with a hash of the membership statement as the application keeps it (zeros where it keeps none).
    #[must_use]
    pub const fn new(id: GroupId, epoch: u64, membership: [u8; 32]) -> Self {
        Self { id, epoch, membership }
    }

    /// A distribution of the Signal profile, which has a UUID and nothing besides.
    ///
    /// ```
    /// use undertone::{GroupContext, SenderKey, Signal};
    #[doc = include_str!("../../docs/examples/two_signal_devices.txt")]
    ///
    /// let context = GroupContext::distribution(*b"a UUID, 16 bytes");
    /// let chain = SenderKey::<Signal>::create(context.clone(), &alices, alices_key.public(), now, &mut rng)?;
    /// assert_eq!(chain.context(), &context);
    /// # Ok::<(), undertone::Error>(())
    /// ```
    #[cfg(feature = "signal")]
    #[must_use]
    pub fn distribution(uuid: [u8; 16]) -> Self {
        Self { id: GroupId(uuid.to_vec()), epoch: 0, membership: [0; 32] }
    }

    /// The group's name.
    #[must_use]
    pub const fn id(&self) -> &GroupId {
        &self.id
    }

    /// The number of membership changes before this point.
    #[must_use]
    pub const fn epoch(&self) -> u64 {
        self.epoch
    }

    /// The hash of the membership statement.
    #[must_use]
    pub const fn membership(&self) -> &[u8; 32] {
        &self.membership
    }

    pub(super) fn encode(&self, out: &mut Writer) {
        self.id.encode(out);
        out.u64(self.epoch).bytes(&self.membership);
    }

    pub(super) fn decode(input: &mut Reader<'_>) -> Result<Self> {
        Ok(Self { id: GroupId::decode(input)?, epoch: input.u64()?, membership: *input.array()? })
    }
}

/// The device that owns a chain: its address and its identity key as it stands on the wire. The key is compared and hashed here, never used.
///
/// ```
/// use undertone::group::ChainOwner;
#[doc = include_str!("../../docs/examples/two_devices.txt")]
///
/// assert!(ChainOwner::new(alices.clone(), alices_key.public()) != ChainOwner::new(alices, bobs_key.public()));
/// # Ok::<(), undertone::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct ChainOwner {
    pub(super) address: Address,
    pub(super) identity: Vec<u8>,
}

impl ChainOwner {
    /// The owner at `address` with the key `identity`.
    pub fn new(address: Address, identity: &impl IdentityKey) -> Self {
        Self { address, identity: identity.to_bytes() }
    }

    pub(super) fn encode(&self, out: &mut Writer) {
        self.address.encode(out);
        let length = u8::try_from(self.identity.len()).unwrap_or(u8::MAX);
        out.u8(length).bytes(&self.identity);
    }

    pub(super) fn decode(input: &mut Reader<'_>) -> Result<Self> {
        let address = Address::decode(input)?;
        let length = input.u8()?;
        Ok(Self { address, identity: input.bytes(usize::from(length))?.to_vec() })
    }
}
