//! One WebSocket connection that is made again when it breaks.

use super::inbox::Inbox;
use super::options::WebSocketOptions;
use super::protocol::{Answer, Call, MASK, MAX_FRAME, mask, unmask};
use crate::crypto::random;
use crate::error::{Error, Fault, Result};
use crate::transport::Login;
use core::time::Duration;
use futures_util::{SinkExt, StreamExt};
use rustls::ClientConfig;
use std::collections::HashMap;
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until, timeout};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{Connector, MaybeTlsStream, WebSocketStream};

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Calls that wait for the connection to take them.
const QUEUE: usize = 64;

/// Where calls are handed in. Dropping it ends the connection.
#[derive(Clone)]
pub(super) struct Channel {
    calls: mpsc::Sender<Pending>,
}

struct Pending {
    call: Call,
    reply: oneshot::Sender<Result<Answer>>,
}

/// Where and how a channel connects.
pub(super) struct Route {
    pub(super) url: String,
    pub(super) options: WebSocketOptions,
    pub(super) tls: Arc<ClientConfig>,
    /// Who signs in, and where what is pushed goes. Without one the channel connects only when there is something to ask.
    pub(super) device: Option<(Arc<dyn Login>, Arc<Inbox>)>,
}

impl Channel {
    /// Starts the task of a channel.
    ///
    /// # Errors
    /// `transport.unreachable` outside of a tokio runtime.
    pub(super) fn open(route: Route) -> Result<Self> {
        let runtime =
            Handle::try_current().map_err(|error| Error::from(Fault::TransportUnreachable).caused_by(error))?;
        let (calls, queue) = mpsc::channel(QUEUE);
        runtime.spawn(Task { route, queue, failures: 0 }.run());
        Ok(Self { calls })
    }

    /// Whether its task has ended, with the runtime it ran in.
    pub(super) fn is_dead(&self) -> bool {
        self.calls.is_closed()
    }

    /// Waits for the answer, however long it takes.
    pub(super) async fn call(&self, call: Call) -> Result<Answer> {
        let (reply, answer) = oneshot::channel();
        self.calls.send(Pending { call, reply }).await.map_err(|_| Fault::TransportUnreachable)?;
        match answer.await.map_err(|_| Fault::TransportUnreachable)?? {
            Answer::Failed(fault) => Err(fault.into()),
            answer => Ok(answer),
        }
    }
}

struct Task {
    route: Route,
    queue: mpsc::Receiver<Pending>,
    failures: u32,
}

/// Why a connection ended.
enum End {
    /// The transport was closed or dropped.
    Wanted,
    /// It broke; whether anything had come through before.
    Broke(Error, bool),
}

impl Task {
    async fn run(mut self) {
        loop {
            let first = match &self.route.device {
                Some(_) => None,
                None => match self.queue.recv().await {
                    Some(pending) => Some(pending),
                    None => return,
                },
            };
            let error = match self.connect().await {
                Ok(socket) => match self.serve(socket, first).await {
                    End::Wanted => return,
                    End::Broke(error, was_useful) => {
                        // A relay that breaks the protocol is not asked again at once, however much it said before.
                        let was_useful = was_useful && error != Fault::TransportAnswer.into();
                        self.failures = if was_useful { 0 } else { self.failures.saturating_add(1) };
                        error
                    }
                },
                Err(error) => {
                    self.failures = self.failures.saturating_add(1);
                    if let Some(first) = first {
                        first.fail(&error);
                    }
                    error
                }
            };
            if let Some((_, inbox)) = &self.route.device {
                inbox.broke(error.clone());
            }
            if !self.rest(&error).await {
                return;
            }
        }
    }

    /// Waits before the next attempt; what is asked meanwhile fails. Tells whether there is anyone left to ask.
    async fn rest(&mut self, error: &Error) -> bool {
        let wait = self.route.options.wait(self.failures, random::array(&mut getrandom::SysRng).unwrap_or([0xFF; 8]));
        let until = Instant::now() + wait;
        loop {
            tokio::select! {
                () = sleep_until(until) => return true,
                pending = self.queue.recv() => match pending {
                    Some(pending) => pending.fail(error),
                    None => return false,
                },
            }
        }
    }

    async fn connect(&self) -> Result<Socket> {
        let limit = self.route.options.request_timeout;
        timeout(limit, self.connect_and_sign_in()).await.map_err(unreachable_because)?
    }

    async fn connect_and_sign_in(&self) -> Result<Socket> {
        let config = WebSocketConfig::default().max_message_size(Some(MAX_FRAME)).max_frame_size(Some(MAX_FRAME));
        // Small buffers: a client has few connections, a test has thousands.
        let config = config.read_buffer_size(16 << 10).write_buffer_size(0);
        let connector = Connector::Rustls(Arc::clone(&self.route.tls));
        let url = self.route.url.as_str();
        let connecting = tokio_tungstenite::connect_async_tls_with_config(url, Some(config), true, Some(connector));
        let (mut socket, _) = connecting.await.map_err(socket_error)?;
        if let Some((login, inbox)) = &self.route.device {
            let (_, Answer::Challenge(challenge)) = next_answer(&mut socket).await? else {
                return Err(Fault::TransportAnswer.into());
            };
            let signature = login.sign(&challenge)?;
            let sign_in = Call::SignIn { device: login.address().clone(), signature };
            socket.send(masked(&sign_in.encode(1))?).await.map_err(socket_error)?;
            match next_answer(&mut socket).await? {
                (1, Answer::Done) => inbox.begin(),
                (1, Answer::Failed(fault)) => return Err(fault.into()),
                _ => return Err(Fault::TransportAnswer.into()),
            }
        }
        Ok(socket)
    }

