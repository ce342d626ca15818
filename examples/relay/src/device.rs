//! A connection that signs in: publishing, receiving, acknowledging.

use crate::accounts::{self, SignIn, SignedIn};
use crate::connection::Connection;
use crate::mailboxes;
use crate::relay::stopped;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::timeout;
use undertone::transport::protocol::{Answer, Call};
use undertone::transport::{Delivery, EnvelopeId, Publication, TransportFault, admission};

/// How long signing in may take.
const SIGN_IN: Duration = Duration::from_secs(15);
/// Envelopes that are handed out and not acknowledged; more follow when these are.
const WINDOW: usize = 256;
/// And their bytes: once it has so many, a device that is slow to acknowledge gets no more. With the last frame it is well below what a client takes.
const WINDOW_BYTES: usize = 8 << 20;

/// Serves one connection until it ends.
pub(crate) async fn serve(mut connection: Connection) {
    let mut challenge = [0; 32];
    if getrandom::fill(&mut challenge).is_err() {
        return;
    }
    connection.say(0, &Answer::Challenge(challenge)).await;
    let Ok(Some((id, call))) = timeout(SIGN_IN, connection.next()).await else { return };
    if !connection.allows(id, &call).await {
        return;
    }
    let Call::SignIn { device, signature } = call else {
        connection.say(id, &Answer::Failed(TransportFault::Unauthorized)).await;
        return;
    };
    let login = SignIn { device, challenge, signature };
    let checked = login.clone();
    let signed_in = connection.relay.storage.run(move |database| accounts::sign_in(database, &checked)).await;
    let mailbox = match signed_in {
        Ok(SignedIn::Device(mailbox)) => Some(mailbox),
        Ok(SignedIn::Candidate) => None,
        Err(fault) => {
            connection.metrics().add(&connection.metrics().unauthorized, 1);
            connection.say(id, &Answer::Failed(fault)).await;
            return;
        }
    };
    connection.metrics().add(&connection.metrics().sign_ins, 1);
    connection.say(id, &Answer::Done).await;
    let mut device = Device {
        connection,
        login,
        mailbox: None,
        woken: Arc::default(),
        last: 0,
        handed_out: HashMap::new(),
        is_behind: false,
    };
    device.enter(mailbox);
    device.run().await;
}

struct Device {
    connection: Connection,
    login: SignIn,
    /// `None` while the device is on no list.
    mailbox: Option<i64>,
    woken: Arc<Notify>,
    /// The number of the last envelope that was handed out on this connection.
    last: i64,
    /// What was handed out and not acknowledged, with its size.
    handed_out: HashMap<EnvelopeId, usize>,
    /// Whether there may be more than was handed out.
    is_behind: bool,
}

impl Device {
    async fn run(mut self) {
        let stopped = stopped(self.connection.relay.stop.subscribe());
        tokio::pin!(stopped);
        let woken = Arc::clone(&self.woken);
        loop {
            let goes_on = tokio::select! {
                call = self.connection.next() => match call {
                    Some((id, call)) => {
                        if self.connection.allows(id, &call).await {
                            self.answer(id, call).await;
                        }
                        true
                    }
                    None => false,
                },
                () = woken.notified() => self.hand_out().await,
                () = &mut stopped => false,
            };
            if !goes_on {
                break;
            }
        }
        if let Some(mailbox) = self.mailbox {
            self.connection.relay.hub.leave(mailbox, &self.woken);
        }
        self.connection.close().await;
    }

    /// From now on it is woken when there is something in its mailbox; perhaps there is already.
    fn enter(&mut self, mailbox: Option<i64>) {
        if let (None, Some(mailbox)) = (self.mailbox, mailbox) {
            self.connection.relay.hub.enter(mailbox, Arc::clone(&self.woken));
            self.mailbox = Some(mailbox);
            self.woken.notify_one();
        }
    }

