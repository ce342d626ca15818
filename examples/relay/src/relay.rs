//! The relay as a whole: it listens, serves, expires and stops.

use crate::connection::Connection;
use crate::hub::Hub;
use crate::metrics::Metrics;
use crate::options::RelayOptions;
use crate::rate::Addresses;
use crate::storage::Storage;
use crate::tls::{self, Incoming, Peer};
use crate::{device, mailboxes, open};
use axum::Router;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::{ConnectInfo, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::net::TcpListener;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio::time::{interval, timeout};
use undertone::transport::TransportFault;
use undertone::transport::protocol::{DEVICE_PATH, MAX_FRAME, OPEN_PATH};

/// How long connections have to finish when the relay stops.
const FINISHING: Duration = Duration::from_secs(10);
/// How often what is too old is forgotten.
const EXPIRY: Duration = Duration::from_secs(60);
/// Read buffer of a connection: there may be thousands.
const READ_BUFFER: usize = 16 << 10;

/// A relay that runs.
pub struct Relay {
    address: SocketAddr,
    shared: Arc<Shared>,
    server: JoinHandle<()>,
    expiry: JoinHandle<()>,
}

/// What every connection has in common.
pub(crate) struct Shared {
    pub(crate) options: RelayOptions,
    pub(crate) storage: Storage,
    pub(crate) hub: Hub,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) addresses: Addresses,
    pub(crate) stop: watch::Sender<bool>,
    /// Woken when a connection ends.
    pub(crate) ended: Notify,
}

impl Relay {
    /// Opens the database, listens and serves.
    ///
    /// # Errors
    /// The system's, if it cannot listen there; SQLite's, if the database cannot be opened or is of a newer version; rustls's, if a certificate or key cannot be read.
    pub async fn start(options: RelayOptions) -> io::Result<Self> {
        let metrics = Arc::new(Metrics::default());
        let tls = options.tls.as_ref().map(tls::server_config).transpose()?;
        let storage = Storage::open(&options.database, Arc::clone(&metrics)).map_err(io::Error::other)?;
        let incoming = Incoming::new(TcpListener::bind(options.listen).await?, tls)?;
        let address = axum::serve::Listener::local_addr(&incoming)?;
        let shared = Arc::new(Shared {
            addresses: Addresses::new(options.rate_of_address),
            options,
            storage,
            hub: Hub::default(),
            metrics,
            stop: watch::channel(false).0,
            ended: Notify::new(),
        });
        let server = tokio::spawn(serve(incoming, Arc::clone(&shared)));
        let expiry = tokio::spawn(expire_always(Arc::clone(&shared)));
        Ok(Self { address, shared, server, expiry })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it has counted.
    #[must_use]
    pub fn metrics(&self) -> &Metrics {
        &self.shared.metrics
    }

    /// Forgets what is too old at `seconds` since 1970; it does so by itself every minute.
    ///
    /// # Errors
    /// `TransportFault::Unreachable` if the database failed.
    pub async fn expire_at(&self, seconds: i64) -> Result<(), TransportFault> {
        self.shared.expire_at(seconds).await
    }

    /// Stops: no new connections, those that there are finish what they are at, what was asked is committed, and the log is moved into the database.
    pub async fn shut_down(self) {
        self.shared.stop.send_replace(true);
        self.expiry.abort();
        let _ = timeout(FINISHING, self.server).await;
        let all_ended = async {
            loop {
                let ended = self.shared.ended.notified();
                tokio::pin!(ended);
                ended.as_mut().enable();
                if self.shared.metrics.connections.load(Ordering::Relaxed) == 0 {
                    break;
                }
                ended.await;
            }
        };
        let _ = timeout(FINISHING, all_ended).await;
        let shared = Arc::clone(&self.shared);
        let _ = tokio::task::spawn_blocking(move || shared.storage.close()).await;
    }
}

impl Shared {
    /// The time in seconds since 1970.
    pub(crate) fn seconds(&self) -> i64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
    }

    async fn expire_at(&self, seconds: i64) -> Result<(), TransportFault> {
        let before = |age: Duration| seconds.saturating_sub(i64::try_from(age.as_secs()).unwrap_or(i64::MAX));
        let (envelopes, places) =
            (before(self.options.envelopes_expire_after), before(self.options.meeting_places_expire_after));
        let expired = self.storage.run(move |database| mailboxes::expire(database, envelopes, places)).await?;
        self.metrics.add(&self.metrics.envelopes_expired, expired);
        Ok(())
    }
}

/// Returns when the relay stops.
pub(crate) async fn stopped(mut stop: watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}

async fn serve(incoming: Incoming, shared: Arc<Shared>) {
    let stopped = stopped(shared.stop.subscribe());
    let router = Router::new()
        .route(DEVICE_PATH, get(device_connection))
        .route(OPEN_PATH, get(open_connection))
        .route("/health", get(health))
        .route("/metrics", get(metrics))
        .with_state(shared);
    let service = router.into_make_service_with_connect_info::<Peer>();
    let _ = axum::serve(incoming, service).with_graceful_shutdown(stopped).await;
}

async fn expire_always(shared: Arc<Shared>) {
    let mut tick = interval(EXPIRY);
    loop {
        tick.tick().await;
        // A database that fails is noticed by every request, and by `/health`.
        let _ = shared.expire_at(shared.seconds()).await;
    }
}

async fn device_connection(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(Peer(peer)): ConnectInfo<Peer>,
    upgrade: WebSocketUpgrade,
) -> Response {
    upgraded(shared, peer, upgrade, device::serve)
}

async fn open_connection(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(Peer(peer)): ConnectInfo<Peer>,
    upgrade: WebSocketUpgrade,
) -> Response {
    upgraded(shared, peer, upgrade, open::serve)
}

fn upgraded<F: Future<Output = ()> + Send + 'static>(
    shared: Arc<Shared>,
    peer: SocketAddr,
    upgrade: WebSocketUpgrade,
    serve: impl FnOnce(Connection) -> F + Send + 'static,
) -> Response {
    let open = shared.metrics.connections.load(Ordering::Relaxed);
    if *shared.stop.borrow() || usize::try_from(open).is_ok_and(|open| open >= shared.options.connections) {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    upgrade
        .max_message_size(MAX_FRAME)
        .max_frame_size(MAX_FRAME)
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(0)
        .on_upgrade(move |socket| serve(Connection::new(shared, socket, peer.ip())))
}

/// Healthy is a relay whose database commits.
async fn health(State(shared): State<Arc<Shared>>) -> Response {
    match shared.storage.run(|_| Ok(Ok(()))).await {
        Ok(()) if !*shared.stop.borrow() => "ok\n".into_response(),
        _ => (StatusCode::SERVICE_UNAVAILABLE, "not ok\n").into_response(),
    }
}

async fn metrics(State(shared): State<Arc<Shared>>) -> String {
    shared.metrics.text()
}
