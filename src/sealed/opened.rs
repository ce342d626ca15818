//! Opening a sealed message of either version, and judging what came out.

use super::{TrustRoots, UnidentifiedContent, v1, v2};
use crate::error::{Fault, Result};
use crate::profile::{SignalIdentityKey, SignalIdentityKeyPair};
use crate::rule::{self, Rule};
use crate::wire::Address;
use crate::wire::signal::{ContentHint, ContentKind, sealed_version};
use core::fmt;

/// The recipient's side: who it is, and whom it believes.
///
/// ```
/// use undertone::sealed::{Receiver, open, v2};
#[doc = include_str!("../../docs/examples/sealed.txt")]
#[doc = include_str!("../../docs/examples/sealed_content.txt")]
///
/// let sealed = v2::seal_to_one(&alices_key, bobs_key.public(), &content, &mut rng)?;
/// let receiver = Receiver { identity: &bobs_key, address: &bobs, e164: None, trust: &trust, now_ms };
/// assert!(open(&sealed, &receiver).is_ok());
/// // Nobody else can open it.
/// let another = Receiver { identity: &alices_key, ..receiver };
/// assert_eq!(open(&sealed, &another).unwrap_err().code(), "seal.authentication");
/// # Ok::<(), undertone::Error>(())
/// ```
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
///
/// ```
/// use undertone::sealed::{ContentKind, open, v2};
#[doc = include_str!("../../docs/examples/sealed.txt")]
#[doc = include_str!("../../docs/examples/sealed_content.txt")]
///
/// let opened = open(&v2::seal_to_one(&alices_key, bobs_key.public(), &content, &mut rng)?, &receiver)?;
/// assert_eq!((&opened.sender, &opened.identity_key), (&alices, alices_key.public()));
/// // Then the session with the sender decrypts `content`, pinned to the key that sealed it.
/// let trusted = TrustedIdentity::<Signal>::Pinned(&opened.identity_key);
/// assert_eq!((opened.kind, opened.content.as_slice()), (ContentKind::Message, b"an encrypted message".as_slice()));
/// # Ok::<(), undertone::Error>(())
/// ```
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
///
/// # Example
/// ```
/// use undertone::sealed::{open, v1, v2};
#[doc = include_str!("../../docs/examples/sealed.txt")]
#[doc = include_str!("../../docs/examples/sealed_content.txt")]
///
/// for sealed in [
///     v1::seal(&alices_key, bobs_key.public(), &content, &mut rng)?,
///     v2::seal_to_one(&alices_key, bobs_key.public(), &content, &mut rng)?,
/// ] {
///     assert_eq!(open(&sealed, &receiver)?.sender, alices);
/// }
/// # Ok::<(), undertone::Error>(())
/// ```
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
