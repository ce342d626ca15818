//! A small honest server for Undertone: mailboxes, prekeys and device lists over WebSocket, kept in SQLite (`docs/relay.md`).
//!
//! It is trusted with delivery and nothing else. It sees neither plaintext nor who sends: what a device sends comes over a connection that never signs in.
#![forbid(unsafe_code)]

mod accounts;
mod connection;
mod device;
mod hub;
mod mailboxes;
mod metrics;
mod open;
mod options;
mod rate;
mod relay;
mod schema;
mod storage;
mod tls;

pub use metrics::Metrics;
pub use options::{Rate, RelayOptions, TlsFiles};
pub use relay::Relay;
