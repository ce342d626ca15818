//! Floor 5: how envelopes, prekeys and device lists travel.
//!
//! | transport | for |
//! |---|---|
//! | [`MemoryTransport`] to a [`MemoryServer`] | tests, with faults on demand; devices in one process |
//! | `WebSocketTransport` (feature `websocket`) | a relay such as `examples/relay` |
//! | your own | anything else: run the suite in `transport::conformance` (feature `conformance`) against it |
//!
//! A [`Transport`] connects one device with a server. The server is trusted with delivery and nothing else: what it is given is sealed, what it hands out is
//! signed, and the client checks it.

pub mod admission;
#[cfg(feature = "conformance")]
pub mod conformance;
mod fault;
mod memory;
#[cfg(all(feature = "websocket", not(target_family = "wasm")))]
mod websocket;

use crate::error::Result;
use crate::handshake::PublishedPrekey;
use crate::runtime::Shareable;
use crate::wire::Address;
use async_trait::async_trait;
use core::fmt;
use std::sync::Arc;

pub use fault::TransportFault;
#[cfg(feature = "__internals")]
#[doc(hidden)]
pub use memory::inspection::{HandedOut, Tamper};
pub use memory::{FailedCall, Faults, MemoryServer, MemoryTransport, ServerLimits};
#[cfg(all(feature = "websocket", not(target_family = "wasm")))]
pub use websocket::{WebSocketOptions, WebSocketTransport, protocol};

/// Connects one device with a server.
///
/// Every method may be called at any time, from several tasks at once, and may be dropped before it ends: a request whose answer was not seen is made again
/// by the client, and the server takes it as one (envelopes by their id, publications by theirs).
///
/// Errors are made with [`TransportFault`].
#[cfg_attr(not(target_family = "wasm"), async_trait)]
#[cfg_attr(target_family = "wasm", async_trait(?Send))]
pub trait Transport: Shareable {
    /// Says who is to be connected: called once by a client that opens, before all but [`leave`](Self::leave) and [`collect`](Self::collect). Need not wait for a
    /// connection. The transport signs in with `login` whenever it connects.
    ///
    /// # Errors
    /// `transport.unauthorized`.
    async fn attach(&self, login: Arc<dyn Login>) -> Result<()>;

    /// Publishes prekeys and new statements of the own device list. Doing it twice is doing it once.
    ///
    /// # Errors
    /// `transport.refused` if the server found a statement or a prekey wanting; `transport.unreachable`, `transport.rate_limited`.
    async fn publish(&self, publication: &Publication) -> Result<PrekeyStock>;

    /// The statements of an account's device list after number `after`; all of them for 0.
    ///
    /// # Errors
    /// `transport.unknown_account`; `transport.unreachable`, `transport.rate_limited`, `transport.malformed`.
    async fn device_list(&self, account: &str, after: u64) -> Result<Vec<Vec<u8>>>;

    /// One prekey bundle for each of `devices` that has published, as [`PrekeyBundle::to_bytes`](crate::PrekeyBundle::to_bytes) writes it. A one-time prekey is
    /// handed out once.
    ///
    /// # Errors
    /// As [`device_list`](Self::device_list).
    async fn fetch(&self, account: &str, devices: &[u8]) -> Result<Vec<Vec<u8>>>;

    /// Hands envelopes to the server, and tells for each, in their order, what became of it. The server must not learn from it who sends: a transport that signs in
    /// does this outside of what it signed in to.
    ///
    /// # Errors
    /// `transport.unreachable`, `transport.rate_limited`: some may have been accepted; they are sent again with the same ids.
    async fn send(&self, envelopes: &[Outbound]) -> Result<Vec<Verdict>>;

    /// Waits until there are envelopes for this device, and returns some. They are handed out until they are acknowledged: again at the next call, again after a
    /// reconnection, and to another process of this device. So a client acknowledges before it receives again.
    ///
    /// # Errors
    /// `transport.unreachable`, `transport.unauthorized`, `transport.malformed`.
    async fn receive(&self) -> Result<Vec<Delivery>>;

