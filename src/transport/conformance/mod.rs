//! What every transport must do, as a suite that one call runs (feature `conformance`).
//!
//! ```
//! use undertone::transport::{MemoryServer, conformance::Suite};
//!
//! let server = MemoryServer::new();
//! let report = futures_executor::block_on(Suite::new(|| server.transport()).run());
//! assert!(report.is_ok(), "{report}");
//! ```

mod checks;
mod meeting;
mod participant;
mod prekeys;

use crate::runtime::{Clock, SystemClock};
use crate::transport::Transport;
use crate::transport::admission::MAX_ENVELOPE;
use core::fmt;
use core::pin::pin;
use core::time::Duration;
use futures_util::future::{Either, LocalBoxFuture, select};
use participant::Participant;

/// The suite, for one server: an honest one over a network without faults. Accounts that it makes have names that no one else uses.
///
/// ```
/// use core::time::Duration;
/// use undertone::transport::{MemoryServer, ServerLimits, conformance::Suite};
///
/// let server = MemoryServer::with_limits(ServerLimits { envelope: 5_000, ..ServerLimits::default() });
/// let suite = Suite::new(|| server.transport()).largest_envelope(5_000).patience(Duration::from_secs(20));
/// assert!(futures_executor::block_on(suite.run()).is_ok());
/// ```
pub struct Suite<F> {
    connect: F,
    largest_envelope: usize,
    patience: Duration,
}

/// What the suite found.
///
/// ```
/// use undertone::transport::{MemoryServer, conformance::Suite};
///
/// let server = MemoryServer::new();
/// server.set_reachable(false);
/// let report = futures_executor::block_on(Suite::new(|| server.transport()).run());
/// assert!(!report.is_ok() && report.to_string().contains("transport.unreachable"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Every check that was made, in order.
    pub checks: Vec<Check>,
}

/// One check.
///
/// ```
/// use undertone::transport::conformance::Check;
///
/// let check = Check { name: "an envelope arrives", failure: None };
/// assert!(check.failure.is_none());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// What is to hold.
    pub name: &'static str,
    /// How it does not, if it does not.
    pub failure: Option<String>,
}

/// How a check ends.
type Outcome = core::result::Result<(), String>;

impl<T: Transport, F: Fn() -> T> Suite<F> {
    /// `connect` makes a new connection to the one server.
    pub const fn new(connect: F) -> Self {
        Self { connect, largest_envelope: MAX_ENVELOPE, patience: Duration::from_secs(60) }
    }

    /// The largest envelope that the server takes, in bytes; 1 MiB unless it is said.
    #[must_use]
    pub fn largest_envelope(self, bytes: usize) -> Self {
        Self { largest_envelope: bytes, ..self }
    }

    /// How long a check may take before it has failed; a minute unless it is said.
    #[must_use]
    pub fn patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// Makes every check, whatever becomes of the others.
    pub async fn run(&self) -> Report {
        let mut checks = Vec::new();
        for (name, check) in self.list() {
            let failure = match select(check, pin!(SystemClock.sleep(self.patience))).await {
                Either::Left((outcome, _)) => outcome.err(),
                Either::Right(_) => Some(format!("it took longer than {:?}", self.patience)),
            };
            checks.push(Check { name, failure });
        }
        Report { checks }
    }

    fn list(&self) -> Vec<(&'static str, LocalBoxFuture<'_, Outcome>)> {
        vec![
            ("an envelope is received until it is acknowledged", Box::pin(checks::receive_until_acknowledged(self))),
            ("an envelope sent twice is received once", Box::pin(checks::sent_twice(self))),
            ("every envelope of a call has its verdict", Box::pin(checks::verdicts(self))),
            ("a stale device list is told", Box::pin(checks::stale_device_list(self))),
            ("an envelope that is too large is not taken", Box::pin(checks::too_large(self))),
            ("receiving may be given up", Box::pin(checks::receiving_given_up(self))),
            ("receiving waits", Box::pin(checks::receiving_waits(self))),
            ("two connections of one device receive the same", Box::pin(checks::two_connections(self))),
            ("many senders at once lose nothing", Box::pin(checks::many_senders(self))),
            ("a removed device is shut out", Box::pin(checks::removed_device(self))),
            ("a device list is given from a number on", Box::pin(checks::device_list(self))),
            ("a wrong signature is not accepted", Box::pin(checks::wrong_signature(self))),
            ("a one-time prekey is handed out once", Box::pin(prekeys::handed_out_once(self))),
            ("a publication twice is one", Box::pin(prekeys::published_twice(self))),
            ("a new registration replaces the prekeys", Box::pin(prekeys::new_registration(self))),
            ("a prekey with a wrong signature is refused", Box::pin(prekeys::wrong_prekey(self))),
            ("many who fetch at once share no prekey", Box::pin(prekeys::fetched_at_once(self))),
            ("the highest witness is kept", Box::pin(meeting::witness(self))),
            ("the first message at a meeting place stays", Box::pin(meeting::first_stays(self))),
            ("collecting waits", Box::pin(meeting::collecting_waits(self))),
            ("a closed transport is unreachable", Box::pin(meeting::closed(self))),
        ]
    }

    fn connect(&self) -> T {
        (self.connect)()
    }

    /// A new account with one device, connected and published, with `one_time` prekeys of each kind.
    async fn participant(&self, one_time: usize) -> core::result::Result<Participant<T>, String> {
        Participant::register(self.connect(), one_time).await
    }
}

impl Report {
    /// Whether every check passed.
    #[must_use]
    pub fn is_ok(&self) -> bool {
        self.failures().next().is_none()
    }

    /// The checks that failed.
    pub fn failures(&self) -> impl Iterator<Item = &Check> {
        self.checks.iter().filter(|check| check.failure.is_some())
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Check { name, failure } in &self.checks {
            match failure {
                None => writeln!(f, "ok      {name}")?,
                Some(failure) => writeln!(f, "FAILED  {name}: {failure}")?,
            }
        }
        Ok(())
    }
}

/// An error by its code.
fn told<T>(doing: &str, result: crate::error::Result<T>) -> core::result::Result<T, String> {
    result.map_err(|error| format!("{doing}: {}", error.code()))
}

fn equal<T: PartialEq + fmt::Debug>(what: &str, found: T, expected: T) -> Outcome {
    if found == expected { Ok(()) } else { Err(format!("{what}: {found:?} instead of {expected:?}")) }
}

fn fails_with<T>(what: &str, result: crate::error::Result<T>, code: &str) -> Outcome {
    match result {
        Ok(_) => Err(format!("{what} succeeded instead of failing with {code}")),
        Err(error) => equal(what, error.code(), code),
    }
}
