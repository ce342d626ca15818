//! What differs between the two profiles' sender keys.

use super::context::{ChainOwner, GroupContext};
use crate::crypto::Secret;
use crate::error::Result;
use crate::profile::Profile;
use crate::wire::{Reader, Writer};
use rand_core::TryCryptoRng;

/// The wire format and the key schedule of sender keys.
///
/// ```
/// use undertone::group::GroupProfile;
/// use undertone::{Result, SenderKey, Undertone};
#[doc = include_str!("../../docs/examples/two_devices.txt")]
#[doc = include_str!("../../docs/examples/group.txt")]
///
/// // An application that speaks both profiles writes its own functions once.
/// fn post<P: GroupProfile>(chain: &mut SenderKey<P>, texts: &[&str]) -> Result<Vec<Vec<u8>>> {
///     texts.iter().map(|text| chain.encrypt(text.as_bytes(), &mut SysRng)).collect()
/// }
/// assert_eq!(post::<Undertone>(&mut alices_chain, &["one", "two"])?.len(), 2);
/// # Ok::<(), undertone::Error>(())
/// ```
pub trait GroupProfile: Profile {
    /// What every reader of a chain knows of it and what never changes: what it is bound to, its id, and the keys besides the chain key.
    type Chain: Send + Sync;
    /// What only the owner of a chain has: its signing key.
    type Signer: Send + Sync;
    /// A group message whose outer form has been parsed, borrowed from its bytes.
    type GroupMessage<'a>;

    /// Whether a distribution that contradicts a chain replaces it. Where it does not, it is refused.
    const REPLACES_CHAINS: bool;

    /// A new chain.
    ///
    /// # Errors
    /// `random.failed`; `request.argument` for a context that the profile cannot bind.
    fn create(
        context: GroupContext,
        owner: &ChainOwner,
        rng: &mut impl TryCryptoRng,
    ) -> Result<(Self::Chain, Self::Signer)>;

    /// The group that a chain belongs to.
    fn context(chain: &Self::Chain) -> &GroupContext;

    /// What a distribution for `offered` means to one who holds `held`.
    fn compare(held: &Self::Chain, offered: &Self::Chain) -> Held;

    /// Whether `signer` is the one whose messages the readers of `chain` accept.
    fn is_signer(chain: &Self::Chain, signer: &Self::Signer) -> bool;

    /// One step of a chain at message `n`: the next chain key and the message's seed.
    fn group_step(key: &Secret<32>, n: u32) -> (Secret<32>, Secret<32>);

    /// The next chain key alone.
    fn group_walk(key: &Secret<32>, n: u32) -> Secret<32>;

    /// The message that hands out a chain, with `key` at message `n`. It holds secrets and travels only inside a session.
    fn encode_distribution(chain: &Self::Chain, owner: &ChainOwner, key: &Secret<32>, n: u32) -> Vec<u8>;

    /// Reads what [`encode_distribution`](Self::encode_distribution) wrote, as it came from `owner`.
    ///
    /// # Errors
    /// The `message.*` and `key.*` codes of malformed bytes; `group.forwarded` if it names another owner.
    fn decode_distribution(bytes: &[u8], owner: &ChainOwner) -> Result<Distribution<Self>>;

    /// Encrypts and signs one message.
    ///
    /// # Errors
    /// `random.failed`, `request.too_large`.
    fn seal_group(
        chain: &Self::Chain,
        signer: &Self::Signer,
        seed: &Secret<32>,
        n: u32,
        plaintext: &[u8],
        rng: &mut impl TryCryptoRng,
    ) -> Result<Vec<u8>>;

    /// Parses the outer form of a message.
    ///
    /// # Errors
    /// The `message.*` codes of malformed bytes.
    fn parse_group(bytes: &[u8]) -> Result<Self::GroupMessage<'_>>;

