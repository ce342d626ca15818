//! Encrypting one message to one device, inside a transaction: session, stream and outbox row change together (I8).

use super::event::{SecurityEvent, SecurityKind};
use super::handle::Settings;
use super::outbox::OutboxRow;
use super::own_device::{OwnDevice, random};
use super::peer::KEPT_FOR_RESENDING;
use super::record_names::{self, Numbered};
use super::transaction::Transaction;
use crate::content::{Acknowledged, Body, Content, MessageId, pad};
use crate::error::{Error, ErrorKind, Fault, Result};
use crate::handshake::{HandshakeStrength, PrekeyBundle};
use crate::identity::{DeviceList, ListedDevice};
use crate::profile::{Undertone, UndertoneIdentityKey};
use crate::session::{SessionRecord, TrustedIdentity};
use crate::transport::EnvelopeId;
use crate::wire::Address;
use getrandom::SysRng;

/// The sessions with one device.
pub(super) type Session = SessionRecord<Undertone>;
/// What begins one.
pub(super) type Bundle = PrekeyBundle<Undertone>;

/// What to say, the same to every device.
pub(super) struct Letter<'a> {
    pub(super) id: MessageId,
    pub(super) sent_at: u64,
    /// For the own other devices: the account that the message went to.
    pub(super) conversation: Option<&'a str>,
    pub(super) body: &'a Body,
    pub(super) place: Place,
}

/// Where it stands in the stream to the device.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// After all before it.
    Next,
    /// Where it stood when it was sent first.
    Again(u64),
    /// Nowhere: it is only about the stream.
    Outside,
}

/// The device to say it to.
pub(super) struct Recipient<'a> {
    pub(super) address: &'a Address,
    /// Its key on the device list.
    pub(super) identity: &'a UndertoneIdentityKey,
    /// The number of the last statement of that list.
    pub(super) list: u64,
    /// For a new session, where one is needed.
    pub(super) bundle: Option<&'a Bundle>,
    /// Whether a new session is wanted although there is one.
    pub(super) renew: bool,
}

/// What came of it.
pub(super) enum Encrypted {
    /// It stands in the outbox.
    Queued,
    /// There is no session that can send: nothing was staged.
    NeedsBundle,
}

