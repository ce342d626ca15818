//! For tests: the order of things, broken on purpose, to prove that the tests of crashes would notice (section C8 of the requirements, L6).
//!
//! Every function here does nothing while its rule is in force, as it always is but for a test that suspends it ([`rule::on`] is a constant in every ordinary build).

use super::handle::Inner;
use super::intent::{Intent, Task};
use super::letters::{Letter, Place, Recipient};
use super::outbox::OutboxRow;
use super::own_device::OwnDevice;
use super::receive::{Arrival, Failure, Received};
use super::record_names::{self, Numbered};
use super::transaction::{Operation, Transaction};
use crate::content::{Content, pad};
use crate::error::Result;
use crate::rule::{self, Rule};
use crate::runtime::async_trait;
use crate::session::TrustedIdentity;
use crate::transport::{EnvelopeId, Outbound};
use getrandom::SysRng;

/// How many rows at the end of a table are looked at.
const NEWEST: u64 = 64;

impl Inner {
    /// M1: has the server forget envelopes before what is in them is committed.
    pub(super) async fn acknowledge_too_early(&self, arrivals: &[Arrival]) -> Result<()> {
        if rule::on(Rule::L6M1) {
            return Ok(());
        }
        let ids: Vec<EnvelopeId> = arrivals.iter().map(|arrival| arrival.id).collect();
        self.transport.acknowledge(&ids).await
    }

    /// M2, M12: sends envelopes and publishes prekeys before the commit that they belong to.
    pub(super) async fn leave_too_early(&self, transaction: &mut Transaction<'_>) -> Result<()> {
        if !rule::on(Rule::L6M2) {
            self.send_staged(transaction).await?;
        }
        if !rule::on(Rule::L6M12)
            && let Some(staged) = transaction.staged(&record_names::publication())
        {
            let publication = super::prekey_upkeep::decode(staged)?;
            // What the server says to it is seen again when it is published once more.
            let _ = self.transport.publish(&publication).await;
        }
        Ok(())
    }

    /// M3: forgets the one-time prekeys that were used up in a commit of its own.
    pub(super) async fn forget_prekeys_too_late(&self, received: &Received) -> Result<()> {
        match &received.prekeys_of_a_second_commit {
            Some(prekeys) => self.transact(PutPrekeys { prekeys }).await.map(|_| ()),
            None => Ok(()),
        }
    }

    /// M5: encrypts an envelope anew whenever it is handed to the server.
    pub(super) async fn encrypt_again(&self, row: &mut OutboxRow) -> Result<()> {
        if rule::on(Rule::L6M5) {
            return Ok(());
        }
        let mut transaction = self.transaction();
        let own = transaction.own_device().await?;
        let Some(message) = row.message else { return Ok(()) };
        let Some(sent) = transaction.sent(message).await? else { return Ok(()) };
        let (mut session, _) = transaction.session(&own, &row.to).await?;
        let Some(identity) = session.remote_identity().cloned() else { return Ok(()) };
        let plaintext = pad(&Content::new(message, sent.sent_at, sent.body).encode()?, self.settings.padding);
        let trusted = TrustedIdentity::Pinned(&identity);
        row.bytes = session.encrypt(&own.local(), &plaintext, &trusted, transaction.now, &mut SysRng)?.bytes;
        Ok(())
    }

    /// M13: encrypts and sends answers while the question is being read.
    pub(super) async fn answer_too_early(&self, transaction: &mut Transaction<'_>, own: &OwnDevice) -> Result<()> {
        if rule::on(Rule::L6M13) {
            return Ok(());
        }
        let own_list = transaction.own_list().await?;
        let next = transaction.counters().await?.next(Numbered::Intents);
        for number in next.saturating_sub(NEWEST)..next {
            let name = Numbered::Intents.row(number);
            let Some(staged) = transaction.staged(&name) else { continue };
            let Task::Deliver { to, message, sequence } = Intent::from_bytes(staged)?.task else { continue };
            let (Some(sent), Some(contact)) = (transaction.sent(message).await?, transaction.contact(to.name()).await?)
            else {
                continue;
            };
            let Some(listed) = contact.list.device(to.device()) else { continue };
            let recipient = Recipient {
                address: &to,
                identity: &listed.identity,
                list: contact.list.number(),
                bundle: None,
                renew: false,
            };
            let place = Place::Again(sequence);
            let letter = Letter { id: message, sent_at: sent.sent_at, conversation: None, body: &sent.body, place };
            transaction.encrypt(&self.settings, own, &own_list, &recipient, &letter).await?;
            transaction.remove(name);
        }
        self.send_staged(transaction).await
    }

    async fn send_staged(&self, transaction: &mut Transaction<'_>) -> Result<()> {
        let next = transaction.counters().await?.next(Numbered::Outbox);
        let mut envelopes = Vec::new();
        for number in next.saturating_sub(NEWEST)..next {
            if let Some(staged) = transaction.staged(&Numbered::Outbox.row(number)) {
                let row = OutboxRow::from_bytes(staged)?;
                envelopes.push(Outbound { id: row.id, to: row.to, device_list: row.list, bytes: row.bytes });
            }
        }
        if !envelopes.is_empty() {
            // What the server does not take is handed over again after the commit.
            let _ = self.transport.send(&envelopes).await;
        }
        Ok(())
    }
}

impl Transaction<'_> {
    /// M6: throws a session away because someone sent something that does not authenticate in it.
    pub(super) fn let_forgery_change_state(&mut self, failure: &Failure) {
        if !rule::on(Rule::L6M6)
            && let Some(suspect) = &failure.suspect
        {
            self.remove(record_names::session(suspect));
        }
    }
}

struct PutPrekeys<'a> {
    prekeys: &'a [u8],
}

#[cfg_attr(not(target_family = "wasm"), async_trait)]
#[cfg_attr(target_family = "wasm", async_trait(?Send))]
impl Operation for PutPrekeys<'_> {
    type Output = ();

    async fn plan(&mut self, transaction: &mut Transaction<'_>) -> Result<()> {
        transaction.put(record_names::prekeys(), self.prekeys.to_vec());
        Ok(())
    }
}