    async fn serve(&mut self, socket: Socket, first: Option<Pending>) -> End {
        let mut connection =
            Connection { socket, pending: HashMap::new(), last_id: 1, heard: Instant::now(), was_useful: false };
        let end = self.exchange(&mut connection, first).await;
        for (_, reply) in connection.pending.drain() {
            let _ = reply.send(Err(end.clone().unwrap_or_else(|| Fault::TransportUnreachable.into())));
        }
        match end {
            Some(error) => End::Broke(error, connection.was_useful),
            None => {
                let _ = timeout(Duration::from_secs(1), connection.socket.close(None)).await;
                End::Wanted
            }
        }
    }

    /// Until it breaks: the error; or until nobody is left to ask.
    async fn exchange(&mut self, connection: &mut Connection, first: Option<Pending>) -> Option<Error> {
        let options = &self.route.options;
        let inbox = self.route.device.as_ref().map(|(_, inbox)| inbox);
        if let Some(first) = first
            && let Err(error) = connection.ask(first, options.request_timeout).await
        {
            return Some(error);
        }
        let mut ping = interval(options.ping_interval.max(Duration::from_millis(1)));
        ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let step = tokio::select! {
                frame = connection.socket.next() => connection.hear(frame, inbox),
                pending = self.queue.recv() => match pending {
                    Some(pending) => connection.ask(pending, options.request_timeout).await,
                    None => return None,
                },
                _ = ping.tick() => connection.ping(options.ping_interval, options.request_timeout).await,
            };
            if let Err(error) = step {
                return Some(error);
            }
        }
    }
}

/// A socket and the questions that are open on it.
struct Connection {
    socket: Socket,
    pending: HashMap<u64, oneshot::Sender<Result<Answer>>>,
    last_id: u64,
    heard: Instant,
    was_useful: bool,
}

impl Connection {
    async fn ask(&mut self, Pending { call, reply }: Pending, limit: Duration) -> Result<()> {
        if reply.is_closed() {
            return Ok(());
        }
        self.last_id += 1;
        let frame = call.encode(self.last_id);
        if frame.len() + MASK > MAX_FRAME {
            let _ = reply.send(Err(Fault::TransportTooLarge.into()));
            return Ok(());
        }
        self.pending.insert(self.last_id, reply);
        self.say(masked(&frame)?, limit).await
    }

    fn hear(
        &mut self,
        frame: Option<core::result::Result<Message, tungstenite::Error>>,
        inbox: Option<&Arc<Inbox>>,
    ) -> Result<()> {
        self.heard = Instant::now();
        let (id, answer) = match read(frame)? {
            Some(frame) => Answer::decode(&frame)?,
            None => return Ok(()),
        };
        self.was_useful = true;
        match (id, answer, inbox) {
            (0, Answer::Deliveries(deliveries), Some(inbox)) => inbox.put(deliveries)?,
            (0, _, _) => return Err(Fault::TransportAnswer.into()),
            // Whoever asked may have given up.
            (id, answer, _) => {
                if let Some(reply) = self.pending.remove(&id) {
                    let _ = reply.send(Ok(answer));
                }
            }
        }
        Ok(())
    }

    async fn ping(&mut self, every: Duration, limit: Duration) -> Result<()> {
        self.pending.retain(|_, reply| !reply.is_closed());
        if self.heard.elapsed() > every.saturating_mul(2) {
            return Err(Fault::TransportUnreachable.into());
        }
        self.say(Message::Ping(Vec::new().into()), limit).await
    }

    async fn say(&mut self, message: Message, limit: Duration) -> Result<()> {
        timeout(limit, self.socket.send(message)).await.map_err(unreachable_because)?.map_err(socket_error)
    }
}

impl Pending {
    fn fail(self, error: &Error) {
        let _ = self.reply.send(Err(error.clone()));
    }
}

async fn next_answer(socket: &mut Socket) -> Result<(u64, Answer)> {
    loop {
        if let Some(frame) = read(socket.next().await)? {
            return Answer::decode(&frame);
        }
    }
}

/// Nothing of the protocol leaves otherwise.
fn masked(frame: &[u8]) -> Result<Message> {
    Ok(Message::Binary(mask(frame)?.into()))
}

/// What is under the mask of a binary frame; nothing for those that only show that the other side is there.
fn read(frame: Option<core::result::Result<Message, tungstenite::Error>>) -> Result<Option<Vec<u8>>> {
    match frame {
        Some(Ok(Message::Binary(bytes))) => unmask(&bytes).map(Some),
        Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => Ok(None),
        Some(Ok(Message::Text(_))) => Err(Fault::TransportAnswer.into()),
        Some(Ok(Message::Close(_))) | None => Err(Fault::TransportUnreachable.into()),
        Some(Err(error)) => Err(socket_error(error)),
    }
}

fn unreachable_because(cause: impl core::error::Error + Send + Sync + 'static) -> Error {
    Error::from(Fault::TransportUnreachable).caused_by(cause)
}

fn socket_error(error: tungstenite::Error) -> Error {
    use tungstenite::error::ProtocolError;
    let fault = match &error {
        // A server that was killed says no goodbye; that is no answer of its own making.
        tungstenite::Error::Protocol(
            ProtocolError::ResetWithoutClosingHandshake
            | ProtocolError::SendAfterClosing
            | ProtocolError::ReceivedAfterClosing,
        ) => Fault::TransportUnreachable,
        tungstenite::Error::Capacity(_) | tungstenite::Error::Protocol(_) | tungstenite::Error::Utf8(_) => {
            Fault::TransportAnswer
        }
        _ => Fault::TransportUnreachable,
    };
    Error::from(fault).caused_by(error)
}
