//! Opening a sealed message of either version, and judging what came out.

use super::{TrustRoots, UnidentifiedContent, v1, v2};
use crate::error::{Fault, Result};
use crate::profile::{SignalIdentityKey, SignalIdentityKeyPair};
use crate::rule::{self, Rule};
use crate::wire::Address;
use crate::wire::signal::{ContentHint, ContentKind, sealed_version};
use core::fmt;

/// The recipient's side: who it is, and whom it believes.
#[derive(Clone, Copy)]
pub struct Receiver<'a> {
    /// The recipient's identity key pair.
    pub identity: &'a SignalIdentityKeyPair,
    /// The recipient's address.
    pub address: &'a Address,
    /// The recipient's phone number, if it has one.
    pub e164: Option<&'a str>,
    /// Whose certificates it believes.
    pub trust: &'a TrustRoots,
    /// The time, in milliseconds since 1970.
    pub now_ms: u64,
}

/// An opened message and its proven sender.
pub struct OpenedSeal {
    /// The account and device that the certificate names.
    pub sender: Address,
    /// The sender's phone number, if it is disclosed.
    pub e164: Option<String>,
    /// The identity key that sealed the message. The session that decrypts `content` must be under it.
    pub identity_key: SignalIdentityKey,
    /// What kind of message `content` is.
    pub kind: ContentKind,
    /// The message, still encrypted by its session or sender key.
    pub content: Vec<u8>,
    /// What to do if it cannot be decrypted.
    pub hint: ContentHint,
    /// The group it claims to be of.
    pub group_id: Option<Vec<u8>>,
}

/// Shows no phone number (B76).
impl fmt::Debug for OpenedSeal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenedSeal").field("sender", &self.sender).field("kind", &self.kind).finish_non_exhaustive()
    }
}

/// Opens a sealed message of version 1 or 2 (the form in which it is delivered).
///
/// # Errors
/// `seal.authentication` when it is not for this recipient or was changed; `seal.sender` when its sender is not the one
/// of its certificate; `seal.self_send`; the `certificate.*`, `message.*` and `key.*` codes.
pub fn open(bytes: &[u8], receiver: &Receiver<'_>) -> Result<OpenedSeal> {
    match sealed_version(bytes)? {
        1 => v1::open(bytes, receiver),
        _ => v2::open(bytes, receiver),
    }
}

impl OpenedSeal {
    /// Judges an opened content whose sealing key has been compared with its certificate.
    pub(super) fn judge(content: UnidentifiedContent, receiver: &Receiver<'_>) -> Result<Self> {
        let UnidentifiedContent { kind, certificate, content, hint, group_id } = content;
        certificate.validate(receiver.trust, receiver.now_ms)?;
        let sender = certificate.address()?;
        let e164 = certificate.e164().map(ToOwned::to_owned);
        // SS-5: what this very device sent is no message to it.
        let same_account =
            same_name(sender.name(), receiver.address.name()) || (e164.is_some() && e164.as_deref() == receiver.e164);
        if rule::on(Rule::Ss5) && same_account && sender.device() == receiver.address.device() {
            return Err(Fault::SealSelf.into());
        }
        Ok(Self { sender, e164, identity_key: certificate.identity_key(), kind, content, hint, group_id })
    }
}

/// Service ids are compared without regard to case: the sender's is in lower case, ours is as the application wrote it.
fn same_name(sender: &str, ours: &str) -> bool {
    sender.eq_ignore_ascii_case(ours)
}
