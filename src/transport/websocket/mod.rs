//! A transport over WebSocket, to a relay such as the one in `examples/relay`.

mod channel;
mod frames;
mod inbox;
mod mask;
mod options;
pub mod protocol;

use crate::error::{Error, Fault, Result};
use crate::runtime::async_trait;
use crate::transport::{
    Delivery, EnvelopeId, Login, MeetingPlace, Outbound, PrekeyStock, Publication, Transport, Verdict, Witness,
};
use channel::{Channel, Route};
use inbox::Inbox;
use protocol::{Answer, Call, DEVICE_PATH, MAX_FRAME, OPEN_PATH};
use rustls::ClientConfig;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::time::timeout;

pub use options::WebSocketOptions;

/// The bytes of envelopes that go into one frame, and of one envelope at most.
const FRAME_OF_ENVELOPES: usize = MAX_FRAME / 2;
/// The envelopes that go into one frame, and the acknowledgements.
const FRAME_OF_MANY: usize = 500;

/// Connects one device with a relay, over `ws://` or `wss://`.
///
/// It makes two connections: one signs in and carries what is the device's own (publishing, receiving, acknowledging); the other does not, and carries the rest, so that
/// the relay does not learn who sends. Both are made again when they break, after waits that grow and are random; a call that was under way then fails with
/// `transport.unreachable`, and the relay takes its repetition for the same.
///
/// Needs tokio: its methods are called inside a tokio runtime, with its I/O and its timer enabled.
///
/// ```
/// use undertone::transport::{Transport, WebSocketTransport};
///
/// assert_eq!(WebSocketTransport::new("https://example.org").err().map(|error| error.code()), Some("request.argument"));
///
/// // Nobody listens there.
/// let transport = WebSocketTransport::new("ws://127.0.0.1:1")?;
/// let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
/// let error = runtime.block_on(transport.device_list("bob", 0)).unwrap_err();
/// assert_eq!(error.code(), "transport.unreachable");
/// # Ok::<(), undertone::Error>(())
/// ```
pub struct WebSocketTransport {
    url: String,
    options: WebSocketOptions,
    tls: Arc<ClientConfig>,
    inbox: Arc<Inbox>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    login: Option<Arc<dyn Login>>,
    device: Option<Channel>,
    open: Option<Channel>,
    is_closed: bool,
}

impl WebSocketTransport {
    /// A transport to the relay at `url`: `wss://` or, without TLS, `ws://`, a host and perhaps a port. It connects when it is used.
    ///
    /// # Errors
    /// `request.argument` if it is no such URL.
    pub fn new(url: &str) -> Result<Self> {
        Self::with_options(url, WebSocketOptions::default())
    }

    /// A transport with options of one's own.
    ///
    /// # Errors
    /// `request.argument` for a URL that is none, or a root certificate that is none.
    pub fn with_options(url: &str, options: WebSocketOptions) -> Result<Self> {
        let url = url.trim_end_matches('/');
        let host = url.strip_prefix("ws://").or_else(|| url.strip_prefix("wss://")).ok_or(Fault::Argument)?;
        if host.is_empty() || host.chars().any(|c| c.is_whitespace() || c.is_control() || "?#@".contains(c)) {
            return Err(Fault::Argument.into());
        }
        let tls = options.tls()?;
        Ok(Self { url: url.to_owned(), options, tls, inbox: Arc::default(), state: Mutex::default() })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn route(&self, path: &str, device: Option<(Arc<dyn Login>, Arc<Inbox>)>) -> Route {
        Route { url: format!("{}{path}", self.url), options: self.options.clone(), tls: Arc::clone(&self.tls), device }
    }

    fn open_channel(&self) -> Result<Channel> {
        let mut state = self.state();
        state.check_open()?;
        match state.open.take().filter(|channel| !channel.is_dead()) {
            Some(channel) => Ok(state.open.insert(channel).clone()),
            None => Ok(state.open.insert(Channel::open(self.route(OPEN_PATH, None))?).clone()),
        }
    }

    fn device_channel(&self) -> Result<Channel> {
        let mut state = self.state();
        state.check_open()?;
        let login = state.login.clone().ok_or(Fault::TransportLogin)?;
        match state.device.take().filter(|channel| !channel.is_dead()) {
            Some(channel) => Ok(state.device.insert(channel).clone()),
            None => {
                let route = self.route(DEVICE_PATH, Some((login, Arc::clone(&self.inbox))));
                Ok(state.device.insert(Channel::open(route)?).clone())
            }
        }
    }

    async fn ask(&self, channel: Channel, call: Call) -> Result<Answer> {
        let limit = self.options.request_timeout;
        let answer = timeout(limit, channel.call(call)).await;
        answer.map_err(|elapsed| Error::from(Fault::TransportUnreachable).caused_by(elapsed))?
    }
}

impl State {
    fn check_open(&self) -> Result<()> {
        if self.is_closed { Err(Fault::TransportUnreachable.into()) } else { Ok(()) }
    }
}

fn malformed<T>() -> Result<T> {
    Err(Fault::TransportAnswer.into())
}

#[async_trait]
impl Transport for WebSocketTransport {
    async fn attach(&self, login: Arc<dyn Login>) -> Result<()> {
        {
            let mut state = self.state();
            state.login = Some(login);
            state.device = None;
        }
        self.device_channel().map(drop)
    }