    /// Whether `message` names `chain`.
    fn names(message: &Self::GroupMessage<'_>, chain: &Self::Chain) -> bool;

    /// Verifies the signature of `message` and reads its header.
    ///
    /// # Errors
    /// `signature.invalid`, `message.authentication`.
    fn authenticate(message: &Self::GroupMessage<'_>, chain: &Self::Chain) -> Result<GroupHeader>;

    /// Decrypts the body.
    ///
    /// # Errors
    /// `message.authentication`, `message.padding`.
    fn open_group(
        message: &Self::GroupMessage<'_>,
        header: &GroupHeader,
        chain: &Self::Chain,
        seed: &Secret<32>,
    ) -> Result<Vec<u8>>;

    /// Writes a chain for a record.
    fn encode_chain(chain: &Self::Chain, out: &mut Writer);

    /// Reads what [`encode_chain`](Self::encode_chain) wrote.
    ///
    /// # Errors
    /// The reader's fault.
    fn decode_chain(input: &mut Reader<'_>, owner: &ChainOwner) -> Result<Self::Chain>;

    /// Writes a signing key for a record.
    fn encode_signer(signer: &Self::Signer, out: &mut Writer);

    /// Reads what [`encode_signer`](Self::encode_signer) wrote.
    ///
    /// # Errors
    /// The reader's fault.
    fn decode_signer(input: &mut Reader<'_>) -> Result<Self::Signer>;
}

/// A chain as it was handed out.
///
/// ```
/// use undertone::group::{ChainOwner, GroupProfile};
#[doc = include_str!("../../docs/examples/two_devices.txt")]
#[doc = include_str!("../../docs/examples/group.txt")]
///
/// alices_chain.encrypt(b"before Bob joined", &mut rng)?;
/// let owner = ChainOwner::new(alices, alices_key.public());
/// assert_eq!(Undertone::decode_distribution(&alices_chain.distribution(), &owner)?.n, 1);
/// # Ok::<(), undertone::Error>(())
/// ```
pub struct Distribution<P: GroupProfile> {
    /// The chain.
    pub chain: P::Chain,
    /// Its chain key at `n`.
    pub key: Secret<32>,
    /// From which message on it can be read.
    pub n: u32,
}

/// What a message says about its place in its chain.
///
/// ```
/// use undertone::group::{ChainOwner, GroupProfile};
#[doc = include_str!("../../docs/examples/two_devices.txt")]
#[doc = include_str!("../../docs/examples/group.txt")]
///
/// let owner = ChainOwner::new(alices, alices_key.public());
/// let chain = Undertone::decode_distribution(&alices_chain.distribution(), &owner)?.chain;
/// let message = alices_chain.encrypt(b"hello", &mut rng)?;
/// assert_eq!(Undertone::authenticate(&Undertone::parse_group(&message)?, &chain)?.n, 0);
/// # Ok::<(), undertone::Error>(())
/// ```
pub struct GroupHeader {
    /// The message's number.
    pub n: u32,
    /// Fresh randomness mixed into the nonce (M-2, B33); zero in the Signal profile.
    pub guard: [u8; 12],
}

/// How a chain that is held stands to one that is offered.
///
/// ```
/// use undertone::group::{ChainOwner, GroupProfile, Held};
#[doc = include_str!("../../docs/examples/two_devices.txt")]
/// # let friends = GroupContext::new(GroupId::new(*b"friends")?, 1, [0; 32]);
///
/// let owner = ChainOwner::new(alices, alices_key.public());
/// let (one, _) = Undertone::create(friends.clone(), &owner, &mut rng)?;
/// let (other, _) = Undertone::create(friends, &owner, &mut rng)?;
/// assert_eq!((Undertone::compare(&one, &one), Undertone::compare(&one, &other)), (Held::Same, Held::Other));
/// # Ok::<(), undertone::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Held {
    /// They are two chains.
    Other,
    /// They are one chain.
    Same,
    /// They go by one name and differ.
    Contradicts,
}