    /// Tells the server to forget envelopes. An id that it does not know is no error.
    ///
    /// # Errors
    /// `transport.unreachable`.
    async fn acknowledge(&self, ids: &[EnvelopeId]) -> Result<()>;

    /// Leaves `mine` with the server if its generation is the highest of this device, and returns the one that was highest before, if there was one. The client notices by it that its
    /// store is an older copy.
    ///
    /// # Errors
    /// `transport.unreachable`.
    async fn witness(&self, mine: &Witness) -> Result<Option<Witness>>;

    /// Leaves `message` at a meeting place that two devices agreed upon, as its number `number`; the first that is left there stays. Needs no account.
    ///
    /// # Errors
    /// `transport.unreachable`, `transport.too_large`.
    async fn leave(&self, place: &MeetingPlace, number: u8, message: &[u8]) -> Result<()>;

    /// Waits for message number `number` at a meeting place.
    ///
    /// # Errors
    /// `transport.unreachable`.
    async fn collect(&self, place: &MeetingPlace, number: u8) -> Result<Vec<u8>>;

    /// Ends the connection. Later calls fail with `transport.unreachable`.
    async fn close(&self);
}

/// Proves to a server which device is connecting.
///
/// ```
/// use getrandom::SysRng;
/// use undertone::identity::sign_login;
/// use undertone::transport::Login;
/// use undertone::{Address, IdentityKeyPair, Result, UndertoneIdentityKeyPair};
///
/// /// A device, and the key that its account's list names.
/// struct Device(Address, UndertoneIdentityKeyPair);
///
/// impl Login for Device {
///     fn address(&self) -> &Address {
///         &self.0
///     }
///     fn sign(&self, challenge: &[u8; 32]) -> Result<[u8; 64]> {
///         sign_login(&self.1, &self.0, challenge, &mut SysRng)
///     }
/// }
/// let phone = Device(Address::new("alice", 1)?, UndertoneIdentityKeyPair::generate(&mut SysRng)?);
/// assert_eq!(phone.address().device(), 1);
/// assert_ne!(phone.sign(&[7; 32])?, phone.sign(&[8; 32])?);
/// # Ok::<(), undertone::Error>(())
/// ```
pub trait Login: Shareable {
    /// The device.
    fn address(&self) -> &Address;

    /// The device's signature over the server's challenge (docs/protocol.md, section 15).
    ///
    /// # Errors
    /// `random.failed`.
    fn sign(&self, challenge: &[u8; 32]) -> Result<[u8; 64]>;
}

/// Names one envelope: 16 random bytes, chosen by its sender, the same at every attempt.
///
/// ```
/// use undertone::transport::EnvelopeId;
///
/// let mut id = EnvelopeId([0; 16]);
/// getrandom::fill(&mut id.0).expect("the system has randomness");
/// assert_ne!(id, EnvelopeId([0; 16]));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EnvelopeId(pub [u8; 16]);

/// An envelope to hand to the server.
///
/// ```
/// use undertone::Address;
/// use undertone::transport::{EnvelopeId, MemoryServer, Outbound, Transport, Verdict};
///
/// let envelope = Outbound {
///     id: EnvelopeId([7; 16]),
///     to: Address::new("nobody", 1)?,
///     device_list: 1,
///     bytes: b"sealed".to_vec(),
/// };
/// let verdicts = futures_executor::block_on(MemoryServer::new().transport().send(&[envelope]))?;
/// assert_eq!(verdicts, [Verdict::NoSuchDevice]);
/// # Ok::<(), undertone::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Outbound {
    /// Its name.
    pub id: EnvelopeId,
    /// The device it is for.
    pub to: Address,
    /// The number of the last statement of the recipient's device list that the sender knows.
    pub device_list: u64,
    /// The sealed message.
    pub bytes: Vec<u8>,
}

