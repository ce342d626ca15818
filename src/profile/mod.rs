//! Floor 1: the two wire profiles, and the trait that says what differs between them.
//!
//! The state machines of the floors above are written once, generic over [`Profile`]. [`Undertone`] is the native
//! profile, defined by `docs/protocol.md`; [`Signal`] (feature `signal`) speaks the wire format of official clients.

mod identity;
mod post_quantum;
#[cfg(feature = "signal")]
mod signal;
mod undertone;

pub use crate::wire::{BraidPayload, Chunk, PostQuantumHeader};
pub use identity::{IdentityKey, IdentityKeyPair, Statement};
pub use post_quantum::PostQuantumProfile;
#[cfg(feature = "signal")]
pub use signal::{ClearHeader, Signal, SignalIdentityKey, SignalIdentityKeyPair};
pub use undertone::{
    MAX_PLAINTEXT, Undertone, UndertoneIdentityKey, UndertoneIdentityKeyPair, check_type, prefix, suite_label,
};

use crate::crypto::Secret;
use crate::crypto::agreement::AgreementKey;
use crate::crypto::kem::KemScheme;
use crate::error::Result;
use crate::wire::{Address, Reader, Writer};
use rand_core::TryCryptoRng;

/// What differs between the two wire formats. Sealed: there are two.
pub trait Profile: PostQuantumProfile + sealed::Sealed + Sized + Send + Sync + 'static {
    /// Stands in every stored record, so that a record of one profile is never read as the other's.
    const RECORD_TAG: u8;
    /// Whether a message's header, and with it the whole message, is authenticated before any chain is walked.
    const AUTHENTICATES_HEADER_FIRST: bool;
    /// Whether the header's `pn` closes the receiving chain that went before.
    const CLOSES_CHAINS: bool;
    /// Whether a session with another device of the same account may jump without bound.
    const TRUSTS_OWN_DEVICES: bool;
    /// How long a skipped message key is kept, in seconds.
    const SKIPPED_KEY_AGE: Option<u64>;
    /// How long an archived session may still receive, in seconds.
    const ARCHIVED_AGE: Option<u64>;

    /// The identity key of a device's owner.
    type IdentityKey: IdentityKey;
    /// Its private half.
    type IdentityKeyPair: IdentityKeyPair<Public = Self::IdentityKey>;
    /// The KEM of the handshake.
    type Kem: KemScheme;
    /// The key that encrypts headers of one sending chain; a unit where headers are in clear.
    type HeaderKey: HeaderKey;
    /// What binds every message to the two parties of its session.
    type Binding: Send + Sync;
    /// A session message whose outer form has been parsed, borrowed from its bytes.
    type Message<'a>;

    /// Whether two account names stand for one account.
    fn same_account(one: &str, other: &str) -> bool;

    /// The secrets of a new session from the handshake's concatenated secrets (`DH1 ‖ DH2 ‖ DH3 [‖ DH4] [‖ SS]`, without the
    /// leading `FF×32`) and the encoded transcript, which the Signal profile ignores.
    fn handshake_secrets(suite: Suite, secrets: &[&[u8]], transcript: &[u8]) -> HandshakeSecrets<Self>;

    /// Makes the binding of a session.
    fn binding(suite: Suite, parties: &Parties<'_, Self>) -> Self::Binding;

    /// One step of the root chain: the new root, the new chain key, and the next header key.
    fn root_step(root: &Secret<32>, agreement: &Secret<32>) -> (Secret<32>, Secret<32>, Self::HeaderKey);

    /// One step of a sending or receiving chain at message number `n`: the next chain key and the message's seed, neither of which tells anything of the
    /// other (DR-1).
    fn classical_step(chain: &Secret<32>, n: u32) -> (Secret<32>, Secret<32>);

    /// The next chain key alone.
    fn classical_walk(chain: &Secret<32>, n: u32) -> Secret<32>;

    /// What to write as `pn` after a chain in which `sent` messages were sent.
    fn previous_count(sent: u32) -> u32;

    /// Seals one message, drawing the nonce and the header's guard. `first` says that it will travel inside a first message.
    ///
    /// # Errors
    /// `random.failed`; `request.too_large`.
    fn seal(
        keys: MessageKeys<'_, Self>,
        header: Header,
        binding: &Self::Binding,
        first: bool,
        plaintext: &[u8],
        rng: &mut impl TryCryptoRng,
    ) -> Result<Vec<u8>>;

    /// Parses the outer form of a session message.
    ///
    /// # Errors
    /// The `message.*` codes of malformed bytes.
    fn parse(bytes: &[u8]) -> Result<Self::Message<'_>>;

    /// The header of `message`, if it was made under `key`: `None` says that the message is not of that chain.
    ///
    /// # Errors
    /// `message.authentication` when the message names this key and does not authenticate under it.
    fn open_header(
        message: &Self::Message<'_>,
        key: &Self::HeaderKey,
        binding: &Self::Binding,
    ) -> Result<Option<Header>>;

    /// Authenticates and decrypts the body.
    ///
    /// # Errors
    /// `message.authentication`, `message.padding`.
    fn open(
        keys: MessageKeys<'_, Self>,
        header: &Header,
        message: &Self::Message<'_>,
        binding: &Self::Binding,
    ) -> Result<Vec<u8>>;

    /// Writes a public X25519 key as the profile's records and signed bytes hold it.
    fn encode_agreement_key(key: &AgreementKey) -> Vec<u8>;
}