impl Transaction<'_> {
    /// Encrypts `letter` and stages all that goes with it.
    pub(super) async fn encrypt(
        &mut self,
        settings: &Settings,
        own: &OwnDevice,
        own_list: &DeviceList,
        recipient: &Recipient<'_>,
        letter: &Letter<'_>,
    ) -> Result<Encrypted> {
        let address = recipient.address;
        let (mut session, tags) = self.session(own, address).await?;
        let is_usable = session.status().is_some() && session.remote_identity() == Some(recipient.identity);
        let mut begun = None;
        if !is_usable || recipient.renew {
            let Some(bundle) = recipient.bundle else { return Ok(Encrypted::NeedsBundle) };
            begun = Some(self.begin(settings, own, &mut session, recipient, bundle)?);
        }
        let mut peer = self.peer(address).await?;
        let sequence = match letter.place {
            Place::Next => peer.next,
            Place::Again(sequence) => sequence,
            Place::Outside => 0,
        };
        let mut content = Content::new(letter.id, letter.sent_at, letter.body.clone());
        content.conversation = letter.conversation.map(str::to_owned);
        // What is only about the streams stands in none (docs/content.md).
        content.stream = if sequence == 0 { 0 } else { peer.stream };
        content.sequence = sequence;
        content.acknowledged =
            peer.newest().map(|incoming| Acknowledged { stream: incoming.stream, up_to: incoming.up_to });
        content.device_list = Some((own_list.number(), own_list.hash()));
        let plaintext = pad(&content.encode()?, settings.padding);
        let trusted = TrustedIdentity::Pinned(recipient.identity);
        let now = self.now;
        let envelope = match session.encrypt(&own.local(), &plaintext, &trusted, now, &mut SysRng) {
            Err(error) if is_worn_out(&error) && begun.is_none() => {
                let Some(bundle) = recipient.bundle else { return Ok(Encrypted::NeedsBundle) };
                begun = Some(self.begin(settings, own, &mut session, recipient, bundle)?);
                session.encrypt(&own.local(), &plaintext, &trusted, now, &mut SysRng)?
            }
            other => other?,
        };
        self.put_session(&session, &tags)?;
        if letter.place == Place::Next {
            peer.next += 1;
            self.put(record_names::resend(address, sequence), letter.id.0.to_vec());
            if let Some(oldest) = sequence.checked_sub(KEPT_FOR_RESENDING) {
                self.remove(record_names::resend(address, oldest));
            }
        }
        if let Some(strength) = begun {
            peer.began = now;
            self.report_strength(address, strength).await?;
        }
        self.put_peer(&peer);
        let row = OutboxRow {
            id: EnvelopeId(random()?),
            to: address.clone(),
            list: recipient.list,
            message: (letter.place != Place::Outside).then_some(letter.id),
            queued: now,
            writer: settings.instance,
            bytes: envelope.bytes,
        };
        self.append(Numbered::Outbox, row.to_bytes()).await?;
        self.notes.push(super::observe::Note::Encrypted);
        Ok(Encrypted::Queued)
    }

    fn begin(
        &self,
        settings: &Settings,
        own: &OwnDevice,
        session: &mut Session,
        recipient: &Recipient<'_>,
        bundle: &Bundle,
    ) -> Result<HandshakeStrength> {
        let trusted = TrustedIdentity::Pinned(recipient.identity);
        session.initiate(&own.local(), bundle, &trusted, settings.handshake, self.now, &mut SysRng)
    }

    /// A session without one-time prekeys is weaker until the peer answers, and a server can bring that about (B14).
    pub(super) async fn report_strength(&mut self, peer: &Address, strength: HandshakeStrength) -> Result<()> {
        if strength == HandshakeStrength::OneTime {
            return Ok(());
        }
        let event = SecurityEvent::of(SecurityKind::WeakHandshake, "handshake.last_resort");
        self.warn(event.about(peer.name(), Some(peer.device()))).await
    }

    /// The sessions with a device, and the tags under which they are found now. A record that cannot be read is replaced (I11): the session is begun anew.
    pub(super) async fn session(&mut self, own: &OwnDevice, device: &Address) -> Result<(Session, Vec<[u8; 16]>)> {
        let read = match self.get(&record_names::session(device)).await {
            Ok(Some(bytes)) => Session::from_bytes(&bytes).map(Some),
            Ok(None) => Ok(None),
            Err(error) => Err(error),
        };
        match read {
            Ok(Some(session)) => {
                let tags = session.tags().collect();
                Ok((session, tags))
            }
            Ok(None) => Ok((Session::new(&own.local(), device.clone())?, Vec::new())),
            Err(error) if is_lost(&error) => {
                let event = SecurityEvent::of(SecurityKind::RecordLost, error.code());
                self.warn(event.about(device.name(), Some(device.device()))).await?;
                Ok((Session::new(&own.local(), device.clone())?, Vec::new()))
            }
            Err(error) => Err(error),
        }
    }

    /// Stages a session, and the tags by which its messages are found; `before` are those it had.
    pub(super) fn put_session(&mut self, session: &Session, before: &[[u8; 16]]) -> Result<()> {
        let now: Vec<[u8; 16]> = session.tags().collect();
        for gone in before.iter().filter(|tag| !now.contains(tag)) {
            self.remove(record_names::tag(gone));
        }
        for new in now.iter().filter(|tag| !before.contains(tag)) {
            let mut out = crate::wire::Writer::with_capacity(64);
            session.remote().encode(&mut out);
            self.put(record_names::tag(new), out.into_vec());
        }
        self.put(record_names::session(session.remote()), session.to_bytes());
        Ok(())
    }
}

/// Whether a new session helps.
fn is_worn_out(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::NoSession | ErrorKind::Exhausted)
}

/// The address of a device on an account's list.
pub(super) fn address_of(account: &str, device: &ListedDevice) -> Result<Address> {
    Address::new(account, device.device)
}

/// Whether a record cannot be had back. One of a newer version can: by the application that wrote it.
pub(super) fn is_lost(error: &Error) -> bool {
    error.kind() == ErrorKind::InvalidRecord && error.code() != Error::from(Fault::RecordVersion).code()
}