/// What became of an envelope that was handed to the server.
///
/// ```
/// use undertone::transport::Verdict;
///
/// let is_tried_again = |verdict| matches!(verdict, Verdict::DevicesChanged | Verdict::MailboxFull);
/// assert!(is_tried_again(Verdict::DevicesChanged) && !is_tried_again(Verdict::TooLarge));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict {
    /// It is kept for its device, now or from an earlier attempt.
    Accepted,
    /// It was not taken: the recipient's device list has newer statements.
    DevicesChanged,
    /// It was not taken: the device does not exist.
    NoSuchDevice,
    /// It was not taken, and will not be: it is too large.
    TooLarge,
    /// It was not taken for now: the device's mailbox is full.
    MailboxFull,
}

/// An envelope that the server keeps for this device.
///
/// ```
/// use undertone::transport::{Delivery, EnvelopeId};
///
/// let delivery = Delivery { id: EnvelopeId([7; 16]), bytes: b"sealed".to_vec() };
/// assert_eq!(format!("{delivery:?}"), "Delivery(6 bytes)");
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Its name.
    pub id: EnvelopeId,
    /// The sealed message.
    pub bytes: Vec<u8>,
}

/// What a device publishes.
///
/// ```
/// use undertone::Address;
/// use undertone::transport::Publication;
///
/// // A new statement, and no prekeys.
/// let device = Address::new("alice", 1)?;
/// let publication = Publication { id: [7; 16], device, statements: vec![b"statement".to_vec()], prekeys: None };
/// assert_eq!(format!("{publication:?}"), "Publication(Address(…, 1), 1 statements)");
/// # Ok::<(), undertone::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Publication {
    /// Names this publication, so that a repeated one is known: 16 random bytes.
    pub id: [u8; 16],
    /// The device that publishes.
    pub device: Address,
    /// New statements of the account's device list, in their order; statements that the server has are passed over.
    pub statements: Vec<Vec<u8>>,
    /// Prekeys to add to those that the server has.
    pub prekeys: Option<PrekeyUpload>,
}

/// The prekeys of a device as they are handed to a server.
///
/// An example is at [`admission::check_prekeys`].
#[derive(Clone, PartialEq, Eq)]
pub struct PrekeyUpload {
    /// The device's registration id. When it changes, the server forgets the prekeys it had.
    pub registration_id: u32,
    /// The device's identity key, 32 bytes.
    pub identity: [u8; 32],
    /// Takes the place of the one before.
    pub signed_prekey: PublishedPrekey,
    /// Takes the place of the one before.
    pub last_resort_prekey: PublishedPrekey,
    /// One-time prekeys to add.
    pub one_time_prekeys: Vec<PublishedPrekey>,
    /// One-time KEM prekeys to add.
    pub one_time_kem_prekeys: Vec<PublishedPrekey>,
}

/// How many one-time prekeys the server still has of this device.
///
/// ```
/// use undertone::transport::PrekeyStock;
///
/// let stock = PrekeyStock { one_time: 3, one_time_kem: 90 };
/// let runs_low = stock.one_time.min(stock.one_time_kem) < 20;
/// assert!(runs_low);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PrekeyStock {
    /// X25519 one-time prekeys.
    pub one_time: u32,
    /// KEM one-time prekeys.
    pub one_time_kem: u32,
}

/// How far a device's store had come, authenticated by the device for itself: a server can withhold it and cannot make one up.
///
/// ```
/// use undertone::transport::Witness;
///
/// // The server knows of a later generation than this store is of: the store is an older copy.
/// let (mine, highest) = (Witness { generation: 5, mac: [1; 32] }, Witness { generation: 9, mac: [2; 32] });
/// assert!(highest.generation > mine.generation);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Witness {
    /// The generation of the store.
    pub generation: u64,
    /// The device's own MAC over it.
    pub mac: [u8; 32],
}

/// Where two devices that have no account in common yet leave messages for each other: 16 bytes that follow from a link code.
///
/// An example is at [`MemoryServer`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MeetingPlace(pub [u8; 16]);

/// An envelope, and who it is for, do not belong in a log.
impl fmt::Debug for Outbound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Outbound({:?}, {} bytes)", self.to, self.bytes.len())
    }
}

impl fmt::Debug for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Delivery({} bytes)", self.bytes.len())
    }
}

impl fmt::Debug for Publication {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Publication({:?}, {} statements)", self.device, self.statements.len())
    }
}