/// The two ways to begin a session. A [`X3dh`](Suite::X3dh) session has no post-quantum key in its root, and is only
/// ever made where a policy names it (X3-12).
///
/// ```
/// use undertone::Suite;
///
/// assert_eq!((Suite::Pqxdh.number(), Suite::from_number(2)), (1, Some(Suite::X3dh)));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Suite {
    /// X25519 and a KEM.
    Pqxdh,
    /// X25519 alone.
    X3dh,
}

impl Suite {
    /// 1 for PQXDH, 2 for X3DH.
    pub const fn number(self) -> u8 {
        match self {
            Self::Pqxdh => 1,
            Self::X3dh => 2,
        }
    }

    /// The suite of a number.
    pub const fn from_number(number: u8) -> Option<Self> {
        match number {
            1 => Some(Self::Pqxdh),
            2 => Some(Self::X3dh),
            _ => None,
        }
    }
}

/// Which side of a session this device is: the initiator processed a bundle, the responder accepted a first message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Processed a prekey bundle.
    Initiator,
    /// Accepted a first message.
    Responder,
}

/// The two ends of a session, as this device sees them.
pub struct Parties<'a, P: Profile> {
    /// Which of the two this device is.
    pub role: Role,
    /// This device's identity key.
    pub local_identity: &'a P::IdentityKey,
    /// The peer's identity key.
    pub remote_identity: &'a P::IdentityKey,
    /// This device's address.
    pub local: &'a Address,
    /// The peer's address.
    pub remote: &'a Address,
}

/// What the handshake gives the session.
pub struct HandshakeSecrets<P: Profile> {
    /// The first root key.
    pub root: Secret<32>,
    /// The header key of the initiator's first sending chain.
    pub initiator_header: P::HeaderKey,
    /// The header key of the responder's first sending chain.
    pub responder_header: P::HeaderKey,
    /// The secret that starts the post-quantum ratchet (PQ-27).
    pub post_quantum: Secret<32>,
}

/// The key under which the headers of one chain are encrypted.
pub trait HeaderKey: Sized + Send + Sync {
    /// The key again: a chain's header key is held by the chain and by the staged copy of it.
    fn duplicate(&self) -> Self;
    /// Writes the key for a record.
    fn encode(&self, out: &mut Writer);
    /// Reads what [`encode`](Self::encode) wrote.
    ///
    /// # Errors
    /// The reader's fault.
    fn decode(input: &mut Reader<'_>) -> Result<Self>;
    /// The 16-byte session tag that messages under this key carry, where the profile has one.
    fn tag(&self) -> Option<[u8; 16]>;
}

/// The key material of one message: both ratchets have their part in it (SP-7).
pub struct MessageKeys<'a, P: Profile> {
    /// From the classical chain.
    pub seed: &'a Secret<32>,
    /// From the post-quantum chain.
    pub post_quantum: &'a Secret<32>,
    /// The header key of the chain.
    pub header: &'a P::HeaderKey,
}

/// What a message says about its place in the ratchets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// The sender's ratchet key.
    pub ratchet_key: AgreementKey,
    /// The message's number in its sending chain, from 0.
    pub n: u32,
    /// The number of messages in the sender's previous chain.
    pub pn: u32,
    /// The post-quantum ratchet's part.
    pub post_quantum: PostQuantumHeader,
    /// Fresh randomness mixed into the nonce (M-2); zero in the Signal profile.
    pub guard: [u8; 12],
}

mod sealed {
    /// Keeps [`Profile`](super::Profile) to the two that exist.
    pub trait Sealed {}
    impl Sealed for super::Undertone {}
    #[cfg(feature = "signal")]
    impl Sealed for super::Signal {}
}
