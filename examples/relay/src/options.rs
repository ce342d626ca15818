//! What a relay is told when it starts.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;
use undertone::transport::ServerLimits;

/// How a relay runs.
#[derive(Clone, Debug)]
pub struct RelayOptions {
    /// Where it listens; port 0 for any that is free.
    pub listen: SocketAddr,
    /// Its database.
    pub database: PathBuf,
    /// For `wss`: a certificate chain and its private key, in PEM.
    pub tls: Option<TlsFiles>,
    /// What it takes.
    pub limits: ServerLimits,
    /// The most bytes of envelopes that wait for one device.
    pub mailbox_bytes: usize,
    /// For how long an envelope waits.
    pub envelopes_expire_after: Duration,
    /// For how long a message stays at a meeting place.
    pub meeting_places_expire_after: Duration,
    /// How much one connection may ask for.
    pub rate_of_connection: Rate,
    /// How much all connections of one network address may ask for.
    pub rate_of_address: Rate,
    /// The most connections at once.
    pub connections: usize,
}

/// A certificate chain and its private key.
#[derive(Clone, Debug)]
pub struct TlsFiles {
    /// The chain, the server's certificate first.
    pub certificates: PathBuf,
    /// The key.
    pub key: PathBuf,
}

/// A token bucket. An envelope costs one token, other requests more or less than that.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    /// Tokens that come back in a second.
    pub per_second: f64,
    /// Tokens in a full bucket.
    pub burst: f64,
}

impl RelayOptions {
    /// The usual limits.
    #[must_use]
    pub fn new(listen: SocketAddr, database: PathBuf) -> Self {
        Self {
            listen,
            database,
            tls: None,
            limits: ServerLimits::default(),
            mailbox_bytes: 256 << 20,
            envelopes_expire_after: Duration::from_secs(30 * 86_400),
            meeting_places_expire_after: Duration::from_secs(600),
            rate_of_connection: Rate { per_second: 100.0, burst: 2_000.0 },
            rate_of_address: Rate { per_second: 1_000.0, burst: 20_000.0 },
            connections: 20_000,
        }
    }
}
