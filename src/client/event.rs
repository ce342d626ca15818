//! What the client tells the application.

use crate::content::{Body, Content, MessageId};
use crate::error::{Error, Fault, Result};
use crate::identity::{DidKey, Verification};
use crate::wire::{Reader, Writer};
use core::fmt;

const VERSION: u8 = 1;

/// Something that happened, to be confirmed with [`Client::confirm`](super::Client::confirm) once the application has taken care of it.
///
/// An event that was not confirmed is told again after a restart, with the same id.
///
/// ```
#[doc = include_str!("../../docs/examples/two_clients.txt")]
/// alice.send("bob", "hello").await?;
/// let event: Event = bob.next_event().await?;
/// assert!(matches!(event.kind, EventKind::Message(_)));
/// assert!(bob.confirm(event.id).await?);
/// assert!(!bob.confirm(event.id).await?, "it was confirmed before");
#[doc = include_str!("../../docs/examples/end.txt")]
/// ```
#[derive(Clone, PartialEq)]
pub struct Event {
    /// Its number, which no other event of this device has.
    pub id: EventId,
    /// What happened.
    pub kind: EventKind,
}

/// Names an event of this device, for good.
///
/// ```
/// use undertone::client::EventId;
///
/// // An application may keep the last one that it took care of.
/// assert!(EventId(7) < EventId(8));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EventId(pub u64);

/// What happened.
///
/// ```
/// use undertone::client::EventKind;
///
/// let notice = |kind: &EventKind| match kind {
///     EventKind::Message(message) => format!("{} wrote", message.sender),
///     EventKind::IdentityChanged { account, blocked: true, .. } => format!("Compare the safety number with {account} before you write."),
///     EventKind::Unlinked => "This device was removed from your account.".to_owned(),
///     _ => String::new(),
/// };
/// assert!(notice(&EventKind::Unlinked).contains("removed"));
/// ```
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub enum EventKind {
    /// A message came.
    Message(Message),
    /// A contact has another account key than before. `blocked` says that nothing is sent until [`Client::accept_identity`](super::Client::accept_identity) is called.
    IdentityChanged {
        /// The contact.
        account: String,
        /// The key that it shows now.
        key: DidKey,
        /// Whether sending waits.
        blocked: bool,
    },
    /// An account, perhaps the own one, has other devices than before. Its account key signed the change.
    DevicesChanged {
        /// The account.
        account: String,
        /// Numbers of devices that are new.
        added: Vec<u8>,
        /// Numbers of devices that are gone.
        removed: Vec<u8>,
    },
    /// Messages of a device were lost and could not be had again.
    MessagesLost {
        /// The account.
        account: String,
        /// The device.
        device: u8,
        /// How many.
        count: u64,
    },
    /// An own message will not reach a device: the server refuses it for good.
    NotDelivered {
        /// The account.
        account: String,
        /// The device.
        device: u8,
        /// The message, if it was one of the application's.
        message: Option<MessageId>,
        /// The code of the reason.
        code: String,
    },
    /// This device was removed from its account. It sends and receives no more.
    Unlinked,
    /// Something that an honest server and honest peers would not do, or that weakens what is promised.
    Security(SecurityEvent),
}

/// A message, with all that is certain about where it came from: one is never told without the other (B38).
///
/// ```
#[doc = include_str!("../../docs/examples/two_clients.txt")]
/// alice.send("bob", "hello").await?;
/// let EventKind::Message(message) = bob.next_event().await?.kind else { panic!("a message was sent") };
/// // Where it belongs on the screen: with whom, and from which side.
/// assert_eq!((message.conversation.as_str(), message.sender == bob.name()), ("alice", false));
/// // Neither names nor what it says get into a log.
/// assert!(!format!("{message:?}").contains("alice"));
#[doc = include_str!("../../docs/examples/end.txt")]
/// ```
#[derive(Clone, PartialEq)]
pub struct Message {
    /// The account that sent it; one's own, for what another own device sent.
    pub sender: String,
    /// The device that sent it.
    pub device: u8,
    /// The account with which it was exchanged: the sender, or whom the other own device wrote to.
    pub conversation: String,
    /// Its name, chosen by the sender, the same on all devices.
    pub id: MessageId,
    /// When it was sent by the sender's clock, in milliseconds since 1970.
    pub sent_at: u64,
    /// Whether the sender's account key was compared.
    pub verification: Verification,
    /// What it says.
    pub body: Body,
}

