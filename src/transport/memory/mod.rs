//! A server in memory, honest by itself, over a network that misbehaves as it is told to: for tests, for trying things out, and for applications whose devices
//! are all in one process.

mod accounts;
mod connection;
mod faults;
#[cfg(feature = "__internals")]
pub(in crate::transport) mod inspection;

use crate::transport::admission::{MAX_ENVELOPE, MAX_MAILBOX, MAX_MEETING_MESSAGE};
use accounts::Accounts;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub use connection::MemoryTransport;
pub use faults::{FailedCall, Faults};

/// What a server takes, and no more.
///
/// ```
/// use undertone::transport::{MemoryServer, ServerLimits};
///
/// let limits = ServerLimits { envelope: 64 << 10, ..ServerLimits::default() };
/// assert_eq!(limits.mailbox, 20_000);
/// let server = MemoryServer::with_limits(limits);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServerLimits {
    /// The largest envelope, in bytes.
    pub envelope: usize,
    /// The most envelopes that wait for one device.
    pub mailbox: usize,
    /// The largest message at a meeting place, in bytes.
    pub meeting_message: usize,
}

impl Default for ServerLimits {
    fn default() -> Self {
        Self { envelope: MAX_ENVELOPE, mailbox: MAX_MAILBOX, meeting_message: MAX_MEETING_MESSAGE }
    }
}

/// A server in memory. A clone is the same server.
///
/// ```
/// use futures_executor::block_on;
/// use undertone::transport::{MeetingPlace, MemoryServer, Transport};
///
/// let server = MemoryServer::new();
/// let (one, other) = (server.transport(), server.transport());
/// block_on(async {
///     one.leave(&MeetingPlace([7; 16]), 1, b"hello").await?;
///     assert_eq!(other.collect(&MeetingPlace([7; 16]), 1).await?, b"hello");
///     # Ok::<(), undertone::Error>(())
/// })?;
/// # Ok::<(), undertone::Error>(())
/// ```
#[derive(Clone, Default)]
pub struct MemoryServer {
    server: Arc<Server>,
}

/// What all clones and connections have in common.
#[derive(Default)]
struct Server {
    limits: ServerLimits,
    accounts: Mutex<Accounts>,
    network: Mutex<Network>,
    #[cfg(feature = "__internals")]
    tamper: Mutex<Option<Arc<dyn inspection::Tamper>>>,
}

/// The way to the server, as far as it is the same for all.
#[derive(Default)]
struct Network {
    faults: Faults,
    /// Counts the changes of `faults`: connections begin their own afresh.
    change: u64,
    is_down: bool,
    connections: u64,
    calls: u64,
}

impl MemoryServer {
    /// A server without accounts.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A server with limits of one's own.
    #[must_use]
    pub fn with_limits(limits: ServerLimits) -> Self {
        Self { server: Arc::new(Server { limits, ..Server::default() }) }
    }

    /// A new connection, for one device or for none. A device may have several.
    #[must_use]
    pub fn transport(&self) -> MemoryTransport {
        let mut network = self.server.network();
        network.connections += 1;
        let number = network.connections;
        drop(network);
        MemoryTransport::new(Arc::clone(&self.server), number)
    }

    /// Lets the network of every connection misbehave; a connection's own faults ([`MemoryTransport::set_faults`]) come before these.
    pub fn set_faults(&self, faults: Faults) {
        let mut network = self.server.network();
        network.faults = faults;
        network.change += 1;
        drop(network);
        self.server.accounts().wake_all();
    }

    /// Takes the server down, or up again. While it is down every call fails with `transport.unreachable`, and those that wait do so at once.
    pub fn set_reachable(&self, is_reachable: bool) {
        self.server.network().is_down = !is_reachable;
        self.server.accounts().wake_all();
    }

    /// Forgets what was left at meeting places, as a server does after ten minutes.
    pub fn expire_meeting_places(&self) {
        self.server.accounts().expire_meeting_places();
    }

    /// How many calls were made on all connections.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.server.network().calls
    }
}

impl Server {
    fn accounts(&self) -> MutexGuard<'_, Accounts> {
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn network(&self) -> MutexGuard<'_, Network> {
        self.network.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
