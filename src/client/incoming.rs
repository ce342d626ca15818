//! What the content of an authenticated message does: it is told to the application, or it mends the traffic between two devices.

use super::contact::Learned;
use super::event::{EventKind, Message, SecurityEvent, SecurityKind};
use super::handle::{Inner, age};
use super::intent::{Intent, Task};
use super::observe::Note;
use super::own_device::OwnDevice;
use super::peer::{KEPT_FOR_RESENDING, Peer};
use super::record_names::{self, Numbered};
use super::run_intents::is_local;
use super::transaction::{Operation, Transaction};
use crate::content::{Body, Content, MessageId, MissingRange};
use crate::error::{Error, Fault, Result};
use crate::identity::Verification;
use crate::rule::{self, Rule};
use crate::runtime::async_trait;
use crate::wire::Address;
use std::collections::BTreeMap;
use std::sync::PoisonError;

/// For how many seconds a gap may be no more than a matter of order.
const PATIENCE: u64 = 20;
/// How many messages are sent again at one request.
const RESENT_AT_ONCE: usize = 256;
/// How many seconds lie between two requests of a device that are answered.
const BETWEEN_ANSWERS: u64 = 5;

impl Transaction<'_> {
    /// Stages what `content` does. `sender` is the peer of the session that authenticated it, and the only sender there is: nothing inside can name another (B38).
    pub(super) async fn take_content(
        &mut self,
        inner: &Inner,
        own: &OwnDevice,
        sender: &Address,
        content: Content,
        is_new_session: bool,
    ) -> Result<()> {
        let is_own = sender.name() == own.address.name();
        if content.conversation.is_some() != (is_own && is_for_application(&content.body)) {
            return Err(Fault::ContentContext.into());
        }
        let mut peer = self.peer(sender).await?;
        peer.repair.failures = 0;
        if is_new_session {
            peer.began = self.now;
        }
        self.take_acknowledgement(&mut peer, &content).await?;
        self.take_mention(inner, own, sender, &content).await?;
        if content.sequence != 0 {
            if !peer.note(content.stream, content.sequence) && rule::on(Rule::L6M4) {
                // I3: the same message again, encrypted anew because it was thought lost.
                self.notes.push(Note::Repeated);
                self.put_peer(&peer);
                return Ok(());
            }
            self.watch_gaps(&mut peer).await?;
        }
        self.act(inner, own, &mut peer, content).await?;
        self.put_peer(&peer);
        Ok(())
    }

    /// What the other device has need not be kept for it any longer.
    async fn take_acknowledgement(&mut self, peer: &mut Peer, content: &Content) -> Result<()> {
        let Some(acknowledged) = &content.acknowledged else { return Ok(()) };
        if acknowledged.stream != peer.stream || acknowledged.up_to >= peer.next {
            return Ok(());
        }
        let up_to = acknowledged.up_to.min(peer.acknowledged.saturating_add(KEPT_FOR_RESENDING));
        for sequence in peer.acknowledged.saturating_add(1)..=up_to {
            self.remove(record_names::resend(&peer.address, sequence));
        }
        peer.acknowledged = peer.acknowledged.max(up_to);
        Ok(())
    }

    /// The sender says how far its account's device list has come: a server that shows less is withholding something.
    async fn take_mention(
        &mut self,
        inner: &Inner,
        own: &OwnDevice,
        sender: &Address,
        content: &Content,
    ) -> Result<()> {
        let Some((number, hash)) = content.device_list else { return Ok(()) };
        let list = if sender.name() == own.address.name() {
            self.own_list().await?
        } else {
            let Some(contact) = self.contact(sender.name()).await? else { return Ok(()) };
            contact.list
        };
        if number > list.number() {
            let mut mentioned = inner.mentioned.lock().unwrap_or_else(PoisonError::into_inner);
            let known = mentioned.entry(sender.name().to_owned()).or_default();
            *known = number.max(*known);
        } else if number == list.number() && hash != list.hash() {
            let code = Error::from(Fault::DevicesForked).code();
            let event = SecurityEvent::of(SecurityKind::DeviceListRefused, code);
            self.warn(event.about(sender.name(), Some(sender.device()))).await?;
        }
        Ok(())
    }

    /// A gap is waited for a while, then asked about: once at a time.
    async fn watch_gaps(&mut self, peer: &mut Peer) -> Result<()> {
        let is_whole = peer.newest().is_none_or(|incoming| incoming.missing().is_empty());
        if is_whole {
            peer.repair.watched = 0;
        } else if peer.repair.watched == 0 {
            peer.repair.watched = self.now.max(1);
            peer.repair.asks = 0;
            let task = Task::AskForMissing { to: peer.address.clone() };
            self.append(Numbered::Intents, Intent::at(self.now + PATIENCE, task).to_bytes()?).await?;
        }
        Ok(())
    }

    async fn act(&mut self, inner: &Inner, own: &OwnDevice, peer: &mut Peer, content: Content) -> Result<()> {
        let Content { id, sent_at, conversation, body, .. } = content;
        if is_for_application(&body) && !self.is_first_time(&peer.address, id).await? {
            self.notes.push(Note::Repeated);
            return Ok(());
        }
        match body {
            Body::Nothing => Ok(()),
            Body::ResendRequest { stream, missing } => self.answer(peer, stream, &missing).await,
            Body::DeviceList(statements) => self.take_device_list(inner, peer.address.name(), &statements).await,
            body => {
                let sender = peer.address.name().to_owned();
                let verification = self.verification(own, &sender).await?;
                let conversation = conversation.unwrap_or_else(|| sender.clone());
                let device = peer.address.device();
                let message = Message { sender, device, conversation, id, sent_at, verification, body };
                self.tell(EventKind::Message(message)).await
            }
        }
    }

    /// I3: a device whose store went back sends what waited in it under other numbers, and does not know that it was there before.
    async fn is_first_time(&mut self, sender: &Address, id: MessageId) -> Result<bool> {
        let mark = self.keyed_hash("told", &[sender.name().as_bytes(), &[sender.device()], &id.0]);
        if self.get(&record_names::received(&mark)).await?.is_some() && rule::on(Rule::L6M4) {
            return Ok(false);
        }
        self.mark_received(mark).await?;
        Ok(true)
    }

    async fn verification(&mut self, own: &OwnDevice, account: &str) -> Result<Verification> {
        if account == own.address.name() {
            return Ok(Verification::Verified);
        }
        let contact = self.contact(account).await?;
        Ok(contact.map_or(Verification::Unverified, |contact| contact.pinned.verification()))
    }

    /// Sends again what a device lacks, not more often than every few seconds: two devices that cannot understand each other do not talk each other to death.
    async fn answer(&mut self, peer: &mut Peer, stream: u64, missing: &[MissingRange]) -> Result<()> {
        if peer.repair.answered != 0 && age(self.now, peer.repair.answered) < BETWEEN_ANSWERS {
            return Ok(());
        }
        peer.repair.answered = self.now.max(1);
        let from_first = [MissingRange { from: 1, to: u64::MAX }];
        // A device that lost its state does not know the stream: it lacks all that it has not acknowledged.
        let missing = if stream == peer.stream { missing } else { from_first.as_slice() };
        let kept = peer.kept_for_resending();
        let mut resent = 0;
        for range in missing {
            for sequence in range.from.max(kept.start)..range.to.saturating_add(1).min(kept.end) {
                let Some(message) = self.get(&record_names::resend(&peer.address, sequence)).await? else { continue };
                let Ok(id) = <[u8; 16]>::try_from(message.as_slice()) else { continue };
                let task = Task::Deliver { to: peer.address.clone(), message: MessageId(id), sequence };
                self.append(Numbered::Intents, Intent::now(task).to_bytes()?).await?;
                resent += 1;
                if resent >= RESENT_AT_ONCE {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Statements that came inside a message are checked as those from a server are.
    async fn take_device_list(&mut self, inner: &Inner, account: &str, statements: &[Vec<u8>]) -> Result<()> {
        let policy = inner.settings.trust;
        let mut learn = super::contact::Learn { account, statements, whole: true, policy };
        match learn.plan(self).await? {
            Learned::UpToDate | Learned::Discontinued => Ok(()),
            Learned::Refused(error) => Err(error),
        }
    }
}

/// Whether a kind of content is for the application, and so belongs to a conversation.
fn is_for_application(body: &Body) -> bool {
    !matches!(body, Body::Nothing | Body::ResendRequest { .. } | Body::DeviceList(_))
}

impl Inner {
    /// Asks the server about accounts whose device lists were mentioned and are not known; tells of it if the server does not know them either.
    pub(super) async fn ask_about_mentioned(&self) -> Result<()> {
        let mentioned = std::mem::take(&mut *self.mentioned.lock().unwrap_or_else(PoisonError::into_inner));
        for (account, number) in mentioned {
            match self.refresh_devices(&account).await {
                Err(error) if is_local(&error) => return Err(error),
                Err(error) if error.is_retryable() => {
                    let mut later = self.mentioned.lock().unwrap_or_else(PoisonError::into_inner);
                    later.insert(account, number);
                }
                _ => self.transact(CheckMention { account: &account, number }).await?.into_inner(),
            }
        }
        Ok(())
    }
}

/// The accounts whose lists were mentioned, with the greatest number.
pub(super) type Mentioned = BTreeMap<String, u64>;

struct CheckMention<'a> {
    account: &'a str,
    number: u64,
}

#[cfg_attr(not(target_family = "wasm"), async_trait)]
#[cfg_attr(target_family = "wasm", async_trait(?Send))]
impl Operation for CheckMention<'_> {
    type Output = ();

    async fn plan(&mut self, transaction: &mut Transaction<'_>) -> Result<()> {
        let own = transaction.own_device().await?;
        let known = if own.address.name() == self.account {
            transaction.own_list().await?.number()
        } else {
            transaction.contact(self.account).await?.map_or(0, |contact| contact.list.number())
        };
        if known < self.number {
            let code = Error::from(Fault::DevicesStale).code();
            let event = SecurityEvent::of(SecurityKind::DeviceListWithheld, code);
            transaction.warn(event.about(self.account, None)).await?;
        }
        Ok(())
    }
}
