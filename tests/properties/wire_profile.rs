//! The two profiles, as the properties see them.

use std::ops::Range;
use undertone::group::{GroupContext, GroupId, GroupProfile};
use undertone::handshake::HandshakeProfile;
use undertone::profile::{Signal, Undertone};

/// A wire profile, and what may be asked of it.
pub trait WireProfile: HandshakeProfile + GroupProfile {
    /// Its name.
    const NAME: &'static str;
    /// Whether every bit of every message and bundle is authenticated. In the Signal profile the outer form of a first message and parts of a bundle are not.
    const AUTHENTICATES_ALL: bool;
    /// Whether a message key is bound to fresh randomness, so that an older state restored by force does not repeat it with its nonce.
    const GUARDS_NONCES: bool;

    /// The stable name of a user's account.
    fn account(user: usize) -> String;

    /// A group at an epoch.
    fn group(group: u8, epoch: u64) -> GroupContext;

    /// Where the chain key stands in a distribution message.
    fn chain_key_in(distribution: &[u8]) -> Range<usize>;
}

impl WireProfile for Undertone {
    const NAME: &'static str = "undertone";
    const AUTHENTICATES_ALL: bool = true;
    const GUARDS_NONCES: bool = true;

    fn account(user: usize) -> String {
        format!("user {user}")
    }

    fn group(group: u8, epoch: u64) -> GroupContext {
        let id = GroupId::new([group; 16]).unwrap();
        GroupContext::new(id, epoch, [u8::try_from(epoch & 0xff).unwrap(); 32])
    }

    /// Before the header key and the signing key.
    fn chain_key_in(distribution: &[u8]) -> Range<usize> {
        distribution.len() - 96..distribution.len() - 64
    }
}

impl WireProfile for Signal {
    const NAME: &'static str = "signal";
    const AUTHENTICATES_ALL: bool = false;
    const GUARDS_NONCES: bool = false;

    fn account(user: usize) -> String {
        format!("aaaaaaaa-0000-4000-8000-{user:012}")
    }

    fn group(group: u8, _epoch: u64) -> GroupContext {
        GroupContext::distribution([group; 16])
    }

    /// Before the signing key with its tag, its length and its type byte.
    fn chain_key_in(distribution: &[u8]) -> Range<usize> {
        distribution.len() - 67..distribution.len() - 35
    }
}
