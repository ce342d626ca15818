//! One WebSocket connection: frames in and out, limits, silence.

use crate::metrics::Metrics;
use crate::rate::{Bucket, cost};
use crate::relay::Shared;
use axum::extract::ws::{Message, WebSocket};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::time::{Instant, timeout, timeout_at};
use undertone::transport::TransportFault;
use undertone::transport::protocol::{Answer, Call, mask, unmask};

/// A connection on which nothing is said for so long is gone.
const SILENCE: Duration = Duration::from_secs(90);
/// How long the other side may take to read what is said.
const WRITING: Duration = Duration::from_secs(20);

/// A connection that counts itself.
pub(crate) struct Connection {
    pub(crate) relay: Arc<Shared>,
    socket: WebSocket,
    peer: IpAddr,
    bucket: Bucket,
    heard: Instant,
    is_gone: bool,
}

impl Connection {
    pub(crate) fn new(relay: Arc<Shared>, socket: WebSocket, peer: IpAddr) -> Self {
        relay.metrics.connections.fetch_add(1, Ordering::Relaxed);
        let bucket = Bucket::new(relay.options.rate_of_connection, std::time::Instant::now());
        Self { relay, socket, peer, bucket, heard: Instant::now(), is_gone: false }
    }

    pub(crate) fn metrics(&self) -> &Metrics {
        &self.relay.metrics
    }

    /// The next call that its limits allow; `None` at the end. It may be dropped at any time before it is done.
    pub(crate) async fn next(&mut self) -> Option<(u64, Call)> {
        loop {
            if self.is_gone {
                return None;
            }
            let frame = timeout_at(self.heard + SILENCE, self.socket.recv()).await.ok()??.ok()?;
            self.heard = Instant::now();
            match frame {
                Message::Binary(frame) => match unmask(&frame).and_then(|frame| Call::decode(&frame)) {
                    Ok((id, call)) => return Some((id, call)),
                    Err(_) => return self.malformed().await,
                },
                Message::Text(_) => return self.malformed().await,
                Message::Ping(_) | Message::Pong(_) => {}
                Message::Close(_) => return None,
            }
        }
    }

    /// Whether connection and address may ask for this; if not, they are told.
    pub(crate) async fn allows(&mut self, id: u64, call: &Call) -> bool {
        let (cost, now) = (cost(call), std::time::Instant::now());
        let is_allowed = self.bucket.take(cost, now) && self.relay.addresses.take(self.peer, cost, now);
        if !is_allowed {
            self.metrics().add(&self.metrics().rate_limited, 1);
            self.say(id, &Answer::Failed(TransportFault::RateLimited)).await;
        }
        is_allowed
    }

    /// Says something; if the other side does not read, the next call is `None`.
    pub(crate) async fn say(&mut self, id: u64, answer: &Answer) {
        let said = match mask(&answer.encode(id)) {
            Ok(masked) => timeout(WRITING, self.socket.send(Message::Binary(masked.into()))).await,
            Err(_) => {
                self.is_gone = true;
                return;
            }
        };
        self.is_gone |= !matches!(said, Ok(Ok(())));
    }

    pub(crate) async fn answer<T>(
        &mut self,
        id: u64,
        result: Result<T, TransportFault>,
        answer: impl FnOnce(T) -> Answer,
    ) {
        let answer = result.map_or_else(Answer::Failed, answer);
        self.say(id, &answer).await;
    }

    pub(crate) async fn close(mut self) {
        let _ = timeout(Duration::from_secs(1), self.socket.send(Message::Close(None))).await;
    }

    async fn malformed(&mut self) -> Option<(u64, Call)> {
        self.metrics().add(&self.metrics().malformed, 1);
        self.say(0, &Answer::Failed(TransportFault::Malformed)).await;
        None
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.relay.metrics.connections.fetch_sub(1, Ordering::Relaxed);
        self.relay.ended.notify_waiters();
    }
}