    async fn answer(&mut self, id: u64, call: Call) {
        let relay = Arc::clone(&self.connection.relay);
        match (call, self.mailbox) {
            (Call::Publish(publication), _) => {
                let result = self.publish(publication).await;
                self.connection.answer(id, result, Answer::Stock).await;
            }
            (Call::Acknowledge(ids), Some(mailbox)) => {
                self.handed_out.retain(|known, _| !ids.contains(known));
                let result = relay.storage.run(move |database| mailboxes::acknowledge(database, mailbox, &ids)).await;
                relay.metrics.add(&relay.metrics.envelopes_acknowledged, result.unwrap_or(0));
                self.connection.answer(id, result, |_| Answer::Done).await;
                if self.is_behind {
                    self.woken.notify_one();
                }
            }
            (Call::Witness(mine), Some(mailbox)) => {
                let result = relay.storage.run(move |database| mailboxes::witness(database, mailbox, &mine)).await;
                self.connection.answer(id, result, Answer::Witness).await;
            }
            (Call::Acknowledge(_) | Call::Witness(_), None) => {
                self.connection.say(id, &Answer::Failed(TransportFault::Unauthorized)).await;
            }
            // Everything else goes over a connection that does not tell who asks.
            _ => self.connection.say(id, &Answer::Failed(TransportFault::Refused)).await,
        }
    }

    async fn publish(&mut self, publication: Publication) -> Result<undertone::transport::PrekeyStock, TransportFault> {
        if publication.device != self.login.device {
            return Err(TransportFault::Refused);
        }
        let relay = Arc::clone(&self.connection.relay);
        let checking = tokio::task::spawn_blocking(move || {
            let upload = publication.prekeys.as_ref();
            let is_good = upload.is_none_or(|upload| admission::check_prekeys(&publication.device, upload).is_ok());
            is_good.then_some(publication)
        });
        let publication = checking.await.ok().flatten().ok_or(TransportFault::Refused)?;
        let candidate = self.mailbox.is_none().then(|| self.login.clone());
        let seconds = relay.seconds();
        let published = relay
            .storage
            .run(move |database| accounts::publish(database, &publication, candidate.as_ref(), seconds))
            .await?;
        relay.metrics.add(&relay.metrics.publications, 1);
        relay.hub.wake(&published.removed);
        self.enter(Some(published.mailbox));
        Ok(published.stock)
    }

    /// How many more envelopes may be handed out before any is acknowledged.
    fn room(&self) -> usize {
        let is_full = self.handed_out.values().sum::<usize>() >= WINDOW_BYTES;
        if is_full { 0 } else { WINDOW.saturating_sub(self.handed_out.len()) }
    }

    /// Hands out what has arrived, as far as the window is open. Tells whether the connection goes on: not if the device is no longer on its list, and not if the
    /// database failed, since nothing else would ask again for what waits; the device connects again, after waits that grow.
    async fn hand_out(&mut self) -> bool {
        let Some(mailbox) = self.mailbox else { return true };
        let relay = Arc::clone(&self.connection.relay);
        let room = self.room();
        let last = self.last;
        let waiting = relay.storage.run(move |database| mailboxes::waiting(database, mailbox, last, room)).await;
        let Ok((found, may_be_more)) = waiting else { return false };
        self.is_behind = may_be_more;
        let Some((newest, _)) = found.last() else { return true };
        self.last = *newest;
        let deliveries: Vec<Delivery> = found.into_iter().map(|(_, delivery)| delivery).collect();
        self.handed_out.extend(deliveries.iter().map(|delivery| (delivery.id, delivery.bytes.len())));
        relay.metrics.add(&relay.metrics.envelopes_delivered, deliveries.len());
        self.connection.say(0, &Answer::Deliveries(deliveries)).await;
        // There may be more than went into one frame; if the window is full, the next acknowledgement asks.
        if self.is_behind && self.room() > 0 {
            self.woken.notify_one();
        }
        true
    }
}
