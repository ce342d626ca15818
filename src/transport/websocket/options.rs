//! How a WebSocket transport connects.

use crate::error::{Fault, Result};
use core::time::Duration;
use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, RootCertStore};
use std::sync::Arc;

/// How a [`WebSocketTransport`](super::WebSocketTransport) connects, waits and tries again.
///
/// ```
/// use core::time::Duration;
/// use undertone::transport::WebSocketOptions;
///
/// let options = WebSocketOptions { request_timeout: Duration::from_secs(5), ..WebSocketOptions::default() };
/// assert!(options.trusts_public_roots);
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct WebSocketOptions {
    /// How long a connection may take to be made, and an answer to come.
    pub request_timeout: Duration,
    /// How often the connection is tried when nothing else is said on it; it is given up when nothing is heard for twice that long.
    pub ping_interval: Duration,
    /// The first wait before the connection is made again is a random part of this; it doubles from failure to failure.
    pub reconnect_after: Duration,
    /// Waits are random parts of this at most.
    pub reconnect_after_at_most: Duration,
    /// For `wss`: whether certificates under the public roots of the web are accepted.
    pub trusts_public_roots: bool,
    /// For `wss`: root certificates of one's own, in DER.
    pub root_certificates: Vec<Vec<u8>>,
}

impl Default for WebSocketOptions {
    fn default() -> Self {
        Self {
            request_timeout: Duration::from_secs(15),
            ping_interval: Duration::from_secs(25),
            reconnect_after: Duration::from_millis(500),
            reconnect_after_at_most: Duration::from_secs(60),
            trusts_public_roots: true,
            root_certificates: Vec::new(),
        }
    }
}

impl WebSocketOptions {
    /// What rustls is to accept.
    pub(super) fn tls(&self) -> Result<Arc<ClientConfig>> {
        let mut roots = RootCertStore::empty();
        if self.trusts_public_roots {
            roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        }
        for certificate in &self.root_certificates {
            roots.add(CertificateDer::from(certificate.as_slice())).map_err(argument)?;
        }
        let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(argument)?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Arc::new(config))
    }

    /// Full jitter: any wait up to a bound that doubles, so that many devices that lost a server together do not come back together.
    pub(super) fn wait(&self, failures: u32, random: [u8; 8]) -> Duration {
        let bound = self.reconnect_after.saturating_mul(1_u32.checked_shl(failures.min(31)).unwrap_or(u32::MAX));
        let bound = bound.min(self.reconnect_after_at_most);
        let part = f64::from(u32::try_from(u64::from_le_bytes(random) >> 32).unwrap_or(0)) / f64::from(u32::MAX);
        bound.mul_f64(part)
    }
}

fn argument(error: rustls::Error) -> crate::error::Error {
    crate::error::Error::from(Fault::Argument).caused_by(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_their_bound_and_are_spread() {
        let options = WebSocketOptions::default();
        let longest = |failures| options.wait(failures, [0xFF; 8]);
        assert_eq!(longest(0), Duration::from_millis(500));
        assert_eq!(longest(3), Duration::from_secs(4));
        assert_eq!([longest(7), longest(40), longest(u32::MAX)], [Duration::from_secs(60); 3]);
        assert_eq!(options.wait(3, [0; 8]), Duration::ZERO);
    }

    #[test]
    fn a_root_that_is_no_certificate_is_refused() {
        let options = WebSocketOptions { root_certificates: vec![b"garbage".to_vec()], ..WebSocketOptions::default() };
        assert_eq!(options.tls().err().map(|error| error.code()), Some("request.argument"));
    }
}
