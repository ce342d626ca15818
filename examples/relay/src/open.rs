//! A connection that does not sign in: sending, fetching, and meeting places. The relay does not learn from it who asks.

use crate::connection::Connection;
use crate::mailboxes::Limits;
use crate::relay::{Shared, stopped};
use crate::{accounts, mailboxes};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::timeout;
use undertone::transport::protocol::{Answer, Call};
use undertone::transport::{MeetingPlace, Outbound, TransportFault, Verdict};

/// The most messages that one connection waits for.
const COLLECTING: usize = 8;

/// Serves one connection until it ends.
pub(crate) async fn serve(mut connection: Connection) {
    let stopped = stopped(connection.relay.stop.subscribe());
    tokio::pin!(stopped);
    let mut collecting: JoinSet<(u64, Answer)> = JoinSet::new();
    loop {
        tokio::select! {
            call = connection.next() => {
                let Some((id, call)) = call else { break };
                if !connection.allows(id, &call).await {
                    continue;
                }
                match call {
                    Call::Collect { place, number } if collecting.len() < COLLECTING => {
                        let relay = Arc::clone(&connection.relay);
                        collecting.spawn(async move { (id, collect(&relay, place, number).await) });
                    }
                    Call::Collect { .. } => connection.say(id, &Answer::Failed(TransportFault::RateLimited)).await,
                    call => {
                        let answer = answer(&connection.relay, call).await;
                        connection.say(id, &answer.unwrap_or_else(Answer::Failed)).await;
                    }
                }
            }
            Some(Ok((id, answer))) = collecting.join_next() => connection.say(id, &answer).await,
            () = &mut stopped => break,
        }
    }
    connection.close().await;
}

async fn answer(relay: &Shared, call: Call) -> Result<Answer, TransportFault> {
    let metrics = &relay.metrics;
    match call {
        Call::Send(envelopes) => send(relay, envelopes).await.map(Answer::Verdicts),
        Call::DeviceList { account, after } => {
            let statements = relay.storage.run(move |database| accounts::statements(database, &account, after)).await;
            statements.map(Answer::Statements)
        }
        Call::Fetch { account, devices } => {
            let bundles = relay.storage.run(move |database| accounts::fetch(database, &account, &devices)).await?;
            metrics.add(&metrics.bundles, bundles.len());
            Ok(Answer::Bundles(bundles))
        }
        Call::Leave { message, .. } if message.len() > relay.options.limits.meeting_message => {
            Err(TransportFault::TooLarge)
        }
        Call::Leave { place, number, message } => {
            let seconds = relay.seconds();
            relay.storage.run(move |database| mailboxes::leave(database, &place, number, &message, seconds)).await?;
            relay.hub.left.notify_waiters();
            Ok(Answer::Done)
        }
        // What belongs to a device goes over a connection that signed in.
        _ => Err(TransportFault::Unauthorized),
    }
}

/// The sender hears of an envelope only after the commit that it is part of.
async fn send(relay: &Shared, envelopes: Vec<Outbound>) -> Result<Vec<Verdict>, TransportFault> {
    let limits = Limits { server: relay.options.limits, mailbox_bytes: relay.options.mailbox_bytes };
    let (seconds, metrics) = (relay.seconds(), &relay.metrics);
    let kept = relay.storage.run(move |database| mailboxes::keep(database, &envelopes, &limits, seconds)).await;
    let (verdicts, arrived) = kept?;
    relay.hub.wake(&arrived);
    let accepted = verdicts.iter().filter(|verdict| **verdict == Verdict::Accepted).count();
    metrics.add(&metrics.envelopes_accepted, arrived.len());
    metrics.add(&metrics.envelopes_refused, verdicts.len() - accepted);
    Ok(verdicts)
}

async fn collect(relay: &Shared, place: MeetingPlace, number: u8) -> Answer {
    let lifetime = relay.options.meeting_places_expire_after;
    let waiting = async {
        loop {
            let left = relay.hub.left.notified();
            tokio::pin!(left);
            // What is left between the question and the wait counts, too.
            left.as_mut().enable();
            let since = relay.seconds() - seconds(lifetime);
            match relay.storage.run(move |database| mailboxes::collect(database, &place, number, since)).await {
                Ok(Some(message)) => return Answer::Message(message),
                Ok(None) => left.await,
                Err(fault) => return Answer::Failed(fault),
            }
        }
    };
    timeout(lifetime, waiting).await.unwrap_or(Answer::Failed(TransportFault::Unreachable))
}

fn seconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_secs()).unwrap_or(i64::MAX)
}