    async fn publish(&self, publication: &Publication) -> Result<PrekeyStock> {
        match self.ask(self.device_channel()?, Call::Publish(publication.clone())).await? {
            Answer::Stock(stock) => Ok(stock),
            _ => malformed(),
        }
    }

    async fn device_list(&self, account: &str, after: u64) -> Result<Vec<Vec<u8>>> {
        let call = Call::DeviceList { account: account.to_owned(), after };
        match self.ask(self.open_channel()?, call).await? {
            Answer::Statements(statements) => Ok(statements),
            _ => malformed(),
        }
    }

    async fn fetch(&self, account: &str, devices: &[u8]) -> Result<Vec<Vec<u8>>> {
        let call = Call::Fetch { account: account.to_owned(), devices: devices.to_vec() };
        match self.ask(self.open_channel()?, call).await? {
            Answer::Bundles(bundles) if bundles.len() <= devices.len() => Ok(bundles),
            _ => malformed(),
        }
    }

    async fn send(&self, envelopes: &[Outbound]) -> Result<Vec<Verdict>> {
        let mut verdicts = Vec::with_capacity(envelopes.len());
        let mut rest = envelopes;
        while let Some(first) = rest.first() {
            if first.bytes.len() > FRAME_OF_ENVELOPES {
                verdicts.push(Verdict::TooLarge);
                rest = rest.get(1..).unwrap_or_default();
                continue;
            }
            let (frame, later) = rest.split_at(fitting(rest));
            match self.ask(self.open_channel()?, Call::Send(frame.to_vec())).await? {
                Answer::Verdicts(these) if these.len() == frame.len() => verdicts.extend(these),
                _ => return malformed(),
            }
            rest = later;
        }
        Ok(verdicts)
    }

    async fn receive(&self) -> Result<Vec<Delivery>> {
        self.device_channel()?;
        self.inbox.receive().await
    }

    async fn acknowledge(&self, ids: &[EnvelopeId]) -> Result<()> {
        for ids in ids.chunks(FRAME_OF_MANY) {
            self.inbox.forget(ids);
            match self.ask(self.device_channel()?, Call::Acknowledge(ids.to_vec())).await? {
                Answer::Done => {}
                _ => return malformed(),
            }
        }
        Ok(())
    }

    async fn witness(&self, mine: &Witness) -> Result<Option<Witness>> {
        match self.ask(self.device_channel()?, Call::Witness(*mine)).await? {
            Answer::Witness(before) => Ok(before),
            _ => malformed(),
        }
    }

    async fn leave(&self, place: &MeetingPlace, number: u8, message: &[u8]) -> Result<()> {
        let call = Call::Leave { place: *place, number, message: message.to_vec() };
        match self.ask(self.open_channel()?, call).await? {
            Answer::Done => Ok(()),
            _ => malformed(),
        }
    }

    async fn collect(&self, place: &MeetingPlace, number: u8) -> Result<Vec<u8>> {
        // No limit of time: the other device may be far from having left it.
        match self.open_channel()?.call(Call::Collect { place: *place, number }).await? {
            Answer::Message(message) => Ok(message),
            _ => malformed(),
        }
    }

    async fn close(&self) {
        let mut state = self.state();
        state.is_closed = true;
        (state.device, state.open) = (None, None);
        drop(state);
        self.inbox.close();
    }
}

/// How many of `envelopes` go into one frame: at least one.
fn fitting(envelopes: &[Outbound]) -> usize {
    let mut bytes = 0;
    let fits = |envelope: &&Outbound| {
        bytes += envelope.bytes.len() + Outbound::OVERHEAD;
        bytes <= FRAME_OF_ENVELOPES
    };
    envelopes.iter().take(FRAME_OF_MANY).take_while(fits).count().max(1)
}

impl Outbound {
    /// What a frame adds to the bytes of an envelope: its name, its recipient's name and their lengths.
    const OVERHEAD: usize = 320;
}