/// Something of consequence to security.
///
/// ```
/// use undertone::client::{EventKind, SecurityEvent, SecurityKind};
///
/// let event = SecurityEvent {
///     kind: SecurityKind::Downgrade,
///     account: Some("bob".to_owned()),
///     device: Some(1),
///     code: "handshake.no_kem".to_owned(),
/// };
/// assert_eq!(format!("{:?}", EventKind::Security(event)), "SecurityEvent(Downgrade, handshake.no_kem)");
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct SecurityEvent {
    /// What it is.
    pub kind: SecurityKind,
    /// The account that it concerns, where that is known.
    pub account: Option<String>,
    /// The device that it concerns, where that is known.
    pub device: Option<u8>,
    /// The code of the error behind it.
    pub code: String,
}

/// What a [`SecurityEvent`] is about.
///
/// ```
/// use undertone::client::SecurityKind;
///
/// let concerns_the_user = |kind| matches!(kind, SecurityKind::StoreRolledBack | SecurityKind::Downgrade);
/// assert!(concerns_the_user(SecurityKind::StoreRolledBack));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SecurityKind {
    /// A first message came again after it was accepted.
    Replay,
    /// Many envelopes in a short time could not be read.
    FailureBurst,
    /// Someone offered less protection than this client accepts: a bundle or a message without a post-quantum key.
    Downgrade,
    /// A session began without a one-time prekey: it is weaker until the peer has answered. A server that says it has none left may be lying.
    WeakHandshake,
    /// A prekey bundle was refused.
    BundleRefused,
    /// A device list was refused.
    DeviceListRefused,
    /// A contact has a newer device list than the server shows.
    DeviceListWithheld,
    /// A device wrote that its account's device list does not name.
    UnlistedDevice,
    /// A message came in a session that had been replaced: the peer was restored from a copy, or someone uses one.
    OldSession,
    /// A message came for a place in a session that another message took: a copy of the peer's device is in use, or the server kept a message for longer than
    /// this device remembers.
    CloneEvidence,
    /// This device's store is an older copy of itself. Its sessions are being replaced.
    StoreRolledBack,
    /// A record in the store could not be read, and was replaced.
    RecordLost,
}

impl SecurityKind {
    pub(super) const ALL: [Self; 12] = [
        Self::Replay,
        Self::FailureBurst,
        Self::Downgrade,
        Self::WeakHandshake,
        Self::BundleRefused,
        Self::DeviceListRefused,
        Self::DeviceListWithheld,
        Self::UnlistedDevice,
        Self::OldSession,
        Self::StoreRolledBack,
        Self::RecordLost,
        Self::CloneEvidence,
    ];

    /// A word for a metric.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Replay => "replay",
            Self::FailureBurst => "failure_burst",
            Self::Downgrade => "downgrade",
            Self::WeakHandshake => "weak_handshake",
            Self::BundleRefused => "bundle_refused",
            Self::DeviceListRefused => "device_list_refused",
            Self::DeviceListWithheld => "device_list_withheld",
            Self::UnlistedDevice => "unlisted_device",
            Self::OldSession => "old_session",
            Self::StoreRolledBack => "store_rolled_back",
            Self::RecordLost => "record_lost",
            Self::CloneEvidence => "clone_evidence",
        }
    }
}

impl SecurityEvent {
    pub(super) fn of(kind: SecurityKind, code: &str) -> Self {
        Self { kind, account: None, device: None, code: code.to_owned() }
    }

    pub(super) fn about(self, account: &str, device: Option<u8>) -> Self {
        Self { account: Some(account.to_owned()), device, ..self }
    }
}

/// Shows the kind and no name: an event may end up in a log.
impl fmt::Debug for SecurityEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecurityEvent({:?}, {})", self.kind, self.code)
    }
}

/// Shows what the message is and neither names nor what it says.
impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message").field("device", &self.device).field("body", &self.body).finish_non_exhaustive()
    }
}

/// Shows the kind and no name.
impl fmt::Debug for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Message(message) => message.fmt(f),
            Self::IdentityChanged { blocked, .. } => write!(f, "IdentityChanged(blocked: {blocked})"),
            Self::DevicesChanged { added, removed, .. } => {
                write!(f, "DevicesChanged(added: {added:?}, removed: {removed:?})")
            }
            Self::MessagesLost { count, .. } => write!(f, "MessagesLost({count})"),
            Self::NotDelivered { device, code, .. } => write!(f, "NotDelivered({device}, {code})"),
            Self::Unlinked => f.write_str("Unlinked"),
            Self::Security(event) => event.fmt(f),
        }
    }
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Event({}, {:?})", self.id.0, self.kind)
    }
}

