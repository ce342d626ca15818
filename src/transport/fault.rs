//! How a transport of one's own says what went wrong.

use crate::error::{Error, Fault};

/// What can go wrong in a [`Transport`](super::Transport), to be made an [`Error`] of.
///
/// ```
/// use undertone::Error;
/// use undertone::transport::TransportFault;
///
/// let cause = std::io::Error::other("connection reset");
/// let error = Error::from(TransportFault::Unreachable).caused_by(cause);
/// assert_eq!(error.code(), "transport.unreachable");
/// assert!(error.is_retryable());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TransportFault {
    /// There is no connection, or it broke: whether the server did what was asked is not known.
    Unreachable,
    /// The server asks for patience.
    RateLimited,
    /// The server refused, and will refuse again.
    Refused,
    /// The server does not accept the device's signature.
    Unauthorized,
    /// The server knows no such account.
    UnknownAccount,
    /// What was handed over is larger than the server takes.
    TooLarge,
    /// The answer cannot be read.
    Malformed,
}

impl From<TransportFault> for Error {
    fn from(fault: TransportFault) -> Self {
        match fault {
            TransportFault::Unreachable => Fault::TransportUnreachable,
            TransportFault::RateLimited => Fault::TransportBusy,
            TransportFault::Refused => Fault::TransportRefused,
            TransportFault::Unauthorized => Fault::TransportLogin,
            TransportFault::UnknownAccount => Fault::TransportUnknown,
            TransportFault::TooLarge => Fault::TransportTooLarge,
            TransportFault::Malformed => Fault::TransportAnswer,
        }
        .into()
    }
}
