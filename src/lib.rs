//! Undertone: client-side end-to-end encryption for messengers, post-quantum from the first byte.
//!
//! A [`Client`] is one device of one account. It keeps its state in a [`store`], reaches a server over a [`transport`], and does the rest by itself: sessions with every
//! device of whoever is written to, several devices of one's own, delivery once and in spite of crashes, repair of what breaks.
//!
//! ```
//! use undertone::client::{Client, EventKind};
//! use undertone::store::{MemoryStore, SealedStore, StoreSecret};
//! use undertone::transport::MemoryServer;
//!
//! # futures_executor::block_on(async {
//! let server = MemoryServer::new();
//! let store = SealedStore::open(MemoryStore::new(), StoreSecret::key([1; 32])).await?;
//! let alice = Client::builder(store, server.transport()).open("alice").await?;
//! let store = SealedStore::open(MemoryStore::new(), StoreSecret::key([2; 32])).await?;
//! let bob = Client::builder(store, server.transport()).open("bob").await?;
//!
//! alice.send("bob", "hello").await?;
//!
//! let event = bob.next_event().await?;
//! assert!(matches!(&event.kind, EventKind::Message(message) if message.sender == "alice"));
//! bob.confirm(event.id).await?;
//! # Ok::<(), undertone::Error>(())
//! # })?;
//! # Ok::<(), undertone::Error>(())
//! ```
//!
//! The guide begins in `docs/guide/README.md`.
//!
//! | to | use |
//! |---|---|
//! | send, receive, link devices, compare safety numbers | [`client`]: [`Client`], [`Event`] |
//! | keep state in a file, in memory, or in a place of one's own | [`store`] |
//! | reach a server, in memory, over WebSocket, or in a way of one's own | [`transport`] |
//! | say more than a text | [`content`] |
//! | tell the time otherwise than by the system's clock | [`runtime`] |
//!
//! # The engine
//!
//! Below the client is the engine: handshakes, ratchets, sessions and groups. It is *sans-IO*: no async, no clock, no store, no global randomness. A function takes the
//! state, the bytes, the time and a random number generator, and returns values; the application moves the bytes and keeps the records.
//!
//! | to | use |
//! |---|---|
//! | publish prekeys, begin and accept sessions | [`handshake`]: [`Prekeys`], [`PrekeyBundle`] |
//! | encrypt and decrypt between two devices | [`session`]: [`SessionRecord`] |
//! | encrypt once for many | [`group`]: sender keys |
//! | name and compare identity keys | [`identity`]: [`DidKey`], [`Fingerprint`] |
//!
//! There are two wire profiles over one engine. [`Undertone`] is the native one, defined by `docs/protocol.md`: encrypted headers, one Ed25519 identity key,
//! ML-KEM-1024, a continuous post-quantum ratchet in every message. `Signal`, behind the feature `signal`, speaks the wire format of official Signal
//! clients.
//!
//! No input makes it panic (B75): unwrapping, indexing and panicking are denied by lint, but for four places whose lengths are constants, and `unsafe` is
//! forbidden.
//!
//! ```
//! use getrandom::SysRng;
//! use undertone::handshake::{FirstMessage, HandshakePolicy, LocalDevice};
//! use undertone::{
//!     Address, IdentityKeyPair, Prekeys, SessionRecord, TrustedIdentity, Undertone, UndertoneIdentityKeyPair,
//! };
//!
//! let (now, mut rng, policy) = (1_800_000_000, SysRng, HandshakePolicy::default());
//! let (alices_key, bobs_key) =
//!     (UndertoneIdentityKeyPair::generate(&mut rng)?, UndertoneIdentityKeyPair::generate(&mut rng)?);
//! let (alices, bobs) = (Address::new("alice", 1)?, Address::new("bob", 1)?);
//! let alice = LocalDevice { identity: &alices_key, address: &alices, registration_id: 1 };
//! let bob = LocalDevice { identity: &bobs_key, address: &bobs, registration_id: 2 };
//!
//! // Bob publishes a prekey bundle.
//! let mut prekeys = Prekeys::<Undertone>::generate(&bob, now, &mut rng)?;
//! prekeys.add_one_time(&bob, 1, now, &mut rng)?;
//! let bundle = prekeys.bundle(&bob, true)?;
//!
//! // Alice begins a session with it and writes at once.
//! let mut with_bob = SessionRecord::new(&alice, bobs.clone())?;
//! with_bob.initiate(&alice, &bundle, &TrustedIdentity::FirstUse, policy, now, &mut rng)?;
//! let envelope = with_bob.encrypt(&alice, b"hello", &TrustedIdentity::FirstUse, now, &mut rng)?;
//!
//! // Bob opens the first message and reads it.
//! let first = FirstMessage::open(&bob, &envelope.bytes, &prekeys)?;
//! let mut with_alice = SessionRecord::new(&bob, alices.clone())?;
//! let read = with_alice.accept(&bob, &first, &mut prekeys, &TrustedIdentity::FirstUse, policy, now)?;
//! assert_eq!(read.plaintext, b"hello");
//! # Ok::<(), undertone::Error>(())
//! ```
#![forbid(unsafe_code)]
#![deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing))]

/// Declares the floors that no application sees. This repository's own tests open them with the feature `__internals`.
macro_rules! private_floors {
    ($($floor:ident)*) => { $(
        #[cfg(feature = "__internals")]
        #[doc(hidden)]
        pub mod $floor;
        #[cfg(not(feature = "__internals"))]
        mod $floor;
    )* };
}

private_floors! { crypto profile ratchet rule wire }

pub mod client;
pub mod content;
mod error;
pub mod group;
pub mod handshake;
pub mod identity;
pub mod runtime;
#[cfg(feature = "signal")]
pub mod sealed;
pub mod session;
pub mod store;
pub mod transport;

#[cfg(feature = "__internals")]
#[doc(hidden)]
pub use error::Fault;

pub use client::{Client, ClientBuilder, Event, EventKind};
pub use crypto::agreement::AgreementKey;
pub use error::{Error, ErrorKind, Result};
pub use group::{GroupContext, GroupId, GroupPlaintext, ReceivedSenderKeys, SenderKey};
pub use handshake::{PrekeyBundle, Prekeys};
pub use identity::{DidKey, Fingerprint, FingerprintParty, FingerprintVersion};
pub use profile::{IdentityKey, IdentityKeyPair, Suite, Undertone, UndertoneIdentityKey, UndertoneIdentityKeyPair};
#[cfg(feature = "signal")]
pub use profile::{Signal, SignalIdentityKey, SignalIdentityKeyPair};
pub use session::{Decrypted, DecryptedBy, Envelope, EnvelopeKind, SessionRecord, SessionStatus, TrustedIdentity};
pub use wire::Address;
#[cfg(feature = "signal")]
pub use wire::signal::{DecryptionErrorMessage, PlaintextContent};

/// The examples of the guide are examples of the documentation: they are compiled and run with the others.
#[cfg(all(doctest, feature = "sqlite"))]
mod guide {
    #[doc = include_str!("../README.md")]
    #[doc = include_str!("../docs/guide/getting-started.md")]
    #[doc = include_str!("../docs/guide/concepts.md")]
    #[doc = include_str!("../docs/guide/stores.md")]
    #[doc = include_str!("../docs/guide/transports.md")]
    struct Guide;
}