impl EventKind {
    pub(super) fn to_bytes(&self) -> Result<Vec<u8>> {
        let mut out = Writer::with_capacity(256);
        out.u8(VERSION);
        match self {
            Self::Message(message) => {
                out.u8(1);
                encode_message(message, &mut out)?;
            }
            Self::IdentityChanged { account, key, blocked } => {
                out.u8(2).prefixed(account.as_bytes())?.flag(*blocked).prefixed(key.to_string().as_bytes())?;
            }
            Self::DevicesChanged { account, added, removed } => {
                out.u8(3).prefixed(account.as_bytes())?.prefixed(added)?.prefixed(removed)?;
            }
            Self::MessagesLost { account, device, count } => {
                out.u8(4).prefixed(account.as_bytes())?.u8(*device).u64(*count);
            }
            Self::NotDelivered { account, device, message, code } => {
                out.u8(5).prefixed(account.as_bytes())?.u8(*device).flag(message.is_some());
                out.bytes(&message.map_or([0; 16], |id| id.0)).prefixed(code.as_bytes())?;
            }
            Self::Unlinked => {
                out.u8(6);
            }
            Self::Security(event) => {
                let number = SecurityKind::ALL.iter().position(|kind| *kind == event.kind).unwrap_or_default();
                out.u8(7).u8(u8::try_from(number).unwrap_or(u8::MAX)).u8(event.device.unwrap_or(0));
                out.flag(event.account.is_some()).prefixed(event.account.as_deref().unwrap_or_default().as_bytes())?;
                out.prefixed(event.code.as_bytes())?;
            }
        }
        Ok(out.into_vec())
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let mut input = Reader::new(bytes, Fault::RecordCorrupt);
        if input.u8()? != VERSION {
            return Err(Fault::RecordVersion.into());
        }
        let kind = match input.u8()? {
            1 => Self::Message(decode_message(&mut input)?),
            2 => {
                let (account, blocked) = (text(&mut input)?, input.flag()?);
                let key = text(&mut input)?.parse().map_err(|_| Error::from(Fault::RecordCorrupt))?;
                Self::IdentityChanged { account, key, blocked }
            }
            3 => Self::DevicesChanged {
                account: text(&mut input)?,
                added: input.prefixed()?.to_vec(),
                removed: input.prefixed()?.to_vec(),
            },
            4 => Self::MessagesLost { account: text(&mut input)?, device: input.u8()?, count: input.u64()? },
            5 => {
                let (account, device, has_message) = (text(&mut input)?, input.u8()?, input.flag()?);
                let id = MessageId(*input.array()?);
                Self::NotDelivered { account, device, message: has_message.then_some(id), code: text(&mut input)? }
            }
            6 => Self::Unlinked,
            7 => {
                let kind = *SecurityKind::ALL.get(usize::from(input.u8()?)).ok_or(Fault::RecordVersion)?;
                let device = Some(input.u8()?).filter(|device| *device != 0);
                let has_account = input.flag()?;
                let account = Some(text(&mut input)?).filter(|_| has_account);
                Self::Security(SecurityEvent { kind, account, device, code: text(&mut input)? })
            }
            _ => return Err(Fault::RecordVersion.into()),
        };
        input.finish()?;
        Ok(kind)
    }
}

fn encode_message(message: &Message, out: &mut Writer) -> Result<()> {
    out.prefixed(message.sender.as_bytes())?.u8(message.device).prefixed(message.conversation.as_bytes())?;
    out.u8(match message.verification {
        Verification::Unverified => 0,
        Verification::Verified => 1,
        Verification::Violated => 2,
    });
    let content = Content::new(message.id, message.sent_at, message.body.clone());
    out.prefixed_long(&content.encode()?)?;
    Ok(())
}

fn decode_message(input: &mut Reader<'_>) -> Result<Message> {
    let (sender, device, conversation) = (text(input)?, input.u8()?, text(input)?);
    let verification = match input.u8()? {
        0 => Verification::Unverified,
        1 => Verification::Verified,
        2 => Verification::Violated,
        _ => return Err(Fault::RecordCorrupt.into()),
    };
    let content = Content::decode(input.prefixed_long()?)?;
    let Content { id, sent_at, body, .. } = content;
    Ok(Message { sender, device, conversation, id, sent_at, verification, body })
}

fn text(input: &mut Reader<'_>) -> Result<String> {
    String::from_utf8(input.prefixed()?.to_vec()).map_err(|_| Fault::RecordCorrupt.into())
}
